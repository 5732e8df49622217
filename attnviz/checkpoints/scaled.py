"""Tensors whose scales are stored beside them as further tensors.

    X (8-bit float) with X_scale_inv or X_scale         X * scale, one scale per tensor, row, or block of a matrix
    X_blocks, X_scales (bytes)                          MXFP4: 32 numbers of 4 bits to a scale, [expert, out, in]

Without its scales a tensor like this would be read as meaningless numbers. Here the pair is one tensor, float32.

Source: the checkpoints of DeepSeek-V3 (blocks), of compressed-tensors (rows), and of gpt-oss (MXFP4, whose tensors
transformers turns to [expert, in, out]).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints.base import Checkpoint, Stored, damaged, shown, times
from attnviz.checkpoints.quants import dequantise_mxfp4

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.checkpoints.quantised import Quantised
    from attnviz.checkpoints.quants import Grouped

_BLOCKS = ((128, 128),)  # (rows, columns) of a matrix that share a scale, unless the configuration says otherwise
_SUFFIXES = ("_scale_inv", "_scale")
_NUMBERS = ("F8_E4", "F8_E5")  # F8_E8M0 has powers of two alone: it is a scale
_FLOATS = ("F32", "BF16", "F16", "F64", "F8_E8M0", "U8")  # stored as U8, read as F8_E8M0
_ZERO = "_zero_point"  # zero points, stored although they are 0 in a symmetric form


def with_scales(checkpoint: Checkpoint, quantised: Quantised | None = None) -> Checkpoint:
    """Join tensors and their scales; a checkpoint without scales is returned as it is.

    quantised: the configuration's settings, which the tensors are checked against; None if it has none.

    Raises:
        CheckpointError: scales that do not fit their tensor, or are missing or left over.
    """
    names = checkpoint.tensors
    scales = {
        name: scale
        for name, stored in names.items()
        if stored.dtype.startswith(_NUMBERS) and (scale := _scale_of(name, names)) is not None
    }
    packed = [name.removesuffix("_blocks") for name in names if name.endswith("_blocks")]
    packed = [name for name in packed if name + "_scales" in names and name not in names]
    if quantised is not None:
        _check_pairs(checkpoint, scales, packed)
    blocks = (quantised.blocks if quantised is not None else ()) or _BLOCKS
    return Scaled(checkpoint, scales, packed, blocks) if scales or packed else checkpoint


def _scale_of(name: str, names: Mapping[str, Stored]) -> str | None:
    return next((name + suffix for suffix in _SUFFIXES if name + suffix in names), None)


def _check_pairs(checkpoint: Checkpoint, scales: Mapping[str, str], packed: Sequence[str]) -> None:
    """Raise unless every quantised tensor has its scale, and every scale of a weight its quantised tensor."""
    names, used = checkpoint.tensors, set(scales.values())
    for name, stored in names.items():
        base, _, part = name.rpartition("_")
        if stored.dtype.startswith(_NUMBERS) and name not in scales and not name.endswith(_ZERO):
            damaged(checkpoint.path, f"tensor {shown(name)} is {stored.dtype}, and its scale {_lost(name)} is missing")
        other = {"blocks": "scales", "scales": "blocks"}.get(part)
        if other is not None and stored.dtype == "U8" and base not in packed:
            damaged(checkpoint.path, f"tensor {shown(name)} has no {shown(base)}_{other} beside it")
        of = next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(f"weight{suffix}")), None)
        if of is not None and name not in used:
            what = f"is {names[of].dtype} instead of 8-bit floats" if of in names else "is missing"
            damaged(checkpoint.path, f"{shown(name)} is the scale of tensor {shown(of)}, which {what}")


def _lost(name: str) -> str:
    return " or ".join(shown(name + suffix) for suffix in _SUFFIXES)


class Scaled(Checkpoint):
    """A checkpoint whose tensors with scales are read as float32."""

    def __init__(
        self,
        inner: Checkpoint,
        scales: dict[str, str],
        packed: Sequence[str],
        blocks: Sequence[tuple[int, int]] = _BLOCKS,
    ) -> None:
        self._inner, self._scales, self._packed = inner, scales, frozenset(packed)
        tensors = dict(inner.tensors)
        self._block = {
            name: _checked_block(inner, name, tensors[name].shape, tensors[scale], blocks)
            for name, scale in scales.items()
        }
        for name in packed:
            values, scale_of = tensors.pop(name + "_blocks"), tensors.pop(name + "_scales")
            tensors[name] = _packed(inner, name, values, scale_of)
        super().__init__(inner.path, tensors, {}, inner.config)

    def read(self, name: str) -> NDArray[Any]:
        if name in self._packed:
            return self.rows(name, np.arange(self.tensors[name].shape[0]))
        array = self._inner.read(name)
        if name not in self._scales:
            return array
        self._check_zero(name)
        return _scaled(array, self._inner.read(self._scales[name]), self._block[name])

    def rows(self, name: str, ids: Sequence[int] | NDArray[Any]) -> NDArray[Any]:
        index = np.asarray(ids, dtype=np.int64)
        if name in self._scales:
            self._check_zero(name)
            array, scale = self._inner.rows(name, index), self._inner.read(self._scales[name])
            of_rows = _rows_of(scale, index, self.tensors[name].shape, self._block[name])
            return _scaled(array, of_rows, (1, *self._block[name][1:]) if array.ndim == 2 else self._block[name])
        if name not in self._packed:
            return self._inner.rows(name, index)
        blocks, scales = self._inner.read(name + "_blocks")[index], self._inner.read(name + "_scales")[index]
        return dequantise_mxfp4(blocks, scales).reshape(*blocks.shape[:2], -1).swapaxes(1, 2)

    def has_parts(self, name: str) -> bool:
        if name in self._scales:
            return len(self.stored(name).shape) == 2 and 256 % self._block[name][1] == 0
        return name not in self._packed and self._inner.has_parts(name)

    def part(self, name: str, rows: slice | NDArray[Any], columns: slice) -> NDArray[Any] | Grouped:
        if name not in self._scales:
            return self._inner.part(name, rows, columns)
        self._check_zero(name)
        shape, block = self.tensors[name].shape, self._block[name]
        index = np.arange(shape[0])[rows]
        scale = _rows_of(self._inner.read(self._scales[name]), index, shape, block)
        if scale.ndim == 2 and scale.shape[1] > 1:
            scale = scale[:, columns.start // block[1] : -(-columns.stop // block[1])]
        return _scaled(self._inner.read(name)[rows, columns], scale, (1, block[1]))

    def _check_zero(self, name: str) -> None:
        """Refuse zero points other than 0, which would shift the numbers; no form that is read does."""
        if name + _ZERO in self.tensors and self._inner.read(name + _ZERO).astype(np.float32).any():
            damaged(self.path, f"tensor {shown(name)} has zero points that are not zero, which is not read")

    def digest(self) -> str:
        return self._inner.digest()

    def close(self) -> None:
        self._inner.close()


def _checked_block(
    inner: Checkpoint, name: str, shape: tuple[int, ...], scale: Stored, blocks: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """The block of a tensor that shares a scale; (1, 1) for one scale per tensor or per row."""
    plain = scale.shape in ((), (1,), shape[:1])
    fitting = [(1, 1)] if plain or _fits(shape, scale.shape, (1, 1)) else []
    fitting = fitting or [block for block in blocks if _fits(shape, scale.shape, block)]
    # Blocks of several sizes may need the same number of scales and yet end at different places.
    ends = {tuple(min(n, size) for n, size in zip(shape[-2:], block, strict=False)) for block in fitting}
    if len(ends) != 1 or scale.dtype not in _FLOATS:
        kind = "" if scale.dtype in _FLOATS else f" of {scale.dtype}"
        damaged(
            inner.path,
            f"the scales of tensor {shown(name)}, {times(shape)}, are {times(scale.shape)}{kind}, which is not read",
        )
    return fitting[0]


def _fits(shape: tuple[int, ...], scale: tuple[int, ...], block: tuple[int, int]) -> bool:
    """Whether each axis has one scale, one per index, or (the last two axes) one per block."""
    if len(scale) != len(shape) or len(shape) < 2:
        return False
    sizes = (*[1] * (len(shape) - 2), *block)
    return all(s in (1, n, -(-n // size)) for s, n, size in zip(scale, shape, sizes, strict=True))


def _rows_of(
    scale: NDArray[Any], index: NDArray[np.int64], shape: tuple[int, ...], block: tuple[int, int]
) -> NDArray[Any]:
    """The scales of some rows of the first axis."""
    if scale.size == 1 or (scale.ndim == len(shape) and scale.shape[0] == 1):
        return scale
    if scale.shape[0] == shape[0]:
        return scale[index]
    return scale[index // block[0]]


def _scaled(array: NDArray[Any], scale: NDArray[Any], block: tuple[int, int]) -> NDArray[np.float32]:
    """array * scale, float32. scale: one number, one per row, or a shape that `_fits` accepts."""
    if scale.dtype == np.uint8:  # a power of two of bias 127 (OCP Microscaling Formats 1.0, section 5.4.1)
        scale = np.ldexp(np.float32(1), scale.astype(np.int32) - 127)
    scale = scale.astype(np.float32)
    if scale.size == 1:
        scale = scale.reshape(())
    elif scale.ndim < array.ndim:
        scale = scale.reshape(-1, *[1] * (array.ndim - 1))
    for axis, size in zip((-2, -1), block, strict=True):
        if scale.ndim and scale.shape[axis] not in (1, array.shape[axis]):
            scale = np.repeat(scale, size, axis=axis)
            scale = scale[..., : array.shape[-1]] if axis == -1 else scale[..., : array.shape[-2], :]
    product: NDArray[np.float32] = array.astype(np.float32) * scale
    return product


def _packed(inner: Checkpoint, name: str, blocks: Stored, scales: Stored) -> Stored:
    """The description of the tensor that blocks [expert, out, group, 16] and scales [expert, out, group] decode to."""
    fits = len(blocks.shape) == 4 and blocks.shape[3] == 16 and scales.shape == blocks.shape[:3]
    if not fits or {blocks.dtype, scales.dtype} != {"U8"}:
        damaged(inner.path, f"the blocks of tensor {shown(name)}, {times(blocks.shape)}, are not MXFP4 with its scales")
    experts, out, groups, _ = blocks.shape
    return Stored(name, (experts, groups * 32, out), "MXFP4", blocks.nbytes + scales.nbytes, blocks.file)
