"""RoBERTa (Liu 2019): BERT whose positions count from behind the padding id. Also XLM-RoBERTa and CamemBERT."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _encoder
from attnviz.families._config import Config

NAMES = _encoder.NAMES


def spec(config: Config) -> Spec:
    """RobertaConfig."""
    return _encoder.after_padding(config, _encoder.encoder(config, vocab=50265))
