"""Kept: a folder with the numbers of checkpoints that were measured, each under a fingerprint of all that they rest on.

A file is written whole or not at all. One that is damaged, or of another layout, counts as not there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz import __version__
from attnviz.corpora.job import contents_of, contents_of_files
from attnviz.corpora.series import Numbers
from attnviz.corpora.summary import arrays_of, state_of
from attnviz.errors import AttnvizError, OutputError
from attnviz.files.output import writing
from attnviz.io.arrays import archive
from attnviz.io.data import write_arrays
from attnviz.measures.distance import ReferenceSums
from attnviz.measures.roles import ROLES, RoleSums
from attnviz.measures.statistics import COUNTS, STATISTICS, StatisticSums

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.models.model import Model

LAYOUT = 1  # of the files: raise it when they change
_COUNTS = ("texts", "longest", "tokens", "ordered")
BESIDE = {".json", ".txt", ".model", ".jinja", ".vocab"}  # configuration and tokenizer


def fingerprint(model: Model, place: Path) -> str:
    """16 hex digits over the files of a checkpoint; of a weight file, over it and the configuration beside it.

    '' for a model that has no files. Large files are sampled, and two checkpoints of a run may agree in the samples:
    the times of all changes are hashed too.
    """
    folder, checkpoint = model.folder, model.checkpoint
    if checkpoint is None:
        return ""
    if place.is_dir() or folder is None:
        contents = contents_of(model)
    else:
        beside = sorted(each for each in folder.iterdir() if each.is_file() and each.suffix in BESIDE)
        contents = contents_of_files([place, *beside])
    files = place.iterdir() if place.is_dir() else [place]
    times = sorted((each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in files)
    meta = [model.meta.get(name) for name in ("digest", "adapter_digest", "mechanism")]
    return hashlib.sha256(json.dumps([contents, times, meta]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Kept:
    """The folder. reading: the digest of what the checkpoints read (`Reading.digest`)."""

    folder: Path
    reading: str

    def open(self) -> None:
        """Make the folder. Raises OutputError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {str(self.folder)!r}: {error.strerror or error}") from error

    def numbers(self, contents: str, size: tuple[int, int]) -> Numbers | None:
        """The numbers of a checkpoint of that size; None if they are not there."""
        arrays = self._read(self._place("numbers", contents))
        try:
            statistics = state_of(StatisticSums, "statistics", arrays)
            roles = state_of(RoleSums, "roles", arrays)
            shapes = [(len(STATISTICS), *size), (len(COUNTS), *size), *[(len(ROLES), *size)] * 3]
            sums = [getattr(state, each.name) for state in (statistics, roles) for each in fields(state)]
            if [each.shape for each in sums] != shapes or not all(np.isfinite(each).all() for each in sums):
                return None
            counts = [int(arrays[name]) for name in _COUNTS]
            texts, longest, tokens, ordered = counts
            return Numbers(statistics, roles, texts, longest, tokens, bool(ordered), str(arrays["split"]))
        except (KeyError, ValueError, TypeError):
            return None

    def keep_numbers(self, contents: str, numbers: Numbers) -> None:
        """Write the numbers of a checkpoint. Raises OutputError."""
        arrays = arrays_of(numbers.statistics, "statistics") | arrays_of(numbers.roles, "roles")
        arrays |= {name: np.array(int(getattr(numbers, name))) for name in _COUNTS}
        self._write(self._place("numbers", contents), arrays | {"split": np.array(numbers.split)})

    def distances(self, contents: str, reference: str, size: tuple[int, int]) -> ReferenceSums | None:
        """The distances of a checkpoint from another; None if they are not there."""
        arrays = self._read(self._place("distances", contents, reference))
        try:
            sums = ReferenceSums(np.asarray(arrays["distances.divergences"]), int(arrays["distances.rows"]))
        except (KeyError, ValueError, TypeError):
            return None
        return sums if sums.divergences.shape == size and bool(np.isfinite(sums.divergences).all()) else None

    def keep_distances(self, contents: str, reference: str, sums: ReferenceSums) -> None:
        """Write the distances of a checkpoint from another. Raises OutputError."""
        self._write(self._place("distances", contents, reference), arrays_of(sums, "distances"))

    def _place(self, what: str, *contents: str) -> Path:
        names = [each.name for each in STATISTICS], [role.name for role in ROLES]
        about = json.dumps([__version__, LAYOUT, what, self.reading, *names, *contents])
        return self.folder / f"{what}-{hashlib.sha256(about.encode()).hexdigest()[:16]}.npz"

    def _read(self, place: Path) -> dict[str, NDArray[Any]]:
        """The arrays of a file; none of one that is not there or cannot be read."""
        if not place.is_file():
            return {}
        try:
            with archive(place) as members:
                return {name: member.read() for name, member in members.items()}
        except (AttnvizError, OSError, ValueError):
            return {}

    def _write(self, place: Path, arrays: dict[str, NDArray[Any]]) -> None:
        with writing(place) as file:
            write_arrays(file, arrays)
