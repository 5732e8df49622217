"""Options that say which model, and another kind of attention for it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any, Self

from attnviz.cli.options import MODEL, usage
from attnviz.flags import mechanism_option, option

_NAMED = (
    "tiny (learned, inside attnviz; the default), seeded (random weights; the default of commands that continue a "
    "text, and of mechanisms), a folder or weight file, a name such as minilm, org/name or org/name@revision from the "
    "Hub."
)


def named(default: str | None) -> Any:
    """`-m`, with the model that is meant without it."""
    flags = ("-m", "--model")
    return option(default, _NAMED, *flags, metavar="NAME|PATH", envvar="ATTNVIZ_MODEL", panel=MODEL)


SIZES = ("seed", "n_layers", "n_heads", "d_model", "causal")  # of the seeded model


@dataclass(frozen=True)
class Unchanged:
    """Which model, with the attention that it has."""

    model: str | None = named(None)
    name: str | None = option(None, "What pictures call the model.", metavar="LABEL", panel=MODEL)
    seed: int | None = option(None, "Seed of the seeded model: 0 by default.", metavar="N", panel=MODEL)
    n_layers: int | None = option(None, "Layers of the seeded model: 2 by default.", metavar="N", panel=MODEL)
    n_heads: int | None = option(None, "Heads a layer of the seeded model: 4 by default.", metavar="N", panel=MODEL)
    d_model: int | None = option(None, "Width of the seeded model: 64 by default.", metavar="N", panel=MODEL)
    causal: bool | None = option(
        None,
        "Whether the seeded model sees only what came before: it sees all by default.",
        "--causal/--no-causal",
        panel=MODEL,
    )
    adapter: str | None = option(None, "A PEFT LoRA adapter, merged into the model.", metavar="DIR", panel=MODEL)
    offline: bool = option(False, "Never touch the network.", panel=MODEL)
    ignore_key: tuple[str, ...] = option(
        (), "Ignore this unknown config key and continue. Repeatable.", metavar="KEY", panel=MODEL
    )

    def asked(self) -> bool:
        """Whether --model itself names the model, not the default and not the environment."""
        return self.model not in (type(self).model, os.environ.get("ATTNVIZ_MODEL"))

    def named(self, which: str | None) -> Self:
        """With a command's own MODEL, if there is one, instead of --model. UsageError if both are given."""
        if which is None:
            return self
        if self.asked():
            usage(f"MODEL and --model: wanted one of {which!r} and {self.model!r}")
        return replace(self, model=which)


@dataclass(frozen=True)
class Source(Unchanged):
    """Which model, and another kind of attention for it."""

    mechanism: str | None = mechanism_option()

    def __post_init__(self) -> None:
        if self.mechanism is not None:
            from attnviz.variants.table import check_mechanism

            check_mechanism(self.mechanism)


@dataclass(frozen=True)
class Drawn(Unchanged):
    """The seeded model unless another is named: weights that can have any kind of attention."""

    model: str = named("seeded")


@dataclass(frozen=True)
class Writer(Source):
    """The seeded model unless another is named: tiny cannot continue a text."""

    model: str = named("seeded")
