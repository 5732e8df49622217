"""Images: patches, the learned tokens before them, and scores that depend on the positions of patches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import as_strided

from attnviz.engine.kernels import linear
from attnviz.engine.spec import ImageOffsets, Learned, Patches, Rotary, Spec
from attnviz.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.inputs import Inputs
    from attnviz.engine.tensors import Tensors

    Array = NDArray[np.float32]


def embed_patches(spec: Spec, patches: Patches, tensors: Tensors, inputs: Inputs) -> Array:
    """Embeddings [n, d_model]: learned tokens, then patches through one linear map. Dosovitskiy 2021, eq. 1."""
    pixels = inputs.pixels
    if pixels is None:
        raise InputError("this model reads images; no pixel_values were given", "name one with --image FILE")
    high, wide = patches.size
    if pixels.ndim != 3 or pixels.shape[0] != patches.channels or pixels.shape[1] < high or pixels.shape[2] < wide:
        raise InputError(
            f"pixel_values must be [{patches.channels}, height, width] of at least {high} x {wide} pixels; "
            f"got {list(pixels.shape)}"
        )
    rows, cols = patches.grid(*pixels.shape[1:])
    squares = pixels[:, : rows * high, : cols * wide].reshape(patches.channels, rows, high, cols, wide)
    squares = squares.transpose(1, 3, 0, 2, 4).reshape(rows * cols, -1)
    weight = tensors.get("embed.patches.weight", (spec.d_model, patches.channels, high, wide))
    bias = tensors.get("embed.patches.bias", (spec.d_model,)) if patches.bias else None
    x = linear(np.ascontiguousarray(squares), weight.reshape(spec.d_model, -1), bias)
    front = [tensors.get(f"embed.{name}", (spec.d_model,))[None] for name in patches.prefix]
    if patches.registers:
        front.append(tensors.get("embed.registers", (patches.registers, spec.d_model)))
    return np.concatenate([*front, x])


def add_patch_places(patches: Patches, table: Learned, tensors: Tensors, inputs: Inputs, x: Array) -> None:
    """Add the position embeddings of patches and prefix tokens to x [n, d_model], in place; registers have none."""
    places = _patch_places(patches, table, tensors, inputs, x.shape[-1])
    front = len(patches.prefix)
    x[:front] += places[:front]
    x[patches.front :] += places[front:]


def _patch_places(patches: Patches, table: Learned, tensors: Tensors, inputs: Inputs, d_model: int) -> Array:
    """The position embeddings [prefix + patches, d_model], stretched to the image's grid if the model allows it."""
    assert inputs.pixels is not None
    places = tensors.get("embed.positions", (table.size, d_model))
    own = patches.grid(*patches.image)
    grid = patches.grid(*inputs.pixels.shape[1:])
    if grid == own:
        return places
    if not patches.interpolate:
        raise InputError(
            f"this model reads images of {patches.image[0]} x {patches.image[1]} pixels; "
            f"got {inputs.pixels.shape[1]} x {inputs.pixels.shape[2]}"
        )
    front = len(patches.prefix)
    squares = places[front:].reshape(*own, -1)
    stretch = _smooth if patches.smooth else _cubic
    stretched = np.einsum("rs,stc,ut->ruc", stretch(own[0], grid[0]), squares, stretch(own[1], grid[1]), optimize=True)
    return np.concatenate([places[:front], stretched.reshape(-1, d_model).astype(np.float32)])


# Interpolation along one axis, as matrices [new, old].


def _cubic(n_old: int, n_new: int) -> NDArray[np.float64]:
    """Bicubic: Keys 1981 with a = -0.75; beyond an edge its value is repeated."""
    matrix = np.zeros((n_new, n_old))
    for i in range(n_new):
        centre = (i + 0.5) * n_old / n_new - 0.5
        first = math.floor(centre) - 1
        for j in range(first, first + 4):
            matrix[i, min(max(j, 0), n_old - 1)] += _keys(centre - j, -0.75)
    return matrix


def _smooth(n_old: int, n_new: int) -> NDArray[np.float64]:
    """Bicubic: Keys 1981 with a = -0.5, wider if n_new < n_old; at edges the weights inside are made to sum to 1."""
    wider = max(n_old / n_new, 1.0)
    matrix = np.zeros((n_new, n_old))
    for i in range(n_new):
        centre = (i + 0.5) * n_old / n_new
        for j in range(max(0, int(centre - 2 * wider + 0.5)), min(n_old, int(centre + 2 * wider + 0.5))):
            matrix[i, j] = _keys((j + 0.5 - centre) / wider, -0.5)
    return matrix / matrix.sum(1, keepdims=True)


def _keys(t: float, a: float) -> float:
    """The kernel of Keys 1981, eq. 4, with its free parameter a."""
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def _straight(n_old: int, n_new: int) -> NDArray[np.float64]:
    """Linear; beyond an edge its value is repeated."""
    matrix = np.zeros((n_new, n_old))
    for i in range(n_new):
        centre = max((i + 0.5) * n_old / n_new - 0.5, 0.0)
        first = math.floor(centre)
        matrix[i, first] += 1 - (centre - first)
        matrix[i, min(first + 1, n_old - 1)] += centre - first
    return matrix


# Scores by position in the image.


def patch_turns(rotary: Rotary, front: int, grid: tuple[int, int]) -> tuple[Array, Array]:
    """cos and sin of every token's angles, two arrays [front + patches, dim / 2]; `front` tokens are not rotated.

    The centre of a patch is (y, x), each from -1 to 1; half of the pairs are rotated by 2 pi y and half by 2 pi x,
    times falling frequencies. Source: Siméoni 2025 (DINOv3), section 3.2; Heo 2024, section 3.2 for rotations by rows
    and columns.
    """
    frequencies = np.float32(1) / np.float32(rotary.base) ** np.arange(0, 1, 4 / rotary.dim, dtype=np.float32)
    middles = [2 * (np.arange(0.5, n, dtype=np.float32) / np.float32(n)) - 1 for n in grid]
    y, x = (np.float32(2 * math.pi) * middle[:, None] * frequencies for middle in middles)
    angle = np.concatenate([np.repeat(y, grid[1], axis=0), np.tile(x, (grid[0], 1))], axis=1)
    angle = np.concatenate([np.zeros((front, angle.shape[1]), np.float32), angle])
    return np.cos(angle), np.sin(angle)


class OffsetBias:
    """One layer's bias by head and by the rows and columns of patches between query and key."""

    before_scale = False

    def __init__(self, rule: ImageOffsets, table: Array, front: int, grid: tuple[int, int]) -> None:
        """table: [entries, n_heads] as stored. front: tokens before the patches. grid: their rows and columns."""
        self._front = front
        self._grid = rows, cols = grid
        height, width = (2 * n - 1 for n in rule.grid)
        by_offset = table[:-3].reshape(height, width, -1)  # [query row - key row, query column - key column, head]
        if grid != rule.grid:
            down, across = _straight(height, 2 * rows - 1), _straight(width, 2 * cols - 1)
            by_offset = np.einsum("rs,sth,ut->ruh", down, by_offset, across, optimize=True).astype(np.float32)
        by_offset = np.ascontiguousarray(by_offset.transpose(2, 0, 1))
        self._special = table[-3:]  # of a query before the patches, of a key before them, of both
        head, r, c = by_offset.strides
        # [head, row, column, key row, key column] is (row - key row, column - key column) from the middle.
        self._patches = as_strided(
            by_offset[:, rows - 1 :, cols - 1 :], (len(by_offset), rows, cols, rows, cols), (head, r, c, -r, -c)
        )

    def add_(self, scores: Array, heads: range, rows: range, cols: range) -> None:
        """Add to scores [head, row, col]."""
        front, (_, wide) = self._front, self._grid
        some = slice(heads.start, heads.stop)
        as_query, as_key, as_both = self._special[:, some, None, None]
        n_front = min(max(front - rows.start, 0), len(rows))  # rows of this tile before the patches
        k_front = min(max(front - cols.start, 0), len(cols))
        scores[:, :n_front, :k_front] += as_both
        scores[:, :n_front, k_front:] += as_query
        scores[:, n_front:, :k_front] += as_key
        if n_front == len(rows) or k_front == len(cols):
            return
        first, last = max(cols.start - front, 0), cols.stop - front
        down, across = np.divmod(np.arange(rows.start + n_front, rows.stop) - front, wide)
        values = self._patches[some, down, across]  # [head, row, key row, key column]
        scores[:, n_front:, k_front:] += values.reshape(*values.shape[:2], -1)[..., first:last]


def offset_bias(
    rule: ImageOffsets, patches: Patches, tensors: Tensors, name: str, n_heads: int, pixels: Array
) -> OffsetBias:
    """The bias of the layer whose tensors' names begin with `name`, for an image [channel, row, column]."""
    wanted = [prefix for prefix, on in (("", rule.shared), (name, rule.own)) if on]
    tables = [tensors.get(f"{prefix}bias.table", (rule.rows, n_heads)) for prefix in wanted]
    table = tables[0] if len(tables) == 1 else tables[0] + tables[1]
    return OffsetBias(rule, table, patches.front, patches.grid(*pixels.shape[1:]))
