"""One query token's view: its weight on every key, head by head, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError
from attnviz.page.colours import RGB
from attnviz.render.terminal_cells import DOT, bar, colours, ink_on, paint
from attnviz.render.terminal_columns import columns, field, number
from attnviz.render.terminal_panels import mask_reason, panel_name
from attnviz.render.terminal_screen import Screen, cells, clean, fit
from attnviz.render.terminal_table import is_zero

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from attnviz.page.figure import Figure, MapPanel, Scale

MANY_KEYS = 40  # beyond this the strongest come first and the rest is summed up
TOP = 20
LONGEST_BAR = 30
SHORTEST_BAR = 8
GAP = 3


@dataclass(frozen=True)
class _Entry:
    key: int
    token: str
    value: float
    hidden: bool


@dataclass(frozen=True)
class _Block:
    """A head's list; the tuples run along its entries. rest: a line about the keys left out, or ''."""

    title: str
    entries: tuple[_Entry, ...]
    numbers: tuple[str, ...]
    lengths: tuple[float, ...]
    ground: tuple[RGB | None, ...]
    rest: str


def print_query(
    figure: Figure,
    query: int,
    out: Console | IO[str] | None = None,
    *,
    width: int | None = None,
    decimals: int = 2,
    ranked: bool | None = None,
    top: int | None = None,
) -> None:
    """Print one row of every panel as a list: index, key token, weight, bar.

    In a pipe, a block a head: `layer 3  head 1  query it`, then index, token and weight of every key.

    Args:
        figure: panels, scale, title and notes are used.
        query: row of the panels, 0-based.
        ranked: strongest first; None: at a terminal, if there are more than MANY_KEYS keys.
        top: only so many keys a head, the rest summed up in one line; None: all, or TOP of more than MANY_KEYS
            at a terminal.

    Raises:
        SelectionError: no such row.
    """
    screen = Screen.of(out, width)
    n_rows = min((panel.values.shape[0] for panel in figure.panels), default=0)
    if not 0 <= query < n_rows:
        raise SelectionError(f"query must be 0 to {n_rows - 1}; got {query}")
    if screen.plain:
        _print_plain(figure, query, screen, decimals, bool(ranked), top)
        return
    if figure.panels[0].values.shape[1] > MANY_KEYS:
        ranked = True if ranked is None else ranked
        top = TOP if top is None else top
    screen.print_wrapped(clean(figure.title), "bold")
    screen.print_wrapped(clean(figure.subtitle), "dim")
    if n_rows > 1:
        screen.print_wrapped(f"query {query}: {clean(figure.panels[0].row_labels[query])}", "bold")
    most = max(float(abs(panel.values[query]).max(initial=0.0)) for panel in figure.panels) or 1.0
    blocks = [_block(panel, query, screen, decimals, figure.scale, most, bool(ranked), top) for panel in figure.panels]
    _print_blocks(blocks, screen)
    hidden = any(entry.hidden for block in blocks for entry in block.entries)
    notes = [*([f"{_mask(screen)} {mask_reason(figure.panels)}"] if hidden else []), *figure.remarks(screen.colour)]
    if notes:
        screen.print("")
    screen.print_notes(notes)


def _entries(panel: MapPanel, query: int, ranked: bool) -> list[_Entry]:
    hidden = panel.hidden[query].tolist() if panel.hidden is not None else [False] * panel.values.shape[1]
    found = [
        _Entry(i, clean(token), value, gone)
        for i, (token, value, gone) in enumerate(
            zip(panel.col_labels, panel.values[query].tolist(), hidden, strict=True)
        )
    ]
    return sorted(found, key=lambda e: (e.hidden, -abs(e.value), e.key)) if ranked else found


def _print_plain(figure: Figure, query: int, screen: Screen, decimals: int, ranked: bool, top: int | None) -> None:
    for i, panel in enumerate(figure.panels):
        if i:
            screen.print("")
        screen.print(f"{clean(panel_name(panel, plain=True))}  query {field(panel.row_labels[query])}")
        rows = [
            (e.key, e.token, "-" if e.hidden else number(e.value, decimals))
            for e in _entries(panel, query, ranked)[:top]
        ]
        screen.print(*columns(rows, ["index", "key", "weight"], "rlr"))


def _block(
    panel: MapPanel,
    query: int,
    screen: Screen,
    decimals: int,
    scale: Scale,
    most: float,
    ranked: bool,
    top: int | None,
) -> _Block:
    """A panel's list, with all that a line needs beside its room. most: the weight of the longest bar."""
    entries = _entries(panel, query, ranked)
    unit = scale.unit(panel.values[query : query + 1])[0]
    lengths = abs(panel.values[query]) / most
    ground = None
    if screen.colour:
        zero = np.array([is_zero(number(value, decimals)) for value in panel.values[query].tolist()], bool)
        ground = paint(unit[None], None, scale.cmap, screen.ground, zero[None])[0]
    rest = [e for e in entries[top:] if not e.hidden] if top is not None else []
    return _Block(
        title=clean(panel_name(panel)),
        entries=tuple(entries[:top]),
        numbers=tuple(_mask(screen) if e.hidden else number(e.value, decimals) for e in entries[:top]),
        lengths=tuple(0.0 if e.hidden else float(lengths[e.key]) for e in entries[:top]),
        ground=tuple(ground[e.key] for e in entries[:top]) if ground else (),
        rest=f"{len(rest)} others: {number(sum(e.value for e in rest), decimals)} in all" if rest else "",
    )


def _mask(screen: Screen) -> str:
    return DOT if screen.blocks else "."


def _print_blocks(blocks: Sequence[_Block], screen: Screen) -> None:
    """The lists, as many side by side as the window holds with bars that can be told apart."""
    entries = [e for block in blocks for e in block.entries]
    index = max(len(str(e.key)) for e in entries)
    token = min(max(cells(e.token) for e in entries), max(screen.width // 3, 6))
    digits = max(len(text) for block in blocks for text in block.numbers)
    fixed = index + token + digits + 4  # a space after the index and the token, one at each side of the number
    across = max(1, min((screen.width + GAP) // (fixed + SHORTEST_BAR + GAP), len(blocks)))
    across = -(-len(blocks) // -(-len(blocks) // across))
    length = max(1, min(LONGEST_BAR, (screen.width + GAP) // across - GAP - fixed))
    widths = (index, token, digits, length)
    for start in range(0, len(blocks), across):
        band = [_block_lines(block, widths, screen) for block in blocks[start : start + across]]
        screen.print("", *_side_by_side(band, sum(widths) + 4))


def _block_lines(block: _Block, widths: tuple[int, int, int, int], screen: Screen) -> list[Text]:
    from rich.text import Text

    index, token, digits, length = widths
    lines = [Text(fit(block.title, sum(widths) + 4).rstrip(), "bold")]
    for i, entry in enumerate(block.entries):
        line = Text(f"{entry.key:{index}d} {fit(entry.token, token)} ")
        shown = f" {block.numbers[i]:>{digits}} "
        ground = block.ground[i] if block.ground and not entry.hidden else None
        line.append(shown, colours(ink_on(ground), ground) if ground else "")
        line.append(bar(block.lengths[i], length, screen.blocks))
        lines.append(line)
    if block.rest:
        lines.append(Text(fit(block.rest, sum(widths) + 4).rstrip(), "dim"))
    return lines


def _side_by_side(blocks: Sequence[Sequence[Text]], pitch: int) -> list[Text]:
    from rich.text import Text

    made = []
    for i in range(max(map(len, blocks))):
        line = Text()
        for k, block in enumerate(blocks):
            if i < len(block):
                line.append(" " * (k * (pitch + GAP) - line.cell_len))
                line.append_text(block[i])
        made.append(line)
    return made
