"""Known answers and invariants of the engine."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import pytest
from helpers.wide_tensors import WideTensors
from hypothesis import given, settings
from hypothesis import strategies as st

import attnviz
from attnviz.checkpoints.seeded import SeededWeights, seeded_spec
from attnviz.engine import kernels, tiles
from attnviz.engine.collectors import Dense
from attnviz.engine.forward import run
from attnviz.engine.images import patch_turns
from attnviz.engine.inputs import Inputs
from attnviz.engine.kernels import skewed, toeplitz
from attnviz.engine.masks import Mask
from attnviz.engine.ops import activate_
from attnviz.engine.spec import DistanceVectors, ImageOffsets, Norm, Patches, Rotary, Spec
from attnviz.errors import InputError


def by_hand(tmp_path, **more):
    """Two tokens (1, 0) and (0, 1), one head. Queries are sqrt(2) ln 3 times the tokens, keys the tokens."""
    eye = np.eye(2, dtype=np.float32)
    arrays = {"W_Q": np.sqrt(2) * np.log(3) * eye, "W_K": eye, "W_V": np.array([[2.0, 0], [0, 4]]), "n_heads": 1}
    path = tmp_path / "lesson.npz"
    np.savez(path, embedding=eye, tokens=np.array(["a", "b"]), **(arrays | more))
    return attnviz.load(path)


def test_two_tokens_one_head_by_hand(tmp_path) -> None:
    """Scores are ln 3 on the diagonal and 0 beside it; exp gives 3 and 1; so each token keeps 3/4 of itself."""
    found = by_hand(tmp_path).attend("a b")
    np.testing.assert_allclose(found.weights[0, 0], [[0.75, 0.25], [0.25, 0.75]], atol=1e-7)
    assert found.query_tokens == ("a", "b")


def test_causal_by_hand(tmp_path) -> None:
    found = by_hand(tmp_path, causal=True).attend("a b")
    np.testing.assert_allclose(found.weights[0, 0], [[1, 0], [0.25, 0.75]], atol=1e-7)
    np.testing.assert_array_equal(found.mask[0], [[True, False], [True, True]])


def test_second_layer_by_hand(tmp_path) -> None:
    """Layer 0 adds the weighted values: token a is (1 + 3/4 * 2, 1/4 * 4) = (2.5, 1), token b (0.5, 4).

    Layer 1 with W_Q = W_K = 1 scores a.a = 7.25, a.b = 5.25, b.b = 16.25, all over sqrt(2).
    """
    eye = np.eye(2, dtype=np.float32)
    found = by_hand(tmp_path, **{"W_Q.1": eye, "W_K.1": eye, "W_V.1": eye}).attend("a b")
    first = 1 / (1 + math.exp((5.25 - 7.25) / math.sqrt(2)))
    second = 1 / (1 + math.exp((16.25 - 5.25) / math.sqrt(2)))
    np.testing.assert_allclose(found.weights[1, 0], [[first, 1 - first], [second, 1 - second]], atol=1e-6)


words = st.lists(st.text("abcdefgh", min_size=1, max_size=4), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(words, st.booleans(), st.integers(0, 5))
def test_rows_sum_to_one_and_nothing_lies_beyond_the_mask(tokens, causal, seed) -> None:
    found = attnviz.load("seeded", seed=seed, causal=causal).attend(" ".join(tokens))
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    assert (found.weights >= 0).all()
    assert not found.weights[:, :, ~found.mask[0]].any()
    if causal:
        np.testing.assert_array_equal(found.mask[0], np.tri(len(tokens), dtype=bool))


@settings(max_examples=25, deadline=None)
@given(st.permutations(list("abcdefg")), st.integers(0, 3))
def test_without_positions_permuted_tokens_permute_the_map(order, seed) -> None:
    spec = Spec(n_layers=2, n_heads=2, d_model=16, d_mlp=32, vocab=1, by_word=True, norm=Norm(), norm_before=True)

    def weights(tokens):
        dense = Dense(range(2), range(2), range(len(tokens)), range(len(tokens)))
        run(spec, SeededWeights(seed, spec), Inputs(words=tuple(tokens)), {"self": [dense]})
        return dense.weights

    at = [sorted(order).index(token) for token in order]
    np.testing.assert_allclose(weights(order), weights(sorted(order))[:, :, at][..., at], atol=2e-6)


def test_a_text_of_mask_tokens_alone_is_refused() -> None:
    """Masked embeddings are zeroed and the rest rescaled by their share: here there is no rest."""
    spec = Spec(n_layers=1, n_heads=1, d_model=4, d_mlp=4, vocab=5, mask_dropout=3)
    dense = Dense([0], [0], range(2), range(2))
    with pytest.raises(InputError, match="every token is the mask token"):
        run(spec, SeededWeights(0, spec), Inputs(np.array([3, 3])), {"self": [dense]})


def test_softmax_survives_huge_scores_and_empty_rows() -> None:
    scores = np.array([[1e30, 1e30, -1e30], [-1e38, 0, 1e38], [5, 5, 5]], np.float32)
    hidden = np.array([[False, False, False], [False, False, False], [True, True, True]])
    got = kernels.softmax_(scores, hidden)
    np.testing.assert_array_equal(got, [[0.5, 0.5, 0], [0, 0, 1], [0, 0, 0]])


def test_gelu_is_exact_to_float32() -> None:
    x = np.linspace(-12, 12, 20001).astype(np.float32)
    exact = np.array([0.5 * v * math.erfc(-v / math.sqrt(2)) for v in x.astype(float)])
    error = np.abs(activate_("gelu", x.copy()) - exact)
    assert (error <= 2.5e-7 * np.maximum(1, np.abs(x))).all(), error.max()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("tile", [1, 50, 64, 333, 1 << 19])
def test_tiles_change_nothing(monkeypatch, causal, tile) -> None:
    """Any tile size gives the same as one tile, even if it does not divide the length."""
    text = " ".join(f"w{i % 17}" for i in range(101))
    model = attnviz.load("seeded", causal=causal, n_heads=4)
    whole = model.attend(text)
    monkeypatch.setattr(tiles, "WHOLE_LAYER", 0)
    monkeypatch.setattr(tiles, "TILE", tile * 101)
    tiled = model.attend(text)
    np.testing.assert_allclose(tiled.weights, whole.weights, atol=2e-6)
    np.testing.assert_array_equal(tiled.mask, whole.mask)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(-1, 12), st.booleans(), st.data())
def test_mask_of_a_tile_is_that_part_of_the_whole(n, reach, causal, data) -> None:
    i, j = np.arange(n)[:, None], np.arange(n)[None]
    everywhere = tuple(data.draw(st.sets(st.integers(0, n - 1), max_size=2)))
    far = (abs(i - j) > reach) if reach >= 0 else np.zeros((n, n), bool)
    hidden = far | (j > i if causal else False)
    for token in everywhere:
        hidden[token], hidden[:, token] = False, False
    mask = Mask(n, n, causal, reach, everywhere)
    start = data.draw(st.integers(0, n - 1))
    rows = range(start, data.draw(st.integers(start + 1, n)))
    cols = mask.reachable(rows)
    found = mask.hidden(rows, cols)
    got = None if found is None else found[0]
    if found is not None:  # the runs name every column with something hidden
        outside_runs = np.ones(len(cols), bool)
        for span in found[1]:
            outside_runs[span] = False
        assert not got[:, outside_runs].any()
    part = hidden[rows.start : rows.stop]
    np.testing.assert_array_equal(
        np.zeros((len(rows), len(cols)), bool) if got is None else got, part[:, cols.start : cols.stop]
    )
    outside = np.ones(n, bool)
    outside[cols.start : cols.stop] = False
    assert part[:, outside].all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6))
def test_views_by_distance(rows, cols) -> None:
    """Cell (r, c) reads the place of its distance: c - r, counted from the last row's first column."""
    wide = np.arange(2.0 * rows * (rows + cols - 1)).reshape(2, rows, -1)
    line = wide[:, 0].copy()
    for r in range(rows):
        for c in range(cols):
            np.testing.assert_array_equal(skewed(wide, rows, cols)[:, r, c], wide[:, r, c - r + rows - 1])
            np.testing.assert_array_equal(toeplitz(line, rows, cols)[:, r, c], line[:, c - r + rows - 1])


def test_work_that_nobody_wants_is_not_done() -> None:
    """Only the wanted layer's queries and keys, and the whole of the layers below it, are read."""

    class Watched(SeededWeights):
        asked: ClassVar[set[str]] = set()

        def get(self, name, shape):
            self.asked.add(name)
            return super().get(name, shape)

    spec = seeded_spec(n_layers=4)
    dense = Dense([1], [0], range(3), range(3))
    run(spec, Watched(0, spec), Inputs(words=("a", "b", "c")), {"self": [dense]})
    layers = {name.split(".")[1] for name in Watched.asked if name.startswith("layers.")}
    assert layers == {"0", "1"}
    assert {name.split(".")[2] for name in Watched.asked if name.startswith("layers.1.")} == {"norm1", "q", "k"}


@pytest.mark.parametrize("what", [{"relative": DistanceVectors(4, True)}, {"rotary": (Rotary(4, stored=4),)}])
def test_a_text_beyond_a_table_of_places_is_refused(what) -> None:
    spec = Spec(n_layers=1, n_heads=1, d_model=4, d_mlp=4, vocab=5, **what)
    assert spec.max_positions == 4
    for n in (4, 5):
        dense = Dense([0], [0], range(n), range(n))
        if n == 4:
            run(spec, WideTensors(0), Inputs(np.arange(n)), {"self": [dense]})
            assert dense.weights.sum() == pytest.approx(4, abs=1e-5)
            continue
        with pytest.raises(InputError, match=r"the text has 5 tokens; this model's .* end at 4"):
            run(spec, WideTensors(0), Inputs(np.arange(n)), {"self": [dense]})


def test_padding_that_would_hide_tokens_is_refused() -> None:
    spec = Spec(n_layers=1, n_heads=1, d_model=4, d_mlp=4, vocab=5, no_padding=3)
    dense = Dense([0], [0], range(3), range(3))
    with pytest.raises(InputError, match="the text holds 3, the id of padding"):
        run(spec, WideTensors(0), Inputs(np.array([1, 3, 2])), {"self": [dense]})


def test_offsets_in_an_image_by_hand() -> None:
    """Two patches side by side behind a class token; queries and keys are 0, so that the bias alone decides.

    Entries for (query column - key column): -1 is ln 2, 0 is 0, 1 is ln 3; the class token as query ln 5, as key ln 7,
    as both ln 4.
    """
    logs = np.log([2, 1, 3, 5, 7, 4])[:, None].astype(np.float32)

    class Tensors(SeededWeights):
        def get(self, name, shape):
            return logs if name == "layers.0.bias.table" else np.zeros(shape, np.float32)

    spec = Spec(1, 1, 4, 0, patches=Patches((1, 1), 1, (1, 2)), bias=ImageOffsets((1, 2)))
    dense = Dense([0], [0], range(3), range(3))
    run(spec, Tensors(0, spec), Inputs(pixels=np.zeros((1, 1, 2), np.float32)), {"self": [dense]})
    rows = np.array([[4, 5, 5], [7, 1, 2], [7, 3, 1]])
    np.testing.assert_allclose(dense.weights[0, 0], rows / rows.sum(1, keepdims=True), atol=1e-6)


def test_turns_by_place_in_an_image_do_not_depend_on_its_size() -> None:
    """The middle of an odd grid is not turned; half of the pairs turn by the row, half by the column."""
    cos, sin = patch_turns(Rotary(8, 100.0, by_patch=True), 2, (3, 5))
    assert cos.shape == (17, 4)
    np.testing.assert_array_equal(sin[:2], 0)  # tokens in front
    np.testing.assert_allclose(sin[2 + 7], 0, atol=1e-7)
    angle = 2 * math.pi * np.array([-2 / 3, -2 / 30, 4 / 5, 4 / 50])  # the top right corner, base^(-1/2) = 1 / 10
    np.testing.assert_allclose(sin[2 + 4], np.sin(angle), atol=1e-6)
    np.testing.assert_allclose(cos[2 + 4], np.cos(angle), atol=1e-6)
