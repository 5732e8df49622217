"""Sources and a question from the command line: their options, and how they are opened."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.cli import opening
from attnviz.cli.opening import Command
from attnviz.cli.options import IN, Input, usage
from attnviz.cli.source import Unchanged, named
from attnviz.errors import InputError
from attnviz.flags import argument, option, same

if TYPE_CHECKING:
    from attnviz.models.context import Asked

SPLITS = ("sentence", "line", "paragraph", "file")


@dataclass(frozen=True)
class Decoder(Unchanged):
    """The seeded model unless another is named: tiny cannot answer."""

    model: str = named("seeded")


@dataclass(frozen=True)
class Question:
    """Sources, a question and perhaps an answer."""

    question: str | None = argument("The question; '-' reads standard input.", metavar="QUESTION")
    sources: tuple[str, ...] = option(
        (), "Text files that hold the sources; several after one flag.", metavar="FILE...", panel=IN
    )
    split: str | None = option(
        None, "How files are cut into sources. Default: sentence; a prompt with turns by paragraph.",
        choices=SPLITS, panel=IN,
    )  # fmt: skip
    prompt: str | None = option(
        None, "A file with a whole prompt as it was sent, instead of sources.", metavar="FILE", panel=IN
    )
    answer: str | None = option(None, "The answer. Default: the model writes one.", metavar="TEXT", panel=IN)
    max_new: int | None = option(
        None, "New tokens at most; one that ends the text stops it before. Default: 40.", metavar="N", low=1, panel=IN
    )
    chat: bool = same(Input, "chat", False)
    chat_date: str | None = same(Input, "chat_date")

    def __post_init__(self) -> None:
        if self.prompt is not None and self.sources:
            usage("--prompt and --sources exclude each other: a prompt holds its sources")
        if self.prompt is None and not self.sources:
            usage("wanted sources: --sources FILE..., or --prompt FILE", 'as in attnviz context "Who?" --sources a.txt')
        if self.prompt is None and self.question is None:
            usage("wanted a question: QUESTION comes before --sources", 'as in attnviz context "Who?" --sources a.txt')
        if self.answer is not None and self.max_new is not None:
            usage("--answer and --max-new exclude each other: a given answer needs no new tokens")
        if self.prompt is not None and self.chat:
            usage("--prompt and --chat exclude each other: a prompt is read as it was sent")
        if self.chat_date is not None and not self.chat:
            usage("--chat-date needs --chat")
        if [self.question, self.prompt, *self.sources].count("-") > 1:
            usage("standard input can be read once: only one of QUESTION, --sources and --prompt may be '-'")


def open_question(command: Command, asked: Question, source: Decoder) -> Asked:
    """A model, and what it is asked. Raises InputError: a file is missing, empty or not UTF-8."""
    from attnviz.models.context import MAX_NEW, Asked

    question = Input(text=asked.question).read()
    texts = [_text_of(path) for path in asked.sources]
    prompt = None if asked.prompt is None else _text_of(asked.prompt, whole=True)
    if source.model == "seeded" and not source.causal:
        source = replace(source, causal=True)
        command.talk.note("seeded: a model that answers sees only what came before (--causal)")
    model = opening.load(source, command.talk)
    return Asked(
        model, question, texts, prompt, asked.split or (None if prompt is not None else "sentence"), asked.answer,
        asked.max_new or MAX_NEW, asked.chat, asked.chat_date, [_name(path) for path in asked.sources],
    )  # fmt: skip


def repeated(words: Iterable[str], flags: Iterable[str]) -> list[str]:
    """`--sources a b` as `--sources a --sources b`, for flags that take several values."""
    flags, flag, spread, known = set(flags), "", list[str](), True
    for word in words:
        known = known and word != "--"
        if known and word.startswith("-") and word != "-":
            flag = word if word in flags else ""
            spread += [] if flag else [word]
        else:
            spread += [flag, word] if flag and known else [word]
    return spread


def _name(path: str) -> str:
    return "standard input" if path == "-" else Path(path).name


def _text_of(path: str, whole: bool = False) -> str:
    """The text of a file or of standard input. whole: with its last line break."""
    from attnviz.files.text import read_stream, read_text

    if path == "-":
        return read_stream(sys.stdin.buffer, "standard input", whole)
    place = Path(path)
    if place.is_dir() or not place.exists():
        raise InputError(f"no such text file: {path!r}")
    text = read_text(place, whole)
    if not text.strip():
        raise InputError(f"{place.name} is empty: wanted at least one word")
    return text
