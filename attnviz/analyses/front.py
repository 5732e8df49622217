"""Analyses from Python: `attnviz.focus(model, text, query="it")` opens what it is given as the command line would."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
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
        named: `layers`, `heads`, `stream`, `words`, `no_special`; other inputs of `Model.attend`; and the command's
            options by their names.

    Raises:
        InputError: an input that the subject cannot have. SelectionError: no such option, value, layer or head.
    """
    source, rest = OPENERS[analysis.subject](subject, inputs, dict(named))
    return analysis.compute(source, analysis.opened(**rest), None)


def _attention(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[AttentionSource, dict[str, Any]]:
    layers, heads = named.pop("layers", None), named.pop("heads", None)
    words, special = named.pop("words", False), not named.pop("no_special", False)
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

# What a subject takes in Python besides the analysis' own options: name -> type, as the stub has it.
_TEXTS = {
    "text": "str | None",
    "pair": "str | None",
    "target": "str | None",
    "ids": "ArrayLike | None",
    "token_types": "ArrayLike | None",
    "target_ids": "ArrayLike | None",
    "pixel_values": "ArrayLike | None",
    "input_values": "ArrayLike | None",
    "input_features": "ArrayLike | None",
    "stream": "str | None",
    "global_tokens": "Iterable[int] | None",
}
_MAPS = {"layers": "Iterable[int] | int | None", "heads": "Iterable[int | str] | int | str | None"}
_JOINED = {"words": "bool", "no_special": "bool"}
TAKES: dict[str, tuple[str, dict[str, str]]] = {
    "attention": ("Attention | AttentionSource | Model", _TEXTS | _MAPS | _JOINED),
    "text or random tokens": ("Attention | AttentionSource | Model", _TEXTS | _MAPS | _JOINED),
}


def signature(analysis: Analysis) -> inspect.Signature:
    """What the analysis takes from Python: its subject, an input, layers and heads, and its options."""
    kind, named = TAKES.get(analysis.subject, ("Any", {}))
    parameters = [inspect.Parameter("source", inspect.Parameter.POSITIONAL_ONLY, annotation=kind)]
    for name, hint in named.items():
        place = inspect.Parameter.POSITIONAL_OR_KEYWORD if name in ("text", "pair") else inspect.Parameter.KEYWORD_ONLY
        default = False if hint == "bool" else None
        parameters.append(inspect.Parameter(name, place, default=default, annotation=hint))
    for each in fields(analysis.options):
        hint = each.type if isinstance(each.type, str) else each.type.__name__
        parameters.append(
            inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hint)
        )
    return inspect.Signature(parameters, return_annotation=analysis.result.__name__)


def function(analysis: Analysis) -> Callable[..., Any]:
    """The analysis as a plain function with a signature and a docstring of its own: what `attnviz.NAME` is."""

    def run(source: Any, /, *inputs: Any, **named: Any) -> Any:
        return call(analysis, source, inputs, named)

    about, *_ = analysis.help.strip().split("\n\n")
    options = [f"    {each.name}: {each.metadata['help']}" for each in fields(analysis.options)]
    run.__name__ = run.__qualname__ = analysis.name
    run.__module__ = "attnviz"
    run.__doc__ = "\n".join(
        [
            f"{' '.join(about.split())}",
            "",
            "A model takes the inputs of `Model.attend` after it; the rest are the options of",
            f"`attnviz {analysis.name} --help`. Returns a Result: `.rows()`, `.page()`, `.save(path)`.",
            *(["", "Args:", *options] if options else []),
        ]
    )
    run.__signature__ = signature(analysis)  # type: ignore[attr-defined]
    return run
