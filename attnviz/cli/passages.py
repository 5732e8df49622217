"""From options to an AttentionSource: attention of a model or from a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from attnviz.cli.analyses import Heads
from attnviz.cli.options import Input, Saved, Selection, Talk, usage
from attnviz.cli.source import Source
from attnviz.errors import InputError

if TYPE_CHECKING:
    from attnviz.models.source import AttentionSource

T = TypeVar("T")
LIFT = "lift: the weight less the mean of its key's column over the other queries"
MOST = 500_000_000  # weights that are held at once, two gigabytes of them


def passage(given: Input, saved: Saved, source: Source, heads: Heads, talk: Talk) -> AttentionSource:
    """What the options ask for: a model's attention, which is not held, unless words are to be made of it."""
    from attnviz.cli import work
    from attnviz.models.source import AttentionSource, attention_source
    from attnviz.render.progress import progress
    from attnviz.select import resolve_heads

    asked = Selection(
        words=heads.words, no_special=heads.no_special, layer=heads.layer, head=heads.head, stream=heads.stream
    )
    if saved.saved is not None:
        return AttentionSource.of(work.attention(given, saved, source, asked, talk, layers="all"))
    model, ready = work.prepared(given, source, heads.stream, talk)
    at = resolve_heads(heads.layer or "all", heads.head, ready.spec.n_layers, ready.spec.n_heads)
    how: dict[str, Any] = {"words": heads.words, "special": not heads.no_special}
    with progress("attention", total=1, quiet=talk.quiet) as advance:
        return attention_source(model, ready, at.beside, at.asked, progress=advance, **how)


def repeated(source: Source, heads: Heads, talk: Talk) -> AttentionSource:
    """Random tokens that come twice, for the model that the options name."""
    from attnviz.cli import work
    from attnviz.models.repeated import repeated_tokens
    from attnviz.select import resolve_heads

    model = work.load(source, talk)
    if heads.stream not in (None, *model.streams):
        raise InputError(f"{model.name} has no {heads.stream} attention; it has {', '.join(model.streams)}")
    stream = heads.stream or model.streams[0]
    at = resolve_heads(heads.layer or "all", heads.head, *model.size(stream))
    return repeated_tokens(model, stream=stream, layers=at.beside, heads=at.asked)[0]


def observed(source: AttentionSource, talk: Talk, look: Callable[..., T], passes: int = 1) -> T:
    """What `look(source, progress)` finds, with a bar where that takes long. passes: how often it observes."""
    from attnviz.render.progress import progress

    with progress("attention", total=passes, quiet=talk.quiet) as advance:
        return look(source, advance)


def lift_or_weight(by: str | None) -> str:
    """--by of links: lift unless asked otherwise."""
    from attnviz.errors import one_of

    if by not in (None, "lift", "weight"):
        usage(one_of("--by", by, ("lift", "weight")))
    return by or "lift"
