"""A part that ends the processes that measure it: it is asked for again, then each of its texts alone.

It does not matter whether they are processes of this machine or of a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, NamedTuple

from attnviz.errors import ModelError

if TYPE_CHECKING:
    from attnviz.corpora.job import Part

Counts = tuple[int, int, int]  # texts measured, their tokens, texts that could not be used


class Done(NamedTuple):
    """A part that is a file now. texts, tokens: measured; skipped: texts that could not be; killers: among these the
    ones that ended their process."""

    name: str
    texts: int
    tokens: int
    skipped: int
    killers: tuple[int, ...] = ()


class Died(Exception):
    """A process has gone."""


class Ask(NamedTuple):
    """A request to a process.

    what: work, to measure a part and keep its files, or try, to measure it only. alone: whether the process must have
    nothing else to do, so that its death has one cause.
    """

    what: str
    part: Part
    alone: bool = False


def asks(part: Part, failures: int) -> Generator[Ask, Counts, Done]:
    """The requests by which a part becomes a file: each is sent its counts, or has Died thrown at it.

    failures: deaths at the part, or at one of its texts, after which it is at fault. Raises ModelError if the part ends
    its process and none of its texts does.
    """
    deaths = 0
    while deaths < failures:
        try:
            return Done(part.name, *(yield Ask("work", part, deaths > 0)))
        except Died:
            deaths += 1
    killers = yield from _killers(part, failures)
    if not killers:
        raise ModelError(
            f"a process died {deaths} times at {part.name}, though each of its texts can be measured alone",
            "it may lack memory: take fewer texts to a part, or fewer workers",
        )
    counts = yield Ask("work", part.without(killers), True)
    return Done(part.name, *counts, tuple(killers))


def _killers(part: Part, failures: int) -> Generator[Ask, Counts, dict[int, str]]:
    """The texts of a part that end their process each time they are measured alone, and how."""
    killers = {}
    for text in part.texts:
        if text.fault:
            continue
        alone, deaths = type(part)(part.index, (text,), part.job), 0
        while deaths < failures:
            try:
                yield Ask("try", alone, True)
                break
            except Died as death:
                deaths += 1
                said = f"ended the process that measured it, {deaths} times ({death})"
        else:
            killers[text.number] = said
    return killers


def answered(asks: Generator[Ask, Counts, Done], answer: Callable[[Ask], Counts]) -> Done:
    """The end of `asks` if each is answered at once. answer: gives counts, or raises Died."""
    try:
        ask = next(asks)
        while True:
            try:
                counts = answer(ask)
            except Died as death:
                ask = asks.throw(death)
            else:
                ask = asks.send(counts)
    except StopIteration as end:
        done: Done = end.value
        return done
