"""Which lines a picture of lines shows: the strongest of each query, and those to where a head rests in grey or not.

All lines of twelve heads are a tangle in which the thickest run to [CLS]. So a query keeps its strongest lines, width
and colour are measured by what is not a resting place, and lines to resting places lie under the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError
from attnviz.measures.lift import lifts
from attnviz.page.colours import RGB
from attnviz.page.figure import Link, LinksPanel
from attnviz.page.scale import number, round_up
from attnviz.page.text_metrics import printable
from attnviz.page.wording import over_note

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

LEAST, LEAST_OVER = 0.05, 0.1  # of the strongest weight: what is weaker is no line; where heads lie over each other
STRONGEST, STRONGEST_OVER = 3, 1  # lines of a query in a head; where heads lie over each other
MOST = 4000  # lines of a panel
INK: RGB = (0, 94, 162)
# Of heads laid over each other: far apart for most colour-blind readers (Okabe and Ito 2008, darkened), then others.
HEADS: tuple[RGB, ...] = (
    (0, 114, 178),
    (196, 78, 0),
    (0, 128, 92),
    (176, 74, 134),
    (122, 92, 0),
    (58, 63, 163),
    (42, 159, 214),
    (140, 28, 19),
    (110, 110, 110),
    (90, 150, 30),
    (220, 150, 20),
    (20, 70, 60),
)


@dataclass(frozen=True, eq=False)
class Choice:
    """What is drawn. high: the weight of the thickest line; over: how many lines have more, and are no thicker.

    said: what is not drawn, or in another way. shading: those of them that speak of colours alone.
    """

    panels: list[LinksPanel]
    high: float
    said: list[str]
    over: int = 0
    shading: tuple[str, ...] = ()


def chosen(attention: Attention, query: int | None, overlay: bool, by: str) -> Choice:
    """The panels with their lines. Arguments as for `attnviz.page.lines.lines`.

    Raises SelectionError for more heads than there are colours.
    """
    values = np.asarray(attention.weights if by == "weight" else lifts(attention), np.float64)
    shown = values if query is None else values[:, :, query : query + 1]
    rests = resting(attention) if by == "weight" else np.zeros(values.shape[-1], bool)
    high = round_up(max(float(shown[..., ~rests].max(initial=0.0)), 1e-9))
    named = _panels(attention, overlay)
    over = len(named[0].maps) > 1
    least = high * (LEAST_OVER if over else LEAST)
    most = None if query is not None else STRONGEST_OVER if over else STRONGEST
    left_out = rests if over else np.zeros_like(rests)
    panels = []
    for one in named:
        links = _links(one, values, query, np.where(left_out, 0.0, least), ~rests, most)
        panels.append(_panel(one, links, attention, high, query, by, rests))
    said = [f"the {_strongest(most)} of each query"] if most and most < (~rests).sum() else []
    said += [f"{by}s below {number(least)} are not drawn"]
    grey = _resting(attention, rests, over)
    said += grey
    said += [f"only the {MOST:,} strongest lines of a panel are drawn"] if _full(panels) else []
    beyond = sum(link.value > high * (1 + 1e-6) for one in panels for link in one.links)
    said += [over_note(beyond, high, "sinks", any(attention.key_special), by)] if beyond else []
    return Choice(panels, high, said, beyond, () if over else tuple(grey))


def resting(attention: Attention) -> NDArray[np.bool_]:
    """Keys where heads rest: special tokens, or where there are none the first key, if most heads rest there.

    That is if it takes a fifth of all weight and three times its even share (Xiao et al. 2024, section 3.1).
    """
    special = np.array(attention.key_special, bool)
    n = len(special)
    if special.all():
        return np.zeros(n, bool)
    if not special.any() and n > 1:
        special[0] = float(attention.weights[..., 0].mean()) > max(0.2, 3.0 / n)
    return special


@dataclass(frozen=True)
class _Named:
    """One panel's maps, by their positions in the weights, with names and colours."""

    title: str
    maps: tuple[tuple[int, int], ...]
    strands: tuple[tuple[str, RGB], ...]
    at: tuple[tuple[str, str], ...]


def named_maps(attention: Attention) -> list[tuple[tuple[int, int], tuple[str, str], tuple[str, ...]]]:
    """Each map's position [layer, head] in the weights, its layer and head by index, and both in words.

    An averaged axis is a mean.
    """

    def said(what: str, index: int | None, count: int) -> str:
        return f"mean over {count} {what}s" if index is None else f"{what} {index}"

    found = []
    for i, (layer, head) in enumerate(attention.places):
        words: tuple[str, ...] = (said("layer", layer, len(attention.layers)), said("head", head, len(attention.heads)))
        if attention.pairs and head is None:
            words = (said("head", None, len(attention.pairs)),)
        names = tuple("mean" if index is None else str(index) for index in (layer, head))
        found.append((divmod(i, attention.weights.shape[1]), (names[0], names[1]), words))
    return found


def panel_title(names: tuple[str, str], words: Sequence[str]) -> str:
    """`head 3.1`, or what was averaged, in words. names, words: of one map, as `named_maps` gives them."""
    return " · ".join(words) if "mean" in names else f"head {'.'.join(names)}"


def _panels(attention: Attention, overlay: bool) -> list[_Named]:
    """Which heads go into which panel."""
    maps = named_maps(attention)
    one_layer = len({names[0] for _, names, _ in maps}) == 1
    if not overlay:
        return [
            _Named(said[-1] if one_layer else panel_title(names, said), (at,), ((said[-1], INK),), (names,))
            for at, names, said in maps
        ]
    abreast = attention.weights.shape[1]
    if abreast > len(HEADS):
        raise SelectionError(
            f"{abreast} heads are too many to tell apart in one panel: at most {len(HEADS)}",
            "choose some with --head",
        )
    panels = []
    for first in range(0, len(maps), abreast):
        part = maps[first : first + abreast]
        title = "layer.head" if attention.pairs else part[0][2][0]
        strands = [".".join(names) if attention.pairs else said[-1] for _, names, said in part]
        places, at = tuple(place for place, _, _ in part), tuple(names for _, names, _ in part)
        panels.append(_Named(title, places, tuple(zip(strands, HEADS, strict=False)), at))
    return panels


def _links(
    named: _Named,
    values: NDArray[np.float64],
    query: int | None,
    least: NDArray[np.float64],
    counted: NDArray[np.bool_],
    most: int | None,
) -> list[Link]:
    """The lines that are strong enough, `least` [key] (0: none), and of each query the `most` strongest that count."""
    found = []
    for strand, place in enumerate(named.maps):
        weights = values[place]
        wanted = (weights >= least) & (least > 0)
        if most is not None:
            rank = np.argsort(np.argsort(-np.where(counted, weights, -np.inf), axis=-1, kind="stable"), axis=-1)
            wanted &= (rank < most) | ~counted
        for i, j in np.argwhere(wanted).tolist():
            if query is None or i == query:
                found.append(Link(i, j, float(weights[i, j]), strand))
    return found


def _panel(
    named: _Named,
    links: list[Link],
    attention: Attention,
    high: float,
    query: int | None,
    by: str,
    rests: NDArray[np.bool_],
) -> LinksPanel:
    """The weakest first, those to resting places under all others; of equals the later pair lies below."""
    links.sort(key=lambda link: (not rests[link.col], link.value, -link.strand, -link.row, -link.col))
    rows, cols = (tuple(map(printable, tokens)) for tokens in (attention.query_tokens, attention.key_tokens))
    grey = frozenset(np.flatnonzero(rests).tolist())
    return LinksPanel(
        named.title, rows, cols, tuple(links[-MOST:]), named.strands, named.at, high, by, query, rests=grey
    )


def _strongest(most: int) -> str:
    return "strongest line" if most == 1 else f"{most} strongest lines"


def _resting(attention: Attention, rests: NDArray[np.bool_], left_out: bool) -> list[str]:
    if not rests.any():
        return []
    what = "special tokens" if any(attention.key_special) else "the first token"
    return [f"lines to {what} are left out" if left_out else f"grey: lines to {what}, where heads rest"]


def _full(panels: list[LinksPanel]) -> bool:
    return any(len(one.links) == MOST for one in panels)
