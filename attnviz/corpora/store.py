"""Store: the folder of a corpus. A part counts when its Parquet file is there, which is renamed into place last.

OUT/corpus.json                 the job: version, model, digest, options; what all parts share
OUT/plan.json                   the names of all parts of the input
OUT/rows/part-000012-3f0c.parquet   the numbers of every text, layer and head
OUT/sums/part-000012-3f0c.npz       sums over the part, which merge
OUT/each/000000012.png          a file of each text, on request
OUT/summary.parquet, links.parquet, sums.npz, skipped.jsonl     over all parts, when all are there
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import InputError, OutputError
from attnviz.files.output import json_text
from attnviz.files.untrusted import read_object

if TYPE_CHECKING:
    from attnviz.corpora.job import Job
    from attnviz.corpora.work import PartFiles

MAX_PLAN = 64 << 20  # bytes
UNFINISHED = ".unfinished"
PARQUET = b"PAR1"  # the last bytes of a Parquet file
# Facts of a job as options and people call them.
SAID = {
    "measures": "--analysis",
    "texts": "--part-texts",
    "links": "--links",
    "each": "--save-each",
    "no_special": "--no-special",
    "contents": "model's contents",
}


@dataclass(frozen=True)
class Store:
    """The folder of one corpus. Its methods raise OutputError where a file cannot be written."""

    folder: Path

    def check(self, job: Job) -> None:
        """Raise OutputError if the folder holds another job's parts, or other files."""
        about = {"fingerprint": job.fingerprint, **job.about}
        known = self.about() if (self.folder / "corpus.json").exists() else None
        if known is not None and known != about:
            name = next((key for key in about if known.get(key) != about[key] and key != "fingerprint"), "fingerprint")
            differs = f"its {SAID.get(name, name)} is {known.get(name)!r}, not {about.get(name)!r}"
            raise OutputError(
                f"{str(self.folder)!r} holds a corpus of another run: {differs}",
                "choose another folder, or remove that one",
            )
        if known is None and self.folder.is_dir() and any(self.folder.iterdir()):
            raise OutputError(f"{str(self.folder)!r} holds other files", "choose a folder that is empty or not there")

    def open(self, job: Job) -> None:
        """Make the folder, or open that of an earlier run. Raises OutputError as `check` does."""
        self.check(job)
        for each in ("rows", "sums", UNFINISHED, *(["each"] if job.each else [])):
            self._make(self.folder / each)
        self._forget_unfinished()
        if not (self.folder / "corpus.json").exists():
            self.put("corpus.json", _json({"fingerprint": job.fingerprint, **job.about}))

    def about(self) -> dict[str, Any]:
        """The facts of the job. Raises InputError if this is no folder of a corpus."""
        place = self.folder / "corpus.json"
        if not place.is_file():
            raise InputError(f"{str(self.folder)!r} holds no corpus: there is no corpus.json in it")
        return read_object(place, MAX_PLAN, InputError, "facts about a corpus")

    def plan(self, names: Iterable[str], texts: int) -> None:
        """Note which parts there are. Raises OutputError if the folder holds parts of another input."""
        names = list(names)
        self.check_input(names)
        self.put("plan.json", _json({"texts": texts, "parts": names}))

    def check_input(self, names: list[str]) -> None:
        """Raise OutputError if finished parts belong to another input."""
        others = self.finished() - set(names)
        if others:
            raise OutputError(
                f"{str(self.folder)!r} holds {len(others)} parts of another input, the first {min(others)}: the texts "
                "have changed since",
                "choose another folder, or remove these parts to measure what has changed alone",
            )

    def planned(self) -> tuple[list[str], int]:
        """The names of all parts, and the number of texts. Raises InputError."""
        place = self.folder / "plan.json"
        if not place.is_file():
            raise InputError(f"{str(self.folder)!r} has no plan.json: nothing was measured yet")
        plan = read_object(place, MAX_PLAN, InputError, "the plan of a corpus")
        names, texts = plan.get("parts"), plan.get("texts")
        if not isinstance(names, list) or not all(map(_is_part, names)) or not isinstance(texts, int):
            raise InputError(f"{place.name} in {str(self.folder)!r} is no plan of a corpus")
        return names, texts

    def finished(self) -> set[str]:
        """The names of the parts that are done."""
        return {each.stem for each in (self.folder / "rows").glob("part-*.parquet")}

    def has(self, name: str) -> bool:
        """Whether a part is done: its file of rows is there, and ends as Parquet files do."""
        try:
            with self.rows(name).open("rb") as file:
                file.seek(-len(PARQUET), os.SEEK_END)
                return file.read() == PARQUET and self.sums(name).is_file()
        except OSError:
            return False

    def rows(self, name: str) -> Path:
        return self.folder / "rows" / f"{name}.parquet"

    def sums(self, name: str) -> Path:
        return self.folder / "sums" / f"{name}.npz"

    def keep(self, name: str, files: PartFiles, each: str) -> None:
        """Write a part's files, the one that makes it count last."""
        for number, data in files.each.items():
            self.put(f"each/{number:09d}.{each}", data)
        self.put(f"sums/{name}.npz", files.sums)
        self.put(f"rows/{name}.parquet", files.rows)

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole or not at all: elsewhere in the folder, then renamed."""
        part = self._own() / name.replace("/", "-")
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(self.folder / name)
            finally:
                with suppress(OSError):
                    part.unlink()
                with suppress(OSError):
                    part.parent.rmdir()
        except OSError as error:
            place = str(self.folder / name)
            raise OutputError(
                f"cannot write {place!r}: {error.strerror or error}",
                "give the same command again: it continues where this one ended",
            ) from error

    def clean(self) -> None:
        """Remove what runs that were killed have left."""
        shutil.rmtree(self.folder / UNFINISHED, ignore_errors=True)

    def _own(self) -> Path:
        return self.folder / UNFINISHED / f"{socket.gethostname()}-{os.getpid()}"

    def _forget_unfinished(self) -> None:
        """Remove what processes of this machine have left that are no longer there."""
        host = f"{socket.gethostname()}-"
        for each in (self.folder / UNFINISHED).glob(f"{host}*"):
            process = each.name.removeprefix(host)
            if process.isdecimal() and not _alive(int(process)):
                shutil.rmtree(each, ignore_errors=True)

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {str(folder)!r}: {error.strerror or error}") from error


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _is_part(name: object) -> bool:
    return isinstance(name, str) and name.startswith("part-") and "/" not in name and len(name) < 100


def _json(facts: Mapping[str, Any]) -> bytes:
    return f"{json_text(facts, indent=1)}\n".encode()
