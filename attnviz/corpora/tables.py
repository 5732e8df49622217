"""Parquet through pyarrow, an extra: columns read row by row, tables written with the same bytes every time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import InputError, OutputError, shown

if TYPE_CHECKING:
    import pyarrow

AT_ONCE = 1024  # rows that are read at once


def arrow() -> Any:
    """The module pyarrow. Raises OutputError if it is not installed."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise OutputError(
            "a corpus is written as Parquet, which needs pyarrow", 'pip install "attnviz[corpus]"'
        ) from error
    return pyarrow


def parquet_column(place: Path, name: str, field: str) -> Iterator[object]:
    """The values of a column of strings, some rows at a time. Raises InputError."""
    pa = arrow()
    try:
        with pa.parquet.ParquetFile(place) as file:
            if field not in file.schema_arrow.names:
                raise no_column(name, field, file.schema_arrow.names)
            for batch in file.iter_batches(AT_ONCE, columns=[field], use_threads=False):
                yield from batch.column(0).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} is no Parquet file that can be read: {error}") from None


def written(table: pyarrow.Table, about: Mapping[str, str]) -> bytes:
    """The bytes of a Parquet file of one row group. about: facts for its schema."""
    pa = arrow()
    table = table.replace_schema_metadata(dict(about))
    sink = pa.BufferOutputStream()
    words = [each.name for each in table.schema if pa.types.is_string(each.type)]
    pa.parquet.write_table(
        table, sink, compression="zstd", use_dictionary=words, row_group_size=max(len(table), 1), write_statistics=True
    )
    return sink.getvalue().to_pybytes()


def no_column(name: str, wanted: str, columns: Sequence[str]) -> InputError:
    """The error for a table without the column of texts."""
    some = ", ".join(map(shown, columns[:8])) + (", ..." if len(columns) > 8 else "")
    return InputError(f"{name} has no column {shown(wanted)}; it has {some or 'none'}", "name another: --field NAME")
