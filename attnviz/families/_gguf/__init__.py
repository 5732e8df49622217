"""Read a GGUF file's metadata as the configuration that its family reads, and find its tensors.

A GGUF file has no config.json: its keys are named after an architecture (`llama.attention.head_count`), some facts
follow only from the tensors that are there, and some are known only to code for that architecture.

metadata.py       the keys, checked
shared.py         Architecture, and what most architectures have in common
names.py          our names of tensors -> GGUF's

Each architecture is an entry of `GGUF` in its family's file.

Source: the key names of ggml's docs/gguf.md; what llama.cpp's converters write and its loaders assume.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from attnviz.engine.spec import Norm, Spec, Stacks
from attnviz.errors import ConfigError
from attnviz.families import architecture
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._gguf.names import left_over, table
from attnviz.families._gguf.shared import Architecture
from attnviz.families._names import Source

# Our prefix of a stack's tensors -> GGUF's.
_PREFIXES = {"": "", "encoder.": "enc.", "decoder.": "dec."}


@dataclass(frozen=True)
class Reading:
    """The result of reading a file: its configuration, and where its tensors are."""

    config: Made
    meta: Metadata
    architecture: Architecture

    def adjusted(self, spec: Stacks) -> Stacks:
        """Turn the configuration into the family's Spec, with norms as this file stores them."""
        if not self.architecture.shifted or not isinstance(spec, Spec):
            return spec

        def plain(norm: Norm | None) -> Any:
            return None if norm is None else replace(norm, plus_one=False)

        return replace(spec, norm=plain(spec.norm), final_norm=plain(spec.final_norm), qk_norm=plain(spec.qk_norm))

    def names(self, spec: Stacks) -> dict[str, Source]:
        """Our names -> where the file keeps them."""
        how = self.architecture
        names: dict[str, Source] = {}
        for stack, ours, _ in spec.stacks.values():
            names |= table(stack, how.names, how.turned, how.gate_up, ours, _PREFIXES[ours])
        return names

    def left_over(self, names: Mapping[str, Source]) -> list[str]:
        """Stored tensors that the model does not use although their names are among its parts."""
        return left_over(names, self.meta.shapes)


def read(
    data: Mapping[str, Any],
    shapes: Mapping[str, Sequence[int]],
    numbers: Callable[[str], Sequence[float]],
    where: str,
) -> Reading:
    """Make the configuration that a file's metadata describes.

    Args:
        data: its metadata. shapes: of its tensors. numbers: reads one tensor. where: how messages call the file.

    Raises:
        ConfigError: an unknown architecture; missing keys, or values that are not handled.
        CheckpointError: a tensor that the configuration depends on is missing or has a wrong shape.
    """
    kind = str(data.get("general.type", "model"))
    if kind != "model":
        raise ConfigError(f"{where} holds no model but {kind!r} (general.type)", "name the model's own file")
    meta = Metadata(data, shapes, numbers, where)
    arch = architecture(str(meta.arch), where)
    return Reading(arch.config(meta), meta, arch)
