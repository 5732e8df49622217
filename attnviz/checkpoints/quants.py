"""Decode weights in blocks of few bits, as GGUF stores them, to float32.

A block holds 32 or 256 numbers: one or two float16 scales, for the K-quants a small scale for every 16 or 32 numbers as
well, and the numbers as integers of 2 to 8 bits, packed. Each decoder takes raw blocks, uint8 [block, bytes], and
writes float32 [block, numbers] into an array of the caller, since loading a file spends most of its time here.

Source: the block structures in ggml (ggml-common.h) and their meaning there (ggml-quants.c).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Raw = NDArray[np.uint8]
    Floats = NDArray[np.float32]

# dtype -> (numbers in a block, bytes of a block): every quantised type that a file may name, so that sizes can be
# checked; types in DECODERS can be read.
BLOCKS = {
    "Q4_0": (32, 18),
    "Q4_1": (32, 20),
    "Q5_0": (32, 22),
    "Q5_1": (32, 24),
    "Q8_0": (32, 34),
    "Q8_1": (32, 40),
    "Q2_K": (256, 84),
    "Q3_K": (256, 110),
    "Q4_K": (256, 144),
    "Q5_K": (256, 176),
    "Q6_K": (256, 210),
    "Q8_K": (256, 292),
    "IQ2_XXS": (256, 66),
    "IQ2_XS": (256, 74),
    "IQ3_XXS": (256, 98),
    "IQ1_S": (256, 50),
    "IQ4_NL": (32, 18),
    "IQ3_S": (256, 110),
    "IQ2_S": (256, 82),
    "IQ4_XS": (256, 136),
    "IQ1_M": (256, 56),
    "TQ1_0": (256, 54),
    "TQ2_0": (256, 66),
    "MXFP4": (32, 17),
    "NVFP4": (64, 36),
    "Q1_0": (128, 18),
}
_CHUNK = 1 << 18  # numbers decoded at a time, so that intermediate arrays stay in the processor's cache

# The sixteen values of IQ4_NL and IQ4_XS, and of a 4-bit float (1 sign, 2 exponent, 1 mantissa), the float's values
# doubled.
_NON_LINEAR = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)
_FLOAT4 = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)


def dequantise(raw: Raw, dtype: str) -> Floats:
    """Decode blocks of `dtype`: uint8 of any shape whose last axis is whole blocks -> float32, last axis in numbers.

    Raises:
        KeyError: no decoder for `dtype`.
    """
    decode = DECODERS[dtype]
    numbers, nbytes = BLOCKS[dtype]
    blocks = raw.reshape(-1, nbytes)
    out = np.empty((len(blocks), numbers), np.float32)
    step = _CHUNK // numbers
    with np.errstate(all="ignore"):  # damaged scales give NaN or infinity, which the reader of weights reports
        for at in range(0, len(blocks), step):
            decode(blocks[at : at + step], out[at : at + step])
    return out.reshape(*raw.shape[:-1], raw.shape[-1] // nbytes * numbers)


def dequantise_mxfp4(blocks: Raw, scales: Raw) -> Floats:
    """Decode gpt-oss's MXFP4, scales apart and neighbours in one byte: [..., 16], [...] -> float32 [..., 32]."""
    numbers = _FLOAT4[np.stack([blocks & 15, blocks >> 4], axis=-1)].reshape(*blocks.shape[:-1], 32)
    return np.ldexp(numbers, scales[..., None].astype(np.int32) - 128)


def _half(raw: Raw, at: int) -> Floats:
    """The float16 at byte `at` of every block: [block, 1]."""
    return raw[:, at : at + 2].view("<f2").astype(np.float32)


def _split(packed: Raw, out: Floats) -> None:
    """Low halves of a block's bytes, then high halves: [block, bytes] -> [block, 2 * bytes]."""
    packed, half = np.ascontiguousarray(packed), packed.shape[1]
    out[:, :half] = packed & 15
    out[:, half:] = packed >> 4


def _nibbles(packed: Raw) -> Raw:
    """Low halves of all bytes, then high halves: [..., bytes] -> [..., 2 * bytes]."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _bits(raw: Raw, at: int) -> Raw:
    """The 32 bits at byte `at`, the lowest first: [block, 32]."""
    return np.unpackbits(raw[:, at : at + 4], axis=1, bitorder="little")


def _q4_0(raw: Raw, out: Floats) -> None:
    _split(raw[:, 2:], out)
    out -= 8
    out *= _half(raw, 0)


def _q4_1(raw: Raw, out: Floats) -> None:
    _split(raw[:, 4:], out)
    out *= _half(raw, 0)
    out += _half(raw, 2)


def _q5_0(raw: Raw, out: Floats) -> None:
    out[...] = _nibbles(raw[:, 6:]) | _bits(raw, 2) << 4
    out -= 16
    out *= _half(raw, 0)


def _q5_1(raw: Raw, out: Floats) -> None:
    out[...] = _nibbles(raw[:, 8:]) | _bits(raw, 4) << 4
    out *= _half(raw, 0)
    out += _half(raw, 2)


def _q8_0(raw: Raw, out: Floats) -> None:
    out[...] = raw[:, 2:].view(np.int8)
    out *= _half(raw, 0)


def _q8_k(raw: Raw, out: Floats) -> None:
    out[...] = raw[:, 4:260].view(np.int8)
    out *= np.ascontiguousarray(raw[:, :4]).view("<f4")


def _iq4_nl(raw: Raw, out: Floats) -> None:
    np.multiply(_NON_LINEAR[_nibbles(raw[:, 2:])], _half(raw, 0), out=out)


def _mxfp4(raw: Raw, out: Floats) -> None:
    """One power of two per block; the values are doubled, hence 128 although the exponent's bias is 127."""
    np.ldexp(_FLOAT4[_nibbles(raw[:, 1:])], raw[:, :1].astype(np.int32) - 128, out=out)


# K-quants: 256 numbers per block, in groups with a scale each.


def _two_bits(packed: Raw) -> Raw:
    """[block, 64] -> [block, 256]: in each half of 32 bytes, the lowest two bits of all, then the next two, ..."""
    shifts = np.arange(0, 8, 2, dtype=np.uint8)[:, None]
    return (packed.reshape(-1, 2, 1, 32) >> shifts & np.uint8(3)).reshape(-1, 256)


def _grouped(numbers: NDArray[np.generic], scales: Floats, minima: Floats | None, out: Floats) -> None:
    """numbers [block, 256] times scales [block, group], minus minima [block, group]."""
    out[...] = numbers
    parts = out.reshape(len(out), scales.shape[1], -1)
    parts *= scales[:, :, None]
    if minima is not None:
        parts -= minima[:, :, None]


def _q2_k(raw: Raw, out: Floats) -> None:
    small = raw[:, :16]
    scales = (small & 15).astype(np.float32) * _half(raw, 80)
    minima = (small >> 4).astype(np.float32) * _half(raw, 82)
    _grouped(_two_bits(raw[:, 16:80]), scales, minima, out)


def _q3_k(raw: Raw, out: Floats) -> None:
    # A set bit of the mask is the number's third bit; a clear one means four less.
    third = np.unpackbits(raw[:, :32, None], axis=2, bitorder="little").transpose(0, 2, 1).reshape(-1, 256)
    numbers = (_two_bits(raw[:, 32:96]) | third << 2).astype(np.int8) - 4
    high = (raw[:, None, 104:108] >> np.arange(0, 8, 2, dtype=np.uint8)[:, None] & 3).reshape(-1, 16)
    small = (_nibbles(raw[:, 96:104]) | high << 4).astype(np.float32) - 32
    _grouped(numbers, small * _half(raw, 108), None, out)


def _scales_and_minima(raw: Raw) -> tuple[Floats, Floats]:
    """Eight scales and eight minima of 6 bits each, in 12 bytes from byte 4, times the block's scale and minimum."""
    low, middle, mixed = raw[:, 4:8], raw[:, 8:12], raw[:, 12:16]
    small = np.concatenate([low & 63, mixed & 15 | (low >> 6) << 4], axis=1)
    minima = np.concatenate([middle & 63, mixed >> 4 | (middle >> 6) << 4], axis=1)
    return small.astype(np.float32) * _half(raw, 0), minima.astype(np.float32) * _half(raw, 2)


def _q4_k(raw: Raw, out: Floats) -> None:
    numbers = _nibbles(raw[:, 16:].reshape(-1, 4, 32)).reshape(-1, 256)
    _grouped(numbers, *_scales_and_minima(raw), out)


def _q5_k(raw: Raw, out: Floats) -> None:
    numbers = _nibbles(raw[:, 48:].reshape(-1, 4, 32)).reshape(-1, 256)
    fifth = np.unpackbits(raw[:, 16:48, None], axis=2, bitorder="little").transpose(0, 2, 1).reshape(-1, 256)
    _grouped(numbers | fifth << 4, *_scales_and_minima(raw), out)


def _q6_k(raw: Raw, out: Floats) -> None:
    low = _nibbles(raw[:, :128].reshape(-1, 2, 64)).reshape(-1, 256)
    numbers = (low | _two_bits(raw[:, 128:192]) << 4).astype(np.int8) - 32
    _grouped(numbers, raw[:, 192:208].view(np.int8).astype(np.float32) * _half(raw, 208), None, out)


def _iq4_xs(raw: Raw, out: Floats) -> None:
    low = (raw[:, 4:8, None] >> np.array([0, 4], np.uint8) & 15).reshape(-1, 8)
    high = (raw[:, 2:4, None] >> np.arange(0, 8, 2, dtype=np.uint8) & 3).reshape(-1, 8)
    scales = ((low | high << 4).astype(np.float32) - 32) * _half(raw, 0)
    _grouped(_NON_LINEAR[_nibbles(raw[:, 8:].reshape(-1, 8, 16)).reshape(-1, 256)], scales, None, out)


DECODERS: dict[str, Callable[[Raw, Floats], None]] = {
    "Q4_0": _q4_0,
    "Q4_1": _q4_1,
    "Q5_0": _q5_0,
    "Q5_1": _q5_1,
    "Q8_0": _q8_0,
    "Q2_K": _q2_k,
    "Q3_K": _q3_k,
    "Q4_K": _q4_k,
    "Q5_K": _q5_k,
    "Q6_K": _q6_k,
    "Q8_K": _q8_k,
    "IQ4_NL": _iq4_nl,
    "IQ4_XS": _iq4_xs,
    "MXFP4": _mxfp4,
}
