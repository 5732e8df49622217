"""Blenderbot (Roller 2020): pre-norm encoder and decoder for conversation, learned positions."""

from __future__ import annotations

from attnviz.engine.spec import EncoderDecoder, Learned
from attnviz.families import _seq2seq
from attnviz.families._config import Config
from attnviz.families._recipes import MASK_STRIPS, S_NAMES, Recipe

NAMES = _seq2seq.names()
UNEMBED = _seq2seq.UNEMBED
TOKENIZERS = {"blenderbot": Recipe("$A:0 {eos}:0", "$A:0 $B:1", S_NAMES, vocab="bytes", flags=MASK_STRIPS)}


def spec(config: Config) -> EncoderDecoder:
    """BlenderbotConfig."""
    config.rename(d_model="hidden_size")
    # The reference ignores earlier files' keys about norms.
    config.skip("extra_pos_embeddings", "layernorm_variant", "do_blenderbot_90_layernorm", "extra_layer_norm")
    config.skip("normalize_before", "normalize_embedding", "add_bias_logits", "add_final_layer_norm")
    return _seq2seq.stacks(
        config,
        start=1,
        vocab=8008,
        d_model=2560,
        n_heads=32,
        d_mlp=10240,
        n_layers=(2, 24),
        absolute=Learned(config.int("max_position_embeddings", 128)),
        embed_scale=_seq2seq.scaled(config, 2560),
        norm=_seq2seq.PLAIN,
        norm_before=True,
        final_norm=_seq2seq.PLAIN,
    )
