"""The usual colour scale of weights: its kind and its end, the same in pictures and in the terminal.

Kind. In a row of few keys each has a weight that can be seen; in a row of many most weights are near zero, and there
colour grows with the square root of the weight, so that a hundredth looks different from nothing.

End. Special tokens and the first key take half of many rows and say nothing of what a head looks at (Xiao et al. 2024,
"Efficient streaming language models with attention sinks", section 3.1), so the limit is a round number above all
other weights; what lies above it has the last colour. Over a long text even that shows nothing: there the limit is a
round number that about a quarter of the rows reach.

Flow fills up: after some layers everything reaches nearly everything, so that colours from 0 show one dark square
(Abnar and Zuidema 2020, section 4). There white is a round number that nine tenths of the flows exceed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError
from attnviz.page.figure import Scale
from attnviz.page.scale import FEW, INKS, LOG_SPAN, check_vmax, round_down, round_up

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

LONG = 64  # keys beyond which a limit above all other weights shows nothing
_SINK = 0.2  # a column that takes so much of all rows of a head says where the head rests, not what it looks at
_NOISE = -1e-6  # no weight is negative but by rounding, or because it has a sign
_MANY = 32  # rows from which on that can be told


def limits(
    attention: Attention, kind: str, vmax: float | str | None, cmap: str, query: int | None = None
) -> tuple[Scale, str]:
    """The scale, and why some weights may lie above its end: "" (it was asked for, or none does), "sinks" or "rows".

    kind: auto | linear | sqrt | log | row; auto is sqrt if more than `FEW` keys share a row, else linear.
    vmax: a number; None: above all weights to keys that are neither special nor the first ("sinks"), and over more
    than `LONG` keys and for pooled attention what about a quarter of the rows reach ("rows"); "auto": always "rows".
    query: only this query's weights are shown.

    Raises SelectionError if vmax is neither, or if the scale is `row`, whose rows end where they end.
    """
    if is_signed(attention.weights):
        return _signed(attention, kind, vmax), ""
    if fills_up(attention, kind, vmax):
        return flowing(attention.weights if query is None else attention.weights[:, :, query], cmap), ""
    if kind == "row":
        if vmax is not None:
            raise SelectionError("vmax has no meaning with scale row: each row has a largest weight of its own")
        return Scale("row", 0.0, 1.0, cmap, "share of the row's largest"), ""
    weights = attention.weights if query is None else attention.weights[:, :, query : query + 1]
    high, why = check_vmax(vmax), ""
    if high is None:
        many = weights.shape[-1] > LONG or attention.cell > 1
        high, why = _chosen(weights, attention.key_special, vmax == "auto" or (many and kind != "log"))
    shown = weights.shape[-1] * attention.cell
    label = str(attention.meta.get("measure", "attention weight"))  # of other numbers than weights
    return scaled(kind, high, cmap, shown, label), why


def is_signed(weights: NDArray[np.float32]) -> bool:
    """Whether some weights are below 0, rounding aside."""
    return bool(weights.min(initial=0.0) < _NOISE)


def count_above(values: Iterable[NDArray[np.float32]], scale: Scale) -> int:
    """Count the values above the end of the scale; 0 if each row has a scale of its own."""
    return 0 if scale.kind == "row" else int(sum((each > scale.high * (1 + 1e-6)).sum() for each in values))


def fills_up(attention: Attention, kind: str, vmax: float | str | None) -> bool:
    """Whether the weights are flows and the scale is left to us."""
    return attention.meta.get("measure") == "flow" and kind == "auto" and vmax is None


def flowing(flows: NDArray[np.float32], cmap: str) -> Scale:
    """The scale of flows: from 0 where some are small, else from a round number that nine tenths of them exceed."""
    known = flows[flows > 0]  # 0: not allowed, or not computed
    high = round_up(float(known.max(initial=0.0)))
    low = round_down(float(np.quantile(known, 0.1))) if known.size else 0.0
    return Scale("linear", low if 0.2 * high < low < high else 0.0, high, cmap, "flow")


def scaled(kind: str, high: float, cmap: str, keys: int, label: str = "attention weight") -> Scale:
    """A scale from 0 to `high`; with kind auto, sqrt if more than `FEW` keys share a row, else linear."""
    auto = kind == "auto"
    if auto:
        kind = "sqrt" if keys > FEW else "linear"
    return Scale(kind, high / LOG_SPAN if kind == "log" else 0.0, high, cmap, label, auto)


def _chosen(weights: NDArray[np.float32], special: tuple[bool, ...], by_rows: bool) -> tuple[float, str]:
    """The limit and why weights may lie above it."""
    peaks = weights.max(axis=(0, 1, 2), initial=0.0, where=np.isfinite(weights))  # of each key
    most = round_up(float(peaks.max(initial=0.0)))
    end = _end(weights, special) if by_rows else 0.0
    if 0 < end < most:
        return end, "rows"
    rest = float(peaks[~_sinks(special)].max(initial=0.0))
    end = round_up(rest) if rest > 0 else most
    return (end, "sinks") if end < most else (most, "")


def _sinks(special: tuple[bool, ...]) -> NDArray[np.bool_]:
    """Keys that set no limit: the special ones and the first; none of them if there is no other."""
    named = np.array(special, bool)
    named[:1] = True
    return named if not named.all() else np.zeros_like(named)


def _signed(attention: Attention, kind: str, vmax: float | str | None) -> Scale:
    """Weights with signs, as some mechanisms imply: diverging colours, symmetric about 0."""
    if kind not in ("auto", "linear"):
        raise SelectionError(
            f"{attention.model or 'this attention'} has negative weights: wanted scale linear; got {kind}"
        )
    high = vmax if isinstance(vmax, (int, float)) else round_up(float(np.nanmax(np.abs(attention.weights))))
    return Scale("linear", -float(high), float(high), INKS, "weight (signed)")


def _end(weights: NDArray[np.float32], special: tuple[bool, ...]) -> float:
    """Weights [layer, head, query, key] -> a round number near what a quarter of the rows reach, 0 if there is nothing.

    With fewer than `LONG` keys, fewer rows may reach further. Columns do not count if they are the first, belong to a
    special token or are where a head rests; rows without any other weight do not count either.
    """
    named = _sinks(special)
    peaks = []
    for panel in weights.reshape(-1, *weights.shape[2:]):
        aside = named | (panel.mean(0) > _SINK) if len(panel) >= _MANY else named
        peaks.append(panel[:, ~(named if aside.all() else aside)].max(-1))
    reached = np.concatenate(peaks)
    reached = reached[(reached > 0) & np.isfinite(reached)]
    beyond = min(0.25, weights.shape[-1] / (4 * LONG))
    return round_up(0.9 * float(np.quantile(reached, 1 - beyond))) if reached.size else 0.0
