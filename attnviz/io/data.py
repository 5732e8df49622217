"""Attention as numbers: .npz (to be read again), JSON, CSV and Parquet.

The long forms (CSV, Parquet and `rows`) have one line a cell: layer, head, query, query_token, key, key_token,
weight. Query and key are counted in the whole text, also where only some tokens were kept. Pairs that the mask
forbids are left out: they have no weight, which is not the same as the weight 0.
Numbers are written with the fewest digits that bring the same float32 back. Equal attention gives equal bytes.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Collection, Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any

import numpy as np

import attnviz
from attnviz.errors import OutputError, one_of
from attnviz.files.output import csv_cell, json_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

FORMAT = 1
COLUMNS = ("layer", "head", "query", "query_token", "key", "key_token", "weight")
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip file can hold: no clock in our files
_AXIS = ("text", "ids", "words", "special", "segments")


def write_npz(
    attention: Attention, file: IO[bytes], *, dtype: str = "float32", made_by: Mapping[str, Any] | None = None
) -> None:
    """weights [layer, head, query, key] as float32 or float16, the mask, both axes' tokens, and meta as JSON text.

    Heads of different layers have their `pairs` too, int [pair, 2] (see `Attention`).
    """
    if dtype not in ("float32", "float16"):
        raise OutputError(one_of("dtype", dtype, ("float32", "float16")))
    arrays: dict[str, NDArray[Any]] = {"weights": attention.weights.astype(dtype, copy=False)}
    if attention.mask is not None:
        arrays["mask"] = attention.mask
    for axis, tokens in (("query", attention.queries), ("key", attention.keys)):
        for name in _AXIS:
            kind = {"text": np.str_, "special": np.bool_}.get(name, np.int64)
            arrays[f"{axis}_{'tokens' if name == 'text' else name}"] = np.array(getattr(tokens, name), kind)
        if tokens.spans:
            arrays[f"{axis}_spans"] = np.array(tokens.spans, np.int64).reshape(len(tokens), 2)
    arrays["layers"] = np.array(attention.layers, np.int64)
    arrays["heads"] = np.array(attention.heads, np.int64)
    if attention.pairs:
        arrays["pairs"] = np.array(attention.pairs, np.int64)
    arrays["meta"] = np.array(json.dumps(_meta(attention, made_by), sort_keys=True, ensure_ascii=False))
    write_arrays(file, arrays, plain=("weights",))  # weights hardly shrink; everything else does


def write_arrays(file: IO[bytes], arrays: Mapping[str, NDArray[Any]], plain: Collection[str] = ()) -> None:
    """Write an .npz of these arrays, the same bytes every time. plain: names of arrays that are not compressed."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _FIRST_DAY)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_STORED if name in plain else zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array, order="C"), allow_pickle=False)


def write_json(attention: Attention, file: IO[bytes], *, made_by: Mapping[str, Any] | None = None) -> None:
    """One object that describes itself: meta, tokens, and weights as nested lists [layer][head][query][key].

    `mask` is nested like the weights' last two axes, one entry per layer or one for all; null where unknown. Heads of
    different layers are one layer's in `weights`; `pairs` has the [layer, head] and `mask` an entry of each.
    """
    head: dict[str, Any] = _meta(attention, made_by)
    head |= {"layers": list(attention.layers), "heads": list(attention.heads)}
    head |= {"pairs": [list(pair) for pair in attention.pairs]} if attention.pairs else {}
    for axis, tokens in (("query", attention.queries), ("key", attention.keys)):
        head |= {f"{axis}_{'tokens' if name == 'text' else name}": list(getattr(tokens, name)) for name in _AXIS}
        if tokens.spans:
            head[f"{axis}_spans"] = [list(span) for span in tokens.spans]
    head["mask"] = None if attention.mask is None else attention.mask.tolist()
    text = json_text(head)
    file.write(_utf8(text[:-1] + ', "weights": ['))
    for i, layer in enumerate(attention.weights):
        file.write(b", [" if i else b"[")
        for j, matrix in enumerate(layer):
            lines = ("[" + ", ".join(row) + "]" for row in _digits(matrix))
            file.write((", [" if j else "[").encode() + ",\n".join(lines).encode() + b"]")
        file.write(b"]")
    file.write(b"]}\n")


def write_csv(attention: Attention, file: IO[bytes], *, made_by: Mapping[str, Any] | None = None) -> None:
    """Long form, UTF-8, comma-separated, with a header line. `made_by` has no place in it."""
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    top, left = _origin(attention)
    queries, keys = ([csv_cell(token) for token in tokens] for tokens in (attention.query_tokens, attention.key_tokens))
    for layer, head, allowed, matrix in _matrices(attention):
        for query, (token, row) in enumerate(zip(queries, _digits(matrix), strict=True)):
            lines.writerows(
                (layer, head, query + top, token, key + left, keys[key], weight)
                for key, weight in enumerate(row)
                if allowed is None or allowed[query, key]
            )
        file.write(_utf8(text.getvalue()))
        text.seek(0)
        text.truncate()


def write_parquet(attention: Attention, file: IO[bytes], *, made_by: Mapping[str, Any] | None = None) -> None:
    """Long form as Parquet, one row group a head; meta under the key `attnviz`. Needs pyarrow, which is optional."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise OutputError("writing .parquet needs pyarrow", "pip install pyarrow, or ask for .csv or .npz") from error
    schema, batches = arrow_batches(attention, pa, made_by)
    with pq.ParquetWriter(file, schema) as writer:
        for batch in batches:
            writer.write_table(pa.Table.from_batches([batch], schema))


def arrow_batches(attention: Attention, pa: Any, made_by: Mapping[str, Any] | None = None) -> tuple[Any, Iterator[Any]]:
    """The long form as an Arrow schema, with meta under the key `attnviz`, and a record batch per map.

    pa: the module pyarrow.
    """
    word = pa.dictionary(pa.int32(), pa.string())
    kinds = (pa.int32(), pa.int32(), pa.int32(), word, pa.int32(), word, pa.float32())
    meta = json.dumps(_meta(attention, made_by), sort_keys=True, ensure_ascii=False)
    schema = pa.schema(zip(COLUMNS, kinds, strict=True), metadata={"attnviz": _utf8(meta)})
    words = dict.fromkeys([*attention.query_tokens, *attention.key_tokens])  # a dictionary has each word once
    names, number = pa.array(list(words), pa.string()), {word: i for i, word in enumerate(words)}
    axes = (attention.query_tokens, attention.key_tokens)
    queries, keys = (np.array([number[word] for word in axis], np.int32) for axis in axes)
    top, left = (np.int32(first) for first in _origin(attention))

    def batches() -> Iterator[Any]:
        for layer, head, allowed, matrix in _matrices(attention):
            query, key = np.nonzero(np.ones(matrix.shape, bool) if allowed is None else allowed)
            query, key = query.astype(np.int32), key.astype(np.int32)
            places = [[index] * len(query) for index in (layer, head)]
            arrays = [pa.array(place, pa.int32()) for place in places] + [pa.array(query + top)]
            arrays += [pa.DictionaryArray.from_arrays(queries[query], names), pa.array(key + left)]
            arrays += [pa.DictionaryArray.from_arrays(keys[key], names), pa.array(matrix[query, key])]
            yield pa.record_batch(arrays, schema=schema)

    return schema, batches()


def rows(attention: Attention) -> Iterator[dict[str, Any]]:
    """The long form as objects, as `--json` prints it."""
    top, left = _origin(attention)
    for layer, head, allowed, matrix in _matrices(attention):
        for query, row in enumerate(_digits(matrix)):
            for key, weight in enumerate(row):
                if allowed is None or allowed[query, key]:
                    tokens = (attention.query_tokens[query], attention.key_tokens[key])
                    values = (layer, head, query + top, tokens[0], key + left, tokens[1], float(weight))
                    yield dict(zip(COLUMNS, values, strict=True))


def _matrices(
    attention: Attention,
) -> Iterator[tuple[int | None, int | None, NDArray[np.bool_] | None, NDArray[np.float32]]]:
    """(layer, head, allowed, matrix) of every map. An averaged axis has no index: None."""
    for (layer, head), (matrix, allowed) in zip(attention.places, attention.maps(), strict=True):
        yield layer, head, allowed, np.asarray(matrix, np.float32)


def _origin(attention: Attention) -> tuple[int, int]:
    """The indices of the first query and key, where earlier ones were cut away."""
    top, left = attention.meta.get("origin", (0, 0))
    return int(top), int(left)


def _meta(attention: Attention, made_by: Mapping[str, Any] | None) -> dict[str, Any]:
    """The facts of the whole as JSON values, and beside them, under their own names, the facts about its making."""
    own = {
        "format": FORMAT,
        "stream": attention.stream,
        "model": attention.model,
        "cell": attention.cell,
        "reduced": attention.reduced,
        "grid": list(attention.grid) if attention.grid else None,
    }
    return {"version": attnviz.__version__, **attention.meta, **(made_by or {}), **own}


def _digits(matrix: NDArray[np.float32]) -> list[list[str]]:
    """The numbers of one map as text: the shortest that read back as the same float32, null for not-a-number."""
    text = matrix.astype(np.str_).tolist()
    if np.isfinite(matrix).all():
        return text
    finite = np.isfinite(matrix).tolist()
    return [[word if ok else "null" for word, ok in zip(*pair, strict=True)] for pair in zip(text, finite, strict=True)]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")
