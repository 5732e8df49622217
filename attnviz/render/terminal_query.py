"""One query token's weight on every key, per head, as bars."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple

from rich.text import Text

from attnviz.errors import SelectionError
from attnviz.page.colours import RGB
from attnviz.page.numbers import number
from attnviz.render.terminal_cells import mask_reason, on, paint, panel_name
from attnviz.render.terminal_layout import bar, columns, field, widest
from attnviz.render.terminal_screen import Screen, clean, fit

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.page.figure import Figure, MapPanel, Scale

MANY_KEYS = 40  # beyond this a terminal shows the strongest keys alone
TOP = 20  # how many
LONGEST_BAR = 30
SHORTEST_BAR = 8
GAP = 3


class _Entry(NamedTuple):
    """A key. text: its weight, or the mark of a masked key. ground: the weight's colour."""

    key: int
    token: str
    value: float
    hidden: bool
    text: str
    ground: RGB | None


class _Block(NamedTuple):
    """A head's list. rest: a line about the keys left out, or ''."""

    title: str
    entries: Sequence[_Entry]
    rest: str


def print_query(
    figure: Figure,
    query: int,
    out: Screen | Console | IO[str] | None = None,
    *,
    width: int | None = None,
    decimals: int = 2,
) -> None:
    """Print one row of every panel as a list: index, key token, weight, bar.

    A terminal shows the strongest of more than MANY_KEYS keys, and sums up the rest in one line. In a pipe, a block
    per head: `layer 3  head 1  query it`, then index, token and weight of every key.

    Args:
        figure: panels, scale, title and notes are used.
        query: row of the panels, 0-based.

    Raises:
        SelectionError: no such row.
    """
    screen = Screen.of(out, width)
    n_rows = min((panel.values.shape[0] for panel in figure.panels), default=0)
    if not 0 <= query < n_rows:
        raise SelectionError(f"query must be 0 to {n_rows - 1}; got {query}")
    lists = [_entries(panel, query, screen, decimals, figure.scale) for panel in figure.panels]
    if screen.plain:
        for i, (panel, entries) in enumerate(zip(figure.panels, lists, strict=True)):
            name = f"{clean(panel_name(panel, plain=True))}  query {field(panel.row_labels[query])}"
            rows = [(entry.key, entry.token, entry.text) for entry in entries]
            screen.print(*([""] if i else []), name, *columns(rows, ["index", "key", "weight"], "rlr"))
        return
    screen.print_wrapped(clean(figure.title), "bold")
    screen.print_wrapped(clean(figure.subtitle), "dim")
    if n_rows > 1:
        screen.print_wrapped(f"query {query}: {clean(figure.panels[0].row_labels[query])}", "bold")
    blocks = [_block(panel, entries, decimals) for panel, entries in zip(figure.panels, lists, strict=True)]
    most = max(float(abs(panel.values[query]).max(initial=0.0)) for panel in figure.panels) or 1.0
    _print_blocks(blocks, most, screen)
    hidden = any(entry.hidden for block in blocks for entry in block.entries)
    notes = [*([f"{screen.dot} {mask_reason(figure.panels)}"] if hidden else []), *figure.remarks(screen.colour)]
    if notes:
        screen.print("")
    screen.print_notes(notes)


def _entries(panel: MapPanel, query: int, screen: Screen, decimals: int, scale: Scale) -> list[_Entry]:
    """The keys of a row in their order."""
    row = panel.values[query : query + 1]
    values = row[0].tolist()
    hidden = panel.hidden[query].tolist() if panel.hidden is not None else [False] * len(values)
    texts = [number(value, decimals) for value in values]
    grounds: list[RGB | None] = [None] * len(values)
    if screen.colour:
        grounds = paint(scale.unit(row), None, scale.cmap, screen.ground, [texts])[0]
    mask = "-" if screen.plain else screen.dot
    return [
        _Entry(key, clean(token), value, gone, mask if gone else text, None if gone else ground)
        for key, (token, value, gone, text, ground) in enumerate(
            zip(panel.col_labels, values, hidden, texts, grounds, strict=True)
        )
    ]


def _block(panel: MapPanel, entries: list[_Entry], decimals: int) -> _Block:
    """A panel's list: all keys, or the strongest of many with the sum of the rest."""
    title, rest = clean(panel_name(panel)), ""
    if len(entries) > MANY_KEYS:
        ranked = sorted(entries, key=lambda entry: (entry.hidden, -abs(entry.value), entry.key))
        entries, others = ranked[:TOP], [entry.value for entry in ranked[TOP:] if not entry.hidden]
        rest = f"{len(others)} more: {number(sum(others), decimals)} in all" if others else ""
    return _Block(title, entries, rest)


def _print_blocks(blocks: Sequence[_Block], most: float, screen: Screen) -> None:
    """The lists, as many side by side as the window holds with bars of a useful length.

    most: the weight of the longest bar.
    """
    entries = [entry for block in blocks for entry in block.entries]
    index = max(len(str(entry.key)) for entry in entries)
    token = min(widest(entry.token for entry in entries), max(screen.width // 3, 6))
    digits = max(len(entry.text) for entry in entries)
    fixed = index + token + digits + 4  # a space after the index and the token, one at each side of the number
    across = max(1, min((screen.width + GAP) // (fixed + SHORTEST_BAR + GAP), len(blocks)))
    across = -(-len(blocks) // -(-len(blocks) // across))  # bands of nearly equal length
    length = max(1, min(LONGEST_BAR, (screen.width + GAP) // across - GAP - fixed))
    pitch = fixed + length

    def lines(block: _Block) -> Iterable[Text]:
        yield Text(fit(block.title, pitch).rstrip(), "bold")
        for entry in block.entries:
            line = Text(f"{entry.key:{index}d} {fit(entry.token, token)} ")
            line.append(f" {entry.text:>{digits}} ", on(entry.ground))
            share = 0.0 if entry.hidden else abs(entry.value) / most
            yield line.append(bar(share, length, screen.blocks))
        if block.rest:
            yield Text(fit(block.rest, pitch).rstrip(), "dim")

    for start in range(0, len(blocks), across):
        screen.print("", *_side_by_side([list(lines(block)) for block in blocks[start : start + across]], pitch))


def _side_by_side(blocks: Sequence[Sequence[Text]], pitch: int) -> list[Text]:
    lines = [Text() for _ in range(max(map(len, blocks)))]
    for place, block in enumerate(blocks):
        for line, part in zip(lines, block, strict=False):
            line.append(" " * (place * (pitch + GAP) - line.cell_len))
            line.append_text(part)
    return lines
