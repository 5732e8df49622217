"""Seed-OSS (ByteDance Seed 2025): Llama with biases on queries, keys and values, for very long texts."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = _decoder.NAMES
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """SeedOssConfig."""
    defaults = {"n_layers": 64, "n_heads": 80, "n_kv_heads": 8, "d_head": 128, "d_mlp": 27648, "vocab": 155136}
    sizes = _decoder.sizes(config, **defaults, positions=524288)
    bias = config.bool("attention_bias", True)
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        (rotary(config, sizes["d_head"], max_positions=524288),),
        **sizes,
        **_decoder.biases(bias, bias, bias, config.bool("attention_out_bias")),
        mlp_bias=config.bool("mlp_bias"),
    )


def _from_gguf(m: Metadata) -> Made:
    return {
        **gguf.plain("seed_oss")(m),
        "attention_bias": m.has_bias("attn_q"),
        "attention_out_bias": m.has_bias("attn_output"),
        "mlp_bias": m.has_bias("ffn_up"),
    }


GGUF = {"seed_oss": gguf.Architecture(_from_gguf, {"norm2": "post_attention_norm"})}
