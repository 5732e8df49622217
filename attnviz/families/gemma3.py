"""Gemma 3 (Gemma Team 2025): the language model of the reader of images."""

from __future__ import annotations

from collections.abc import Mapping

from attnviz.engine.spec import Spec
from attnviz.families import _wrapper
from attnviz.families._config import Config
from attnviz.families._names import Source


def language(config: Config) -> Config:
    """The configuration of the language model."""
    return _wrapper.language(config, "gemma3_text", tied=True)


def names(config: Config) -> Mapping[str, Source]:
    """Where the language model's tensors are."""
    return _wrapper.names(language(config))


def spec(config: Config) -> Spec:
    """Gemma3Config. Texts alone: images are not read."""
    return _wrapper.spec(config, language(config))
