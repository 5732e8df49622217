"""Untrusted pictures and sounds: their claims, and the settings of a preprocessor's file, are held to a budget."""

from __future__ import annotations

import json
import struct
import wave
import zlib

import numpy as np
import pytest
from helpers.bounded import bounded
from PIL import Image

from attnviz.engine.embed import convolve
from attnviz.errors import AttnvizError, InputError
from attnviz.inputs.images import read_image
from attnviz.inputs.pictures import open_image
from attnviz.inputs.sound import read_sound


def flat_png(path, width, height):
    """A picture of one grey, as small as a PNG can be."""
    row = zlib.compressobj(9)
    body = b"".join(row.compress(bytes(width + 1)) for _ in range(height)) + row.flush()
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", body), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big") for kind, data in chunks
    ))  # fmt: skip
    return path


def test_a_small_file_is_no_large_picture(tmp_path):
    path = flat_png(tmp_path / "a.png", 10_000, 10_000)
    assert path.stat().st_size < 200_000
    body = f"from attnviz.inputs.images import read_image\nreturn read_image({str(path)!r}, {{'model_type': 'vit'}})"
    line, peak, _ = bounded(body)
    assert "10000 x 10000 pixels are too many for a file of" in line, line
    assert peak < 200


def test_a_flat_picture_of_a_screen_is_read(tmp_path):
    assert open_image(flat_png(tmp_path / "a.png", 3840, 2160)).size == (3840, 2160)


ASKED = {
    "crop": {"do_resize": False, "do_center_crop": True, "crop_size": {"height": 65_536, "width": 65_536}},
    "long crop": {"do_resize": False, "do_center_crop": True, "crop_size": {"height": 1, "width": 65_536}},
    "size": {"size": {"height": 65_536, "width": 1_000}, "do_center_crop": False},
    "shortest": {"size": {"shortest_edge": 60_000}},
}


@pytest.mark.parametrize("name", ASKED)
def test_sizes_have_a_product(tmp_path, name):
    settings = {"image_processor_type": "CLIPImageProcessor", **ASKED[name]}
    if name == "long crop":
        Image.fromarray(np.zeros((2000, 4), np.uint8)).save(tmp_path / "a.png")
    else:
        Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=r"would be (resized|cropped) to"):
        read_image(tmp_path / "a.png", {"model_type": "clip"}, tmp_path)


@pytest.mark.parametrize(("config", "said"), [
    ({"model_type": "whisper", "num_mel_bins": 1 << 20}, {}),
    ({"model_type": "wav2vec2"}, {"feature_extractor_type": "Wav2Vec2FeatureExtractor", "sampling_rate": 767_999}),
    ({"model_type": "whisper", "num_mel_bins": 80}, {"feature_extractor_type": "WhisperFeatureExtractor",
                                                     "hop_length": 1, "sampling_rate": 96_000}),
])  # fmt: skip
def test_what_a_model_asks_of_a_sound_has_an_end(tmp_path, config, said):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 1009, 0, "NONE", ""))
        file.writeframes(bytes(20_000))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    with pytest.raises(AttnvizError, match=r"must be a whole number from|do not fit"):
        read_sound(tmp_path / "a.wav", config, tmp_path)


def long_wav(path, samples, bits=16, channels=1):
    """Silence that takes no space on the disk."""
    width = bits // 8 * channels
    sizes = struct.pack("<I", 36 + samples * width), struct.pack("<I", samples * width)
    form = struct.pack("<IHHIIHH", 16, 1, channels, 16_000, 16_000 * width, width, bits)
    with path.open("wb") as file:
        file.write(b"RIFF" + sizes[0] + b"WAVEfmt " + form + b"data" + sizes[1])
        file.truncate(44 + samples * width)
    return path


@pytest.mark.parametrize("bits", [8, 16])
def test_a_sound_of_hours_is_refused_before_it_is_read(tmp_path, bits):
    """It once took 2.3 GiB, and the model's first convolution would have needed 82 GB."""
    path = long_wav(tmp_path / "a.wav", 200_000_000, bits)
    body = (
        f"from attnviz.inputs.sound import read_sound\nreturn read_sound({str(path)!r}, {{'model_type': 'wav2vec2'}})"
    )
    line, peak, _ = bounded(body)
    assert line == "InputError: a.wav: 208 minutes of sound; at most 5 minutes are read at once", line
    assert peak < 100


@pytest.mark.parametrize(("bits", "channels", "samples"), [(8, 1, 20_000_000), (16, 12, 6_000_000)])
def test_a_sound_takes_four_bytes_a_sample(tmp_path, bits, channels, samples):
    """For any format of the file, since it is unpacked in pieces; it once took up to twelve times the file."""
    path = long_wav(tmp_path / "a.wav", samples, bits, channels)
    line, peak, _ = bounded(f"from attnviz.inputs.wav import read_wav\nreturn read_wav({str(path)!r})[0].shape")
    assert line == f"done: ({samples},)", line
    assert peak < samples * 4 / (1 << 20) + 100  # the second part for Python, NumPy and a piece


@pytest.mark.parametrize(("config", "most"), [
    ({"conv_dim": [1 << 20], "conv_stride": [1], "conv_kernel": [1]}, 512),
    ({"conv_dim": [8, 1 << 20], "conv_stride": [2, 4], "conv_kernel": [2, 4]}, 4096),
])  # fmt: skip
def test_a_model_of_raw_sound_reads_what_its_convolutions_can_hold(tmp_path, config, most):
    config = {"model_type": "wav2vec2", **config}
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": false}')
    assert len(read_sound(long_wav(tmp_path / "a.wav", most), config, tmp_path).wave) == most
    with pytest.raises(InputError, match="are read at once") as caught:
        read_sound(long_wav(tmp_path / "a.wav", most + 1), config, tmp_path)
    assert caught.value.hint == "cut a part out, as in: ffmpeg -i a.wav -t 1 part.wav"


@pytest.mark.parametrize(("channels", "groups"), [(4096, 1), (8192, 2)])
def test_a_convolution_in_pieces_is_the_same(channels, groups):
    """Windows of a few hundred frames at once."""
    rng = np.random.default_rng(0)
    x, bias = rng.normal(size=(channels, 1500)).astype("f4"), rng.normal(size=4).astype("f4")
    weight = rng.normal(size=(4, channels // groups, 8)).astype("f4")
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (3, 3))), 8, axis=1)[:, ::2]
    parts = zip(np.split(windows, groups), np.split(weight, groups), strict=True)
    wanted = np.concatenate([np.einsum("cnk,ock->on", part, own, optimize=True) for part, own in parts]) + bias[:, None]
    np.testing.assert_allclose(convolve(x, weight, bias, 2, 3, groups), wanted, rtol=1e-4, atol=1e-3)


def test_a_convolution_takes_little_beside_what_it_reads_and_makes():
    """Windows of 3 samples hold each number more than once; they once existed for a whole sound together."""
    line, peak, _ = bounded("""
        import numpy as np
        from attnviz.engine.embed import convolve
        return convolve(np.ones((64, 600_000), np.float32), np.ones((64, 64, 3), np.float32), None, 2).shape
    """)
    assert line == "done: (64, 299999)"
    assert peak < 146 + 73 + 110, peak  # input, output, and the rest; it was 544
