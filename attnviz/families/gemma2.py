"""Gemma 2 (Riviere 2024): Gemma with norms on both sides, capped scores, and a window in every other layer."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._recipes import GEMMA
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import layer_types, reaches

NAMES = {**_decoder.NAMES, **_decoder.NORMS_AROUND}
UNEMBED = Unembedding(tied=True, softcap=("final_logit_softcapping", 30.0))
TOKENIZERS = {"gemma2": GEMMA}


def spec(config: Config) -> Spec:
    """Gemma2Config."""
    sizes = _decoder.sizes(
        config, n_layers=26, n_heads=8, n_kv_heads=4, d_model=2304, d_head=256, d_mlp=9216, vocab=256000, positions=8192
    )
    bias = config.bool("attention_bias")
    kinds = layer_types(config, sizes["n_layers"], lambda i: i % 2 == 0)
    config.skip("final_logit_softcapping", "hidden_act", "cache_implementation")
    config.skip("use_bidirectional_attention")  # the reference masks later keys whatever this key says
    return _decoder.decoder(
        config,
        _decoder.rms(config, plus_one=True),
        (rotary(config, sizes["d_head"], max_positions=8192),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        norm_output=True,
        reach=reaches(kinds, config.window("sliding_window", 4096)),
        scale=config.float("query_pre_attn_scalar", 256, low=1e-6) ** -0.5,
        softcap=config.cap("attn_logit_softcapping", 50.0),
        embed_scale=sizes["d_model"] ** 0.5,
        activation=config.activation("hidden_activation", "gelu_pytorch_tanh"),
    )


def _from_gguf(m: Metadata) -> Made:
    return {
        **gguf.plain("gemma2")(m),
        "query_pre_attn_scalar": gguf.scale_width(m, 46),
        "attn_logit_softcapping": m.float("attn_logit_softcapping", 50.0, low=0) or None,
        "sliding_window": m.int("attention.sliding_window", 4096),
        "layer_types": gguf.layer_kinds(m, 2),
    }


GGUF = {"gemma2": gguf.Architecture(_from_gguf, gguf.AROUND, shifted=True)}
