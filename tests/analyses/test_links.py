"""Links and one token's view: known answers, whole maps as the slow way, and what the commands print and draw."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.analysis_cases import made, random_map
from helpers.sentences import TIRED as TEXT
from hypothesis import given
from hypothesis import strategies as st

import attnviz
from attnviz.errors import SelectionError
from attnviz.measures.lift import lift, lifts, strongest
from attnviz.measures.pairs_of_tokens import over_heads, spread, strongest_pairs, view
from attnviz.models.source import AttentionSource
from attnviz.page.below import LIFT, WEIGHT
from attnviz.page.figure_options import FigureOptions
from attnviz.page.parts import Bars, Board, Boards, Entry, Page
from attnviz.page.place import place


def links(attention, count=20, *, within=False, by="lift", **how):
    """The strongest pairs of each head, or over all heads."""
    pairs = strongest_pairs(AttentionSource.of(attention), count, by=by, **how)
    return pairs if within else over_heads(pairs, count, by)


def focus(attention, query):
    return view(AttentionSource.of(attention), query)


def figure(board, entries, heading, **options):
    """A board of two layers and heads, and below it the entries."""
    parts = (Boards((board,), ["0", "1"], ["0", "1"]), Bars(heading, tuple(entries)))
    return place(Page("", parts=parts), FigureOptions(**options))


def everyone_and_one():
    """A head that sends every token to t1, and one in which t3 alone looks at t2."""
    everyone, one = np.zeros((4, 4)), np.full((4, 4), 0.25)
    everyone[:, 1] = 1.0
    one[3] = [0.1, 0.1, 0.7, 0.1]
    return made([everyone, one])


def at(pair):
    return (pair.layer, pair.head, pair.query, pair.key)


def test_a_head_that_sends_everything_to_one_token_comes_last():
    best, *others = links(everyone_and_one())
    assert at(best) == (0, 1, 3, 2) and (best.weight, best.lift) == pytest.approx((0.7, 0.45))
    assert len(others) == 15 and max(pair.lift for pair in others) == pytest.approx(0.05)
    best = links(everyone_and_one(), 1, by="weight")[0]
    assert at(best) == (0, 0, 0, 1) and (best.weight, best.lift) == (1.0, 0.0)


def test_a_pair_stands_once_unless_heads_are_asked_for():
    found = links(everyone_and_one(), query=3)
    assert [pair.key for pair in found] == [2, 0, 1, 3] and {pair.query for pair in found} == {3}
    both = links(everyone_and_one(), query=3, key=2)
    assert [(pair.head, pytest.approx(pair.lift)) for pair in both] == [(1, 0.45), (0, 0.0)]
    each = links(everyone_and_one(), 2, within=True, by="weight")
    assert [at(pair) for pair in each] == [(0, 0, 0, 1), (0, 0, 1, 1), (0, 1, 3, 2), (0, 1, 0, 0)]


def test_tokens_without_a_choice_and_special_ones():
    causal = [[1.0, 0, 0], [0.1, 0.9, 0], [0.3, 0.3, 0.4]]
    best = links(made([causal], causal=True), 1, by="weight")[0]
    assert (best.query, best.key) == (1, 1)  # not 0 -> 0, which cannot be otherwise
    assert (links(made([causal], causal=True), 1, query=0)[0].key) == 0
    best = links(made([causal], causal=True, special=[1]), 1, by="weight", special=False)[0]
    assert (best.query, best.key) == (2, 2)
    alone = links(made([[[1.0]]], causal=True))
    assert [(at(pair), pair.weight, pair.lift) for pair in alone] == [((0, 0, 0, 0), 1.0, 0.0)]
    with pytest.raises(SelectionError, match="one of"):
        links(made([causal]), by="spam")


@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.booleans(), st.sampled_from(["lift", "weight"]))
def test_is_the_sorted_list_of_all_pairs(seed, n, causal, by):
    random = np.random.default_rng(seed)
    one = made([random_map(random, n, causal) for _ in range(3)], causal=causal)
    lifted = lift(one.weights, one.mask[:, None])[0]
    ranked = lifted if by == "lift" else one.weights[0]
    pairs = {}
    for h in range(3):
        for i in range(int(causal), n):
            for j in range(i + 1 if causal else n):
                pairs[i, j] = max(pairs.get((i, j), -9), float(ranked[h, i, j]))
    found = links(one, 6, by=by)
    assert [getattr(pair, by) for pair in found] == pytest.approx(sorted(pairs.values(), reverse=True)[:6], abs=1e-6)
    for pair in found:
        assert (pair.weight, pair.lift) == pytest.approx(
            (one.weights[0, pair.head, pair.query, pair.key], lifted[pair.head, pair.query, pair.key]), abs=1e-6
        )


@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9))
def test_a_list_of_several_heads_is_the_sorted_one_without_what_is_too_much(seed, n, each, count, looked):
    """Where it is sure of itself, however few pairs of each head it was given; and it is sure of all of them."""
    random = np.random.default_rng(seed)
    one = made([random_map(random, n, False) for _ in range(4)])
    wanted, left = [], {}
    for pair in over_heads(links(one, n * n, within=True)):
        at_head = [other for other in wanted if other.head == pair.head]
        if len(wanted) == count:
            break
        if len(at_head) < each:
            wanted.append(pair)
        else:
            left[0, pair.head] = left.get((0, pair.head), 0) + 1
    found = spread(links(one, looked, within=True), count, each, looked)
    if found.sure:
        assert [at(pair) for pair in found.pairs] == [at(pair) for pair in wanted]
        assert found.left == left
    assert spread(links(one, n * n + 1, within=True), count, each, n * n + 1).sure


def test_a_head_that_looks_at_every_neighbour_does_not_fill_the_list(run, tmp_path):
    """The second head is stronger at one pair only, which is found although its 699 other pairs are not."""
    n = 700
    before = np.eye(n, k=-1) + 1e-5
    before[0, 0] = 1
    second = 0.9 * before + 0.1 / n
    second[250, 7] = 0.8
    third = np.full((n, n), 1 / n)
    third[40, 20] = 0.5
    one = made([before / before.sum(-1, keepdims=True), second / second.sum(-1, keepdims=True), third])
    one.save(tmp_path / "one.npz")
    words = ("links", "--from", tmp_path / "one.npz", "--top", "5")
    rows = json.loads(run(*words, "--json")[1])
    assert [(row["head"], row["query"], row["key"]) for row in rows][3:] == [(2, 40, 20), (1, 250, 7)]
    assert {row["head"] for row in rows[:3]} == {0}
    assert "at most 3 pairs of a head: 697 more of 0.0 are as strong; --each all lists them" in run(*words)[2]
    every = json.loads(run(*words, "--each", "all", "--json")[1])
    assert {row["head"] for row in every} == {0}
    alone = json.loads(run(*words[:3], "-H", "0", "--json")[1])
    assert len(alone) == 20  # of one head there is nothing else to show


def test_each_is_a_number_or_all(run):
    status, _, said = run("links", TEXT, "--each", "0")
    assert status == 2 and "wants a whole number" in said
    status, _, said = run("links", TEXT, "--within", "--each", "2")
    assert status == 2 and "exclude each other" in said


@pytest.mark.parametrize("causal", [False, True])
def test_of_a_model_they_are_told_from_tiles(causal):
    model = attnviz.load("seeded", causal=causal)
    text = " ".join(f"w{i % 37}" for i in range(700))  # several tiles
    through = AttentionSource.of(model, model.prepare(text), layers=[1])
    held = model.attend(text, layers=[1])
    for by in ("lift", "weight"):
        found, wanted = links(through, 9, by=by), links(held, 9, by=by)
        assert [at(pair) for pair in found] == [at(pair) for pair in wanted]
        assert [pair.lift for pair in found] == pytest.approx([pair.lift for pair in wanted], abs=1e-6)
    seen = focus(through, 300)
    assert seen.weights == pytest.approx(held.weights[:, :, 300], abs=1e-7)
    assert seen.lifts == pytest.approx(lifts(held)[:, :, 300], abs=1e-6)


def test_of_a_published_model(minilm):
    found = attnviz.load(minilm).attend(TEXT)
    it, animal = found.query_tokens.index("it"), found.key_tokens.index("animal")
    first, second, *_ = links(found, query=it, key=animal)
    assert (at(first), at(second)) == ((3, 1, it, animal), (5, 11, it, animal))
    assert (first.weight, first.lift, second.weight, second.lift) == pytest.approx((0.64, 0.55, 0.65, 0.25), abs=0.005)
    assert at(links(found, query=it, key=animal, by="weight")[0]) == (5, 11, it, animal)
    best = links(found, 1, special=False)[0]
    assert best == pytest.approx(strongest(found))


def test_one_tokens_view():
    seen = focus(everyone_and_one(), 3)
    assert seen.best().tolist() == [[0, 2]] and seen.best("weight").tolist() == [[1, 2]]
    assert seen.ranked()[0] == (2, 0, 1) and seen.ranked("weight")[:2] == [(1, 0, 0), (2, 0, 1)]
    causal = focus(made([np.tri(3) / [[1], [2], [3]]], causal=True), 1)
    assert causal.seen.tolist() == [[[True, True, False]]]
    assert [key for key, _, _ in causal.ranked()] == [1, 0]
    assert causal.lifts[0, 0] == pytest.approx([0.5 - (1 + 1 / 3) / 2, 0.5 - 1 / 3, 0])


def test_links_as_json(run):
    status, out, err = run("links", TEXT, "-m", "minilm", "--from-token", "it", "--to-token", "animal", "--json")
    rows = json.loads(out)
    assert (status, err, len(rows)) == (0, "", 72)
    assert list(rows[0]) == ["layer", "head", "query", "query_token", "key", "key_token", "weight", "lift"]
    assert [(row["layer"], row["head"]) for row in rows[:2]] == [(3, 1), (5, 11)]
    assert (rows[0]["query"], rows[0]["key_token"]) == (10, "animal")
    assert (rows[0]["weight"], rows[0]["lift"]) == pytest.approx((0.6397, 0.5504), abs=1e-4)


def test_links_as_columns(run):
    status, out, _ = run("links", TEXT, "-m", "minilm", "--from-token", "it", "--top", "3", "-l", "1-3")
    assert status == 0
    assert out.splitlines() == [
        "layer  head  query  at  key     at  weight  lift",
        "    1     8  it     10  was     11    0.75  0.75",
        "    2     1  it     10  tired   13    0.69  0.58",
        "    3     1  it     10  animal   2    0.64  0.55",
    ]
    lines = run("links", TEXT, "--within", "--top", "2")[1].splitlines()[1:]
    assert [line.split()[:2] for line in lines] == [[str(i), str(j)] for i in range(2) for j in range(4) for _ in "ab"]
    assert "[CLS]" not in run("links", TEXT, "-m", "minilm", "--top", "50")[1]
    assert "[CLS]" in run("links", TEXT, "-m", "minilm", "--top", "50", "--special")[1]


def test_focus_says_whose_view_it_is(run):
    status, out, err = run("focus", TEXT)
    assert status == 0 and err.startswith("token 'tired' (index 10): its link is the strongest")
    words, board = out.split("\n\n")
    assert [line.split() for line in words.splitlines()[:2]] == [
        ["word", "at", "layer.head", "weight", "lift", "mean"],
        ["animal", "1", "0.0", "0.87", "0.84", "0.23"],
    ]
    assert board.splitlines()[:2] == ["layer  head  word     value", "    0     0  animal    0.84"]
    assert len(words.splitlines()) == 12 and len(board.splitlines()) == 9
    rows = json.loads(run("focus", TEXT, "-m", "minilm", "--token", "it", "--top", "2", "--json")[1])
    assert len(rows) == 144 and {row["query"] for row in rows} == {10}
    assert next(row["key_token"] for row in rows if (row["layer"], row["head"]) == (3, 1)) == "animal"


def test_files_of_each_kind(run, tmp_path):
    for command in ("links", "focus"):
        for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.json", b"[{"), ("a.csv", b"layer,head,qu")):
            status, out, err = run(command, TEXT, "-o", name, "-q")
            assert (status, out, err) == (0, f"{name}\n", "")
            assert (tmp_path / name).read_bytes().startswith(start)
    run("focus", TEXT, "-m", "minilm", "--token", "it", "-o", "a.svg")
    drawn = (tmp_path / "a.svg").read_text()
    assert "what “it” looks at" in drawn and "words by their strongest lift" in drawn and ">animal<" in drawn


def test_bars_of_weight_and_lift():
    entries = [Entry("a → b", "0.1", 0.8, 0.4), Entry("a → c", "0.0", 0.2, -0.1)]
    found = figure(Board(np.eye(2), "lift"), entries, "strongest")
    bars = [(fill.rgb, fill.box.width) for fill in found.fills]
    assert [rgb for rgb, _ in bars] == [WEIGHT, LIFT, WEIGHT]
    assert bars[1][1] == pytest.approx(bars[0][1] / 2) and bars[2][1] == pytest.approx(bars[0][1] / 4)
    assert all(fill.box.x + fill.box.width <= found.width for fill in found.fills)
    words = [label.text for label in found.labels]
    assert "a → b" in words and "−0.10" in words and "bars: weight pale, lift dark" in words
    bare = figure(Board(np.eye(2), "lift"), entries, "strongest", bare=True)
    assert len(bare.fills) == 3 and not {"title", "note"} & {label.role for label in bare.labels}


def test_errors(run):
    for words, status, said in (
        (("links", "a b", "--from-token", "c"), 1, "'c' is not among the queries"),
        (("focus", "a b a", "--token", "a"), 1, "'a' stands 2 times among the queries"),
        (("links", "a b", "--by", "entropy"), 2, "--by"),
        (("focus", "a b", "--by", "text"), 2, "--by"),
    ):
        found = run(*words)
        assert found[0] == status and found[1] == "" and said in found[2], found


def test_a_lift_of_nearly_nothing_has_no_minus(run):
    """Two heads of tiny link these words by less than half a hundredth below 0."""
    words = ("links", "The animal was too tired; it slept", "--from-token", "it", "--to-token", "animal", "--top", "99")
    assert any(-0.005 < row["lift"] < 0 for row in json.loads(run(*words, "--json", "-m", "tiny")[1]))
    assert "-0.00" not in run(*words, "-m", "tiny")[1].split()
