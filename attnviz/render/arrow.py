"""Rows of a result as Arrow: record batches of some thousand rows, whose types are the same in all of them.

pandas, polars, DuckDB and pyarrow read the stream (the Arrow PyCapsule interface) without a file between.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from attnviz.errors import OutputError
from attnviz.files.output import json_text

if TYPE_CHECKING:
    from attnviz.attention import Attention

AT_ONCE = 8192  # rows of a batch
Rows = Callable[[], Iterable[Mapping[str, Any]]]


def pyarrow_or_error() -> Any:
    """The module pyarrow. Raises OutputError if it is not installed."""
    try:
        import pyarrow
    except ImportError as error:
        raise OutputError("Arrow needs pyarrow", "pip install pyarrow") from error
    return pyarrow


def stream_of_rows(rows: Rows, requested_schema: object = None) -> object:
    """The rows as a capsule of an Arrow stream.

    A first pass over the rows finds a type for every column, a second one fills batches: a column is whole numbers,
    numbers, yes and no, text, or lists. One of numbers and words is text, and one of objects is their JSON.
    Not-a-number is null, as in JSON.

    Args:
        rows: gives the rows from the first on; it is called twice.
        requested_schema: a capsule of the schema that the reader wants, which pyarrow converts to.

    Raises:
        OutputError: pyarrow is not installed.
    """
    pa = pyarrow_or_error()
    kinds: dict[str, Any] = {}
    for row in rows():
        for name, value in row.items():
            kinds[name] = _joined(kinds.get(name), _kind(value))
    schema = pa.schema([(name, _type(pa, kind)) for name, kind in kinds.items()])
    reader = pa.RecordBatchReader.from_batches(schema, _batches(pa, rows(), kinds, schema))
    return reader.__arrow_c_stream__(requested_schema)


def stream_of_attention(attention: Attention, requested_schema: object = None) -> object:
    """The long form of an Attention as a capsule of an Arrow stream, a map at a time. Raises OutputError."""
    from attnviz.io.data import arrow_batches

    pa = pyarrow_or_error()
    reader = pa.RecordBatchReader.from_batches(*arrow_batches(attention, pa))
    return reader.__arrow_c_stream__(requested_schema)


def _batches(pa: Any, rows: Iterable[Mapping[str, Any]], kinds: Mapping[str, Any], schema: Any) -> Iterator[Any]:
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        columns = (
            pa.array([_value(row.get(name), kind) for row in some], type=each.type)
            for (name, kind), each in zip(kinds.items(), schema, strict=True)
        )
        yield pa.record_batch(list(columns), schema=schema)


# A kind is None as long as nothing is known, "bool", "int", "float", "text", "json", or a tuple: the kind of a list's
# items.


def _kind(value: object) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "float" if value is not None else None
    for kind, types in (("bool", bool), ("int", int), ("float", float), ("text", str)):
        if isinstance(value, types):
            return "text" if kind == "int" and not -(2**63) <= value < 2**63 else kind  # type: ignore[operator]
    if isinstance(value, Sequence):
        inside: Any = None
        for item in value:
            inside = _joined(inside, _kind(item))
        return "json" if inside == "json" else (inside,)
    return "json"


def _joined(first: Any, second: Any) -> Any:
    """The kind that holds the values of both."""
    if first == second or second is None:
        return first
    if first is None:
        return second
    if isinstance(first, tuple) and isinstance(second, tuple):
        return (_joined(first[0], second[0]),)
    both = {first, second}
    if both == {"int", "float"}:
        return "float"
    return "json" if "json" in both or any(isinstance(kind, tuple) for kind in both) else "text"


def _type(pa: Any, kind: Any) -> Any:
    if isinstance(kind, tuple):
        return pa.list_(_type(pa, kind[0]))
    plain = {None: pa.null, "bool": pa.bool_, "int": pa.int64, "float": pa.float64}
    return plain.get(kind, pa.string)()


def _value(value: Any, kind: Any) -> Any:
    """A value as its column holds it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(kind, tuple):
        return [_value(item, kind[0]) for item in value]
    if kind == "float":
        return float(value)
    if kind == "json":
        return json_text(value)
    if kind == "text" and not isinstance(value, str):
        return str(value)
    return value
