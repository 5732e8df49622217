"""Qwen2.5-VL (Bai 2025): the language model of a reader of images and films."""

from __future__ import annotations

from collections.abc import Mapping

from attnviz.engine.spec import Spec
from attnviz.families import _wrapper
from attnviz.families._config import Config
from attnviz.families._names import Source


def language(config: Config) -> Config:
    """The configuration of the language model."""
    return _wrapper.language(config, "qwen2_5_vl_text")


def names(config: Config) -> Mapping[str, Source]:
    """Where the language model's tensors are."""
    return _wrapper.names(language(config))


def spec(config: Config) -> Spec:
    """Qwen2_5_VLConfig. Texts alone: images are not read."""
    return _wrapper.spec(config, language(config))
