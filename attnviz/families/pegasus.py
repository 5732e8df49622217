"""PEGASUS (Zhang 2020): pre-norm encoder and decoder, sinusoidal positions."""

from __future__ import annotations

from attnviz.engine.spec import EncoderDecoder
from attnviz.families import _seq2seq
from attnviz.families._config import Config

NAMES = _seq2seq.names()


def spec(config: Config) -> EncoderDecoder:
    """PegasusConfig."""
    config.rename(d_model="hidden_size")
    config.skip("extra_pos_embeddings")
    both = _seq2seq.stacks(
        config,
        vocab=50265,
        embed_scale=_seq2seq.scaled(config),
        norm=_seq2seq.PLAIN,
        norm_before=True,
        final_norm=_seq2seq.PLAIN,
    )
    return _seq2seq.computed_positions(config, both)
