"""The checkpoints of a run and what they read, from the command line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.cli.corpus import Corpus
from attnviz.cli.opening import Command
from attnviz.cli.options import IN, OUT, HeadsOfModel, Input, Joined, usage
from attnviz.cli.source import Unchanged
from attnviz.errors import InputError
from attnviz.flags import argument, option, same

if TYPE_CHECKING:
    from attnviz.corpora.follow import Watched
    from attnviz.corpora.series import Reading


@dataclass(frozen=True)
class Checkpoints:
    """Which checkpoints, and what all of them read."""

    paths: tuple[str, ...] = argument(
        "Folders or weight files, or a pattern of them in quotes; a step in their names orders them.",
        metavar="PATH",
        several=True,
    )
    text: str | None = argument("The text, after the checkpoints; '-' reads standard input.", metavar="TEXT|PATH")
    file: str | None = same(Input, "file")
    pair: str | None = same(Input, "pair")
    ids: str | None = same(Input, "ids")
    random: bool = option(
        False, "On random tokens that come twice, as the literature has it. In this command: instead of TEXT.",
        panel=IN,
    )  # fmt: skip
    corpus: tuple[str, ...] = option(
        (), "Many texts instead of one, read as `attnviz corpus` reads them. Repeatable.", metavar="FILE", panel=IN
    )
    field: str | None = same(Corpus, "field")
    read: str | None = same(Corpus, "read")
    skip_different: bool = option(False, "Leave out checkpoints of other sizes or other tokens.", panel=IN)
    cache: str | None = option(
        None, "Keep numbers in this folder: another run then measures new checkpoints alone.", metavar="DIR", panel=OUT
    )

    def __post_init__(self) -> None:
        ways = self._ways()
        if len(ways) > 1:
            usage(f"{' and '.join(ways)}: wanted one of them")
        if not self.places():
            usage("wanted checkpoints and a text", "as in attnviz series 'run/checkpoint-*' \"The cat sat on the mat\"")
        if self.pair is not None and ways and ways != ["--file"]:
            usage(f"--pair needs a text, not {ways[0]}")
        for name in ("field", "read"):
            if getattr(self, name) is not None and not self.corpus:
                usage(f"--{name} needs --corpus")
        Input(ids=self.ids)

    def _ways(self) -> list[str]:
        """The ways in which an input was given, besides TEXT."""
        return [f"--{name}" for name in ("file", "ids", "random", "corpus") if getattr(self, name)]

    def places(self) -> tuple[str, ...]:
        """The checkpoints: without a TEXT the last word is one of them."""
        last = (self.text,) if self._ways() and self.text is not None else ()
        return (*self.paths, *last)

    def reading(self) -> Reading:
        """The input of every checkpoint. Raises InputError: it is missing, empty, or not UTF-8."""
        from attnviz.corpora.series import Reading

        if self.corpus:
            from attnviz.corpora.texts import read_texts

            if "-" in self.corpus:
                usage("--corpus is read again for each checkpoint: it cannot be standard input")
            return Reading(texts=lambda: read_texts(self.corpus, self.field, self.read))
        if self.random:
            return Reading(random=True)
        input = Input(text=None if self._ways() else self.text, file=self.file, ids=self.ids)
        text = input.read()
        if text is not None and not text.strip():
            raise InputError("the text is empty")
        if text is None and self.ids is None:
            usage("wanted a text: TEXT, --file PATH, --corpus FILE or --random")
        return Reading({"text": text, "pair": self.pair, "ids": input.numbers()})


@dataclass(frozen=True)
class HeadsOfRun(HeadsOfModel):
    """Which layers and heads, with or without special tokens."""

    no_special: bool = same(Joined, "no_special", False)


@dataclass(frozen=True)
class Opened:
    """The options with which checkpoints are opened."""

    name: str | None = same(Unchanged, "name")
    ignore_key: tuple[str, ...] = same(Unchanged, "ignore_key", ())


def open_checkpoints(command: Command, given: Checkpoints, opened: Opened, heads: HeadsOfRun) -> Watched:
    """A run, and what its checkpoints read."""
    from attnviz.corpora.checkpoints import find_run
    from attnviz.corpora.follow import Watched

    reading = replace(given.reading(), stream=heads.stream, special=not heads.no_special)
    return Watched(
        find_run(given.places()),
        reading,
        None if given.cache is None else Path(given.cache).expanduser(),
        given.skip_different,
        opened.ignore_key,
        heads.layer,
        None if heads.head == "all" else heads.head,
        opened.name,
    )
