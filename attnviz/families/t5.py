"""T5 (Raffel 2020): pre-norm encoder and decoder, RMS norms, a bucketed distance bias, unscaled scores."""

from __future__ import annotations

from attnviz.engine.spec import EncoderDecoder
from attnviz.families import _t5
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._recipes import END, THEN_END, Recipe
from attnviz.families._unembed import Unembedding

CLASSES = ("T5WithLMHeadModel",)  # as older files call the architecture
NAMES = _t5.names()
UNEMBED = Unembedding(tied=True, by_width=True, stored_first=True)
TOKENIZERS = {"t5": Recipe(*THEN_END, special=END, back=("extra_ids",))}


def spec(config: Config) -> EncoderDecoder:
    """T5Config."""
    return _t5.stacks(config, vocab=32128, n_layers=6, n_heads=8, d_mlp=2048, feed_forward="relu")


def _from_gguf(m: Metadata) -> Made:
    return {
        **_encoder_from_gguf(m),
        "num_decoder_layers": m.keys.layers(m.name("decoder_block_count"), m.layers()),
        "decoder_start_token_id": m.int("decoder_start_token_id", 0, low=0),
        "architectures": None,
    }


def _encoder_from_gguf(m: Metadata) -> Made:
    m.skip("attention.layer_norm_epsilon", "feed_forward_length")
    return {
        **gguf.sizes(m),
        # UMT5 has the same name in GGUF files; a table of distances in the second layer identifies it.
        "model_type": "umt5" if "enc.blk.1.attn_rel_b.weight" in m.shapes else "t5",
        "architectures": ["T5EncoderModel"],
        "d_kv": gguf.head_width(m),
        "d_ff": m.shape("enc.blk.0.ffn_up.weight")[0],
        "layer_norm_epsilon": m.float("attention.layer_norm_rms_epsilon", low=0),
        "relative_attention_num_buckets": m.int("attention.relative_buckets_count"),
        "feed_forward_proj": "gated-gelu" if "enc.blk.0.ffn_gate.weight" in m.shapes else "relu",
    }


_STORED = {"o": "attn_o", "norm_cross": "cross_attn_norm"}
GGUF = {"t5": gguf.Architecture(_from_gguf, _STORED), "t5encoder": gguf.Architecture(_encoder_from_gguf, _STORED)}
