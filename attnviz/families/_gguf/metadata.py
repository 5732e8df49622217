"""A GGUF file's keys, and facts that follow from its tensors, checked as they are read."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from attnviz.errors import CheckpointError, ConfigError
from attnviz.families._config import Config

Made: TypeAlias = dict[str, Any]  # a configuration as a family reads it
_MAX_TABLE = 4096  # numbers in a table of rotary factors
# Keys about a model's description, task heads and sampling; none of them changes attention.
_NO_EFFECT = (
    "context_length vocab_size tensor_data_layout logit_scale final_logit_softcapping pooling_type "
    "classifier.pooling_type classifier.output_labels rope.scaling.finetuned"
).split()


# The names of the methods below hide these in the class.
_Int: TypeAlias = int
_Float: TypeAlias = float
_Bool: TypeAlias = bool


class Metadata:
    """A file's keys without the architecture's name in front, and facts that follow from its tensors.

    Args:
        data: every key of the file; lists as lists or arrays.
        shapes: stored name -> shape, rows first.
        read: the numbers of a tensor of one axis.
        where: how messages call the file.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        shapes: Mapping[str, Sequence[_Int]],
        read: Callable[[str], Sequence[_Float]],
        where: str,
    ) -> None:
        self.arch = data.get("general.architecture")
        if not isinstance(self.arch, str):
            raise ConfigError(f"{where}: general.architecture is missing")
        own = {key: _plain(value) for key, value in data.items() if key.startswith(f"{self.arch}.")}
        self.keys = Config(own, where)
        self.shapes, self._read_tensor, self.where = shapes, read, where
        self.skip(*_NO_EFFECT)

    def name(self, key: str) -> str:
        """A key as the file spells it."""
        return f"{self.arch}.{key}"

    def has(self, key: str) -> _Bool:
        """Whether the key is there; it then counts as read."""
        return self.keys.has(self.name(key))

    def skip(self, *keys: str) -> None:
        """Mark keys as read that do not change attention."""
        self.keys.skip(*map(self.name, keys))

    def int(self, key: str, default: _Int | None = None, low: _Int = 1) -> _Int:
        """A whole number. A list with a number per layer must have the same in all layers."""
        return self.keys.int(self._one(key), default, low=low)

    def layers(self) -> _Int:
        """The number of layers: an absurd one is refused before anything is allocated for it."""
        return self.keys.layers(self.name("block_count"))

    def float(self, key: str, default: _Float | None = None, low: _Float = -1e12) -> _Float:
        """A finite number.

        One stored in 32 bits becomes the decimal that was meant: 1e-05, not 9.999999747378752e-06.
        """
        value = self.keys.float(self._one(key), default, low=low)
        meant = float(f"{value:.7g}")
        return meant if abs(value) < 1e30 and struct.pack("<f", meant) == struct.pack("<f", value) else value

    def bool(self, key: str, default: _Bool = False) -> _Bool:
        """true or false."""
        return self.keys.bool(self.name(key), default)

    def text(self, key: str, default: str, allowed: Sequence[str]) -> str:
        """One of the `allowed` words."""
        return self.keys.choice(self.name(key), default, allowed)

    def has_bias(self, part: str) -> _Bool:
        """Whether this part of a block has a bias."""
        return f"blk.0.{part}.bias" in self.shapes

    def only(self, key: str, *values: Any) -> None:
        """Refuse a key unless it is left out or has one of these values: no other value is handled."""
        value = self.keys.raw(self.name(key))
        if value is not None and value not in values:
            raise self.keys.error(f"{self.name(key)} {value!r} is not handled")

    def shape(self, stored: str, axes: _Int = 2) -> Sequence[_Int]:
        """The shape of a tensor. Raises if the file lacks it."""
        if stored not in self.shapes:
            hint = "" if self.shapes else "a file of a vocabulary alone holds no weights"
            raise CheckpointError(f"{self.where} has no tensor {stored}", hint)
        if len(self.shapes[stored]) != axes:
            raise CheckpointError(
                f"{self.where}: tensor {stored} must have {axes} axes, it has {len(self.shapes[stored])}"
            )
        return self.shapes[stored]

    def numbers(self, stored: str) -> list[_Float] | None:
        """A table of factors, None if the file has none."""
        if stored not in self.shapes:
            return None
        if self.shape(stored, 1)[0] > _MAX_TABLE:
            raise CheckpointError(f"{self.where}: tensor {stored} has {self.shapes[stored][0]} numbers")
        values = list(map(float, self._read_tensor(stored)))
        if not all(map(math.isfinite, values)):
            raise CheckpointError(f"{self.where}: tensor {stored} holds NaN or infinity")
        return values

    def _one(self, key: str) -> str:
        """The key's name; a list of equal numbers, one per layer, becomes that number."""
        name = self.name(key)
        value = self.keys.data.get(name)
        if isinstance(value, list) and value:
            if any(v != value[0] for v in value):
                raise self.keys.error(f"{name} differs between layers, which is not handled")
            self.keys.data[name] = value[0]
        return name


def _plain(value: Any) -> Any:
    """A list of numbers as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value
