"""BERT (Devlin 2019): post-norm encoder, learned positions, token types."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _encoder
from attnviz.families._config import Config

NAMES = _encoder.NAMES


def spec(config: Config) -> Spec:
    """BertConfig."""
    return _encoder.encoder(config)
