"""Tables, sentences, facts and tensors as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.measures.tensors import histogram
from attnviz.page.pooled import strongest
from attnviz.render.html.parts.values import cell, cell_of_text, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from attnviz.page.parts import Facts, Listing, Rows, Sentence, Table, TensorTable, TensorValues, TokenTable
    from attnviz.render.html.blocks import Blocks

MOST = 512  # cells a side of a tensor's map; beyond, cells are pooled
BINS = 40


def table(part: Table, _: Blocks) -> dict[str, Any]:
    """Rows of short texts; a column whose texts are all numbers becomes numbers, for sorting."""
    columns = []
    for name, side, column in zip(part.header, part.align, zip(*part.rows, strict=True), strict=True):
        cells = [cell_of_text(text) for text in column]
        named = side == "l" or "layer.head" in name or any(isinstance(each, str) and each for each in cells)
        columns.append([each if isinstance(each, str) else number(each) for each in column] if named else cells)
    return _table(part.header, [list(row) for row in zip(*columns, strict=True)], part.align)


def rows(part: Rows, _: Blocks) -> dict[str, Any]:
    """All numbers of a result, or the first of them."""
    names = list(dict.fromkeys(name for row in part.rows for name in row))
    cells = [[cell(row.get(name)) for name in names] for row in part.rows]
    caption = f"All numbers · {part.total:,} row{'s' if part.total != 1 else ''}"
    if part.total > len(cells):
        some = "more than " if part.more else ""
        caption = f"The first {len(cells):,} of {some}{part.total:,} rows; .json and .csv have all"
    return {**_table(names, cells, _sides(cells)), "caption": caption, "folded": part.folded}


def token_table(part: TokenTable, _: Blocks) -> dict[str, Any]:
    """The tokens of a text."""
    tokens = part.tokens
    spans = tokens.spans or ((None, None),) * len(tokens)
    header = ["index", "token", "id", "start", "end", "word", "special"]
    cells = [
        [i, token, id if id >= 0 else None, *span, word if word >= 0 else None, "special" if special else ""]
        for i, (token, id, span, word, special) in enumerate(
            zip(tokens.text, tokens.ids, spans, tokens.words, tokens.special, strict=True)
        )
    ]
    if any(tokens.segments):
        header.append("text")
        cells = [[*row, segment] for row, segment in zip(cells, tokens.segments, strict=True)]
    return _table(header, cells, "rlrrrrlr"[: len(header)])


def tensor_table(part: TensorTable, _: Blocks) -> dict[str, Any]:
    """The tensors of a model with their statistics."""
    statistics = ("mean", "std", "min", "max")
    cells = [
        [each.stored, each.ours, " x ".join(map(str, each.shape)), each.dtype]
        + [number(getattr(each, name)) for name in statistics]
        + [each.nbytes or None]
        for each in part.tensors
    ]
    size = sum(math.prod(each.shape) for each in part.tensors)
    caption = f"{len(cells):,} tensor{'s' if len(cells) != 1 else ''}, {size:,} numbers"
    header = ["stored", "ours", "shape", "dtype", *statistics, "bytes"]
    return {**_table(header, cells, "llllrrrrr"), "caption": caption}


def tensor_values(part: TensorValues, blocks: Blocks) -> list[dict[str, Any]]:
    """One tensor: its names, a map and a histogram."""
    values = np.asarray(part.values)
    pairs = [("stored", part.stored), ("ours", part.ours or "none"), ("dtype", part.dtype)]
    pairs.append(("shape", " x ".join(map(str, values.shape)) or "one number"))
    shown, pooled = _flat(values)
    counts = histogram(values, BINS)
    bars = [
        {"from": number(low), "to": number(high), "count": int(count)}
        for low, high, count in zip(counts.edges, counts.edges[1:], counts.counts, strict=False)
    ]
    finite = np.abs(shown[np.isfinite(shown)])
    matrix: dict[str, Any] = {
        "kind": "Matrix",
        "name": part.stored,
        "shape": " x ".join(map(str, values.shape)),
        "values": blocks.numbers(shown),
        "hidden": None,
        "rows": [],
        "cols": [],
        "chosen": None,
        "signed": True,
        "high": number(finite.max(initial=0.0)) or 1.0,
        "remark": f"a cell is the number furthest from 0 of {pooled} x {pooled}" if pooled > 1 else "",
    }
    maps = [matrix] if shown.size else []
    return [{"kind": "Facts", "pairs": pairs}, *maps, {"kind": "Histogram", "label": "numbers", "bars": bars}]


def sentence(part: Sentence, _: Blocks) -> dict[str, Any]:
    """A line of words."""
    return {"kind": "Sentence", "text": part.text, "lead": part.lead}


def facts(part: Facts, _: Blocks) -> dict[str, Any]:
    """Names and values."""
    return {"kind": "Facts", "pairs": [list(pair) for pair in part.pairs]}


def listing(part: Listing, _: Blocks) -> dict[str, Any]:
    """Rows of short words, each with a sentence."""
    rows = [{"words": list(words), "text": text} for words, text in part.rows]
    return {"kind": "Listing", "header": list(part.header), "rows": rows}


def _table(header: Iterable[str], rows: Sequence[Sequence[Any]], align: str) -> dict[str, Any]:
    return {"kind": "Table", "caption": "", "header": list(header), "align": align, "rows": rows, "folded": False}


def _sides(rows: Sequence[Sequence[Any]]) -> str:
    """`r` for a column of numbers alone, `l` for one with texts."""
    return "".join("l" if any(isinstance(each, str) for each in column) else "r" for column in zip(*rows, strict=True))


def _flat(values: NDArray[Any]) -> tuple[NDArray[np.float32], int]:
    """A tensor as one matrix of at most MOST x MOST cells, and how many numbers a side each stands for."""
    rows = values.shape[0] if values.ndim > 1 else 1
    flat = np.asarray(values.reshape(rows, values.size // max(rows, 1)), np.float32)
    pooled = max(-(-max(flat.shape, default=1) // MOST), 1)
    return (strongest(flat, pooled) if pooled > 1 else flat), pooled
