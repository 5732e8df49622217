"""The background of a terminal, and the colours of weights on it: zero is the background itself, light or dark.

Light or dark is decided here and nowhere else, by the first of these sources that answers:

    ATTNVIZ_BACKGROUND    light or dark
    the terminal          asked for its background colour (OSC 11), only where a person uses it
    COLORFGBG             set by some terminals: 15;0 is white on black
    else                  dark

The default map and signed numbers then grow from the background to dark or to light colours; maps chosen by name
(viridis, ...) are the same on both.
"""

from __future__ import annotations

import os
import re
import select
import sys
import time
from dataclasses import dataclass
from functools import cache
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import SelectionError, one_of
from attnviz.page.colours import RGB
from attnviz.page.scale import GREYS, INKS, WHITE
from attnviz.render import ink, theme

if TYPE_CHECKING:
    from numpy.typing import NDArray

VARIABLE = "ATTNVIZ_BACKGROUND"
WAIT, FAR = 0.15, 0.5  # seconds for an answer, and over ssh, where one that comes later would be left on the prompt
STARTS = {"dark": (12.0, 30.0), "light": (85.0, 100.0)}  # L* at which maps may begin
_ASK = b"\x1b]11;?\x1b\\\x1b[c"  # background colour; then device attributes, which nearly every terminal answers
_COLOUR = re.compile(rb"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")
_ATTRIBUTES = re.compile(rb"\x1b\[\?[0-9;]*c")
# Whole answers, and the rest of an answer that came too late.
_ANSWERS = re.compile(rb"\x1b\]11;[^\x07\x1b]*(?:\x07|\x1b\\|$)|\x1b\[\?[0-9;]*(?:c|$)")
_MOST = 1024  # bytes of an answer
# Colours of older terminals, which have 256, along each curve: the nearest of all would be greys and violets.
_FEW: dict[ink.Curve, tuple[int, ...]] = {ink.INK: (195, 153, 111, 68, 25, 18), ink.BRICK: (224, 217, 174, 131, 88, 52)}
_FEW |= {ink.NIGHT: (17, 25, 67, 110, 153), ink.EMBER: (52, 88, 131, 173, 216, 223)}
_CHANGED: dict[int, list[Any]] = {}  # settings that terminals had before they were asked


@dataclass(frozen=True)
class Ground:
    """A terminal's background.

    dark: whether it is; start: L* at which maps begin, that of the background if known; few: there are 256 colours.
    """

    dark: bool
    start: float
    few: bool = False

    @classmethod
    def of(cls, name: str, lightness: float | None = None) -> Ground:
        """A ground by name, light or dark. lightness: L* of the background, None if only the name is known."""
        low, high = STARTS[name]
        usual = low if name == "dark" else high
        return cls(name == "dark", usual if lightness is None else min(max(lightness, low), high))

    @property
    def grey(self) -> RGB:
        """A masked cell: neutral, and not far from the background, so that a causal map does not glare."""
        return _rgb(ink.colours(ink.Curve(self.start, 0.0, 0.0, (0.0, 0.0)), self.start + (12 if self.dark else -9))[0])

    def masked(self, cmap: str) -> RGB:
        """A masked cell of a map: grey, and violet where weights are grey."""
        if cmap.removesuffix("_r") not in GREYS:
            return self.grey
        lightness = 40.0 if self.dark else 80.0
        return _rgb(ink.colours(ink.Curve(lightness, 30.0, 0.0, (310.0, 310.0)), lightness)[-1])

    @property
    def stress(self) -> RGB:
        """The colour of a line to stress: blue, and easily read on the background."""
        return _rgb(_table(False, self)[0][205])

    def colours(
        self, unit: NDArray[np.floating], cmap: str, zero: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Positions 0 to 1 on a map [...] -> colours uint8 [..., 3], and bool [...]: whether it is the background.

        zero: cells that are the background too; a map chosen by name has none.
        """
        if cmap not in (WHITE, INKS):
            return theme.colour(unit, cmap), np.zeros(np.shape(unit), bool)
        colours, nothing = _table(cmap == INKS, self)
        bare = theme.picked(nothing, unit)
        return theme.picked(colours, unit), bare if zero is None else bare | zero


@cache
def _table(signed: bool, ground: Ground) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A map that begins at the background as [256, 3], and where it is the background.

    A signed map has the background in its middle; red is plus.
    """
    blue, red = (ink.NIGHT, ink.EMBER) if ground.dark else (ink.INK, ink.BRICK)
    if not signed:
        return _curve(blue, ground, 256)
    (minus, none), (plus, nothing) = _curve(blue, ground, 128), _curve(red, ground, 128)
    return np.concatenate([minus[::-1], plus]), np.concatenate([none[::-1], nothing])


def _curve(curve: ink.Curve, ground: Ground, count: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A map from the background; with few colours each place has the colour nearest in lightness."""
    if not ground.few:
        return ink.colours(curve, ground.start, count), np.arange(count) == 0
    known = np.array([_cube(code) for code in _FEW[curve]], np.uint8)
    least = ground.start + 8 if ground.dark else 0.0  # dark blue looks lighter than it is
    light = [ground.start, *(max(ink.lightness(*colour), least) for colour in known / 255)]
    place = np.abs(np.linspace(ground.start, curve.last, count)[:, None] - light).argmin(1)
    return known[place - 1], place == 0


def _cube(code: int) -> RGB:
    """Colours 16 to 231 of xterm: six steps of red, green and blue."""
    steps = (0, 95, 135, 175, 215, 255)
    return steps[(code - 16) // 36], steps[(code - 16) // 6 % 6], steps[(code - 16) % 6]


def _rgb(colour: NDArray[np.uint8]) -> RGB:
    red, green, blue = colour.tolist()
    return red, green, blue


def ground(out: IO[str]) -> Ground:
    """The background of the terminal that `out` writes to.

    Raises SelectionError: ATTNVIZ_BACKGROUND is neither light nor dark.
    """
    named = os.environ.get(VARIABLE, "")
    if named:
        if named not in STARTS:
            raise SelectionError(one_of(VARIABLE, named, ("light", "dark")))
        return Ground.of(named)
    lightness = _asked() if out.isatty() else None
    if lightness is not None:
        return Ground.of("dark" if lightness < 50 else "light", lightness)
    # White (7, 15) is light, and so are the bright colours behind the dark and grey ones.
    last = os.environ.get("COLORFGBG", "").rpartition(";")[2]
    return Ground.of("light" if last == "7" or (last.isdecimal() and 9 <= int(last) <= 15) else "dark")


@cache
def _asked() -> float | None:
    """L* of the terminal's background, asked once; None if it does not say or must not be asked."""
    try:
        reads, writes = sys.__stdin__.fileno(), sys.__stdout__.fileno()  # type: ignore[union-attr]
        if not (os.isatty(reads) and os.isatty(writes)) or os.tcgetpgrp(reads) != os.getpgrp():
            return None  # a background job that changes the terminal would be stopped
        sys.__stdout__.flush()  # type: ignore[union-attr]
        answer = _COLOUR.search(_answer(reads, writes))
    except (ImportError, AttributeError, OSError, ValueError):
        return None  # no such terminals on this system, or streams without one
    if answer is None:
        return None
    return ink.lightness(*(int(part, 16) / (16 ** len(part) - 1) for part in answer.groups()))


def _answer(reads: int, writes: int) -> bytes:
    """The terminal's answer; b"" if typed keys wait to be read, which belong to another program."""
    import termios

    if _waits(reads):
        return b""
    before = termios.tcgetattr(reads)
    silent = [*before[:6], list(before[6])]
    silent[3] &= ~(termios.ICANON | termios.ECHO)
    silent[6][termios.VMIN], silent[6][termios.VTIME] = 0, 0
    _CHANGED[reads] = before
    try:
        termios.tcsetattr(reads, termios.TCSANOW, silent)
        if _waits(reads):  # the beginning of a line, which is not to be seen before
            return b""
        os.write(writes, _ASK)
        answer = _read(reads, time.monotonic() + (FAR if os.environ.get("SSH_CONNECTION") else WAIT))
        keys = _taken_back(reads, _ANSWERS.sub(b"", answer))
    finally:
        restore()
    _push(reads, keys)
    return answer


def _taken_back(reads: int, typed: bytes) -> bytes:
    """The keys to push back, in order: keys typed while the terminal was asked, then keys that still wait.

    b"" where nothing was typed, or where the system accepts keys from the keyboard alone (Linux from 6.2 on, unless
    dev.tty.legacy_tiocsti is set). One key is tried first, so that the waiting keys are not lost too.
    """
    import fcntl
    import termios

    before = int.from_bytes(fcntl.ioctl(reads, termios.FIONREAD, bytes(4)), sys.byteorder)
    if not typed or not _push(reads, typed[:1]):
        return b""
    later = os.read(reads, _MOST)
    return typed + later[:before] + later[before + 1 :]


def _push(reads: int, keys: bytes) -> bool:
    """Put keys into the terminal's input. Return whether the system allows it."""
    import fcntl
    import termios

    try:
        for key in keys:
            fcntl.ioctl(reads, termios.TIOCSTI, bytes([key]))
    except OSError:
        return False
    return True


def _waits(reads: int) -> bool:
    return bool(select.select([reads], [], [], 0)[0])


def restore() -> None:
    """Give a terminal its settings back, so that typed keys are visible again however the command ends."""
    while _CHANGED:
        import termios

        handle, before = _CHANGED.popitem()
        termios.tcsetattr(handle, termios.TCSANOW, before)


def _read(reads: int, until: float) -> bytes:
    """Bytes up to the device attributes, which end the answer."""
    answer = b""
    while not _ATTRIBUTES.search(answer) and len(answer) < _MOST:
        left = until - time.monotonic()
        if left <= 0 or not select.select([reads], [], [], left)[0]:
            break
        part = os.read(reads, 1)  # no more than the answer: what follows was typed
        if not part:
            break
        answer += part
    return answer
