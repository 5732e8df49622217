"""Fonts of several faces in one file: the face that is asked for by its family's name is measured and drawn."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from helpers.toy_attention import attention
from matplotlib import font_manager

from attnviz.errors import InputError, OutputError, SelectionError
from attnviz.page import fonts
from attnviz.page.heatmap import heatmap
from attnviz.render.image import to_bytes
from attnviz.render.raster import paint

SHIPPED = Path(matplotlib.__file__).parent / "mpl-data" / "fonts" / "ttf"
FACES = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "DejaVuSansMono.ttf")


def collected(names=FACES):
    """Font files as one collection: their table directories, with offsets counted from its beginning."""
    start = 12 + 4 * len(names)
    directories, bodies = [], []
    for name in names:
        data = bytearray((SHIPPED / name).read_bytes())
        for i in range(12, 12 + 16 * int.from_bytes(data[4:6], "big"), 16):
            offset = int.from_bytes(data[i + 8 : i + 12], "big") + start
            data[i + 8 : i + 12] = offset.to_bytes(4, "big")
        directories.append(start)
        bodies.append(bytes(data))
        start += len(data)
    head = b"ttcf" + bytes([0, 1, 0, 0]) + len(names).to_bytes(4, "big")
    return head + b"".join(place.to_bytes(4, "big") for place in directories) + b"".join(bodies)


@pytest.fixture
def collection(tmp_path, monkeypatch):
    """The collection as the only installed font, its families under names of their own."""
    path = tmp_path / "fonts" / "collected.ttc"
    path.parent.mkdir()
    data = collected()
    for name in (b"DejaVu Sans Mono", b"DejaVu Sans", b"DejaVu Serif"):
        wide = name.decode().encode("utf-16-be")
        data = data.replace(wide, name.decode().replace("DejaVu", "Collet").encode("utf-16-be"))
        data = data.replace(name, name.replace(b"DejaVu", b"Collet"))
    path.write_bytes(data)
    monkeypatch.setattr(fonts, "folders", lambda: [path.parent])
    return path


@pytest.mark.parametrize(("index", "family"), list(enumerate(["Collet Sans", "Collet Serif", "Collet Sans Mono"])))
def test_each_face_is_found_by_its_family_and_measured_as_its_own(collection, index, family):
    font, _ = fonts.find_font(family)
    alone = fonts.read_font(str(SHIPPED / FACES[index]))
    assert (font.path, font.index, font.family) == (str(collection), index, family)
    for char in "iWg…é":
        assert font.advance(char) == alone.advance(char) and font.ink(char) == alone.ink(char)


@pytest.mark.parametrize(("index", "family"), list(enumerate(["Collet Sans", "Collet Serif", "Collet Sans Mono"])))
def test_a_picture_has_the_letters_of_the_face(collection, index, family):
    """The letters equal the letters of the same font in a separate file, pixel for pixel."""
    drawn, alone = (heatmap(attention(), font=font) for font in (family, str(SHIPPED / FACES[index])))
    np.testing.assert_array_equal(paint(drawn), paint(alone))


def test_outlines_are_those_of_the_face_or_refused(collection):
    """matplotlib draws further faces from 3.11 on."""
    if not hasattr(font_manager, "FontPath"):
        with pytest.raises(OutputError, match=r"face 1 of collected\.ttc"):
            to_bytes(heatmap(attention(), font="Collet Serif"), "svg")
        return
    kept = [
        to_bytes(heatmap(attention(), font=font, svg_text="paths"), "svg")
        for font in ("Collet Serif", str(SHIPPED / "DejaVuSerif.ttf"))
    ]
    shapes = [sorted(line for line in data.splitlines() if b' d="M' in line) for data in kept]
    assert shapes[0] == shapes[1] and len(shapes[0]) > 10


def test_a_face_that_is_not_there(collection):
    with pytest.raises(SelectionError, match="font 'Collet Sans Bold' is not installed"):
        fonts.find_font("Collet Sans Bold")
    with pytest.raises(InputError):
        fonts.read_font(str(collection), 3)


@pytest.mark.parametrize("size", [0, 4, 12, 20, 400])
def test_a_collection_that_is_cut_off_is_passed_by(collection, size):
    collection.write_bytes(collection.read_bytes()[:size])
    with pytest.raises(SelectionError, match="not installed"):
        fonts.find_font("Collet Serif")
