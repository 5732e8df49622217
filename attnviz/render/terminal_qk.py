"""One pair of tokens number by number, and the plane's places, in a terminal or as plain columns."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from attnviz.page.qk import heading, remarks, signed, stages, subtitle
from attnviz.render.terminal_columns import number
from attnviz.render.terminal_rows import print_rows
from attnviz.render.terminal_screen import Screen

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.measures.qk import Neurons, Plane

MOST = 40  # tokens whose places are printed at a terminal


def print_qk(
    flat: Plane, pair: Neurons, top: int = 10, out: Console | IO[str] | None = None, *, width: int | None = None
) -> None:
    """Print the `top` dimensions with the largest products, the way to the score, and where every token lies.

    In a pipe: two blocks, parted by an empty line, the first with all dimensions, in their order.
    """
    screen = Screen.of(out, width)
    order = range(len(pair.product)) if screen.plain else pair.strongest(top)
    rows = [[str(i), *(_number(value[i]) for value in (pair.q, pair.k, pair.product))] for i in order]
    rest = [i for i in range(len(pair.product)) if i not in set(order)]
    if rest:
        rows.append([f"{len(rest)} others", "", "", _number(pair.product[rest].sum())])
    if screen.plain:
        way = [[stage.name, "", "", _number(stage.value)] for stage in pair.stages]
        way.append(["weight", "", "", f"{pair.weight:.4f}"])
    else:
        way = [[text, "", "", number.replace("−", "-")] for text, number in stages(pair)]
    header = ("dimension", "q", "k", "q*k")
    print_rows([*rows, *way], header, "lrrr", out, width=width, title=heading(pair), subtitle=subtitle(pair), bold=(3,))
    screen.print("")
    _print_plane(flat, pair, screen, out, width)


def _number(value: float) -> str:
    return signed(float(value)).replace("−", "-").replace("–", "-")


def _print_plane(flat: Plane, pair: Neurons, screen: Screen, out: Console | IO[str] | None, width: int | None) -> None:
    steps, rows = pair.steps, []
    for side, tokens, places in (("query", steps.queries, flat.queries), ("key", steps.keys, flat.keys)):
        count = len(tokens) if screen.plain else MOST
        for i, (text, (x, y)) in enumerate(zip(tokens.text[:count], places[:count].tolist(), strict=True)):
            rows.append((side, str(i), text, number(x, 3, "+"), number(y, 3, "+")))
    left = max(len(steps.queries), len(steps.keys)) - MOST
    notes = [f"{left} further tokens are in --json"] if left > 0 else []
    print_rows(
        rows, ("side", "index", "token", "x", "y"), "lrlrr", out, width=width, notes=[*notes, *remarks(flat, pair)]
    )
