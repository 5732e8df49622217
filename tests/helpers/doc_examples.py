"""The commands and Python blocks of README.md and docs, found in their text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from helpers.paths import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "sample_inputs" / "README.md"]


@dataclass(frozen=True)
class Command:
    """One command. page: the page it is on. text: the whole line. shown: the output that the page shows below it."""

    page: str
    text: str
    shown: str = ""

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """(language, text) of fenced blocks; of indented ones the language is `indented`."""
    lines = text.split("\n")
    i = 0
    while i < len(lines):
        fence = re.match(r"```(\w*)", lines[i])
        if fence:
            end = next(j for j in range(i + 1, len(lines)) if lines[j].startswith("```"))
            yield fence[1] or "text", "\n".join(lines[i + 1 : end])
            i = end + 1
        elif lines[i].startswith("    ") and (i == 0 or not lines[i - 1].strip()):
            end = i
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield "indented", "\n".join(line[4:] for line in lines[i:end]).rstrip("\n")
            i = end
        else:
            i += 1


def commands() -> list[Command]:
    """Every line that begins with `attnviz `, each once, without trailing explanations, continuations joined."""
    commands: dict[str, Command] = {}
    for page in PAGES:
        name = page.relative_to(ROOT).as_posix()
        for language, text in blocks(page.read_text(encoding="utf-8")):
            if language in ("sh", "indented"):
                for command in _commands(name, text, language):
                    if command.shown or command.text not in commands:
                        commands[command.text] = command
    return list(commands.values())


def _commands(page: str, text: str, language: str) -> Iterator[Command]:
    lines = text.replace("\\\n", " ").split("\n")
    i = 0
    while i < len(lines):
        line = lines[i]
        i += 1
        if not line.startswith("attnviz "):
            continue
        while line.count('"') % 2:  # a quotation that continues on the next line
            line = f"{line.rstrip()} {lines[i].strip()}"
            i += 1
        explained = re.split(r"\s+#\s|\s{2,}(?![-\s])", line) if language == "indented" else re.split(r"\s+#\s", line)
        below = "\n".join(lines[i:]).strip("\n") if language == "indented" else ""
        shown = below if below and not below.startswith(("attnviz ", "attnviz.")) and "\nattnviz " not in below else ""
        yield Command(page, " ".join(explained[0].split()), shown)


def python_blocks() -> dict[str, list[str]]:
    """Page -> its Python blocks, in order."""
    pages = {}
    for page in PAGES:
        here = [
            text
            for language, text in blocks(page.read_text(encoding="utf-8"))
            if language == "python" or (language == "indented" and re.match(r"(import|from) \w", text))
        ]
        if here:
            pages[page.relative_to(ROOT).as_posix()] = here
    return pages
