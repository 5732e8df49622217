"""Facts about a model, a list of its tensors, and one of its tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from attnviz.render.terminal_cells import bar, legend
from attnviz.render.terminal_columns import columns
from attnviz.render.terminal_maps import print_compact, remarks
from attnviz.render.terminal_screen import Screen, cells, clean, fit
from attnviz.render.terminal_table import plan, print_tables

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.measures.tensors import Histogram, TensorRow
    from attnviz.page.figure import Figure
    from attnviz.page.parts import Facts, TensorTable, TensorValues

STATISTICS = ("mean", "std", "min", "max")
GAP = 2
LONGEST_BAR = 40
MOST_NUMBERS = 16  # a matrix with more rows or columns is drawn without its numbers


def print_facts(facts: Facts, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print (name, value) pairs, one per line. In a pipe `name  value`, names padded to one width."""
    from rich.table import Table
    from rich.text import Text

    screen = Screen.of(out, width)
    if screen.plain:
        screen.print(*_plain_pairs(facts.pairs))
        return
    table = Table(box=None, show_header=False, padding=(0, GAP, 0, 0), pad_edge=False)
    table.add_column(style="dim", no_wrap=screen.width >= 40)
    table.add_column(overflow="fold")
    for key, value in facts.pairs:
        table.add_row(Text(clean(key)), Text(clean(value)))
    if facts.pairs:
        screen.console.print(table, width=screen.width)


def _plain_pairs(pairs: Sequence[tuple[str, str]]) -> list[str]:
    shown = [(clean(key), " ".join(clean(value).split())) for key, value in pairs]
    key_width = max((cells(key) for key, _ in shown), default=0)
    return [f"{fit(key, key_width)}  {value}".rstrip() for key, value in shown]


def print_tensors(table: TensorTable, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print a row per tensor and their total, below an empty line.

    In a pipe: columns under the header `stored ours shape dtype mean std min max`, `-` for what is unknown; an empty
    line; `total` with the numbers of tensors, of values and of bytes.

    out, width: as for `attnviz.render.terminal.print_maps`.
    """
    screen, tensors = Screen.of(out, width), table.tensors
    count, size, n_bytes = _total(tensors)
    if screen.plain:
        rows = [(row.stored, row.ours or "-", _shape(row.shape, "x"), row.dtype, *_statistics(row)) for row in tensors]
        header = ("stored", "ours", "shape", "dtype", *STATISTICS)
        screen.print("", *columns(rows, header, "llllrrrr"), "", f"total  {count}  {size}  {n_bytes}")
        return
    screen.print("")
    _print_tensors(tensors, screen)
    words = [f"{count:,} tensor{'s' if count != 1 else ''}", f"{size:,} numbers"]
    words += [_bytes(n_bytes)] if n_bytes else []
    screen.print("")
    screen.print_items(words, " · " if screen.blocks else "; ", "bold")


def print_tensor(tensor: TensorValues, out: Console | IO[str] | None = None, *, width: int | None = None) -> None:
    """Print one tensor: statistics, a map of signed colours pooled to the window, a histogram.

    In a pipe: `key  value` lines (stored, ours, shape, dtype, mean, std, min, max, zeros, nan, infinite), an empty
    line, and the histogram under the header `from to count`; the map is left out.
    """
    from attnviz.measures.tensors import histogram, numbers
    from attnviz.page.tensor import tensor_map

    screen = Screen.of(out, width)
    stored, values = tensor.stored, tensor.values
    ours = tensor.ours if tensor.ours != stored else ""
    own, counted = numbers(values), histogram(values)
    statistics = [(key, _number(getattr(own, key))) for key in STATISTICS]
    odd = [(key, getattr(own, key)) for key in ("zeros", "nan", "infinite")]
    if screen.plain:
        facts = [("stored", stored), ("ours", ours), ("shape", _shape(values.shape, "x")), ("dtype", tensor.dtype)]
        counts = [(key, str(count)) for key, count in odd]
        screen.print(*_plain_pairs([(key, text) for key, text in [*facts, *statistics, *counts] if text]), "")
        rows = [(_number(low), _number(high), count) for low, high, count in _bins(counted)]
        screen.print(*columns(rows, ("from", "to", "count"), "rrr"))
        return
    screen.print_wrapped(clean(stored), "bold")
    screen.print_wrapped(clean(ours), "dim")
    screen.print_wrapped(f"{_shape(values.shape, ' x ')}  {tensor.dtype}")
    items = [f"{key} {text}" for key, text in statistics if text != "-"]
    items += [f"{'NaN' if key == 'nan' else key} {count:,}" for key, count in odd if count]
    screen.print_items(items)
    _print_map(tensor_map(stored, values), screen)
    _print_histogram(counted, screen)


def _print_map(picture: Figure, screen: Screen) -> None:
    """Numbers on their colours if the matrix is small, else a map of cells."""
    if not picture.panels:
        return
    panel = picture.panels[0]
    how = plan(panel, screen.width, 2) if max(panel.values.shape) <= MOST_NUMBERS else None
    if how is not None:
        print_tables([panel], [how], picture.scale, screen, named=False)
    else:
        print_compact(picture, screen)
    marks = legend(picture.scale, screen, "not finite" if panel.hidden is not None else "", how is not None)
    notes = [*(remarks(picture, screen) if how is None else []), *picture.notes]
    if marks or notes:
        screen.print("", *marks)
    screen.print_notes(notes)


def _print_tensors(tensors: Sequence[TensorRow], screen: Screen) -> None:
    """All in one line where the window is wide enough; else our name below the stored one; else the numbers too."""
    named = any(row.ours and row.ours != row.stored for row in tensors)
    facts = [[_shape(row.shape, " x "), row.dtype, *_statistics(row)] for row in tensors]
    header = ["shape", "dtype", *STATISTICS]
    widths = [max(map(len, column)) for column in zip(header, *facts, strict=True)]
    stored = max((cells(clean(row.stored)) for row in tensors), default=6)
    ours = max((cells(clean(row.ours)) for row in tensors), default=0) if named else 0
    rest = sum(widths) + GAP * len(widths)
    one_line = stored + (ours + GAP if named else 0) + rest <= screen.width
    beside = one_line or max(stored, ours + GAP) + rest <= screen.width
    name_width = stored if one_line else max(stored, ours + GAP if named else 0)
    gap = " " * GAP

    def line(values: Sequence[str], names: str) -> str:
        shape, dtype, *statistics = (
            fit(text, w, "left" if i < 2 else "right") for i, (text, w) in enumerate(zip(values, widths, strict=True))
        )
        return f"{names}{gap.join([shape, dtype, *statistics])}".rstrip()

    if beside:
        names = fit("stored", name_width) + gap + (fit("ours", ours) + gap if one_line and named else "")
        screen.print(_styled(line(header, names), "bold"))
    waiting: list[str] = []  # lines without a style: much faster when they are printed together
    for row, values in zip(tensors, facts, strict=True):
        own = clean(row.ours) if row.ours != row.stored else ""
        if beside:
            names = fit(clean(row.stored), name_width) + gap + (fit(own, ours) + gap if one_line and named else "")
            waiting.append(line(values, names))
            if one_line or not own:
                continue
        screen.print(*waiting)
        waiting.clear()
        if not beside:
            screen.print_wrapped(clean(row.stored))
        if own and not one_line:
            screen.print_items([own], style="dim", indent=GAP)
        if not beside:
            screen.print_items(values[:2], indent=GAP)
            items = [f"{key} {value}" for key, value in zip(STATISTICS, values[2:], strict=True) if value != "-"]
            screen.print_items(items, indent=GAP)
    screen.print(*waiting)


def _styled(text: str, style: str) -> Any:
    from rich.text import Text

    return Text(text, style)


def _print_histogram(counted: Histogram, screen: Screen) -> None:
    bins = _bins(counted)
    if not bins:
        return
    edges = [(_number(low), _number(high)) for low, high, _ in bins]
    width = max(len(text) for pair in edges for text in pair)
    counts = [f"{count:,}" for *_, count in bins]
    digits = max(map(len, counts))
    both = screen.width >= 2 * width + digits + 14  # else the lower edges alone
    room = max(1, min(LONGEST_BAR, screen.width - (2 * width + 4 if both else width) - digits - 2))
    most = max(count for *_, count in bins)
    screen.print("")
    for (low, high), (*_, count), text in zip(edges, bins, counts, strict=True):
        drawn = bar(count / most, room, screen.blocks) if most else ""
        edge = f"{low:>{width}} to {high:>{width}}" if both else f"{low:>{width}}"
        screen.print(f"{edge} {text:>{digits}} {drawn}".rstrip())


def _bins(counted: Histogram) -> list[tuple[float, float, int]]:
    edges = counted.edges.tolist()
    return list(zip(edges[:-1], edges[1:], counted.counts.tolist(), strict=True))


def _total(tensors: Sequence[TensorRow]) -> tuple[int, int, int]:
    """How many tensors, numbers and bytes."""
    return len(tensors), sum(math.prod(row.shape) for row in tensors), sum(row.nbytes for row in tensors)


def _statistics(row: TensorRow) -> list[str]:
    return [_number(getattr(row, key)) for key in STATISTICS]


def _number(value: float | None) -> str:
    """Three digits: 0.0123, -4.5e-05, 12.3."""
    return "-" if value is None else f"{value + 0.0:.3g}"


def _shape(shape: Sequence[int], cross: str) -> str:
    return cross.join(map(str, shape)) or "scalar"


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1024
    return ""
