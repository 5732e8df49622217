"""Numbers as short texts, the same in tables, pictures and the terminal."""

from __future__ import annotations

import math
from typing import Any

ROUND = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)  # times a power of ten
LARGE = 1e7  # from here on a number is written with its power of ten: a file may hold 1e38


def number(value: float, decimals: int, sign: str = "") -> str:
    """A value with fixed decimals, or as 1.23e38 where it is large; never '-0.00'. sign: "+" for a plus as well."""
    if not abs(value) < LARGE:
        digits, _, power = f"{value:{sign}.{decimals}e}".partition("e")
        return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}e{int(power)}" if power else digits
    text = f"{value:{sign}.{decimals}f}"
    return text if text.strip("+-0.") else sign + text.lstrip("+-")


def compact(value: float) -> str:
    """A short number for a scale: 0, 0.25, 0.001, 1."""
    return f"{value:.3g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.0e}".replace("e-0", "e-")


def round_up(value: float) -> float:
    """The next round number that is not below `value` (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten)."""
    if value <= 0 or not math.isfinite(value):
        return 1.0
    decade = 10.0 ** math.floor(math.log10(value))
    for step in ROUND:
        if step * decade >= value * (1 - 1e-6):
            return float(f"{step * decade:.6g}")
    return 10.0 * decade


def signed(value: float) -> str:
    """`7.213`, `−0.405`, `−∞`; `–` for what was never computed."""
    if value != value:
        return "–"
    if value in (float("inf"), -float("inf")):
        return "−∞" if value < 0 else "∞"
    return f"{value:.3f}".replace("-", "−")


def alike(values: Any, decimals: int) -> list[str]:
    """Values with the same number of decimals, none if all are whole; -inf is -∞, not-a-number is -. Never '-0.00'."""
    import numpy as np

    array = np.asarray(values, np.float64).reshape(-1)
    finite = array[np.isfinite(array)]
    whole = np.array_equal(finite, np.rint(finite)) and bool(np.all(np.abs(finite) < 1e6))
    texts = []
    for value in array.tolist():
        text = f"{value:.{0 if whole else decimals}f}".replace("inf", "∞").replace("nan", "-")
        texts.append(text.lstrip("-") if not text.strip("-0.") and value == value else text)
    return texts
