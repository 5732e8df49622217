"""Attention over a picture: what the figure holds, and which colours are drawn."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.paths import REFERENCE
from PIL import Image

import attnviz
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.cli import main
from attnviz.errors import InputError, SelectionError
from attnviz.page.overlay import overlay
from attnviz.render.image import to_bytes
from attnviz.render.theme import COVER, colour, over, table


def attention(rows=2, cols=3, n_layers=1, n_heads=2, front=("[class]",), seed=0):
    """Weights of an image of rows x cols patches behind the tokens of `front`."""
    n = rows * cols + len(front)
    weights = np.random.default_rng(seed).dirichlet(np.ones(n), (n_layers, n_heads, n)).astype(np.float32)
    tokens = Tokens.plain([*front, *(f"{r},{c}" for r in range(rows) for c in range(cols))])
    layers, heads = tuple(range(n_layers)), tuple(range(n_heads))
    return Attention(weights, None, tokens, tokens, layers, heads, model="m", grid=(rows, cols))


def picture(rows=2, cols=3, size=4):
    pixels = np.random.default_rng(1).integers(0, 256, (rows * size, cols * size, 3))
    return pixels.astype(np.uint8)


def test_the_class_token_looks_first():
    found = attention()
    figure = overlay(found, picture())
    assert [panel.head for panel in figure.panels] == [0, 1]
    for head, panel in enumerate(figure.panels):
        np.testing.assert_array_equal(panel.values, found.weights[0, head, 0, 1:].reshape(2, 3))
        assert panel.marks == ()
    assert figure.title == "m · layer 0 · 2 heads · query “[class]”"
    assert figure.subtitle == "each panel: the weights of [class] over 2 x 3 patches"
    rest = sorted(f"{weight:.2f}" for weight in found.weights[0, :, 0, 0])
    assert figure.notes[0] == f"{rest[0]}–{rest[1]} of the row goes to [class], which has no patch"
    assert figure.notes[1] == "the picture as the model sees it, 12 x 8 pixels"


def test_what_the_model_wants_said_is_said():
    found = attention()
    found.meta.update(notes=["a learned sink"], ignored_keys=["twist", "turn"])
    assert overlay(found, picture()).notes[-2:] == ("a learned sink", "ignored configuration keys: twist, turn")


def test_another_query_is_marked():
    found = attention(front=("[class]", "[distillation]"))
    figure = overlay(found, picture(), query=2 + 4)
    np.testing.assert_array_equal(figure.panels[1].values.ravel(), found.weights[0, 1, 6, 2:])
    assert figure.panels[0].marks == ((1, 1),)
    assert "the weights of patch 1,1 over" in figure.subtitle
    assert "goes to [class], [distillation], which have no patch" in figure.notes[0]


def test_patches_that_may_not_be_seen_are_grey_and_it_is_said():
    """The class token of layer 1 sees the first row of patches alone, in layer 0 all."""
    found = attention(n_layers=2)
    mask = np.ones((2, 7, 7), bool)
    mask[1, 0, 4:] = False
    figure = overlay(replace(found, mask=mask), picture())
    assert [panel.hidden is None for panel in figure.panels] == [True, True, False, False]
    np.testing.assert_array_equal(figure.panels[2].hidden, [[False] * 3, [True] * 3])
    assert "grey: not allowed" in figure.notes and "grey: not allowed" not in overlay(found, picture()).notes


def test_the_picture_stands_beside_one_layer():
    pixels = picture()
    (image,) = overlay(attention(), pixels).images
    assert image.picture is pixels
    layered = overlay(attention(n_layers=3), pixels)
    assert layered.images == ()
    assert [(panel.layer, panel.head) for panel in layered.panels] == [(i, j) for i in range(3) for j in range(2)]
    alone = overlay(attention(n_layers=3, n_heads=1), pixels)
    assert [label.text for label in alone.labels if label.role == "heading"] == [
        "the picture",
        *(f"layer {i}" for i in range(3)),
    ]


def test_no_panel_covers_another():
    for n_heads in (1, 3, 12):
        figure = overlay(attention(4, 4, n_heads=n_heads), picture(4, 4))
        boxes = [figure.images[0].box, *(panel.box for panel in figure.panels)]
        for i, a in enumerate(boxes):
            assert a.x >= 0 and a.x + a.width <= figure.width and a.y + a.height <= figure.height
            for b in boxes[:i]:
                apart = a.x >= b.x + b.width or b.x >= a.x + a.width or a.y >= b.y + b.height or b.y >= a.y + a.height
                assert apart


def test_scales():
    found = attention()
    top = found.weights[0, :, 0, 1:].max()
    assert top <= overlay(found, picture()).scale.high <= 1.35 * top
    own = overlay(found, picture(), scale="row")
    assert [float(panel.values.max()) for panel in own.panels] == [1.0, 1.0]
    assert own.scale.label == "share of the panel's largest"
    low = overlay(found, picture(), vmax=0.01)
    assert any(note.endswith("weights above 0.01 drawn as 0.01") for note in low.notes)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"grid": None}, InputError, "this attention is not of an image: it has no grid of patches"),
        ({"grid": (3, 3)}, InputError, "a picture of 3 x 3 patches needs each of them, one by one"),
    ],
)
def test_attention_that_is_not_of_this_picture(change, error, said):
    from dataclasses import replace

    with pytest.raises(error, match=f"^{said}$"):
        overlay(replace(attention(), **change), picture())


def test_no_class_token_and_no_query():
    found = attention(front=())
    with pytest.raises(SelectionError, match="there is no class token to look from"):
        overlay(found, picture())
    assert len(overlay(found, picture(), query=0).panels) == 2


def test_pictures_of_the_wrong_kind():
    for pixels in (picture().astype(float), picture()[..., 0], picture()[:1]):
        with pytest.raises(InputError, match="picture"):
            overlay(attention(), pixels)


# --- colours -------------------------------------------------------------------------------------------------------


def test_cells_over_a_picture():
    """A share of the cell's colour, the same everywhere, and greys from 60 to 200 of the picture."""
    cells = np.array([[[200, 0, 0], [0, 100, 0]]], np.uint8)
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[1] = 255
    got = over(pixels, cells, "viridis")
    for x, cell in ((0, cells[0, 0]), (3, cells[0, 1])):
        for y, grey in ((0, 60.0), (1, 60 + 0.55 * 255)):
            np.testing.assert_allclose(got[y, x], COVER * cell + (1 - COVER) * grey, atol=1)


@pytest.mark.parametrize("cmap", ["ink", "Greys", "Blues"])
def test_no_weight_leaves_the_picture_and_much_is_dark_on_any_part_of_it(cmap):
    """By a map that is white at 0 the picture is a pale print; under the darkest colour it is as good as gone."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    grey = pixels @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    nothing, much = (over(pixels, table(cmap)[None, [i]], cmap).astype(float) for i in (0, 255))
    assert np.corrcoef(nothing.mean(-1).ravel(), grey.ravel())[0, 1] > 0.999
    assert nothing.max() > 240 and np.ptp(nothing.mean(-1)) > 50  # it can be seen
    assert np.ptp(much.mean(-1)) < 25 and much.mean() < 0.5 * nothing.min()


@pytest.mark.parametrize(("cmap", "sign"), [("viridis", 1), ("ink", -1), ("Greys", -1)])
def test_the_colours_stay_in_order(cmap, sign):
    """The picture alone never makes a larger weight look smaller, over half of the scale."""
    steps = table(cmap)[None, ::128]
    light = over(np.full((1, 2, 3), 255, np.uint8), steps, cmap).sum(-1).astype(int)
    dark = over(np.zeros((1, 2, 3), np.uint8), steps, cmap).sum(-1).astype(int)
    assert sign * (light[0, 1] - light[0, 0]) > 0 and sign * (dark[0, 1] - dark[0, 0]) > 0
    if sign < 0:
        assert light[0, 1] < dark[0, 0]  # half the weight on white is darker than none on black


def drawn(figure):
    return np.asarray(Image.open(io.BytesIO(to_bytes(figure, "png"))).convert("RGB")).astype(int)


def test_what_is_drawn():
    """The middle of each patch of an even picture has the colour of its weight; the picture beside it is itself."""
    found = attention(n_heads=1)
    pixels = np.full((8, 12, 3), 255, np.uint8)
    pixels[..., 1] = 40
    figure = overlay(found, pixels, dpi=100)
    image = drawn(figure)
    panel = figure.panels[0]
    want = over(pixels, colour(figure.scale.unit(panel.values), "ink"), "ink")
    for i in range(2):
        for j in range(3):
            x = (panel.box.x + (j + 0.5) * panel.box.width / 3) * 100 / 72
            y = (panel.box.y + (i + 0.5) * panel.box.height / 2) * 100 / 72
            np.testing.assert_allclose(image[int(y), int(x)], want[4 * i + 2, 4 * j + 2], atol=1)
    box = figure.images[0].box
    beside = image[int((box.y + box.height / 2) * 100 / 72), int((box.x + box.width / 2) * 100 / 72)]
    assert beside.tolist() == [255, 40, 255]


def test_a_fine_picture_is_smoothed():
    """A chequerboard finer than the panel's pixels becomes grey, not a moire of black and white."""
    pixels = np.zeros((1600, 1600, 3), np.uint8)
    pixels[::2, ::2] = pixels[1::2, 1::2] = 255
    figure = overlay(attention(2, 2, n_heads=1), pixels, dpi=60)
    box = figure.images[0].box
    inside = drawn(figure)[int(box.y * 60 / 72) + 5 :, int(box.x * 60 / 72) + 5 :][:30, :30]
    assert np.abs(inside - 127).max() < 20


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_the_same_bytes_each_time(kind):
    figure = overlay(attention(), picture())
    once = to_bytes(figure, kind)
    assert once == to_bytes(figure, kind)
    if kind == "svg":
        assert once.count(b"<image") == 3


# --- the command ---------------------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch, tmp_path, capfd):
    """Run a command in an empty folder -> (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTNVIZ_MODEL", "seeded")

    def ran(*words):
        status = main(list(map(str, words)))
        out, err = capfd.readouterr()
        return status, out, err

    return ran


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(2).integers(0, 256, (40, 50, 3)).astype(np.uint8)).save(path)
    return path


@pytest.mark.parametrize("case", ["vit", "deit", "dinov2", "clip_vision"])
def test_heatmap_of_an_image(case, run, photo):
    status, out, err = run("heatmap", "--image", photo, "-m", REFERENCE / case, "-o", "x.svg")
    assert (status, out) == (0, "x.svg\n")
    assert re.match(r"warning: no preprocessor_config\.json: the image is resized to .*\n$", err)
    text = (photo.parent / "x.svg").read_text()
    for said in ("the picture", "head 3", "row of patches", "4 x 4 patches"):
        assert said in text


def test_the_map_instead(run, photo):
    status, _, err = run("heatmap", "--image", photo, "-m", REFERENCE / "vit", "--map", "-o", "x.svg")
    assert status == 0, err
    text = (photo.parent / "x.svg").read_text()
    assert "the picture" not in text
    assert ">[class]<" in text and ">3,3<" in text


def test_the_commands_numbers_are_the_models(run, photo):
    from attnviz.inputs.images import read_image

    status, _, err = run("export", "--image", photo, "-m", REFERENCE / "vit", "-o", "x.npz")
    assert status == 0, err
    model = attnviz.load(REFERENCE / "vit")
    with pytest.warns(attnviz.errors.AttnvizWarning):
        seen = read_image(photo, model.config, model.folder)
    assert seen.shown.shape == (32, 32, 3)
    want = model.attend(pixel_values=seen.pixel_values)
    got = attnviz.open(photo.parent / "x.npz")
    np.testing.assert_allclose(got.weights, want.weights, atol=1e-6)
    assert got.grid == (4, 4)


def test_the_seeded_model_reads_patches(run, photo):
    """Patches of 16 x 16 pixels as tokens behind a class token, and attention drawn over the picture."""
    from attnviz.inputs.images import read_image

    assert run("heatmap", "--image", photo, "-H", "0,2", "-o", "x.svg") == (0, "x.svg\n", "")  # and no warning
    text = (photo.parent / "x.svg").read_text()
    for said in ("the picture", "head 2", "14 x 14 patches", "random weights, seed 0", "query “[class]”"):
        assert said in text
    assert run("export", "--image", photo, "-o", "x.npz") == (0, "x.npz\n", "")
    got = attnviz.open(photo.parent / "x.npz")
    assert got.grid == (14, 14) and got.weights.shape == (2, 4, 197, 197)
    assert got.query_tokens[:3] == ("[class]", "0,0", "0,1") and got.query_tokens[-1] == "13,13"
    model = attnviz.load("seeded")
    with pytest.warns(attnviz.errors.AttnvizWarning):
        seen = read_image(photo, model.config)
    assert seen.shown.shape == (224, 224, 3)
    np.testing.assert_allclose(got.weights, model.attend(pixel_values=seen.pixel_values).weights, atol=1e-6)
    figure = overlay(got.select(layers=[1]), seen.shown)
    np.testing.assert_array_equal(figure.panels[3].values, got.weights[1, 3, 0, 1:].reshape(14, 14))
    (image,) = figure.images
    np.testing.assert_array_equal(image.picture, seen.shown)


def test_the_seeded_model_looks_at_the_picture(run, tmp_path):
    """Other pixels in one patch: what that patch attends to changes most, and no picture gives the map of another."""
    pixels = np.random.default_rng(3).integers(0, 256, (224, 224, 3)).astype(np.uint8)
    changed = pixels.copy()
    changed[32:48, 64:80] = 255 - changed[32:48, 64:80]  # patch 2,4
    found = []
    for name, values in (("a.png", pixels), ("b.png", changed)):
        Image.fromarray(values).save(tmp_path / name)
        status, _, err = run("export", "--image", name, "-l", "0", "-o", "x.npz")
        assert status == 0, err
        found.append(attnviz.open(tmp_path / "x.npz").weights[0])
    rows = np.abs(found[0] - found[1]).sum(-1).mean(0)
    assert rows.argmax() == 1 + 2 * 14 + 4 and rows.max() > 5 * np.median(rows)


@pytest.mark.parametrize("asked", ["window:1", "lsh:4", "rotary", "patches"])
def test_the_seeded_model_reads_patches_by_any_mechanism(asked, run, photo):
    status, out, err = run("heatmap", "--image", photo, "--mechanism", asked, "--query", "3,4", "-o", "x.svg")
    assert (status, out, err) == (0, "x.svg\n", "")
    assert asked in (photo.parent / "x.svg").read_text()


@pytest.mark.parametrize("case", ["wav2vec2", "whisper"])
def test_sound(case, run, tmp_path):
    import wave

    with wave.open(str(tmp_path / "x.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(0).integers(-3000, 3000, 400, np.int16).tobytes())
    status, out, err = run("table", "--audio", "x.wav", "-m", REFERENCE / case, "-H", "0", "--json")
    assert status == 0, err
    rows = json.loads(out)
    frames = {"wav2vec2": 39, "whisper": 16}[case]
    assert len(rows) == frames**2
    assert sum(row["weight"] for row in rows) == pytest.approx(frames, abs=1e-3)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--audio", "photo.png"), 1, "error: seeded does not read sound\n"),
        (("--image", "photo.png", "-m", "VIT", "text"), 2, "error: TEXT and --image: wanted one of them\n"),
        (("--image", "photo.png", "-m", "VIT", "--pair", "x"), 2, "error: --pair needs a text, not --image\n"),
        (
            ("--image", "photo.png", "-m", "VIT", "--tokens", "1-2"),
            2,
            "error: --tokens needs the map of queries and keys",
        ),
        (("--image", "no.png", "-m", "VIT"), 1, "error: no such picture: 'no.png'\n"),
        (("--image", "photo.png", "-m", "VIT", "--no-special"), 1, "error: there is no class token to look from\n"),
        (("text", "-m", "VIT"), 1, "error: vit reads images; none was given\nhint: name one with --image FILE\n"),
    ],
)
def test_what_cannot_be_drawn(words, status, said, run, photo):
    words = [str(REFERENCE / "vit") if word == "VIT" else word for word in words]
    got, out, err = run("heatmap", *words)
    assert (got, out) == (status, "")
    assert said in err
