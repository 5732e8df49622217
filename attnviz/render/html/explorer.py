"""Attention as the sources of an explorer, as a page's JSON says it (`Source` in web/types.d.ts)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.facts import board_axes, dotted, facts_of, stream_in_words
from attnviz.measures.overview import overview
from attnviz.measures.resting import resting
from attnviz.page.colour_limits import is_signed, limits
from attnviz.page.parts.explorer import Details
from attnviz.render.html.weights import packed, packed_vectors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.axis import Tokens
    from attnviz.measures.overview import HeadNumber
    from attnviz.page.parts.explorer import Explorer, Vectors
    from attnviz.render.html.blocks import Blocks

PICTURE = 300  # pixels a side of a picture at most


def explorer(part: Explorer, blocks: Blocks) -> dict[str, Any]:
    """The part as JSON values; weights, pictures and vectors go into blocks."""
    names = part.names or tuple(attention.stream for attention in part.attentions)
    details = part.details or (Details(),) * len(part.attentions)
    cells = [attention.weights.size or 1 for attention in part.attentions]
    sources = [
        source(attention, name, blocks, beside, size / sum(cells))
        for attention, name, beside, size in zip(part.attentions, names, details, cells, strict=True)
    ]
    return {"kind": "Explorer", "sources": sources, "compared": part.compared, "start": dict(part.start)}


def source(
    attention: Attention, name: str, blocks: Blocks, details: Details | None = None, share: float = 1.0
) -> dict[str, Any]:
    """One Attention, and what is known beside its maps. share: its share of the page's weights."""
    details = details or Details()
    signed = is_signed(attention.weights)
    scale, _ = limits(attention, "auto", None, "ink")
    rests = [] if attention.cell > 1 else np.flatnonzero(resting(attention)).tolist()
    board = board_axes(attention.pairs, attention.places, attention.weights.shape[1])
    maps = [weights for block in attention.weights for weights in block]
    numbers = details.numbers
    if numbers is None:
        numbers = overview(attention, signed) if attention.cell == 1 else ()
    return {
        "name": name,
        "title": dotted(name if name != attention.stream else "", stream_in_words(attention.stream))
        or "self-attention",
        "model": str(attention.meta.get("model", "")),
        "stream": attention.stream,
        "queries": axis(attention.queries, []),
        "keys": axis(attention.keys, rests),
        "places": [list(place) for place in attention.places],
        "layers": list(board["layers"]),
        "heads": list(board["heads"]),
        "axes": list(board["axes"]),
        "ordered": facts_of(attention).ordered,
        "signed": signed,
        "cell": attention.cell,
        "label": str(attention.meta.get("measure", "attention weight")),
        "maps": packed(maps, rests, mask(attention, blocks), scale.high, blocks, share, _plain(attention, rests)),
        "scale": {"kind": "sqrt" if scale.kind == "sqrt" else "linear", "high": scale.high},
        "statistics": [statistic(each) for each in numbers],
        "tokens": None if details.tokens is None else _texts(*details.tokens),
        "links": None if details.links is None else [[_link(link) for link in links] for links in details.links],
        "image": None if details.picture is None else image(attention, details.picture, blocks),
        "generated": details.generated,
        "vectors": None if details.vectors is None else vectors(details.vectors, blocks),
    }


def _plain(attention: Attention, rests: Sequence[int]) -> tuple[Sequence[int], Sequence[int]] | None:
    """The queries that are not special and the keys that are no resting place, as web/axis.js leaves them."""
    if not rests:
        return None
    queries = [i for i, special in enumerate(attention.queries.special) if not special]
    keys = sorted(set(range(len(attention.keys))).difference(rests))
    return queries or range(len(attention.queries)), keys or range(len(attention.keys))


def statistic(number: HeadNumber) -> dict[str, Any]:
    """A number of every head as `Statistic` in web/types.d.ts."""
    values = [None if value is None else float(f"{value:.4g}") for value in number.values]
    return {"name": number.name, "label": number.label, "meaning": number.meaning, "values": values}


def _texts(queries: Tokens, keys: Tokens) -> dict[str, Any]:
    spaced = {"queries": _spaced(queries), "keys": _spaced(keys)}
    return {"queries": list(queries.text), "keys": list(keys.text), "spaced": spaced}


def _link(link: tuple[int, int, float]) -> list[float]:
    query, key, weight = link
    return [int(query), int(key), float(f"{weight:.5g}")]


def image(attention: Attention, picture: NDArray[np.uint8], blocks: Blocks) -> dict[str, Any] | None:
    """The picture, made small, and where its patches lie among the keys; None if the keys are no patches."""
    if attention.grid is None or len(attention.keys) < attention.grid[0] * attention.grid[1]:
        return None
    rows, columns = attention.grid
    times = -(-max(picture.shape[:2]) // PICTURE)
    height, width = (size // times * times for size in picture.shape[:2])
    cut = picture[:height, :width].reshape(height // times, times, width // times, times, 3)
    small = np.rint(cut.mean((1, 3), dtype=np.float64)).astype(np.uint8)
    return {
        "rows": rows,
        "columns": columns,
        "first": len(attention.keys) - rows * columns,
        "picture": blocks.numbers(small),
    }


def vectors(given: Vectors, blocks: Blocks) -> dict[str, Any]:
    """Queries and keys of every head, two bytes a number."""
    return {
        "queries": packed_vectors(given.queries, blocks),
        "keys": packed_vectors(given.keys, blocks),
        "of": list(given.of),
        "width": given.queries.shape[-1],
        "scaling": [float(f"{factor:.9g}") for factor in given.scaling],
        "note": given.note,
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
