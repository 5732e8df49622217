"""Options that say which model, and what stands in place of its attention."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Self

from attnviz.cli.options import MODEL, option, usage
from attnviz.errors import AttnvizError

NAMED = option(
    MODEL,
    "-m",
    "--model",
    metavar="NAME|PATH",
    envvar="ATTNVIZ_MODEL",
    help="tiny (learned, inside attnviz; the default), seeded (random weights; the default of mechanisms and "
    "generate), a folder or weight file, a name such as minilm, org/name or org/name@revision from the Hub.",
)


@dataclass(frozen=True)
class Unchanged:
    """Which model, with the attention that it has."""

    model: Annotated[str | None, NAMED] = None
    name: Annotated[str | None, option(MODEL, "--name", metavar="LABEL", help="What pictures call the model.")] = None
    seed: Annotated[
        int | None, option(MODEL, "--seed", metavar="N", help="Seed of the seeded model: 0 by default.")
    ] = None
    n_layers: Annotated[
        int | None, option(MODEL, "--n-layers", metavar="N", help="Layers of the seeded model: 2 by default.")
    ] = None
    n_heads: Annotated[
        int | None,
        option(MODEL, "--n-heads", metavar="N", help="Heads a layer of the seeded model: 4 by default."),
    ] = None
    d_model: Annotated[
        int | None, option(MODEL, "--d-model", metavar="N", help="Width of the seeded model: 64 by default.")
    ] = None
    causal: Annotated[
        bool | None,
        option(
            MODEL,
            "--causal/--no-causal",
            help="Whether the seeded model sees only what came before: it sees all by default.",
        ),
    ] = None
    adapter: Annotated[
        str | None, option(MODEL, "--adapter", metavar="DIR", help="A PEFT LoRA adapter, merged into the model.")
    ] = None
    offline: Annotated[bool, option(MODEL, "--offline", help="Never touch the network.")] = False
    ignore_key: Annotated[
        list[str] | None,
        option(MODEL, "--ignore-key", metavar="KEY", help="Go on although this config key is unknown. Repeatable."),
    ] = None

    def asked(self) -> bool:
        """Whether --model itself names the model, not the default and not the environment."""
        return self.model not in (type(self).model, os.environ.get("ATTNVIZ_MODEL"))

    def named(self, which: str | None) -> Self:
        """With a command's own MODEL, if there is one, in the place of --model. UsageError if both are given."""
        if which is None:
            return self
        if self.asked():
            usage(f"MODEL and --model: wanted one of {which!r} and {self.model!r}")
        return replace(self, model=which)


MECHANISM = option(
    MODEL,
    "--mechanism",
    metavar="NAME[:N]",
    help="Another kind of attention, of those that `attnviz mechanisms` lists: additive, window:3, lsh:8,rounds=2.",
)


@dataclass(frozen=True)
class Source(Unchanged):
    """Which model, and what stands in place of its attention."""

    mechanism: Annotated[str | None, MECHANISM] = None

    def __post_init__(self) -> None:
        if self.mechanism is not None:
            known_mechanisms([self.mechanism])


@dataclass(frozen=True)
class Drawn(Unchanged):
    """The seeded model unless another is named: weights that can have any kind of attention."""

    model: Annotated[str, NAMED] = "seeded"


@dataclass(frozen=True)
class Writer(Source):
    """The same, for what goes on with a text: tiny does not."""

    model: Annotated[str, NAMED] = "seeded"


def known_mechanisms(asked: Sequence[str], groups: Sequence[str] = ()) -> None:
    """UsageError for what is no mechanism, or has numbers that it cannot have; `groups` may be named too."""
    from attnviz.variants import parse

    for name in asked:
        try:
            if name not in groups:
                parse(name)
        except AttnvizError as error:
            usage(f"--mechanism {name}: {error}", error.hint or "attnviz mechanisms lists them, with their numbers")
