"""Numbers in sentences of README.md and docs agree with a run of today."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.sentences import TIRED, WIDE

import attnviz


def page(name):
    """The text of a page on one line, without bold and code marks."""
    return " ".join(re.sub(r"\*\*|`", "", (ROOT / name).read_text(encoding="utf-8")).split())


@cache
def attention(text):
    return attnviz.load("minilm").attend(text)


def weight(text, layer, head, query, key):
    maps = attention(text)
    tokens = maps.query_tokens
    return float(maps.weights[layer, head, tokens.index(query), tokens.index(key)])


def test_the_first_picture_of_the_readme():
    text = page("README.md")
    assert f'"it" gives {weight(TIRED, 3, 1, "it", "animal"):.2f} of its attention to "animal"' in text
    assert f"in the first and {weight(WIDE, 3, 1, 'it', 'animal'):.2f} in the second" in text
    assert f'"cross" gives {weight(TIRED, 3, 1, "cross", "street"):.2f} to "street"' in text


def test_the_head_that_sends_every_token_to_the_animal():
    maps = attention(TIRED)
    tokens = maps.query_tokens
    column = maps.weights[5, 11, :, tokens.index("animal")]
    others = [float(column[i]) for i, token in enumerate(tokens) if token not in ("it", "animal")]
    some, many = sum(value > 0.2 for value in others), sum(value > 0.4 for value in others)
    count = {6: "six"}[many]
    text = page("README.md")
    share = weight(TIRED, 5, 11, "it", "animal")
    assert f'"it" gives "animal" {share:.2f}, but {some} of the {len(others)} other' in text
    assert f"{count} of them more than 0.4" in text
    refers = page("docs/analysis/refers.md")
    quoted = [weight(TIRED, 5, 11, query, "animal") for query in ("was", "'")]
    assert f'"animal" {quoted[0]:.2f} from "was"' in refers and f"{quoted[1]:.2f} from the apostrophe" in refers


def rows_of_refers():
    text = (ROOT / "docs" / "analysis" / "refers.md").read_text(encoding="utf-8")
    return re.findall(r"^\| (The .+?) \| (\w+) ([\d.]+), lift ([\d.]+) \| (\w+) ([\d.]+) \|$", text, re.M)


@pytest.mark.parametrize("row", rows_of_refers(), ids=lambda row: row[0])
def test_who_it_refers_to(row):
    sentence, first, first_weight, lift, second, second_weight = row
    maps = attention(sentence.replace("**", ""))
    tokens, weights = maps.query_tokens, maps.weights[3, 1]
    it = tokens.index("it")
    places = [i for i, special in enumerate(maps.query_special) if not special and i != it]
    places.sort(key=lambda i: -weights[it, i])
    column = np.delete(weights[:, places[0]], it)
    assert (tokens[places[0]], f"{weights[it, places[0]]:.2f}") == (first, first_weight)
    assert f"{weights[it, places[0]] - column.mean():.2f}" == lift
    assert (tokens[places[1]], f"{weights[it, places[1]]:.2f}") == (second, second_weight)


def test_all_rows_are_found():
    assert len(rows_of_refers()) == 6


def test_a_head_that_rests():
    said = page("docs/analysis/idle.md")
    names = "animal_wide apple_uk bank_money bank_river cat_mat cat_windowsill je_taime movie_not_bad".split()
    shares = []
    for name in names:
        text = (ROOT / "sample_inputs" / f"{name}.txt").read_text(encoding="utf-8").rstrip("\n")
        shares.append(float(attnviz.stats(attention(text)).values["special"][2, 9]))
    assert len(names) == 8
    assert f"In the eight other sentences of sample_inputs in English or French it is between {min(shares):.2f}" in said
    assert f"and {max(shares):.2f}. Is it idle?" in said
    assert f"Head 2.9 gives {attnviz.stats(attention(TIRED)).values['special'][2, 9]:.2f} of its weight" in said
    repeated = attention((ROOT / "sample_inputs" / "repeated.txt").read_text(encoding="utf-8").rstrip("\n"))
    tokens = repeated.query_tokens
    second = len(tokens) - 1 - tokens[::-1].index("fox")
    assert f"its weight on special tokens is {attnviz.stats(repeated).values['special'][2, 9]:.2f}" in said
    assert f'"fox" → "fox" {repeated.weights[2, 9, second, tokens.index("fox")]:.2f}' in said
    random = attnviz.roles(attnviz.load("minilm"), random=True).blocks[0].scores["duplicate-token"]
    assert f"it is again the only one, with {random.score[2, 9]:.2f}" in said


def test_a_long_text_has_no_idle_head():
    said = page("docs/analysis/idle.md")
    text = (ROOT / "sample_inputs" / "paragraph.txt").read_text(encoding="utf-8").rstrip("\n")
    special = attnviz.stats(attention(text)).values["special"]
    layer, head = np.unravel_index(special.argmax(), special.shape)
    assert f"Over the {len(attention(text).query_tokens)} tokens of sample_inputs/paragraph.txt head 2.7 gives" in said
    assert f"head 2.7 gives {special[2, 7]:.2f} to special tokens" in said
    assert f"of all heads the most is {special.max():.2f}, by {layer}.{head}" in said


def test_heads_that_copy():
    text = page("docs/analysis/circuits.md")
    copying = attnviz.circuits(attnviz.load("minilm")).circuits.copying
    order = np.argsort(-copying, axis=None)
    best = [f"{i // 12}.{i % 12}" for i in order[:3]]
    worst = [f"{i // 12}.{i % 12}" for i in order[::-1][:3]]
    assert f"heads {best[0]}, {best[1]} and {best[2]} score {copying.max():.2f}" in text
    assert f"{worst[0]}, {worst[1]} and {worst[2]} score {copying.min():.2f}" in text


def test_what_moves_it():
    """The table of norms.md: the row of "it" in layer 3 under each measure."""
    found = attnviz.norms(attnviz.load("minilm"), TIRED, layers=3).shares
    text = (ROOT / "docs" / "analysis" / "norms.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\[CLS\]|\w+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.M)
    assert [row[0] for row in rows] == ["[CLS]", "animal", "it", "tired"]
    tokens = found["norm"].query_tokens
    it = tokens.index("it")
    for key, *quoted in rows:
        measures = ("weights", "norm", "residual", "alti", "zeroing")
        assert quoted == [f"{found[name].weights[0, 0, it, tokens.index(key)]:.2f}" for name in measures]


def test_what_special_tokens_get_and_what_is_moved():
    found = attnviz.norms(attnviz.load("minilm"), TIRED, layers=[1, 2, 3, 4]).shares
    text = page("docs/analysis/norms.md")
    special = np.array(found["norm"].keys.special)
    shares = {}
    for name in ("weights", "norm"):
        weights = found[name].weights[:, 0]
        shares[name] = (weights[..., special].sum(-1) / weights.sum(-1)).mean(-1)
    low, high = (round(100 * float(value)) for value in (shares["weights"].min(), shares["weights"].max() + 1e-3))
    assert f"[CLS] and [SEP] get {low}% to {high}% of all weight" in text
    low, high = (round(100 * float(value)) for value in (shares["norm"].min(), shares["norm"].max()))
    assert f"and {low}% to {high}% of what is moved" in text


def test_how_near_norms_are_to_the_reference():
    stored = np.load(ROOT / "tests" / "data" / "norms_minilm.npz")
    found = attnviz.norms(attnviz.load("minilm"), TIRED).absolute
    text = page("docs/analysis/norms.md")
    quoted = dict(re.findall(r"(norms|ALTI|value zeroing) within (\de-\d)", text))
    assert quoted.keys() == {"norms", "ALTI", "value zeroing"}
    for name, measure in (("norms", "norm"), ("ALTI", "alti"), ("value zeroing", "zeroing")):
        assert np.abs(found[measure].weights[:, 0] - stored[measure]).max() < float(quoted[name])
