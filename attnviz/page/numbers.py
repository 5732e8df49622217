"""Numbers as short texts, the same in tables, pictures and the terminal."""

from __future__ import annotations

LARGE = 1e7  # from here on a number is written with its power of ten: a file may hold 1e38


def number(value: float, decimals: int, sign: str = "") -> str:
    """A value with fixed decimals, or as 1.23e38 where it is large; never '-0.00'. sign: "+" for a plus as well."""
    if not abs(value) < LARGE:
        digits, _, power = f"{value:{sign}.{decimals}e}".partition("e")
        return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}e{int(power)}" if power else digits
    text = f"{value:{sign}.{decimals}f}"
    return text if text.strip("+-0.") else sign + text.lstrip("+-")
