"""Splinter (Ram 2021): BERT trained to answer questions by selecting spans, with a token for the question."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _encoder
from attnviz.families._config import Config

NAMES = _encoder.NAMES


def spec(config: Config) -> Spec:
    """SplinterConfig. Its head reads the hidden state of the question token."""
    config.skip("question_token_id")
    return _encoder.encoder(config, positions=("absolute",))
