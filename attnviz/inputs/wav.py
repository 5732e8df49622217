"""WAV files: samples as float32, mono, and resampled to the rate of a model.

The standard library's `wave` reads no floating-point samples and, before Python 3.12, no extensible header; so the
chunks of a WAV file are read here. Sizes are checked against the file before anything is allocated.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from attnviz.errors import InputError
from attnviz.files.untrusted import open_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_SAMPLES = 1 << 26  # limit of samples per channel, at the file's rate or the model's: 70 minutes at 16 kHz, 256 MiB
_AT_ONCE = 1 << 20  # values that are unpacked together
MAX_CHANNELS = 64
RATES = (1_000, 768_000)  # sampling rates of recordings, per second
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN = 0xFFFFFFFF  # the size written by programs that write to a pipe and do not know it yet
_CODECS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 17: "IMA ADPCM", 49: "GSM", 80: "MPEG", 85: "MP3"}
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")  # end of the extensible header's format codes
_OTHERS = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"\xff\xfb": "MP3", b"\xff\xf3": "MP3", b"FORM": "AIFF"}
_OTHERS |= {b"RIFX": "a big-endian WAV", b"RF64": "a 64-bit WAV (RF64)", b"caff": "CAF", b"\x1aE\xdf\xa3": "WebM"}
_CONVERT = "convert it, as in: ffmpeg -i {} -ac 1 -ar 16000 -c:a pcm_s16le sound.wav"


class Format(NamedTuple):
    """The storage of samples: kind (PCM or float), bytes per sample, channels, samples per second."""

    kind: int
    width: int
    channels: int
    rate: int


def read_wav(
    path: str | Path, seconds: float | None = None, longest: float | None = None
) -> tuple[NDArray[np.float32], int]:
    """Read a WAV file: float32 [sample], -1 to 1, channels averaged; and its samples per second.

    Args:
        path: PCM of 8, 16, 24 or 32 bits, or floating point of 32 or 64.
        seconds: read at most this much from the start.
        longest: a longer file is refused before memory is allocated, in seconds.

    Raises:
        InputError: it is not a WAV file, is cut off, holds no samples, or too many.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"no such sound file: {str(path)!r}")
    with open_file(path) as file:
        format, size = _header(file, path)
        frame = format.width * format.channels
        count = size // frame
        if seconds is not None:
            count = min(count, math.ceil(seconds * format.rate))
        if count == 0:
            raise InputError(f"{path.name}: it holds no samples")
        longest = min(MAX_SAMPLES / format.rate, math.inf if longest is None else longest)
        if count > longest * format.rate:
            raise InputError(
                f"{path.name}: {_time(count / format.rate)} of sound; at most {_time(longest)} are read at once",
                f"cut a part out, as in: ffmpeg -i {path.name} -t {min(30, int(longest) or 1)} part.wav",
            )
        wave = np.empty(count, np.float32)
        step = max(1, _AT_ONCE // format.channels)
        for start in range(0, count, step):
            stop = min(start + step, count)
            data = file.read((stop - start) * frame)
            if len(data) < (stop - start) * frame:
                have = start * frame + len(data)
                raise InputError(f"{path.name}: cut off: {have} of {count * frame} bytes of sound are there")
            wave[start:stop] = _samples(data, format, path.name)
    return wave, format.rate


def _time(seconds: float) -> str:
    """A duration as text: seconds up to two minutes, then minutes."""
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _header(file: BinaryIO, path: Path) -> tuple[Format, int]:
    """The format, and the size of the sound in bytes; the file is left at its first sample."""
    whole = os.fstat(file.fileno()).st_size
    start = file.read(12)
    if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
        other = next((name for mark, name in _OTHERS.items() if start.startswith(mark)), "")
        what = f"it is {other}, not WAV" if other else "not a WAV file"
        raise InputError(f"{path.name}: {what}", _CONVERT.format(path.name))
    format = None
    while len(head := file.read(8)) == 8:
        name, size = head[:4], int.from_bytes(head[4:], "little")
        left = whole - file.tell()
        if name == b"data":
            if format is None:
                raise InputError(f"{path.name}: the sound comes before its format")
            if size == _UNKNOWN:
                size = left
            if size > left:
                raise InputError(f"{path.name}: cut off: {left} of {size} bytes of sound are there")
            return format, size
        if size > left:
            break
        if name == b"fmt ":
            format = _format(file.read(min(size, 64)), path.name)
            file.seek(size - min(size, 64), 1)
        else:
            file.seek(size, 1)
        file.seek(size % 2, 1)  # chunks begin at even places
    raise InputError(f"{path.name}: cut off: it has no sound in it")


def _format(data: bytes, name: str) -> Format:
    if len(data) < 16:
        raise InputError(f"{name}: its format takes 16 bytes; {len(data)} are there")
    kind, channels, rate, _, block, bits = struct.unpack("<HHIIHH", data[:16])
    if kind == _EXTENSIBLE:
        if len(data) < 40 or data[26:40] != _GUID_TAIL:
            raise InputError(f"{name}: an extensible WAV of an unknown format", _CONVERT.format(name))
        kind = int.from_bytes(data[24:26], "little")
    if kind not in (_PCM, _FLOAT):
        codec = _CODECS.get(kind, f"format {kind}")
        raise InputError(f"{name}: its samples are {codec}; wanted PCM or floating point", _CONVERT.format(name))
    if not 1 <= channels <= MAX_CHANNELS:
        raise InputError(f"{name}: {channels} channels; wanted 1 to {MAX_CHANNELS}")
    if not RATES[0] <= rate <= RATES[1]:
        raise InputError(f"{name}: {rate} samples a second; wanted {RATES[0]} to {RATES[1]}")
    wanted = (8, 16, 24, 32) if kind == _PCM else (32, 64)
    if bits not in wanted or block != channels * bits // 8:
        what = "PCM" if kind == _PCM else "floating-point"
        raise InputError(
            f"{name}: {what} samples of {bits} bits, {block} bytes for {channels} channel{'s' * (channels > 1)}; "
            f"wanted {', '.join(map(str, wanted))} bits, packed",
            _CONVERT.format(name),
        )
    return Format(kind, bits // 8, channels, rate)


def _samples(data: bytes, format: Format, name: str) -> NDArray[np.float32]:
    """Bytes as float32 [sample], channels averaged."""
    full = 2.0 ** (8 * format.width - 1)
    raw: NDArray[Any]
    if format.kind == _FLOAT:
        raw, full = np.frombuffer(data, f"<f{format.width}"), 1.0
    elif format.width == 3:  # the three bytes become the upper bytes of four
        padded = np.zeros((len(data) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
        raw, full = padded.view("<i4")[:, 0], 2.0**31
    else:
        raw = np.frombuffer(data, "u1" if format.width == 1 else f"<i{format.width}")
    values: NDArray[Any] = raw.astype(np.float32 if format.width < 3 else np.float64)
    if format.kind == _PCM and format.width == 1:  # the only unsigned width
        values = values - 128
    values = values / full
    if not np.isfinite(values).all():
        raise InputError(f"{name}: there are samples that are not finite numbers")
    values = values.reshape(-1, format.channels)
    mono = values[:, 0] if format.channels == 1 else values.mean(1, dtype=np.float64)
    return mono.astype(np.float32)


_ZEROS = 64  # zero crossings of the sinc on each side
_BETA = 9.0  # of the Kaiser window: frequencies above the new limit are damped by more than 90 dB
_BLOCK = 8192  # new samples computed at a time: their windows are copied
_PASS = 0.95  # share of the lower Nyquist frequency at which the filter falls to half


def resample(x: NDArray[np.floating], rate: int, wanted: int) -> NDArray[np.float32]:
    """Resample a sound: [sample] at `rate` -> [ceil(sample * wanted / rate)] at `wanted`.

    A polyphase filter: the band-limited signal through the old samples, sinc under a Kaiser window, is evaluated at the
    new times. Tones up to 0.9 of the lower Nyquist frequency keep their amplitude to 1e-4; tones above that frequency
    are reduced to 1e-5.
    """
    if rate == wanted:
        return np.asarray(x, np.float32)
    shared = math.gcd(rate, wanted)
    up, down = wanted // shared, rate // shared
    cut = _PASS * min(1.0, up / down)
    reach = math.ceil(_ZEROS / cut)
    count = -(-len(x) * up // down)
    if count > MAX_SAMPLES:
        raise InputError(f"{len(x):,} samples at {rate} a second would become {count:,} at {wanted}", "cut a part out")
    padded = np.pad(np.asarray(x, np.float64), (reach, reach + down + 1))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    steps = np.arange(-reach, reach + 1)
    out = np.empty(count, np.float32)
    for phase in range(min(up, count)):
        whole, part = divmod(phase * down, up)
        distance = steps - part / up  # distance from the new time to each old sample
        kernel = np.sinc(cut * distance) * np.i0(_BETA * np.sqrt(np.maximum(0, 1 - (distance / (reach + 1)) ** 2)))
        kernel /= kernel.sum()
        here, rows = out[phase::up], windows[whole::down]
        for start in range(0, len(here), _BLOCK):
            stop = min(start + _BLOCK, len(here))
            here[start:stop] = np.ascontiguousarray(rows[start:stop]) @ kernel
    return out
