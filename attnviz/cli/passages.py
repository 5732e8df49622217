"""From options to a Passage: attention that passes by, of a model or from a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from attnviz.cli.analyses import Heads
from attnviz.cli.options import Input, Saved, Selection, Talk, usage
from attnviz.cli.source import Source
from attnviz.errors import InputError

if TYPE_CHECKING:
    from attnviz.passage import Passage

T = TypeVar("T")
LIFT = "lift: the weight less the mean of its key's column over the other queries"
MOST = 500_000_000  # weights that are held at once, two gigabytes of them


def passage(given: Input, saved: Saved, source: Source, heads: Heads, talk: Talk) -> Passage:
    """What the options ask for: a model's attention, which is not held, unless words are to be made of it."""
    from attnviz import passage
    from attnviz.cli import work
    from attnviz.render.progress import progress
    from attnviz.select import resolve_heads

    asked = Selection(
        words=heads.words, no_special=heads.no_special, layer=heads.layer, head=heads.head, stream=heads.stream
    )
    if saved.saved is not None:
        return passage.of_attention(work.attention(given, saved, source, asked, talk, layers="all"))
    model, ready = work.prepared(given, source, heads.stream, talk)
    at = resolve_heads(heads.layer or "all", heads.head, ready.spec.n_layers, ready.spec.n_heads)
    if not heads.words:
        return passage.of_model(model, ready, at.beside, at.asked, special=not heads.no_special)
    size = at.count * len(ready.queries) * len(ready.keys)
    if size > MOST:
        raise InputError(
            f"words are made of whole maps, which are {size * 4 / 1e9:.1f} GB for this text",
            "leave out --words, or choose fewer layers and heads",
        )
    with progress("attention", total=1, quiet=talk.quiet) as advance:
        return passage.of_attention(work.joined(passage.held(model, ready, at, advance), heads))


def repeated(source: Source, heads: Heads, talk: Talk) -> Passage:
    """Random tokens that come twice, for the model that the options name."""
    from attnviz.cli import work
    from attnviz.heads import repeated_tokens
    from attnviz.select import resolve_heads

    model = work.load(source, talk)
    if heads.stream not in (None, *model.streams):
        raise InputError(f"{model.name} has no {heads.stream} attention; it has {', '.join(model.streams)}")
    stream = heads.stream or model.streams[0]
    at = resolve_heads(heads.layer or "all", heads.head, *model.size(stream))
    return repeated_tokens(model, stream=stream, layers=at.beside, heads=at.asked)[0]


def observed(passage: Passage, talk: Talk, look: Callable[..., T], passes: int = 1) -> T:
    """What `look(passage, progress)` finds, with a bar where that takes long. passes: how often it observes."""
    from attnviz.render.progress import progress

    with progress("attention", total=passes, quiet=talk.quiet) as advance:
        return look(passage, advance)


def lift_or_weight(by: str | None) -> str:
    """--by of links: lift unless asked otherwise."""
    from attnviz.errors import one_of

    if by not in (None, "lift", "weight"):
        usage(one_of("--by", by, ("lift", "weight")))
    return by or "lift"


def title(passage: Passage) -> str:
    """`minilm · 6 layers x 12 heads`, `minilm · heads 3.1, 5.11 (layer.head)`."""
    from attnviz.page import wording

    n_layers, n_heads = passage.shape
    stream = {"self": "", "cross": "cross-attention"}.get(passage.stream, f"{passage.stream} self-attention")
    if passage.pairs:
        said = ", ".join(wording.of_pairs(passage.pairs, passage.places))
    else:
        said = " x ".join((_count("layer", passage.layers, n_layers), _count("head", passage.heads, n_heads)))
    parts = [passage.model, stream, said]
    return " · ".join(part for part in parts if part)


def axes(passage: Passage) -> dict[str, Any]:
    """What the rows and columns of a board are called, and what they are."""
    from attnviz.page.wording import board_axes

    return board_axes(passage.pairs, passage.places, passage.shape[1])


def names(passage: Passage) -> list[str]:
    """`3.1` of each map, in order."""
    return [".".join("mean" if at is None else str(at) for at in place) for place in passage.places]


def subtitle(passage: Passage) -> str:
    """`15 tokens · random weights, seed 0`."""
    n_query, n_key = len(passage.queries), len(passage.keys)
    what = "words" if "words" in passage.reduced else "tokens"
    parts = [f"{n_query} {what}" if passage.ordered else f"{n_query} queries x {n_key} keys"]
    if passage.meta.get("random"):
        seed = passage.meta.get("seed")
        parts.append("random weights" + (f", seed {seed}" if seed is not None else ""))
    return " · ".join(parts)


def remarks(passage: Passage) -> list[str]:
    """What was done to the tokens, and what the model wants said."""
    notes = passage.meta.get("notes") or ()
    reduced = [note for note in passage.reduced.split("; ") if note and not note.startswith("mean over")]
    if "special tokens left out" in reduced and not any("renormalised" in note for note in reduced):
        reduced[reduced.index("special tokens left out")] = "special tokens left out: rows keep what is left of them"
    return [*reduced, *map(str, notes if isinstance(notes, (list, tuple)) else [notes])]


def _count(what: str, indices: Sequence[int], shown: int) -> str:
    if shown < len(indices):
        return f"mean of {len(indices)} {what}s"
    return f"{shown} {what}s" if shown > 1 else f"{what} {indices[0]}"
