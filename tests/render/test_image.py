"""PNG, SVG, PDF and the matplotlib Figure: what is drawn, what the files hold, and that all of them agree."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import socket
import subprocess
import sys
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from helpers.golden_pictures import PICTURES, attention, interiors, titled
from helpers.paths import GOLDEN, TESTS
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.textpath import TextPath
from PIL import Image

from attnviz.axis import Tokens
from attnviz.errors import SelectionError
from attnviz.page import fonts
from attnviz.page.figure import Box, Dot, Figure, Fill, Label, Line
from attnviz.page.heatmap import heatmap
from attnviz.page.label_bounds import bounds
from attnviz.page.text_metrics import typeface
from attnviz.page.wording import joining_note
from attnviz.render import formats
from attnviz.render.artists import Cells
from attnviz.render.colormaps import PACKED
from attnviz.render.image import _RC, draw, to_bytes
from attnviz.render.raster import paint
from attnviz.render.theme import HIDDEN, TONES, table

FORMATS = formats.of(formats.FIGURE)
SVG = "{http://www.w3.org/2000/svg}"


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def parsed(figure):
    return ElementTree.fromstring(to_bytes(figure, "svg"))


@cache
def encoded(kind):
    """The bytes of `titled()`, drawn once for all tests that only read them."""
    return to_bytes(titled(), kind)


def colour(tone):
    return [int(TONES[tone][i : i + 2], 16) for i in (1, 3, 5)]


# --- colours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PACKED)
def test_colour_maps_are_those_of_matplotlib(name):
    """All 256 colours to the last bit of a byte, and the map turned round."""
    want = matplotlib.colormaps[name](np.linspace(0, 1, 256))[:, :3] * 255
    np.testing.assert_allclose(table(name), want, atol=1)
    np.testing.assert_array_equal(table(f"{name}_r"), table(name)[::-1])


def test_a_cell_has_the_colour_of_its_weight():
    """The middle of every cell of a PNG, against matplotlib's own map and norm."""
    found = attention(6, n_heads=3)
    figure = heatmap(found, decimals=0, cmap="viridis")
    page, scale = pixels(to_bytes(figure, "png")), figure.dpi / 72
    norm = matplotlib.colors.Normalize(0, figure.scale.high)
    for panel in figure.panels:
        want = matplotlib.colormaps["viridis"](norm(panel.values))[..., :3] * 255
        for i, j in np.ndindex(6, 6):
            x = (panel.box.x + (j + 0.5) * panel.box.width / 6) * scale
            y = (panel.box.y + (i + 0.5) * panel.box.height / 6) * scale
            np.testing.assert_allclose(page[int(y), int(x)], want[i, j], atol=1)


def test_a_cell_that_is_not_allowed_is_grey():
    figure = heatmap(attention(6, causal=True), decimals=0)
    box, scale = figure.panels[0].box, figure.dpi / 72
    page = pixels(to_bytes(figure, "png"))
    at = [int((box.x + 5.5 * box.width / 6) * scale), int((box.y + box.height / 12) * scale)]
    assert tuple(page[at[1], at[0]]) == HIDDEN and len(set(HIDDEN)) == 1
    maps = ("ink", "viridis", "cividis", "magma")
    assert tuple(HIDDEN) not in {tuple(row) for name in maps for row in table(name).tolist()}


@pytest.mark.parametrize("name", PICTURES)
def test_golden_interiors(name):
    want, got = np.asarray(Image.open(GOLDEN / f"{name}.png").convert("RGB")), interiors(name)
    assert got.shape == want.shape
    off = np.abs(got.astype(int) - want.astype(int)).max(-1)
    assert off.mean() < 0.5 and (off > 3).mean() < 0.005


# --- matplotlib's Figure -------------------------------------------------------------------------------------------


def test_artists_of_a_picture():
    figure = heatmap(attention(5, n_heads=3), marks=[(3, 1)], vmax=0.7)
    (axes,) = draw(figure).axes
    images = [artist for artist in axes.images if isinstance(artist, Cells)]
    assert [image.get_gid() for image in images] == [*(f"layer-0-head-{i}" for i in range(3)), "bar"]
    assert {image.get_clim() for image in images[:3]} == {(0.0, 0.7)}
    for image, panel in zip(images, figure.panels, strict=False):
        box = panel.box
        assert image.get_extent() == (box.x, box.x + box.width, box.y + box.height, box.y)
        assert image.get_array().shape == (5, 5, 3)
    written = [text.get_text() for text in axes.texts]
    numbers = [text for panel in figure.panels for row in panel.cell_text for text in row if text]
    assert written == [*numbers, *(label.text for label in figure.labels)]
    places = [text.get_position() for text in axes.texts[len(numbers) :]]
    assert places == [(label.x, label.y) for label in figure.labels]
    frames = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert len(frames) == 10 and axes.get_ylim() == (figure.height, 0)


def test_the_figure_has_its_size_in_inches():
    canvas = draw(heatmap(attention(5), width=3.25))
    assert tuple(canvas.get_size_inches()) == pytest.approx((3.25, heatmap(attention(5), width=3.25).height / 72))


def test_it_can_be_saved_with_matplotlib():
    file = io.BytesIO()
    attention(4).heatmap(width=2.0).savefig(file, format="png", dpi=100)
    assert pixels(file.getvalue()).shape[1] == 200


def test_a_notebook_shows_a_picture():
    found = attention(4)
    data = found._repr_png_()
    assert data == to_bytes(heatmap(found), "png")
    assert base64.b64encode(data).decode() in found._repr_html_()


@pytest.mark.parametrize("options", [{}, {"width": 3.03, "height": 2.5}, {"dpi": 90, "bare": True}])
def test_pixels_agree_with_matplotlib(options):
    """The PNG is drawn without matplotlib's figures: where the two differ, it is by the edge of a letter."""
    figure = heatmap(attention(8, n_heads=2, causal=True), marks=[(5, 1)], **options)
    with matplotlib.rc_context(_RC):
        agg = FigureCanvasAgg(draw(figure))
        agg.draw()
        want = np.asarray(agg.buffer_rgba())[..., :3].astype(float)
    got = paint(figure).astype(float)
    assert got.shape == want.shape
    assert np.abs(got - want).mean() < 3.5
    high, wide = (size // 16 * 16 for size in got.shape[:2])  # means of blocks, which a letter half a pixel aside keeps
    blocks = [page[:high, :wide].reshape(high // 16, 16, wide // 16, 16, 3).mean((1, 3)) for page in (got, want)]
    assert np.abs(blocks[0] - blocks[1]).max() < 40


def test_lines_at_any_angle():
    lines = (Line(10, 10, 60, 10, 2.0, "mark"), Line(10, 20, 10, 60, 2.0, "mark"), Line(20, 20, 60, 60, 2.0, "mark"))
    page = paint(Figure(width=72, height=72, panels=(), scale=heatmap(attention(3)).scale, lines=lines, dpi=144))
    assert page.shape == (144, 144, 3)
    for x, y in ((80, 20), (20, 80), (80, 80)):
        assert page[y, x].tolist() == colour("mark")
    assert (page[120:, 20:100] == 255).all() and page[70, 80].tolist() == [255, 255, 255]


def test_colours_shares_and_dots_agree_with_matplotlib():
    """Strokes in their own colours at any angle, one over the other, on a filled ground, with dots on top."""
    turns = np.arange(24) * np.pi / 12 + 0.05
    lines = tuple(
        Line(
            100,
            100,
            100 + 80 * float(np.cos(a)),
            100 + 80 * float(np.sin(a)),
            1 + i / 8,
            rgb=(200, 8 * i, 30),
            share=0.6,
        )
        for i, a in enumerate(turns)
    )
    fills = (Fill(Box(20, 15, 160, 50), (255, 230, 180)), Fill(Box(30, 20, 20, 10), (0, 90, 60)))
    dots = (Dot(30, 180, 8, (30, 90, 200)), Dot(100, 100, 5, (0, 0, 0)))
    figure = Figure(
        width=200,
        height=200,
        panels=(),
        scale=heatmap(attention(3)).scale,
        lines=lines,
        fills=fills,
        dots=dots,
        dpi=144,
    )
    with matplotlib.rc_context(_RC):
        agg = FigureCanvasAgg(draw(figure))
        agg.draw()
        want = np.asarray(agg.buffer_rgba())[..., :3].astype(float)
    got = paint(figure).astype(float)
    assert np.abs(got - want).mean() < 0.6
    blocks = [page.reshape(50, 8, 50, 8, 3).mean((1, 3)) for page in (got, want)]
    assert np.abs(blocks[0] - blocks[1]).max() < 14
    assert got[50, 80].tolist() == [0, 90, 60] and got[360, 60].tolist() == [30, 90, 200]


# --- files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_figure_gives_the_same_bytes(kind):
    assert to_bytes(titled(), kind) == encoded(kind)


def test_the_same_bytes_in_another_process():
    code = (
        "import hashlib\n"
        "from attnviz.render.image import to_bytes; from helpers.golden_pictures import titled\n"
        f"print(*(hashlib.sha256(to_bytes(titled(), kind)).hexdigest() for kind in {FORMATS!r}))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "USER": "somebody"}
    out = subprocess.run([sys.executable, "-c", code], cwd=TESTS, env=env, capture_output=True, text=True, check=True)
    assert out.stdout.split() == [hashlib.sha256(encoded(kind)).hexdigest() for kind in FORMATS]


def test_files_say_what_made_them():
    figure = titled()
    said = {**figure.meta, "Title": figure.title, "Description": figure.caption}
    found = Image.open(io.BytesIO(encoded("png")))
    assert {key: found.info[key] for key in said} == said
    assert found.info["dpi"] == pytest.approx((200, 200), abs=0.1)
    svg = "".join(ElementTree.fromstring(encoded("svg")).itertext())
    assert all(value in svg for value in said.values())
    pdf = encoded("pdf")
    assert b"/Subject" in pdf and b"0123abcd" in pdf and b"attnviz heatmap x" in pdf


@pytest.mark.parametrize("kind", FORMATS)
def test_files_say_nothing_of_the_machine(kind):
    data = encoded(kind)
    if kind == "pdf":
        data += b"".join(zlib.decompress(part) for part in streams(data))
    here = (str(Path.home()), sys.prefix, str(Path.cwd()), socket.gethostname(), matplotlib.get_data_path())
    for word in (*here, "CreationDate", "ModDate", "<dc:date>", "tIME"):
        assert len(word) < 4 or word.encode() not in data, word


def streams(pdf):
    """The compressed parts of a PDF."""
    found = re.finditer(rb"/FlateDecode.{0,200}?>>\s*stream\r?\n(.*?)\r?\nendstream", pdf, re.S)
    return [match[1] for match in found if match[1][:1] == b"x"]


def test_cells_are_shapes_in_a_small_map_and_one_image_in_a_large_one():
    small = parsed(heatmap(attention(64), decimals=0, vmax=1))
    large = parsed(heatmap(attention(65), decimals=0, vmax=1))
    assert not small.findall(f".//{SVG}image")
    shapes = {group.get("id"): len(group.findall(f"{SVG}path")) for group in small.iter(f"{SVG}g")}
    assert shapes["layer-0-head-0"] > 64 and shapes["bar"] > 200
    (image,) = large.findall(f".//{SVG}image")
    assert image.get("id") == "layer-0-head-0"
    assert b"/Subtype /Image" not in to_bytes(heatmap(attention(64)), "pdf")
    assert to_bytes(heatmap(attention(65)), "pdf").count(b"/Subtype /Image") == 1


def test_an_image_of_cells_is_sharp_and_exact():
    """Every cell is a whole square of pixels of its own colour."""
    figure = heatmap(attention(80), decimals=0)
    image = parsed(figure).find(f".//{SVG}image")
    data = base64.b64decode(image.get("{http://www.w3.org/1999/xlink}href").split(",")[1])
    page = pixels(data)
    k = len(page) // 80
    assert page.shape == (80 * k, 80 * k, 3) and k >= 1
    page = page[::-1] if float(image.get("transform").split()[3]) < 0 else page
    cells = page.reshape(80, k, 80, k, 3)
    assert (cells == cells[:, :1, :, :1]).all()
    want = table("ink")[np.clip(figure.scale.unit(figure.panels[0].values) * 256, 0, 255).astype(int)]
    np.testing.assert_array_equal(cells[:, 0, :, 0], want)


def test_many_maps_are_images_so_that_the_file_stays_small():
    data = to_bytes(heatmap(attention(40, n_heads=36), decimals=0), "svg")
    assert data.count(b"<image") == 36 and len(data) < 1_500_000


def test_svg_text_is_text():
    root = ElementTree.fromstring(encoded("svg"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert [label.text for label in titled().labels if label.role == "row"] == [
        text for text in texts if text in WORDS
    ][:5]
    assert "Größe & <Maß>" in texts
    style = next(text.get("style") for text in root.iter(f"{SVG}text"))
    assert "'DejaVu Sans', sans-serif" in style


WORDS = [f"w{i}" for i in range(5)]


def test_svg_text_may_be_outlines():
    root = parsed(replace(titled(), svg_text="paths"))
    assert not list(root.iter(f"{SVG}text"))
    assert len(list(root.iter(f"{SVG}use"))) > 50


def test_pdf_fonts_are_embedded_as_truetype():
    pdf = encoded("pdf")
    assert pdf.startswith(b"%PDF-1.4") and b"/FontFile2" in pdf and b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    names = set(re.findall(rb"/BaseFont /([A-Za-z+\-]+)", pdf))
    assert {name.split(b"+")[-1] for name in names} >= {b"DejaVuSans", b"DejaVuSans-Bold"}
    width, height = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf).groups()
    assert (float(width), float(height)) == pytest.approx((titled().width, titled().height), abs=1e-3)


def test_an_unknown_format():
    with pytest.raises(SelectionError, match="format must be one of png, svg, pdf, pgf; got 'gif'"):
        to_bytes(titled(), "gif")


def test_a_png_needs_no_matplotlib_but_its_letters():
    """No figure, no font cache: only the library that draws letters, and a later import of matplotlib is whole."""
    code = (
        "import sys; from helpers.golden_pictures import attention\n"
        "from attnviz.render.image import to_bytes; from attnviz.page.heatmap import heatmap\n"
        "data = to_bytes(heatmap(attention(4)), 'png')\n"
        "print([name for name in sys.modules if name.startswith('matplotlib')])\n"
        "import matplotlib.ft2font, matplotlib.figure\n"
        "figure = matplotlib.figure.Figure(); figure.text(0.5, 0.5, 'x'); figure.canvas.draw()\n"
        "print(data == to_bytes(heatmap(attention(4)), 'png'))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=TESTS, capture_output=True, text=True, check=True)
    assert out.stdout.splitlines() == ["[]", "True"] and out.stderr == ""


# --- text ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["[CLS]", "antidisestablishmentarianism", "WAVE To.", "Größe", "Ωμέγα Ж", "0.05 → 1"])
@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_widths_are_those_that_matplotlib_measures(text, weight):
    """Advances against the extent of the outlines, which kerning may draw together but not spread."""
    face = typeface(None, [text])
    font = FontProperties(fname=face.runs(text, weight)[0][1].path)
    outline = TextPath((0, 0), text, size=100, prop=font).get_extents()
    width = face.width(text, 100, weight)
    assert outline.width - 8 < width < 1.13 * outline.width + 8
    canvas = FigureCanvasAgg(matplotlib.figure.Figure(dpi=72))
    drawn = Text(0, 0, text, fontproperties=font, fontsize=100, figure=canvas.figure)
    assert drawn.get_window_extent(canvas.get_renderer()).width == pytest.approx(width, rel=0.1, abs=10)


# Drawn where a font here has them, and a matplotlib that sets their marks: an older one, which says so on the picture,
# leaves marks on the right of the letters that a font tells it to set them over.
SCRIPTS = ("日本", "བོད་ཡིག", "မြန်မာ", "ไทยที่ปู่", "हिन्दी")
ELSEWHERE = [text for text in SCRIPTS if not typeface(None, text).missing and not joining_note([text])]


@pytest.mark.parametrize("text", ["gy|", "[CLS]", "Åg", "Ệ", "é", "Ǜ", "│", "E\u0301", "Йц", *ELSEWHERE])
def test_ink_stays_within_the_height_it_was_given(text):
    """A drawn label lies within the box that keeps labels apart."""
    face = typeface(None, [text])
    for rotation in (0, 90):
        label = Label(text, 60, 60, 20, "center", rotation)
        figure = Figure(120, 120, (), heatmap(attention(3)).scale, labels=(label,), face=face, dpi=144)
        dark = np.argwhere(paint(figure)[..., 0] < 160)
        top, left, bottom, right = (*(dark.min(0) / 2), *((dark.max(0) + 1) / 2))
        box = bounds(label, face)
        assert left > box[0] - 1 and top > box[1] - 1 and right < box[2] + 1 and bottom < box[3] + 1


@pytest.mark.parametrize("align", ["left", "center", "right"])
@pytest.mark.parametrize("rotation", [0, 90])
def test_boxes_for_what_no_font_has_stand_where_they_were_measured(monkeypatch, align, rotation):
    """Also of a script whose letters join, which is measured as it is drawn: the boxes do not join."""
    monkeypatch.setattr(fonts, "folders", lambda: [fonts._shipped()])
    label = Label("தமிழ்", 60, 60, 12, align, rotation)
    face = typeface(None, [label.text])
    figure = Figure(120, 120, (), heatmap(attention(3)).scale, labels=(label,), face=face, dpi=144)
    dark = np.argwhere(paint(figure)[..., 0] < 160)
    left, right = sorted((60, 60 + (1 if align == "left" else -1) * (1 if rotation == 0 else -1) * 12 * 5 * 0.945))
    if align == "center":
        left, right = 60 - 12 * 5 * 0.945 / 2, 60 + 12 * 5 * 0.945 / 2
    axis = 1 - rotation // 90
    assert len(face.missing) == 5
    assert dark[:, axis].min() / 2 == pytest.approx(left, abs=1.5)
    assert (dark[:, axis].max() + 1) / 2 == pytest.approx(right, abs=1.5)


def page_of(label, **more):
    face = typeface(None, [label.text])
    scale = heatmap(attention(3)).scale
    return paint(Figure(100, 100, (), scale, labels=(label,), face=face, dpi=288, **more))


def test_a_label_stands_where_it_was_placed():
    """The ink of a right-aligned label, against matplotlib's outline of it, to an eighth of a point."""
    label = Label("[Lj", 80, 50, 12, "right")
    dark = np.argwhere(page_of(label)[..., 0] < 128) / 4
    font = FontProperties(fname=typeface(None, label.text).regular[0].path)
    outline = TextPath((0, 0), label.text, size=12, prop=font).get_extents()
    start = 80 - typeface(None, label.text).width(label.text, 12)
    want = (50 - outline.y1, 50 - outline.y0, start + outline.x0, start + outline.x1)
    top, left = dark.min(0)
    bottom, right = dark.max(0) + 0.25
    np.testing.assert_allclose((top, bottom, left, right), want, atol=0.2)


def test_upright_text_is_text_turned_to_the_left():
    flat = page_of(Label("Lie by", 20, 60, 12))
    upright = page_of(Label("Lie by", 60, 80, 12, rotation=90))
    np.testing.assert_array_equal(upright, np.rot90(flat))


def test_tokens_that_are_mathematics_or_markup_are_drawn_as_they_are():
    tokens = Tokens.plain(["$x$", "a_b^c", "\\frac", "<b>", "100%"])
    found = replace(attention(5), queries=tokens, keys=tokens)
    texts = [text.text for text in parsed(heatmap(found)).iter(f"{SVG}text")]
    assert all(text in texts for text in tokens.text)
    assert len(to_bytes(heatmap(found), "png")) > 1000 and to_bytes(heatmap(found), "pdf").startswith(b"%PDF")
