"""Positions of patches in an image, computed one patch at a time in Python's own floats."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from oracles.slow_formulas import Rows, Vector, add, cubic, patch_rotated, triangle

from attnviz.engine.spec import ImageOffsets, Patches, Rotary


def grid_of(rule: Patches, pixels: Any) -> tuple[int, int]:
    """(rows, columns) of patches of pixels [channel][row][column]."""
    return len(pixels[0]) // rule.size[0], len(pixels[0][0]) // rule.size[1]


def resized(stored: Rows, old: tuple[int, int], new: tuple[int, int], kind: str) -> Rows:
    """One value per place of the new grid, interpolated between values of the old grid: both in reading order.

    kind: cubic (a = -0.75, edges repeated) | linear (edges repeated) | smooth (cubic with a = -0.5, wider if the new
    grid is the smaller one, shares of the places inside).
    """
    shares = [shares_of(n_old, n_new, kind) for n_old, n_new in zip(old, new, strict=True)]
    values = []
    for down in shares[0]:
        for across in shares[1]:
            value = [0.0] * len(stored[0])
            for s, by_row in down.items():
                for t, by_column in across.items():
                    value = add(value, [by_row * by_column * v for v in stored[s * old[1] + t]])
            values.append(value)
    return values


def shares_of(n_old: int, n_new: int, kind: str) -> list[dict[int, float]]:
    """For each new place the old places that it is interpolated from, with their shares."""
    every = []
    for at in range(n_new):
        middle = (at + 0.5) * n_old / n_new - 0.5
        shares: dict[int, float] = {}
        if kind == "smooth":
            wide = max(1.0, n_old / n_new)
            shares = {s: cubic((s - middle) / wide, -0.5) for s in range(n_old)}
            total = sum(shares.values())
            every.append({s: share / total for s, share in shares.items()})
            continue
        for s in range(math.floor(middle) - 1, math.floor(middle) + 3):
            inside = min(max(s, 0), n_old - 1)
            shares[inside] = shares.get(inside, 0.0) + (cubic if kind == "cubic" else triangle)(middle - s)
        every.append(shares)
    return every


def squares(rule: Patches, stored: Rows, pixels: Any) -> Rows:
    """The position vector of every token, [token]: for the prefix and the patches, none for registers."""
    new, front = grid_of(rule, pixels), len(rule.prefix)
    old = grid_of(rule, [[[0.0] * rule.image[1]] * rule.image[0]])
    places = stored[front:] if old == new else resized(stored[front:], old, new, "smooth" if rule.smooth else "cubic")
    return [*stored[:front], *([[0.0] * len(stored[0])] * rule.registers), *places]


def turned_patch(rotary: Rotary, rule: Patches, pixels: Any, x: Vector, token: int) -> Vector:
    """Rotate a query or key by the middle of its patch; tokens in front are unchanged."""
    rows, cols = grid_of(rule, pixels)
    row, column = divmod(token - front_of(rule), cols)
    if row < 0:
        return x
    return patch_rotated(rotary, x, 2 * (row + 0.5) / rows - 1, 2 * (column + 0.5) / cols - 1)


def front_of(rule: Patches) -> int:
    return len(rule.prefix) + rule.registers


def offsets(rule: ImageOffsets, table: Rows, patches: Patches, pixels: Any) -> Callable[[int, int, int], float]:
    """The bias of (head, query, key). Liu 2021, section 3.2: B[row offset, column offset], stretched to the grid."""
    rows, cols = grid = grid_of(patches, pixels)
    old, new = tuple(2 * n - 1 for n in rule.grid), (2 * rows - 1, 2 * cols - 1)
    by_offset = table[:-3] if grid == rule.grid else resized(table[:-3], old, new, "linear")
    as_query, as_key, as_both = table[-3:]
    front = front_of(patches)

    def bias(h: int, a: int, b: int) -> float:
        if a < front:
            return (as_both if b < front else as_query)[h]
        if b < front:
            return as_key[h]
        (r, c), (s, t) = divmod(a - front, cols), divmod(b - front, cols)
        return by_offset[(r - s + rows - 1) * (2 * cols - 1) + c - t + cols - 1][h]

    return bias
