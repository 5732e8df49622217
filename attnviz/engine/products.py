"""Products with a stored matrix, which is decoded a part at a time into memory that stays in a core's cache.

Every product with a matrix of few bits, or of 16-bit floats, is made here. The matrix is never whole in memory as
float32. Parts are cut by shapes alone and each is computed on one thread, so that the numbers do not depend on how
many cores there are.
"""

from __future__ import annotations

import math
from itertools import pairwise
from threading import Event, local
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.threads import one_matrix_thread, share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tensors import Matrix

    Array = NDArray[np.float32]

PART = 1 << 18  # numbers of a part: 1 MB, about a core's second cache
LARGE_PART = 1 << 20  # for many vectors, where the library's own copies of them cost more than leaving the cache
MANY = 128  # vectors from which parts are large
WIDE = 4096  # columns of a part, at most
AT_ONCE = 512  # vectors that a part is multiplied with in one call, after which Ctrl-C is heard
STEP = 256  # columns are cut at multiples of it: the largest block of a quantised matrix

_LOCAL = local()


def product(x: Array, matrix: Matrix, bias: Array | None = None) -> Array:
    """x [..., n, d_in], matrix [d_out, d_in], bias [d_out] -> [..., n, d_out]; texts in front have a product each.

    Raises what the matrix raises if numbers of it are not finite.
    """
    texts = x.reshape(-1, *x.shape[-2:])
    turned = np.ascontiguousarray(texts.swapaxes(-1, -2))
    y = np.empty((len(texts), x.shape[-2], matrix.shape[0]), np.float32)

    def some(rows: slice, stop: Event) -> None:
        with np.errstate(all="ignore"):  # of this thread; what is not finite is found below, or by the pass
            _rows(turned, matrix, rows, y, stop)
        if bias is not None:
            y[:, :, rows] += bias[rows]

    with one_matrix_thread():
        share(parts(matrix.shape, x.shape[-2]), some)
    if not np.isfinite(y).all():
        matrix.check()
    return y.reshape(*x.shape[:-1], matrix.shape[0])


def parts(shape: tuple[int, int], n: int) -> list[slice]:
    """The runs of rows in which a matrix of this shape is multiplied with n vectors."""
    columns = columns_of(shape[1])
    numbers = LARGE_PART if n >= MANY else PART
    rows = max(1, numbers // (columns[0].stop - columns[0].start))
    count = -(-shape[0] // rows)
    edges = [shape[0] * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def columns_of(d_in: int) -> list[slice]:
    """The runs of columns of a part, one after the other: at most WIDE, cut at multiples of STEP."""
    count, steps = -(-d_in // WIDE), -(-d_in // STEP)
    edges = [min(d_in, -(-steps * i // count) * STEP) for i in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def _rows(turned: Array, matrix: Matrix, rows: slice, y: Array, stop: Event) -> None:
    """Some rows' products with all vectors. turned: [text, d_in, n]; y: [text, n, d_out]."""
    height, n = rows.stop - rows.start, turned.shape[-1]
    sums = np.zeros((len(turned), height, n), np.float32)
    for columns in columns_of(matrix.shape[1]):
        if stop.is_set():
            return
        if n == 1:
            part = matrix.part(rows, columns, again=True)  # the product of a new token, which more tokens follow
            for text, vectors in enumerate(turned):
                sums[text, :, 0] += part.dots(vectors[columns, 0])
            continue
        decoded = _memory(height, columns.stop - columns.start)
        matrix.part(rows, columns).floats(decoded)
        for text, vectors in enumerate(turned):
            for at in range(0, n, AT_ONCE):
                if stop.is_set():
                    return
                sums[text, :, at : at + AT_ONCE] += decoded @ vectors[columns, at : at + AT_ONCE]
    y[:, :, rows] = sums.swapaxes(-1, -2)


def _memory(*shape: int) -> Array:
    """Memory for one part, the same for every part of a thread."""
    size = math.prod(shape)
    kept = getattr(_LOCAL, "part", None)
    if kept is None or kept.size < size:
        kept = _LOCAL.part = np.empty(size, np.float32)
    return kept[:size].reshape(shape)
