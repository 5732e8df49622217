"""Numbers and texts as a page's JSON has them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIGITS = 9  # significant digits of a number in JSON: as many as bring a float32 back


def number(value: Any) -> float | int | None:
    """A number with `DIGITS` digits; None for what is not finite."""
    if value is None or isinstance(value, (int, np.integer)):
        return None if value is None else int(value)
    value = float(value)
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def numbers(values: NDArray[Any]) -> list[Any]:
    """An array of one or two axes as lists."""
    return [numbers(each) if np.ndim(each) else number(each) for each in np.asarray(values)]


def cell(value: Any) -> str | float | int | None:
    """Turn a value of a row into a cell: a text, a number or nothing. Lists are joined; mappings become JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(each) for each in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return number(value)


def cell_of_text(text: Any) -> str | float | int | None:
    """A cell of a table that is made for paper: a number where the text is nothing but one, so that it sorts as one."""
    if not isinstance(text, str):
        return number(text)
    if not text:
        return None
    plain = text.replace("−", "-").replace(",", "")
    try:
        value = float(plain)
    except ValueError:
        return text
    whole = value.is_integer() and "." not in plain and "e" not in plain
    return int(value) if whole else value if math.isfinite(value) else text
