"""Corpus: what was measured of many texts, as the folder of a finished run holds it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from re import sub
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.corpora.measures import MEASURES, columns_of
from attnviz.corpora.merge import Totals, read_totals, summary_rows
from attnviz.corpora.store import Store
from attnviz.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.corpora.summary import Grid


@dataclass(frozen=True, eq=False)
class Corpus:
    """A corpus whose parts are all measured.

    about: the facts of its job, as corpus.json has them. totals: sums over all its texts.
    """

    about: Mapping[str, Any]
    totals: Totals

    @classmethod
    def open(cls, folder: str | PathLike[str]) -> Corpus:
        """Read the folder of a corpus. Raises InputError: it is none, parts are missing, or no text was measured."""
        store = Store(Path(folder))
        about = _checked(store.about(), store.folder)
        totals = read_totals(store)
        if not totals.texts:
            raise InputError(f"no text of {str(store.folder)!r} could be measured", "skipped.jsonl says why")
        corpus = cls(about, totals)
        if any(array.shape[-2:] != corpus.size for array in corpus.means.values()):
            raise InputError(f"the sums in {str(store.folder)!r} are of a model of another size", "run merge again")
        return corpus

    @property
    def size(self) -> tuple[int, int]:
        """(layers, heads)."""
        n_layers, n_heads = self.about["sizes"]
        return n_layers, n_heads

    @cached_property
    def grids(self) -> dict[str, Grid]:
        """The numbers of each text and head that were measured, with the cells in which they are counted."""
        return columns_of(self.about["measures"])

    @cached_property
    def numbers(self) -> dict[str, dict[str, NDArray[Any]]]:
        """For each number its texts, mean, sd, low, quantiles and high over texts, each [layer, head]."""
        if not self.grids:
            return {}
        columns = summary_rows(self.totals, self.grids)
        shape = (len(self.grids), *self.size)
        if len(columns["mean"]) != np.prod(shape):
            raise InputError("the sums are of a model of another size, or of other numbers", "run merge again")
        kept = {name: values.reshape(shape) for name, values in columns.items() if name not in _KEYS}
        return {number: {name: values[i] for name, values in kept.items()} for i, number in enumerate(self.grids)}

    @cached_property
    def means(self) -> dict[str, NDArray[np.float64]]:
        """The mean over texts of each number, [layer, head]."""
        return {name: values["mean"] for name, values in self.numbers.items()}

    def result(self, measure: str) -> Any:
        """The result of a measure's sums, None if it was not asked for."""
        return self.totals.result(measure) if measure in self.totals.states else None

    def reasons(self) -> list[tuple[int, str, str]]:
        """Why texts could not be used: (how many, the reason, where the first of them is), the commonest first.

        Reasons that differ by their numbers alone are one, worded as for the first text.
        """
        alike = Counter(sub(r"[\d,]*\d", "0", str(reason)) for _, _, reason in self.totals.faults)
        first: dict[str, tuple[str, str]] = {}
        for _, where, reason in self.totals.faults:
            first.setdefault(sub(r"[\d,]*\d", "0", str(reason)), (str(reason), str(where)))
        return [(count, *first[key]) for key, count in alike.most_common()]


_KEYS = ("number", "layer", "head")


def _checked(about: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The facts, if this version can read them. Raises InputError."""
    sizes, measures = about.get("sizes"), about.get("measures")
    good = isinstance(sizes, list) and len(sizes) == 2 and all(isinstance(n, int) and 0 < n < 1 << 16 for n in sizes)
    known = isinstance(measures, list) and bool(measures) and all(str(name) in MEASURES for name in measures)
    named = isinstance(about.get("model"), str) and isinstance(about.get("stream"), str)
    if not (good and known and named):
        raise InputError(f"corpus.json in {str(folder)!r} is not of a run of this version", "run the corpus again")
    return about
