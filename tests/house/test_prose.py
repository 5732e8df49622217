"""Docstrings, comments, messages, help and docs use none of the phrases in retired_phrases.txt.

From the command line it lists them, in every folder or in some: `python tests/house/test_prose.py attnviz/page docs`.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
RETIRED = Path(__file__).with_name("retired_phrases.txt")
FOLDERS = ("attnviz", "benchmarks", "docs", "sample_inputs", "scripts", "tests")
PAGES = ("README.md", "SECURITY.md", "CONTRIBUTING.md")
DATA = 2000  # a string with as many characters is a text to work on, not one to read
# Folders and files that are not rewritten yet.
NOT_YET: tuple[str, ...] = ()


class Prose(NamedTuple):
    """A piece of text for readers. lines: of the file, from `line` on, as it is written there."""

    line: int
    text: str
    lines: list[str]
    docstring: bool = False


class Phrase(NamedTuple):
    """A retired phrase. start: whether only the beginning of a docstring's sentence counts."""

    pattern: re.Pattern[str]
    better: str
    start: bool


def phrases() -> list[Phrase]:
    """The entries of retired_phrases.txt."""
    entries = [line for line in RETIRED.read_text().splitlines() if line and not line.startswith("#")]
    return [_phrase(*entry.split(" -> ", 1)) for entry in entries]


def _phrase(pattern: str, better: str) -> Phrase:
    if pattern.startswith("^"):
        return Phrase(re.compile(r"(?:^|(?<=[.?] ))" + pattern[1:]), better, True)
    return Phrase(re.compile(pattern, re.IGNORECASE), better, False)


def prose(path: Path) -> Iterator[Prose]:
    """The text of a Python file or a Markdown page that a person reads; code and names are not part of it."""
    source = path.read_text()
    if path.suffix == ".md":
        yield from _markdown(source)
    else:
        yield from _strings(source)
        yield from _comments(source)


def _strings(source: str) -> Iterator[Prose]:
    """Docstrings, and every string of several words: messages, help, titles."""
    tree, lines = ast.parse(source), source.splitlines()
    skip: set[int] = set()
    docstrings: set[int] = set()
    for node in ast.walk(tree):  # from the outside in
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstrings.update(id(statement.value) for statement in node.body[:1] if isinstance(statement, ast.Expr))
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            skip.update(map(id, ast.walk(node)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skip:
            text = node.value
        else:
            continue
        if " " in text and (id(node) in docstrings or len(text) < DATA):
            yield Prose(node.lineno, text, lines[node.lineno - 1 : node.end_lineno], id(node) in docstrings)


def _comments(source: str) -> Iterator[Prose]:
    """Comments; lines below each other in one column are one comment."""
    if not re.search(r"(?m)(^|\s)#", source):
        return  # splitting a file into tokens takes longer than parsing it
    block: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        if block and token.start != (block[-1].start[0] + 1, block[-1].start[1]):
            yield _comment(block)
            block = []
        block.append(token)
    if block:
        yield _comment(block)


def _comment(block: list[tokenize.TokenInfo]) -> Prose:
    lines = [token.string.lstrip("#").strip() for token in block]
    return Prose(block[0].start[0], " ".join(lines), lines)


def _markdown(source: str) -> Iterator[Prose]:
    """Paragraphs, without blocks of code and without `code`."""
    without = re.sub(r"(?ms)^( *)```.*?^ *```", lambda block: "\n" * block[0].count("\n"), source)
    without = re.sub(r"`[^`\n]*`", "`code`", without)
    lines = without.splitlines()
    start = 0
    for number, line in enumerate([*lines, ""]):
        if line.strip():
            continue
        if number > start:
            yield Prose(start + 1, " ".join(lines[start:number]), lines[start:number])
        start = number + 1


def retired(path: Path) -> Iterator[tuple[int, str, str]]:
    """(line, phrase, what to say instead) for every retired phrase in a file."""
    for piece in prose(path):
        text = " ".join(piece.text.split())
        for phrase in PHRASES:
            if phrase.start and not piece.docstring:
                continue
            for match in phrase.pattern.finditer(text):
                yield piece.line + _line_of(match, text, piece.lines), match[0], phrase.better


def _line_of(match: re.Match[str], text: str, lines: list[str]) -> int:
    """The line in `lines` that a match in their joined text begins on, as far as the text before it tells."""
    before = len(re.findall(r"\w", text[: match.start()]))
    words = match[0].split()
    candidates = [number for number, line in enumerate(lines) if words[0].lower() in line.lower()]
    letters = [sum(len(re.findall(r"\w", line)) for line in lines[: number + 1]) for number in candidates]
    return next((number for number, up_to in zip(candidates, letters, strict=True) if up_to > before), 0)


def files(names: Iterable[str]) -> list[Path]:
    """Python files and pages in these folders; names may be patterns or files."""
    paths = [path for name in names for path in sorted(ROOT.glob(name))]
    found = [sorted([*path.rglob("*.py"), *path.rglob("*.md")]) if path.is_dir() else [path] for path in paths]
    inside = [[path for path in folder if "node_modules" not in path.parts] for folder in found]
    return [path for paths in inside for path in paths]


def report(paths: Iterable[Path]) -> Iterator[str]:
    """`path:line: phrase -> what to say instead` for every retired phrase in these files."""
    for path in sorted(paths):
        for line, phrase, better in sorted(retired(path)):
            yield f"{path.relative_to(ROOT)}:{line}: {phrase} -> {better}"


PHRASES = phrases()


def test_prose_has_no_retired_phrase():
    """Each is reported with its place and what to say instead."""
    hits = list(report(set(files((*FOLDERS, *PAGES))) - set(files(NOT_YET))))
    assert not hits, "\n".join(hits)


def test_retired_phrases_are_found_where_people_read(tmp_path):
    """Docstrings, comments, messages and pages count; code, names and `code` do not."""
    over, path = "passed " + "over", tmp_path / "a.py"
    path.write_text(f"'''Of heads.\n\n{over}.'''\npassed_over = {{}}\n# passed\n# over\nf'this {{x}} {over}'\n")
    assert sorted(line for line, _, _ in retired(path)) == [1, 3, 5, 7]
    path = tmp_path / "a.md"
    path.write_text(f"a\n\n```\n{over}\n```\n`{over}`, and {over.replace(' ', chr(10))}\n")
    assert [(line, phrase) for line, phrase, _ in retired(path)] == [(6, over)]


if __name__ == "__main__":
    print("\n".join(report(files(tuple(sys.argv[1:]) or (*FOLDERS, *PAGES)))))
