"""A configuration as families read it: every value checked, every key accounted for.

A key that the family has not read is an error if it may matter, which `_keys.py` decides: better no picture than a
wrong one. --ignore-key continues without the key, and the picture then says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from attnviz.errors import ConfigError, one_of, shown
from attnviz.families._keys import Reference

# The names of the methods below hide these in the class.
_Int: TypeAlias = int
_Float: TypeAlias = float
_Bool: TypeAlias = bool


class Config:
    """A configuration's values, checked as they are read.

    Args:
        data: the parsed JSON.
        where: how messages call the file.
        reference: what the reference implementation does with keys that no family reads; unknown if left out.
    """

    def __init__(self, data: Mapping[str, Any], where: str = "config.json", reference: Reference | None = None) -> None:
        self.data, self.where = dict(data), where
        self.reference = Reference() if reference is None else reference
        self._read: set[str] = set()
        self._nested: dict[str, Config] = {}

    def has(self, key: str) -> bool:
        """Whether the key is there with a value; it then counts as read."""
        self._read.add(key)
        return self.data.get(key) is not None

    def skip(self, *keys: str) -> None:
        """Mark keys as read that do not change this family's attention."""
        self._read.update(keys)

    def rename(self, **aliases: str) -> None:
        """Move values from an alias, such as `hidden_size`, to this family's own key: own="alias".

        Raises ConfigError if both are there and differ.
        """
        for own, alias in aliases.items():
            if alias in self.data:
                value = self.data.pop(alias)
                if self.data.setdefault(own, value) != value:
                    raise self.error(f"{own} {shown(self.data[own])} and {alias} {shown(value)} contradict each other")

    def raw(self, key: str, default: Any = None) -> Any:
        """The value, unchecked; `default` if it is left out or null."""
        return self.data[key] if self.has(key) else default

    def int(self, key: str, default: _Int | None = None, low: _Int = 1, high: _Int = 1 << 24) -> _Int:
        """A whole number within limits. Without a default the key must be there."""
        value = self._required(key, default)
        if isinstance(value, _Bool) or not isinstance(value, _Int) or not low <= value <= high:
            raise self.error(f"{key} must be a whole number from {low} to {high}; got {shown(value)}")
        return value

    def layers(self, key: str, default: _Int | None = None) -> _Int:
        """A number of layers: an absurd one is refused before anything is allocated for it."""
        return self.int(key, default, high=10_000)

    def heads(self, key: str, default: _Int | None = None) -> _Int:
        """A number of heads. It is limited because a map is allocated for each."""
        return self.int(key, default, high=4096)

    def float(self, key: str, default: _Float | None = None, low: _Float = -1e12, high: _Float = 1e12) -> _Float:
        """A finite number within limits."""
        value = self._required(key, default)
        if isinstance(value, _Bool) or not isinstance(value, (_Int, _Float)) or not math.isfinite(value):
            raise self.error(f"{key} must be a number; got {shown(value)}")
        if not low <= value <= high:
            raise self.error(f"{key} must be from {low:g} to {high:g}; got {shown(value)}")
        return value

    def bool(self, key: str, default: _Bool = False) -> _Bool:
        """true or false."""
        value = self.raw(key, default)
        if not isinstance(value, _Bool):
            raise self.error(f"{key} must be true or false; got {shown(value)}")
        return value

    def choice(self, key: str, default: str, allowed: Iterable[str]) -> str:
        """One of the values that this family handles."""
        value = self.raw(key, default)
        if value not in (allowed := tuple(allowed)):
            raise self.error(one_of(key, value, allowed))
        return value

    def activation(self, key: str, default: str) -> str:
        """The engine's name of an activation function."""
        return ACTIVATIONS[self.choice(key, default, ACTIVATIONS)]

    def ints(self, key: str, default: Sequence[_Int] | None = None, length: _Int | None = None) -> tuple[_Int, ...]:
        """A list of whole numbers."""
        value = self._required(key, default)
        if not isinstance(value, (list, tuple)) or not all(type(v) is _Int for v in value):
            raise self.error(f"{key} must be a list of whole numbers; got {shown(value)}")
        return self._counted(key, value, length)

    def window(self, key: str, default: _Int | None) -> _Int:
        """The distance to the farthest token in a sliding window; -1 if windows are off.

        The window's size counts the query too.

        A key left out means `default`, null means off.
        """
        size = self.data.get(key) if key in self.data else default
        self._read.add(key)
        return -1 if size is None else self.int(key, default) - 1

    def cap(self, key: str, default: _Float | None) -> _Float:
        """A bound on scores; 0 if it is off (null)."""
        value = self.data.get(key) if key in self.data else default
        self._read.add(key)
        return 0.0 if value is None else self.float(key, default, low=1e-6)

    def words(self, key: str, allowed: Iterable[str], length: _Int | None = None) -> tuple[str, ...]:
        """A list of words, each of which this family must handle; () if it is left out."""
        value = self.raw(key, ())
        if not isinstance(value, (list, tuple)):
            raise self.error(f"{key} must be a list; got {shown(value)}")
        for word in value:
            if word not in (allowed := tuple(allowed)):
                raise self.error(one_of(f"each of {key}", word, allowed))
        return self._counted(key, value, length) if value else ()

    def off(self, key: str, *values: Any) -> None:
        """Refuse a key unless it is left out, null, false or one of `values`: no other value is handled."""
        value = self.raw(key)
        if value and value not in values:
            wanted = f" other than {', '.join(map(repr, values))}" if values else ""
            raise self.error(f"{key} {shown(value)} is not handled{wanted and ','}{wanted and ' nor any'}{wanted}")

    def sub(self, key: str) -> Config | None:
        """A nested configuration, None if it is left out. `inside` makes its keys count."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.error(f"{key} must be an object; got {shown(value)}")
        return self.nested(key, value)

    def nested(self, key: str, data: Mapping[str, Any]) -> Config:
        """A configuration nested under `key`."""
        return Config(data, f"{self.where}: {key}", self.reference.within(data))

    def divides(self, small: str, by: _Int, large: str, whole: _Int) -> None:
        """Refuse a `whole` that is not a multiple of `by`."""
        if whole % by:
            raise self.error(f"{large} {whole} must be a multiple of {small} {by}")

    def inside(self, other: Config) -> None:
        """Report the unread keys of a nested configuration with this one's, as `text_config.key`."""
        self._nested[other.where.removeprefix(f"{self.where}: ").replace(": ", ".")] = other

    def unread(self) -> list[str]:
        """Keys that the family has not read and that may change attention."""
        return self._placed("refused")

    def ignored(self) -> list[str]:
        """Keys that neither the family nor the reference reads."""
        return self._placed("ignored")

    def _placed(self, place: str) -> list[str]:
        own = [
            key
            for key, value in self.data.items()
            if key not in self._read and value is not None and self.reference.place(key, value) == place
        ]
        return own + [f"{name}.{key}" for name, other in self._nested.items() for key in other._placed(place)]

    def error(self, message: str, hint: str = "") -> ConfigError:
        """An error that names the file."""
        return ConfigError(f"{self.where}: {message}", hint)

    def _required(self, key: str, default: Any) -> Any:
        value = self.raw(key, default)
        if value is None:
            raise self.error(f"{key} is missing")
        return value

    def _counted(self, key: str, value: Sequence[Any], length: _Int | None) -> tuple[Any, ...]:
        if length is not None and len(value) != length:
            raise self.error(f"{key} must have {length} entries, one per layer; got {len(value)}")
        return tuple(value)


# Activations: configurations' names -> the engine's names.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "quick_gelu": "gelu_quick",
    "gelu_10": "gelu_10",
    "relu6": "relu6",
    "leaky_relu": "leaky_relu",
    "hardswish": "hardswish",
    "mish": "mish",
    "relu": "relu",
    "relu2": "relu_squared",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "linear": "linear",
}
