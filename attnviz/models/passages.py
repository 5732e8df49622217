"""Cut a text into sources: sentences, lines, paragraphs or whole files; and a prompt as it was sent into its parts.

A span is (first character, last plus one) within a text, without white space at its ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from attnviz.errors import InputError, SelectionError, one_of, shown
from attnviz.tokens.words import find_words

Span = tuple[int, int]

SPLITS = ("sentence", "line", "paragraph", "file")
# The end of a sentence: its mark, closing quotes or brackets, then white space; or a full-width mark.
_END = re.compile(r"""[.!?…]+["'”’»)\]]*(?=\s)|[。！？]+[”’」』）]*""")
# Abbreviations and initials, whose point ends no sentence unless a line does.
_SHORT = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|No|Fig|vs|etc|al|cf|e\.g|i\.e|[A-Z]\.[A-Z])\.$"
)
_ROLE = re.compile(r"[A-Za-z_]{1,20}")
_ROLES = ("assistant", "model", "user", "system")  # that are roles even at the end of a prompt


def split(text: str, how: str) -> list[Span]:
    """The spans of a text's sources, in order; empty ones are left out.

    how: sentence (a paragraph's sentences; a line break ends none) | line | paragraph (blank lines between) | file.
    Raises SelectionError for anything else.
    """
    if how not in SPLITS:
        raise SelectionError(one_of("--split", how, SPLITS))
    pieces = {"sentence": _sentences, "line": _lines, "paragraph": _paragraphs, "file": _whole}[how](text)
    return [span for piece in pieces if (span := _stripped(text, piece)) is not None]


def _whole(text: str) -> Iterator[Span]:
    yield 0, len(text)


def _lines(text: str) -> Iterator[Span]:
    return _between(text, re.compile(r"\r\n?|\n"))


def _paragraphs(text: str) -> Iterator[Span]:
    return _between(text, re.compile(r"(?:\r\n|\r(?!\n)|\n)[^\S\r\n]*(?:\r\n?|\n)\s*"))


def _sentences(text: str) -> Iterator[Span]:
    for start, stop in _paragraphs(text):
        for mark in _END.finditer(text, start, stop):
            if text[mark.start() : mark.end()] == "." and _SHORT.search(text, max(start, mark.end() - 12), mark.end()):
                continue
            yield start, mark.end()
            start = mark.end()
        yield start, stop


def _between(text: str, breaks: re.Pattern[str]) -> Iterator[Span]:
    start = 0
    for found in breaks.finditer(text):
        yield start, found.start()
        start = found.end()
    yield start, len(text)


def _stripped(text: str, span: Span) -> Span | None:
    part = text[slice(*span)]
    if not part.strip():
        return None
    return span[1] - len(part.lstrip()), span[0] + len(part.rstrip())


@dataclass(frozen=True)
class Layout:
    """A prompt and the spans of its parts.

    sources: of each source, in order. question: None where there is none. Text in no span (instructions, a
    template's tokens, " Question:") belongs to no source. joint: written between the prompt and its answer.
    """

    text: str
    sources: tuple[Span, ...]
    question: Span | None
    joint: str = ""

    def source_texts(self) -> list[str]:
        """The text of each source."""
        return [self.text[slice(*span)] for span in self.sources]


def joined(texts: Sequence[str], names: Sequence[str], how: str) -> tuple[str, list[Span]]:
    """Texts one after the other, a line break between, and the spans of their sources.

    names: what messages call the texts. how: as for `split`. Raises InputError for none, or one that is empty.
    """
    if not texts:
        raise InputError("wanted sources: texts that the answer may rest on", "name them: --sources FILE...")
    parts, spans, start = [], list[Span](), 0
    for text, name in zip(texts, names, strict=True):
        if not isinstance(text, str):
            raise InputError(f"{name} must be a text; got {type(text).__name__}")
        own = split(text, how)
        if not own:
            raise InputError(f"{name} is empty: a source needs at least one word")
        parts.append(text)
        spans += [(start + first, start + last) for first, last in own]
        start += len(text) + 1
    return "\n".join(parts), spans


def plain(context: str, spans: Sequence[Span], question: str) -> Layout:
    """Sources, then " Question: ... Answer:"."""
    text = f"{context.rstrip()} Question: {question} Answer:"
    start = len(text) - len(question) - len(" Answer:")
    return Layout(text, tuple(spans), (start, start + len(question)), " ")


def turn(context: str, spans: Sequence[Span], question: str, written: Callable[[str], str]) -> Layout:
    """Sources, a blank line and the question as a user's turn. written: a turn -> the text in the chat template.

    Raises InputError for a template that changes the turn's text.
    """
    message = f"{context.strip()}\n\n{question}"
    text = written(message)
    at = text.rfind(message)
    if at < 0:
        raise InputError("the chat template changes the text of a turn", "leave out --chat, or give --prompt FILE")
    first = at - (len(context) - len(context.lstrip()))
    start = at + len(message) - len(question)
    return Layout(text, tuple((first + a, first + b) for a, b in spans), (start, start + len(question)))


def sent(text: str, marks: Sequence[Span], how: str | None, question: str | None) -> Layout:
    """The parts of a prompt as it was sent.

    Turns lie between marks; a role (one word on the line after a mark, or alone between two) belongs to no turn. A text
    without marks is one turn. The question is the last source of the last turn, or the last place of `question`;
    sources are what ends before it.

    Args:
        marks: spans of the chat template's special tokens. how: as for `split`; None: turns and their paragraphs with
            marks, sentences without.

    Raises:
        InputError: the question is not in the text, or no source comes before it.
    """
    turns = _turns(text, marks)
    how = how or ("paragraph" if marks else "sentence")
    spans = [(a + start, b + start) for start, stop in turns for a, b in split(text[start:stop], how)]
    if question is not None:
        at = text.rfind(question)
        if at < 0:
            raise InputError(f"the question {shown(question)} is not in the prompt", "write it as the prompt has it")
        asked = at, at + len(question)
    elif spans:
        asked = spans[-1]
    else:
        raise InputError("the prompt is empty")
    kept = [span for span in spans if span[1] <= asked[0]]
    if not kept:
        raise InputError("no source comes before the question of the prompt", "--split line cuts finer")
    joint = "" if text[-1:].isspace() or (marks and marks[-1][1] == len(text)) else " "
    return Layout(text, tuple(kept), asked, joint)


def _turns(text: str, marks: Sequence[Span]) -> list[Span]:
    """The spans between marks, without the names of roles."""
    turns, start = [], 0
    for first, last in [*marks, (len(text), len(text))]:
        part = text[start:first]
        line, _, _ = part.partition("\n")
        ends = "\n" in part or first < len(text) or line.strip().lower() in _ROLES
        if start and _ROLE.fullmatch(line.strip()) and ends:
            start += len(line) + ("\n" in part)
        if text[start:first].strip():
            turns.append((start, first))
        start = last
    return turns


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    found = (text[first:last].lower() for first, last in find_words(text))
    return [word for word in found if any(char.isalnum() for char in word)]
