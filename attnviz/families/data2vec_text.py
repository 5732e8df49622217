"""data2vec for text (Baevski 2022): RoBERTa, trained to predict its own hidden states."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._recipes import ROBERTA

NAMES = _encoder.NAMES
TOKENIZERS = {"data2vectext": ROBERTA}
MASKED = _unembed.ROBERTA


def spec(config: Config) -> Spec:
    """Data2VecTextConfig."""
    return _encoder.after_padding(config, _encoder.encoder(config))
