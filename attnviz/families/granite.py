"""Granite (IBM 2024): Llama with a multiplier for embeddings, scores, sublayers and logits each."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = _decoder.NAMES
UNEMBED = Unembedding(divide=("logits_scaling", 1.0))


def spec(config: Config) -> Spec:
    """GraniteConfig."""
    found = _decoder.sizes(config)
    config.skip("logits_scaling")
    bias = config.bool("attention_bias")
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        (rotary(config, found["d_head"]),),
        **found,
        **_decoder.biases(bias, bias, bias, bias),
        mlp_bias=config.bool("mlp_bias"),
        embed_scale=config.float("embedding_multiplier", 1.0),
        scale=config.float("attention_multiplier", 1.0, low=1e-9),
        sublayer_scale=config.float("residual_multiplier", 1.0),
    )


def _from_gguf(m: Metadata) -> Made:
    return {
        **gguf.plain("granite")(m),
        "attention_bias": m.has_bias("attn_q"),
        "mlp_bias": m.has_bias("ffn_up"),
        **gguf.multipliers(m),
    }


GGUF = {"granite": gguf.Architecture(_from_gguf, turned=True)}
