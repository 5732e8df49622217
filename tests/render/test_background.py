"""Zero is the terminal's own background: which it is, what is asked of the terminal, and the colours on it."""

from __future__ import annotations

import io
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.colour_vision import DEUTERANOPE, PROTANOPE, contrast, lab, linear
from helpers.pseudo_terminal import PseudoTerminal

from attnviz.errors import SelectionError
from attnviz.page.colours import is_dark
from attnviz.render import ink
from attnviz.render.background import Ground, ground
from attnviz.render.theme import table

QUERY = b"\x1b]11;?\x1b\\\x1b[c"
ATTRIBUTES = b"\x1b[?62;4c"
ASK = (
    "import sys; from attnviz.cli import _end_when_told; _end_when_told()\n"
    "from attnviz.render.background import ground\n"
    "print('start', flush=True); g = ground(sys.stdout); print(f'dark {g.dark} start {g.start:.0f}.')"
)
WHITE = b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\"
LEGACY = Path("/proc/sys/dev/tty/legacy_tiocsti")
MAY_NOT_TYPE = LEGACY.exists() and LEGACY.read_text().strip() != "1"  # no program may type for the user
PLACES = np.linspace(0, 1, 256, endpoint=False).astype(np.float32)
WAYS = [Ground.of("dark"), Ground.of("light"), Ground.of("dark", 22.0), Ground.of("light", 92.0)]


@pytest.fixture
def nothing_set(monkeypatch):
    for name in ("ATTNVIZ_BACKGROUND", "COLORFGBG"):
        monkeypatch.delenv(name, raising=False)


# --- which it is ---------------------------------------------------------------------------------------------------


def test_dark_unless_somebody_says_otherwise(nothing_set):
    assert ground(io.StringIO()) == Ground(dark=True, start=12.0)


@pytest.mark.parametrize(
    ("said", "dark"), [("15;0", True), ("0;15", False), ("0;default;7", False), ("12;8", True), ("default", True)]
)
def test_colorfgbg(nothing_set, monkeypatch, said, dark):
    monkeypatch.setenv("COLORFGBG", said)
    assert ground(io.StringIO()).dark is dark


def test_the_variable_comes_first(nothing_set, monkeypatch):
    monkeypatch.setenv("COLORFGBG", "15;0")
    monkeypatch.setenv("ATTNVIZ_BACKGROUND", "light")
    assert ground(io.StringIO()) == Ground(dark=False, start=100.0)
    monkeypatch.setenv("ATTNVIZ_BACKGROUND", "grey")
    with pytest.raises(SelectionError, match="ATTNVIZ_BACKGROUND must be one of light, dark; got 'grey'"):
        ground(io.StringIO())


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\" + ATTRIBUTES, b"dark False start 100."),
        (b"\x1b]11;rgb:fd/f6/e3\x07" + ATTRIBUTES, b"dark False start 97."),  # Solarized: L* 97 and 15
        (b"\x1b]11;rgb:0000/2b2b/3636\x1b\\" + ATTRIBUTES, b"dark True start 15."),
        (b"\x1b]11;rgba:0/0/0/f\x1b\\" + ATTRIBUTES, b"dark True start 12."),
        (ATTRIBUTES, b"dark False start 100."),  # the terminal gives no colour: COLORFGBG
    ],
)
def test_the_terminal_is_asked(answer, found):
    with PseudoTerminal("-c", ASK, COLORFGBG="0;15") as shown:
        assert shown.read(QUERY)
        assert shown.settings() != shown.before  # no echo: the answer is not to be seen
        shown.say(answer + b"ls\n")  # what is typed behind it is the shell's
        shown.read()
        assert found in shown.seen and b"rgb" not in shown.seen
        assert shown.settings() == shown.before and shown.left() == b"ls\n"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (b"m" + WHITE + b"ak" + ATTRIBUTES + b"e\n", b"make\n"),
        (b"make\n" + WHITE + ATTRIBUTES, b"make\n"),
        (b"\x1b[A\n" + ATTRIBUTES + b"ls\n", b"\x1b[A\nls\n"),  # an arrow key is no answer
        (b"slow\n", b"slow\n"),  # and no answer at all
    ],
)
def test_keys_typed_while_the_terminal_is_asked_are_given_back(said, left):
    with PseudoTerminal("-c", ASK) as shown:
        assert shown.read(QUERY)
        shown.say(said)
        shown.read()
        assert shown.settings() == shown.before and b"dark" in shown.seen
        after = said.rpartition(ATTRIBUTES)[2] if ATTRIBUTES in said else b""
        assert shown.left() + shown.left() == (after if MAY_NOT_TYPE else left)  # a line at a time


def test_a_terminal_that_says_nothing_is_not_waited_for():
    with PseudoTerminal("-c", ASK) as shown:
        assert shown.read(QUERY)
        start = time.monotonic()
        shown.read(b"dark True")
        assert 0.1 < time.monotonic() - start < 1.0
        shown.read()
        assert shown.settings() == shown.before


@pytest.mark.parametrize("keys", [b"make\n", b"mak"])
def test_keys_that_wait_are_left_alone(keys):
    with PseudoTerminal("-c", ASK, typed=keys) as shown:
        shown.read()
        assert b"\x1b" not in shown.seen and b"dark True" in shown.seen
        assert shown.settings() == shown.before and shown.left() == keys


@pytest.mark.parametrize(
    "more", [{"ATTNVIZ_BACKGROUND": "light"}, {"redirected": "< /dev/null"}, {"redirected": "| cat"}]
)
def test_it_is_not_asked_where_it_need_not_or_cannot_be(more):
    redirected = more.pop("redirected", "")
    words = ("-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ASK!r}]"
             f"{', stdin=subprocess.DEVNULL' if '<' in redirected else ''}"
             f"{', stdout=subprocess.PIPE' if '|' in redirected else ''})")  # fmt: skip
    with PseudoTerminal(*words, **more) as shown:
        shown.read()
        assert b"\x1b" not in shown.seen and shown.settings() == shown.before
        assert (b"dark False" if more else b"" if redirected == "| cat" else b"dark True") in shown.seen


@pytest.mark.parametrize("how", ["keys", signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_as_it_was_however_the_asking_ends(how):
    with PseudoTerminal("-c", ASK, SSH_CONNECTION="far away") as shown:  # which is waited for longer
        assert shown.read(QUERY)
        assert shown.settings() != shown.before
        shown.say(b"\x03") if how == "keys" else shown.process.send_signal(how)
        shown.read()
        assert b"dark" not in shown.seen and shown.process.returncode != 0
        assert shown.settings() == shown.before


# --- the colours on it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_zero_is_the_background_and_the_rest_grows_evenly_from_it(way):
    colours, bare = way.colours(PLACES, "ink")
    assert bare.tolist() == [True] + [False] * 255
    lightness = lab(linear(colours))[:, 0]
    assert lightness[0] == pytest.approx(way.start, abs=0.4)
    end = 88 if way.dark else 18
    np.testing.assert_allclose(np.diff(lightness[::8]), (end - way.start) * 8 / 255, atol=0.35)
    assert (np.sign(end - way.start) * np.diff(lightness[::2]) > 0).all()


def test_on_white_it_is_the_map_of_pictures():
    np.testing.assert_array_equal(Ground.of("light").colours(PLACES, "ink")[0], table("ink"))


@pytest.mark.parametrize("curve", [ink.NIGHT, ink.EMBER, ink.BRICK])
def test_steps_of_colour_are_even_too(curve):
    colours = ink.colours(curve, 100.0 if curve is ink.BRICK else 12.0)
    steps = np.linalg.norm(np.diff(lab(linear(colours))[::8], axis=0), axis=-1)
    assert steps.max() / steps.min() < 1.6
    for eye in (DEUTERANOPE, PROTANOPE):
        seen = np.abs(np.diff(lab(np.clip(linear(colours) @ eye.T, 0, 1))[::8, 0]))
        assert seen.max() / seen.min() < 1.45


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_numbers_can_be_read_on_every_colour(way, few):
    for cmap in ("ink", "inks"):
        colours, _ = Ground(way.dark, way.start, few).colours(PLACES, cmap)
        for colour, dark in zip(colours, is_dark(colours), strict=True):
            assert contrast(colour, [255] * 3 if dark else [0] * 3) >= 4.5


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_signs_grow_both_ways_from_the_background(way, few):
    colours, bare = Ground(way.dark, way.start, few).colours(PLACES, "inks")
    assert bare[127:129].all() and not bare[[0, 64, 192, 255]].any() and (few or bare.sum() == 2)
    assert (colours[:64, 2] > colours[:64, 0]).all() and (colours[192:, 0] > colours[192:, 2]).all()  # red is plus
    lightness = lab(linear(colours))[:, 0]
    ends = lightness[[0, 255]] - lightness[[64, 192]]
    assert (ends > 15).all() if way.dark else (ends < -15).all()


@pytest.mark.parametrize("way", WAYS[:2])
def test_few_colours_keep_the_order_and_are_those_of_the_terminal(way):
    few = Ground(way.dark, way.start, few=True)
    colours, bare = few.colours(PLACES, "ink")
    shown = colours[~bare]
    assert set(shown.ravel().tolist()) <= {0, 95, 135, 175, 215, 255} and 5 <= len(np.unique(shown, axis=0)) <= 6
    assert bare[0] and bare.sum() < 20
    steps = np.diff(lab(linear(shown))[:, 0])
    assert (steps >= 0).all() if way.dark else (steps <= 0).all()


def test_named_maps_stay_as_they_are():
    for cmap in ("viridis", "ink_r", "RdBu"):
        colours, bare = WAYS[0].colours(PLACES, cmap, zero=PLACES < 0.5)
        np.testing.assert_array_equal(colours, table(cmap))
        assert not bare.any()


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_a_line_that_stands_out_can_be_read(way, few):
    ground = ink.colours(ink.INK, way.start)[0]
    assert contrast(Ground(way.dark, way.start, few).stress, ground) >= 4.5


@pytest.mark.parametrize("way", WAYS)
def test_a_masked_cell_is_a_grey_that_neither_glares_nor_hides(way):
    grey = np.array(way.grey, np.uint8)
    assert len(set(way.grey)) == 1
    assert 8 <= abs(lab(linear(grey))[0] - way.start) <= 13


@pytest.mark.parametrize("way", WAYS)
def test_a_masked_cell_is_no_weight_of_a_map_of_greys(way):
    for cmap in ("Greys", "Greys_r"):
        apart = lab(linear(np.array(way.masked(cmap), np.uint8))) - lab(linear(table(cmap)))
        assert np.hypot(*apart.T[1:]).min() > 20  # in colour, whatever the lightness
    assert way.masked("ink") == way.masked("viridis") == way.grey
