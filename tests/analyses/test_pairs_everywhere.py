"""Heads of different layers in every command that takes --head: the numbers of single heads, or a plain refusal."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers.drawn_lines import page

import attnviz
from attnviz.cli.app import COMMANDS, build
from attnviz.page.figure_options import FigureOptions
from attnviz.page.place import place

TEXT = "the cat saw the dog and the cat"
# Arguments of a command besides -H. Its rows have a layer and a head, and a head's rows do not depend on other heads.
BY_HEAD = {
    "table": (TEXT,),
    "stats": (TEXT,),
    "roles": (TEXT,),
    "roles --random": ("--random",),
    "links": (TEXT, "--within"),
    "focus": (TEXT, "--token", "dog"),
    "lines": (TEXT,),
    "diff": (TEXT, "the dog saw the dog and the cat"),
    "norms": (TEXT,),
    "circuits": ("seeded", "--by", "spectrum"),
    "generate": (TEXT, "--max-new", "3"),
    "ablate": (TEXT,),
}
SINGLE = {"steps": (TEXT,), "qk": (TEXT, "--pair-of", "3:4"), "mechanisms": (TEXT, "--mechanism", "additive")}
REFUSE = ("rollout", "flow")
ELSEWHERE = ("heatmap", "html", "export", "similar", "series")  # tested below and in tests of their own
PAIRS = ((1, 3), (0, 0), (1, 1))
NAMED = "1.3,0.0,1.1"


def rows(run, *words):
    status, out, err = run(*words, "--json", "-q")
    assert status == 0, err
    return json.loads(out)


def test_every_command_with_heads_is_here():
    asking = {name for name in COMMANDS if any("--head" in option.opts for option in build(name).params)}
    assert asking == {name.partition(" ")[0] for name in BY_HEAD} | {*SINGLE, *REFUSE, *ELSEWHERE}


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("name", BY_HEAD)
def test_the_numbers_are_those_of_single_heads(run, name, words):
    if words and name in ("circuits", "generate", "ablate"):
        return  # which have no text of their own to join
    given = (name.partition(" ")[0], *BY_HEAD[name], *(("--words", "--no-special") if words else ()))
    if name == "roles --random" and words:
        given = (name.partition(" ")[0], *BY_HEAD[name])
    got = rows(run, *given, "-H", NAMED)
    assert {(row["layer"], row["head"]) for row in got} == set(PAIRS)
    for layer, head in PAIRS:
        one = rows(run, *given, "-l", layer, "-H", head)
        own = [row for row in got if (row["layer"], row["head"]) == (layer, head)]
        assert len(own) == len(one) > 0
        for mine, alone in zip(own, one, strict=True):
            assert mine.keys() == alone.keys()
            for key, value in alone.items():
                assert mine[key] == (pytest.approx(value, abs=1e-6) if isinstance(value, float) else value), key


@pytest.mark.parametrize("name", ["table", "stats", "roles", "links", "focus", "norms", "lines"])
def test_the_order_is_the_one_asked_for(run, name):
    got = rows(run, name, *BY_HEAD[name], "-H", NAMED)
    found = list(dict.fromkeys((row["layer"], row["head"]) for row in got))
    assert found == list(PAIRS) or name == "lines"


@pytest.mark.parametrize("name", ["stats", "roles", "links", "focus", "lines", "diff"])
def test_from_a_file_of_pairs(run, name):
    """Attention exported as pairs is analysed as pairs, with the result of pairs chosen from a file of all heads."""
    assert run("export", TEXT, "-H", NAMED, "-o", "pairs.npz")[0] == 0
    assert run("export", TEXT, "-o", "all.npz")[0] == 0
    more = BY_HEAD[name][1:]
    if name == "diff":
        assert run("export", more[0], "-o", "other.npz")[0] == 0
        more = ("--from-b", "other.npz")
    want = rows(run, name, *BY_HEAD[name], "-H", NAMED)
    got = rows(run, name, "--from", "all.npz", *more, "-H", NAMED)
    if name == "lines":  # without -H it is one head that is chosen
        again = rows(run, name, "--from", "pairs.npz", *more, "-H", NAMED)
    else:
        again = got if name == "diff" else rows(run, name, "--from", "pairs.npz", *more)
    assert len(want) == len(got) == len(again)
    for one, two, three in zip(want, got, again, strict=True):
        for key, value in one.items():
            value = pytest.approx(value, abs=1e-6) if isinstance(value, float) else value
            assert two[key] == value
            assert three[key] == value


@pytest.mark.parametrize("name", SINGLE)
def test_one_head_by_its_layer_and_itself(run, name):
    assert rows(run, name, *SINGLE[name], "-H", "1.3") == rows(run, name, *SINGLE[name], "-l", "1", "-H", "3")
    assert rows(run, name, *SINGLE[name], "-H", "-2.-1") == rows(run, name, *SINGLE[name], "-l", "0", "-H", "3")
    for words, says in (
        (("-H", "1.3,0.0"), "error: --head wants one index, as in --head 0, or one layer.head, as in --head 1.3: "),
        (("-H", "1.3", "-l", "1"), "error: --head 1.3 names the layer of its head: leave out --layer 1"),
    ):
        status, out, err = run(name, *SINGLE[name], *words)
        assert (status, out) == (2, "")
        assert err.startswith(says)


@pytest.mark.parametrize("name", REFUSE)
def test_what_follows_all_layers_refuses(run, name):
    status, out, err = run(name, TEXT, "-H", NAMED)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {name} follows the mean over heads through every layer: --head {NAMED}")
    assert run("export", TEXT, "-H", NAMED, "-o", "pairs.npz")[0] == 0
    status, out, err = run(name, "--from", "pairs.npz")
    assert (status, out) == (1, "")
    assert err.startswith(f"error: heads {NAMED} were chosen one by one")


@pytest.mark.parametrize("name", [*BY_HEAD, *(name for name in ELSEWHERE if name != "series")])
def test_what_is_not_there_is_said_in_one_line(run, name):
    words = (name.partition(" ")[0], *BY_HEAD.get(name, (TEXT,)))
    for asked, says in (("2.0", "layer 2 is not there; layers 0-1 are"), ("1.4", "head 4 of layer 1 is not there")):
        status, out, err = run(*words, "-H", asked, *(("-o", "x.npz") if name == "export" else ()))
        assert (status, out) == (1, "")
        assert any(line.startswith(f"error: {says}") for line in err.splitlines())


def test_similar_heads(run):
    assert run("similar", TEXT, "-o", "all.npz")[0] == 0
    assert run("similar", TEXT, "-H", NAMED, "-o", "pairs.npz")[0] == 0
    every, got = np.load("all.npz"), np.load("pairs.npz")
    at = [every["names"].tolist().index(list(pair)) for pair in PAIRS]
    assert got["names"].tolist() == [list(pair) for pair in PAIRS]
    np.testing.assert_allclose(got["distances"], every["distances"][np.ix_(at, at)], atol=1e-7)


def test_composition_between_pairs(run):
    every = {
        (row["reads"], row["layer"], row["head"], row["from_layer"], row["from_head"]): row["composition"]
        for row in rows(run, "circuits", "seeded", "--by", "pair")
    }
    got = rows(run, "circuits", "seeded", "--by", "pair", "-H", NAMED)
    assert len(got) == 3 * 2  # q, k and v of two heads of layer 1, from one of layer 0
    for row in got:
        place = row["reads"], row["layer"], row["head"], row["from_layer"], row["from_head"]
        assert row["composition"] == pytest.approx(every[place], abs=1e-6)


def test_diff_of_layers_is_not_of_pairs(run):
    status, _, err = run("diff", TEXT, "-H", NAMED, "--layer-b", "1")
    assert status == 2
    assert err.startswith(f"error: --head {NAMED} names the layers of its heads: leave out --layer-b")


def test_check_names_a_broken_pair():
    pairs = attnviz.load("seeded").attend(TEXT).select(heads=PAIRS)
    pairs.weights[0, 1, 2, 3] = np.nan
    findings = attnviz.check(pairs).findings
    assert findings[0].text.endswith("the first in layer 0, head 0")
    assert attnviz.check(attnviz.load("seeded").attend(TEXT, heads=PAIRS)).word == "healthy"


def test_python_refuses_pairs_where_they_mean_nothing():
    with pytest.raises(attnviz.AttnvizError, match=r"rollout follows the mean over heads .*: heads 1\.3 leaves"):
        attnviz.rollout(attnviz.load("seeded"), TEXT, heads=["1.3"])


# Pictures


def test_boards_are_one_row_of_pairs():
    model = attnviz.load("seeded")
    found = attnviz.circuits(model, heads=PAIRS).circuits
    views = {
        by: place(attnviz.circuits(model, heads=PAIRS, by=by).page(), FigureOptions())
        for by in ("head", "pair", "spectrum")
    }
    board = views["head"].panels[0]
    assert (board.row_labels, board.col_labels) == (("",), ("1.3", "0.0", "1.1"))
    np.testing.assert_allclose(board.values[0], found.copying[0], atol=1e-6)
    assert views["pair"].panels[0].row_labels == ("1.3", "0.0", "1.1")
    assert {label.text for label in views["spectrum"].labels} >= {"head 1.3", "head 0.0"}
    new = attnviz.generate(attnviz.load("seeded", causal=True), TEXT, max_new=2, heads=PAIRS, by="head")
    board = place(new.page(), FigureOptions()).panels[0]
    assert board.col_labels == ("1.3", "0.0", "1.1")
    np.testing.assert_allclose(board.values[0], new.retrieval[[1, 0, 1], [3, 0, 1]], atol=1e-6)


def test_lines_and_texts_of_pairs():
    pairs = attnviz.load("seeded").attend(TEXT, heads=PAIRS)
    assert [panel.title for panel in page(pairs).parts[0].panels][:2] == ["head 1.3", "head 0.0"]
    (one,) = page(pairs, overlay=True).parts[0].panels
    assert one.strands == ("1.3", "0.0", "1.1")
    assert max(link.value for link in one.links if link.strand == 1) == pytest.approx(pairs.weights[0, 1].max())
    panels = page(pairs, 3, shape="text").parts[0].paragraphs
    assert [panel.at for panel in panels] == [("1", "3"), ("0", "0"), ("1", "1")]
    np.testing.assert_allclose(panels[2].values, pairs.weights[0, 2, 3], atol=1e-7)
    assert page(pairs.mean("heads")).parts[0].panels[0].title == "mean over 3 heads"


def test_maps_of_norms_and_a_page_of_kin():

    model = attnviz.load("seeded")
    drawn = place(attnviz.norms(model, TEXT, heads=PAIRS).page(), FigureOptions())
    named = [panel.title for panel in drawn.panels if panel.title.endswith("  weights")]
    assert named == ["head 1.3  weights", "head 0.0  weights", "head 1.1  weights"]
    assert "heads 1.3, 0.0, 1.1 (layer.head)" in attnviz.similar(model, TEXT, heads=PAIRS).page().title


@pytest.mark.parametrize(
    "words",
    [
        ("heatmap",),
        ("heatmap", "--query", "dog"),
        ("heatmap", "--mean", "heads"),
        ("stats",),
        ("roles",),
        ("links",),
        ("focus", "--token", "dog"),
        ("lines", "--overlay"),
        ("norms",),
        ("similar",),
        ("generate", "--max-new", "2"),
        ("generate", "--max-new", "2", "--by", "head"),
        ("ablate",),
    ],
)
def test_pictures_are_drawn_and_say_which(run, words):
    name, *more = words
    status, _, err = run(name, TEXT, *more, "-H", NAMED, "-o", "x.svg", "-q")
    assert status == 0, err
    drawn = Path("x.svg").read_text("utf-8")
    assert "heads 1.3, 0.0, 1.1" in drawn or "1.3" in drawn
    assert "layer.head" in drawn
