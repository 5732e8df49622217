"""Whole commands over mutants.

The exit status is 0 to 2, errors are one line with a hint, no output controls a terminal, and files are complete.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from random import Random

from fuzzing.readers import READERS, Files
from fuzzing.worker import of_message

# Words of a command; {file} is the mutant, {folder} its folder.
LINES: dict[str, list[str]] = {
    "saved": [
        "table --from {file}", "heatmap --from {file} -o out.png", "heatmap --from {file} -o out.svg --words",
        "stats --from {file} --json", "check {file}", "export --from {file} -o out.csv", "lines --from {file}",
        "rollout --from {file}", "links --from {file}", "focus --from {file} --query 1",
        "export --from {file} -o o.json", "diff --from {file} --from-b {file}", "similar --from {file}",
        "roles --from {file}",
    ],
    "labels": ["table --from maps.npy --labels {file}", "heatmap --from maps.npy --labels {file} -o out.svg"],
    "config": ["describe {file}", "describe {folder}"],
    "safetensors": ["inspect {file}", "describe {file}"],
    "gguf": ["describe {file}", "inspect {file}", "tokens hello -m {file}", "table hello -m {file} -q",
             "stats hi -m {file}"],
    "npz": ["table --ids 0,1,0 -m {file}", "inspect {file}", "circuits -m {file}"],
    "torch": ["inspect {file}"],
    "tokenizer": ["tokens hello -m {folder}", "tokens hello -m {folder} --json", "tokens hi -m {folder} --chat"],
    "image": ["heatmap --image {file} -m seeded -o out.png"],
    "index": ["inspect {folder}"],
}  # fmt: skip


def trial(folders: dict[str, list[Files]]) -> Callable[[Random, Path], str]:
    """Try a command over one mutant of these folders, by reader."""
    import matplotlib.font_manager  # noqa: F401  it makes its own cache when first imported

    def one(rng: Random, folder: Path) -> str:
        name = rng.choice(sorted(LINES))
        reader = READERS[name]
        before = rng.choice(folders[name])
        files = reader.mutant([before], rng)
        changed = next((file for file in files if files[file] != before[file]), next(iter(files)))
        for file, data in files.items():
            (folder / file).write_bytes(data)
        line = rng.choice(LINES[name])
        words = [word.format(file=changed, folder="./") for word in line.split()] + ["--offline"] * ("-m" in line)
        return run(words) or written(Path())

    return one


def run(words: list[str]) -> str:
    """'' if the command ends as promised, else the fault."""
    from attnviz.cli import main

    out, said = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        before = sys.stdout
        try:
            status = main(words)
        except SystemExit as error:
            return f"{' '.join(words)}: SystemExit {error.code}"
        assert sys.stdout is before
        out.flush()
        said.flush()
    text = said.buffer.getvalue().decode("utf-8", "replace")  # type: ignore[attr-defined]
    lines = text.splitlines()
    printed = out.buffer.getvalue().decode("utf-8", "replace")  # type: ignore[attr-defined]
    if steering := [f"{ord(c):#x}" for c in sorted(set(text + printed)) if steers(c)]:
        return f"{' '.join(words)}: printed {', '.join(steering)}"
    if "itself failed" in text:
        return f"{' '.join(words)}: {text[:400]}"
    if status not in (0, 1, 2):
        return f"{' '.join(words)}: exit status {status}"
    errors = [line for line in lines if not line.startswith(("note:", "warning:"))]
    if words[0] == "check" and status == 1 and not lines:  # its verdict: the attention is broken
        return ""
    if status and (not errors or not errors[0].startswith("error: ") or len(errors) > 2):
        return f"{' '.join(words)}: exit status {status} with {text[:300]!r}"
    return next((found for found in map(of_message, lines) if found), "")


def steers(character: str) -> bool:
    """Whether a character controls a terminal instead of being printed."""
    if character in "\n\t":
        return False
    return unicodedata.category(character) == "Cc" or unicodedata.bidirectional(character) in _TURNS


_TURNS = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")


def written(folder: Path) -> str:
    """The fault of files that a command wrote, by their extensions; '' if they are complete."""
    for path in sorted(folder.iterdir()):
        if ".part" in path.name:
            return f"left behind {path.name}"
        if path.stem not in ("out", "o"):
            continue
        try:
            data = path.read_bytes()
            if path.suffix == ".svg":
                ElementTree.fromstring(data)
            elif path.suffix == ".json":
                json.loads(data, parse_constant=_refused)
            elif path.suffix == ".png" and not data.endswith(b"IEND\xaeB`\x82"):
                return "a picture that is cut off"
        except (ValueError, ElementTree.ParseError) as error:
            return f"{path.name} cannot be read: {error}"
    return ""


def _refused(text: str) -> None:
    raise ValueError(f"the number {text}")
