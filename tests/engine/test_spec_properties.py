"""The engine against the slow reference: random small Specs of every behaviour, with wide weights, whole and in tiles.

The engine works in float32. A score of size 10 has an error near 1e-6 then, and weights, values and the layers above
carry it on: TOLERANCE is 20 times that. Some random networks amplify more (a norm of a row whose numbers are nearly
equal, deep peaks): there the slow reference says how much by running once more with every weight moved by a unit in
the last place of float32, and the difference must stay within 50 times what that changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from helpers.random_specs import image_cases, pairs, sound_cases, sparse_cases, text_cases
from helpers.wide_tensors import Behind, Case, Keep, Nudged, WideTensors
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from oracles.slow_formulas import ACTIVATIONS
from oracles.slow_reference import Slow, SlowResult, StackInput

from attnviz.engine import mlp as mlp_module
from attnviz.engine import ops, tiles
from attnviz.engine.forward import run
from attnviz.engine.spec import EncoderDecoder, Spec
from attnviz.models.model import Model

TOLERANCE = 2e-5
ALL_PARTS = frozenset({"scores", "q", "k", "v", "outputs"})
slow_enough = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


def expected(case: Case, kind: type[WideTensors] | None = None) -> SlowResult:
    return Slow(case.spec, case.tensors(kind), case.stack_input).run()


def largest(a, b) -> float:
    a, b = np.array(a, float), np.array(b, float)
    assert a.shape == b.shape
    return float(np.abs(a - b).max(initial=0))


@contextmanager
def in_pieces(tile: int) -> Iterator[None]:
    """Sizes at which a long text is cut, made small: tiles in threads, rows of an MLP, pieces of an activation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiles, "WHOLE_LAYER", 0)
        patch.setattr(tiles, "TILE", tile)
        patch.setattr(mlp_module, "MLP_ROWS", 1 + tile % 5)
        patch.setattr(ops, "CHUNK", 1 + tile % 7)
        yield


def check(case: Case, tile: int, some_heads: frozenset[int]) -> None:
    """The whole stack in single tiles, then only some heads in small tiles and threads."""
    spec, slow = case.spec, expected(case)
    assume(slow.nearest_tie > 1e-4)  # which expert is chosen would hang on rounding
    n = len(slow.output)
    # Rows of global tokens and of blocks are not the softmax of their scores.
    needs = ALL_PARTS if not spec.global_tokens and not spec.blocks else frozenset()
    whole = Keep(spec.n_layers, range(spec.n_heads), n, n, needs)
    output = run(spec, case.tensors(), case.inputs, {"self": [whole]}, whole=True)
    heads = [h for h in range(spec.n_heads) if h in some_heads] or [spec.n_heads - 1]
    tiled = Keep(spec.n_layers, heads, n, n)
    with in_pieces(tile):
        run(spec, case.tensors(), case.inputs, {"self": [tiled]})
    assert (whole.seen == 1).all() and (tiled.seen == 1).all()
    allowed = np.array(slow.allowed)[:, None]
    np.testing.assert_array_equal(whole.allowed, np.broadcast_to(allowed, whole.allowed.shape))
    np.testing.assert_array_equal(tiled.allowed, np.broadcast_to(allowed, tiled.allowed.shape))
    weights = np.array(slow.weights)
    assert not whole.weights[~whole.allowed].any() and not tiled.weights[~tiled.allowed].any()
    size = np.abs(slow.output).max()
    found = max(
        largest(whole.weights, weights), largest(tiled.weights, weights[:, heads]), largest(output, slow.output) / size
    )
    if found > TOLERANCE:
        moved = expected(case, Nudged)
        own = max(largest(moved.weights, weights), largest(moved.output, slow.output) / size)
        assert found <= 50 * own, f"differs by {found:.2g}; by itself only {own:.2g}"


tile_sizes = st.integers(1, 1 << 9)
head_sets = st.frozensets(st.integers(0, 8))


@slow_enough
@given(text_cases(), tile_sizes, head_sets)
def test_text(case, tile, heads) -> None:
    check(case, tile, heads)


@settings(slow_enough, max_examples=120)
@given(sparse_cases(), tile_sizes, head_sets)
def test_global_tokens_and_blocks(case, tile, heads) -> None:
    check(case, tile, heads)


@settings(slow_enough, max_examples=10)
@given(tile_sizes, head_sets)
def test_global_tokens_of_grouped_heads(tile, heads) -> None:
    spec = Spec(n_layers=2, n_heads=6, n_kv_heads=2, d_model=24, d_mlp=8, vocab=9, reach=(1,), global_tokens=True)
    check(Case(spec, StackInput(ids=[3, 1, 4, 1, 5, 2, 6], global_tokens=(0, 4)), 0), tile, heads)


@settings(slow_enough, max_examples=60)
@given(image_cases(), tile_sizes, head_sets)
def test_images(case, tile, heads) -> None:
    check(case, tile, heads)


@settings(slow_enough, max_examples=60)
@given(sound_cases(), tile_sizes, head_sets)
def test_sound(case, tile, heads) -> None:
    check(case, tile, heads)


def streams_expected(encoder: Case, decoder: Case, kind: type[WideTensors] | None = None) -> dict[str, list]:
    tensors = encoder.tensors(kind)
    first = Slow(encoder.spec, Behind(tensors, "encoder."), encoder.stack_input).run()
    second = Slow(decoder.spec, Behind(tensors, "decoder."), decoder.stack_input, first.output).run()
    assume(min(first.nearest_tie, second.nearest_tie) > 1e-4)
    return {"encoder": first.weights, "decoder": second.weights, "cross": second.cross}


@settings(slow_enough, max_examples=60)
@given(pairs(), tile_sizes)
def test_an_encoder_and_its_decoder(both, tile) -> None:
    """Through the public interface: the three streams of two stacks of different depth, width and behaviour."""
    encoder, decoder = both
    slow = streams_expected(encoder, decoder)
    model = Model("pair", EncoderDecoder(encoder.spec, decoder.spec), encoder.tensors())
    for stream, weights in slow.items():
        asked = {"ids": encoder.stack_input.ids, "target_ids": decoder.stack_input.ids, "stream": stream}
        whole = model.attend(**asked)
        with in_pieces(tile):
            tiled = model.attend(**asked)
        found = max(largest(whole.weights, weights), largest(tiled.weights, weights))
        if found > TOLERANCE:
            moved = streams_expected(encoder, decoder, Nudged)[stream]
            assert found <= 50 * largest(moved, weights), f"{stream} differs by {found:.2g}"


def test_every_activation_is_known_here() -> None:
    """The random Specs draw from the slow reference's activations: none of the engine's may be missing there."""
    assert set(ACTIVATIONS) == set(ops.ACTIVATIONS)
