"""The first picture: eight heads of tiny, each titled by what it does, and a check that it does so."""

from __future__ import annotations

import io
import re
import sys

import numpy as np
import pytest
from helpers.paths import ROOT
from helpers.sentences import TIRED
from PIL import Image

import attnviz
from attnviz.cli.first import NINE
from attnviz.models.find import titles
from attnviz.page.heatmap import heatmap
from attnviz.page.label_bounds import bounds
from attnviz.page.wording import CAUTION

sys.path.insert(0, str(ROOT / "scripts" / "tiny"))
import titles as titles_measured

CARD = (ROOT / "docs" / "tiny.md").read_text("utf-8")
ROW = re.compile(r"\| (\d)\.(\d) \| ([^|]+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|")
WITH_END = "The young doctor smiled at the farmer."


@pytest.fixture(scope="module")
def tiny():
    return attnviz.load("tiny")


@pytest.fixture
def drawn(run, monkeypatch, tmp_path):
    """A command as a newcomer types it -> the Figure that it draws."""
    monkeypatch.delenv("ATTNVIZ_MODEL")
    figures = []
    import attnviz.page.heatmap as view

    def seen(*given, **options):
        figures.append(heatmap(*given, **options))
        return figures[-1]

    monkeypatch.setattr(view, "heatmap", seen)

    def draw(*arguments):
        done = run("heatmap", *arguments, "-o", str(tmp_path / "x.png"))
        assert done[0] == 0, done[2]
        return figures[-1]

    return draw


def names(figure):
    return [panel.title for panel in figure.panels]


@pytest.fixture(scope="module")
def scores(tiny):
    """[title, head] how often each of the nine heads does what each title says, on the held-out sentences."""
    right = np.zeros((len(NINE), len(NINE)))
    counts = np.zeros(len(NINE))
    places = [tuple(map(int, name.split("."))) for name in NINE]
    for found, wanted in titles_measured.held_out(tiny):
        for i, at in enumerate(places):
            title = titles(tiny)[NINE[i]]
            assert titles_measured.TITLES[at] == title
            for j, other in enumerate(places):
                rows = titles_measured.asked(title, found.query_tokens, wanted)
                hits, _ = titles_measured.shares(found, other, rows, title)
                right[i, j] += sum(hits)
                counts[i] += len(hits) * (i == j)
    return right / counts[:, None]


def test_every_title_is_true_as_often_as_the_card_says(scores):
    """The card's numbers agree with this run, and each is above the card's own bound and chance."""
    rows = {f"{a}.{b}": rest for a, b, *rest in ROW.findall(CARD)}
    assert list(rows) == sorted(NINE)
    for i, name in enumerate(NINE):
        title, _, right, chance, bound = rows[name]
        assert title == titles(attnviz.load("tiny"))[name]
        assert float(right) == pytest.approx(scores[i, i], abs=0.0051)
        assert scores[i, i] >= float(bound) >= 0.7 > 1.5 * float(chance)


def test_where_a_title_names_one_kind_of_key_no_other_head_of_the_picture_does_it_better(scores):
    """Many heads look at content words, and a head that looks at the end mark shares one key too."""
    for i, name in enumerate(NINE):
        if name not in ("1.2", "2.3", "5.1"):
            assert scores[i].argmax() == i and scores[i, i] - np.sort(scores[i])[-2] > 0.02


def test_it_shows_eight_heads_by_name(drawn, tiny):
    figure = drawn(TIRED)
    shown = [name for name in NINE if name != "3.2"]
    assert names(figure) == [f"{name}  {titles(tiny)[name]}" for name in shown]
    assert figure.title == "attnviz tiny · eight heads and what they do"
    words = ["the", "animal", "didn't", "cross", "the", "street", "because", "it", "was", "too", "tired"]
    assert list(figure.panels[0].row_labels) == list(figure.panels[0].col_labels) == words
    assert "special tokens left out" in figure.notes and figure.panels[0].cell_text
    found = tiny.attend(TIRED, heads=shown).words().without_special()
    for panel, (weights, _) in zip(figure.panels, found.maps(), strict=True):
        np.testing.assert_array_equal(panel.values, weights)
    texts = {label.text for label in figure.labels}
    assert set(names(figure)) <= texts  # whole, not shortened


def test_end_marks_are_shown_where_the_text_has_one(drawn):
    assert "3.2  end marks" in names(drawn(WITH_END))
    assert not any("end marks" in name for name in names(drawn(TIRED)))


def test_pieces_and_special_tokens_come_back(drawn):
    labels = drawn(WITH_END, "--pieces").panels[0].row_labels
    assert "##d" in labels and "[CLS]" not in labels
    labels = drawn(WITH_END, "--special").panels[0].row_labels
    assert labels[0] == "[CLS]" and "smiled" in labels
    labels = drawn(WITH_END, "--special", "--pieces").panels[0].row_labels
    assert labels[0] == "[CLS]" and "##d" in labels


@pytest.mark.parametrize(
    ("options", "titled", "tokens"),
    [
        (("-l", "-1"), [f"head {i}{'  topic' * (i == 1)}" for i in range(8)], 15),
        (("-H", "all"), [f"head {i}{'  topic' * (i == 1)}" for i in range(8)], 15),
        (("-l", "4"), [f"head {i}" for i in range(8)], 15),
        (("-l", "0,1", "-H", "0,1"), ["head 0", "head 1"] * 2, 15),
        (("-H", "3"), [""], 15),
        (("-m", "seeded"), [f"head {i}" for i in range(4)], 11),
        (("--mean", "heads"), [""], 15),
        (("-H", "3.1,0.0"), ["3.1  pronoun to noun", "0.0  previous word"], 15),
        (("-H", "3.1,0.7"), ["3.1  pronoun to noun", "0.7"], 15),
    ],
)
def test_what_is_named_is_drawn_as_it_is(drawn, options, titled, tokens):
    figure = drawn(TIRED, *options)
    assert names(figure) == titled and len(figure.panels[0].row_labels) == tokens


def headings(figure):
    """The text above each panel, its lines joined."""
    found = []
    for panel in figure.panels:
        box = panel.box
        above = [
            label
            for label in figure.labels
            if label.role == "heading" and label.x == box.x and box.y - 2.8 * label.size < label.y < box.y
        ]
        found.append([label.text for label in sorted(above, key=lambda label: label.y)])
    return found


def test_in_a_narrow_picture_titles_are_smaller_then_take_two_lines_and_are_never_cut(drawn):
    """In the end only the heads' names are left, and a note says so; another note says that titles are no law."""
    for width, most in (("8", 1), ("5.5", 2), ("3.25", 2), ("8.25cm", 2), ("1.6", 1)):
        figure = drawn(TIRED, "--width", width)
        above = headings(figure)
        assert max(map(len, above)) == most
        whole = width != "1.6"
        titled = names(figure) if whole else [name for name in NINE if name != "3.2"]
        assert [" ".join(lines).split() for lines in above] == [title.split() for title in titled]
        assert (CAUTION in figure.notes) == whole and ("no room for what the heads do" in figure.notes) != whole
        for label in figure.labels:
            left, top, right, bottom = bounds(label, figure.face)
            assert left >= 0 and top >= 0 and right <= figure.width and bottom <= figure.height


def test_one_head_has_its_title_beside_its_name(drawn):
    figure = drawn(TIRED, "-l", "3", "-H", "1")
    assert figure.title == "attnviz tiny · layer 3 · head 1 · pronoun to noun" and CAUTION in figure.notes
    assert drawn(TIRED, "-l", "3", "-H", "0").title == "attnviz tiny · layer 3 · head 0"
    alone = drawn(TIRED, "-l", "3", "-H", "0-1", "--query", "it")
    assert alone.panels[0].row_labels == ("head 0", "head 1  pronoun to noun") and CAUTION in alone.notes
    assert CAUTION not in drawn(TIRED, "-l", "4").notes


def test_one_query_has_a_row_a_head(drawn):
    figure = drawn(TIRED, "--query", "it", "--dpi", "60")
    (panel,) = figure.panels
    assert len(panel.row_labels) == 8 and panel.row_labels[0] == "0.0  previous word"
    assert panel.values[0].argmax() == 6  # "because", the word before it
    assert figure.title == "attnviz tiny · eight heads and what they do · query “it”"


def test_a_short_text_has_room_for_titles_and_they_are_no_law(drawn):
    for text in ("The cat sat", "Hello there"):
        figure = drawn(text)
        assert set(names(figure)) <= {label.text for label in figure.labels}
        assert "titles: what each head does most often, in English" in figure.notes


def test_the_command_is_repeated_by_what_the_picture_holds(drawn, tmp_path):
    drawn(TIRED, "--pieces")
    kept = Image.open(io.BytesIO((tmp_path / "x.png").read_bytes())).text["command"]
    assert "--pieces" in kept and "-H" not in kept


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--words", "--pieces"), "--words and --pieces exclude each other"),
        (("--no-special", "--special"), "--no-special and --special exclude each other"),
        (("--tokens", "x"), "--tokens: wanted a range of tokens such as 3-9; got 'x'"),
    ],
)
def test_what_excludes_each_other(run, options, said):
    done = run("heatmap", TIRED, *options)
    assert done[0] == 2 and said in done[2]
