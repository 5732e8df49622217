"""Blenderbot small (Roller 2020): post-norm encoder and decoder for chat; the decoder norms before positions."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import EncoderDecoder, Learned
from attnviz.families import _seq2seq
from attnviz.families._config import Config

NAMES = _seq2seq.names()
UNEMBED = _seq2seq.UNEMBED


def spec(config: Config) -> EncoderDecoder:
    """BlenderbotSmallConfig. The decoder's embeddings are normalised, never scaled, before positions are added."""
    config.rename(d_model="hidden_size")
    config.skip("extra_pos_embeddings", "layernorm_variant", "do_blenderbot_90_layernorm", "extra_layer_norm")
    config.skip("normalize_before", "normalize_embedding", "add_bias_logits", "add_final_layer_norm")
    both = _seq2seq.stacks(
        config,
        start=1,
        vocab=50265,
        d_model=512,
        d_mlp=2048,
        n_layers=(8, 8),
        absolute=Learned(config.int("max_position_embeddings", 512)),
        embed_norm=_seq2seq.PLAIN,
        embed_scale=_seq2seq.scaled(config, 512),
        norm=_seq2seq.PLAIN,
        norm_after=True,
    )
    return replace(both, decoder=replace(both.decoder, embed_order=("norm", "add"), embed_scale=1.0))
