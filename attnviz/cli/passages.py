"""From options to an AttentionSource: attention of a model or from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.cli.analyses import Heads
from attnviz.cli.options import Input, Saved, Selection, Talk
from attnviz.cli.source import Source
from attnviz.errors import InputError

if TYPE_CHECKING:
    from attnviz.models.source import AttentionSource


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
