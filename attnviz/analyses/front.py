"""Analyses from Python: `attnviz.focus(model, text, query="it")` opens what it is given as the command line would."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnviz.attention import Attention
from attnviz.errors import InputError, SelectionError
from attnviz.models.model import Model
from attnviz.models.repeated import repeated_tokens
from attnviz.models.source import AttentionSource, attention_source

if TYPE_CHECKING:
    from attnviz.analyses.base import Analysis, Result

# Keywords of `Model.prepare`: what an input may be beside its text.
INPUTS = ("text", "pair", "target", "ids", "token_types", "target_ids", "pixel_values", "input_values",
          "input_features", "stream", "global_tokens")  # fmt: skip


def call(analysis: Analysis, subject: Any, inputs: Sequence[Any], named: Mapping[str, Any]) -> Result:
    """Run an analysis on an Attention, an AttentionSource, or a Model and what `Model.attend` takes.

    Args:
        subject: what is analysed. inputs: of a model, its text and a second text.
        named: `layers`, `heads`, `stream`, `words`, `special`; other inputs of `Model.attend`; and the command's
            options by their names.

    Raises:
        InputError: an input that the subject cannot have. SelectionError: no such option, value, layer or head.
    """
    source, rest = OPENERS[analysis.subject](subject, inputs, dict(named))
    return analysis.compute(source, analysis.opened(**rest), None)


def _attention(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[AttentionSource, dict[str, Any]]:
    layers, heads = named.pop("layers", None), named.pop("heads", None)
    words, special = named.pop("words", False), named.pop("special", True)
    if isinstance(subject, Model):
        text = dict(zip(("text", "pair"), inputs, strict=False))
        model_input = subject.prepare(**text, **{name: named.pop(name) for name in INPUTS if name in named})
        return attention_source(subject, model_input, layers, heads, words=words, special=special), named
    if inputs or named.keys() & set(INPUTS):
        raise InputError("attention that is there already takes no text", "give the model instead, and its text")
    if isinstance(subject, Attention):
        attention = subject if layers is None and heads is None else subject.select(layers, heads)
        attention = attention.words() if words else attention
        return AttentionSource.of(attention if special else attention.without_special()), named
    if isinstance(subject, AttentionSource):
        if layers is not None or heads is not None or words or not special:
            raise SelectionError("an AttentionSource has its layers, heads and tokens", "choose them where it is made")
        return subject, named
    raise InputError(
        f"wanted an Attention, an AttentionSource or a Model; got {type(subject).__name__}",
        "open a model by attnviz.load, or saved attention by attnviz.open",
    )


def _text_or_random(
    subject: Any, inputs: Sequence[Any], named: dict[str, Any]
) -> tuple[dict[str, AttentionSource], dict[str, Any]]:
    """`text`, `random` or both: attention on the input, and on random tokens that come twice."""
    sources, random = {}, bool(named.get("random"))
    if random and not isinstance(subject, Model):
        raise InputError("random tokens need a model: attention that is there has been computed")
    if random:
        stream, layers, heads = (named.get(name) for name in ("stream", "layers", "heads"))
        sources["random"] = repeated_tokens(subject, stream=stream, layers=layers, heads=heads)[0]
    if not random or inputs or named.keys() & set(INPUTS):
        text, named = _attention(subject, inputs, named)
        return {"text": text, **sources}, named
    return sources, {name: value for name, value in named.items() if name not in ("stream", "layers", "heads")}


OPENERS: dict[str, Callable[[Any, Sequence[Any], dict[str, Any]], tuple[Any, dict[str, Any]]]] = {
    "attention": _attention,
    "text or random tokens": _text_or_random,
}
