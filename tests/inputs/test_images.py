"""Image files: the numbers of the checkpoint's own processor, and files that cannot be used."""

from __future__ import annotations

import json
import shutil
import struct
import warnings
import zlib

import numpy as np
import pytest
from helpers.paths import INPUTS
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from attnviz.errors import AttnvizWarning, ConfigError, InputError
from attnviz.inputs.images import Size, read_image, steps_of
from attnviz.inputs.pictures import MAX_PIXELS, open_image

CASES = ["vit", "vit_int", "vit_plain", "deit", "deit_pad", "bit", "clip", "siglip", "beit", "beit_crop", "dinov3"]
FAMILY = {
    "siglip": "siglip_vision_model",
    "beit": "beit",
    "dinov3": "dinov3_vit",
    "vit": "vit",
    "deit": "deit",
    "bit": "dinov2",
    "clip": "clip",
}
VIT = {"model_type": "vit", "image_size": 4, "patch_size": 2}


@pytest.fixture
def folder(tmp_path):
    """A folder whose preprocessor_config.json holds these keys."""

    def made(name="preprocessor_config.json", /, **keys):
        (tmp_path / name).write_text(json.dumps(keys), encoding="utf-8")
        return tmp_path

    return made


@pytest.fixture
def two(tmp_path):
    """A picture of 4 x 4 pixels: red on the left, blue on the right."""
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[:, :2, 0] = 255
    pixels[:, 2:, 2] = 51
    path = tmp_path / "two.png"
    Image.fromarray(pixels).save(path)
    return path


def quiet(path, *rest):
    """read_image with no warning allowed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_image(path, *rest)


# --- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["v4", "v5"])
@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_reference(case, release, tmp_path):
    shutil.copy(INPUTS / f"{case}.{release}.json", tmp_path / "preprocessor_config.json")
    expected = np.load(INPUTS / "expected.npz")
    for source in ("high", "wide", "tiny"):
        got = quiet(INPUTS / f"{source}.png", {"model_type": FAMILY[case.split("_")[0]]}, tmp_path)
        want = expected[f"{case}/{source}"]
        assert got.pixel_values.dtype == np.float32
        assert got.pixel_values.shape == want.shape
        # DINOv3's steps are float32 throughout: the reference itself is 1.15e-6 from its own float64.
        atol = 4 * 1.15e-6 if case == "dinov3" else 1e-6
        np.testing.assert_allclose(got.pixel_values, want, rtol=0, atol=atol, err_msg=source)


def test_two_colours(two, folder):
    """Rescaled by 1/255, then (x - mean) / std, channel by channel: red, then blue."""
    place = folder(do_resize=False, image_mean=[0.5, 0.5, 0.1], image_std=[0.5, 0.25, 0.2])
    image = quiet(two, VIT, place)
    assert image.pixel_values.shape == (3, 4, 4)
    np.testing.assert_allclose(image.pixel_values[:, 0, 0], [1.0, -2.0, -0.5], atol=1e-6)
    np.testing.assert_allclose(image.pixel_values[:, 3, 3], [-1.0, -2.0, 0.5], atol=1e-6)
    assert image.shown[0].tolist() == [[255, 0, 0], [255, 0, 0], [0, 0, 51], [0, 0, 51]]
    assert image.name == "two.png"


def test_shown_is_what_the_model_sees_without_the_rest_of_a_patch(two, folder):
    config = {**VIT, "patch_size": 3}
    image = quiet(two, config, folder(do_resize=False))
    assert image.pixel_values.shape == (3, 4, 4)
    assert image.shown.shape == (3, 3, 3)
    assert image.shown[0, :, 0].tolist() == [255, 255, 0]


@pytest.mark.parametrize(
    ("size", "of", "want"),
    [
        (Size(5, 7), (10, 10), (5, 7)),
        (Size(shortest=10), (20, 40), (10, 20)),
        (Size(shortest=10), (41, 20), (20, 10)),
        (Size(shortest=10), (7, 7), (10, 10)),
        (Size(shortest=10, longest=15), (20, 40), (8, 15)),
        (Size(shortest=10, longest=15), (20, 22), (10, 11)),
    ],
)
def test_sizes(size, of, want):
    assert size.of(*of) == want


@given(st.integers(1, 300), st.integers(1, 3000), st.integers(1, 3000))
def test_the_shorter_side_is_what_was_asked_for(shortest, height, width):
    rows, cols = Size(shortest=shortest).of(height, width)
    assert min(rows, cols) == shortest
    assert (rows <= cols) == (height <= width) or rows == cols
    assert abs(max(rows, cols) - shortest * max(height, width) / min(height, width)) <= 1


@pytest.mark.parametrize(
    ("keys", "resize"),
    [
        ({"size": 6}, Size(6, 6)),
        ({"size": 6, "default_to_square": False}, Size(shortest=6)),
        ({"size": [6, 8]}, Size(6, 8)),
        ({"size": {"height": 6, "width": 8}}, Size(6, 8)),
        ({"size": {"shortest_edge": 6}}, Size(shortest=6)),
        ({"size": {"shortest_edge": 6, "longest_edge": 8}}, Size(shortest=6, longest=8)),
        ({}, Size(224, 224)),
        ({"size": 6, "do_resize": False}, None),
    ],
)
def test_spellings_of_a_size(keys, resize, folder):
    assert steps_of(VIT, folder(**keys)).resize == resize


def test_processors_have_their_own_habits(folder):
    place = folder(image_processor_type="CLIPImageProcessorFast", size=20)
    steps = steps_of({"model_type": "clip_vision_model"}, place)
    assert (steps.resize, steps.crop, steps.resample) == (Size(shortest=20), (224, 224), 3)
    old = folder(feature_extractor_type="DeiTFeatureExtractor", size=20, crop_size=16)
    steps = steps_of({"model_type": "vit"}, old)
    assert (steps.resize, steps.crop, steps.mean) == (Size(20, 20), (16, 16), (0.5, 0.5, 0.5))


def test_the_part_of_processor_config_goes_first(folder):
    folder(size=6)
    place = folder("processor_config.json", image_processor={"size": 9}, feature_extractor={"size": 1})
    assert steps_of(VIT, place).resize == Size(9, 9)
    assert steps_of(VIT, folder("processor_config.json", processor_class="CLIPProcessor")).resize == Size(6, 6)


@pytest.mark.parametrize(
    ("family", "resize", "crop", "mean"),
    [
        ("vit", Size(56, 56), None, 0.5),
        ("deit", Size(64, 64), (56, 56), 0.485),
        ("dinov2", Size(shortest=64), (56, 56), 0.485),
        ("clip_vision_model", Size(shortest=56), (56, 56), 0.48145466),
    ],
)
def test_without_a_file_the_family_says(family, resize, crop, mean, tmp_path):
    with pytest.warns(AttnvizWarning, match=r"no preprocessor_config\.json: the image is resized to"):
        steps = steps_of({"model_type": family, "image_size": 56}, tmp_path)
    assert (steps.resize, steps.crop, steps.mean[0]) == (resize, crop, mean)


def test_a_model_of_grey_images(two, folder):
    config = {**VIT, "num_channels": 1}
    image = quiet(two, config, folder(do_resize=False, image_mean=[0.5], image_std=0.5))
    grey = np.asarray(Image.open(two).convert("L"))
    np.testing.assert_allclose(image.pixel_values[0], grey / 127.5 - 1, atol=1e-6)
    assert image.shown.shape == (4, 4, 3)


# --- files ---------------------------------------------------------------------------------------------------------


def saved(tmp_path, image, name="x.png", **more):
    path = tmp_path / name
    image.save(path, **more)
    return path


def test_upright_by_exif(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[0, 0] = 255
    got = np.asarray(open_image(saved(tmp_path, Image.fromarray(pixels), exif=exif)))
    assert got.shape == (3, 2, 3)
    assert got[0, 1].tolist() == [255, 255, 255]
    assert int(got.sum()) == 3 * 255


def test_transparent_parts_are_laid_on_white(tmp_path):
    pixels = np.zeros((1, 3, 4), np.uint8)
    pixels[0, :, 3] = 0, 255, 128
    with pytest.warns(AttnvizWarning, match=r"x\.png: transparent parts are laid on white"):
        got = np.asarray(open_image(saved(tmp_path, Image.fromarray(pixels))))
    assert got[0, :, 0].tolist() == [255, 0, 127]


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "LA", "RGBA"])
def test_modes_that_need_no_word(mode, tmp_path):
    image = Image.new("RGB", (3, 2), (255, 255, 255)).convert(mode)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.asarray(open_image(saved(tmp_path, image))).min() == 255


def test_sixteen_bits_become_eight(tmp_path):
    values = np.array([[0, 257, 32768, 65535]], np.uint16)
    with pytest.warns(AttnvizWarning, match="16-bit grey, scaled to 8 bits"):
        got = np.asarray(open_image(saved(tmp_path, Image.fromarray(values))))
    assert got[0, :, 0].tolist() == [0, 1, 128, 255]


def test_of_several_pictures_the_first(tmp_path):
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("white", "black")]
    path = saved(tmp_path, frames[0], "x.gif", save_all=True, append_images=frames[1:])
    with pytest.warns(AttnvizWarning, match="it holds several pictures; the first is used"):
        assert np.asarray(open_image(path)).min() == 255


def test_floating_point_pixels_are_refused(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.ones((2, 2), np.float32)), "x.tiff")
    with pytest.raises(InputError, match=r"^x\.tiff: pixels are floating-point numbers of unknown range$"):
        open_image(path)


def png_that_claims(width, height):
    """The header of a large picture, without the pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"hello", "is not a picture that Pillow reads"),
        (b"", "is not a picture that Pillow reads"),
        (png_that_claims(10_001, 10_000), ": 10001 x 10000 pixels are too many to read"),
        (png_that_claims(60_000, 60_000), ": more pixels than can be read"),
        (png_that_claims(100, 100), ": cannot be read as a picture: "),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", ": EPS is a program that draws"),
    ],
)
def test_damaged_and_hostile_files(data, said, tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(InputError) as error:
        open_image(path)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_cut_file_never_escapes_as_another_error(tmp_path):
    whole = (INPUTS / "high.png").read_bytes()
    pixels = np.asarray(open_image(INPUTS / "high.png"))
    path = tmp_path / "x.png"
    refused = 0
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        try:
            np.testing.assert_array_equal(open_image(path), pixels)  # only checksums are missing
        except InputError:
            refused += 1
    assert refused > 0.9 * len(whole) / 97


def test_no_such_file(tmp_path):
    for path in (tmp_path / "no.png", tmp_path):
        with pytest.raises(InputError, match="no such picture"):
            open_image(path)


def test_a_strip_is_not_resized_beyond_measure(tmp_path, folder):
    path = saved(tmp_path, Image.new("RGB", (1, 5000)))
    with pytest.raises(InputError, match=r"^x\.png: 1 x 5000 pixels would be resized to 224 x 1120000$"):
        quiet(path, VIT, folder(size={"shortest_edge": 224}))
    assert MAX_PIXELS < 224 * 1_120_000


# --- the checkpoint's settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"crop_pct": 0.9}, "nobody has said what the key 'crop_pct' does to the input"),
        ({"do_solarise": True}, "nobody has said what the key 'do_solarise' does to the input"),
        ({"do_pad": True}, "do_pad True is not handled"),
        ({"image_processor_type": "ConvNextImageProcessor"}, "nobody has said what a ConvNextImageProcessor does"),
        ({"size": {"longest_edge": 5}}, "size must have height and width, or shortest_edge; got longest_edge"),
        ({"size": 10**9}, "size must be a whole number from 1 to 65536"),
        ({"size": {"height": 5, "width": -5}}, "width must be a whole number from 1 to 65536; got -5"),
        ({"do_center_crop": True}, "crop_size is missing"),
        ({"crop_size": {"shortest_edge": 5}}, "crop_size must have a height and a width"),
        ({"resample": 6}, "resample must be a whole number from 0 to 5; got 6"),
        ({"image_std": [1, 0, 1]}, "image_std must not be 0"),
        ({"image_mean": ["a"]}, "must be a number; got 'a'"),
        ({"do_resize": "yes"}, "do_resize must be true or false; got 'yes'"),
        ({"rescale_factor": float("nan")}, "rescale_factor must be a number"),
    ],
)
def test_settings_that_cannot_be_followed(keys, said, folder):
    with pytest.raises(ConfigError) as error:
        steps_of(VIT, folder(**keys))
    assert str(error.value).startswith("preprocessor_config.json: ")
    assert said in str(error.value)


def test_keys_that_do_nothing(folder):
    place = folder(do_solarise=False, processor_class="X", crop_pct=None, device="cpu", data_format="channels_first")
    assert steps_of(VIT, place).resize == Size(224, 224)
    assert steps_of(VIT, folder(crop_pct=0.9), ["crop_pct"]).resize == Size(224, 224)


@pytest.mark.parametrize(
    ("text", "said"),
    [("[1]", "must hold an object; got list"), ("{", "is not JSON"), ("[" * 100_000, "nested too deeply")],
)
def test_a_damaged_settings_file(text, said, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(text)
    with pytest.raises(ConfigError, match=said):
        steps_of(VIT, tmp_path)


def test_two_numbers_for_three_channels(folder):
    with pytest.raises(InputError, match="image_mean has 2 numbers; the model reads 3 channels"):
        steps_of(VIT, folder(image_mean=[0.5, 0.5]))
