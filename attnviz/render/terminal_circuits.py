"""Circuits in the terminal: rows of heads, of pairs, of singular values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

from attnviz.page.circuits import below, heading, said
from attnviz.page.scale import number
from attnviz.render.terminal_columns import number as fixed
from attnviz.render.terminal_rows import print_rows

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.measures.circuits import Circuits

_NAMES = {"ov_norm": "|OV|", "qk_norm": "|QK|", "over_chance": "times chance", "composition": "composition"}


def print_circuits(
    found: Circuits,
    by: str,
    rows: Sequence[dict[str, Any]],
    out: Console | IO[str] | None = None,
    *,
    width: int | None = None,
) -> None:
    """Print rows as the command lists them. by: head | pair | spectrum."""
    shown = [_pair(row) if by != "spectrum" else {k: _text(v) for k, v in row.items()} for row in rows]
    header = [_NAMES.get(name, name) for name in (shown[0] if shown else {})]
    align = "".join("l" if name in ("reads", "circuit") else "r" for name in header)
    chance = f"composition by chance: {number(found.chance)}; q, k, v: what of a head reads"
    print_rows(
        [list(row.values()) for row in shown],
        header,
        align,
        out,
        width=width,
        title=heading(found, {"head": "circuits", "pair": "composition", "spectrum": "spectra"}[by]),
        subtitle=below(found),
        notes=[*([chance] if by != "spectrum" and found.composition else []), *said(found)],
    )


def _pair(row: dict[str, Any]) -> dict[str, str]:
    """A row with its two ends as short as `3.1`."""
    shown = {name: _text(value) for name, value in row.items() if name not in ("from_layer", "from_head")}
    source = "" if row["from_layer"] is None else f"{row['from_layer']}.{row['from_head']}"
    composition = shown.pop("composition")
    over = {"over_chance": f"{row['over_chance']:.1f}"} if "over_chance" in shown else {}
    shown.pop("over_chance", None)
    if "copying" not in shown:
        reads = shown.pop("reads")
        return {**shown, "reads": reads, "from": source, "composition": composition, **over}
    return {**shown, "from": source, "composition": composition}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return "" if value != value else fixed(value, 2)
    return str(value)
