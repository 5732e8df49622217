"""Attention as the sources of an explorer, as a page's JSON says it (`Source` in web/types.d.ts)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.facts import board_axes, dotted, stream_in_words
from attnviz.measures.resting import resting
from attnviz.page.colour_limits import is_signed, limits
from attnviz.render.html.weights import packed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.axis import Tokens
    from attnviz.page.parts.explorer import Explorer
    from attnviz.render.html.blocks import Blocks


def explorer(part: Explorer, blocks: Blocks) -> dict[str, Any]:
    """The part as JSON values; weights, pictures and vectors go into blocks."""
    names = part.names or tuple(attention.stream for attention in part.attentions)
    sources = [source(each, name, blocks) for name, each in zip(names, part.attentions, strict=True)]
    return {"kind": "Explorer", "sources": sources, "compared": part.compared}


def source(attention: Attention, name: str, blocks: Blocks) -> dict[str, Any]:
    """One Attention."""
    scale, _ = limits(attention, "auto", None, "ink")
    rests = [] if attention.cell > 1 else np.flatnonzero(resting(attention)).tolist()
    board = board_axes(attention.pairs, attention.places, attention.weights.shape[1])
    maps = [weights for block in attention.weights for weights in block]
    return {
        "name": name,
        "title": dotted(name if name != attention.stream else "", stream_in_words(attention.stream))
        or "self-attention",
        "stream": attention.stream,
        "queries": axis(attention.queries, []),
        "keys": axis(attention.keys, rests),
        "places": [list(place) for place in attention.places],
        "layers": list(board["layers"]),
        "heads": list(board["heads"]),
        "axes": list(board["axes"]),
        "ordered": attention.stream != "cross" and len(attention.queries) == len(attention.keys),
        "signed": is_signed(attention.weights),
        "cell": attention.cell,
        "label": str(attention.meta.get("measure", "attention weight")),
        "maps": packed(maps, rests, mask(attention, blocks), scale.high, blocks),
        "scale": {"kind": "sqrt" if scale.kind == "sqrt" else "linear", "high": scale.high},
        "statistics": [],
        "tokens": None,
        "links": None,
        "image": None,
        "generated": None,
        "vectors": None,
    }


def axis(tokens: Tokens, rests: list[int]) -> dict[str, Any]:
    """Tokens as `Axis` in web/types.d.ts."""
    return {
        "text": list(tokens.text),
        "special": [i for i, special in enumerate(tokens.special) if special],
        "words": list(tokens.words) if list(tokens.words) != list(range(len(tokens))) else [],
        "segments": list(tokens.segments) if any(tokens.segments) else [],
        "spaced": _spaced(tokens),
        "rests": rests,
    }


def _spaced(tokens: Tokens) -> list[int]:
    """1 where characters lie between a token and the one before it."""
    if not tokens.spans:
        return []
    return [0, *(int(second[0] > first[1]) for first, second in zip(tokens.spans, tokens.spans[1:], strict=False))]


def mask(attention: Attention, blocks: Blocks) -> dict[str, Any] | str:
    """Which cells are allowed: `all`, `causal`, or bits and which of them each map has."""
    allowed = attention.effective_mask()
    if allowed is None or allowed.all():
        return "all"
    flat: NDArray[np.bool_] = allowed.reshape(-1, *allowed.shape[2:])
    n_query, n_key = flat.shape[1:]
    if (flat == np.tri(n_query, n_key, n_key - n_query, dtype=bool)).all():
        return "causal"
    if attention.pairs:
        which = [i % len(flat) for i in range(len(attention.places))]
    else:
        which = [(i // attention.weights.shape[1]) % len(flat) for i in range(len(attention.places))]
    bits = np.packbits(flat.reshape(len(flat), -1), axis=1)
    return {"bits": blocks.numbers(bits), "which": which}
