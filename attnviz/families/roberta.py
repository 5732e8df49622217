"""RoBERTa (Liu 2019): BERT whose positions count from behind the padding id. Also XLM-RoBERTa and CamemBERT."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Learned, Spec
from attnviz.families import bert
from attnviz.families._config import Config

NAMES = bert.NAMES


def spec(config: Config) -> Spec:
    """RobertaConfig."""
    pad = config.int("pad_token_id", 1, low=0)
    plain = bert.spec(config)
    size = config.int("max_position_embeddings", 512)
    if not config.has("vocab_size"):
        plain = replace(plain, vocab=50265)
    return replace(plain, absolute=Learned(size, offset=pad + 1), pad_positions=pad)
