"""mBART (Liu 2020): BART with norms in front, and one behind each stack."""

from __future__ import annotations

from attnviz.engine.spec import EncoderDecoder, Learned
from attnviz.families import _seq2seq
from attnviz.families._config import Config

NAMES = _seq2seq.names()


def spec(config: Config) -> EncoderDecoder:
    """MBartConfig."""
    config.rename(d_model="hidden_size")
    places = Learned(config.int("max_position_embeddings", 1024) + 2, offset=2)
    return _seq2seq.stacks(
        config,
        vocab=50265,
        absolute=places,
        embed_norm=_seq2seq.PLAIN,
        embed_scale=_seq2seq.scaled(config),
        norm=_seq2seq.PLAIN,
        norm_before=True,
        final_norm=_seq2seq.PLAIN,
    )
