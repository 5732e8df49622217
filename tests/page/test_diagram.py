"""The three diagrams: the numbers agree with the walk, every token is there, and nothing overlaps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.golden_pictures import diagram
from helpers.paths import GOLDEN, REFERENCE, ROOT
from helpers.sentences import TIRED as SENTENCE
from PIL import Image

import attnviz
from attnviz import steps as walk
from attnviz.analyses.steps import Options
from attnviz.errors import SelectionError
from attnviz.page.canvas import cell_numbers
from attnviz.page.cut import DOTS, Cut
from attnviz.page.diagram_canvas import CELL
from attnviz.page.figure_options import FigureOptions
from attnviz.page.label_bounds import bounds
from attnviz.page.place import place

pytestmark = pytest.mark.usefixtures("no_settings")

HAND = ROOT / "sample_inputs" / "by_hand.npz"


@pytest.fixture(scope="module")
def hand():
    return walk(attnviz.load(HAND), "I like tea", query="like")


@pytest.fixture(scope="module")
def seeded():
    return walk(attnviz.load("seeded", causal=True), "The cat sat on the mat", query=3, head=2)


def figure(steps, part=None):
    return place(replace(steps, options=Options(diagram=True, part=part)).page(), FigureOptions())


def reference(name, stream=None):
    """A walk through a reference model with random weights."""
    stored = np.load(REFERENCE / name / "expected.npz")
    names = {"input_ids": "ids", "token_type_ids": "token_types", "decoder_input_ids": "target_ids"}
    ids = {ours: stored[theirs].tolist() for theirs, ours in names.items() if theirs in stored}
    pixels = {"pixel_values": stored["pixel_values"]} if "pixel_values" in stored else {}
    return walk(attnviz.load(REFERENCE / name), **ids, **pixels, stream=stream)


def cells(drawn, name):
    """The cells of all panels of one name, row by row: texts, '' where there is none."""
    panels = [panel for panel in drawn.panels if panel.title == name]
    rows = {}
    for panel in sorted(panels, key=lambda panel: (panel.box.y, panel.box.x)):
        high = panel.box.height / len(panel.cell_text)
        for i, row in enumerate(panel.cell_text):
            rows.setdefault(round(panel.box.y + i * high, 1), []).extend(row)
    return [rows[y] for y in sorted(rows)]


def values(drawn, name):
    """The numbers behind the cells of a block that is not cut."""
    (panel,) = (panel for panel in drawn.panels if panel.title == name)
    return panel.values


# ---- numbers


def test_numbers_by_hand(hand):
    """“like” of I like tea: every number of the worked example in docs/steps.md."""
    drawn = figure(hand)
    assert cells(drawn, "x") == [["0", "1"]]
    assert cells(drawn, "W_Q") == [["1", "0", "1", "0"], ["0", "1", "0", "1"]]
    assert cells(drawn, "q") == [["0", "1", "0", "1"]] * 2  # in the first diagram and in the second
    assert cells(drawn, "k") == [["0", "2", "0", "0"]]
    assert cells(drawn, "v") == [["0", "1", "1", "2"]]
    assert cells(drawn, "K") == [["1", "−2", "1", "0"], ["0", "2", "0", "0"], ["1", "2", "1", "0"]]
    assert cells(drawn, "raw") == [["−2"], ["2"], ["2"]]
    assert cells(drawn, "scaled") == [["−1"], ["1"], ["1"]]
    assert cells(drawn, "masked") == [["−1"], ["1"], ["−∞"]]
    assert cells(drawn, "weights") == [["0.12"], ["0.88"], ["0"]]
    assert cells(drawn, "values") == [["1", "−1", "0", "−2"], ["0", "1", "1", "2"], ["1", "1", "2", "2"]]
    assert cells(drawn, "parts") == [["0.12", "−0.12", "0.00", "−0.24"], ["0.00", "0.88", "0.88", "1.76"], [""] * 4]
    assert cells(drawn, "o") == [["0.12", "0.76", "0.88", "1.52"]]
    assert cells(drawn, "head 0") == cells(drawn, "o")
    assert cells(drawn, "o W_O") == [["1.00", "2.28"], ["0.73", "0.27"]]
    assert cells(drawn, "y") == [["1.73", "2.55"]]


def test_numbers_are_those_of_the_walk(seeded):
    drawn = figure(seeded)
    for stage in seeded.scores:
        shown = stage.row if stage.name != "masked" else np.where(seeded.allowed, stage.row, 0)
        np.testing.assert_array_equal(values(drawn, stage.name)[:, 0], shown)
    np.testing.assert_array_equal(values(drawn, "weights")[:, 0], seeded.weights)
    np.testing.assert_array_equal(values(drawn, "W_K"), seeded.matrices["W_K"])
    np.testing.assert_array_equal(values(drawn, "W_O"), seeded.projection)
    np.testing.assert_allclose(values(drawn, "by norm")[:, 0], seeded.head_share, rtol=1e-6)
    parts = [panel.values for panel in drawn.panels if panel.title == "parts"]
    np.testing.assert_array_equal(parts[0], (seeded.weights[:, None] * seeded.used("v"))[:, : parts[0].shape[1]])
    first = next(panel for panel in drawn.panels if panel.title == "head 2")
    np.testing.assert_array_equal(first.values[0], seeded.output[: first.values.shape[1]])


def test_the_projection_holds_the_rows_of_every_head(seeded):
    heads = seeded.heads.reshape(-1)
    np.testing.assert_allclose(heads @ seeded.projection + seeded.matrices["b_O"], seeded.projected, atol=1e-5)
    rows = slice(2 * seeded.facts.spec.d_head, 3 * seeded.facts.spec.d_head)
    np.testing.assert_array_equal(seeded.projection[rows], seeded.matrices["W_O"])


def test_small_numbers_get_a_decimal_more(seeded):
    drawn = figure(walk(attnviz.load("tiny"), "The cat sat"))
    for name, small in (("b_K", True), ("k", False)):
        (row,) = cells(drawn, name)
        assert {len(text.partition(".")[2]) for text in row} == {3 if small else 2}
        assert all(text.lstrip("−").startswith("." if small else tuple("0123")) for text in row)


def test_a_number_too_small_for_its_decimals_keeps_its_power_of_ten():
    values = np.array([[0.05, 0.0004, -0.00001, 0.0006, 0.0]])
    texts = cell_numbers(values, np.zeros(values.shape, bool), 3, small=True)
    assert texts == ((".050", "4e−4", "−1e−5", ".001", ".000"),)
    assert cell_numbers(values, np.zeros(values.shape, bool), 2) == (("0.05", "0.00", "0.00", "0.00", "0.00"),)


# ---- cuts, and notes about them


def test_biases_near_zero_have_numbers_that_fit(seeded):
    seeded = replace(seeded, matrices={**seeded.matrices, "b_K": np.full(16, -4e-4, np.float32)})
    drawn = figure(seeded, "qkv")
    assert {text for row in cells(drawn, "b_K") for text in row} == {"−4e−4"}


def test_a_vector_is_cut_to_its_first_numbers_and_its_last():
    cut = Cut.fitting(64, 5 * CELL + DOTS, CELL)
    assert cut.indices == [0, 1, 2, 3, 63]
    assert [at for _, at in cut.runs] == [0, 4 * CELL + DOTS]
    assert cut.gaps() == [4 * CELL + DOTS / 2]
    whole = Cut.fitting(5, 5 * CELL, CELL)
    assert whole.indices == [0, 1, 2, 3, 4] and not whole.gaps() and whole.length == 5 * CELL
    middle = Cut.of([2, 3, 7], 9, 10.0, 4.0)
    assert middle.indices == [2, 3, 7]
    assert middle.gaps() == [2.0, 26.0, 40.0]
    assert middle.middle(7) == 33.0


def test_cut_blocks_show_the_ends_of_their_rows(seeded):
    drawn = figure(seeded)
    x = seeded.read[3]
    (shown,) = cells(drawn, "x")
    assert len(shown) < len(x) == 64
    assert [f"{value:.2f}".replace("-", "−") for value in (*x[: len(shown) - 1], x[-1])] == shown


def test_shapes_and_formulas(seeded):
    texts = {label.text for label in figure(seeded).labels}
    assert {"[64 x 16]", "[1 x 16]", "[6 x 16]", "[1 x 6]", "[64 x 64]", "their sum: o [1 x 16]"} <= texts
    assert {"o = softmax(q Kᵀ / √16) V", "y = [o⁰ … o³] W_O + b_O", "mask: s_ij ← −∞ where j > i (causal)"} <= texts


@pytest.mark.parametrize(
    "name, stream, words",
    [
        ("llama", None, ["heads 0 and 1 share one set of keys and values", "positions turn q and k (rotary)"]),
        ("bert", None, ["positions are added to the embeddings"]),
        ("bloom", None, ["positions are added to the scores", "o = softmax(q Kᵀ / √8 + b) V"]),
        ("gemma2", None, ["o = softmax(cap("]),
        ("xlnet", None, ["o = softmax((q Kᵀ + r) / √8) V", "after content bias"]),
        ("bart", "cross", [", the strongest key: the encoder's output", "k = m W_K + b_K"]),
        ("deepseek_v3", None, ["k = c W_K", "norm(x W_C)", "alike in all heads"]),
        ("t5", "encoder", ["× 1", "o = softmax(q Kᵀ + b) V"]),
        ("gpt_oss", None, ["a learned score outside the text", "sink "]),
    ],
)
def test_a_model_says_what_is_its_own(name, stream, words):
    text = "\n".join(label.text for label in figure(reference(name, stream)).labels)
    for said in words:
        assert said in text


def test_every_token_is_written_and_hidden_ones_are_grey(seeded):
    drawn = figure(seeded)
    tokens = list(seeded.keys.text)
    assert [label.text for label in drawn.labels if label.role == "column"] == tokens
    keys = [label for label in drawn.labels if label.role == "row" and not label.text.startswith("head")]
    assert [label.text for label in keys] == tokens
    assert [label.tone for label in keys] == ["ink"] * 4 + ["faint"] * 2
    (masked,) = (panel for panel in drawn.panels if panel.title == "masked")
    assert masked.hidden[:, 0].tolist() == [False] * 4 + [True] * 2
    assert [label.text for label in drawn.labels if label.tone == "mark" and label.role == "column"] == ["on"]


def test_a_long_text_and_many_heads_are_thinned_and_say_so():
    model = attnviz.load("seeded", n_heads=32, d_model=512, n_layers=1)
    steps = walk(model, " ".join(5 * [SENTENCE]), query=20, head=30)
    drawn = figure(steps)
    n = len(steps.keys)
    assert f"12 of {n} keys are shown: the largest weights" in drawn.notes
    assert "12 of 32 heads are shown: the largest weights" in drawn.notes
    kept = np.concatenate([panel.values[:, 0] for panel in drawn.panels if panel.title == "weights"])
    largest = np.sort(steps.weights)[::-1]
    assert set(largest[:11]) <= set(kept) and steps.weights[20] in kept and len(kept) == 12
    assert any(label.text == "head 30" for label in drawn.labels)
    assert "every 8th row of W_Q, W_K, W_V is drawn" in drawn.notes


# ---- the page

PAGES = {
    "three tokens, one head": ("seeded", "a bb ccc", {"n_heads": 1, "d_model": 24}),
    "twenty tokens": ("seeded", "one two three four five " * 4, {"causal": True}),
    "32 heads": ("seeded", "The cat sat", {"n_heads": 32, "d_model": 512}),
    "long": ("seeded", SENTENCE * 8, {"n_heads": 12, "d_model": 768, "causal": True}),
    "one token": ("seeded", "word", {"n_heads": 8}),
    "by hand": (HAND, "I like tea", {}),
    "tiny": ("tiny", SENTENCE, {}),
    "long words": ("seeded", "Antidisestablishmentarianism " * 3 + "注意 שלום\nhello", {}),
}
CASES = [
    ("llama", None), ("gemma3_text", None), ("xlnet", None), ("bart", "cross"), ("gpt_oss", None), ("vit", None),
    ("deepseek_v3", None), ("hunyuan_v1_dense", None), ("t5", "cross"), ("qwen3", None),
]  # fmt: skip


def overlaps(drawn):
    """Labels that leave the page or lie on another, on a block or on a line; blocks that lie on another."""

    def meet(a, b, slack):
        return a[0] < b[2] - slack and b[0] < a[2] - slack and a[1] < b[3] - slack and b[1] < a[3] - slack

    blocks = [(p.box.x, p.box.y, p.box.x + p.box.width, p.box.y + p.box.height) for p in drawn.panels]
    lines = [(min(n.x0, n.x1), min(n.y0, n.y1), max(n.x0, n.x1), max(n.y0, n.y1)) for n in drawn.lines]
    boxes = [bounds(label, drawn.face) for label in drawn.labels]
    bad = [("block", a, b) for i, a in enumerate(blocks) for b in blocks[:i] if meet(a, b, 0.01)]
    bad += [("block", a) for a in blocks if a[0] < 0 or a[2] > drawn.width or a[3] > drawn.height]
    for i, (label, a) in enumerate(zip(drawn.labels, boxes, strict=True)):
        bad += [(label.text, drawn.labels[j].text) for j, b in enumerate(boxes[:i]) if meet(a, b, 0.3)]
        bad += [(label.text, b) for b in blocks if meet(a, b, 1.2)]
        bad += [(label.text, b) for b in lines if meet(a, (b[0] - 0.3, b[1] - 0.3, b[2] + 0.3, b[3] + 0.3), 0.1)]
        if a[0] < 0 or a[2] > drawn.width or a[1] < 0 or a[3] > drawn.height:
            bad.append((label.text, "beyond the page"))
    return bad


@pytest.mark.parametrize("name", PAGES)
def test_nothing_overlaps(name):
    model, text, options = PAGES[name]
    drawn = figure(walk(attnviz.load(model, **options), text))
    assert overlaps(drawn) == []
    assert drawn.width == 7 * 72 and drawn.height < 11.7 * 72  # a page of A4


@pytest.mark.parametrize("name, stream", CASES)
def test_nothing_overlaps_in_other_models(name, stream):
    drawn = figure(reference(name, stream))
    assert overlaps(drawn) == []


def test_a_crowded_page_would_be_noticed(hand):
    drawn = figure(hand)
    label = drawn.labels[3]
    assert (label.text, label.text) in overlaps(replace(drawn, labels=(*drawn.labels, label)))


@pytest.mark.parametrize(
    "part, heading", [("qkv", "One token"), ("scores", "Scores, scaling"), ("heads", "Heads side")]
)
def test_a_part_is_drawn_alone(hand, part, heading):
    texts = [label.text for label in figure(hand, part).labels if label.weight == "bold"]
    assert sum(text in "123" for text in texts) == 1
    assert any(text.startswith(heading) for text in texts)
    assert figure(hand, part).height < figure(hand).height / 1.8


def test_an_unknown_part_is_an_error():
    with pytest.raises(SelectionError, match="part must be one of qkv"):
        walk(attnviz.load(HAND), "I like tea", diagram=True, part="mask")


def test_golden_diagram():
    want, got = np.asarray(Image.open(GOLDEN / "diagram.png").convert("RGB")), diagram()
    assert got.shape == want.shape
    off = np.abs(got.astype(int) - want.astype(int)).max(-1)
    assert off.mean() < 0.5 and (off > 3).mean() < 0.005


# ---- the command


def test_the_command_draws_all_three_or_one(tmp_path, monkeypatch, capsys):
    from attnviz.cli import main

    monkeypatch.chdir(tmp_path)
    words = ["steps", "I like tea", "-m", str(HAND), "-q", "--diagram"]
    assert main(words) == 0
    assert capsys.readouterr().out == "steps.png\n"
    assert main([*words, "--part", "scores", "-o", "scores.svg"]) == 0
    page = (tmp_path / "scores.svg").read_text(encoding="utf-8")
    assert "Scores, scaling, mask, softmax, weighted sum" in page and "One token through" not in page
    wide, high = Image.open("steps.png").size
    assert wide == 1400 and high > 1000


@pytest.mark.parametrize(
    "words, said",
    [
        (["--part", "scores"], "--part chooses one of the figures of --diagram: add --diagram"),
        (["--diagram", "--part", "mask"], "--part must be one of qkv, scores, heads; got 'mask'"),
        (["--diagram", "-o", "x.npz"], "'x.npz' ends in '.npz'; wanted .png, .svg"),
        (["--diagram", "--json"], "leave out -o and --diagram"),
    ],
)
def test_wrong_usage_is_one_line(words, said, capsys, tmp_path, monkeypatch):
    from attnviz.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["steps", "I like tea", "-m", str(HAND), "-q", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err
    assert not list(tmp_path.iterdir())
