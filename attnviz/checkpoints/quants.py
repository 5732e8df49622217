"""Decode weights in blocks of few bits, as GGUF stores them, to float32.

A block holds 32 or 256 numbers: one or two float16 scales, for the K-quants a small scale for every 16 or 32 numbers as
well, and the numbers as integers of 2 to 8 bits, packed. Each unpacker takes raw blocks, uint8 [block, bytes], to whole
numbers of 8 bits and a float32 scale for each group of them (`Grouped`). Reading a large model spends its time here, so
bits are taken apart on bytes, four times as dense as float32, and only whole runs of 16 bytes are moved.

Source: the block structures in ggml (ggml-common.h) and their meaning there (ggml-quants.c).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from threading import local
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints.halves import widen

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Raw = NDArray[np.uint8]
    Whole = NDArray[np.int8]
    Floats = NDArray[np.float32]

# dtype -> (numbers in a block, bytes of a block): every quantised type that a file may name, so that sizes can be
# checked; types in UNPACKERS can be read.
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
_LOCAL = local()
_CHUNK = 96 << 8  # numbers decoded at a time: as float32 they stay in the cache, and are freed without a system call

# The sixteen values of IQ4_NL and IQ4_XS, and of a 4-bit float (1 sign, 2 exponent, 1 mantissa), the float's values
# doubled.
_NON_LINEAR = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.int8)
_FLOAT4 = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.int8)


@dataclass(frozen=True, eq=False, slots=True)
class Grouped:
    """Whole numbers in groups that share a scale: number * scale - minimum.

    numbers: int8 [..., d]. scales: float32 [..., d / size of a group]. minima: the same shape, or None for no minima.
    The numbers that `unpack` gives lie in memory that the thread's next `unpack` overwrites.
    """

    numbers: Whole
    scales: Floats
    minima: Floats | None = None

    def copy(self) -> Grouped:
        """A copy whose numbers are in memory of its own."""
        return Grouped(self.numbers.copy(), self.scales, self.minima)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.numbers.nbytes + self.scales.nbytes + (0 if self.minima is None else self.minima.nbytes)

    def floats(self, out: Floats) -> None:
        """Write all numbers into `out`, float32 [..., d], C-contiguous."""
        flat, size = out.reshape(-1), self.numbers.size // max(self.scales.size, 1)
        with np.errstate(all="ignore"):  # damaged scales give NaN or infinity, which the reader of weights reports
            for at in range(0, flat.size, _CHUNK):
                part, groups = flat[at : at + _CHUNK], slice(at // size, (at + _CHUNK) // size)
                part[...] = self.numbers.reshape(-1)[at : at + _CHUNK]
                part *= np.repeat(self.scales.reshape(-1)[groups], size)
                if self.minima is not None:
                    part -= np.repeat(self.minima.reshape(-1)[groups], size)

    def dots(self, x: Floats) -> Floats:
        """The product of rows [row, d] with one vector [d] -> [row]: sums of each group, then their scales."""
        rows, d = self.numbers.shape
        size = d // self.scales.shape[1]
        decoded = _memory("decoded", 4 * self.numbers.size).view(np.float32).reshape(rows, -1, size)
        decoded[...] = self.numbers.reshape(decoded.shape)
        sums = np.matmul(decoded.swapaxes(0, 1), x.reshape(-1, size, 1))[..., 0]  # [group, row]
        product: Floats = np.einsum("rg,gr->r", self.scales, sums)
        if self.minima is not None:
            product -= self.minima @ x.reshape(-1, size).sum(-1)
        return product


def unpack(raw: Raw, dtype: str) -> Grouped:
    """Take blocks of `dtype` apart: uint8 of any shape whose last axis is whole blocks, C-contiguous.

    Raises:
        KeyError: no unpacker for `dtype`.
    """
    nbytes = BLOCKS[dtype][1]
    with np.errstate(all="ignore"):
        grouped = UNPACKERS[dtype](raw.reshape(-1, nbytes))
    lead = raw.shape[:-1]
    minima = None if grouped.minima is None else grouped.minima.reshape(*lead, -1)
    return Grouped(grouped.numbers.reshape(*lead, -1), grouped.scales.reshape(*lead, -1), minima)


def dequantise(raw: Raw, dtype: str) -> Floats:
    """Decode blocks of `dtype`: uint8 of any shape whose last axis is whole blocks -> float32, last axis in numbers.

    Raises:
        KeyError: no unpacker for `dtype`.
    """
    numbers, nbytes = BLOCKS[dtype]
    blocks = raw.reshape(-1, nbytes)
    out = np.empty((len(blocks), numbers), np.float32)
    step = _CHUNK // numbers
    for at in range(0, len(blocks), step):
        unpack(np.ascontiguousarray(blocks[at : at + step]), dtype).floats(out[at : at + step])
    return out.reshape(*raw.shape[:-1], raw.shape[-1] // nbytes * numbers)


def dequantise_mxfp4(blocks: Raw, scales: Raw) -> Floats:
    """Decode gpt-oss's MXFP4, scales apart and neighbours in one byte: [..., 16], [...] -> float32 [..., 32]."""
    byte = np.arange(256, dtype=np.uint8)
    pairs = np.stack([_FLOAT4[byte & 15], _FLOAT4[byte >> 4]], axis=1).view(np.uint16)[:, 0]
    numbers = pairs[blocks].view(np.int8)
    return np.ldexp(numbers.astype(np.float32), scales[..., None].astype(np.int32) - 128)


def _half(raw: Raw, at: int) -> Floats:
    """The float16 at byte `at` of every block: [block, 1]."""
    out = np.empty((len(raw), 1), np.float32)
    widen(raw[:, at : at + 2].view("<f2"), out)
    return out


def _memory(of: str, size: int) -> Raw:
    """A thread's own bytes for one purpose, kept from call to call: fresh pages would cost as much as the work."""
    kept = getattr(_LOCAL, of, None)
    if kept is None or kept.size < size:
        kept = np.empty(size, np.uint8)
        setattr(_LOCAL, of, kept)
    return kept[:size]


def _cut(raw: Raw, start: int, stop: int, of: str = "cut") -> Raw:
    """Bytes `start` to `stop` of every block, together in memory: [block, bytes]."""
    part, out = raw[:, start:stop], _memory(of, len(raw) * (stop - start)).reshape(len(raw), -1)
    if stop - start > 16:  # NumPy moves rows of bytes by a call each, and items of up to 16 bytes without one
        out[...] = part
    else:
        item = f"V{stop - start}"
        out.view(item)[...] = part.view(item)
    return out


def _in_turn(packed: Raw, bits: int, run: int, of: str = "numbers") -> Raw:
    """Numbers of some bits: the lowest of a run of bytes, then the next of the same bytes, and so on.

    packed: [block, bytes], C-contiguous. Returns [block, bytes * 8 / bits], which the thread's next call overwrites.
    """
    count, plane = 8 // bits, _memory("plane", packed.size)
    out = _memory(of, packed.size * count)
    runs = out.view(f"V{run}").reshape(-1, count)
    for i in range(count):
        np.right_shift(packed.reshape(-1), np.uint8(i * bits), out=plane)
        np.bitwise_and(plane, np.uint8((1 << bits) - 1), out=plane)
        runs[:, i] = plane.view(f"V{run}")
    return out.reshape(len(packed), -1)


def _halves(packed: Raw, run: int = 16, of: str = "numbers") -> Raw:
    """Low halves of a run of bytes, then their high halves: [block, bytes] -> [block, 2 * bytes]."""
    return _in_turn(packed, 4, run, of)


def _looked_up(packed: Raw, values: Whole) -> Whole:
    """The values that the low halves of 16 bytes stand for, then of their high halves; two bytes at a time."""
    four = np.take(_table(values.tobytes()), packed.reshape(-1).view("<u2"), mode="clip").view(np.uint16)
    out = _memory("numbers", packed.size * 2)
    runs = out.view("V16").reshape(-1, 2)
    for i in range(2):
        runs[:, i] = np.ascontiguousarray(four[i::2]).view("V16")
    return out.view(np.int8).reshape(len(packed), -1)


@cache
def _table(values: bytes) -> NDArray[np.uint32]:
    """Two bytes -> the values of their low halves, then of their high halves, as the four bytes of a number."""
    two = np.arange(1 << 16, dtype=np.uint16)
    halves = [two & 15, two >> 8 & 15, two >> 4 & 15, two >> 12]
    return np.frombuffer(values, np.uint8)[np.stack(halves, axis=1)].view(np.uint32)[:, 0]


def _bits(packed: Raw) -> Raw:
    """The bits of each block's bytes, the lowest first, as 0 or 16: [block, bytes] -> [block, 8 * bytes]."""
    bits = np.unpackbits(packed.reshape(-1), bitorder="little")
    bits *= 16
    return bits.reshape(len(packed), -1)


def _less(numbers: Raw, by: int) -> Whole:
    """The numbers minus a constant, in place."""
    numbers -= by
    return numbers.view(np.int8)


def _q4_0(raw: Raw) -> Grouped:
    return Grouped(_less(_halves(_cut(raw, 2, 18)), 8), _half(raw, 0))


def _q4_1(raw: Raw) -> Grouped:
    return Grouped(_halves(_cut(raw, 4, 20)).view(np.int8), _half(raw, 0), -_half(raw, 2))


def _q5_0(raw: Raw) -> Grouped:
    numbers = _halves(_cut(raw, 6, 22))
    numbers |= _bits(_cut(raw, 2, 6))
    return Grouped(_less(numbers, 16), _half(raw, 0))


def _q5_1(raw: Raw) -> Grouped:
    numbers = _halves(_cut(raw, 8, 24))
    numbers |= _bits(_cut(raw, 4, 8))
    return Grouped(numbers.view(np.int8), _half(raw, 0), -_half(raw, 2))


def _q8_0(raw: Raw) -> Grouped:
    runs = _memory("numbers", len(raw) * 32).reshape(-1, 32)
    for at in (0, 16):
        runs.view("V16")[:, at // 16] = raw[:, 2 + at : 18 + at].view("V16")[:, 0]
    return Grouped(runs.view(np.int8), _half(raw, 0))


def _q8_k(raw: Raw) -> Grouped:
    return Grouped(_cut(raw, 4, 260).view(np.int8), _cut(raw, 0, 4, "more").view("<f4").astype(np.float32))


def _iq4_nl(raw: Raw) -> Grouped:
    return Grouped(_looked_up(_cut(raw, 2, 18), _NON_LINEAR), _half(raw, 0))


def _mxfp4(raw: Raw) -> Grouped:
    """One power of two per block; the values are doubled, hence 128 although the exponent's bias is 127."""
    return Grouped(_looked_up(_cut(raw, 1, 17), _FLOAT4), np.ldexp(np.float32(1), raw[:, :1].astype(np.int32) - 128))


# K-quants: 256 numbers per block, in groups with a scale each.


def _two_bits(packed: Raw) -> Raw:
    """[block, 64] -> [block, 256]: in each half of 32 bytes, the lowest two bits of all, then the next two, ..."""
    return _in_turn(packed, 2, 32)


def _one_bit(packed: Raw, value: int) -> Raw:
    """[block, 32] -> [block, 256]: the lowest bit of all bytes, then the next, ..., as 0 or `value`."""
    bits = _in_turn(packed, 1, 32, "more")
    bits *= value
    return bits


def _q2_k(raw: Raw) -> Grouped:
    small = raw[:, :16]
    scales = (small & 15).astype(np.float32) * _half(raw, 80)
    minima = (small >> 4).astype(np.float32) * _half(raw, 82)
    return Grouped(_two_bits(_cut(raw, 16, 80)).view(np.int8), scales, minima)


def _q3_k(raw: Raw) -> Grouped:
    # A set bit of the mask is the number's third bit; a clear one means four less.
    numbers = _two_bits(_cut(raw, 32, 96))
    numbers |= _one_bit(_cut(raw, 0, 32), 4)
    first, second, high = (_words(raw, at) for at in (96, 100, 104))
    words = (first & 0x0F0F0F0F, second & 0x0F0F0F0F, first >> 4 & 0x0F0F0F0F, second >> 4 & 0x0F0F0F0F)
    small = _bytes_of([word | (high >> 2 * i & 0x03030303) << 4 for i, word in enumerate(words)])
    small -= 32
    return Grouped(_less(numbers, 4), small * _half(raw, 108))


def _words(raw: Raw, at: int) -> NDArray[np.uint32]:
    """The four bytes at byte `at` of every block as one number, on which bytes are worked on together: [block]."""
    return _cut(raw, at, at + 4, f"words {at}").view("<u4")[:, 0]


def _bytes_of(words: Sequence[NDArray[Any]]) -> Floats:
    """The bytes of words side by side: float32 [block, 4 * words]."""
    return np.stack(words, axis=1).astype("<u4").view(np.uint8).astype(np.float32)


def _scales_and_minima(raw: Raw) -> tuple[Floats, Floats]:
    """Eight scales and eight minima of 6 bits each, in 12 bytes from byte 4, times the block's scale and minimum."""
    low, middle, mixed = (_words(raw, at) for at in (4, 8, 12))
    small = _bytes_of([low & 0x3F3F3F3F, mixed & 0x0F0F0F0F | low >> 2 & 0x30303030])
    minima = _bytes_of([middle & 0x3F3F3F3F, mixed >> 4 & 0x0F0F0F0F | middle >> 2 & 0x30303030])
    small *= _half(raw, 0)
    minima *= _half(raw, 2)
    return small, minima


def _q4_k(raw: Raw) -> Grouped:
    return Grouped(_halves(_cut(raw, 16, 144), 32).view(np.int8), *_scales_and_minima(raw))


def _q5_k(raw: Raw) -> Grouped:
    numbers = _halves(_cut(raw, 48, 176), 32)
    numbers |= _one_bit(_cut(raw, 16, 48), 16)
    return Grouped(numbers.view(np.int8), *_scales_and_minima(raw))


def _q6_k(raw: Raw) -> Grouped:
    numbers = _two_bits(_cut(raw, 128, 192))
    numbers *= 16
    numbers |= _halves(_cut(raw, 0, 128), 64, "more")
    return Grouped(_less(numbers, 32), raw[:, 192:208].view(np.int8).astype(np.float32) * _half(raw, 208))


def _iq4_xs(raw: Raw) -> Grouped:
    low, high = _words(raw, 4), _cut(raw, 2, 4).view("<u2")[:, 0].astype(np.uint32)
    small = np.stack([low >> 4 * i & 15 | (high >> 2 * i & 3) << 4 for i in range(8)], axis=1).astype(np.float32)
    small -= 32
    return Grouped(_looked_up(_cut(raw, 8, 136), _NON_LINEAR), small * _half(raw, 0))


UNPACKERS: dict[str, Callable[[Raw], Grouped]] = {
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
