"""Whole commands over mutants: an exit status of 0 to 2, and of errors one line with a hint."""

from __future__ import annotations

import contextlib
import io
import sys
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
    """Tries a command over one mutant of these folders, by reader."""
    import matplotlib.font_manager  # noqa: F401  it makes its own cache when it is first imported

    def one(rng: Random, folder: Path) -> str:
        name = rng.choice(sorted(LINES))
        reader = READERS[name]
        before = rng.choice(folders[name])
        files = reader.mutant([before], rng)
        changed = next((file for file in files if files[file] != before[file]), next(iter(files)))
        for file, data in files.items():
            (folder / file).write_bytes(data)
        line = rng.choice(LINES[name])
        return run([word.format(file=changed, folder="./") for word in line.split()] + ["--offline"] * ("-m" in line))

    return one


def run(words: list[str]) -> str:
    """'' if the command ends as promised, else what it did."""
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
    if "itself failed" in text:
        return f"{' '.join(words)}: {text[:400]}"
    if status not in (0, 1, 2):
        return f"{' '.join(words)}: exit status {status}"
    errors = [line for line in lines if not line.startswith(("note:", "warning:"))]
    if words[0] == "check" and status == 1 and not lines:  # its verdict: attention that is broken
        return ""
    if status and (not errors or not errors[0].startswith("error: ") or len(errors) > 2):
        return f"{' '.join(words)}: exit status {status} with {text[:300]!r}"
    return next((found for found in map(of_message, lines) if found), "")
