"""Emoji: coloured bitmaps of an installed font in every kind of picture, or advice that helps."""

from __future__ import annotations

import io
import re
import struct
import zlib

import matplotlib
import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.tables.DefaultTable import DefaultTable
from helpers.golden_pictures import attention
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from attnviz.axis import Tokens
from attnviz.page import fonts
from attnviz.page.heatmap import heatmap
from attnviz.render.emoji import ABOVE, stamp
from attnviz.render.image import draw, to_bytes

EM = 20  # pixels
_UNUSED = (
    "maxPoints maxContours maxCompositePoints maxCompositeContours maxTwilightPoints maxStorage maxFunctionDefs "
    "maxInstructionDefs maxStackElements maxSizeOfInstructions maxComponentElements maxComponentDepth"
).split()
CAT, DOOR = "🐈", "🚪"


def coloured(bitmap):
    """CBLC and CBDT tables of a font whose glyph 1 is this PNG, EM x EM pixels upon the baseline."""
    lines = struct.pack(">bbB9x", EM, 0, EM)
    subtable = struct.pack(">HHI HHI II", 1, 1, 8, 1, 17, 4, 0, 9 + len(bitmap))
    size = struct.pack(">IIII", 56, len(subtable), 1, 0) + lines * 2 + struct.pack(">HHBBBb", 1, 1, EM, EM, 32, 1)
    data = struct.pack(">BBbbBI", EM, EM, 0, EM, EM, len(bitmap)) + bitmap
    return {"CBLC": struct.pack(">HHI", 3, 0, 1) + size + subtable, "CBDT": struct.pack(">HH", 3, 0) + data}


def made(place, **tables):
    """A font file that has a cat."""
    build = FontBuilder(1000, isTTF=True)
    build.font.recalcBBoxes = False
    build.setupGlyphOrder([".notdef", "cat"])
    build.setupCharacterMap({ord(CAT): "cat"})
    build.setupHorizontalMetrics({".notdef": (1000, 0), "cat": (1000, 0)})
    build.setupHorizontalHeader(ascent=1000, descent=0)
    build.setupNameTable({"familyName": "Cats", "styleName": "Regular"})
    build.setupPost()
    sizes = build.font["maxp"]
    sizes.numGlyphs, sizes.maxZones = 2, 2
    for name in _UNUSED:
        setattr(sizes, name, 0)
    for name, data in tables.items():
        build.font[name] = DefaultTable(name)
        build.font[name].data = data
    build.save(place)
    return place


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """A machine whose only font, except matplotlib's, has one emoji: a red square with its upper half blue."""
    square = np.zeros((EM, EM, 4), np.uint8) + np.array([255, 0, 0, 255], np.uint8)
    square[: EM // 2] = [0, 0, 255, 255]
    file = io.BytesIO()
    Image.fromarray(square).save(file, "png")
    made(tmp_path / "cats.ttf", **coloured(file.getvalue()))
    monkeypatch.setattr(fonts, "folders", lambda: [tmp_path, fonts._shipped()])


def picture(*tokens, **options):
    found = attention(len(tokens))
    names = Tokens.plain(list(tokens))
    return heatmap(type(found)(found.weights, None, names, names, (0,), (0,), model="m"), cmap="Greys", **options)


def places(page):
    """Where the red and the blue of a picture [y, x, 3] lie: boxes of left, top, right, bottom, one for each label."""
    found = []
    for strong, weak in ((0, 2), (2, 0)):
        ys, xs = np.nonzero((page[..., strong] > 200) & (page[..., 1] < 60) & (page[..., weak] < 60))
        split = ys < ys.min() + (ys.max() - ys.min()) / 2  # of the row above, of the column below
        found += [(x.min(), y.min(), x.max(), y.max()) for x, y in ((xs[s], ys[s]) for s in (split, ~split))]
    return np.array(found)


def test_a_png_holds_emoji_upright_and_turned(installed):
    figure = picture("caterpillars", CAT, "sat", "down", width=2.5)
    row, column, above, before = places(np.asarray(Image.open(io.BytesIO(to_bytes(figure, "png"))).convert("RGB")))
    size = next(label.size for label in figure.labels if label.text == CAT) * figure.dpi / 72
    np.testing.assert_allclose(row[2:] - row[:2], [size, size / 2], atol=2.5)
    np.testing.assert_allclose(column[2:] - column[:2], [size / 2, size], atol=2.5)
    assert above[0] == row[0] and abs(above[3] + 1 - row[1]) <= 2  # blue over red, left of it where text climbs
    assert before[1] == column[1] and abs(before[2] + 1 - column[0]) <= 2
    assert not figure.face.missing and "font" not in " ".join(figure.notes)


def test_matplotlib_draws_them_in_the_same_places(installed):
    figure = picture("caterpillars", CAT, "sat", "down", width=2.5)
    canvas = FigureCanvasAgg(draw(figure))
    canvas.draw()
    want = places(np.asarray(Image.open(io.BytesIO(to_bytes(figure, "png"))).convert("RGB")))
    np.testing.assert_allclose(places(np.asarray(canvas.buffer_rgba())[..., :3]), want, atol=2)


def test_an_svg_names_the_font_or_holds_the_pixels(installed):
    words = to_bytes(picture("caterpillars", CAT, "sat", "down", width=2.5), "svg").decode()
    assert len(re.findall(rf"<text[^>]*'Cats', sans-serif[^>]*>{CAT}</text>", words)) == 2
    paths = to_bytes(picture("caterpillars", CAT, "sat", "down", width=2.5, svg_text="paths"), "svg").decode()
    assert f">{CAT}<" not in paths and paths.count("data:image/png") == words.count("data:image/png") + 2


def test_a_pdf_holds_the_pixels(installed):
    with matplotlib.rc_context({"pdf.compression": 6}):
        data = to_bytes(picture("caterpillars", CAT, "sat", "down", width=2.5), "pdf")
    streams = [zlib.decompress(part) for part in re.findall(rb"stream\r?\n(x.*?)\r?\nendstream", data, re.DOTALL)]
    assert sum(b" Do" in part for part in streams) >= 1 and data.count(b"/Subtype /Image") >= 2


def test_one_after_the_other(installed):
    """Each as wide as it was measured, where a joiner would make one of them."""
    (font,) = fonts.fallback_fonts([CAT])
    found = stamp(CAT * 3, font, 40)
    assert found.shape[1] == 120 and (found[round(ABOVE * 40) - 10, ::40, 0] > 200).all()
    assert found[round(ABOVE * 40) + 3 :, :, 3].max() < 20


def test_what_no_font_here_draws_is_said(installed):
    figure = picture("cat", DOOR)
    note = "no font here has U+1F6AA (drawn □); install e.g. Noto Color Emoji (Debian: fonts-noto-color-emoji)"
    assert figure.face.missing == (DOOR,) and note in figure.notes


def test_a_font_of_layered_colours_draws_nothing_here(tmp_path, monkeypatch):
    """Its plain outlines are empty, so that a picture would have a gap and no note."""
    font = fonts.read_font(
        str(made(tmp_path / "layers.ttf", glyf=b"\0" * 4, loca=b"\0" * 6, COLR=b"\0\1" + b"\0" * 32))
    )
    assert font.has(CAT) and not font.drawable
    monkeypatch.setattr(fonts, "folders", lambda: [tmp_path, fonts._shipped()])
    assert picture("cat", CAT).face.missing == (CAT,)


def test_a_word_of_several_emoji_is_whole():
    """Pieces of a text as labels of single tokens -> the words of the text."""
    pieces = ("a", "👩", "\\u200d", "\\u200d₂👩", "\\u200d👧", "❤", "\\ufe0f", "x", "\\u200d")
    words = Tokens(pieces, tuple(range(9)), (0, 1, 1, 1, 1, 2, 2, 3, 3), (False,) * 9, (0,) * 9)
    assert words.merged().text == ("a", "👩\u200d👩\u200d👧", "❤\ufe0f", "x\\u200d")
