"""Where the colours end: the scale that a picture and a terminal's table share.

Unless it is given, the limit is a round number above all weights. Over a long text that shows nothing: most rows give
half of their weight to the first token or to a special one, and what patterns are made of is a tenth of that. There
the limit is a round number that about half of the rows reach, such columns aside.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import SelectionError
from attnviz.views.figure import Scale
from attnviz.views.scale import LOG_SPAN, round_up
from attnviz.views.tensor import SIGNED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention

LONG = 64  # keys beyond which a limit above all weights shows nothing
_SINK = 0.2  # a column that takes so much of all rows of a head says where the head rests, not what it looks at
_NOISE = -1e-6  # no weight is negative but by rounding, or because it has a sign
_MANY = 32  # rows from which on that can be told


def limits(
    attention: Attention, kind: str, vmax: float | str | None, cmap: str, query: int | None = None
) -> tuple[Scale, bool]:
    """The scale, and whether its end was chosen from the weights, so that some of them may lie above.

    vmax: a number; "auto": chosen from the weights; None: chosen so on a linear scale for more than `LONG` keys and
    for pooled attention, else a round number above all. query: only this query's weights are shown.

    Raises SelectionError if vmax is neither, or if the scale is `row`, whose rows end where they end.
    """
    if attention.weights.min(initial=0.0) < _NOISE:
        return _signed(attention, kind, vmax), False
    if kind == "row":
        if vmax is not None:
            raise SelectionError("vmax has no meaning with scale row: each row has a largest weight of its own")
        return Scale("row", 0.0, 1.0, cmap, "share of the row's largest"), False
    chosen = False
    if isinstance(vmax, (int, float)):
        high = float(vmax)
        if not (math.isfinite(high) and high > 0):
            raise SelectionError(f"vmax must be a number above 0, or auto; got {vmax!r}")
    elif vmax in (None, "auto"):
        weights = attention.weights if query is None else attention.weights[:, :, query : query + 1]
        high = round_up(float(weights.max(initial=0.0, where=np.isfinite(weights))))
        long = weights.shape[-1] > LONG or attention.cell > 1
        if vmax == "auto" or (kind == "linear" and long):
            found = _end(weights, attention.key_special)
            high, chosen = (found, True) if 0 < found < high else (high, False)
    else:
        raise SelectionError(f"vmax must be a number above 0, or auto; got {vmax!r}")
    label = str(attention.meta.get("measure", "attention weight"))  # of other numbers than weights
    return Scale(kind, high / LOG_SPAN if kind == "log" else 0.0, high, cmap, label), chosen


def _signed(attention: Attention, kind: str, vmax: float | str | None) -> Scale:
    """Weights with signs, as some mechanisms imply: diverging colours, symmetric about 0."""
    if kind != "linear":
        raise SelectionError(
            f"{attention.model or 'this attention'} has negative weights: wanted scale linear; got {kind}"
        )
    high = vmax if isinstance(vmax, (int, float)) else round_up(float(np.nanmax(np.abs(attention.weights))))
    return Scale("linear", -float(high), float(high), SIGNED, "weight (signed)")


def _end(weights: NDArray[np.float32], special: tuple[bool, ...]) -> float:
    """Weights [layer, head, query, key] -> a round number near what half of the rows reach, 0 if there is nothing.

    Of fewer than `LONG` keys, fewer rows may reach further. The first column, those of special tokens and those in
    which a head rests do not count, nor rows that hold nothing else.
    """
    named = np.array(special, bool)
    named[:1] = True
    if named.all():
        named[:] = False
    peaks = []
    for panel in weights.reshape(-1, *weights.shape[2:]):
        aside = named | (panel.mean(0) > _SINK) if len(panel) >= _MANY else named
        peaks.append(panel[:, ~(named if aside.all() else aside)].max(-1))
    reached = np.concatenate(peaks)
    reached = reached[reached > 0]
    beyond = min(0.5, weights.shape[-1] / (2 * LONG))
    return round_up(0.9 * float(np.quantile(reached, 1 - beyond))) if reached.size else 0.0
