"""A part of a corpus -> the contents of its files: numbers of every text and head, and sums over the part."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.corpora.measures import MEASURES, columns_of
from attnviz.corpora.summary import Summary, arrays_of
from attnviz.corpora.tables import arrow, written
from attnviz.corpora.texts import Text
from attnviz.engine.texts import WHOLE_LAYER
from attnviz.engine.threads import one_thread
from attnviz.errors import AttnvizWarning, InputError
from attnviz.io.data import write_arrays
from attnviz.models.source import AttentionSource, ModelTiles, Narrowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.corpora.job import Job, Part
    from attnviz.models.inputs import ModelInput


@dataclass(frozen=True, eq=False)
class PartFiles:
    """The contents of a part's files.

    rows: a Parquet file, a row for each text, layer and head. sums: an .npz of the sums that merge. each: a file of
    each text by its number, on request. texts, tokens: how many were measured; skipped: how many could not be.
    """

    rows: bytes
    sums: bytes
    each: dict[int, bytes]
    texts: int
    tokens: int
    skipped: int


def work(job: Job, part: Part) -> PartFiles:
    """Measure the texts of a part, on one thread: the same texts give the same bytes.

    Raises CheckpointError if the model's own files are at fault; a text that cannot be used is noted instead.
    """
    found = _Found(job, part)
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", AttnvizWarning)
        for batch in _batches(found.prepared(), job):
            found.add(batch)
    return found.files()


@dataclass(frozen=True, eq=False)
class _Ready:
    """A text that the model can read: its place in the part, its input and its source."""

    at: int
    text: Text
    input: ModelInput
    source: AttentionSource


def _batches(ready: Sequence[_Ready], job: Job) -> Iterator[list[_Ready]]:
    """Texts of one length, the shortest first, as many as the engine takes at once."""
    by_length: dict[int, list[_Ready]] = {}
    for each in ready:
        by_length.setdefault(len(each.input.keys), []).append(each)
    n_heads = job.model.size(job.stream)[1]
    for length in sorted(by_length):
        most = max(1, WHOLE_LAYER // (n_heads * length * length))
        texts = by_length[length]
        yield from (texts[i : i + most] for i in range(0, len(texts), most))


class _Found:
    """The numbers of a part, text by text."""

    def __init__(self, job: Job, part: Part) -> None:
        self.job, self.part = job, part
        self.grids = columns_of(job.measures)
        self.faults = {at: text.fault for at, text in enumerate(part.texts) if text.fault}
        self.lengths: dict[int, int] = {}
        self.values: dict[int, NDArray[np.float64]] = {}
        self.states: dict[str, Any] = {}
        self.each: dict[int, bytes] = {}

    def prepared(self) -> list[_Ready]:
        """The texts that can be read; every other text has a fault."""
        ready = []
        for at, text in enumerate(self.part.texts):
            if text.fault:
                continue
            try:
                model_input = self.job.model.prepare(text.text, stream=self.job.stream)
                source = AttentionSource.of(self.job.model, model_input, special=not self.job.no_special)
                ready.append(_Ready(at, text, model_input, source))
            except InputError as error:
                self.faults[at] = str(error)
        return ready

    def add(self, batch: list[_Ready]) -> None:
        """Measure texts of one length together; one by one if one of them cannot be measured."""
        try:
            self._measure(batch)
        except InputError as error:
            if len(batch) == 1:
                self.faults[batch[0].at] = str(error)
            else:
                for each in batch:
                    self.add([each])

    def _measure(self, batch: list[_Ready]) -> None:
        measures = {name: MEASURES[name] for name in self.job.measures}
        by_text = [
            {
                name: measure.collector(each.source, each.text.number, self.job.links, self.states.get(name))
                for name, measure in measures.items()
            }
            for each in batch
        ]
        narrowed = [
            [_narrowed(each.source, one) for one in mine.values()] for each, mine in zip(batch, by_text, strict=True)
        ]
        self.job.model.observe_texts([each.input for each in batch], narrowed, exact=False)
        files = {each.text.number: _file_of(each, self.job) for each in batch} if self.job.each else {}
        for each, mine in zip(batch, by_text, strict=True):
            values: dict[str, Any] = {}
            for name, measure in measures.items():
                values |= measure.values(each.source, mine[name])
            self.values[each.at] = np.stack([values[name] for name in self.grids]) if self.grids else np.empty(0)
            self.lengths[each.at] = len(each.source.queries)
        for name, measure in measures.items():
            sums = measure.sums([mine[name] for mine in by_text])
            self.states[name] = sums if name not in self.states else self.states[name].merge(sums)
        self.each |= files

    def files(self) -> PartFiles:
        tokens, skipped = sum(self.lengths.values()), len(self.faults)
        return PartFiles(self._rows(), self._sums(), self.each, len(self.lengths), tokens, skipped)

    def _rows(self) -> bytes:
        """A row for each text, layer and head, texts in order."""
        pa = arrow()
        n_layers, n_heads = self.job.model.size(self.job.stream)
        at = sorted(self.lengths)
        heads = n_layers * n_heads
        texts = [self.part.texts[i] for i in at]
        layer, head = np.divmod(np.arange(heads), n_heads)
        columns: dict[str, Any] = {
            "text": pa.array(np.repeat([text.number for text in texts], heads), pa.int64()),
            "where": pa.array(np.repeat(np.array([text.where for text in texts], object), heads), pa.string()),
            "tokens": pa.array(np.repeat([self.lengths[i] for i in at], heads), pa.int32()),
            "layer": pa.array(np.tile(layer, len(at)), pa.int16()),
            "head": pa.array(np.tile(head, len(at)), pa.int16()),
        }
        table = np.stack([self.values[i] for i in at]).astype(np.float32) if at else np.empty((0, len(self.grids)))
        for i, name in enumerate(self.grids):
            columns[name] = pa.array(table[:, i].reshape(-1), pa.float32(), from_pandas=True)
        return written(pa.table(columns), {"attnviz": json.dumps(self.job.about, sort_keys=True)})

    def _sums(self) -> bytes:
        """The states of all measures, the summary of the texts' numbers, and the texts that could not be used."""
        faults = [
            [text.number, text.where, self.faults[i]] for i, text in enumerate(self.part.texts) if i in self.faults
        ]
        arrays = {"faults": np.array(json.dumps(faults)), "texts": np.array(len(self.lengths))}
        arrays["tokens"] = np.array(sum(self.lengths.values()))
        for name, state in self.states.items():
            arrays |= arrays_of(state, name)
        if self.grids and self.lengths:
            summary = Summary.of([self.values[i] for i in sorted(self.values)], list(self.grids.values()))
            arrays |= arrays_of(summary, "summary")
        file = io.BytesIO()
        write_arrays(file, arrays)
        return file.getvalue()


def _narrowed(source: AttentionSource, collector: Any) -> Narrowed:
    tiles = source.tiles
    assert isinstance(tiles, ModelTiles)
    return Narrowed(collector, tiles.layers, tiles.queries, tiles.keys)


def _file_of(each: _Ready, job: Job) -> bytes:
    """One text's attention as a picture or an .npz."""
    from attnviz.attention import joined

    attention = joined(job.model.attend(each.text.text, stream=job.stream), False, not job.no_special)
    with TemporaryDirectory() as folder:
        place = Path(folder) / f"text.{job.each}"
        attention.save(place)
        return place.read_bytes()
