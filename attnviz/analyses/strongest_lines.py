"""Which lines a page of lines shows: the strongest of each query; lines to keys where heads rest are grey.

All lines of twelve heads are a tangle in which the thickest run to [CLS]. So a query keeps its strongest lines, width
and colour are measured by what is not a resting place, and lines to resting places lie under all other lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError
from attnviz.measures.resting import resting
from attnviz.page.numbers import compact, round_up
from attnviz.page.parts import LinesOfWeight, LinesPanel, Link

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

LEAST, LEAST_OVER = 0.05, 0.1  # of the strongest weight: what is weaker is no line; where heads lie over each other
STRONGEST, STRONGEST_OVER = 3, 1  # lines of a query in a head; where heads lie over each other
MOST = 4000  # lines of a panel
TOLD_APART = 12  # colours of heads that lie over each other


@dataclass(frozen=True)
class NamedMap:
    """One map: its position [layer, head] in the weights, layer and head by index, and both in words."""

    position: tuple[int, int]
    at: tuple[str, str]
    words: tuple[str, ...]

    @property
    def title(self) -> str:
        """`head 3.1`, or what was averaged, in words."""
        return " · ".join(self.words) if "mean" in self.at else f"head {'.'.join(self.at)}"


def named_maps(attention: Attention) -> list[NamedMap]:
    """The maps in the order of `places`; an averaged axis is a mean."""

    def in_words(what: str, index: int | None, count: int) -> str:
        return f"mean over {count} {what}s" if index is None else f"{what} {index}"

    maps, n_heads = [], attention.weights.shape[1]
    for i, (layer, head) in enumerate(attention.places):
        words = in_words("layer", layer, len(attention.layers)), in_words("head", head, len(attention.heads))
        if attention.pairs and head is None:
            words = (in_words("head", None, len(attention.pairs)),)  # type: ignore[assignment]
        at = tuple("mean" if index is None else str(index) for index in (layer, head))
        maps.append(NamedMap(divmod(i, n_heads), (at[0], at[1]), words))
    return maps


def strongest_lines(
    attention: Attention, values: NDArray[np.float64], query: int | None, overlay: bool, by: str
) -> tuple[LinesOfWeight, list[str], tuple[str, ...]]:
    """The lines that are drawn; remarks on lines not drawn, or drawn in another way; the remarks on colours.

    values: [layer, head, query, key], the weights or the lifts, whichever `by` says. query: only this query's lines.

    Raises SelectionError for more heads over each other than there are colours.
    """
    rests = resting(attention) if by == "weight" else np.zeros(values.shape[-1], bool)
    shown = values if query is None else values[:, :, query : query + 1]
    high = round_up(max(float(shown[..., ~rests].max(initial=0.0)), 1e-9))
    groups = _panels(attention, overlay)
    over = len(groups[0][1]) > 1
    least = high * (LEAST_OVER if over else LEAST)
    most = None if query is not None else STRONGEST_OVER if over else STRONGEST
    wanted = np.where(rests if over else False, np.inf, least)  # lines to resting places would lie over each other
    panels = []
    for title, maps in groups:
        links = _links([values[each.position] for each in maps], query, wanted, ~rests, most)
        names = tuple(".".join(each.at) if attention.pairs and overlay else each.words[-1] for each in maps)
        panels.append(LinesPanel(title, links, names, tuple(each.at for each in maps)))
    clipped = sum(link.value > high * (1 + 1e-6) for panel in panels for link in panel.links)
    part = LinesOfWeight(
        panels=tuple(panels),
        rows=attention.query_tokens,
        cols=attention.key_tokens,
        high=high,
        label=by,
        row=query,
        rests=frozenset(np.flatnonzero(rests).tolist()),
        clipped=clipped,
        overlay=overlay,
        per_layer=attention.weights.shape[1],
        breaks=(_breaks(attention.query_segments), _breaks(attention.key_segments)),
    )
    remarks, shading = _remarks(part, any(attention.key_special), least, most)
    return part, remarks, shading


def _remarks(part: LinesOfWeight, special: bool, least: float, most: int | None) -> tuple[list[str], tuple[str, ...]]:
    """special: whether some keys are special tokens. least, most: what is weaker is no line; lines of a query."""
    by, over = part.label, len(part.panels[0].strands) > 1
    remarks = [f"the {_strongest(most)} of each query"] if most and most < len(part.cols) - len(part.rests) else []
    remarks += [f"{by}s below {compact(least)} are not drawn"]
    shading: tuple[str, ...] = ()
    if part.rests:
        what = "special tokens" if special else "the first token"
        shading = () if over else (f"grey: lines to {what}, where heads rest",)
        remarks += shading or [f"lines to {what} are left out"]
    if any(len(panel.links) == MOST for panel in part.panels):
        remarks += [f"only the {MOST:,} strongest lines of a panel are drawn"]
    if part.clipped:
        keys = "special tokens or the first key" if special else "the first key"
        some, high = by if part.clipped == 1 else f"{by}s", compact(part.high)
        remarks += [f"{part.clipped:,} {some} to {keys} above {high} drawn as {high}"]
    return remarks, shading


def _panels(attention: Attention, overlay: bool) -> list[tuple[str, list[NamedMap]]]:
    """The title of each panel, and whose lines it shows."""
    maps, n_heads = named_maps(attention), attention.weights.shape[1]
    if not overlay:
        one_layer = len({each.at[0] for each in maps}) == 1
        return [(each.words[-1] if one_layer else each.title, [each]) for each in maps]
    if n_heads > TOLD_APART:
        raise SelectionError(
            f"{n_heads} heads are too many to tell apart in one panel: at most {TOLD_APART}",
            "choose some with --head",
        )
    groups = [maps[first : first + n_heads] for first in range(0, len(maps), n_heads)]
    return [("layer.head" if attention.pairs else group[0].words[0], group) for group in groups]


def _links(
    maps: Sequence[NDArray[np.float64]],
    query: int | None,
    least: NDArray[np.float64],
    counted: NDArray[np.bool_],
    most: int | None,
) -> tuple[Link, ...]:
    """The lines that are strong enough, and of each query the `most` strongest that count, in the order drawn.

    maps: [query, key] each. least: what a line to a key needs, [key]. counted: False for resting places. most: None
    for all.
    """
    links = []
    for strand, values in enumerate(maps):
        wanted = values >= least
        if most is not None:
            rank = np.argsort(np.argsort(-np.where(counted, values, -np.inf), axis=-1, kind="stable"), axis=-1)
            wanted &= (rank < most) | ~counted
        for i, j in np.argwhere(wanted).tolist():
            if query is None or i == query:
                links.append(Link(i, j, float(values[i, j]), strand))
    # Lines to resting places lie under all other lines; of equals the later pair lies below.
    links.sort(key=lambda link: (bool(counted[link.col]), link.value, -link.strand, -link.row, -link.col))
    return tuple(links[-MOST:])


def _breaks(segments: Sequence[int]) -> tuple[int, ...]:
    """The positions at which another text begins."""
    return tuple(i for i in range(1, len(segments)) if segments[i] != segments[i - 1])


def _strongest(most: int) -> str:
    return "strongest line" if most == 1 else f"{most} strongest lines"
