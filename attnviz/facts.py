"""SourceFacts: what every result states about the attention it was computed from, and its wording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.axis import Tokens

Place = tuple[int | None, int | None]


@dataclass(frozen=True, eq=False, kw_only=True)
class SourceFacts:
    """Everything known about attention except its weights: the model, the tokens, which maps, what was left out.

    model: its name. stream: self | encoder | decoder | cross. queries, keys: the tokens along both axes.
    layers, heads: true indices in the model; where an axis was averaged, all indices that went in.
    places: (layer, head) of each map, None for an averaged axis. reduced, meta, pairs: as in an Attention.
    """

    model: str
    stream: str
    queries: Tokens
    keys: Tokens
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    places: tuple[Place, ...]
    reduced: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    pairs: tuple[tuple[int, int], ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """(layers, heads) of numbers that have one value per map; (1, pairs) of heads of different layers."""
        if self.pairs:
            return 1, len(self.places)
        n_layers = len({layer for layer, _ in self.places})
        return n_layers, len(self.places) // max(n_layers, 1)

    @property
    def named(self) -> list[tuple[tuple[int, int], Place]]:
        """(position in an array of `shape`, (layer, head)) of each map."""
        n_layers, n_heads = self.shape
        return list(zip(product(range(n_layers), range(n_heads)), self.places, strict=True))

    @property
    def ordered(self) -> bool:
        """Whether queries and keys are the same tokens in one order, so that distance and neighbours mean something."""
        return self.stream != "cross" and len(self.queries) == len(self.keys)

    @property
    def random(self) -> bool:
        """Whether the weights are random: nobody trained them."""
        return bool(self.meta.get("random"))

    def names(self) -> list[str]:
        """`3.1` for each map, in order; `mean` for an averaged axis."""
        return [head_name(*place) for place in self.places]

    @property
    def attention(self) -> str:
        """`cross attention`, `encoder attention`; '' where the model has one kind of attention alone."""
        return "" if self.stream == "self" else f"{self.stream} attention"

    def title(self) -> str:
        """`minilm · 6 layers x 12 heads`, `minilm · heads 3.1, 5.11 (layer.head)`."""
        if self.pairs:
            maps = ", ".join(pairs_in_words(self.pairs, self.places))
        else:
            axes = zip(("layer", "head"), (self.layers, self.heads), self.shape, strict=True)
            maps = " x ".join(_count(what, indices, shown) for what, indices, shown in axes)
        return dotted(self.model, stream_in_words(self.stream), maps)

    def subtitle(self) -> str:
        """`15 tokens · random weights, seed 0`."""
        n_query, n_key = len(self.queries), len(self.keys)
        what = "words" if "words" in self.reduced else "tokens"
        parts = [
            f"{n_query} {what if n_query > 1 else what[:-1]}" if self.ordered else f"{n_query} queries x {n_key} keys"
        ]
        return dotted(*parts, randomness(self.meta))

    def remarks(self) -> list[str]:
        """Notes: what was done to the tokens, and what the model reports about itself."""
        reduced = [note for note in self.reduced.split("; ") if note and not note.startswith("mean over")]
        if "special tokens left out" in reduced and not any("renormalised" in note for note in reduced):
            reduced[reduced.index("special tokens left out")] = (
                "special tokens left out: rows keep what is left of them"
            )
        return [*reduced, *attention_notes(self.meta)]

    def axes(self) -> dict[str, Any]:
        """The names of a board's rows and columns, and what they are: `board_axes`."""
        return board_axes(self.pairs, self.places, self.shape[1])

    def pair(self, place: Place, query: int, key: int, **numbers: float) -> dict[str, Any]:
        """The row of a table for one query and one key of the map at `place`, with its numbers."""
        layer, head = place
        query_token, key_token = self.queries.text[query], self.keys.text[key]
        row = {"layer": layer, "head": head, "query": query, "query_token": query_token}
        return row | {"key": key, "key_token": key_token} | numbers

    def made_by(self, command: object) -> dict[str, str]:
        """The maker of a file, for the file to carry: command, model, version, digest, seed. No clock, no path."""
        return made_by(command, self.model, self.meta)


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """Facts about a model alone; model is '' where a result has none. meta: as in an Attention."""

    model: str
    meta: Mapping[str, Any]

    def made_by(self, command: object) -> dict[str, str]:
        """The maker of a file, for the file to carry; see `SourceFacts.made_by`."""
        return {name: text for name, text in made_by(command, self.model, self.meta).items() if text}


def facts_of(subject: Attention | SourceFacts) -> SourceFacts:
    """The facts alone of an Attention or of an AttentionSource: a small value that a result can keep."""
    return SourceFacts(**{entry.name: getattr(subject, entry.name) for entry in fields(SourceFacts)})


def made_by(command: object, model: str, meta: Mapping[str, Any]) -> dict[str, str]:
    """The maker of a file, for the file to carry. meta: as in an Attention."""
    from attnviz import __version__

    facts = {"command": str(command), "model": model, "version": __version__}
    for name in ("digest", "revision", "adapter_digest", "seed"):
        if meta.get(name) not in (None, ""):
            facts[name] = str(meta[name])
    return facts


def heading(subject: Attention | SourceFacts, name: str = "", does: str = "", query: str = "") -> str:
    """`all-MiniLM-L6-v2 · layer 3 · 12 heads · query “it”`: model, stream, layers, heads, and the one query.

    name: instead of the model's; does: what the only head does; query: the label of the only query.
    """
    parts = [name or subject.model, str(subject.meta.get("measure", "")), stream_in_words(subject.stream)]
    parts += pairs_in_words(subject.pairs, subject.places) if subject.pairs else _axes_in_words(subject)
    return with_query(dotted(*parts, does), query)


def dotted(*parts: str) -> str:
    """The parts of a title that are not empty, with dots between."""
    return " · ".join(filter(None, parts))


def stream_in_words(stream: str) -> str:
    """`cross-attention`, `encoder self-attention`; '' where the model has one kind of attention alone."""
    return {"self": "", "cross": "cross-attention"}.get(stream, f"{stream} self-attention")


def with_query(title: str, query: str) -> str:
    """The title of a picture that shows the row of one query; the title alone where query is empty."""
    return f"{title} · query “{query}”" if query else title


def _axes_in_words(subject: Attention | SourceFacts) -> list[str]:
    """`layer 3`, `12 heads`, or what was averaged."""
    parts = []
    n_layers = len({layer for layer, _ in subject.places})
    shown_heads = len(subject.places) // n_layers
    for what, shown, indices in (("layer", n_layers, subject.layers), ("head", shown_heads, subject.heads)):
        if shown < len(indices) and what == "head" and subject.meta.get("together"):
            parts.append(f"{len(indices)} heads together")
        elif shown < len(indices):
            parts.append(f"mean over {listed(what, indices)}")
        elif what == "head" and shown > 1 and tuple(indices) == tuple(range(shown)):
            parts.append(f"{shown} heads")
        else:
            parts.append(listed(what, indices))
    return parts


def pairs_in_words(pairs: Sequence[tuple[int, int]], places: Sequence[object]) -> list[str]:
    """Heads of different layers in words: `heads 3.1, 5.11 (layer.head)`; a count if a list would be long.

    places: as in an Attention; fewer than the pairs where they were averaged.
    """
    if len(pairs) == 1:
        return [f"layer {pairs[0][0]}", f"head {pairs[0][1]}"]
    some = "heads " + ", ".join(f"{layer}.{head}" for layer, head in pairs[:7])
    if len(pairs) > 6:
        layers = sorted({layer for layer, _ in pairs})
        some = f"{len(pairs)} heads of {f'{len(layers)} layers' if len(layers) > 1 else f'layer {layers[0]}'}"
    return [f"{'mean over ' if len(places) < len(pairs) else ''}{some} (layer.head)"]


def listed(what: str, indices: Sequence[int]) -> str:
    """`head 1`, `heads 0–11`, `heads 0, 2, 5`; a count if a list would be long."""
    if len(indices) == 1:
        return f"{what} {indices[0]}"
    low, high = min(indices), max(indices)
    if sorted(indices) == list(range(low, high + 1)):
        return f"{what}s {low}–{high}" if len(indices) > 2 else f"{what}s {low}, {high}"
    if len(indices) <= 6:
        return f"{what}s {', '.join(map(str, indices))}"
    return f"{len(indices)} {what}s of {low}–{high}"


def randomness(meta: Mapping[str, Any]) -> str:
    """`random weights, seed 0`; '' of a model that somebody trained. meta: as in an Attention."""
    seed = meta.get("seed")
    return "random weights" + (f", seed {seed}" if seed is not None else "") if meta.get("random") else ""


def attention_notes(meta: Mapping[str, Any]) -> list[str]:
    """Notes from the computation of the attention: configuration keys that were ignored, and other notes.

    meta: as in an Attention; out of a file its values may have any type.
    """
    notes, ignored = (_strings(meta.get(name)) for name in ("notes", "ignored_keys"))
    if ignored:
        notes.append(f"ignored configuration key{'s' if len(ignored) > 1 else ''}: {', '.join(ignored)}")
    return notes


def _strings(value: object) -> list[str]:
    values = value if isinstance(value, (list, tuple)) else [value]
    return [text for text in (" ".join(str(item).split()) for item in values if item is not None) if text]


def board_axes(pairs: Sequence[tuple[int, int]], places: Sequence[Place], n_heads: int) -> dict[str, Any]:
    """Names of a board's rows and columns, and what both are, as `boards` takes them. Pairs make up one row.

    pairs, places: as in an Attention. n_heads: number of maps per layer.
    """
    if pairs:
        return {"layers": [""], "heads": [head_name(*place) for place in places], "axes": ("", "layer.head")}
    layers, heads = [_index(layer) for layer, _ in places[::n_heads]], [_index(head) for _, head in places[:n_heads]]
    return {"layers": layers, "heads": heads, "axes": ("layer", "head")}


def head_name(layer: int | None, head: int | None) -> str:
    """`3.1`: head 1 of layer 3, in every table, picture and option; `mean` for an averaged axis."""
    return f"{_index(layer)}.{_index(head)}"


def _index(index: int | None) -> str:
    return "mean" if index is None else str(index)


def _count(what: str, indices: Sequence[int], shown: int) -> str:
    """`6 layers`, `layer 3`, `mean of 12 heads`."""
    if shown < len(indices):
        return f"mean of {len(indices)} {what}s"
    return f"{shown} {what}s" if shown > 1 else f"{what} {indices[0]}"
