"""A sound file -> input_values or input_features, as the checkpoint's own feature extractor would make them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import AttnvizWarning
from attnviz.families._config import Config
from attnviz.inputs.settings import FILE, check_keys, kind_of, settings
from attnviz.inputs.wav import MAX_SAMPLES, RATES, read_wav, resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_BANDS = 512  # limit of mel filters: published models have 80 or 128
MAX_NUMBERS = 1 << 29  # limit of a convolution's outputs: 2 GiB, 5.5 minutes of sound for published models
MAX_RATE = 96_000  # limit of a model's sampling rate: published models have 16,000 per second
_KINDS = {"Wav2Vec2": "raw", "Whisper": "mel"}


@dataclass(frozen=True)
class Waves:
    """Settings for raw samples. normalise: to mean 0 and variance 1. samples: longer sounds are refused."""

    rate: int = 16_000
    normalise: bool = True
    samples: int = MAX_SAMPLES


@dataclass(frozen=True)
class Mels:
    """Settings for a log-mel spectrogram.

    bands: mel filters. window, hop: in samples. samples: the length that the sound is cut to, or filled up to with
    `silence`.
    """

    rate: int = 16_000
    bands: int = 80
    window: int = 400
    hop: int = 160
    samples: int = 480_000
    silence: float = 0.0


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound as a model reads it; one of the two arrays is set.

    input_values: float32 [sample]; input_features: float32 [mel, frame]. wave: float32 [sample] at `rate`, resampled
    but otherwise unprocessed. seconds: the length that was read.
    """

    wave: NDArray[np.float32]
    rate: int
    input_values: NDArray[np.float32] | None = None
    input_features: NDArray[np.float32] | None = None
    name: str = ""

    @property
    def seconds(self) -> float:
        return len(self.wave) / self.rate


def read_sound(
    path: str | Path, config: Mapping[str, Any], folder: Path | None = None, ignore_keys: Iterable[str] = ()
) -> Sound:
    """Read a WAV file as the model's input: mono, at the model's rate, then raw or as a log-mel spectrogram.

    Args:
        path: PCM of 8 to 32 bits, or floating point.
        config: the model's config.json.
        folder: where its preprocessor_config.json is. Without one the usual steps are used, with a warning.
        ignore_keys: keys of that file to ignore.

    Raises:
        InputError: the file is missing, damaged, not WAV, or too long.
        ConfigError: the preprocessor's file asks for something unknown.
    """
    steps = steps_of(config, folder, ignore_keys)
    name = Path(path).name
    most = steps.samples / steps.rate if isinstance(steps, Mels) else None
    longest = steps.samples / steps.rate if isinstance(steps, Waves) else None
    wave, rate = read_wav(path, None if most is None else most + 1, longest)
    if rate != steps.rate:
        message = f"{name}: resampled from {rate} to {steps.rate} samples a second, the model's rate"
        warnings.warn(message, AttnvizWarning, stacklevel=2)
        wave = resample(wave, rate, steps.rate)
    if isinstance(steps, Waves):
        return Sound(wave, steps.rate, input_values=normalised(wave) if steps.normalise else wave, name=name)
    if len(wave) > steps.samples:
        message = f"{name}: only the first {most:g} seconds are used, all that the model reads at once"
        warnings.warn(message, AttnvizWarning, stacklevel=2)
        wave = wave[: steps.samples]
    return Sound(wave, steps.rate, input_features=log_mel(wave, steps), name=name)


def normalised(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalise to mean 0 and variance 1, [sample] -> [sample]. Source: Wav2Vec2FeatureExtractor of transformers."""
    return (wave - wave.mean()) / np.sqrt(wave.var() + np.float32(1e-7))


def log_mel(wave: NDArray[np.float32], steps: Mels) -> NDArray[np.float32]:
    """Sound [sample] -> log-mel spectrogram float32 [mel, frame], a frame every `hop` samples.

    Power in Hann windows centred on the frames (the ends mirrored), summed by mel filters, log10, limited to 8 below
    the largest value, then (x + 4) / 4. Computed in float64; the reference on torch computes in float32 and differs by
    its own rounding, 3e-5 where a band is nearly silent.

    Source: Radford et al. 2022, section 2.2, and WhisperFeatureExtractor of transformers.
    """
    filled = np.full(steps.samples, steps.silence)
    filled[: len(wave)] = wave[: steps.samples]
    half = steps.window // 2
    padded = np.pad(filled, half, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, steps.window)[:: steps.hop][: steps.samples // steps.hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(steps.window) / steps.window)
    filters = mel_filters(steps.bands, steps.window, steps.rate)
    power = np.empty((steps.bands, len(frames)))
    for start in range(0, len(frames), 1024):  # [frame, frequency] -> [mel, frame], some frames at once
        spectrum = np.fft.rfft(frames[start : start + 1024] * hann)
        power[:, start : start + 1024] = filters @ (spectrum.real**2 + spectrum.imag**2).T
    logarithm = np.log10(np.maximum(power, 1e-10))
    logarithm = np.maximum(logarithm, logarithm.max() - 8.0)
    return ((logarithm + 4.0) / 4.0).astype(np.float32)


def mel_filters(bands: int, window: int, rate: int, high: float = 8000.0) -> NDArray[np.float64]:
    """Triangles of equal area over the frequencies of a Fourier transform, [mel, frequency], from 0 to `high` Hz.

    Source: Slaney 1998, Auditory Toolbox: linear up to 1000 Hz (a mel is 200 / 3 Hz), then 27 mels a factor of 6.4.
    """
    step = np.log(6.4) / 27
    top = 15 + np.log(high / 1000) / step
    mels = np.linspace(0, top, bands + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    frequencies = np.linspace(0, rate // 2, window // 2 + 1)
    low, middle, upper = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (frequencies - low) / (middle - low), (upper - frequencies) / (upper - middle)
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (upper - low))


# --- the checkpoint's settings ----------------------------------------------------------------------------------


def steps_of(config: Mapping[str, Any], folder: Path | None = None, ignore_keys: Iterable[str] = ()) -> Waves | Mels:
    """The steps for a model, from its preprocessor_config.json or its family's usual steps. Raises ConfigError."""
    own = Config(config)
    bands = own.int("num_mel_bins", 80, high=MAX_BANDS) if own.has("num_mel_bins") else 0
    frames = 2 * own.int("max_source_positions", 1500, high=1 << 16) if bands else 0
    stated = settings(folder, "feature_extractor")
    steps: Waves | Mels
    if stated is None:
        steps = Mels(bands=bands, samples=160 * frames) if bands else Waves(samples=_most_samples(own))
        what = f"a log-mel spectrogram of {bands} bands" if bands else "normalised"
        message = f"no {FILE}: the sound is taken at 16000 samples a second, {what}, as is usual"
        warnings.warn(message, AttnvizWarning, stacklevel=3)
        return steps
    family = "Whisper" if bands else "Wav2Vec2"
    kind = kind_of(stated, ("feature_extractor_type",), "FeatureExtractor", _KINDS, family)
    if (_KINDS[kind] == "mel") != bool(bands):
        raise stated.error(f"a {kind} feature extractor does not fit a model of type {config.get('model_type')}")
    steps = _mels(stated, bands, frames) if bands else _waves(stated, _most_samples(own))
    check_keys(stated, ignore_keys)
    return steps


def _most_samples(model: Config) -> int:
    """The most samples that a model of raw sound reads: no convolution may have more than MAX_NUMBERS outputs."""
    dims = model.ints("conv_dim", (512,) * 7)
    strides = model.ints("conv_stride", (5, 2, 2, 2, 2, 2, 2), len(dims))
    most, frames = 1.0, 1.0  # numbers and frames per sample
    for width, stride in zip(dims, strides, strict=True):
        frames /= max(stride, 1)
        most = max(most, width * frames)
    return max(1, int(min(MAX_SAMPLES, MAX_NUMBERS / most)))


def _waves(config: Config, samples: int) -> Waves:
    if config.int("feature_size", 1) != 1:
        raise config.error("feature_size must be 1: samples, one by one")
    config.skip("padding_value", "padding_side")  # a sound alone is not filled up
    rate = config.int("sampling_rate", Waves.rate, RATES[0], MAX_RATE)
    return Waves(rate, config.bool("do_normalize", True), samples)


def _mels(config: Config, bands: int, frames: int) -> Mels:
    rate = config.int("sampling_rate", Mels.rate, RATES[0], MAX_RATE)
    hop, window = config.int("hop_length", 160, high=1 << 14), config.int("n_fft", 400, low=2, high=1 << 14)
    samples = rate * config.int("chunk_length", 30, high=60)
    if config.float("dither", 0.0):
        raise config.error("dither adds random noise, so that every run would give another picture", "set it to 0")
    config.choice("padding_side", "right", ("right",))
    # These values follow from other keys; the reference computes the filters again, too.
    config.skip("mel_filters", "n_samples", "nb_max_frames", "do_normalize")
    steps = Mels(rate, config.int("feature_size", 80), window, hop, samples, config.float("padding_value", 0.0))
    if steps.bands != bands:
        raise config.error(f"feature_size {steps.bands} does not fit the model's num_mel_bins {bands}")
    if samples // hop != frames:
        raise config.error(
            f"{samples // hop} frames do not fit the model's max_source_positions {frames // 2}, of 2 each"
        )
    return steps
