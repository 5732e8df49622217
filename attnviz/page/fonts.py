"""Font files: which characters one has and how wide they are, read from the file itself.

A picture needs widths before anything is drawn, and needs to know that a script cannot be drawn before it is drawn as
boxes. Three tables of a TrueType or OpenType file say both (cmap, hmtx, head), so neither matplotlib nor a scan of the
system's fonts is needed for text that DejaVu Sans has. Two more (loca, glyf) say how high and how deep a glyph's ink
is.

Source: OpenType 1.9, chapters "cmap", "hmtx", "hhea", "head", "name", "loca", "glyf", "CBLC", "COLR".
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from attnviz.errors import InputError, SelectionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    _Integers = NDArray[np.int64]
    # First and last characters, first glyphs, and what finds glyphs that do not just follow the first.
    _Segments = tuple[_Integers, _Integers, _Integers, Callable[[_Integers, _Integers], _Integers] | None]

DEFAULT = "DejaVu Sans"
_ENDINGS = (".ttf", ".otf", ".ttc")
_LARGEST_FACE = 1 << 26  # outlines of a face with all Chinese characters take 15 MB
_MOST_FACES = 64  # of a collection: a damaged count must not take time
_LARGEST_TABLE = 1 << 23  # a table of a real font is smaller; a damaged length must not take memory


@dataclass(frozen=True, eq=False)
class FontFile:
    """One face of a font file. index: its place in a collection (.ttc), 0 in other files.

    family, style: as the file names itself. starts, ends, glyphs: the character ranges and the first glyph of each
    (consecutive from there). advances: widths of glyphs in ems. ascent, descent: in ems, both positive.
    outlines: False for a font of bitmaps, which cannot be drawn at any size, and for one of layered colours (COLR 1).
    strike: the size in pixels at which a font keeps coloured bitmaps (CBDT), 0 for other fonts.
    """

    path: str
    family: str
    style: str
    ascent: float
    descent: float
    outlines: bool
    codes: NDArray[np.int64] = field(repr=False)
    glyphs: NDArray[np.int64] = field(repr=False)
    advances: NDArray[np.float64] = field(repr=False)
    strike: int = 0
    index: int = 0

    @property
    def drawable(self) -> bool:
        """Whether a picture can hold its characters, as outlines or as coloured bitmaps."""
        return len(self.codes) > 0 and (self.outlines or self.strike > 0)

    def has(self, char: str) -> bool:
        """Whether the font has a glyph for this character."""
        return self._place(ord(char)) >= 0

    def advance(self, char: str) -> float:
        """Width of a character in ems; 0 for one that the font does not have."""
        place = self._place(ord(char))
        if place < 0:
            return 0.0
        return float(self.advances[min(int(self.glyphs[place]), len(self.advances) - 1)])

    def ink(self, char: str) -> tuple[float, float] | None:
        """Ink of a character above and below the baseline, in ems, both positive for a letter with a descender.

        None: the font lacks the character, or keeps its outlines in another form than TrueType's.
        """
        place, heights = self._place(ord(char)), _heights(self.path, self.index)
        glyph = int(self.glyphs[place]) if place >= 0 else len(heights)
        return (float(heights[glyph, 1]), -float(heights[glyph, 0])) if glyph < len(heights) else None

    def _place(self, code: int) -> int:
        at = int(np.searchsorted(self.codes, code))
        return at if at < len(self.codes) and self.codes[at] == code else -1


@cache
def read_font(path: str, index: int = 0) -> FontFile:
    """A face of a .ttf, .otf or .ttc file. Raises InputError if it is not one or is damaged."""
    try:
        with Path(path).open("rb") as file:
            return _read(path, file, index)
    except OSError as error:
        raise InputError(f"cannot read font {Path(path).name}: {error.strerror or error}") from None
    except (ValueError, IndexError, OverflowError) as error:
        raise InputError(f"{Path(path).name} is not a TrueType or OpenType font: {error}") from None


def alone(font: FontFile) -> bytes:
    """A face of a collection as a font file of its own, for readers that know no collections. Raises InputError."""
    try:
        with Path(font.path).open("rb") as file:
            tables = _tables(file, font.index)
            parts = {name: _table(file, tables, name, _LARGEST_FACE) for name in tables}
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read font {Path(font.path).name}: {error}") from None
    kind = b"OTTO" if b"CFF " in parts or b"CFF2" in parts else b"\0\1\0\0"
    directory = kind + len(parts).to_bytes(2, "big") + bytes(6)  # the last three help a binary search, which none needs
    offset, body = 12 + 16 * len(parts), b""
    for name, part in sorted(parts.items()):
        directory += name + bytes(4) + (offset + len(body)).to_bytes(4, "big") + len(part).to_bytes(4, "big")
        body += part + bytes(-len(part) % 4)
    return directory + body


def default_font(bold: bool = False) -> FontFile:
    """DejaVu Sans as matplotlib ships it, found without importing matplotlib."""
    return read_font(str(_shipped() / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")))


def find_font(wanted: str) -> tuple[FontFile, FontFile]:
    """A font by file or by family name -> (regular, bold); bold is the regular one again if there is no bold file.

    Raises SelectionError for a family that is not installed, InputError for a file that is not a font.
    """
    if not wanted or wanted == DEFAULT:
        return default_font(), default_font(bold=True)
    if wanted.lower().endswith(_ENDINGS) or os.sep in wanted:
        font = read_font(wanted)
        if not font.outlines or not len(font.codes):
            raise InputError(f"font {Path(wanted).name} has no outlines that can be drawn")
        return font, font
    faces = {font.style.lower(): font for font in _installed() if font.family.lower() == wanted.lower()}
    for style in ("regular", "book", "roman", "normal", "medium", *faces):
        if style in faces:
            return faces[style], faces.get("bold", faces[style])
    raise SelectionError(f"font {wanted!r} is not installed", "name an installed family, or a .ttf or .otf file")


def fallback_fonts(missing: Iterable[str]) -> list[FontFile]:
    """Installed fonts that between them have as many of the `missing` characters as can be had, best first."""
    left, fonts = set(missing), []
    for path in _paths():
        if not left:
            break
        try:
            font = read_font(path)
        except InputError:
            continue
        here = {char for char in left if font.has(char)} if font.drawable else set()
        if here:
            fonts.append(font)
            left -= here
    return fonts


def folders() -> list[Path]:
    """Where fonts are installed on this system, and last matplotlib's own.

    Source: XDG Base Directory Specification 0.8, for systems that are neither macOS nor Windows.
    """
    home = Path.home() if os.environ.get("HOME") or os.name == "nt" else Path("/")
    if sys.platform == "darwin":
        places = [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"]
    elif os.name == "nt":
        places = [
            Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts",
            Path(os.environ.get("LOCALAPPDATA", home)) / r"Microsoft\Windows\Fonts",
        ]
    else:
        shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
        data = [*shared.split(":"), os.environ.get("XDG_DATA_HOME") or str(home / ".local/share")]
        places = [*(Path(place) / "fonts" for place in data if place.startswith("/")), home / ".fonts"]
    return [place for place in (*places, _shipped()) if place.is_dir()]


@cache
def _shipped() -> Path:
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise InputError("matplotlib is not installed: its fonts cannot be found", "pip install matplotlib")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"


def _paths() -> list[str]:
    """Every installed font file: plain sans serifs first, so that a fallback looks like the rest."""
    paths = {
        str(Path(folder) / name)
        for place in folders()
        for folder, _, names in os.walk(place)
        for name in names
        if name.lower().endswith(_ENDINGS) and not name.startswith("LastResort")
    }
    return sorted(paths, key=lambda path: (_oddness(Path(path).stem), Path(path).name, path))


def _oddness(stem: str) -> tuple[bool, ...]:
    name = stem.lower()
    odd = ("bold", "italic", "oblique", "thin", "light", "black", "condensed", "medium", "mono", "serif", "display")
    return (
        "unifont" in name,  # has every character, drawn in 16 x 16 squares, and its marks beside their letters
        any(word in name for word in odd[:4]),
        any(word in name for word in odd[4:]),
        "regular" not in name,
        not name.startswith("noto"),
        "symbol" in name or "emoji" in name,
    )


def _installed() -> list[FontFile]:
    fonts = []
    for path in _paths():
        for index in range(_count(path)):
            try:
                font = read_font(path, index)
            except InputError:
                break
            if font.outlines and len(font.codes):
                fonts.append(font)
    return fonts


def _count(path: str) -> int:
    """The number of faces in a file: 1 unless it is a collection."""
    if not path.lower().endswith(".ttc"):
        return 1
    try:
        with Path(path).open("rb") as file:
            start = file.read(12)
    except OSError:
        return 0
    return min(int.from_bytes(start[8:12], "big"), _MOST_FACES) if start[:4] == b"ttcf" else 1


def _read(path: str, file: BinaryIO, index: int) -> FontFile:
    tables = _tables(file, index)
    head, hhea = _table(file, tables, b"head"), _table(file, tables, b"hhea")
    em = int.from_bytes(head[18:20], "big")
    if not 16 <= em <= 16384:
        raise ValueError(f"{em} units to the em")
    ascent, descent = (int.from_bytes(hhea[i : i + 2], "big", signed=True) / em for i in (4, 6))
    count = int.from_bytes(hhea[34:36], "big")
    metrics = np.frombuffer(_table(file, tables, b"hmtx"), ">u2")[: 2 * count : 2]
    if not len(metrics):
        raise ValueError("no glyph widths")
    codes, glyphs = _characters(_table(file, tables, b"cmap"))
    names = _names(_table(file, tables, b"name"))
    layered = b"COLR" in tables and _table(file, tables, b"COLR")[:2] == b"\0\1"  # its plain outlines are empty
    return FontFile(
        path=path,
        family=names.get(16) or names.get(1) or Path(path).stem,
        style=names.get(17) or names.get(2) or "Regular",
        ascent=ascent,
        descent=-descent,
        outlines=any(kind in tables for kind in (b"glyf", b"CFF ", b"CFF2")) and not layered,
        codes=codes,
        glyphs=glyphs,
        advances=metrics / em,
        strike=_strike(file, tables),
        index=index,
    )


def _strike(file: BinaryIO, tables: dict[bytes, tuple[int, int]]) -> int:
    """The size of the first coloured bitmaps in pixels to the em, 0 where there are none."""
    if b"CBDT" not in tables or b"CBLC" not in tables:
        return 0
    sizes = _table(file, tables, b"CBLC")[8:56]  # a header, then a record for each size
    return sizes[45] if len(sizes) == 48 else 0


@cache
def _heights(path: str, index: int) -> NDArray[np.float64]:
    """Lowest and highest point of each glyph's outline in ems, [glyph, 2]; [0, 2] where the file does not say."""
    try:
        with Path(path).open("rb") as file:
            tables = _tables(file, index)
            head = _table(file, tables, b"head")
            wide = int.from_bytes(head[50:52], "big") == 1
            loca = np.frombuffer(_table(file, tables, b"loca"), ">u4" if wide else ">u2").astype(np.int64)
            glyf = np.frombuffer(_table(file, tables, b"glyf"), np.uint8)
    except (OSError, ValueError):
        return np.empty((0, 2))
    starts, ends = (loca[:-1], loca[1:]) if wide else (2 * loca[:-1], 2 * loca[1:])
    drawn = (starts + 10 <= ends) & (ends <= len(glyf))  # an empty outline has no header
    at = np.where(drawn, starts, 0)[:, None] + np.array([4, 5, 8, 9])  # yMin and yMax, big-endian
    heights = np.ascontiguousarray(glyf[at]).view(">i2") if drawn.any() else np.zeros((len(at), 2))
    return np.where(drawn[:, None], heights, 0) / int.from_bytes(head[18:20], "big")


def _tables(file: BinaryIO, index: int = 0) -> dict[bytes, tuple[int, int]]:
    """Offset and length of each table of a face."""
    start = file.read(12)
    if start[:4] == b"ttcf":
        file.seek(12 + 4 * index)
        file.seek(int.from_bytes(file.read(4), "big"))
        start = file.read(12)
    if start[:4] not in (b"\0\1\0\0", b"OTTO", b"true"):
        raise ValueError("unknown signature")
    entries = file.read(16 * int.from_bytes(start[4:6], "big"))
    return {
        entries[i : i + 4]: (
            int.from_bytes(entries[i + 8 : i + 12], "big"),
            int.from_bytes(entries[i + 12 : i + 16], "big"),
        )
        for i in range(0, len(entries) - 15, 16)
    }


def _table(file: BinaryIO, tables: dict[bytes, tuple[int, int]], name: bytes, most: int = _LARGEST_TABLE) -> bytes:
    if name not in tables:
        raise ValueError(f"no {name.decode()} table")
    offset, length = tables[name]
    if length > most:
        raise ValueError(f"a {name.decode()} table of {length} bytes")
    file.seek(offset)
    data = file.read(length)
    if len(data) < length:
        raise ValueError(f"cut off in its {name.decode()} table")
    return data


def _characters(cmap: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sorted character codes and their glyphs, from the widest Unicode subtable."""
    best, at = 0, -1
    for i in range(int.from_bytes(cmap[2:4], "big")):
        entry = cmap[4 + 8 * i : 12 + 8 * i]
        kind = (int.from_bytes(entry[0:2], "big"), int.from_bytes(entry[2:4], "big"))
        offset = int.from_bytes(entry[4:8], "big")
        form = int.from_bytes(cmap[offset : offset + 2], "big")
        rank = (form == 12) * 2 + (form == 4) if kind in ((0, 3), (0, 4), (0, 6), (3, 1), (3, 10)) else 0
        if rank > best:
            best, at = rank, offset
    if at < 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    starts, ends, firsts, singles = _segments_wide(cmap[at:]) if best == 2 else _segments(cmap[at:])
    if (ends < starts).any() or (ends > 0x10FFFF).any() or (ends - starts + 1).sum() > 0x110000:
        raise ValueError("character ranges out of order")
    sizes = ends - starts + 1
    owner = np.repeat(np.arange(len(starts)), sizes)
    codes = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + starts[owner]
    glyphs = singles(codes, owner) if singles is not None else firsts[owner] + codes - starts[owner]
    order = np.argsort(codes, kind="stable")
    order = order[glyphs[order] > 0]
    return codes[order], glyphs[order]


def _segments_wide(table: bytes) -> _Segments:
    """cmap format 12: groups of (first character, last character, first glyph)."""
    count = int.from_bytes(table[12:16], "big")
    if 16 + 12 * count > len(table):
        raise ValueError("cut off in its character groups")
    groups = np.frombuffer(table, ">u4", 3 * count, 16).reshape(-1, 3).astype(np.int64)
    return groups[:, 0], groups[:, 1], groups[:, 2], None


def _segments(table: bytes) -> _Segments:
    """cmap format 4: segments with a delta, or with a place in a list of glyphs."""
    count = int.from_bytes(table[6:8], "big") // 2
    words = np.frombuffer(table[: len(table) // 2 * 2], ">u2").astype(np.int64)
    ends, starts = words[7 : 7 + count], words[8 + count : 8 + 2 * count]
    deltas, offsets = words[8 + 2 * count : 8 + 3 * count], words[8 + 3 * count : 8 + 4 * count]
    if len(offsets) < count:
        raise ValueError("cut off in its character segments")

    def glyph(codes: _Integers, owner: _Integers) -> _Integers:
        place = 8 + 3 * count + owner + offsets[owner] // 2 + codes - starts[owner]
        listed = words[np.clip(place, 0, len(words) - 1)]
        listed = np.where(listed > 0, (listed + deltas[owner]) % 65536, 0)
        glyphs = np.where(offsets[owner] == 0, (codes + deltas[owner]) % 65536, listed)
        return np.where(codes == 0xFFFF, 0, glyphs)

    return starts, ends, deltas, glyph


def _names(table: bytes) -> dict[int, str]:
    """The file's English (or first) names by number: 1 and 16 family, 2 and 17 style."""
    count, base = int.from_bytes(table[2:4], "big"), int.from_bytes(table[4:6], "big")
    names: dict[int, str] = {}
    for i in range(count):
        platform, _, language, number, length, offset = np.frombuffer(table, ">u2", 6, 6 + 12 * i).tolist()
        if number not in (1, 2, 16, 17) or platform not in (0, 1, 3):
            continue
        raw = table[base + offset : base + offset + length]
        text = raw.decode("mac_roman" if platform == 1 else "utf-16-be", errors="replace")
        if number not in names or (platform == 3 and language == 0x409):
            names[number] = text
    return names
