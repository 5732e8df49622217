"""The circuits of a head, from its weights alone: which token attends to which, and what is then written.

In a head, W_QK = W_Q^T W_K says how two vectors of the residual stream attend to each other and W_OV = W_O W_V what an
attended vector adds to it. Both are d_model x d_model and of rank d_head at most, so that everything is computed
from from d_head x d_head products.

Source: Elhage 2021, A Mathematical Framework for Transformer Circuits: circuits, eigenvalues, composition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

KINDS = ("q", "k", "v")


@dataclass(frozen=True, eq=False)
class Heads:
    """The weights of one layer's heads, as they act on the residual stream.

    q, k: [head, d_head, d_model], v: [head, d_value, d_model], from what is read. o: [head, d_model, d_value], to what
    is written.
    """

    q: Floats
    k: Floats
    v: Floats
    o: Floats


@dataclass(frozen=True, eq=False)
class Circuits:
    """All heads of one stack.

    layers, heads: true indices. qk_singular, ov_singular: [layer, head, d_head], largest first. qk_eigen, ov_eigen:
    complex [layer, head, d_head], largest modulus first. copying, matching: [layer, head], -1 to 1; see `positive`.
    vocabulary: copying through embeddings and unembedding, or None. composition: q | k | v -> [layer, head, layer,
    head] of the reading and the writing head; NaN unless the reader's layer is the later one, and where nothing flows.
    chance: what composition is on average if directions are random. left_out: what these numbers do not see. pairs: ()
    for all heads of all layers above; else the (layer, head) of heads of different layers: arrays are then
    [1, pair, ...], and composition is [1, pair, 1, pair].
    """

    model: str
    stream: str
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    qk_singular: Floats
    ov_singular: Floats
    qk_eigen: NDArray[np.complex128]
    ov_eigen: NDArray[np.complex128]
    copying: Floats
    matching: Floats
    vocabulary: Floats | None
    composition: dict[str, NDArray[np.float32]]
    chance: float
    folded: str
    left_out: tuple[str, ...]
    meta: dict[str, Any]
    pairs: tuple[tuple[int, int], ...] = ()

    @property
    def places(self) -> tuple[tuple[int, int], ...]:
        """(layer, head) of each head in order, layer after layer."""
        return self.pairs or tuple(product(self.layers, self.heads))

    def only(self, pairs: tuple[tuple[int, int], ...]) -> Circuits:
        """These heads of different layers, in this order; all of them must be there."""
        i, j = (list(axis) for axis in zip(*(self._at(*pair) for pair in pairs), strict=True))
        arrays = ("qk_singular", "ov_singular", "qk_eigen", "ov_eigen", "copying", "matching", "vocabulary")
        picked = {name: getattr(self, name)[i, j][None] for name in arrays if getattr(self, name) is not None}
        between = {kind: values[i, j][:, i, j][None, :, None] for kind, values in self.composition.items()}
        return replace(self, **picked, composition=between, pairs=pairs)

    def _at(self, layer: int, head: int) -> tuple[int, int]:
        return self.layers.index(layer), self.heads.index(head)

    @property
    def qk_norm(self) -> Floats:
        """The Frobenius norm of W_QK, [layer, head]."""
        return np.sqrt(np.square(self.qk_singular).sum(-1))

    @property
    def ov_norm(self) -> Floats:
        """The Frobenius norm of W_OV, [layer, head]."""
        return np.sqrt(np.square(self.ov_singular).sum(-1))


def singular(left: NDArray[Any], right: NDArray[Any]) -> Floats:
    """The singular values of left^T right that can differ from 0, largest first.

    Args:
        left, right: [..., d_head, d]: the d x d product is of rank d_head.

    Returns:
        float64 [..., d_head]. With left^T = A R and right^T = B S (A, B with orthonormal columns) they are the ones of
        R S^T.
    """
    r, s = factor(left), factor(right)
    return np.asarray(np.linalg.svd(r @ s.swapaxes(-1, -2), compute_uv=False), np.float64)


def eigen(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.complex128]:
    """The eigenvalues of left^T right, and so of right left^T, that can differ from 0. Largest modulus first.

    Args:
        left, right: [..., d_head, d].

    Returns:
        complex128 [..., d_head]; of a pair of conjugates the one above the real axis comes first.
    """
    eigenvalues = np.linalg.eigvals(np.asarray(right, np.float64) @ np.asarray(left, np.float64).swapaxes(-1, -2))
    eigenvalues = np.asarray(eigenvalues, np.complex128)
    order = np.lexsort((-eigenvalues.imag, -eigenvalues.real, -np.round(np.abs(eigenvalues), 12)), axis=-1)
    return np.take_along_axis(eigenvalues, order, -1)


def positive(eigenvalues: NDArray[np.complex128]) -> Floats:
    """Sum of eigenvalues / sum of their moduli, [...]: 1 where all are positive, -1 where all are negative.

    For W_OV it is the copying score: a head that raises what it attends to. For W_QK it says whether a head attends to
    what is like the query (matching). 0 for a head of zeros. Source: Elhage 2021, Summarizing OV/QK Matrices.
    """
    moduli = np.abs(eigenvalues).sum(-1)
    total = eigenvalues.sum(-1).real
    return np.divide(total, moduli, out=np.zeros_like(total), where=moduli > 0)


def factor(rows: NDArray[Any]) -> Floats:
    """R of rows^T = A R with orthonormal columns in A, so that |x rows| = |x R^T|.

    rows: [..., d_head, d] -> [..., d_head, d_head]; d_head or d rows of it, whichever is less.
    """
    triangle: Any = np.linalg.qr(np.asarray(rows, np.float64).swapaxes(-1, -2), mode="r")
    return np.asarray(triangle, np.float64)


@dataclass(frozen=True, eq=False)
class Ends:
    """One layer's matrices for composition: W_OV, and what reads the stream, each as a product of two thin factors.

    writes: [d_model, head * d_value], columns that span W_OV with its norms. reads: kind -> [head * d, d_model], d the
    width of its factors. norms: of W_OV and, by kind, of what reads, [head].
    """

    writes: NDArray[np.float32]
    reads: dict[str, NDArray[np.float32]]
    written: Floats
    read: dict[str, Floats]


def ends(heads: Heads) -> Ends:
    """The factors of one layer.

    |W_QK W_OV| = |Q^T (K O) V| = |(R_Q K) (O R_V^T)| for R of `factor`: no matrix is larger than d_head x d_model.
    """
    r_q, r_k, r_v = factor(heads.q), factor(heads.k), factor(heads.v)
    r_o = factor(heads.o.swapaxes(-1, -2))
    reads = {"q": r_k @ heads.q, "k": r_q @ heads.k, "v": r_o @ heads.v}
    writes = heads.o @ r_v.swapaxes(-1, -2)
    d_model = heads.q.shape[-1]
    return Ends(
        writes=np.ascontiguousarray(writes.transpose(1, 0, 2).reshape(d_model, -1), np.float32),
        reads={kind: rows.reshape(-1, d_model).astype(np.float32) for kind, rows in reads.items()},
        written=np.sqrt(np.square(writes).sum((-2, -1))),
        read={kind: np.sqrt(np.square(rows).sum((-2, -1))) for kind, rows in reads.items()},
    )


def composed(reader: Ends, writer: Ends, kinds: Sequence[str] = KINDS) -> dict[str, NDArray[np.float32]]:
    """The share of each earlier head's output that each head of a layer reads: kind -> [reader, writer].

    k: |W_QK W_OV| / (|W_QK| |W_OV|), q: the same of W_QK^T, v: |W_OV W_OV| / (|W_OV| |W_OV|), Frobenius norms; from 0
    to 1. Source: Elhage 2021, The Compositionality of attention heads.
    """
    composition = {}
    for kind in kinds:
        product = reader.reads[kind] @ writer.writes
        n_reading, n_writing = len(reader.read[kind]), len(writer.written)
        blocks = np.square(product).reshape(n_reading, len(product) // n_reading, n_writing, -1)
        norms = np.sqrt(blocks.sum((1, 3), dtype=np.float64))
        both = reader.read[kind][:, None] * writer.written[None]
        composition[kind] = np.divide(norms, both, out=np.zeros_like(norms), where=both > 0).astype(np.float32)
    return composition
