"""Analyses from Python: `attnviz.focus(model, text, query="it")` opens what it is given as the command line would."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from attnviz.analyses.base import CELLS, Request, SelectedMaps
from attnviz.analyses.every_layer import EveryLayer
from attnviz.analyses.head_circuits import ModelHeads
from attnviz.analyses.one_head import OneHead
from attnviz.analyses.two import TwoMaps, two_layers, two_passes
from attnviz.attention import Attention, joined
from attnviz.errors import InputError, SelectionError, shown
from attnviz.models.model import Model
from attnviz.models.prompt import Prompt
from attnviz.models.repeated import repeated_tokens
from attnviz.models.source import AttentionSource, attend_some_rows, attention_source
from attnviz.models.trial_inputs import Trial, trials
from attnviz.select import Chosen, asked_heads, chosen_heads, find_token, places_of

if TYPE_CHECKING:
    from attnviz.analyses.base import Analysis, Result
    from attnviz.analyses.mechanisms import ModelText, Timer

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
    options = analysis.opened(**rest)
    if analysis.refuses is not None:
        computed = isinstance(subject, Attention) or (isinstance(subject, AttentionSource) and not subject.opened)
        analysis.refuses(options, Request(from_file=computed, heads=asked_heads(named.get("heads"))))
    return analysis.compute(source, options, None)


def _attention(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[AttentionSource, dict[str, Any]]:
    choice = _Choice.of(named)
    if isinstance(subject, Model):
        return attention_source(subject, subject.prepare(**_input(inputs, named)), choice), named
    if isinstance(subject, AttentionSource):
        if choice != _Choice():
            raise SelectionError("an AttentionSource has its layers, heads and tokens", "choose them where it is made")
        _no_input(inputs, named)
        return subject, named
    return AttentionSource.of(_selected(subject, inputs, named, choice)), named


@dataclass(frozen=True)
class _Choice:
    """The keywords that choose among maps and tokens, for every subject."""

    layers: Any = None
    heads: Any = None
    words: bool = False
    no_special: bool = False

    @classmethod
    def of(cls, named: dict[str, Any]) -> _Choice:
        """Taken out of the keywords."""
        return cls(**{each.name: named.pop(each.name) for each in fields(cls) if each.name in named})

    def among(self, n_layers: int, n_heads: int) -> Chosen:
        """The layers and heads of a model of that size."""
        return chosen_heads(self.layers, self.heads, n_layers, n_heads)


def _input(inputs: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
    """What `Model.prepare` takes, out of a text, a second text, and the keywords."""
    if len(inputs) > 2:
        raise InputError(f"a model reads a text and at most a second one; got {len(inputs)}")
    text = dict(zip(("text", "pair"), inputs, strict=False))
    return text | {name: named.pop(name) for name in INPUTS if name in named}


def _no_input(inputs: Sequence[Any], named: dict[str, Any]) -> None:
    if inputs or named.keys() & set(INPUTS):
        raise InputError("attention that is there already takes no text", "give the model instead, and its text")


def _selected(subject: Any, inputs: Sequence[Any], named: dict[str, Any], choice: _Choice) -> Attention:
    """An Attention, with layers, heads and tokens as asked for."""
    if not isinstance(subject, Attention):
        raise InputError(
            f"wanted an Attention, an AttentionSource or a Model; got {type(subject).__name__}",
            "open a model by attnviz.load, or saved attention by attnviz.open",
        )
    _no_input(inputs, named)
    every = choice.layers is None and choice.heads is None
    attention = subject if every else subject.select(choice.layers, choice.heads)
    return joined(attention, choice.words, not choice.no_special)


def _some_rows(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[Attention, dict[str, Any]]:
    """Whole maps: those of an Attention, or of a model's attention, of a long text some rows."""
    choice = _Choice.of(named)
    if not isinstance(subject, Model):
        return _selected(subject, inputs, named, choice), named
    return attend_some_rows(subject, subject.prepare(**_input(inputs, named)), choice), named


def _two_sources(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[TwoMaps, dict[str, Any]]:
    """Two Attentions; a Model and two texts; two Models and a text; or `layers` of one against its `layers_b`."""
    if "layers_b" in named:
        return _two_layers(subject, inputs, named, named.pop("layers_b")), named
    if not inputs:
        raise InputError("wanted something to compare with", "as in attnviz.diff(model, text, another_text)")
    choice, (second, *rest) = _Choice.of(named), inputs
    if not isinstance(subject, Model):
        sides = [_selected(side, rest, named, choice) for side in (subject, second)]
        return TwoMaps(sides[0], sides[1]), named
    if isinstance(second, Model):
        model_input = _input(rest, named)
        both = (subject, subject.prepare(**model_input)), (second, second.prepare(**model_input))
    elif len(inputs) == 2:
        model_input = _input([], named)
        both = tuple((subject, subject.prepare(text, **model_input)) for text in inputs)  # type: ignore[assignment]
    else:
        raise InputError(f"wanted two texts, or another model and a text; got {len(inputs)} inputs")
    return two_passes(*both, choice), named


def _two_layers(subject: Any, inputs: Sequence[Any], named: dict[str, Any], layers_b: Any) -> TwoMaps:
    choice = _Choice.of(named)
    if choice.layers is None:
        raise SelectionError("layers_b needs layers, whose heads its own are compared with")
    choices = choice, replace(choice, layers=layers_b)
    if isinstance(subject, Model):
        model_input = subject.prepare(**_input(inputs, named))
        size = model_input.spec.n_layers, model_input.spec.n_heads
        layers, other_layers = (each.among(*size).layers for each in choices)
        return two_layers((subject, model_input), layers, other_layers, choice)
    first, second = (_selected(subject, inputs, named, each) for each in choices)
    return TwoMaps(first, second)


def _selected_maps(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[SelectedMaps, dict[str, Any]]:
    """Whole maps of an Attention, or of a model's attention on an input; a longer text is pooled to `cells`."""
    choice, query = _Choice.of(named), named.pop("query", None)
    chosen = choice.layers is not None or choice.heads is not None
    if isinstance(subject, Model):
        text = "text" in (named.get("shape"), named.get("as"))
        single = text or query is not None or choice.words or choice.no_special
        cells = named.pop("cells", None if single else CELLS)
        attention = subject.attend(**_input(inputs, named), layers=choice.layers, heads=choice.heads, cells=cells)
        attention = joined(attention, choice.words, not choice.no_special)
    else:
        attention = _selected(subject, inputs, named, choice)
    position = None if query is None else find_token(attention.queries, str(query), "queries")
    return SelectedMaps(attention, position, chosen), named


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


def _one_head(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[OneHead, dict[str, Any]]:
    """`layer` and `head` of a Model that is ready to read an input."""
    if not isinstance(subject, Model):
        raise InputError(f"wanted a Model, whose pass is watched; got {type(subject).__name__}", "see attnviz.load")
    layer, head = named.pop("layer", -1), named.pop("head", None)
    model_input = subject.prepare(**_input(inputs, named))
    return OneHead.of(subject, model_input, layer, head), named


def _every_layer(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[EveryLayer, dict[str, Any]]:
    """Attention in every layer, of which some layers and tokens are shown in the end."""
    layers, words, special = named.pop("layers", None), named.pop("words", False), not named.pop("no_special", False)
    heads = named.get("heads")
    asked_heads(heads, layers)
    source, named = _attention(subject, inputs, named)
    places = places_of("layer", layers, source.layers, source.shape[0])
    wanted = None if places is None else tuple(source.layers[place] for place in places)
    return EveryLayer(
        source, wanted, single=heads is not None or bool(source.pairs), words=words, special=special
    ), named


def _model(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[ModelHeads, dict[str, Any]]:
    """A model's heads, without a text."""
    if not isinstance(subject, Model) or inputs:
        raise InputError(f"wanted a Model and no text; got {type(subject).__name__}", "open a model by attnviz.load")
    stream, layers, heads = (named.pop(name, None) for name in ("stream", "layers", "heads"))
    return ModelHeads(subject, stream, layers, heads), named


def _attention_or_model(
    subject: Any, inputs: Sequence[Any], named: dict[str, Any]
) -> tuple[Attention | tuple[Model, Sequence[Trial]], dict[str, Any]]:
    """Attention, or a model with an input for every stream: the one given, or one made up."""
    if isinstance(subject, Model):
        return (subject, list(trials(subject, _input(inputs, named)))), named
    if not isinstance(subject, Attention):
        raise InputError(f"wanted an Attention or a Model; got {type(subject).__name__}")
    _no_input(inputs, named)
    return subject, named


def _whole_model(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[Model, dict[str, Any]]:
    """A model as it is, without an input."""
    if not isinstance(subject, Model):
        raise InputError(f"wanted a Model; got {type(subject).__name__}", "open one by attnviz.load")
    if inputs:
        raise InputError(f"a model is looked at without an input; got {shown(inputs[0])}")
    return subject, named


def _text_timer_or_nothing(
    subject: Any, inputs: Sequence[Any], named: dict[str, Any]
) -> tuple[ModelText | Timer | None, dict[str, Any]]:
    from attnviz.analyses.mechanisms import ModelText, opened_timer

    if named.get("scaling"):
        return opened_timer(named.pop("seed", 0)), named
    if subject is None:
        return None, named
    if not isinstance(subject, Model):
        raise InputError(f"wanted a Model; got {type(subject).__name__}", "open one by attnviz.load")
    named.pop("seed", None)
    chosen = _Choice.of(named)
    layer, head = named.pop("layer", 0), named.pop("head", 0)
    texts = _input(inputs, named)
    text = texts.pop("text", None)
    return ModelText(subject, text, texts, layer, head, chosen.words, not chosen.no_special), named


def _prompt(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> tuple[Prompt, dict[str, Any]]:
    """A text for a model to continue."""
    if not isinstance(subject, Model):
        raise InputError(f"wanted a Model, which continues a text; got {type(subject).__name__}", "see attnviz.load")
    choice, prompt = _Choice.of(named), _input(inputs, named)
    if prompt.pop("pair", None) is not None:
        raise InputError("one text is continued, so there is no second one", "put both sentences into the first")
    words, special = choice.words, not choice.no_special
    return Prompt.of(subject, **prompt, layers=choice.layers, heads=choice.heads, words=words, special=special), named


OPENERS: dict[str, Callable[[Any, Sequence[Any], dict[str, Any]], tuple[Any, dict[str, Any]]]] = {
    "attention": _attention,
    "text or random tokens": _text_or_random,
    "maps of some rows": _some_rows,
    "two sources": _two_sources,
    "selected maps": _selected_maps,
    "one head": _one_head,
    "every layer": _every_layer,
    "model": _model,
    "attention or model": _attention_or_model,
    "whole model": _whole_model,
    "text, timer or nothing": _text_timer_or_nothing,
    "prompt": _prompt,
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
_OTHERS = {name: hint for name, hint in _TEXTS.items() if name != "text"}
TAKES: dict[str, tuple[str, dict[str, str]]] = {
    "attention": ("Attention | AttentionSource | Model", _TEXTS | _MAPS | _JOINED),
    "text or random tokens": ("Attention | AttentionSource | Model", _TEXTS | _MAPS | _JOINED),
    "maps of some rows": ("Attention | Model", _TEXTS | _MAPS | _JOINED),
    "selected maps": (
        "Attention | Model",
        _TEXTS | _MAPS | _JOINED | {"query": "str | int | None", "cells": "int | None"},
    ),
    "two sources": (
        "Attention | Model",
        {"*others": "Attention | Model | str"} | _OTHERS | _MAPS | {"layers_b": _MAPS["layers"]} | _JOINED,
    ),
    "one head": ("Model", _TEXTS | {"layer": "int", "head": "int | None"}),
    "text, timer or nothing": (
        "Model | None",
        _TEXTS | {"layer": "int", "head": "int", "seed": "int"} | _JOINED,
    ),
    "every layer": ("Attention | AttentionSource | Model", _TEXTS | _MAPS | _JOINED),
    "model": ("Model", {"stream": _TEXTS["stream"]} | _MAPS),
    "attention or model": ("Attention | Model", _TEXTS),
    "whole model": ("Model", {}),
    "prompt": ("Model", {name: hint for name, hint in _TEXTS.items() if name != "pair"} | _MAPS | _JOINED),
}


def signature(analysis: Analysis) -> inspect.Signature:
    """What the analysis takes from Python: its subject, an input, layers and heads, and its options."""
    kind, named = TAKES.get(analysis.subject, ("Any", {}))
    default: Any = None if "None" in kind else inspect.Parameter.empty
    parameters = [inspect.Parameter("source", inspect.Parameter.POSITIONAL_ONLY, default=default, annotation=kind)]
    for name, hint in named.items():
        if name.startswith("*"):
            parameters.append(inspect.Parameter(name[1:], inspect.Parameter.VAR_POSITIONAL, annotation=hint))
            continue
        positional = name in ("text", "pair") and "text" in named
        place = inspect.Parameter.POSITIONAL_OR_KEYWORD if positional else inspect.Parameter.KEYWORD_ONLY
        default = False if hint == "bool" else None
        parameters.append(inspect.Parameter(name, place, default=default, annotation=hint))
    for each in fields(analysis.options):
        hint = each.type if isinstance(each.type, str) else each.type.__name__
        hint = "str | int | None" if each.metadata["metavar"] == "TOKEN" else hint
        parameters.append(
            inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hint)
        )
    return inspect.Signature(parameters, return_annotation=analysis.result.__name__)


def function(analysis: Analysis) -> Callable[..., Any]:
    """The analysis as a plain function with a signature and a docstring of its own: what `attnviz.NAME` is."""

    def run(source: Any = None, /, *inputs: Any, **named: Any) -> Any:
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
