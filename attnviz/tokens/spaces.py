"""Preparation of a text, mostly of its spaces, before it is split into a SentencePiece model's pieces.

SentencePiece's file describes it; transformers' fast tokenizers, whose ids published models are used with, decide by
the tokenizer's class instead. Each function here returns (normaliser, pre-tokenizer) of the `tokenizers` library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from attnviz.families._recipes import Recipe

UNIGRAM, BPE = 1, 2  # kinds of model


@dataclass(frozen=True)
class Model:
    """The content of a .model: pieces as (text, score, kind), and the preparation of texts."""

    pieces: list[tuple[str, float, int]]
    kind: int = UNIGRAM
    byte_fallback: bool = False
    charsmap: bytes = b""
    dummy_prefix: bool = True
    trim_spaces: bool = True


Steps = tuple[Any, Any]


def prepared(model: Model, recipe: Recipe, options: Mapping[str, Any]) -> Steps:
    """Prepare texts as the fast tokenizer of the recipe's family does. options: tokenizer_config.json."""
    return _WAYS[recipe.spaces](model, recipe, options)


def _stripped(model: Model, recipe: Recipe, options: Mapping[str, Any]) -> Steps:
    """Most families: trailing white space is dropped, several spaces become one word boundary."""
    from tokenizers import Regex, normalizers

    steps = [normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]
    is_new = "extra_ids" in recipe.back and options.get("legacy") is False
    return normalizers.Sequence([*_charsmap(model), *steps]), _metaspace("first" if is_new else "always")


def _words(model: Model, recipe: Recipe, options: Mapping[str, Any]) -> Steps:
    """Pegasus: as most families, but split at white space of every kind."""
    from tokenizers import pre_tokenizers

    steps, split = _stripped(model, recipe, options)
    return steps, pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), split])


def _spoken(model: Model, recipe: Recipe, options: Mapping[str, Any]) -> Steps:
    """ALBERT, XLNet: quotes, accents and case are simplified; spaces before a piece stay."""
    from tokenizers import normalizers

    steps = [*_plain(recipe, options), *_charsmap(model), _single_spaces()]
    return normalizers.Sequence(steps), _metaspace("always")


def _rembert(model: Model, recipe: Recipe, options: Mapping[str, Any]) -> Steps:
    """RemBERT: as ALBERT, but several spaces become one before accents are removed."""
    from tokenizers import normalizers

    quotes, rest = _plain(recipe, options)[:2], _plain(recipe, options)[2:]
    return normalizers.Sequence([*quotes, _single_spaces(), *rest, *_charsmap(model)]), _metaspace("always")


def _deberta(model: Model, recipe: Recipe, options: Mapping[str, Any]) -> Steps:
    """DeBERTa v2: white space at both ends is dropped; punctuation may be split off (split_by_punct)."""
    from tokenizers import normalizers, pre_tokenizers

    steps: list[Any] = [normalizers.Lowercase()] if options.get("do_lower_case", recipe.lower) is True else []
    steps += [normalizers.Strip(), *_charsmap(model), _single_spaces()]
    cut = [pre_tokenizers.Punctuation(behavior="isolated")] if options.get("split_by_punct") is True else []
    return normalizers.Sequence(steps), pre_tokenizers.Sequence([*cut, _metaspace("always")])


def _kept(model: Model, recipe: Recipe, options: Mapping[str, Any]) -> Steps:
    """Llama and similar families: every space counts, pieces may hold several words.

    legacy: each part of a text between special tokens gets the mark of a word's beginning; otherwise only the text
    itself does.
    """
    from tokenizers import normalizers, pre_tokenizers

    prefix = options.get("add_prefix_space") is not False
    if options.get("legacy") is False:
        scheme = "first" if prefix else "never"
        return None, pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme, split=False)
    front = [normalizers.Prepend("▁")] if prefix else []
    return normalizers.Sequence([*front, normalizers.Replace(" ", "▁")]), None


def _marked(model: Model, recipe: Recipe, options: Mapping[str, Any]) -> Steps:
    """Gemma: spaces are marked, nothing is put in front."""
    from tokenizers import normalizers, pre_tokenizers

    return normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous")


def own(model: Model) -> Steps:
    """Prepare texts as SentencePiece does, by the settings in the model's file."""
    from tokenizers import Regex, normalizers

    steps = _charsmap(model)
    if model.trim_spaces:
        steps += [normalizers.Replace(Regex(r"\A +| +\z"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    steps += [normalizers.Prepend("▁")] if model.dummy_prefix else []
    return normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")]), None


def _plain(recipe: Recipe, options: Mapping[str, Any]) -> list[Any]:
    """Quotes written as two characters become one; accents and case are removed, unless the options keep them."""
    from tokenizers import normalizers

    steps: list[Any] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if options.get("keep_accents", recipe.accents) is not True:
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if options.get("do_lower_case", recipe.lower) is True:
        steps.append(normalizers.Lowercase())
    return steps


def _charsmap(model: Model) -> list[Any]:
    from tokenizers import normalizers

    return [normalizers.Precompiled(model.charsmap)] if model.charsmap else []


def _single_spaces() -> Any:
    from tokenizers import Regex, normalizers

    return normalizers.Replace(Regex(" {2,}"), " ")


def _metaspace(scheme: str) -> Any:
    from tokenizers import pre_tokenizers

    return pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme)


_WAYS: Mapping[str, Callable[[Model, Recipe, Mapping[str, Any]], Steps]] = {
    "": _stripped,
    "words": _words,
    "plain": _spoken,
    "plain_late": _rembert,
    "ends": _deberta,
    "kept": _kept,
    "marked": _marked,
    "own": lambda model, recipe, options: own(model),
}
