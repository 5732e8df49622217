"""The subjects of `models`, `describe` and `tokens`: nothing, a configuration, or a text and its tokenizer."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.cli import opening
from attnviz.cli.opening import Command
from attnviz.cli.options import Input, Joined, usage
from attnviz.cli.source import Unchanged
from attnviz.flags import argument, same

if TYPE_CHECKING:
    from attnviz.axis import Tokens


@dataclass(frozen=True)
class Configuration:
    """A configuration, or a model whose configuration is read."""

    which: str | None = argument("org/name on the Hub, a folder, a GGUF file, or a config.json.", "MODEL|CONFIG")
    ignore_key: tuple[str, ...] = same(Unchanged, "ignore_key", default=())
    offline: bool = same(Unchanged, "offline", default=False)

    def __post_init__(self) -> None:
        if self.which is None:
            usage("missing argument 'MODEL|CONFIG'")


def open_configuration(command: Command, configuration: Configuration) -> dict[str, Any]:
    """The description of a configuration."""
    from attnviz.models.describe import describe

    assert configuration.which is not None
    start, quiet = time.perf_counter(), command.talk.quiet
    ignored, offline = configuration.ignore_key, configuration.offline
    description = describe(configuration.which, ignore_keys=ignored, offline=offline, quiet=quiet)
    command.talk.detail(f"{description['model']}: its configuration, read in {time.perf_counter() - start:.2f} s")
    return description


def open_tokens(command: Command, input: Input, source: Unchanged, joined: Joined) -> Tokens:
    """The tokens of a text, by the tokenizer of a model."""
    text = opening.text_of(input)
    splitter = opening.splitter(source, command.talk, input)
    text, ids = opening.turn(input, splitter, text)
    tokens = splitter.tokens(text, input.pair, ids)
    tokens = tokens.merged() if joined.words else tokens
    if not joined.no_special:
        return tokens
    return tokens.take(i for i, special in enumerate(tokens.special) if not special)
