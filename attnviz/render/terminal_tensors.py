"""A list of a model's tensors, and one of its tensors, in a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from attnviz.render.terminal import print_panels
from attnviz.render.terminal_layout import GAP, aligned, bar, columns, widest, widths
from attnviz.render.terminal_rows import plain_pairs
from attnviz.render.terminal_screen import Screen, clean
from attnviz.render.terminal_table import plan

if TYPE_CHECKING:
    from attnviz.measures.tensors import Histogram, TensorRow
    from attnviz.page.figure import Figure
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import TensorTable, TensorValues

STATISTICS = ("mean", "std", "min", "max")
LONGEST_BAR = 40
MOST_NUMBERS = 16  # a matrix with more rows or columns is drawn without its numbers


def print_tensors(table: TensorTable, screen: Screen, _: FigureOptions) -> None:
    """Print a row per tensor and their total, below an empty line.

    In a pipe: columns under the header `stored ours shape dtype mean std min max`, `-` for what is unknown; an empty
    line; `total` with the numbers of tensors, of values and of bytes.
    """
    tensors = table.tensors
    count, n_bytes = len(tensors), sum(row.nbytes for row in tensors)
    size = sum(math.prod(row.shape) for row in tensors)
    screen.print("")
    if screen.plain:
        rows = [(row.stored, row.ours or "-", _shape(row.shape, "x"), row.dtype, *_statistics(row)) for row in tensors]
        header = ("stored", "ours", "shape", "dtype", *STATISTICS)
        screen.print(*columns(rows, header, "llllrrrr"), "", f"total  {count}  {size}  {n_bytes}")
        return
    _print_rows(tensors, screen)
    words = [f"{count:,} tensor{'s' if count != 1 else ''}", f"{size:,} numbers"]
    words += [_bytes(n_bytes)] if n_bytes else []
    screen.print("")
    screen.print_items(words, " · " if screen.blocks else "; ", "bold")


def _print_rows(tensors: Sequence[TensorRow], screen: Screen) -> None:
    """All in one line where the window is wide enough; else our name below the stored one; else the numbers too."""
    names = [clean(row.stored) for row in tensors]
    ours = [clean(row.ours) if row.ours != row.stored else "" for row in tensors]
    facts = [[_shape(row.shape, " x "), row.dtype, *_statistics(row)] for row in tensors]
    header, sides = ["shape", "dtype", *STATISTICS], "ll" + "r" * len(STATISTICS)
    taken = widths(header, *facts)
    stored, own = widest(names) if names else 6, widest(clean(row.ours) for row in tensors) if any(ours) else 0
    rest = screen.width - sum(taken) - GAP * len(taken)
    one_line = stored + (own + GAP if own else 0) <= rest
    if not one_line and max(stored, own + GAP) > rest:
        for name, our, row in zip(names, ours, facts, strict=True):
            screen.print_wrapped(name)
            _print_our_name(our, screen)
            screen.print_items(row[:2], indent=GAP)
            items = [f"{key} {value}" for key, value in zip(STATISTICS, row[2:], strict=True) if value != "-"]
            screen.print_items(items, indent=GAP)
        return
    taken = [stored, *([own] if own else []), *taken] if one_line else [max(stored, own + GAP if own else 0), *taken]
    sides = "l" * (len(taken) - len(sides)) + sides
    named = one_line and own > 0
    screen.print(Text(aligned(["stored", *(["ours"] if named else []), *header], taken, sides).rstrip(), "bold"))
    waiting: list[str] = []  # lines without a style: much faster when they are printed together
    for name, our, row in zip(names, ours, facts, strict=True):
        waiting.append(aligned([name, *([our] if named else []), *row], taken, sides).rstrip())
        if our and not one_line:
            screen.print(*waiting)
            waiting.clear()
            _print_our_name(our, screen)
    screen.print(*waiting)


def _print_our_name(name: str, screen: Screen) -> None:
    screen.print_items([name] if name else [], style="dim", indent=GAP)


def print_tensor(tensor: TensorValues, screen: Screen, _: FigureOptions) -> None:
    """Print one tensor: statistics, a map of signed colours pooled to the window, a histogram.

    In a pipe: `key  value` lines (stored, ours, shape, dtype, mean, std, min, max, zeros, nan, infinite), an empty
    line, and the histogram under the header `from to count`; the map is left out.
    """
    from attnviz.measures.tensors import histogram, numbers
    from attnviz.page.tensor import tensor_map

    stored, values = tensor.stored, tensor.values
    ours = tensor.ours if tensor.ours != stored else ""
    facts, counted = numbers(values), histogram(values)
    statistics = list(zip(STATISTICS, _statistics(facts), strict=True))
    odd = [(key, getattr(facts, key)) for key in ("zeros", "nan", "infinite")]
    bins = _bins(counted)
    if screen.plain:
        names = [("stored", stored), ("ours", ours), ("shape", _shape(values.shape, "x")), ("dtype", tensor.dtype)]
        counts = [(key, str(count)) for key, count in odd]
        screen.print(*plain_pairs([(key, text) for key, text in [*names, *statistics, *counts] if text]), "")
        screen.print(*columns(bins, ("from", "to", "count"), "rrr"))
        return
    screen.print_wrapped(clean(stored), "bold")
    screen.print_wrapped(clean(ours), "dim")
    screen.print_wrapped(f"{_shape(values.shape, ' x ')}  {tensor.dtype}")
    items = [f"{key} {text}" for key, text in statistics if text != "-"]
    items += [f"{'NaN' if key == 'nan' else key} {count:,}" for key, count in odd if count]
    screen.print_items(items)
    _print_map(tensor_map(stored, values), screen)
    _print_histogram(bins, screen)


def _print_map(picture: Figure, screen: Screen) -> None:
    """Numbers on their colours if the matrix is small, else a map of cells."""
    if not picture.panels:
        return
    panel = picture.panels[0]
    how = plan(panel, screen.width, 2) if max(panel.values.shape) <= MOST_NUMBERS else None
    print_panels(picture, screen, [how] if how else [], False, "not finite" if panel.hidden is not None else "")


def _print_histogram(bins: Sequence[tuple[str, str, int]], screen: Screen) -> None:
    if not bins:
        return
    width = max(max(len(low), len(high)) for low, high, _ in bins)
    most = max(count for *_, count in bins)
    digits = len(f"{most:,}")
    both = screen.width >= 2 * width + digits + 14  # else the lower edges alone
    room = max(1, min(LONGEST_BAR, screen.width - (2 * width + 4 if both else width) - digits - 2))
    screen.print("")
    for low, high, count in bins:
        drawn = bar(count / most, room, screen.blocks) if most else ""
        edge = f"{low:>{width}} to {high:>{width}}" if both else f"{low:>{width}}"
        screen.print(f"{edge} {count:>{digits},} {drawn}".rstrip())


def _bins(counted: Histogram) -> list[tuple[str, str, int]]:
    """The edges and the count of each bin."""
    edges = list(map(_number, counted.edges.tolist()))
    return list(zip(edges[:-1], edges[1:], counted.counts.tolist(), strict=True))


def _statistics(row: object) -> list[str]:
    return [_number(getattr(row, key)) for key in STATISTICS]


def _number(value: float | None) -> str:
    """Three digits: 0.0123, -4.5e-05, 12.3."""
    return "-" if value is None else f"{value + 0.0:.3g}"


def _shape(shape: Sequence[int], cross: str) -> str:
    return cross.join(map(str, shape)) or "scalar"


def _bytes(count: int) -> str:
    units = ("KiB", "MiB", "GiB")
    power = next((power for power in range(3) if count < 1024 ** (power + 1)), 3)
    return f"{count / 1024**power:,.1f} {units[power - 1]}" if power else f"{count:,} bytes"
