"""Mechanisms by name: the list, what they are called with, who can have them, and one clear line for what cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.paths import REFERENCE

import attnviz
from attnviz.engine.spec import Blocks
from attnviz.errors import AttnvizError, InputError, SelectionError
from attnviz.variants import GROUPS, MECHANISMS, base, parse
from attnviz.variants.applied import KINDS

TEXT = "The cat sat on the mat and slept"
SOURCES = (
    "Bahdanau 2014|Luong 2015, local-m|Beltagy 2020, Longformer|Zaheer 2020, BigBird|Kitaev 2020, Reformer|"
    "Wang 2020, Linformer|Choromanski 2021, Performer|Katharopoulos 2020, Linear Transformer|"
    "Dai 2019, Transformer-XL|Rae 2019, Compressive Transformer|Yang 2019, XLNet|Sukhbaatar 2019, adaptive span|"
    "Gu & Dao 2023, Mamba|Su 2021, rotary|Press 2021, ALiBi|Raffel 2020, T5"
).split("|")

# --- the list ------------------------------------------------------------------------------------------------------


def test_sources_are_spelt_as_agreed() -> None:
    assert set(SOURCES) <= {mechanism.source for mechanism in MECHANISMS.values()}


def test_every_mechanism_says_what_it_is() -> None:
    for name, mechanism in MECHANISMS.items():
        assert mechanism.name == name and mechanism.group in GROUPS
        assert mechanism.formula and mechanism.where and "n" in mechanism.cost
        assert mechanism.source[-4:].isdigit() or ", " in mechanism.source
        # A replacement of the softmax is named in the notes, and so are drawn weights.
        assert mechanism.exact == (mechanism.group != "approximation")
        if mechanism.needs == "seeded" and (name in KINDS or name in ("learned", "t5", "transformer-xl")):
            assert "drawn" in mechanism.simplified
    assert {mechanism.group for mechanism in MECHANISMS.values()} == set(GROUPS)


def test_the_list_loads_no_numpy() -> None:
    import subprocess
    import sys

    code = "import sys, attnviz.variants; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- names and numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values", "name", "described"),
    [
        ("window", (2,), "window", "2 tokens to each side"),
        ("window:3", (3,), "window:3", "3 tokens to each side"),
        ("window:2", (2,), "window", "2 tokens to each side"),
        ("window:reach=5", (5,), "window:5", "5 tokens to each side"),
        (" lsh:8,rounds=2 ", (8, 2), "lsh:8,rounds=2", "8 buckets, 2 rounds"),
        ("lsh:8,2", (8, 2), "lsh:8,rounds=2", "8 buckets, 2 rounds"),
        ("lsh:rounds=2", (4, 2), "lsh:rounds=2", "4 buckets, 2 rounds"),
        ("lsh:rounds=2, buckets=6", (6, 2), "lsh:6,rounds=2", "6 buckets, 2 rounds"),
        ("linformer", (4, 0), "linformer", "rank 4, means of neighbours"),
        ("full", (), "full", ""),
    ],
)
def test_numbers(text, values, name, described) -> None:
    found = parse(text)
    assert (found.values, found.name, found.described) == (values, name, described)
    assert parse(found.name) == found


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("widnow", "there is no mechanism 'widnow'", "did you mean window"),
        ("aditive", "there is no mechanism 'aditive'", "did you mean additive"),
        ("transformerxl", "there is no mechanism 'transformerxl'", "did you mean transformer-xl"),
        ("Performer", "there is no mechanism 'Performer'", "did you mean performer"),
        ("qqq", "there is no mechanism 'qqq'", "attnviz mechanisms lists them"),
        ("", "there is no mechanism ''", "attnviz mechanisms lists them"),
        ("window:0", "reach of window must be a whole number from 1; got '0'", ""),
        ("window:-1", "reach of window must be a whole number from 1; got '-1'", ""),
        ("window:2.5", "reach of window must be a whole number from 1; got '2.5'", ""),
        ("window:", "reach of window must be a whole number from 1; got ''", ""),
        ("window:reach=", "reach of window must be a whole number from 1; got ''", ""),
        ("window:99999999999", "reach of window must be a whole number from 1; got '99999999999'", ""),
        ("lsh:0", "buckets of lsh must be a whole number from 1; got '0'", ""),
        ("lsh:4,rounds=65", "rounds of lsh must be a whole number from 1 to 64; got '65'", ""),
        ("performer:5000", "features of performer must be a whole number from 1 to 4096; got '5000'", ""),
        ("lsh:4,2,1", "lsh: one number too many; it takes buckets, rounds", "as in lsh:4,rounds=1"),
        ("window:3,reach=4", "reach of window is given twice", ""),
        ("window:size=3", "window has no parameter 'size'; it takes reach", "as in window:2"),
        ("full:3", "full: one number too many; it takes none", ""),
        ("full:x=3", "full has no parameter 'x'; it takes none", ""),
    ],
)
def test_names_and_numbers_that_are_refused(text, said, hint) -> None:
    with pytest.raises(SelectionError) as caught:
        attnviz.load("seeded", mechanism=text)
    assert str(caught.value) == said
    assert (hint in caught.value.hint) if hint else not caught.value.hint


# --- what a text or a model cannot have ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "text", "said"),
    [
        ("lsh:10", TEXT, "lsh wants no more buckets than tokens, 8; got 10"),
        ("lsh:5", TEXT, "lsh wants one bucket or an even number: it hashes to directions and their opposites; got 5"),
        ("linformer:9", TEXT, "linformer wants a rank of no more than the tokens, 8; got 9"),
        ("learned", "a " * 513, "the text has 513 tokens; this model's learned positions end at 512"),
    ],
)
def test_numbers_that_do_not_fit_the_text(asked, text, said) -> None:
    with pytest.raises(AttnvizError) as caught:
        attnviz.load("seeded", mechanism=asked).attend(text)
    assert str(caught.value) == said


def test_no_causal_linformer() -> None:
    with pytest.raises(SelectionError, match="linformer has no causal form"):
        attnviz.load("seeded", causal=True, mechanism="linformer").attend(TEXT)


def test_rotary_positions_want_pairs() -> None:
    with pytest.raises(SelectionError, match="a head must have an even number of them; got 3"):
        attnviz.load("seeded", n_heads=4, d_model=12, mechanism="rotary")


def test_a_matrix_that_is_too_large_to_hold(monkeypatch) -> None:
    monkeypatch.setattr(base, "MOST", 4 * 7 * 7)
    with pytest.raises(SelectionError) as caught:
        attnviz.load("seeded", mechanism="lsh:2").attend(TEXT)
    assert str(caught.value) == "8 x 8 tokens are too many: a mechanism is held as a whole, up to 7 tokens"
    attnviz.load("seeded", mechanism="lsh:2").attend("seven of these tokens fit into it")


@pytest.mark.parametrize(
    ("case", "asked", "said"),
    [
        ("bert", "additive", "bert cannot have additive: its weights were not trained for it"),
        ("gpt2", "rotary", "gpt2 cannot have rotary: its weights were not trained for it"),
        ("llama", "mamba", "llama cannot have mamba: its weights were not trained for it"),
        ("bert", "cross", "bert cannot have cross: its input is its own affair"),
        ("bert", "patches", "bert cannot have patches: its input is its own affair"),
        ("t5", "window:3", "t5 cannot have window: it has two stacks"),
        ("bloom", "lsh:2", "bloom cannot have lsh: its attention has biases by distance, which it would lose"),
        ("xlnet", "linear", "xlnet cannot have linear: its attention has scores by distance, which it would lose"),
        (
            "longformer",
            "dilated",
            "longformer cannot have dilated: its attention has global tokens and a window, which it would lose",
        ),
        ("mistral", "performer", "mistral cannot have performer: its attention has a window, which it would lose"),
        ("gemma2", "lsh", "gemma2 cannot have lsh: its attention has a window and capped scores, which it would lose"),
        ("vit", "learned", "vit cannot have learned: its weights were not trained for it"),
    ],
)
def test_a_loaded_model_that_cannot_have_it(case, asked, said) -> None:
    with pytest.raises(SelectionError) as caught:
        attnviz.load(REFERENCE / case, mechanism=asked)
    assert str(caught.value) == said
    assert "seeded model can" in caught.value.hint


def blocked():
    """A model with block-sparse attention."""
    model = attnviz.load(REFERENCE / "big_bird")
    return replace(model, spec=replace(model.spec, blocks=Blocks(2, 0)))


@pytest.mark.parametrize("asked", ["window:2", "local-m:2", "causal", "bigbird"])
def test_blocks_stand_in_place_of_other_masks(asked) -> None:
    name = asked.split(":")[0]
    with pytest.raises(SelectionError) as caught:
        blocked().with_mechanism(asked)
    want = f"big_bird cannot have {name}: its attention has block-sparse attention, which it would lose"
    assert str(caught.value) == want


def test_full_attention_in_place_of_blocks() -> None:
    ids = [5 + i for i in range(20)]
    assert not blocked().attend(ids=ids).mask.all()
    assert blocked().with_mechanism("full").attend(ids=ids).mask.all()


def test_learned_sinks_would_be_lost() -> None:
    model = attnviz.load(REFERENCE / "gpt_oss")
    with pytest.raises(SelectionError, match=r"its attention has .*learned sinks, which it would lose"):
        model.with_mechanism("linear")


def test_one_at_a_time() -> None:
    model = attnviz.load("seeded", mechanism="lsh:2")
    with pytest.raises(SelectionError, match="seeded, lsh:2 cannot have window: it already has lsh"):
        model.with_mechanism("window")


def test_a_loaded_model_keeps_what_it_has() -> None:
    """A window replaces a window; biases by distance stay with a window."""
    ids = list(range(3, 11))
    near = np.abs(np.subtract.outer(range(8), range(8))) <= 1
    for case in ("mistral", "bloom"):
        found = attnviz.load(REFERENCE / case, mechanism="window:1").attend(ids=ids)
        np.testing.assert_array_equal(found.mask[0], near & np.tri(8, dtype=bool))
        np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    own = attnviz.load(REFERENCE / "bloom")
    np.testing.assert_array_equal(own.with_mechanism("window:8").attend(ids=ids).weights, own.attend(ids=ids).weights)


def test_scores_as_named_whatever_the_models_scale() -> None:
    """gpt_neo does not scale its scores; `scaled-dot` does."""
    ids, model = [3, 9, 4, 7, 12], attnviz.load(REFERENCE / "gpt_neo")
    assert model.spec.scale == 1
    plain, dot, scaled = (
        found.attend(ids=ids, layers=0).weights
        for found in (model, model.with_mechanism("dot"), model.with_mechanism("scaled-dot"))
    )
    np.testing.assert_array_equal(plain, dot)
    assert np.abs(scaled - dot).max() > 0.01
    # A softmax of scores s / sqrt(d) is the root of that of s, normalised.
    seen = dot > 0
    root = np.where(seen, np.maximum(dot, 1e-37).astype(np.float64) ** (model.spec.d_head**-0.5), 0)
    np.testing.assert_allclose(scaled, root / root.sum(-1, keepdims=True), atol=1e-4)


# --- in one layer, between texts, over pictures --------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["additive", "window:1", "lsh:2"])
def test_in_one_layer_alone(asked) -> None:
    plain = attnviz.load("seeded", n_layers=3)
    own, found = plain.attend(TEXT).weights, plain.with_mechanism(asked, -1).attend(TEXT).weights
    np.testing.assert_array_equal(found[:2], own[:2])
    assert np.abs(found[2] - own[2]).max() > 0.1
    first = plain.with_mechanism(asked, 0).attend(TEXT).weights
    np.testing.assert_array_equal(first[0], plain.with_mechanism(asked).attend(TEXT).weights[0])
    with pytest.raises(SelectionError, match="layer 3 is not there"):
        plain.with_mechanism(asked, 3)


def test_a_window_in_one_layer_leaves_the_others_theirs() -> None:
    model = attnviz.load(REFERENCE / "gemma2")
    own = [model.spec.reach_of(i) for i in range(model.n_layers)]
    found = model.with_mechanism("window:1", 1).spec
    assert [found.reach_of(i) for i in range(model.n_layers)] == [own[0], 1, *own[2:]]
    assert len(set(own)) > 1


@pytest.mark.parametrize("asked", [name for name, one in MECHANISMS.items() if one.crosses and name != "cross"])
def test_between_two_texts(asked) -> None:
    found = attnviz.load("seeded", mechanism=asked).attend("one two three four five", "eins zwei drei", stream="cross")
    assert found.weights.shape == (2, 4, 5, 3) and found.stream == "cross"
    if asked != "local-p":
        np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    plain = attnviz.load("seeded").attend("one two three four five", "eins zwei drei", stream="cross").weights
    assert (np.abs(found.weights - plain).max() > 0.1) == (asked not in ("scaled-dot", "full"))


@pytest.mark.parametrize(
    ("asked", "inputs", "error", "said"),
    [
        ("window", {"pair": "x", "stream": "cross"}, SelectionError, "window is for one text, not for --stream cross"),
        ("mamba", {"pair": "x", "stream": "cross"}, SelectionError, "mamba is for one text, not for --stream cross"),
        ("cross", {}, InputError, "cross-attention is between two texts"),
        ("cross", {"pair": "x", "stream": "self"}, SelectionError, "cross is between two texts, not within one"),
        ("patches", {}, InputError, "patches are of an image; none was given"),
    ],
)
def test_inputs_that_a_mechanism_is_not_for(asked, inputs, error, said) -> None:
    with pytest.raises(error) as caught:
        attnviz.load("seeded", mechanism=asked).attend(TEXT, **inputs)
    assert str(caught.value) == said


def test_global_tokens() -> None:
    model = attnviz.load("seeded", mechanism="global:1,tokens=2")
    found = model.attend(TEXT)
    far = np.abs(np.subtract.outer(range(8), range(8))) > 1
    far[:2] = far[:, :2] = False
    np.testing.assert_array_equal(found.mask[0], ~far)
    # Other tokens may be named, and an image's first tokens are global like a text's.
    assert model.attend(TEXT, global_tokens=[5]).mask[0][5].all()
    assert not model.attend(TEXT, global_tokens=[5]).mask[0][0].all()
    picture = model.attend(pixel_values=np.zeros((3, 32, 32), np.float32))
    assert picture.mask[0][:2].all() and not picture.mask[0][4, 2]


def test_patches_with_another_mechanism() -> None:
    pixels = np.random.default_rng(0).uniform(-1, 1, (3, 224, 224)).astype(np.float32)
    plain = attnviz.load("seeded").attend(pixel_values=pixels, layers=0)
    assert plain.grid == (14, 14) and plain.weights.shape == (1, 4, 197, 197)
    assert plain.query_special == (True,) + (False,) * 196
    windowed = attnviz.load("seeded", mechanism="window:1").attend(pixel_values=pixels, layers=0)
    np.testing.assert_array_equal(windowed.mask[0], np.abs(np.subtract.outer(range(197), range(197))) <= 1)
    learned = attnviz.load("seeded", mechanism="learned").attend(pixel_values=pixels, layers=0)
    assert np.abs(learned.weights - plain.weights).max() > 0.1


def test_signed_weights_are_not_pooled_by_their_largest() -> None:
    model = attnviz.load("seeded", mechanism="mamba")
    with pytest.raises(SelectionError, match="weights of mamba have signs"):
        model.attend(TEXT, cells=4)
    means = model.attend(TEXT, cells=4, pool="mean").weights
    whole = model.attend(TEXT).weights
    np.testing.assert_allclose(means[..., 1, 0], whole[..., 2:4, :2].mean((-1, -2)), atol=1e-6)


def test_a_pair_in_one_stream_is_one_text() -> None:
    """Transformer-XL has no scores by segment; XLNet's checkpoints do."""
    model = attnviz.load("seeded", mechanism="transformer-xl")
    together, apart = model.attend("one two three four"), model.attend("one two", "three four")
    assert together.query_tokens == apart.query_tokens
    np.testing.assert_array_equal(together.weights, apart.weights)


def test_a_picture_says_what_was_done() -> None:
    found = attnviz.load("seeded", mechanism="lsh:2,rounds=3").attend(TEXT)
    assert found.model == "seeded, lsh:2,rounds=3"
    assert found.meta["mechanism"] == "lsh:2,rounds=3"
    assert found.meta["notes"] == ["lsh: 2 buckets, 3 rounds (Kitaev 2020, Reformer)"]


def test_no_scores_to_look_at() -> None:
    """Steps through a softmax want one."""
    from attnviz.engine.collectors import Dense

    class Scores(Dense):
        needs = frozenset({"scores"})

    model = attnviz.load("seeded", mechanism="linear")
    with pytest.raises(InputError) as caught:
        model.observe(model.prepare(TEXT), [Scores([0], [0], range(8), range(8))])
    assert str(caught.value) == "this mechanism has no scores before a softmax to look at"


def test_masks_of_heads_apart_are_joined_where_cells_are_pooled() -> None:
    """Heads 0 and 2 hash in their own way: a cell is masked where neither sees anything."""
    model = attnviz.load("seeded", mechanism="lsh:8")
    whole, pooled = (model.attend(TEXT, layers=0, heads=[0, 2], cells=cells, pool="mean") for cells in (None, 4))
    count = whole.mask[0].reshape(4, 2, 4, 2).sum((1, 3))
    np.testing.assert_array_equal(pooled.mask[0], count > 0)
    assert (count == 0).any() and (count == 2).any()
    sums = whole.weights[0].reshape(2, 4, 2, 4, 2).sum((2, 4))
    np.testing.assert_allclose(pooled.weights[0], sums / np.maximum(count, 1), atol=1e-6)
