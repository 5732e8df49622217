"""Attention: what was computed, as one plain value, the same for every model.

Nothing here knows how the numbers came about. Methods that draw, analyse or save import the views, the renderers
or the analyses inside the method, so that holding an Attention costs NumPy and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from attnviz.axis import Tokens
from attnviz.errors import InputError, SelectionError, one_of
from attnviz.select import (
    HeadChoice,
    LayerChoice,
    Pairs,
    asked_heads,
    find_mark,
    find_token,
    listed_pairs,
    occurring,
    of_pairs,
    parse_range,
    places_of,
    resolve_pairs,
)

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as MatplotlibFigure
    from numpy.typing import NDArray

    from attnviz.show import HtmlPage

STREAMS = ("self", "encoder", "decoder", "cross")


@dataclass(frozen=True, eq=False)
class Attention:
    """Attention weights of one stream of one model for one input.

    weights: float32 [layer, head, query, key], after softmax; 0 where attending was not allowed.
    mask: bool [layer or 1, query, key], True where attending was allowed; None where unknown (a foreign file).
    queries, keys: the tokens along the two axes.
    layers, heads: true indices in the model. A mean leaves an axis of length 1 and all averaged indices here.
    stream: self | encoder | decoder | cross.
    grid: (rows, columns) of an image's patches, or None.
    cell: tokens to a cell, 1 unless pooled.
    reduced: '' or what was averaged or pooled, in words fit for a picture.
    meta: what made it (JSON values only): digest, seed, version, notes, ...
    pairs: () for all heads of all layers above. Else (layer, head) of each map, for heads of different layers: weights
    are then [1, pair, query, key], mask is [pair, query, key], and layers and heads hold the indices that occur.
    """

    weights: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    queries: Tokens
    keys: Tokens
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    stream: str = "self"
    model: str = ""
    grid: tuple[int, int] | None = None
    cell: int = 1
    reduced: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        wanted = (len(self.queries), len(self.keys))
        if self.weights.ndim != 4 or self.weights.shape[2:] != wanted:
            raise InputError(
                f"weights must be [layer, head, {wanted[0]} queries, {wanted[1]} keys]; got {list(self.weights.shape)}"
            )
        n_layers, n_maps = self.weights.shape[:2]
        if self.pairs and (n_layers != 1 or n_maps not in (1, len(self.pairs))):
            raise InputError(f"weights must be [1, {len(self.pairs)} pairs, ...]; got {list(self.weights.shape)}")
        named = occurring(self.pairs)
        if self.pairs and ((self.layers, self.heads) != named or len(set(self.pairs)) < len(self.pairs)):
            raise InputError(
                f"layers {list(self.layers)} and heads {list(self.heads)} do not belong to "
                f"{listed_pairs(self.pairs)}, each named once"
            )
        counts = (n_maps,) if self.pairs else (1, n_layers)
        if self.mask is not None and (self.mask.shape[1:] != wanted or self.mask.shape[0] not in counts):
            some = " or ".join(map(str, sorted(set(counts), reverse=True)))
            raise InputError(f"mask must be [{some}, {wanted[0]}, {wanted[1]}]; got {list(self.mask.shape)}")
        if self.stream not in STREAMS:
            raise InputError(one_of("stream", self.stream, STREAMS))

    # The contract's flat names for the two token axes.
    query_tokens = property(lambda self: self.queries.text)
    query_ids = property(lambda self: self.queries.ids)
    query_words = property(lambda self: self.queries.words)
    query_special = property(lambda self: self.queries.special)
    query_segments = property(lambda self: self.queries.segments)
    key_tokens = property(lambda self: self.keys.text)
    key_ids = property(lambda self: self.keys.ids)
    key_words = property(lambda self: self.keys.words)
    key_special = property(lambda self: self.keys.special)
    key_segments = property(lambda self: self.keys.segments)

    def __repr__(self) -> str:
        n_layers, n_heads, n_query, n_key = self.weights.shape
        note = f", {self.reduced}" if self.reduced else ""
        which = f"heads {listed_pairs(self.pairs)}" if self.pairs else f"{n_layers} layers x {n_heads} heads"
        return f"<Attention {self.model} {self.stream}: {which} x {n_query} queries x {n_key} keys{note}>"

    @property
    def places(self) -> tuple[tuple[int | None, int | None], ...]:
        """(layer, head) of each map in order, layer after layer; None for an axis that was averaged."""
        n_layers, n_heads = self.weights.shape[:2]
        if self.pairs:
            return self.pairs if len(self.pairs) == n_heads else ((None, None),)
        layers = self.layers if len(self.layers) == n_layers else (None,) * n_layers
        heads = self.heads if len(self.heads) == n_heads else (None,) * n_heads
        return tuple(product(layers, heads))

    @property
    def allowed(self) -> NDArray[np.bool_] | None:
        """The mask with as many axes as the weights, to which it broadcasts; None where unknown."""
        if self.mask is None:
            return None
        return self.mask[None] if self.pairs else self.mask[:, None]

    def effective_mask(self) -> NDArray[np.bool_] | None:
        """`allowed`; if the mask is unknown, causal where no weight lies above the diagonal. None: all allowed."""
        n_query, n_key = self.weights.shape[2:]
        square = n_query == n_key > 1 and self.stream != "cross" and self.cell == 1
        each = (weights for layer in self.weights for weights in layer)
        if self.mask is not None or not square or any(np.triu(weights, 1).any() for weights in each):
            return self.allowed
        return np.tri(n_query, dtype=bool)[None, None]

    def blocks(self, masks: NDArray[np.bool_] | None) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_] | None]]:
        """Maps that share a mask, [head, query, key], and that mask: all heads of a layer, or one of several pairs.

        masks: as `allowed` has them.
        """
        flat = None if masks is None else masks.reshape(-1, *masks.shape[2:])
        for i, block in enumerate(self.weights.swapaxes(0, 1) if self.pairs else self.weights):
            yield block, None if flat is None else flat[i % len(flat)]

    def maps(self) -> list[tuple[NDArray[np.float32], NDArray[np.bool_] | None]]:
        """The weights [query, key] of each map and its mask, in the order of `places`."""
        return [(weights, mask) for block, mask in self.blocks(self.allowed) for weights in block]

    def select(
        self,
        layers: LayerChoice = None,
        heads: HeadChoice = None,
    ) -> Attention:
        """Only these layers and heads, by their true indices in the model (a negative one counts from the end).

        layers, heads: also text, as in "0-3" or "all". heads: also "3.1" for head 1 of layer 3, as in ["3.1", "5.11"]:
        heads of different layers, in that order (see `pairs`). In an Attention of pairs, plain indices keep the pairs
        whose layer or head is named.

        Raises SelectionError if one of them is not held, or if an averaged axis would have to be split.
        """
        asked = asked_heads(heads, layers)
        if isinstance(asked, str) and of_pairs(asked):
            return _pairs_named(self, asked)
        if self.pairs and (layers is not None or asked is not None):
            return _pairs_among(self, layers, asked)
        at_layers = places_of("layer", layers, self.layers, self.weights.shape[0])
        at_heads = places_of("head", asked, self.heads, self.weights.shape[1])
        mask = self.mask
        if mask is not None and mask.shape[0] > 1 and at_layers is not None:
            mask = mask[at_layers]
        weights = self.weights if at_layers is None else self.weights[at_layers]
        weights = weights if at_heads is None else weights[:, at_heads]
        return replace(
            self,
            weights=weights,
            mask=mask,
            layers=self.layers if at_layers is None else tuple(self.layers[i] for i in at_layers),
            heads=self.heads if at_heads is None else tuple(self.heads[i] for i in at_heads),
        )

    def words(self) -> Attention:
        """Words instead of pieces: weights are summed over a word's keys and averaged over its queries.

        Rows still sum to what they summed to. Raises InputError after pooling: a cell has no words.
        """
        if self.cell > 1:
            raise InputError("words cannot be taken from pooled attention", "ask for words first, without cells")
        rows, cols = self.queries.groups(), self.keys.groups()
        if len(rows) == len(self.queries) and len(cols) == len(self.keys):
            return self
        row_starts, col_starts = [g[0] for g in rows], [g[0] for g in cols]
        sizes = np.array([len(g) for g in rows], np.float32)
        weights = np.add.reduceat(self.weights, col_starts, axis=-1)
        weights = np.add.reduceat(weights, row_starts, axis=-2) / sizes[:, None]
        mask = self.mask
        if mask is not None:
            mask = np.logical_or.reduceat(np.logical_or.reduceat(mask, col_starts, axis=-1), row_starts, axis=-2)
        return replace(
            self,
            weights=weights.astype(np.float32, copy=False),
            mask=mask,
            queries=self.queries.merged(),
            keys=self.keys.merged(),
            reduced=_also(self.reduced, "words: sum over keys, mean over queries"),
        )

    def without_special(self, renormalise: bool = False) -> Attention:
        """Without the rows and columns of special tokens ([CLS], </s>, ...).

        renormalise: divide each row by what is left of it, so that it sums to 1 again (an empty one stays 0).
        Raises InputError if nothing would be left.
        """
        rows = [i for i, special in enumerate(self.query_special) if not special]
        cols = [i for i, special in enumerate(self.key_special) if not special]
        if not rows or not cols:
            raise InputError("only special tokens: nothing is left without them")
        weights = self.weights[:, :, rows][..., cols]
        note = "special tokens left out"
        if renormalise:
            total = weights.sum(-1, keepdims=True)
            weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
            note += ", rows renormalised"
        dropped = len(rows) < len(self.queries) or len(cols) < len(self.keys)
        return replace(
            self,
            weights=weights,
            mask=None if self.mask is None else self.mask[:, rows][..., cols],
            queries=self.queries.take(rows),
            keys=self.keys.take(cols),
            reduced=_also(self.reduced, note) if dropped else self.reduced,
        )

    def mean(self, over: str) -> Attention:
        """The mean over "heads" or over "layers". The axis stays, with length 1.

        Heads of different layers have a mean over heads alone: over all of them, whatever their layers.
        """
        if over not in ("heads", "layers"):
            raise SelectionError(one_of("mean", over, ("heads", "layers")))
        if self.pairs and over == "layers":
            raise SelectionError(
                f"heads {listed_pairs(self.pairs)} make up no whole layers to average", "take the mean over heads"
            )
        axis = 1 if over == "heads" else 0
        mask = self.mask
        if (over == "layers" or self.pairs) and mask is not None and mask.shape[0] > 1:
            mask = np.logical_or.reduce(mask, axis=0, keepdims=True)
        count = self.weights.shape[axis]
        return replace(
            self,
            weights=self.weights.mean(axis, keepdims=True, dtype=np.float64).astype(np.float32),
            mask=mask,
            reduced=_also(self.reduced, f"mean over {count} {over if count > 1 else over[:-1]}"),
        )

    def save(self, path: str | PathLike[str]) -> None:
        """Write a file: an .npz that `attnviz.open` and plain NumPy read (without pickle), or what the extension names.

        .json, .csv and .parquet hold the numbers; .png, .svg, .pdf and .pgf the picture of `heatmap()`; .gif and .apng
        a picture of each layer, one after the other; .html a page for a browser.
        """
        from attnviz.show import save_attention

        save_attention(self, path)

    @overload
    def heatmap(self, *, ax: Axes, **options: Any) -> Axes: ...
    @overload
    def heatmap(self, *, ax: None = None, **options: Any) -> MatplotlibFigure: ...
    def heatmap(self, *, ax: Axes | None = None, **options: Any) -> MatplotlibFigure | Axes:
        """One panel per head as a matplotlib Figure. Options: see `attnviz.page.heatmap.heatmap`.

        ax: an axes of a figure of one's own, into which one map (one layer and head, or a mean) is drawn, and which is
        returned. Options are then the ones of `attnviz.render.axes.heatmap_in`: scale, vmax, cmap, colorbar, decimals,
        marks, title, font_size.
        """
        from attnviz.show import draw_attention

        return draw_attention(self, ax, options)

    def html(self, *beside: Attention, names: Sequence[str] = (), compared: bool = False) -> HtmlPage:
        """Every head as a page for a browser: `.save("page.html")`, or the last line of a notebook's cell.

        beside: attention of the same input, such as the streams of an encoder-decoder. names: of all of them; their
        streams by default. compared: this and one other are two sides of a comparison, shown abreast.
        """
        from attnviz.show import html_of_attentions

        return html_of_attentions((self, *beside), names, compared)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A row per weight, as in .parquet, as an Arrow stream (PyCapsule interface): pandas, polars, DuckDB read it.

        A batch holds one map. Raises OutputError if pyarrow is not installed.
        """
        from attnviz.show import arrow_of_attention

        return arrow_of_attention(self, requested_schema)

    def _repr_png_(self) -> bytes:
        from attnviz.show import encode_attention

        return encode_attention(self)

    def _repr_html_(self) -> str:
        import base64
        from html import escape

        picture = base64.b64encode(self._repr_png_()).decode("ascii")
        return f'<img alt="{escape(repr(self), quote=True)}" src="data:image/png;base64,{picture}">'


def _also(reduced: str, note: str) -> str:
    return f"{reduced}; {note}" if reduced else note


def joined(attention: Attention, words: bool, special: bool) -> Attention:
    """In words if `words`, without special tokens unless `special`.

    Tokens that were cut out of a longer text are then counted afresh.
    """
    if words or not special:
        attention = replace(attention, meta={key: value for key, value in attention.meta.items() if key != "origin"})
    attention = attention.words() if words else attention
    return attention if special else attention.without_special()


def crop(attention: Attention, rows: tuple[int, int] | None, cols: tuple[int, int] | None) -> Attention:
    """Only these queries and keys, each (first, last); None for all.

    meta["origin"] then holds the indices of the first query and key left, so that numbers keep their places. Rows
    sum to less than 1 if keys go; `reduced` names the tokens kept. Raises SelectionError if an axis ends before `last`.
    """
    sizes = (len(attention.queries), len(attention.keys))
    for ends, size, what in zip((rows, cols), sizes, ("queries", "keys"), strict=True):
        if ends is not None and ends[1] >= size:
            raise SelectionError(f"tokens {ends[0]}-{ends[1]} are not there; the {what} are 0-{size - 1}")
    (top, bottom), (left, right) = rows or (0, sizes[0] - 1), cols or (0, sizes[1] - 1)
    at, to = slice(top, bottom + 1), slice(left, right + 1)
    before = attention.meta.get("origin", (0, 0))
    note = ""
    if right - left + 1 < sizes[1]:
        note = f"tokens {left}-{right} of 0-{sizes[1] - 1}"
    return replace(
        attention,
        weights=attention.weights[:, :, at, to],
        mask=None if attention.mask is None else attention.mask[:, at, to],
        queries=attention.queries.take(range(top, bottom + 1)),
        keys=attention.keys.take(range(left, right + 1)),
        reduced="; ".join(filter(None, (attention.reduced, note))),
        meta={**attention.meta, "origin": [before[0] + top, before[1] + left]},
    )


def narrowed(
    attention: Attention, tokens: str | None, query: str | None, marks: Sequence[str] = ()
) -> tuple[Attention, int | None, list[tuple[int, int]]]:
    """The tokens of a range such as `3-9`, the index of one query among them, and the cells that marks name.

    Tokens are found and counted before the range is cut out, as `attnviz tokens` lists them.

    Raises:
        SelectionError: no such token, or one that lies outside of the range.
    """
    cells = [find_mark(attention.queries, attention.keys, mark) for mark in marks]
    row = None if query is None else find_token(attention.queries, query, "queries")
    if tokens is None:
        return attention, row, cells
    first, last = parse_range(tokens)
    attention = crop(attention, (first, last), (first, last))
    if row is not None and not first <= row <= last:
        raise SelectionError(f"--query {query}: token {row} lies outside of --tokens {tokens}")
    for mark, cell in zip(marks, cells, strict=True):
        if not all(first <= place <= last for place in cell):
            raise SelectionError(f"--mark {mark}: the cell lies outside of --tokens {tokens}")
    return attention, None if row is None else row - first, [(i - first, j - first) for i, j in cells]


def _pairs_named(attention: Attention, text: str) -> Attention:
    """The maps of the pairs that `text` names, as heads of different layers, in the order asked."""
    have: dict[int, list[int]] = {}
    for layer, head in attention.places:
        if layer is None or head is None:
            what = " and ".join(["layers"] * (layer is None) + ["heads"] * (head is None))
            raise SelectionError(f"{what} were averaged: {text} cannot be taken out again")
        have.setdefault(layer, []).append(head)
    return _taken(attention, resolve_pairs(text, {layer: sorted(have[layer]) for layer in sorted(have)}))


def _pairs_among(attention: Attention, layers: LayerChoice, heads: LayerChoice) -> Attention:
    """Only the pairs whose layer and head are wanted; None for any."""
    listed = listed_pairs(attention.pairs)
    if len(attention.pairs) != attention.weights.shape[1]:
        raise SelectionError(f"heads {listed} were averaged: none of them can be taken out again")
    pairs = attention.pairs
    for axis, (what, wanted, have) in enumerate(
        (("layer", layers, attention.layers), ("head", heads, attention.heads))
    ):
        places = places_of(what, wanted, have, len(have))
        if places is not None:
            named = [have[place] for place in places]
            pairs = tuple(pair for pair in pairs if pair[axis] in named)
    if not pairs:
        raise SelectionError(f"none of {listed} has this layer and this head")
    return _taken(attention, pairs)


def _taken(attention: Attention, pairs: Pairs) -> Attention:
    """The maps of these pairs, all of which are held."""
    places = {place: i for i, place in enumerate(attention.places)}
    n_heads = attention.weights.shape[1]
    rows, columns = zip(*(divmod(places[pair], n_heads) for pair in pairs), strict=True)
    masks = attention.allowed
    if masks is not None:
        masks = masks[[i % masks.shape[0] for i in rows], [i % masks.shape[1] for i in columns]]
    layers, heads = occurring(pairs)
    weights = attention.weights[list(rows), list(columns)][None]
    return replace(attention, weights=weights, mask=masks, layers=layers, heads=heads, pairs=pairs)
