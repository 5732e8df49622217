"""Retrieval and lookback as boards of layers and heads, side by side -> Figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attnviz.facts import board_axes
from attnviz.page.board import boards
from attnviz.page.figure import Figure
from attnviz.page.parts import Board

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnviz.measures.generated import Generated


def boards_of(
    found: Generated, *, title: str | None = None, meta: Mapping[str, str] | None = None, **how: Any
) -> Figure:
    """Both numbers of the chosen layers and heads. how: width, dpi, font, svg_text as for `boards`."""
    at = found.attention
    layers, heads = zip(*at.places, strict=True)

    def chosen(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values[list(layers), list(heads)].reshape(at.weights.shape[:2])

    all = [Board(chosen(found.retrieval), "share fetched", "retrieval", high=1.0)]
    if (found.lookback == found.lookback).any():
        all.append(Board(chosen(found.lookback), "share of prompt", "lookback", high=1.0))
    said = [f"{len(found.new)} new tokens, {found.copied} of them in the prompt"]
    said += ["retrieval: the share of these that a head's strongest weight lay on (Wu 2024)"]
    said += ["lookback: mean weight on the prompt against that on new tokens (Chuang 2024)"] if len(all) > 1 else []
    random = f"random weights, seed {at.meta.get('seed')}" if at.meta.get("random") else ""
    return boards(
        all,
        **board_axes(at.pairs, at.places, at.weights.shape[1]),
        title=at.model if title is None else title,
        subtitle=random,
        notes=said,
        meta=meta,
        **how,
    )
