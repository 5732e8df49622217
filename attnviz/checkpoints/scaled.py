"""Tensors whose scales are stored beside them as further tensors.

    X (8-bit float) with X_scale_inv or X_scale         X * scale, one scale for all, a row, or a block of 128 x 128
    X_blocks, X_scales (bytes)                          MXFP4: 32 numbers of 4 bits to a scale, [expert, out, in]

Without its scales such a tensor would be read as numbers that mean nothing. Here the pair is one tensor, float32.

Source: the checkpoints of DeepSeek-V3 (blocks), of compressed-tensors (rows), and of gpt-oss (MXFP4, whose tensors
transformers turns to [expert, in, out]).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints.base import Checkpoint, Stored, damaged, shown, times
from attnviz.checkpoints.quants import dequantise_mxfp4

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 128  # of scales for squares of a matrix
_SUFFIXES = ("_scale_inv", "_scale")


def with_scales(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint itself, or one in which tensors and their scales are joined.

    Raises:
        CheckpointError: scales that do not fit their tensor.
    """
    names = checkpoint.tensors
    scales = {
        name: scale
        for name, stored in names.items()
        if stored.dtype.startswith("F8_E") and (scale := _scale_of(name, names)) is not None
    }
    packed = [name.removesuffix("_blocks") for name in names if name.endswith("_blocks")]
    packed = [name for name in packed if name + "_scales" in names and name not in names]
    return Scaled(checkpoint, scales, packed) if scales or packed else checkpoint


def _scale_of(name: str, names: object) -> str | None:
    return next((name + suffix for suffix in _SUFFIXES if name + suffix in names), None)  # type: ignore[operator]


class Scaled(Checkpoint):
    """A checkpoint seen through its scales: tensors that have some are given as float32."""

    def __init__(self, inner: Checkpoint, scales: dict[str, str], packed: Sequence[str]) -> None:
        self._inner, self._scales, self._packed = inner, scales, frozenset(packed)
        tensors = dict(inner.tensors)
        for name, scale in scales.items():
            _check_scale(inner, name, tensors[name].shape, tensors[scale].shape)
        for name in packed:
            blocks, scale_of = tensors.pop(name + "_blocks"), tensors.pop(name + "_scales")
            tensors[name] = _packed(inner, name, blocks, scale_of)
        super().__init__(inner.path, tensors, {}, inner.config)

    def read(self, name: str) -> NDArray[Any]:
        if name in self._packed:
            return self.rows(name, np.arange(self.tensors[name].shape[0]))
        array = self._inner.read(name)
        if name not in self._scales:
            return array
        return array.astype(np.float32) * _spread(self._inner.read(self._scales[name]), array.shape)

    def rows(self, name: str, ids: Sequence[int] | NDArray[Any]) -> NDArray[Any]:
        index = np.asarray(ids, dtype=np.int64)
        if name not in self._packed:
            return self.read(name)[index] if name in self._scales else self._inner.rows(name, index)
        blocks, scales = self._inner.read(name + "_blocks")[index], self._inner.read(name + "_scales")[index]
        return dequantise_mxfp4(blocks, scales).reshape(*blocks.shape[:2], -1).swapaxes(1, 2)

    def digest(self) -> str:
        return self._inner.digest()

    def close(self) -> None:
        self._inner.close()


def _check_scale(inner: Checkpoint, name: str, shape: tuple[int, ...], scale: tuple[int, ...]) -> None:
    fits = scale in ((), (1,), (1, 1), shape[:1], (*shape[:1], 1)) or scale == _blocks(shape)
    if not fits:
        damaged(
            inner.path, f"the scales of tensor {shown(name)}, {times(shape)}, are {times(scale)}, which is not read"
        )


def _blocks(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-(-n // _BLOCK) for n in shape)


def _spread(scale: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Scales in a form that multiplies a tensor of `shape`."""
    scale = scale.astype(np.float32)
    if scale.size == 1:
        return scale.reshape(())
    if scale.shape in (shape[:1], (*shape[:1], 1)):
        return scale.reshape(-1, *[1] * (len(shape) - 1))
    for axis in range(len(shape)):
        scale = np.repeat(scale, _BLOCK, axis=axis)
    return scale[tuple(slice(n) for n in shape)]


def _packed(inner: Checkpoint, name: str, blocks: Stored, scales: Stored) -> Stored:
    """The one tensor that blocks [expert, out, group, 16] and scales [expert, out, group] are."""
    fits = len(blocks.shape) == 4 and blocks.shape[3] == 16 and scales.shape == blocks.shape[:3]
    if not fits or {blocks.dtype, scales.dtype} != {"U8"}:
        damaged(inner.path, f"the blocks of tensor {shown(name)}, {times(blocks.shape)}, are not MXFP4 with its scales")
    experts, out, groups, _ = blocks.shape
    return Stored(name, (experts, groups * 32, out), "MXFP4", blocks.nbytes + scales.nbytes, blocks.file)
