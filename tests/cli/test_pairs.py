"""Heads of different layers: the maps are the same as for each head alone, in the requested order, everywhere."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import REFERENCE
from hypothesis import given
from hypothesis import strategies as st

import attnviz
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.errors import InputError, SelectionError
from attnviz.page.heatmap import heatmap
from attnviz.page.table import table
from attnviz.select import chosen_heads, of_pairs, parse_heads, resolve_pairs

TEXT = "The animal was too tired"


def of_random(n_layers=3, n_heads=4, n=5, masks=True):
    """Peaked maps, with a mask of its own for each layer."""
    random = np.random.default_rng(3)
    weights = random.dirichlet(np.full(n, 0.3), (n_layers, n_heads, n)).astype(np.float32)
    allowed = random.random((n_layers, n, n)) < 0.7
    words = Tokens.plain([f"w{i}" for i in range(n)])
    mask = allowed if masks else None
    return Attention(weights, mask, words, words, tuple(range(n_layers)), tuple(range(n_heads)))


# Names


HAVE = {0: range(4), 1: range(4), 5: (1, 3)}


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("1.2", ((1, 2),)),
        ("5.3,0.1", ((5, 3), (0, 1))),
        ("-1.0", None),
        ("-1.-1", ((5, 3),)),
        ("-2.-4", ((1, 0),)),
        ("1.0-2", ((1, 0), (1, 1), (1, 2))),
        ("1.2--1", ((1, 2), (1, 3))),
        ("1.2, 0.0 ,1.2,1.1-2", ((1, 2), (0, 0), (1, 1))),
    ],
)
def test_names_of_pairs(text, want):
    if want is None:
        with pytest.raises(SelectionError, match="head 0 of layer 5 is not there; heads 1, 3 are"):
            resolve_pairs(text, HAVE)
    else:
        assert resolve_pairs(text, HAVE) == want


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2.0", "layer 2 is not there; layers 0, 1, 5 are"),
        ("1.4", "head 4 of layer 1 is not there; heads 0-3 are"),
        ("1.0-9999999999", "head 9999999999 of layer 1 is not there; heads 0-3 are"),
        ("1.3-1", "heads 3-1 of layer 1: the first lies after the last"),
        ("1.2,3", "1.2,3: 3 names no layer, other heads do"),
        ("all,1.2", "all,1.2: all names no layer, other heads do"),
        ("1.2,", "wanted heads with their layers, as in 3.1, 3.1,5.11 or 3.0-3; got '1.2,'"),
        ("1.2.3", "wanted heads with their layers"),
        ("0-1.2", "wanted heads with their layers"),
        ("1." + "9" * 5000, "wanted heads with their layers"),
    ],
)
def test_pairs_that_are_not_there(text, says):
    with pytest.raises(SelectionError) as caught:
        resolve_pairs(text, HAVE)
    assert str(caught.value).startswith(says)
    assert len(str(caught.value)) < 300


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6), st.booleans(), st.booleans()), min_size=1))
def test_any_pairs_are_read_back(asked):
    """However each index is written, from the front or from the end, a pair stands once, where it was first asked."""
    text = ",".join(f"{i - 5 if back else i}.{j - 7 if from_end else j}" for i, j, back, from_end in asked)
    chosen = chosen_heads(None, text, 5, 7)
    assert chosen.pairs == tuple(dict.fromkeys((i, j) for i, j, _, _ in asked))
    assert chosen.layers == sorted({i for i, _ in chosen.pairs})
    assert chosen.heads == sorted({j for _, j in chosen.pairs})
    assert chosen_heads(chosen.beside, chosen.asked, 5, 7) == chosen


@given(st.text(alphabet="0123456789.,- al", max_size=12))
def test_any_text_is_read_or_refused(text):
    try:
        parse_heads(text)
    except SelectionError:
        return
    try:
        chosen = chosen_heads(None if of_pairs(text) else "0", text, 3, 3)
    except SelectionError as error:
        assert "is not there" in str(error) or "the first lies after the last" in str(error)
    else:
        assert bool(chosen.pairs) == of_pairs(text)
        assert chosen.count


# The maps


@pytest.mark.parametrize("masks", [True, False])
def test_select_takes_the_maps_one_by_one(masks):
    whole = of_random(masks=masks)
    got = whole.select(heads=["2.1", "0.3", (1, 0)])
    assert got.pairs == got.places == ((2, 1), (0, 3), (1, 0))
    assert (got.layers, got.heads) == ((0, 1, 2), (0, 1, 3))
    assert got.weights.shape == (1, 3, 5, 5)
    for place, (layer, head) in enumerate(got.pairs):
        np.testing.assert_array_equal(got.weights[0, place], whole.weights[layer, head])
        if masks:
            np.testing.assert_array_equal(got.mask[place], whole.mask[layer])
    assert got.mask is None or got.mask.shape == (3, 5, 5)
    assert "heads 2.1,0.3,1.0 x 5 queries" in repr(got)


def test_select_among_pairs():
    pairs = of_random().select(heads="2.1,0.3,1.0,2.0")
    assert pairs.select(heads=["1.0", "-1.-1"]).pairs == ((1, 0), (2, 1))
    assert pairs.select(layers=-1).pairs == ((2, 1), (2, 0))
    assert pairs.select(heads=[0, 3]).pairs == ((0, 3), (1, 0), (2, 0))
    one = pairs.select(layers=2, heads=0)
    assert one.pairs == ((2, 0),)
    np.testing.assert_array_equal(one.weights[0, 0], of_random().weights[2, 0])
    np.testing.assert_array_equal(one.mask[0], of_random().mask[2])
    for more, says in (
        ({"heads": "1.3"}, "head 3 of layer 1 is not there; head 0 is the only one"),
        ({"layers": 1, "heads": 3}, "none of 2.1,0.3,1.0,2.0 has this layer and this head"),
        ({"layers": 7}, "layer 7 is not there"),
    ):
        with pytest.raises(SelectionError, match=says):
            pairs.select(**more)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"heads": ["0.1"], "layers": 1}, "heads 0.1 name their layers: leave out layers"),
        ({"heads": [0.1]}, "heads are whole numbers, or text with their layers"),
        ({"heads": 3.1}, "heads are whole numbers, or text with their layers"),
        ({"heads": ["0.1", 2]}, "2 names no layer"),
    ],
)
def test_what_python_cannot_ask_for(asked, says):
    for ask in (of_random().select, lambda **how: attnviz.load("seeded").attend(TEXT, **how)):
        with pytest.raises(SelectionError, match=says):
            ask(**asked)


def test_an_averaged_axis_cannot_be_taken_apart():
    whole = of_random()
    for mean, says in (("heads", "heads were averaged: 0.1"), ("layers", "layers were averaged: 0.1")):
        with pytest.raises(SelectionError, match=says):
            whole.mean(mean).select(heads=["0.1"])
    pairs = whole.select(heads="2.1,0.3")
    for asked in ({"heads": "2.1"}, {"layers": 2}):
        with pytest.raises(SelectionError, match="averaged"):
            pairs.mean("heads").select(**asked)


def test_the_mean_of_pairs():
    whole = of_random()
    pairs = whole.select(heads="2.1,0.3")
    mean = pairs.mean("heads")
    np.testing.assert_allclose(mean.weights[0, 0], (whole.weights[2, 1] + whole.weights[0, 3]) / 2, atol=1e-7)
    np.testing.assert_array_equal(mean.mask[0], whole.mask[2] | whole.mask[0])
    assert mean.places == ((None, None),)
    with pytest.raises(SelectionError, match="make up no whole layers"):
        pairs.mean("layers")


def test_words_and_special_tokens_of_pairs():
    whole = attnviz.load("tiny").attend(TEXT)
    for change in (lambda a: a.words(), lambda a: a.without_special(), lambda a: a.without_special(renormalise=True)):
        got, want = change(whole.select(heads=["4.2", "0.7"])), change(whole)
        np.testing.assert_array_equal(got.weights[0], want.weights[[4, 0], [2, 7]])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"layers": (0, 1)}, "do not belong to 2.1,0.3"),
        ({"pairs": ((2, 1), (0, 3), (0, 0))}, "weights must be"),
        ({"mask": np.ones((1, 5, 5), bool)}, "mask must be"),
    ],
)
def test_pairs_that_do_not_fit(change, says):
    pairs = of_random().select(heads="2.1,0.3")
    fields = {name: getattr(pairs, name) for name in pairs.__dataclass_fields__}
    with pytest.raises(InputError, match=says):
        Attention(**{**fields, **change})


# Of models


@pytest.mark.parametrize("case", ["gemma2", "gpt_neo", "modernbert"])
def test_pairs_of_models_whose_layers_have_masks_of_their_own(case):
    expected = np.load(REFERENCE / case / "expected.npz")
    model, ids = attnviz.load(REFERENCE / case), expected["input_ids"].tolist()
    n_layers, n_heads = model.size()
    pairs = [(n_layers - 1, 1), (0, n_heads - 1), (1, 0), (0, 0)]
    got = model.attend(ids=ids, heads=pairs)
    assert got.pairs == tuple(pairs)
    np.testing.assert_allclose(got.weights[0], expected["self"][tuple(zip(*pairs, strict=True))], atol=1e-5)
    assert len({mask.tobytes() for mask in got.mask}) > 1
    whole = model.attend(ids=ids)
    np.testing.assert_array_equal(whole.select(heads=pairs).weights, got.weights)
    np.testing.assert_array_equal(whole.select(heads=pairs).mask, got.mask)
    for place, (layer, head) in enumerate(pairs):
        one = model.attend(ids=ids, layers=layer, heads=head)
        np.testing.assert_array_equal(got.weights[0, place], one.weights[0, 0])
        np.testing.assert_array_equal(got.mask[place], one.mask[0])


def test_pairs_where_each_head_has_its_own_mask():
    model = attnviz.load("seeded", mechanism="lsh:2")
    got = model.attend(TEXT, heads=["1.3", "0.2"])
    for place, (layer, head) in enumerate(got.pairs):
        one = model.attend(TEXT, layers=layer, heads=head)
        np.testing.assert_array_equal(got.weights[0, place], one.weights[0, 0])
        np.testing.assert_array_equal(got.mask[place], one.mask[0])


def test_pairs_where_the_reference_gives_the_mean_over_heads():
    expected = np.load(REFERENCE / "wavlm" / "expected.npz")
    model, given = attnviz.load(REFERENCE / "wavlm"), {"input_values": expected["input_values"]}
    for own, want in ((False, expected["self"]), (True, expected["own"])):
        got = model.attend(**given, heads=["1.2", "0.0"], own_heads=own).weights
        np.testing.assert_allclose(got[0], want[[1, 0], [2, 0]], rtol=0, atol=1e-5)


@pytest.mark.parametrize("pool", ["max", "mean"])
def test_pooled_pairs(pool):
    model = attnviz.load("tiny")
    got = model.attend(TEXT, heads="5.1,2.6", cells=3, pool=pool)
    want = model.attend(TEXT, cells=3, pool=pool).weights
    np.testing.assert_array_equal(got.weights[0], want[[5, 2], [1, 6]])


def test_layers_that_do_not_occur_are_not_computed(monkeypatch):
    """The last layer that occurs is the last that is read."""
    model = attnviz.load("tiny")
    read = []
    get = model.tensors.get
    monkeypatch.setattr(model.tensors, "get", lambda name, *more: read.append(name) or get(name, *more))
    model.attend(TEXT, heads=["2.1", "0.3"])
    assert any(name.startswith("layers.2.") for name in read)
    assert not any(name.startswith("layers.3.") for name in read)


# In files


def test_saved_and_opened(tmp_path):
    for whole in (of_random(), of_random(masks=False), of_random().select(heads="0.0,1.1").mean("heads")):
        pairs = whole.select(heads="2.1,0.3") if not whole.pairs else whole
        pairs.save(tmp_path / "pairs.npz")
        got = attnviz.open(tmp_path / "pairs.npz")
        assert (got.pairs, got.layers, got.heads) == (pairs.pairs, pairs.layers, pairs.heads)
        np.testing.assert_array_equal(got.weights, pairs.weights)
        assert (got.mask is None) == (pairs.mask is None)
        assert got.mask is None or np.array_equal(got.mask, pairs.mask)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (np.array([[2, 1], [0, 3], [0, 3]]), "weights must be"),
        (np.array([[2, 1], [1, 3]]), "do not belong to 2.1,1.3"),
        (np.array([2, 1]), "pairs cannot be"),
        (np.array([[2, 1, 0]]), "pairs cannot be"),
        (np.array([[2, -1], [0, 3]]), "pairs must be from 0"),
        (np.array([[2.0, 1], [0, 3]]), "pairs cannot be"),
        (np.array([[2, 1], [2, 1]]), "do not belong to 2.1,2.1"),
        (np.zeros((0, 2), int), "mask must be"),
    ],
)
def test_files_with_pairs_that_do_not_fit(tmp_path, bad, says):
    of_random().select(heads="2.1,0.3").save(tmp_path / "good.npz")
    arrays = dict(np.load(tmp_path / "good.npz"))
    np.savez(tmp_path / "bad.npz", **{**arrays, "pairs": bad})
    with pytest.raises(InputError, match=says):
        attnviz.open(tmp_path / "bad.npz")


def test_exported_numbers_are_those_of_single_heads(run):
    assert run("export", TEXT, "-o", "all.csv")[0] == 0
    assert run("export", TEXT, "-H", "1.3,0.0", "-o", "pairs.csv")[0] == 0
    assert run("export", TEXT, "-H", "1.3,0.0", "-o", "pairs.npz")[0] == 0
    every, pairs = (
        list(csv.DictReader(Path(name).read_text("utf-8").splitlines())) for name in ("all.csv", "pairs.csv")
    )
    want = [row for at in (("1", "3"), ("0", "0")) for row in every if (row["layer"], row["head"]) == at]
    assert pairs == want
    assert run("export", "--from", "pairs.npz", "-o", "-", "--format", "csv")[1] == Path("pairs.csv").read_text("utf-8")
    got = json.loads(run("export", TEXT, "-H", "1.3,0.0", "-o", "-", "--format", "json")[1])
    assert got["pairs"] == [[1, 3], [0, 0]]
    assert np.shape(got["weights"])[:2] == (1, 2)
    assert len(got["mask"]) == 2


def test_command_line_and_python_agree(run):
    assert run("export", TEXT, "-H", "1.3,0.-1,1.0-1", "-o", "pairs.npz")[0] == 0
    got = attnviz.open("pairs.npz")
    want = attnviz.load("seeded").attend(TEXT).select(heads=["1.3", "0.3", "1.0", "1.1"])
    assert got.pairs == want.pairs
    np.testing.assert_array_equal(got.weights, want.weights)
    np.testing.assert_array_equal(got.mask, want.mask)


def test_from_a_file(run):
    assert run("export", TEXT, "-o", "all.npz")[0] == 0
    assert run("export", "--from", "all.npz", "-H", "1.3,0.0", "-o", "pairs.npz")[0] == 0
    assert attnviz.open("pairs.npz").pairs == ((1, 3), (0, 0))
    for words, want in ((("-l", "0"), ((0, 0),)), (("-H", "3"), ((1, 3),)), (("-H", "0.0,1.3"), ((0, 0), (1, 3)))):
        rows = json.loads(run("table", "--from", "pairs.npz", *words, "--json")[1])
        assert tuple(dict.fromkeys((row["layer"], row["head"]) for row in rows)) == want
    assert run("heatmap", "--from", "pairs.npz", "-o", "a.svg")[0] == 0
    status, _, err = run("table", "--from", "pairs.npz", "-H", "1.2")
    assert status == 1 and err.startswith("error: head 2 of layer 1 is not there; head 3 is the only one")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-H", "1.2", "-l", "1"), "--head 1.2 names the layers of its heads: leave out --layer 1"),
        (("-H", "1.2,0"), "--head: 1.2,0: 0 names no layer, other heads do"),
        (("-H", "1.x"), "--head: wanted heads with their layers"),
    ],
)
@pytest.mark.parametrize("name", ["heatmap", "table", "export", "stats"])
def test_wrong_usage(run, name, words, says):
    status, out, err = run(name, TEXT, *words)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {says}")


# Pictures


def test_panels_are_titled_by_layer_and_head():
    whole = of_random()
    drawn = heatmap(whole.select(heads="2.1,0.3"))
    assert [panel.title for panel in drawn.panels] == ["2.1", "0.3"]
    assert [(panel.layer, panel.head) for panel in drawn.panels] == [(2, 1), (0, 3)]
    assert "heads 2.1, 0.3 (layer.head)" in drawn.title
    for panel, layer, head in zip(drawn.panels, (2, 0), (1, 3), strict=True):
        np.testing.assert_array_equal(panel.values, whole.weights[layer, head])
        np.testing.assert_array_equal(panel.hidden, ~whole.mask[layer])
    assert "mean over heads 2.1, 0.3 (layer.head)" in heatmap(whole.select(heads="2.1,0.3").mean("heads")).title
    assert "5 heads of 2 layers" not in heatmap(whole.select(heads="2.0-3,0.3")).title
    assert "8 heads of 2 layers (layer.head)" in heatmap(whole.select(heads="2.0-3,0.0-3")).title


def test_one_query_of_pairs():
    whole = of_random()
    (panel,) = heatmap(whole.select(heads="2.1,0.3,1.0"), query=2).panels
    assert panel.row_labels == ("2.1", "0.3", "1.0")
    np.testing.assert_array_equal(panel.values, whole.weights[[2, 0, 1], [1, 3, 0], 2])
    np.testing.assert_array_equal(panel.hidden, ~whole.mask[[2, 0, 1], 2])


def test_one_query_of_layers_of_which_some_hide_nothing():
    """Each row has its own layer's mask, also where another layer's is without effect."""
    whole = of_random()
    whole.mask[1] = True
    (panel,) = heatmap(whole.select(heads=2), query=3).panels
    np.testing.assert_array_equal(panel.hidden, ~whole.mask[:, 3])


def test_the_terminal_names_layer_and_head(run):
    drawn = table(of_random().select(heads="2.1,0.3"))
    assert [panel.title for panel in drawn.panels] == ["layer 2  head 1", "layer 0  head 3"]
    out = run("table", TEXT, "-H", "1.3,0.0")[1]
    assert [line for line in out.splitlines() if line.startswith("layer")] == ["layer 1  head 3", "layer 0  head 0"]
    assert "heads 1.3, 0.0" in run("table", TEXT, "-H", "1.3,0.0", "--mean", "heads")[1].replace(",0", ", 0")
