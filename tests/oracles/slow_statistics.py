"""The numbers of `stats`, from their definitions in plain loops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def slow_statistics(weights: np.ndarray, special: Sequence[bool]) -> dict[str, float]:
    """The numbers of one head [query, key], in plain loops."""
    n = len(weights)
    rows = [[float(x) for x in row] for row in weights]
    entropies = [-sum(x * np.log(x) for x in row if x > 0) for row in rows]
    away = sum(rows[i][j] * abs(i - j) for i in range(n) for j in range(n))
    return {
        "entropy": sum(entropies) / n,
        "span": sum(np.exp(h) for h in entropies) / n,
        "distance": away / sum(map(sum, rows)),
        "confidence": sum(map(max, rows)) / n,
        "previous": sum(rows[i][i - 1] for i in range(1, n)) / (n - 1),
        "next": sum(rows[i][i + 1] for i in range(n - 1)) / (n - 1),
        "self": sum(rows[i][i] for i in range(n)) / n,
        "first": sum(row[0] for row in rows) / n,
        "special": sum(row[j] for row in rows for j in range(n) if special[j]) / n,
    }
