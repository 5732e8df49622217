"""Granite (IBM 2024): Llama with a multiplier for embeddings, scores, sublayers and logits each."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._granite import multipliers
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = _decoder.NAMES
UNEMBED = Unembedding(divide=("logits_scaling", 1.0))


def spec(config: Config) -> Spec:
    """GraniteConfig."""
    sizes = _decoder.sizes(config)
    bias = config.bool("attention_bias")
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        (rotary(config, sizes["d_head"]),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        mlp_bias=config.bool("mlp_bias"),
        **multipliers(config),
    )


_OF_MAMBA = "conv_kernel state_size group_count inner_size time_step_rank"


def _from_gguf(m: Metadata) -> Made:
    """Files of Granite 4 also hold sizes of Mamba layers and experts, even if the model has attention alone."""
    m.only("expert_count", 0)
    m.only("expert_used_count", 0)
    m.skip("expert_shared_feed_forward_length", *(f"ssm.{name}" for name in _OF_MAMBA.split()))
    return {
        **gguf.plain("granite")(m),
        "attention_bias": m.has_bias("attn_q"),
        "mlp_bias": m.has_bias("ffn_up"),
        **gguf.multipliers(m),
    }


GGUF = {"granite": gguf.Architecture(_from_gguf, turned=True)}
