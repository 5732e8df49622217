"""Sound files: samples as stored, resampling, and the numbers of the checkpoint's own feature extractor."""

from __future__ import annotations

import json
import shutil
import struct
import warnings
import wave

import numpy as np
import pytest
from helpers.paths import INPUTS, REFERENCE
from helpers.sound_files import config_for, wav
from hypothesis import given, settings
from hypothesis import strategies as st

import attnviz
from attnviz.errors import AttnvizWarning, ConfigError, InputError
from attnviz.inputs.sound import Mels, Waves, log_mel, mel_filters, read_sound, steps_of
from attnviz.inputs.wav import read_wav, resample


@pytest.fixture
def stored(tmp_path):
    def made(data):
        path = tmp_path / "x.wav"
        path.write_bytes(data)
        return path

    return made


def quiet(path, *rest):
    """read_sound with no warning allowed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_sound(path, *rest)


# --- files ---------------------------------------------------------------------------------------------------------

WANT = [0.0, 0.5, -0.5, -1.0]


@pytest.mark.parametrize("extensible", [False, True])
@pytest.mark.parametrize(
    ("kind", "bits", "data"),
    [
        (1, 8, bytes([128, 192, 64, 0])),
        (1, 16, struct.pack("<4h", 0, 1 << 14, -(1 << 14), -(1 << 15))),
        (1, 24, b"\x00\x00\x00" + b"\x00\x00\x40" + b"\x00\x00\xc0" + b"\x00\x00\x80"),
        (1, 32, struct.pack("<4i", 0, 1 << 30, -(1 << 30), -(1 << 31))),
        (3, 32, struct.pack("<4f", *WANT)),
        (3, 64, struct.pack("<4d", *WANT)),
    ],
)
def test_every_way_to_store_a_sample(kind, bits, data, extensible, stored):
    samples, rate = read_wav(stored(wav(data, kind, bits=bits, extensible=extensible, rate=22050)))
    assert rate == 22050
    assert samples.dtype == np.float32
    assert samples.tolist() == WANT


def test_channels_are_averaged(stored):
    data = struct.pack("<6h", 0, 1 << 14, 1 << 14, 1 << 14, -(1 << 14), 1 << 14)
    assert read_wav(stored(wav(data, channels=2)))[0].tolist() == [0.25, 0.5, 0.0]
    assert read_wav(stored(wav(data, channels=3)))[0].tolist() == pytest.approx([1 / 3, 1 / 6])


@pytest.mark.parametrize("channels", [1, 3])
def test_a_long_sound_is_read_in_pieces(channels, stored):
    values = np.random.default_rng(0).integers(-(1 << 15), 1 << 15, ((1 << 20) + 5, channels), np.int16)
    found, _ = read_wav(stored(wav(values.tobytes(), channels=channels)))
    np.testing.assert_allclose(found, values.mean(1) / (1 << 15), rtol=0, atol=1e-7)


def test_the_standard_librarys_files_are_read(tmp_path):
    values = np.random.default_rng(0).integers(-(1 << 15), 1 << 15, 1000, dtype=np.int16)
    path = tmp_path / "x.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(values.tobytes())
    samples, rate = read_wav(path)
    assert rate == 8000
    np.testing.assert_array_equal(samples, values / np.float32(1 << 15))


def test_other_chunks_are_passed_over(stored):
    before = b"LIST" + struct.pack("<I", 3) + b"abc\x00"  # an odd size is filled up
    assert read_wav(stored(wav(struct.pack("<h", 1 << 14), before=before)))[0].tolist() == [0.5]


def test_only_the_start(stored):
    data = struct.pack("<16000h", *range(16000))
    assert len(read_wav(stored(wav(data)), seconds=0.25)[0]) == 4000


def test_a_size_written_before_it_was_known(stored):
    assert len(read_wav(stored(wav(bytes(8), size=0xFFFFFFFF)))[0]) == 4


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "x.wav: not a WAV file"),
        (b"RIFF\x00\x00\x00\x00AVI ", "x.wav: not a WAV file"),
        (b"fLaC" + bytes(40), "x.wav: it is FLAC, not WAV"),
        (b"ID3\x03" + bytes(40), "x.wav: it is MP3, not WAV"),
        (wav(bytes(8))[:30], "x.wav: cut off: it has no sound in it"),
        (wav(bytes(8))[:-3], "x.wav: cut off: 5 of 8 bytes of sound are there"),
        (wav(bytes(8), size=1 << 31), "x.wav: cut off: 8 of 2147483648 bytes of sound are there"),
        (wav(b""), "x.wav: it holds no samples"),
        (wav(b"\x00"), "x.wav: it holds no samples"),
        (wav(bytes(8), kind=7, bits=8), "x.wav: its samples are mu-law; wanted PCM or floating point"),
        (wav(bytes(8), kind=999), "x.wav: its samples are format 999; wanted PCM or floating point"),
        (wav(bytes(8), channels=0), "x.wav: 0 channels; wanted 1 to 64"),
        (wav(bytes(8), rate=0), "x.wav: 0 samples a second; wanted 1000 to 768000"),
        (wav(bytes(8), bits=12), "x.wav: PCM samples of 12 bits"),
        (wav(bytes(8), kind=3, bits=16), "x.wav: floating-point samples of 16 bits"),
        (wav(struct.pack("<f", float("nan")), kind=3, bits=32), "x.wav: there are samples that are not finite numbers"),
        (wav(b"").replace(b"fmt ", b"junk"), "x.wav: the sound comes before its format"),
    ],
)
def test_files_that_cannot_be_used(data, said, stored):
    with pytest.raises(InputError) as error:
        read_wav(stored(data))
    assert str(error.value).startswith(said)
    assert "\n" not in str(error.value)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_header_ends_in_one_error(tmp_path_factory, data):
    whole = bytearray(wav(bytes(64), extensible=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 65))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.wav"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        samples, _ = read_wav(path)
    except InputError:
        return
    assert 0 < len(samples) <= 64


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such sound file"):
        read_wav(tmp_path / "no.wav")


# --- another rate --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "wanted"), [(44100, 16000), (48000, 16000), (8000, 16000), (16000, 22050)])
def test_tones_keep_their_place_and_height(rate, wanted):
    t, new = np.arange(rate) / rate, np.arange(wanted) / wanted
    for share in (0.01, 0.3, 0.9):
        hertz = share * min(rate, wanted) / 2
        got = resample(np.sin(2 * np.pi * hertz * t), rate, wanted)
        assert len(got) == wanted
        middle = slice(wanted // 4, 3 * wanted // 4)
        np.testing.assert_allclose(got[middle], np.sin(2 * np.pi * hertz * new)[middle], atol=1e-4)


def test_tones_beyond_the_new_limit_are_gone():
    t = np.arange(44100) / 44100
    for hertz in (8000, 9000, 15000):
        assert np.abs(resample(np.sin(2 * np.pi * hertz * t + 0.3), 44100, 16000)[1000:-1000]).max() < 1e-4


@given(st.integers(1000, 50000), st.integers(1000, 50000), st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_lengths_and_a_constant(rate, wanted, n):
    got = resample(np.ones(n), rate, wanted)
    assert len(got) == -(-n * wanted // rate)
    assert np.isfinite(got).all()


def test_a_constant_stays_itself():
    np.testing.assert_allclose(resample(np.ones(3000), 44100, 16000)[300:-300], 1, atol=1e-6)


def test_the_same_rate_is_left_alone():
    x = np.random.default_rng(0).normal(size=10).astype(np.float32)
    assert resample(x, 16000, 16000) is x


# --- the model's input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["v4", "v5"])
@pytest.mark.parametrize("case", ["whisper", "whisper_128", "whisper_8", "wav2vec2", "wav2vec2_as_is"])
def test_agrees_with_the_reference(case, release, tmp_path, stored):
    expected = np.load(INPUTS / "expected.npz")
    shutil.copy(INPUTS / f"{case}.{release}.json", tmp_path / "preprocessor_config.json")
    for n in (4800, 17000):
        path = stored(wav(expected[f"wave/{n}"].tobytes(), kind=3, bits=32))
        with warnings.catch_warnings():
            warnings.filterwarnings("error" if n == 4800 else "ignore")
            sound = read_sound(path, config_for(case), tmp_path)
        if case.startswith("wav2vec2"):
            got = sound.input_values[::7]
            assert sound.input_features is None
        else:
            got = sound.input_features[:, ::3]
            assert sound.input_values is None
        want = expected[f"{case}/{n}"]
        assert got.shape == want.shape and got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_a_tone_peaks_in_the_band_around_it():
    steps = Mels(samples=16000)
    t = np.arange(16000) / 16000
    filters = mel_filters(80, 400, 16000)
    assert filters.shape == (80, 201)
    for hertz in (440, 1000, 3000):
        mels = log_mel((0.5 * np.sin(2 * np.pi * hertz * t)).astype(np.float32), steps)
        assert mels.shape == (80, 100)
        band = int(np.argmax(filters[:, hertz // 40]))  # a bin of the transform is 40 Hz wide
        assert set(mels[:, 5:-5].argmax(0)) == {band}


def test_silence_is_flat_and_the_range_is_two():
    assert np.unique(log_mel(np.zeros(100, np.float32), Mels(samples=1600))).tolist() == [np.float32(-1.5)]
    mels = log_mel(np.r_[np.ones(800), np.zeros(800)].astype(np.float32), Mels(samples=1600))
    assert mels.max() - mels.min() == pytest.approx(2.0)


def test_another_rate_is_resampled_and_said(stored, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text('{"do_normalize": false}')
    t = np.arange(4410) / 44100
    path = stored(wav((8000 * np.sin(2 * np.pi * 300 * t)).astype("<i2").tobytes(), rate=44100))
    with pytest.warns(AttnvizWarning, match=r"x\.wav: resampled from 44100 to 16000 samples a second"):
        sound = read_sound(path, {"model_type": "wav2vec2"}, tmp_path)
    assert (len(sound.wave), sound.rate, sound.seconds) == (1600, 16000, 0.1)
    want = 8000 / (1 << 15) * np.sin(2 * np.pi * 300 * np.arange(1600) / 16000)
    np.testing.assert_allclose(sound.input_values[300:-300], want[300:-300], atol=1e-3)


def test_a_long_sound_is_cut_and_said(stored, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text('{"chunk_length": 1}')
    config = {"model_type": "whisper", "num_mel_bins": 80, "max_source_positions": 50}
    with pytest.warns(AttnvizWarning, match=r"x\.wav: only the first 1 seconds are used"):
        sound = read_sound(stored(wav(bytes(40000))), config, tmp_path)
    assert sound.input_features.shape == (80, 100)


def test_without_a_file_the_configuration_says(tmp_path):
    with pytest.warns(AttnvizWarning, match=r"no preprocessor_config\.json: the sound is taken at 16000"):
        assert steps_of({"model_type": "wav2vec2"}, tmp_path) == Waves(16000, True, 5 << 20)
    with pytest.warns(AttnvizWarning, match="a log-mel spectrogram of 128 bands"):
        steps = steps_of({"model_type": "whisper", "num_mel_bins": 128}, None)
    assert steps == Mels(bands=128, samples=480_000)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"feature_size": 128}, "feature_size 128 does not fit the model's num_mel_bins 80"),
        ({"chunk_length": 20}, "2000 frames do not fit the model's max_source_positions 1500, of 2 each"),
        ({"dither": 0.1}, "dither adds random noise"),
        ({"padding_side": "left"}, "padding_side must be one of right; got 'left'"),
        ({"feature_extractor_type": "ClapFeatureExtractor"}, "nobody has said what a ClapFeatureExtractor does"),
        ({"feature_extractor_type": "Wav2Vec2FeatureExtractor"}, "a Wav2Vec2 feature extractor does not fit"),
        ({"preemphasis": 0.97}, "nobody has said what the key 'preemphasis' does to the input"),
        ({"sampling_rate": 10**9}, "sampling_rate must be a whole number from 1000 to 96000"),
    ],
)
def test_settings_that_cannot_be_followed(keys, said, tmp_path):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(keys))
    with pytest.raises(ConfigError) as error:
        steps_of({"model_type": "whisper", "num_mel_bins": 80}, tmp_path)
    assert said in str(error.value)


def test_filters_stored_in_an_old_file_are_made_anew(tmp_path):
    keys = {"mel_filters": [[0.0]], "n_samples": 480000, "nb_max_frames": 3000, "processor_class": "WhisperProcessor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(keys))
    assert steps_of({"model_type": "whisper", "num_mel_bins": 80}, tmp_path) == Mels()


@pytest.mark.parametrize("words", [(), ("--own-heads",)])
def test_wavlm_at_the_command_line(stored, run, words):
    """--own-heads gives the same as own_heads in Python, and no other model accepts it (tests/cli/test_cli.py)."""
    samples = np.random.default_rng(0).normal(0, 3000, 4000).astype("<i2")
    folder = REFERENCE / "wavlm"
    assert run("export", "--audio", stored(wav(samples.tobytes())), "-m", folder, *words, "-o", "x.npz", "-q")[0] == 0
    attention = attnviz.open("x.npz")
    heard = (samples - samples.mean()) / samples.std()
    want = attnviz.load(folder).attend(input_values=heard.astype(np.float32), own_heads=bool(words))
    np.testing.assert_allclose(attention.weights, want.weights, atol=1e-5)
    assert bool(words) == (np.ptp(attention.weights, axis=1).max() > 0.1)
