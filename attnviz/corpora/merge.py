"""The sums of all parts -> the totals of the corpus: summaries of each head, links, texts that could not be used.

Sums merge two by two, neighbours first, in a tree whose shape depends on the number of parts alone: the same parts give
the same bytes, in whatever order they were finished. Memory holds one state for each level of the tree.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from attnviz.corpora.measures import MEASURES, columns_of
from attnviz.corpora.summary import Grid, Summary, arrays_of, state_of
from attnviz.corpora.tables import arrow, written
from attnviz.errors import InputError
from attnviz.files.output import json_text
from attnviz.files.untrusted import open_file, parse, read_object
from attnviz.io.arrays import archive
from attnviz.io.data import write_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from attnviz.corpora.links import TopLinks
    from attnviz.corpora.store import Store

T = TypeVar("T")
MAX_TOTALS = 1 << 20  # bytes of totals.json, and of a line of skipped.jsonl
QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}


@dataclass(frozen=True, eq=False)
class Totals:
    """Sums over some texts: states by measure, the summary of their numbers, and how many they are.

    faults: (number, where, reason) of the texts that could not be used.
    """

    texts: int
    tokens: int
    states: Mapping[str, Any]
    faults: list[list[Any]]

    def merge(self, other: Totals) -> Totals:
        """The totals of both sets of texts."""
        states = dict(self.states)
        for name, state in other.states.items():
            states[name] = states[name].merge(state) if name in states else state
        return Totals(self.texts + other.texts, self.tokens + other.tokens, states, self.faults + other.faults)

    def result(self, measure: str) -> Any:
        """The numbers that follow from a measure's sums."""
        return self.states[measure].result()


def merged(values: Iterable[T], merge: Callable[[T, T], T]) -> T | None:
    """Neighbours two by two, then pairs of pairs, and so on; None of nothing."""
    levels: list[T | None] = []
    for value in values:
        one: T = value
        for i, waiting in enumerate(levels):
            if waiting is None:
                levels[i] = one
                break
            one, levels[i] = merge(waiting, one), None
        else:
            levels.append(one)
            continue
    total: T | None = None
    for waiting in levels:
        if waiting is not None:
            total = waiting if total is None else merge(waiting, total)
    return total


def totals_of(store: Store) -> Totals:
    """The totals of all parts. Raises InputError if some are missing."""
    about = store.about()
    names, texts = _all_done(store)
    totals = merged((_read(store.sums(name), about["measures"]) for name in names), Totals.merge)
    if totals is None or totals.texts + len(totals.faults) != texts:
        raise InputError(f"the parts in {str(store.folder)!r} have another number of texts than its plan")
    return totals


def _all_done(store: Store) -> tuple[list[str], int]:
    """The names of all parts, and the number of texts. Raises InputError if a part is missing."""
    names, texts = store.planned()
    missing = [name for name in names if not store.has(name)]
    if missing:
        some = ", ".join(str(int(name[5:11])) for name in missing[:8]) + (", ..." if len(missing) > 8 else "")
        raise InputError(
            f"{len(missing)} of {len(names)} parts are missing: {some}",
            "run the corpus again: only these will be measured",
        )
    return names, texts


def read_totals(store: Store) -> Totals:
    """The totals of all parts: out of sums.npz if it is of these parts, else as `totals_of` sums them up.

    Raises InputError if parts are missing.
    """
    names, texts = _all_done(store)
    written_of = store.folder / "totals.json"
    if written_of.is_file():
        counts = read_object(written_of, MAX_TOTALS, InputError, "the totals of a corpus")
        if counts.get("parts") == _digest(names):
            faults = _read_faults(store.folder / "skipped.jsonl")
            totals = (
                _read(store.folder / "sums.npz", store.about()["measures"], faults) if counts.get("texts") else None
            )
            if totals is not None and totals.texts + len(totals.faults) == texts:
                return totals
    return totals_of(store)


def _digest(names: Iterable[str]) -> str:
    """16 hex digits over the names of parts, which say what is in them."""
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]


def _read_faults(place: Path) -> list[list[Any]]:
    """The texts that could not be used, as `write_totals` has listed them."""
    with open_file(place) as file:
        lines = iter(lambda: file.readline(MAX_TOTALS), b"")
        rows = [parse(line, f"a line of {place.name}", InputError) for line in lines]
    return [[row.get("text"), row.get("where"), row.get("reason")] for row in rows if isinstance(row, dict)]


def _read(place: Path, measures: Iterable[str], faults: list[list[Any]] | None = None) -> Totals:
    """The totals in a file of sums. faults: if they are elsewhere. Raises InputError."""
    try:
        with archive(place) as members:
            arrays = {name: member.read() for name, member in members.items()}
    except InputError as error:
        raise InputError(
            str(error), f"remove {place.name} and run the corpus again: it measures that part again"
        ) from None
    try:
        if faults is None:
            faults = json.loads(str(arrays["faults"]))
        states = {}
        if int(arrays["texts"]):
            states = {name: state_of(MEASURES[name].state, name, arrays) for name in measures}
            if "summary.count" in arrays:
                states["summary"] = state_of(Summary, "summary", arrays)
        return Totals(int(arrays["texts"]), int(arrays["tokens"]), states, faults)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{place.name} is no file of a part's sums: {error!r}", "remove it and its rows, and run again"
        ) from None


def write_totals(store: Store) -> Totals:
    """Write the totals of a corpus into its folder."""
    totals, about = totals_of(store), store.about()
    grids = columns_of(about["measures"])
    store.put("skipped.jsonl", b"".join(_fault(*fault) for fault in totals.faults))
    if totals.texts:
        store.put("sums.npz", _npz(totals))
        store.put("summary.parquet", _summary_table(totals, grids, about))
        if "links" in totals.states:
            store.put("links.parquet", _link_table(totals.states["links"], about))
        if "similar" in totals.states:
            store.put("distances.parquet", _distance_table(totals.result("similar"), about))
    counts = {"texts": totals.texts, "tokens": totals.tokens, "skipped": len(totals.faults)}
    facts = {**counts, "fingerprint": about["fingerprint"], "parts": _digest(store.planned()[0])}
    store.put("totals.json", f"{json_text(facts, indent=1)}\n".encode())
    store.clean()
    return totals


def _fault(number: int, where: str, reason: str) -> bytes:
    return f"{json_text({'text': number, 'where': where, 'reason': reason})}\n".encode()


def _npz(totals: Totals) -> bytes:
    arrays: dict[str, Any] = {"texts": np.array(totals.texts), "tokens": np.array(totals.tokens)}
    for name, state in totals.states.items():
        arrays |= arrays_of(state, name)
    file = io.BytesIO()
    write_arrays(file, arrays)
    return file.getvalue()


def summary_rows(totals: Totals, grids: Mapping[str, Grid]) -> dict[str, Any]:
    """Columns: layer, head, number, texts, mean, sd, low, quantiles, high: a row for each number of each head."""
    summary: Summary = totals.states["summary"]
    n_numbers, n_layers, n_heads = summary.count.shape
    some = summary.count > 0
    columns: dict[str, Any] = {
        "number": np.repeat(list(grids), n_layers * n_heads),
        "layer": np.tile(np.repeat(np.arange(n_layers), n_heads), n_numbers),
        "head": np.tile(np.arange(n_heads), n_numbers * n_layers),
        "texts": summary.count,
        "mean": np.where(some, summary.mean, np.nan),
        "sd": summary.deviation(),
        "low": np.where(some, summary.low, np.nan),
        **{name: summary.quantile(share, list(grids.values())) for name, share in QUANTILES.items()},
        "high": np.where(some, summary.high, np.nan),
    }
    return {name: np.asarray(values).reshape(-1) for name, values in columns.items()}


def summary_records(totals: Totals, grids: Mapping[str, Grid]) -> Iterator[dict[str, Any]]:
    """The rows of `summary_rows` one by one, None for what is not known."""
    if not totals.texts or not grids:
        return
    columns = summary_rows(totals, grids)
    for values in zip(*(column.tolist() for column in columns.values()), strict=True):
        yield {name: None if value != value else value for name, value in zip(columns, values, strict=True)}


def _summary_table(totals: Totals, grids: Mapping[str, Grid], about: Mapping[str, Any]) -> bytes:
    pa = arrow()
    columns = summary_rows(totals, grids) if grids else {}
    table = pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
    return written(table, {"attnviz": json.dumps(about, sort_keys=True)})


def _distance_table(distances: NDArray[np.float64], about: Mapping[str, Any]) -> bytes:
    """A row for every two heads: layer, head, other_layer, other_head, distance."""
    pa = arrow()
    one, other = np.triu_indices(len(distances), 1)
    n_heads = about["sizes"][1]
    columns = dict(zip(("layer", "head"), np.divmod(one, n_heads), strict=True))
    columns |= dict(zip(("other_layer", "other_head"), np.divmod(other, n_heads), strict=True))
    columns["distance"] = distances[one, other]
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    return written(table, {"attnviz": json.dumps(about, sort_keys=True)})


def _link_table(links: TopLinks, about: Mapping[str, Any]) -> bytes:
    """A row for each link: layer, head, rank, text, lift, weight, query, key and their tokens."""
    pa = arrow()
    layer, head, rank = np.indices(links.text.shape)
    there = links.text >= 0
    arrays = {"layer": layer, "head": head, "rank": rank, **vars(links)}
    table = pa.table({name: pa.array(values[there]) for name, values in arrays.items()})
    return written(table, {"attnviz": json.dumps(about, sort_keys=True)})
