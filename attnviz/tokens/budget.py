"""Limits for untrusted tokenizers: no part of one may multiply the length of a text.

The `tokenizers` library trusts its files. A normaliser that replaces each character by a thousand, twice, turns one
character into a million; a SentencePiece charsmap with a wrong first number ends the process. Both are detected here
before the library gets the file, or the text.

    normaliser       its replacements are short; no piece of a text becomes more than GROWTH times as long
    pre-tokenizer    few steps, of which few write characters
    post-processor   a text, and its pair, appear a few times
    charsmap         its table lies within its bytes, and no character becomes more than MAX_RUN bytes
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from attnviz.errors import CheckpointError
from attnviz.files.untrusted import parse

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Backend

MAX_CONTENT = 256  # longest replacement of a normaliser; published files have one or two characters
MAX_STEPS = 64  # steps of a normaliser, a pre-tokenizer or a post-processor, nested steps included
MAX_WRITING = 4  # steps of a pre-tokenizer that write characters: published files have one
MAX_TEMPLATE = 256  # parts of a template, and ids of one special token
MAX_COPIES = 8  # how often post-processors may repeat a text; published files have it once
MAX_RUN = 255  # bytes that a charsmap may write per character; Unicode's longest compatibility form takes 33
MAX_WORD = 10_000  # longest word that WordPiece looks up, in quadratic time; published files have 100 characters
GROWTH, ALWAYS, PIECE = 24, 4096, 4096  # pieces of PIECE characters grow at most GROWTH times, plus ALWAYS
_ESCAPED = re.compile(r"\\u00[2-7]")  # a key with escapes also contains "normalizer"
_NORMALIZER = re.compile(r'"normalizer"\s*:\s*')


_QUIET = threading.RLock()


@contextmanager
def without_panics() -> Iterator[None]:
    """Silence standard error while the library works: a panic prints pages there, and becomes an error anyway."""
    with _QUIET:
        try:
            before = os.dup(2)
        except OSError:  # closed
            yield
            return
        with suppress(OSError):  # a sandbox may have no /dev/null: then a panic is printed
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)
            os.close(null)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)


def check_file(text: str, source: str) -> None:
    """Raise CheckpointError for a tokenizer.json whose normaliser the library must not load."""
    for value in _normalisers(text, source):
        steps = list(_flat(value, "normalizers"))
        _few(len(steps), "normaliser", source)
        for step in steps:
            for key in ("content", "prepend"):
                written = step.get(key)
                if isinstance(written, str) and len(written) > MAX_CONTENT:
                    raise CheckpointError(
                        f"{source}: its normaliser writes {len(written):,} characters at a time; "
                        f"at most {MAX_CONTENT} are allowed"
                    )
            if "precompiled_charsmap" in step:
                check_charsmap(_decoded(step["precompiled_charsmap"], source), source)


def check_charsmap(data: bytes, source: str) -> None:
    """Raise CheckpointError for a SentencePiece charsmap that claims more than it holds.

    Its bytes: the size of a table, the table, then the replacements of characters, each ended by a zero. Source:
    SentencePiece, normalizer.cc (DecodePrecompiledCharsMap).
    """
    if not data:
        return
    size = int.from_bytes(data[:4], "little")
    if len(data) < 4 or size % 4 or size > len(data) - 4:
        raise CheckpointError(f"{source}: its charsmap claims a table of {size:,} bytes and has {len(data):,} in all")
    longest = max(map(len, data[4 + size :].split(b"\0")))
    if longest > MAX_RUN:
        raise CheckpointError(f"{source}: its charsmap makes up to {longest:,} bytes of a character")


def check_parts(backend: Backend, source: str) -> None:
    """Raise CheckpointError for a pipeline whose steps after the normaliser could multiply a text."""
    cuts = list(_flat(state(backend.pre_tokenizer), "pretokenizers"))
    _few(len(cuts), "pre-tokenizer", source)
    writing = sum(step.get("type") in ("ByteLevel", "Metaspace") for step in cuts)
    if writing > MAX_WRITING:
        raise CheckpointError(f"{source}: its pre-tokenizer writes into the text {writing} times over")
    ends = list(_flat(state(backend.post_processor), "processors"))
    _few(len(ends), "post-processor", source)
    copies = 1
    for step in ends:
        copies *= max([1, *(_copies(step.get(key), source) for key in ("single", "pair"))])
        for token in (step.get("special_tokens") or {}).values() if step.get("type") == "TemplateProcessing" else ():
            if len(token.get("ids", ())) > MAX_TEMPLATE:
                raise CheckpointError(f"{source}: a special token of its template has {len(token['ids']):,} ids")
    if copies > MAX_COPIES:
        raise CheckpointError(f"{source}: its template repeats a text {copies:,} times")
    longest = getattr(backend.model, "max_input_chars_per_word", 0)
    if longest > MAX_WORD:
        raise CheckpointError(f"{source}: max_input_chars_per_word is {longest:,}; at most {MAX_WORD:,} are allowed")


def normalisers(backend: Backend) -> list[Any]:
    """The steps of a pipeline's normaliser, so that each can be tried on a piece of text."""
    from tokenizers import normalizers

    steps = []
    for step in _flat(state(backend.normalizer), "normalizers"):
        normaliser = normalizers.Lowercase()
        normaliser.__setstate__(json.dumps(step).encode())
        steps.append(normaliser)
    return steps


def check_growth(text: str, steps: list[Any], source: str) -> None:
    """Raise CheckpointError if the steps of a normaliser make a text far longer."""
    for start in range(0, len(text), PIECE):
        piece = text[start : start + PIECE]
        for step in steps:
            piece = step.normalize_str(piece)
            if len(piece) > GROWTH * PIECE + ALWAYS:
                break
        if len(piece) > GROWTH * min(PIECE, len(text) - start) + ALWAYS:
            raise CheckpointError(f"{source}: its normaliser makes far more characters of a text than it has")


def _normalisers(text: str, source: str) -> Iterator[Any]:
    """Every value under a key "normalizer" at any depth: the one that the library reads is among them."""
    if _ESCAPED.search(text):
        normalisers: list[Any] = []

        def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            normalisers.extend(value for key, value in pairs if key == "normalizer")
            return dict(pairs)

        parse(text.encode(), source, CheckpointError, collect)
        yield from normalisers
        return
    decoder = json.JSONDecoder()
    for place in _NORMALIZER.finditer(text):
        if text[place.end() : place.end() + 1] in "{[":
            try:
                yield decoder.raw_decode(text, place.end())[0]
            except (ValueError, RecursionError):
                raise CheckpointError(f"{source} is not a tokenizer: its normaliser is not JSON") from None


def _flat(value: Any, inner: str) -> Iterator[Mapping[str, Any]]:
    """The steps of a sequence; nested sequences are flattened."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(reversed(node))
        elif isinstance(node, dict) and isinstance(node.get(inner), list):
            stack.append(node[inner])
        elif isinstance(node, dict):
            yield node


def state(part: Any) -> Any:
    """The settings of one part of the library's pipeline, None if it is missing."""
    return None if part is None else json.loads(part.__getstate__())


def _few(count: int, what: str, source: str) -> None:
    if count > MAX_STEPS:
        raise CheckpointError(f"{source}: its {what} has {count:,} steps; at most {MAX_STEPS} are allowed")


def _copies(template: Any, source: str) -> int:
    """The largest number of times that a template repeats one of its texts."""
    if not isinstance(template, list):
        return 1
    if len(template) > MAX_TEMPLATE:
        raise CheckpointError(f"{source}: its template has {len(template):,} parts")
    named = [part["Sequence"].get("id") for part in template if isinstance(part, dict) and "Sequence" in part]
    return max((named.count(name) for name in set(named)), default=1)


def _decoded(value: Any, source: str) -> bytes:
    import base64

    try:
        return base64.b64decode(value or "")
    except (TypeError, ValueError):
        raise CheckpointError(f"{source}: its precompiled_charsmap is not base64") from None
