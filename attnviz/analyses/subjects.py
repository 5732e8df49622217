"""Subjects of analyses in Python: a Model, an Attention or a source, with inputs, made what an analysis looks at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

from attnviz.analyses.base import CELLS, SelectedMaps
from attnviz.analyses.every_layer import EveryLayer
from attnviz.analyses.head_circuits import ModelHeads
from attnviz.analyses.one_head import OneHead
from attnviz.analyses.two import TwoMaps, two_layers, two_passes
from attnviz.attention import Attention, joined
from attnviz.errors import InputError, SelectionError, shown
from attnviz.models.context import Asked
from attnviz.models.edited import Rereading
from attnviz.models.inputs import InputArguments
from attnviz.models.model import Model
from attnviz.models.prompt import Prompt
from attnviz.models.repeated import repeated_tokens
from attnviz.models.source import AttentionSource, attend_some_rows, attention_source
from attnviz.models.trial_inputs import Trial, trials
from attnviz.select import Chosen, asked_heads, chosen_heads, find_token

if TYPE_CHECKING:
    from attnviz.analyses.mechanisms import ModelText, Timer
    from attnviz.corpora.folder import Corpus
    from attnviz.corpora.follow import Watched

# What an input of a model may be, and what else a subject takes in Python besides the analysis' own options: name ->
# type, as the stub has it.
INPUTS = {"text": "str | None", "pair": "str | None"} | {
    name: getattr(hint, "__forward_arg__", str(hint)) for name, hint in InputArguments.__annotations__.items()
}
_MAPS = {"layers": "Iterable[int] | int | str | None", "heads": "Iterable[int | str] | int | str | None"}
_JOINED = {"words": "bool", "no_special": "bool"}
_CHOSEN = INPUTS | _MAPS | _JOINED


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

    @property
    def every(self) -> bool:
        """Whether all layers and heads are wanted."""
        return self.layers is None and self.heads is None

    def among(self, n_layers: int, n_heads: int) -> Chosen:
        """The layers and heads of a model of that size."""
        return chosen_heads(self.layers, self.heads, n_layers, n_heads)


def _input(inputs: Sequence[Any], named: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `Model.prepare`, out of a text, a second text, and the keywords."""
    if len(inputs) > 2:
        raise InputError(f"a model reads a text and at most a second one; got {len(inputs)}")
    text = dict(zip(("text", "pair"), inputs, strict=False))
    return text | {name: named.pop(name) for name in INPUTS if name in named}


def _no_input(inputs: Sequence[Any], named: dict[str, Any]) -> None:
    if inputs or named.keys() & INPUTS.keys():
        raise InputError("attention that is there already takes no text", "give the model instead, and its text")


def _wanted(subject: Any, wanted: str = "a Model") -> InputError:
    """The error for a first argument that the analysis cannot look at."""
    return InputError(f"wanted {wanted}; got {type(subject).__name__}", "open a model by attnviz.load")


def _selected(subject: Any, inputs: Sequence[Any], named: dict[str, Any], choice: _Choice) -> Attention:
    """An Attention, with layers, heads and tokens as asked for."""
    if not isinstance(subject, Attention):
        raise InputError(
            f"wanted an Attention, an AttentionSource or a Model; got {type(subject).__name__}",
            "open a model by attnviz.load, or saved attention by attnviz.open",
        )
    _no_input(inputs, named)
    attention = subject if choice.every else subject.select(choice.layers, choice.heads)
    return joined(attention, choice.words, not choice.no_special)


# One function per subject. Each takes what it needs out of `named`; what is left are the analysis' own options.


def _attention(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> AttentionSource:
    choice = _Choice.of(named)
    if isinstance(subject, Model):
        return attention_source(subject, subject.prepare(**_input(inputs, named)), choice)
    if isinstance(subject, AttentionSource):
        if choice != _Choice():
            raise SelectionError("an AttentionSource has its layers, heads and tokens", "choose them where it is made")
        _no_input(inputs, named)
        return subject
    return AttentionSource.of(_selected(subject, inputs, named, choice))


def _some_rows(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> Attention:
    """Whole maps of an Attention or of a model's attention; some rows of a long text."""
    choice = _Choice.of(named)
    if not isinstance(subject, Model):
        return _selected(subject, inputs, named, choice)
    return attend_some_rows(subject, subject.prepare(**_input(inputs, named)), choice)


def _two_sources(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> TwoMaps:
    """Two Attentions; a Model and two texts; two Models and a text; or `layers` of one against its `layers_b`."""
    if "layers_b" in named:
        return _two_layers(subject, inputs, named, named.pop("layers_b"))
    if not inputs:
        raise InputError("wanted something to compare with", "as in attnviz.diff(model, text, another_text)")
    choice, (second, *rest) = _Choice.of(named), inputs
    if not isinstance(subject, Model):
        sides = [_selected(side, rest, named, choice) for side in (subject, second)]
        return TwoMaps(sides[0], sides[1])
    if isinstance(second, Model):
        model_input = _input(rest, named)
        both = (subject, subject.prepare(**model_input)), (second, second.prepare(**model_input))
    elif len(inputs) == 2:
        model_input = _input([], named)
        both = tuple((subject, subject.prepare(text, **model_input)) for text in inputs)  # type: ignore[assignment]
    else:
        raise InputError(f"wanted two texts, or another model and a text; got {len(inputs)} inputs")
    return two_passes(*both, choice)


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


def _selected_maps(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> SelectedMaps:
    """Whole maps of an Attention, or of a model's attention on an input; a longer text is pooled to `cells`."""
    choice, query = _Choice.of(named), named.pop("query", None)
    if isinstance(subject, Model):
        text = "text" in (named.get("shape"), named.get("as"))
        single = text or query is not None or choice.words or choice.no_special
        cells = named.pop("cells", None if single else CELLS)
        attention = subject.attend(**_input(inputs, named), layers=choice.layers, heads=choice.heads, cells=cells)
        attention = joined(attention, choice.words, not choice.no_special)
    else:
        attention = _selected(subject, inputs, named, choice)
    position = None if query is None else find_token(attention.queries, str(query), "queries")
    return SelectedMaps(attention, position, not choice.every)


def _text_or_random(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> dict[str, AttentionSource]:
    """`text`, `random` or both: attention on the input, and on random tokens that come twice."""
    sources, random = {}, bool(named.get("random"))
    if random and not isinstance(subject, Model):
        raise InputError("random tokens need a model: attention that is there has been computed")
    maps = {name: named[name] for name in ("stream", "layers", "heads") if name in named}
    if not random or inputs or named.keys() & INPUTS.keys() - {"stream"}:
        sources["text"] = _attention(subject, inputs, named)
    if random:
        sources["random"] = repeated_tokens(subject, **maps)
    for name in maps:
        named.pop(name, None)
    return sources


def _one_head(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> OneHead:
    """`layer` and `head` of a Model that is ready to read an input."""
    if not isinstance(subject, Model):
        raise _wanted(subject, "a Model, whose pass is watched")
    layer, head = named.pop("layer", -1), named.pop("head", None)
    return OneHead.of(subject, subject.prepare(**_input(inputs, named)), layer, head)


def _every_layer(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> EveryLayer:
    """Attention in every layer, of which some layers and tokens are shown in the end."""
    layers, words, no_special = (named.pop(name, None) for name in ("layers", "words", "no_special"))
    heads = asked_heads(named.get("heads"), layers)
    source = _attention(subject, inputs, named)
    single = heads is not None or bool(source.pairs)
    return EveryLayer.of(source, layers, single=single, words=bool(words), special=not no_special)


def _model(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> ModelHeads:
    """A model's heads, without a text."""
    if not isinstance(subject, Model) or inputs:
        raise _wanted(subject, "a Model and no text")
    return ModelHeads(subject, *(named.pop(name, None) for name in ("stream", "layers", "heads")))


def _attention_or_model(
    subject: Any, inputs: Sequence[Any], named: dict[str, Any]
) -> Attention | tuple[Model, Sequence[Trial]]:
    """Attention, or a model with an input for every stream: the one given, or one made up."""
    if isinstance(subject, Model):
        return subject, list(trials(subject, _input(inputs, named)))
    if not isinstance(subject, Attention):
        raise _wanted(subject, "an Attention or a Model")
    _no_input(inputs, named)
    return subject


def _whole_model(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> Model:
    """A model as it is, without an input."""
    if not isinstance(subject, Model):
        raise _wanted(subject)
    if inputs:
        raise InputError(f"a model is looked at without an input; got {shown(inputs[0])}")
    return subject


def _text_timer_or_nothing(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> ModelText | Timer | None:
    from attnviz.analyses.mechanisms import ModelText, opened_timer

    seed = named.pop("seed", 0)
    if named.get("scaling"):
        return opened_timer(seed)
    if subject is None:
        return None
    if not isinstance(subject, Model):
        raise _wanted(subject)
    choice = _Choice.of(named)
    layer, head = named.pop("layer", 0), named.pop("head", 0)
    texts = _input(inputs, named)
    text = texts.pop("text", None)
    return ModelText(subject, text, texts, layer, head, choice.words, not choice.no_special)


def _prompt(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> Prompt:
    """A text for a model to continue."""
    if not isinstance(subject, Model):
        raise _wanted(subject, "a Model, which continues a text")
    choice, prompt = _Choice.of(named), _input(inputs, named)
    if prompt.pop("pair", None) is not None:
        raise InputError("one text is continued, so there is no second one", "put both sentences into the first")
    words, special = choice.words, not choice.no_special
    return Prompt.of(subject, **prompt, layers=choice.layers, heads=choice.heads, words=words, special=special)


_ASKED = {
    "question": "str | None",
    "sources": "Iterable[str]",
    "answer": "str | None",
    "prompt": "str | None",
    "split": "str | None",
    "max_new": "int",
    "chat": "bool",
    "date": "str | None",
}


def _asked(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> Asked:
    """A model, and what it is asked: a question about sources, each text one source unless `split` cuts them."""
    if not isinstance(subject, Model):
        raise _wanted(subject, "a Model, which answers")
    if len(inputs) > 1:
        raise InputError(f"one question is asked; got {len(inputs)}", "the texts go into sources=[...]")
    given = dict(zip(("question",), inputs, strict=False)) | {name: named.pop(name) for name in _ASKED if name in named}
    if isinstance(given.get("sources"), str):
        raise InputError("sources must be a list of texts; got one text", 'as in sources=["Ann keeps bees."]')
    return Asked(subject, **{**given, "sources": list(given.get("sources") or ())})


def _rereading(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> Rereading:
    """A model and an input that it reads again and again, with heads removed."""
    if not isinstance(subject, Model):
        raise _wanted(subject, "a Model, which is run again without some heads")
    maps = {name: named.pop(name, None) for name in _MAPS}
    given = _input(inputs, named)
    return Rereading.of(subject, given, stream=given.pop("stream", None), **maps)


def _output(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> Rereading:
    """A model and an input, for what it predicts."""
    if not isinstance(subject, Model):
        raise _wanted(subject, "a Model, which predicts")
    return Rereading.of(subject, _input(inputs, named))


_OF_RUN = {
    "text": "str | None",
    "pair": "str | None",
    "ids": INPUTS["ids"],
    "stream": INPUTS["stream"],
    "random": "bool",
    "corpus": "str | Iterable[str] | None",
    "cache": "str | None",
    "skip_different": "bool",
    "no_special": "bool",
}


def _checkpoints(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> Watched:
    """Checkpoints, by patterns, paths or as open models, and what all of them read."""
    from attnviz.analyses.checkpoints import opened_run

    return opened_run(subject, inputs, named)


def _corpus_folder(subject: Any, inputs: Sequence[Any], named: dict[str, Any]) -> Corpus:
    """A corpus that was measured, out of its folder."""
    from attnviz.corpora.folder import Corpus

    if not isinstance(subject, (str, PathLike)) or inputs:
        raise InputError(f"wanted the folder of a corpus; got {type(subject).__name__}", "attnviz.corpus writes one")
    return Corpus.open(subject)


class Subject(NamedTuple):
    """The subject of an analysis, in Python.

    kind: the type of the first argument. takes: the keywords besides the analysis' own options, by their types. open:
    the first argument, the inputs after it and all keywords -> what the analysis looks at.
    """

    kind: str
    takes: Mapping[str, str]
    open: Callable[[Any, Sequence[Any], dict[str, Any]], Any]


_OF_ATTENTION = "Attention | AttentionSource | Model"
_OF_TWO = {name: hint for name, hint in INPUTS.items() if name != "text"} | _MAPS | {"layers_b": _MAPS["layers"]}
_OF_ONE_HEAD = INPUTS | {"layer": "int"}
SUBJECTS: dict[str, Subject] = {
    "attention": Subject(_OF_ATTENTION, _CHOSEN, _attention),
    "text or random tokens": Subject(_OF_ATTENTION, _CHOSEN, _text_or_random),
    "every layer": Subject(_OF_ATTENTION, _CHOSEN, _every_layer),
    "maps of some rows": Subject("Attention | Model", _CHOSEN, _some_rows),
    "selected maps": Subject(
        "Attention | Model", _CHOSEN | {"query": "str | int | None", "cells": "int | None"}, _selected_maps
    ),
    "two sources": Subject(
        "Attention | Model", {"*others": "Attention | Model | str"} | _OF_TWO | _JOINED, _two_sources
    ),
    "one head": Subject("Model", _OF_ONE_HEAD | {"head": "int | None"}, _one_head),
    "text, timer or nothing": Subject(
        "Model | None", _OF_ONE_HEAD | {"head": "int", "seed": "int"} | _JOINED, _text_timer_or_nothing
    ),
    "model": Subject("Model", {"stream": INPUTS["stream"]} | _MAPS, _model),
    "attention or model": Subject("Attention | Model", INPUTS, _attention_or_model),
    "whole model": Subject("Model", {}, _whole_model),
    "checkpoints": Subject("str | Model | Iterable[str | Model]", _OF_RUN | _MAPS, _checkpoints),
    "corpus folder": Subject("str | PathLike[str]", {}, _corpus_folder),
    "sources and a question": Subject("Model", _ASKED, _asked),
    "rereading": Subject("Model", INPUTS | _MAPS, _rereading),
    "output": Subject("Model", {name: hint for name, hint in INPUTS.items() if name != "stream"}, _output),
    "prompt": Subject("Model", {name: hint for name, hint in _CHOSEN.items() if name != "pair"}, _prompt),
}
