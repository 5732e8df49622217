"""`attnviz mechanisms`, and --mechanism in every other command: what is printed, what is written, how it ends."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from helpers import command_line
from helpers.paths import REFERENCE, ROOT
from helpers.scripts import status_of
from helpers.sentences import TIRED as TEXT
from helpers.startup import HEAVY, loaded
from PIL import Image

import attnviz
from attnviz.analyses.side_by_side import compare
from attnviz.variants import GROUPS, MECHANISMS

run = command_line.run  # a fixture

TEA = "I like tea"


def shown(svg):
    """The text of an SVG, one piece a line."""
    return re.sub(r"<[^>]+>", "\n", Path(svg).read_text())


# --- the list ------------------------------------------------------------------------------------------------------


def test_the_list_as_json_names_every_source(run) -> None:
    status, out, err = run("mechanisms", "--json")
    rows = json.loads(out)
    assert (status, err) == (0, "")
    assert [row["name"] for row in rows] == list(MECHANISMS)
    assert {"name", "group", "formula", "source", "cost", "exact"} <= set(rows[0])
    assert {row["group"] for row in rows} == set(GROUPS)
    assert {
        "Vaswani 2017", "Bahdanau 2014", "Luong 2015, general", "Luong 2015, concat", "Luong 2015, local-m",
        "Luong 2015, local-p", "Beltagy 2020, Longformer", "Zaheer 2020, BigBird", "Kitaev 2020, Reformer",
        "Wang 2020, Linformer", "Choromanski 2021, Performer", "Katharopoulos 2020, Linear Transformer",
        "Dai 2019, Transformer-XL", "Rae 2019, Compressive Transformer", "Yang 2019, XLNet",
        "Sukhbaatar 2019, adaptive span", "Gu & Dao 2023, Mamba", "Su 2021, rotary", "Press 2021, ALiBi",
        "Raffel 2020, T5",
    } <= {row["source"] for row in rows}  # fmt: skip
    one = next(row for row in rows if row["name"] == "linformer")
    assert (one["cost"], one["exact"], one["numbers"]) == ("n·r", False, "rank=4,drawn=0")


@pytest.mark.parametrize("words", [("mechanisms",), ("mechanisms", "--json"), ("mechanisms", "--help")])
def test_the_list_loads_no_numbers(words) -> None:
    status, out, modules = loaded(*words)
    assert status == 0 and out
    assert sorted(modules & set(HEAVY)) == []


def test_a_wrong_name_loads_no_numbers() -> None:
    status, _, modules = loaded("heatmap", TEXT, "--mechanism", "windw")
    assert status == 2
    assert sorted(modules & set(HEAVY)) == []


def test_the_list_in_a_pipe(run) -> None:
    status, out, err = run("mechanisms", "--mechanism", "state space", "--mechanism", "window:7")
    assert (status, err) == (0, "")
    assert out == (
        "name    group        cost  exact  source                    formula\n"
        "window  keys         n·w   yes    Beltagy␣2020,␣Longformer  |i − j| ≤ w\n"
        "mamba   state␣space  n·d   yes    Gu␣&␣Dao␣2023,␣Mamba      Cᵢ exp(A Σ Δₜ) Δⱼ Bⱼ, sum over j < t ≤ i\n"
    )
    assert len(run("mechanisms")[1].splitlines()) == 1 + len(MECHANISMS)


def test_the_tables_of_the_page_are_up_to_date(capsys) -> None:
    assert (status_of(ROOT / "scripts" / "make_mechanism_docs.py", "--check"), capsys.readouterr().err) == (0, "")


# --- side by side --------------------------------------------------------------------------------------------------


def test_side_by_side_as_json(run) -> None:
    status, out, err = run("mechanisms", TEXT, "--json", "-l", "1", "-H", "3")
    rows = {row["name"]: row for row in json.loads(out)}
    assert (status, err) == (0, "")
    found, _ = compare(attnviz.load("seeded"), TEXT, layer=1, head=3)
    assert len(rows) == len(found) == 29
    for relative in found:
        row, mask = rows[relative.asked.name], relative.attention.mask[0]
        assert row["distance"] == relative.distance
        assert row["keys"] == pytest.approx(mask.sum() / 11)
        assert (row["layer"], row["head"]) == (1, 3)
    assert rows["window"]["keys"] == pytest.approx((3 + 4 + 7 * 5 + 4 + 3) / 11)
    assert rows["window"]["numbers"] == "2 tokens to each side"
    assert rows["scaled-dot"]["distance"] == 0 < rows["dot"]["distance"] < 1


def test_side_by_side_in_a_pipe(run) -> None:
    status, out, err = run("mechanisms", TEA, "--mechanism", "window:2", "--mechanism", "causal")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "group    name        cost  keys  distance  exact"
    assert lines[1] == "scoring  scaled-dot  n²     3.0      0.00  yes"  # the model's own, to compare with
    assert lines[2] == "keys     window      n·w    3.0      0.00  yes"  # as wide as the text
    assert re.fullmatch(r"keys     causal      n²     2\.0      0\.\d\d  yes", lines[3])
    assert len(lines) == 4


def test_what_is_left_out_is_said(run) -> None:
    assert run("mechanisms", TEA)[1].count("\n") == 28
    run("mechanisms", TEA, "--mechanism", "approximation", "--mechanism", "keys", "-o", "a.svg")
    assert "left out, as this model or text cannot have them: linformer, lsh" in shown("a.svg")


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG\r\n\x1a\n"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_is_the_same_twice(run, ending, start) -> None:
    words = ("mechanisms", TEXT, "--mechanism", "scoring", "-o", f"a.{ending}")
    assert run(*words) == (0, f"a.{ending}\n", "")
    first = Path(f"a.{ending}").read_bytes()
    assert first.startswith(start)
    run(*words)
    assert Path(f"a.{ending}").read_bytes() == first


def test_a_picture_says_what_it_shows(run) -> None:
    run("mechanisms", TEXT, "--mechanism", "window:3", "--mechanism", "performer:16", "-o", "a.svg", "--name", "Toy")
    words = shown("a.svg").splitlines()
    assert "Kinds of attention · Toy · layer 0 · head 0" in words
    assert {"scaled-dot", "window:3", "performer:16", "3 tokens to each side", "16 features", "cost n·w"} <= set(words)
    rows = json.loads(run("mechanisms", TEXT, "--mechanism", "window:3", "--mechanism", "performer:16", "--json")[1])
    assert {"distance 0", f"distance {rows[1]['distance']:.2f}", f"error {rows[2]['distance']:.2f}"} <= set(words)
    file = Path("a.svg").read_text()
    assert "command: attnviz mechanisms" in file and "--mechanism window:3 --mechanism performer:16" in file
    assert "model: Toy" in file and "seed: 0" in file


def test_a_picture_to_standard_output(run) -> None:
    status, out, _ = run("mechanisms", TEA, "--mechanism", "scoring", "-o", "-", "--width", "4", binary=True)
    assert status == 0 and out.startswith(b"\x89PNG")
    assert int.from_bytes(out[16:20], "big") == 800


def test_words_and_special_tokens(run, minilm) -> None:
    words = ("mechanisms", "It was unbelievably cold", "-m", minilm, "--mechanism", "causal")
    run(*words, "--words", "--no-special", "-o", "a.svg")
    labels = shown("a.svg").splitlines()
    assert {"it", "unbelievably", "cold"} <= set(labels) and "[CLS]" not in labels
    assert "distances are over all tokens" in shown("a.svg")
    joined, plain = (json.loads(run(*words, *more, "--json")[1]) for more in (["--words", "--no-special"], []))
    assert [row["keys"] for row in joined] == [4, 2.5] and plain[0]["keys"] > 6
    assert [row["distance"] for row in joined] == [row["distance"] for row in plain]


def test_a_bare_picture_prints_its_caption(run) -> None:
    status, out, err = run("mechanisms", TEA, "--mechanism", "scoring", "--bare", "-o", "a.svg")
    assert (status, out) == (0, "a.svg\n")
    assert (
        err.startswith("Kinds of attention · seeded · layer 0 · head 0. Random weights, seed 0")
        and err.count("\n") == 1
    )


def test_between_two_texts(run) -> None:
    status, out, _ = run("mechanisms", TEA, "--pair", "ein zwei drei vier", "--stream", "cross", "--json")
    assert status == 0
    assert {row["name"]: row["keys"] for row in json.loads(out)}["full"] == 4
    cross = json.loads(run("mechanisms", TEA, "--pair", "ein zwei drei vier", "--mechanism", "cross", "--json")[1])
    assert [(row["name"], row["keys"], row["distance"]) for row in cross] == [("scaled-dot", 4, 0), ("cross", 4, 0)]


def test_a_loaded_model_has_what_it_can_have(run, minilm) -> None:
    status, out, _ = run("mechanisms", TEXT, "-m", minilm, "-l", "3", "-H", "1", "--json")
    names = [row["name"] for row in json.loads(out)]
    assert status == 0
    assert names == [name for name, one in MECHANISMS.items() if one.needs == "any"]


# --- how long ------------------------------------------------------------------------------------------------------


def test_times_are_drawn(run) -> None:
    """Measured in earnest: a square and a straight line, which no machine confuses."""
    status, out, err = run("mechanisms", "--scaling", "--mechanism", "linformer", "-o", "a.svg")
    assert (status, out, err) == (0, "a.svg\n", "")
    words = shown("a.svg")
    assert "Kinds of attention · time over the length of the text" in words
    powers = dict(re.findall(r"^ *(full|linformer)  n([⁰¹²³⁴⁵⁶⁷⁸⁹·]+) *$", words, re.M))
    full, linformer = (
        float(powers[name].translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹·", "0123456789."))) for name in ("full", "linformer")
    )
    assert full > linformer + 0.4


def test_times_as_json(run) -> None:
    status, out, err = run("mechanisms", "--scaling", "--mechanism", "full", "--json")
    rows = json.loads(out)
    assert (status, err) == (0, "")
    assert {row["name"] for row in rows} == {"full"}
    sizes = [row["n"] for row in rows]
    assert sizes == [128 * 2**i for i in range(len(sizes))] and len(sizes) > 3
    assert rows[-1]["seconds"] > 8 * rows[0]["seconds"] > 0
    assert {row["exponent"] for row in rows} == {rows[0]["exponent"]} and rows[0]["exponent"] > 1.3


@pytest.mark.usefixtures("interruptible")
def test_measuring_is_interrupted_at_once(run, monkeypatch) -> None:
    """Ctrl-C while the third text is measured: no further one is begun."""
    from attnviz.variants import scaling

    begun, shortest = [], scaling._shortest

    def interrupted(*args):
        begun.append(args)
        if len(begun) == 3:
            signal.raise_signal(signal.SIGINT)
        return shortest(*args)

    monkeypatch.setattr(scaling, "_shortest", interrupted)
    assert run("mechanisms", "--scaling", "-o", "a.png") == (130, "", "")
    assert len(begun) == 3 and list(Path.cwd().iterdir()) == []


# --- in the other commands -----------------------------------------------------------------------------------------


def test_the_picture_names_its_mechanism(run) -> None:
    status, out, err = run("heatmap", TEXT, "--mechanism", "window:3", "-o", "a.svg", "--bare")
    assert (status, out) == (0, "a.svg\n")
    assert err.startswith("seeded, window:3 · layer 1 · 4 heads. Random weights, seed 0")
    assert "window: 3 tokens to each side (Beltagy 2020, Longformer)" in err
    run("heatmap", TEXT, "--mechanism", "additive", "-o", "b.svg")
    words = shown("b.svg")
    assert "seeded, additive · layer 1 · 4 heads" in words and "additive (Bahdanau 2014)" in words


def test_export_has_the_mechanisms_numbers(run) -> None:
    run("export", TEXT, "--mechanism", "lsh:2,rounds=2", "-o", "a.npz", "--seed", "5")
    found = attnviz.open("a.npz")
    want = attnviz.load("seeded", seed=5, mechanism="lsh:2,rounds=2").attend(TEXT)
    np.testing.assert_array_equal(found.weights, want.weights)
    assert found.model == "seeded, lsh:2,rounds=2" and found.meta["mechanism"] == "lsh:2,rounds=2"
    assert "--mechanism lsh:2,rounds=2" in found.meta["command"]


def test_table_hides_what_a_mechanism_hides(run) -> None:
    _, out, _ = run("table", "a b c d", "--mechanism", "window:1", "-H", "0")
    rows = [line.split()[1:] for line in out.splitlines()[2:]]
    assert [[cell == "-" for cell in row] for row in rows] == [[abs(i - j) > 1 for j in range(4)] for i in range(4)]


def test_inspect_says_what_the_mechanism_is(run) -> None:
    _, out, _ = run("inspect", "seeded", "--mechanism", "dilated:3", "--headers")
    assert "model               seeded, dilated:3" in out
    assert "mechanism           dilated, 3 tokens to each side, steps of 2" in out
    assert "its source          Beltagy 2020, Longformer, section 3.1, dilated sliding window" in out


def test_signed_weights_are_printed_with_their_sign(run) -> None:
    run("heatmap", TEXT, "--mechanism", "mamba", "-l", "0", "-H", "0", "-o", "a.svg")
    words = shown("a.svg").split()
    weights = attnviz.load("seeded", mechanism="mamba").attend(TEXT, layers=0, heads=0).weights[0, 0]
    low = f"−{abs(weights.min()):.2f}".replace("−0", "−")
    assert weights.min() < -0.1 and low in words
    assert "weight (signed)" in shown("a.svg")
    _, _, err = run("heatmap", TEXT, "--mechanism", "mamba", "-l", "0", "-H", "0", "-o", "a.svg", "--bare")
    low, high = re.search(r"Colour: weight \(signed\), linear from (\S+) to (\S+) \(inks\)", err).groups()
    assert float(low) == -float(high) and float(high) >= np.abs(weights).max()


def test_heads_that_hide_different_keys_say_so(run) -> None:
    run("heatmap", TEXT, "--mechanism", "lsh:8", "-o", "a.svg")
    run("heatmap", TEXT, "--mechanism", "lsh:8", "-H", "1", "-o", "b.svg")
    run("heatmap", TEXT, "--mechanism", "window", "-o", "c.svg")
    said = ["grey: not allowed in any of these heads" in shown(f"{name}.svg") for name in "abc"]
    assert said == [True, False, False]
    assert all("grey: not allowed" in shown(f"{name}.svg") for name in "abc")


def test_one_text_attends_to_another(run) -> None:
    pair = "Le chat est fatigué"
    run("export", TEA, "--pair", pair, "--stream", "cross", "-o", "a.npz")
    found, want = attnviz.open("a.npz"), attnviz.load("seeded").attend(TEA, pair, stream="cross")
    np.testing.assert_array_equal(found.weights, want.weights)
    assert found.weights.shape == (2, 4, 3, 4) and found.stream == "cross"
    run("heatmap", TEA, "--pair", pair, "--stream", "cross", "-o", "a.svg")
    words = shown("a.svg").splitlines()
    assert "seeded · cross-attention · layer 1 · 4 heads" in words
    assert {"I", "like", "tea", "Le", "chat", "est", "fatigué", "query", "key"} <= set(words)
    assert run("heatmap", TEA, "--pair", pair, "--mechanism", "cross", "-o", "b.svg")[0] == 0
    assert "seeded, cross · cross-attention · layer 1 · 4 heads" in shown("b.svg")


def test_an_image_goes_through_the_seeded_model(run) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (60, 80, 3), np.uint8)).save("a.png")
    assert run("heatmap", "--image", "a.png", "-o", "b.svg") == (0, "b.svg\n", "")
    assert "random weights, seed 0 · each panel: the weights of [class] over 14 x 14 patches" in shown("b.svg")
    run("heatmap", "--image", "a.png", "--mechanism", "window:20", "-o", "c.svg")
    assert "grey: not allowed" in shown("c.svg") and "grey: not allowed" not in shown("b.svg")
    run("export", "--image", "a.png", "-l", "0", "-H", "0", "-o", "d.npz")
    found = attnviz.open("d.npz")
    assert found.weights.shape == (1, 1, 197, 197) and found.grid == (14, 14)


@pytest.mark.parametrize(
    ("mechanism", "says"),
    [
        ("rotary", "1b Rotary positions"),
        ("alibi", "3b Bias by distance"),
        ("window:2", "s_ij ← −∞ where j is more than 2 tokens away (a sliding window)"),
        ("causal", "s_ij ← −∞ where j > i (causal)"),
        ("t5", "3b Bias by distance"),
        ("dot", "this model does not scale"),
        ("transformer-xl", "Relative positions"),
        ("no-positions", "x_i = the embedding of token i"),
    ],
)
def test_steps_walk_through_what_is_a_softmax(run, mechanism, says) -> None:
    status, out, _ = run("steps", TEXT, "--mechanism", mechanism, "-l", "0")
    assert status == 0
    assert out.startswith(f"seeded, {mechanism}") or mechanism == "window:2"
    assert says in out


def test_steps_between_two_texts(run) -> None:
    _, out, _ = run("steps", "the cat", "--pair", "le chat dort", "--stream", "cross")
    assert "seeded · cross-attention · layer 1 of 0–1" in out
    assert "m_j = the pair after all layers" in out and "encoder" not in out


# --- one clear line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "status", "says", "hint"),
    [
        (["heatmap", TEXT, "--mechanism", "windw"], 2, "--mechanism windw: there is no mechanism 'windw'", "window?"),
        (
            ["table", TEXT, "--mechanism", "window:0"],
            2,
            "--mechanism window:0: reach of window must be a",
            "mechanisms",
        ),
        (["export", TEXT, "--mechanism", "window:a"], 2, "--mechanism window:a: reach of window must be a", "lists"),
        (["heatmap", TEA, "--mechanism", "lsh:8"], 1, "lsh wants no more buckets than tokens, 3; got 8", "lsh:2"),
        (["mechanisms", TEA, "--mechanism", "lsh:8"], 1, "lsh wants no more buckets than tokens, 3; got 8", ""),
        (["heatmap", TEXT, "--mechanism", "window", "--pair", "x y", "--stream", "cross"], 1, "window is for one", ""),
        (["heatmap", TEXT, "--mechanism", "cross"], 1, "cross-attention is between two texts", "--pair"),
        (["heatmap", TEXT, "--mechanism", "patches"], 1, "patches are of an image; none was given", "--image"),
        (["heatmap", "--from", "a.npz", "--mechanism", "window"], 2, "--from and --mechanism exclude each other", ""),
        (["steps", TEXT, "--mechanism", "additive"], 1, "additive has no steps to walk through", "--mechanism"),
        (["steps", TEXT, "--mechanism", "linformer:2"], 1, "linformer has no steps to walk through", "causal"),
        (["mechanisms", TEXT, "-l", "all"], 2, "--layer wants one index, as in --layer 0: mechanisms stand", ""),
        (["mechanisms", TEXT, "-H", "0-3"], 2, "--head wants one index, as in --head 0: mechanisms stand", ""),
        (["mechanisms", TEXT, "-l", "2"], 1, "layer 2 is not there; the model has layers 0-1", ""),
        (["mechanisms", TEXT, "--stream", "up"], 2, "--stream must be one of", ""),
        (["mechanisms", TEXT, "--mechanism", "window:0"], 2, "--mechanism window:0: reach of window must", ""),
        (["mechanisms", "--mechanism", "what"], 2, "--mechanism what: there is no mechanism 'what'", "lists them"),
        (["mechanisms", "-o", "x.png"], 2, "wanted a text to draw: TEXT or --file PATH", "attnviz mechanisms"),
        (["mechanisms", TEXT, "-o", "x.gif"], 2, "'x.gif' ends in '.gif'; wanted .png, .svg, .pdf, .pgf", ""),
        (["mechanisms", TEXT, "-o", "no/x.png"], 1, "cannot write 'no/x.png': there is no folder 'no'", ""),
        (["mechanisms", TEXT, "--json", "-o", "x.png"], 2, "--json prints to standard output: leave out -o", ""),
        (["mechanisms", TEXT, "--cmap", "jet"], 2, "--cmap jet is a rainbow", ""),
        (["mechanisms", TEXT, "--mechanism", "mamba", "--scale", "cube"], 2, "--scale must be one of", ""),
        (["mechanisms", ""], 1, "the text is empty", ""),
        (["mechanisms", TEXT, "--scaling"], 2, "--scaling measures without a text; got TEXT", ""),
        (["mechanisms", "--scaling", "--mechanism", "alibi"], 2, "--scaling does not measure alibi: it costs what", ""),
        (["mechanisms", "--scaling", "--mechanism", "window:3"], 2, "--scaling sets the numbers by itself", ""),
        (["mechanisms", "--scaling", "--mechanism", "positions"], 2, "--scaling measures none of positions", ""),
        (["mechanisms", "--scaling", "-m", "minilm"], 2, "--scaling draws queries and keys by itself", ""),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(run, words, status, says, hint) -> None:
    got, out, err = run(*words)
    lines = err.splitlines()
    assert (got, out) == (status, "")
    assert lines[0].startswith(f"error: {says}"), lines[0]
    assert len(lines) <= 2 and (not hint or (lines[1].startswith("hint: ") and hint in lines[1]))
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("command", ["heatmap", "table", "export", "steps", "mechanisms"])
def test_a_loaded_model_that_cannot_have_it(run, minilm, command) -> None:
    got, out, err = run(command, TEXT, "-m", minilm, "--mechanism", "additive")
    assert (got, out) == (1, "")
    assert err.splitlines()[0].endswith(" cannot have additive: its weights were not trained for it")
    assert "; " in err.splitlines()[1] and "window" in err.splitlines()[1]


def test_a_loaded_model_of_two_stacks(run) -> None:
    folder = REFERENCE / "bart"
    got, out, err = run("mechanisms", "--ids", "5,6,7", "-m", folder)
    assert (got, out) == (1, "")
    assert err.splitlines()[0] == "error: bart cannot have scaled-dot: it has two stacks"
