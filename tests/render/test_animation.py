"""GIF and animated PNG: frames of one size and scale, each layer or new token in its own, the same bytes every time."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.cli import main
from attnviz.errors import OutputError, SelectionError
from attnviz.page.frames import by_layer, by_query
from attnviz.render import animation, formats
from attnviz.render.raster import paint


def attention(n_layers=3, n_heads=2, n=5, names="the cat sat down now", **more):
    """Layer i of every head attends to key i alone, so that each frame has one dark column."""
    weights = np.zeros((n_layers, n_heads, n, n), np.float32)
    for layer in range(n_layers):
        weights[layer, :, :, layer] = 1 - 0.2 * layer
        weights[layer, :, :, n - 1] = 0.2 * layer
    tokens = Tokens.plain(names.split())
    base = {"layers": tuple(range(n_layers)), "heads": tuple(range(n_heads)), "model": "m"}
    return Attention(weights, None, tokens, tokens, **{**base, **more})


def decoded(data):
    image = Image.open(io.BytesIO(data))
    pixels = []
    for i in range(image.n_frames):
        image.seek(i)
        pixels.append(np.asarray(image.convert("RGB")))
    return image, pixels


def test_every_layer_is_a_frame_with_its_name_in_one_size_and_scale():
    frames = by_layer(attention())
    assert [frame.title for frame in frames] == [f"m · layer {i} · 2 heads" for i in range(3)]
    assert len({(frame.width, frame.height, frame.scale) for frame in frames}) == 1
    assert len({tuple(panel.box for panel in frame.panels) for frame in frames}) == 1
    assert len({frame.notes for frame in frames}) == 1
    for i, frame in enumerate(frames):
        assert [panel.layer for panel in frame.panels] == [i, i]
        assert (frame.panels[0].values[:, i] == np.float32(1 - 0.2 * i)).all()
        assert frame.caption.startswith(frame.title)
        assert frame.title in [label.text for label in frame.labels if label.role == "title"]


@pytest.mark.parametrize("width", [None, 2.0, 3.25])
def test_titles_of_different_lengths_move_nothing(width):
    layers = (2, 9, 10_000)
    frames = list(by_layer(attention(layers=layers, model="a model with rather a long name"), width=width))
    rest = [[label for label in frame.labels if label.role != "title"] for frame in frames]
    assert rest[0] == rest[1] == rest[2]
    titles = [" ".join(label.text for label in frame.labels if label.role == "title") for frame in frames]
    assert titles == [frame.title for frame in frames]


def test_weights_beyond_the_limit_are_counted_over_all_frames():
    for frame in by_layer(attention(), vmax=0.7):  # layer 2 has none, every other layer ten
        assert "20 weights above 0.7 drawn as 0.7" in frame.notes


def test_every_query_is_a_frame():
    causal, whole = np.tril(np.ones((1, 5, 5), bool)), attention()
    frames = list(by_query(replace(whole, mask=causal, weights=whole.weights * causal)))
    assert [frame.title for frame in frames] == [f"m · layers 0–2 · 2 heads · query “{t}”" for t in whole.query_tokens]
    assert len({(frame.width, frame.height) for frame in frames}) == 1
    hidden = [0 if frame.panels[0].hidden is None else int(frame.panels[0].hidden[0].sum()) for frame in frames]
    assert hidden == [4, 3, 2, 1, 0]


def test_what_is_no_whole_layer_has_no_frames():
    shown = attention()
    for odd in (shown.mean("layers"), shown.select(heads=["0.1", "2.0"])):
        with pytest.raises(SelectionError, match="a layer after the other"):
            by_layer(odd)


def test_an_animated_png_has_the_pixels_of_its_figures():
    frames = by_layer(attention())
    image, pixels = decoded(formats.encode("apng", frames, milliseconds=350))
    assert (image.n_frames, image.info["duration"], image.info["loop"]) == (3, 350.0, 0)
    assert all(np.array_equal(got, paint(frame)) for got, frame in zip(pixels, frames, strict=True))


def test_chunks_of_an_animated_png_are_numbered_and_whole():
    data, at, names, numbers = formats.encode("apng", by_layer(attention())), 8, [], []
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(name + body)
        names.append(name.decode())
        numbers += [struct.unpack(">I", body[:4])[0]] if name in (b"fcTL", b"fdAT") else []
        at += 12 + length
    assert [name for name in names if name != "tEXt" and name != "iTXt"] == (
        ["IHDR", "pHYs", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND"]
    )
    assert numbers == list(range(5))


def test_a_gif_has_their_colours_within_half_a_hundredth_of_the_scale():
    shades = np.linspace(0, 1, 400, dtype=np.float32).reshape(1, 1, 20, 20)
    tokens = Tokens.plain([str(i) for i in range(20)])
    frames = by_layer(Attention(shades, None, tokens, tokens, (0,), (0,), model="m"), scale="linear", vmax=1.0)
    for frame, got in zip(frames, decoded(formats.encode("gif", frames))[1], strict=True):
        assert np.abs(got.astype(int) - paint(frame)).max() <= 6
    image, pixels = decoded(formats.encode("gif", by_layer(attention()), milliseconds=500))
    assert (image.n_frames, image.info["duration"], image.info["loop"]) == (3, 500, 0)
    assert len({page.shape for page in pixels}) == 1
    assert all((page.reshape(-1, 3) == (255, 255, 255)).all(-1).mean() > 0.3 for page in pixels)


@pytest.mark.parametrize("name", formats.of(formats.FRAMES))
def test_the_same_frames_give_the_same_bytes(name):
    assert formats.encode(name, by_layer(attention())) == formats.encode(name, by_layer(attention()))


@pytest.mark.parametrize("name", formats.of(formats.FRAMES))
def test_too_many_pixels_are_refused_before_a_byte_is_written(name, monkeypatch):
    monkeypatch.setattr(animation, "MAX_PIXELS", 100_000)
    file = io.BytesIO()
    with pytest.raises(OutputError, match=r"3 frames of [\d,]+ x [\d,]+ pixels are more than 100,000"):
        formats.write(name, by_layer(attention()), file)
    assert file.getvalue() == b""


def test_frames_of_different_sizes_are_refused():
    frames = [*by_layer(attention()), *by_layer(attention(n=4, names="a b c d"))]
    with pytest.raises(OutputError, match="frames of different sizes"):
        formats.encode("apng", frames)


def test_the_commands_animate_layers_and_new_tokens(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = ["The cat sat", "-m", "seeded", "--dpi", "60"]
    assert main(["heatmap", *text, "--frame-ms", "300", "-o", "layers.gif"]) == 0
    assert main(["heatmap", *text, "-l", "1", "-o", "one.apng"]) == 0
    assert main(["generate", *text, "--max-new", "4", "-o", "new.gif", "-q"]) == 0
    counts = [Image.open(name).n_frames for name in ("layers.gif", "one.apng", "new.gif")]
    assert counts == [2, 1, 4]
    assert Image.open("layers.gif").info["duration"] == 300
    capsys.readouterr()
    assert main(["heatmap", *text, "-H", "0.1,1.0", "-o", "a.gif"]) == 1
    assert "the same heads" in capsys.readouterr().err
    assert main(["generate", *text, "--by", "head", "-o", "a.gif"]) == 2
    assert main(["heatmap", *text, "--frame-ms", "1", "-o", "a.gif"]) == 2
    assert not Path("a.gif").exists()


def test_an_attention_is_saved_as_its_layers(tmp_path):
    attention().save(tmp_path / "layers.gif")
    assert (tmp_path / "layers.gif").read_bytes() == formats.encode("gif", by_layer(attention()))
