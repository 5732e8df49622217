"""RoBERTa (Liu 2019): BERT whose positions count from behind the padding id. Also XLM-RoBERTa and CamemBERT."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Learned, Spec
from attnviz.families import bert
from attnviz.families._config import Config

NAMES = bert.NAMES


def after_padding(config: Config, plain: Spec, pad: int = 1) -> Spec:
    """The same with positions that count from behind the padding id."""
    pad = config.int("pad_token_id", pad, low=0)
    return replace(
        plain, absolute=Learned(config.int("max_position_embeddings", 512), offset=pad + 1), pad_positions=pad
    )


def spec(config: Config) -> Spec:
    """RobertaConfig."""
    return after_padding(config, bert.spec(config, vocab=50265))
