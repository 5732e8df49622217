"""TOML written: keys and values of one table, each on a line of its own.

Source: TOML 1.0.0, sections "Keys", "String", "Array".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ESCAPED = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def table(head: str, values: Mapping[str, Any]) -> str:
    """A table as text. head: its line, such as `[[figure]]`. values: texts, numbers, booleans, and lists of texts."""
    lines = [head, *(f"{_key(name)} = {value_of(value)}" for name, value in values.items())]
    return "\n".join(lines) + "\n"


def value_of(value: Any) -> str:
    """A value on one line. Characters that cannot be seen, or that steer a terminal, are written as their number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return f'"{"".join(map(_character, value))}"'
    return f"[{', '.join(map(value_of, value))}]"


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else value_of(name)


def _character(char: str) -> str:
    if char in _ESCAPED:
        return _ESCAPED[char]
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
