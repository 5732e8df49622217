"""PEGASUS (Zhang 2020): pre-norm encoder and decoder, sinusoidal positions."""

from __future__ import annotations

from attnviz.engine.spec import EncoderDecoder
from attnviz.families import _seq2seq
from attnviz.families._config import Config
from attnviz.families._recipes import END, Recipe

NAMES = _seq2seq.names()
UNEMBED = _seq2seq.UNEMBED
TOKENIZERS = dict.fromkeys(
    ("pegasus", "bigbirdpegasus"),
    Recipe(
        "$A:0 {eos}:0",
        "$A:0 $B:0 {eos}:0",
        {**END, "mask": "<mask_2>"},
        spaces="words",
        front=("<pad>", "</s>", "<mask_1>", "<mask_2>", *(f"<unk_{i}>" for i in range(2, 103))),
        skip=2,
    ),
)


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
