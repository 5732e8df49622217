"""Points in a plane: from distances between them, or from more dimensions. Equal numbers give equal maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Wide = NDArray[np.float64]


def classical_scaling(distances: NDArray[Any], dimensions: int = 2) -> tuple[Wide, tuple[float, ...]]:
    """Points whose distances are as near to these as classical multidimensional scaling makes them.

        B = -J D^2 J / 2,   J = I - 1/n;   points = eigenvectors of B times the roots of their eigenvalues

    Args:
        distances: [n, n], symmetric.

    Returns:
        float64 [n, dimensions], the widest first, their mean at 0; and the share of the sum of positive eigenvalues
        that each keeps. In each dimension the point furthest from 0 lies above it, of equals the first, so that the
        same distances give the same map.

    Source: Torgerson 1952; Gower 1966.
    """
    squared = np.asarray(distances, np.float64) ** 2
    centred = squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean()
    values, vectors = np.linalg.eigh(-(centred + centred.T) / 4)
    order = np.argsort(-values, kind="stable")[:dimensions]
    total = float(values[values > 0].sum())
    roots = np.sqrt(np.maximum(values[order], 0.0))
    points = np.zeros((len(squared), dimensions))
    points[:, : len(order)] = vectors[:, order] * roots
    shares = [max(float(values[i]), 0.0) / total if total > 0 else 0.0 for i in order]
    return upright(points), tuple(shares + [0.0] * (dimensions - len(shares)))


def upright(points: Wide) -> Wide:
    """[n, dimension] with signs settled: of each dimension the number furthest from 0 is above it, of equals the first.

    Numbers that are equal except for rounding count as equal.
    """
    sizes = np.abs(points)
    furthest = (sizes >= sizes.max(0, initial=0.0) * (1 - 1e-9)).argmax(0)
    signs = np.where(points[furthest, np.arange(points.shape[1])] < 0, -1.0, 1.0)
    return points * signs + 0.0


def principal(vectors: NDArray[Any], dimensions: int = 2) -> tuple[Wide, tuple[float, ...]]:
    """Principal components: [n, d] -> points [n, dimensions], and the share of the variance that each keeps.

    The widest first, their mean at 0, signs as `upright` settles them. Source: Pearson 1901.
    """
    centred = np.asarray(vectors, np.float64)
    centred = centred - centred.mean(0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    count = min(dimensions, len(sizes))
    points = np.zeros((len(centred), dimensions))
    points[:, :count] = left[:, :count] * sizes[:count]
    total = float((sizes**2).sum())
    shares = [float(size**2) / total if total > 0 else 0.0 for size in sizes[:count]]
    return upright(points), tuple(shares + [0.0] * (dimensions - count))
