"""Mechanisms side by side, and how long they take: what the pictures hold, and what is printed, as exact text."""

from __future__ import annotations

import io
import math
import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from rich.console import Console

from attnviz.analyses.mechanisms import heading, own_facts, subtitle
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.errors import SelectionError
from attnviz.page import scaling
from attnviz.page.figure_options import FigureOptions
from attnviz.page.label_bounds import bounds
from attnviz.page.parts import DISTANCE, Card, Cards, Catalogue, Page, Timing, Timings
from attnviz.page.place import place
from attnviz.render.image import to_bytes
from attnviz.render.printer import print_page

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


pytestmark = pytest.mark.usefixtures("no_settings")


def attention(n=4, keys=None, seed=0, mask=None, signed=False, **more):
    """One head whose rows sum to 1; with `signed` half of the weights are below 0."""
    keys = n if keys is None else keys
    weights = np.random.default_rng(seed).dirichlet(np.full(keys, 0.5), n).astype(np.float32)
    if mask is not None:
        weights = np.where(mask, weights + 1e-3, 0)
        weights /= np.maximum(weights.sum(-1, keepdims=True), 1e-9)
    if signed:
        weights = weights * np.where(np.arange(keys) % 2, -1, 1)
    texts = [Tokens.plain([f"{letter}{i}" for i in range(count)]) for letter, count in (("q", n), ("k", keys))]
    allowed = None if mask is None else mask[None]
    meta = {"random": True, "seed": 7, "mechanism": "x", **more.pop("meta", {})}
    named = {"layers": (0,), "heads": (2,), "model": "toy, x", "meta": meta, **more}
    return Attention(weights[None, None].astype(np.float32), allowed, *texts, **named)


def card(name="full", group="keys", distance=0.0, detail="", exact=True, **how):
    return Card(name, group, f"formula of {name}", "n²", distance, attention(**how), detail, exact)


def many(counts, **how):
    """Cards of groups: {"scoring": 2, ...}."""
    return [card(f"{g}-{i}", g, 0.1 * i, seed=i, **how) for g, count in counts.items() for i in range(count)]


def drawn_cards(cards, *, grouped=True, left_out=(), notes=(), **options):
    """The picture of a comparison."""
    facts = own_facts(cards[0].attention) if cards else None
    words = (heading(facts), subtitle(facts)) if facts else ("", "")
    return place(Page(*words, (Cards(tuple(cards), grouped, tuple(left_out)),), tuple(notes)), FigureOptions(**options))


def drawn_times(timings, *, notes=(), **options):
    """The picture of times."""
    title = "Kinds of attention · time over the length of the text"
    return place(Page(title, "", (Timings(tuple(timings)),), tuple(notes)), FigureOptions(**options))


def texts(figure, role):
    return [label.text for label in figure.labels if label.role == role]


def beside(figure, panel, above=12.0):
    """The labels right above a panel, from left to right."""
    box = panel.box
    found = [
        label
        for label in figure.labels
        if box.y - above < label.y <= box.y and box.x - 1 <= label.x <= box.x + box.width + 1 and label.rotation == 0
    ]
    return [label.text for label in sorted(found, key=lambda label: label.x)]


# --- cards ---------------------------------------------------------------------------------------------------------


def test_each_card_has_its_map_its_cost_and_its_distance() -> None:
    cards = [card("own"), card("lsh:2", distance=0.345, seed=1), card("linear", "approximation", 0.5, exact=False)]
    figure = drawn_cards(cards)
    assert [panel.title for panel in figure.panels] == ["own", "lsh:2", "linear"]
    for one, panel in zip(cards, figure.panels, strict=True):
        np.testing.assert_array_equal(panel.values, one.attention.weights[0, 0])
        assert panel.row_labels == ("q0", "q1", "q2", "q3") and panel.col_labels == ("k0", "k1", "k2", "k3")
    assert beside(figure, figure.panels[0]) == ["cost n²", "distance 0"]
    assert beside(figure, figure.panels[1]) == ["cost n²", "distance 0.34"]
    assert beside(figure, figure.panels[2]) == ["cost n²", "error 0.50"]
    assert "formula of lsh:2" in texts(figure, "text")


def test_rounding_is_no_distance() -> None:
    figure = drawn_cards([card(distance=3e-8)])
    assert beside(figure, figure.panels[0]) == ["cost n²", "distance 0"]


def test_groups_have_titles_in_their_order() -> None:
    figure = drawn_cards(many({"scoring": 5, "keys": 9, "approximation": 3, "state space": 1, "positions": 7}))
    assert [text for text in texts(figure, "heading") if ":" in text and "-" not in text] == [
        "Scoring: how well a query and a key fit",
        "Keys: which of them a query sees",
        "Approximations: the matrix that they imply",
        "State space: the matrix that it implies",
        "Positions: how a model knows where tokens are",
    ]
    rows = sorted({panel.box.y for panel in figure.panels})
    counts = [sum(panel.box.y == y for panel in figure.panels) for y in rows]
    assert counts == [5, 7, 2, 4, 7]  # the state space is drawn with the approximations


def test_a_title_without_room_is_short() -> None:
    figure = drawn_cards(many({"keys": 6, "approximation": 2, "state space": 1}))
    assert [text for text in texts(figure, "heading") if "-" not in text] == [
        "Keys: which of them a query sees",
        "Approximations",
        "State space: the matrix that it implies",
    ]


def test_without_groups_cards_stand_as_they_were_asked_for() -> None:
    cards = [card("b", "keys"), card("a", "scoring"), card("c", "keys")]
    figure = drawn_cards(cards, grouped=False)
    assert texts(figure, "heading") == ["b", "a", "c"]
    assert len({panel.box.y for panel in figure.panels}) == 1


def test_one_scale_for_all() -> None:
    peaked = card("peaked", seed=1)
    peaked.attention.weights[0, 0, 0] = (0.9, 0.1, 0, 0)
    flat = replace(card("flat"), attention=replace(peaked.attention, weights=np.full((1, 1, 4, 4), 0.25, np.float32)))
    for order in ([flat, peaked], [peaked, flat]):
        figure = drawn_cards(order)
        assert (figure.scale.low, figure.scale.high) == (0, 1)
        assert [panel.scale for panel in figure.panels] == [None, None]
    assert drawn_cards([flat]).scale.high == 0.25
    assert drawn_cards([flat, peaked], vmax=0.5).scale.high == 0.5


def test_weights_with_signs_have_a_scale_of_their_own() -> None:
    signed = card("mamba", "state space", signed=True)
    figure = drawn_cards([card(), signed])
    plain, own = figure.panels
    assert plain.scale is None
    assert own.scale.low == -own.scale.high and own.scale.cmap == "inks"
    assert np.abs(signed.values).max() <= own.scale.high
    assert f"−{own.scale.high:g} to {own.scale.high:g}" in texts(figure, "text")
    assert "red above 0, blue below, on a scale of its own" in figure.notes


def test_where_all_have_signs_they_share_one() -> None:
    figure = drawn_cards([card("a", signed=True), card("b", signed=True, seed=1)])
    assert figure.scale.low == -figure.scale.high < 0
    assert [panel.scale for panel in figure.panels] == [None, None]
    assert figure.bar is not None and "red above 0, blue below" in figure.notes
    assert f"linear from {figure.scale.low:g} to {figure.scale.high:g} (inks)" in figure.caption


def test_what_is_not_allowed_is_hidden() -> None:
    mask = np.tri(4, dtype=bool)
    figure = drawn_cards([card(), card("causal", mask=mask)])
    assert figure.panels[0].hidden is None
    np.testing.assert_array_equal(figure.panels[1].hidden, ~mask)
    assert "grey: not allowed" in figure.notes
    assert "grey: not allowed" not in drawn_cards([card()]).notes


def test_numbers_stand_in_cells_that_are_large_enough() -> None:
    own = card("own")
    own.attention.weights[0, 0, :2] = ((0.5, 0.451, 0.039, 0), (0, 0.999, 0, 0))
    assert drawn_cards([own]).panels[0].cell_text[:2] == ((".50", ".45", "", ""), ("", "1", "", ""))
    assert "numbers near 0 left out" in drawn_cards([own]).notes
    assert drawn_cards([own], decimals=1).panels[0].cell_text[0] == (".5", ".5", "", "")
    assert drawn_cards([own], decimals=0).panels[0].cell_text == ()
    small = drawn_cards(many({"keys": 7}, n=12))
    assert small.panels[0].cell_text == () and "numbers near 0 left out" not in small.notes
    signed = drawn_cards([card("a", signed=True)]).panels[0]
    assert {text[0] for row in signed.cell_text for text in row if text} == {".", "−"}


# --- words ---------------------------------------------------------------------------------------------------------


def test_what_the_picture_says_of_itself() -> None:
    figure = drawn_cards([card()], left_out=["lsh", "linformer"])
    assert figure.title == "Kinds of attention · toy · layer 0 · head 2"
    assert figure.subtitle == (
        "random weights, seed 7 · every panel: rows are queries, columns are keys, "
        "the same queries and keys but where positions change"
    )
    assert figure.notes[-2] == "left out, as this model or text cannot have them: lsh, linformer"
    assert figure.notes[0] == DISTANCE
    assert figure.caption.startswith("Kinds of attention · toy · layer 0 · head 2. Random weights, seed 7")
    assert "linear from 0 to" in figure.caption
    assert drawn_cards([card()], title="Mine").title == "Mine"


def test_in_a_later_layer_more_may_change() -> None:
    assert "scale, causality, global tokens or positions change" in subtitle(own_facts(attention(layers=(1,))))


def test_a_model_between_two_texts() -> None:
    figure = drawn_cards([card(n=3, keys=6, stream="cross")])
    assert figure.title == "Kinds of attention · toy · cross-attention · layer 0 · head 2"
    box = figure.panels[0].box
    assert box.height / box.width == pytest.approx(0.5, abs=0.01)
    assert texts(figure, "row") == ["q0", "q1", "q2"] and texts(figure, "column") == [f"k{i}" for i in range(6)]


def test_notes_of_the_model_stand_once_and_those_of_a_card_not_at_all() -> None:
    def noted(name):
        notes = ["about the model", f"{name}: 2 tokens to each side (Beltagy 2020)"]
        return replace(card(name), attention=attention(meta={"notes": notes}))

    for cards in ([noted("window")], [noted("window"), noted("dilated")]):
        notes = drawn_cards(cards).notes
        assert notes.count("about the model") == 1
        assert not [note for note in notes if "Beltagy" in note]


def test_a_bare_picture_has_its_words_in_the_caption() -> None:
    full, bare = (drawn_cards(many({"keys": 3}), bare=on, notes=["mine"]) for on in (False, True))
    assert bare.bar is None and not texts(bare, "title") + texts(bare, "subtitle") + texts(bare, "tick")
    assert texts(bare, "heading") == ["Keys: which of them a query sees", "keys-0", "keys-1", "keys-2"]
    assert bare.caption == full.caption and "mine" in bare.caption
    assert bare.height < full.height and bare.width < full.width
    check_places(bare)


def test_a_long_text_is_thinned_pooled_and_says_so() -> None:
    cards = many({"keys": 7}, n=900)
    cards[0].attention.weights[0, 0, 898:, 898:] = ((0, 0.7), (0.3, 0))
    figure = drawn_cards(cards, dpi=150)
    k = math.ceil(900 / (0.9 * 170 / 72 * 150))
    shape = (math.ceil(900 / k),) * 2
    assert k > 1 and {panel.values.shape for panel in figure.panels} == {shape}
    assert figure.panels[0].values[-1, -1] == np.float32(0.7)
    assert figure.panels[0].values.max() == cards[0].values.max()
    assert f"drawn as the largest of {k} x {k} weights a cell" in figure.notes
    assert any(re.fullmatch(r"every \d+(st|nd|rd|th) token is named beside the map", note) for note in figure.notes)
    assert any("a limit that about a quarter of the rows reach" in note for note in figure.notes)
    assert any(text.startswith("≥") for text in texts(figure, "tick"))


def test_pooled_cells_keep_the_sign_and_what_was_hidden() -> None:
    mask = np.zeros((600, 600), bool)
    mask[:2, :2] = True
    one = card("mamba", n=600, mask=mask)
    one.attention.weights[0, 0, :2, :2] = ((0.1, -0.9), (0.2, 0.3))
    panel = drawn_cards([one], dpi=100).panels[0]
    assert panel.values[0, 0] == np.float32(-0.9)
    assert not panel.hidden[0, 0] and panel.hidden[0, 1]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"cmap": "jet"}, "cmap jet is a rainbow"),
        ({"scale": "cubic"}, "scale must be one of"),
        ({"width": 1.2}, "a width of 1.2 in leaves no room for a map"),
        ({"dpi": 2400}, "pixels is too large"),
        ({"svg_text": "no"}, "svg text must be one of"),
        ({"vmax": -1}, "vmax must be a number above 0"),
        ({"font": "No Such Font"}, "No Such Font"),
    ],
)
def test_what_is_not_possible_is_an_error(how, says) -> None:
    with pytest.raises(SelectionError) as caught:
        drawn_cards(many({"keys": 13, "scoring": 7, "positions": 7}), **how)
    assert says in str(caught.value)


def test_no_card_is_an_error() -> None:
    with pytest.raises(SelectionError, match="there is no mechanism to draw"):
        drawn_cards([])


# --- places --------------------------------------------------------------------------------------------------------


def overlap(a, b):
    """The overlap of two boxes (left, top, right, bottom), in points."""
    return min(min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1]))


def check_places(figure):
    """Everything is on the page, and no label lies on another or on a map."""
    labels = [(label.text, bounds(label, figure.face)) for label in figure.labels]
    for text, (left, top, right, bottom) in labels:
        assert left >= -0.5 and top >= -0.5 and right <= figure.width + 0.5 and bottom <= figure.height + 0.5, text
    boxes = [(p.box.x, p.box.y, p.box.x + p.box.width, p.box.y + p.box.height) for p in figure.panels]
    for (one, a), (other, b) in combinations(labels, 2):
        assert overlap(a, b) < 1.2, f"{one!r} and {other!r}"
    for one, other in combinations(boxes, 2):
        assert overlap(one, other) < 0
    for text, sides in labels:
        assert all(overlap(sides, box) < 1.0 for box in boxes), f"{text!r} lies on a map"


ALL = {"scoring": 5, "keys": 13, "approximation": 3, "state space": 1, "positions": 7}


@pytest.mark.parametrize("n", [1, 3, 12, 40, 70])
@pytest.mark.parametrize("counts", [ALL, {"keys": 1}, {"keys": 2}, {"scoring": 2, "keys": 10}])
def test_nothing_lies_on_anything(n, counts) -> None:
    check_places(drawn_cards(many(counts, n=n, detail="3 tokens to each side, steps of 2")))


@pytest.mark.parametrize("width", [3.25, 6.75, 14])
def test_a_page_of_a_width_is_that_wide(width) -> None:
    figure = drawn_cards(many(ALL, n=9), width=width)
    assert figure.width == pytest.approx(width * 72)
    check_places(figure)


def test_every_column_of_maps_has_its_names_once_below_it() -> None:
    figure = drawn_cards(many({"keys": 11, "scoring": 3}, n=3))
    columns = sorted({panel.box.x for panel in figure.panels})
    assert len(columns) == 7
    for x in columns:
        lowest = max((panel for panel in figure.panels if panel.box.x == x), key=lambda panel: panel.box.y)
        bottom, right = lowest.box.y + lowest.box.height, x + lowest.box.width
        below = [label for label in figure.labels if label.role == "column" and x <= label.x <= right]
        assert [label.text for label in below] == ["k0", "k1", "k2"]
        assert all(bottom < label.y < bottom + 20 for label in below)


def test_edges_lie_on_whole_pixels() -> None:
    figure = drawn_cards(many(ALL), dpi=150)
    for panel in figure.panels:
        box = panel.box
        for edge in (box.x, box.width, box.height, figure.height - box.y):
            assert edge / 72 * 150 == pytest.approx(round(edge / 72 * 150), abs=1e-6)


def test_groups_of_an_svg_have_names_of_their_own() -> None:
    drawn = to_bytes(drawn_cards([card("window:3"), card("mamba", signed=True)]), "svg").decode()
    ids = re.findall(r'<g id="([^"]+)"', drawn)
    assert len(ids) == len(set(ids)) and {"window-3", "mamba", "bar"} <= set(ids)
    assert "window:3" in re.sub(r"<[^>]+>", "", drawn)


# --- curves --------------------------------------------------------------------------------------------------------


def curve(name="full", group="keys", power=2.0, scale=1e-8, n=(128, 256, 512, 1024), cost="n²"):
    return Timing(name, group, f"{name}:64", cost, n, tuple(scale * x**power for x in n), power)


def drawn_lines(figure, tone):
    """A curve without its points and its lead to the name."""
    return [line for line in figure.lines if line.tone == tone and line.width == 1.4]


def test_a_power_of_n_is_a_straight_line_of_its_slope() -> None:
    square, linear = curve(), curve("window", power=1.0, scale=1e-6, cost="n·w")
    figure = drawn_times([square, linear])
    slopes = {}
    for tone in ("faint", "curve0"):
        found = {round((line.y0 - line.y1) / (line.x1 - line.x0), 6) for line in drawn_lines(figure, tone)}
        assert len(found) == 1
        slopes[tone] = found.pop()
    assert slopes["faint"] / slopes["curve0"] == pytest.approx(2, abs=1e-4)


def test_every_measured_point_is_drawn() -> None:
    figure = drawn_times([curve()])
    points = [line for line in figure.lines if line.width == scaling.POINT]
    assert len(points) == 4 and {line.y0 - line.y1 for line in points} == {0}
    ends = drawn_lines(figure, "faint")
    assert [(line.x0 + line.x1) / 2 for line in points] == pytest.approx([ends[0].x0, *(line.x1 for line in ends)])


def test_names_powers_and_costs_stand_at_the_ends() -> None:
    figure = drawn_times([curve(), curve("lsh", power=1.1, cost="n·log n"), curve("once", n=(128,), power=math.nan)])
    assert {"full  n²·⁰⁰", "lsh  n¹·¹⁰", "once"} <= set(texts(figure, "text"))
    assert "n·log n" in texts(figure, "text")


def test_full_attention_is_in_every_plot() -> None:
    curves = [
        curve(),
        curve("general", "scoring"),
        curve("window", cost="n·w"),
        curve("permutation"),
        curve("mamba", "state space"),
    ]
    figure = drawn_times(curves)
    assert texts(figure, "heading") == [
        "Scoring", "Keys: few of them", "Keys: more of them in longer texts", "Approximations, and a state space",
    ]  # fmt: skip
    assert texts(figure, "text").count("full  n²·⁰⁰") == 4


def test_axes_are_labelled() -> None:
    figure = drawn_times([curve(scale=1e-7)])
    assert texts(figure, "tick") == ["128", "256", "512", "1,024", "10 ms", "100 ms"]
    assert texts(figure, "axis") == ["tokens, n"]


@pytest.mark.parametrize("width", [None, 5.5, 7, 12])
def test_curves_that_end_together_have_names_apart(width) -> None:
    groups = {"scoring": 3, "keys": 6, "approximation": 4}
    curves = [curve()] + [curve(f"{g}-{i}", g, 1.0, cost="n·w") for g, count in groups.items() for i in range(count)]
    figure = drawn_times(curves, width=width, notes=["one note", "another"])
    if width is not None:
        assert figure.width == pytest.approx(width * 72)
    check_places(figure)


def test_no_room_for_a_plot_is_an_error() -> None:
    with pytest.raises(SelectionError, match=r"a width of 3\.5 in leaves no room for a plot"):
        drawn_times([curve()], width=3.5)
    with pytest.raises(SelectionError, match="there is nothing to measure"):
        drawn_times([])


# --- in a terminal -------------------------------------------------------------------------------------------------


def printed(part, title="", subtitle="", notes=(), *, width=80, terminal=True, decimals=2):
    """The printed text, without escape codes and spaces at the ends of lines."""
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, color_system=None, highlight=False)
    print_page(Page(title, subtitle, (part,), tuple(notes)), console, options=FigureOptions(decimals=decimals))
    return "\n".join(line.rstrip() for line in ESCAPE.sub("", out.getvalue()).rstrip().split("\n"))


ENTRIES = [
    ("scaled-dot", "scoring", "softmaxⱼ(qᵢ·kⱼ / √d)", "Vaswani 2017", "n²", True, ""),
    ("window", "keys", "|i − j| ≤ w", "Beltagy 2020, Longformer", "n·w", True, "reach=2"),
    ("performer", "approximation", "φ(qᵢ)·φ(kⱼ) / Σ", "Choromanski 2021, Performer", "n·m", False, "features=64"),
]


def test_the_list_in_a_window() -> None:
    assert (
        printed(Catalogue(tuple(ENTRIES)), width=80)
        == """\
Scoring: how well a query and a key fit
name        formula                                                         cost
scaled-dot  softmaxⱼ(qᵢ·kⱼ / √d)                                            n²
            Vaswani 2017

Keys: which of them a query sees
window      |i − j| ≤ w                                                     n·w
            Beltagy 2020, Longformer · reach=2

Approximations: the matrix that they imply
performer   φ(qᵢ)·φ(kⱼ) / Σ                                                 n·m
            Choromanski 2021, Performer · approximate · features=64

--mechanism NAME takes one, with its numbers if need be: window:3,
dilated:2,gap=3"""
    )


def test_the_list_in_a_wide_window() -> None:
    assert (
        printed(Catalogue(tuple(ENTRIES[1:])), width=120)
        == """\
Keys: which of them a query sees
name       formula                                                                     cost  source
window     |i − j| ≤ w                                                                 n·w   Beltagy 2020, Longformer
           reach=2

Approximations: the matrix that they imply
performer  φ(qᵢ)·φ(kⱼ) / Σ                                                             n·m   Choromanski 2021, Performer
           approximate · features=64

--mechanism NAME takes one, with its numbers if need be: window:3, dilated:2,gap=3"""
    )


def test_the_list_in_a_narrow_window() -> None:
    assert (
        printed(Catalogue(tuple(ENTRIES[1:2])), width=30)
        == """\
Keys: which of them a query
sees
window  n·w
  |i − j| ≤ w
  Beltagy 2020, Longformer ·
  reach=2

--mechanism NAME takes one,
with its numbers if need be:
window:3, dilated:2,gap=3"""
    )


def test_the_list_in_a_pipe() -> None:
    assert (
        printed(Catalogue(tuple(ENTRIES)), terminal=False)
        == """\
name        group          cost  exact  source                       formula
scaled-dot  scoring        n²    yes    Vaswani␣2017                 softmaxⱼ(qᵢ·kⱼ / √d)
window      keys           n·w   yes    Beltagy␣2020,␣Longformer     |i − j| ≤ w
performer   approximation  n·m   no     Choromanski␣2021,␣Performer  φ(qᵢ)·φ(kⱼ) / Σ"""
    )


def compared():
    mask = np.abs(np.subtract.outer(np.arange(4), np.arange(4))) <= 1
    return [
        card("scaled-dot", "scoring"),
        card("window:1", "keys", 0.5, detail="1 token to each side", mask=mask),
        card("linear", "approximation", 0.25, exact=False),
    ]


def test_a_comparison_in_a_window() -> None:
    assert (
        printed(Cards(tuple(compared())), "Kinds of attention", "random weights", ["a note", "another"], width=60)
        == """\
Kinds of attention
random weights

            cost  keys  distance
Scoring: how well a query and a key fit
scaled-dot  n²     4.0      0.00
Keys: which of them a query sees
window:1    n²     2.5      0.50  █████████████
Approximations: the matrix that they imply
linear      n²     4.0      0.25  ██████▌

a note · another"""
    )


def test_a_comparison_in_a_wide_window_has_the_numbers_in_words() -> None:
    out = printed(Cards(tuple(compared()), grouped=False), "Kinds", "", width=100, decimals=3)
    assert (
        out
        == """\
Kinds

            cost  keys  distance
scaled-dot  n²     4.0     0.000
window:1    n²     2.5     0.500  ███████████████                 1 token to each side
linear      n²     4.0     0.250  ███████▌"""
    )


def test_a_comparison_in_a_pipe() -> None:
    assert (
        printed(Cards(tuple(compared())), "Kinds", "", ["a note"], terminal=False)
        == """\
group          name        cost  keys  distance  exact
scoring        scaled-dot  n²     4.0      0.00  yes
keys           window:1    n²     2.5      0.50  yes
approximation  linear      n²     4.0      0.25  no"""
    )


CURVES = [
    Timing("full", "keys", "full", "n²", (128, 256, 512), (1.2e-4, 4.6e-4, 0.0161), 2.05),
    Timing("additive", "scoring", "additive", "n²", (128, 256), (0.0042, 0.512), 1.99),
    Timing("window", "keys", "window:64", "n·w", (128, 256, 512), (2e-4, 4e-4, 8e-4), 1.0),
]


TIMES = (
    Timings(tuple(CURVES)),
    "Milliseconds for n tokens, one head of 64 dimensions, one thread",
    "",
    ("at the longest text: window:64", "fit: over the longer texts"),
)


def test_times_in_a_window() -> None:
    assert (
        printed(*TIMES, width=60)
        == """\
Milliseconds for n tokens, one head of 64 dimensions, one
thread

          cost  fit      128   256   512
full      n²    n^2.05  0.12  0.46  16.1
additive  n²    n^1.99  4.20   512
window    n·w   n^1.00  0.20  0.40  0.80

at the longest text: window:64 · fit: over the longer texts"""
    )
    narrow = printed(*TIMES, width=35).split("\n")
    assert "          cost  fit      256   512" in narrow


def test_times_in_a_pipe() -> None:
    assert (
        printed(*TIMES, terminal=False)
        == """\
mechanism  cost  exponent   128   256   512
full       n²        2.05  0.12  0.46  16.1
additive   n²        1.99  4.20   512     -
window:64  n·w       1.00  0.20  0.40  0.80"""
    )
