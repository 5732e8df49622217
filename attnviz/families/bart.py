"""BART (Lewis 2020): post-norm encoder and decoder, learned positions, a norm on the embeddings."""

from __future__ import annotations

from attnviz.engine.spec import EncoderDecoder, Learned
from attnviz.families import _seq2seq
from attnviz.families._config import Config
from attnviz.families._recipes import ROBERTA

NAMES = _seq2seq.names()
UNEMBED = _seq2seq.UNEMBED
TOKENIZERS = dict.fromkeys(("bart", "led", "mvp"), ROBERTA)


def spec(config: Config) -> EncoderDecoder:
    """BartConfig. The first two rows of the position table are not used."""
    config.rename(d_model="hidden_size")
    places = Learned(config.int("max_position_embeddings", 1024) + 2, offset=2)
    return _seq2seq.stacks(
        config,
        vocab=50265,
        absolute=places,
        embed_norm=_seq2seq.PLAIN,
        embed_scale=_seq2seq.scaled(config),
        norm=_seq2seq.PLAIN,
        norm_after=True,
    )
