"""StarCoder 2 (Lozhkov 2024): layer norms, a plain MLP, biases throughout, a sliding window."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import pairs
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = {**_decoder.NAMES, **pairs({"up": "mlp.c_fc", "down": "mlp.c_proj"}, "layers.{i}.", "layers.{i}.")}
UNEMBED = Unembedding(tied=True)


def spec(config: Config) -> Spec:
    """Starcoder2Config."""
    sizes = _decoder.sizes(
        config, n_layers=30, n_heads=24, n_kv_heads=2, d_model=3072, d_mlp=12288, vocab=49152, positions=4096
    )
    bias = config.bool("use_bias", True)
    config.skip("norm_type", "mlp_type", "activation_function", "scale_attn_weights")
    return _decoder.decoder(
        config,
        Norm(eps=config.float("norm_epsilon", 1e-5, low=0)),
        (rotary(config, sizes["d_head"], max_positions=4096),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        reach=(config.window("sliding_window", None),),
        gated=False,
        mlp_bias=bias,
        activation=config.activation("hidden_act", "gelu_pytorch_tanh"),
    )


def _from_gguf(m: Metadata) -> Made:
    keys = {**gguf.grouped(m), **gguf.inner(m), **gguf.layer_norm(m, "norm_epsilon"), "model_type": "starcoder2"}
    return {**keys, "use_bias": m.has_bias("attn_q"), "rope_parameters": gguf.rope(m)}


GGUF = {"starcoder2": gguf.Architecture(_from_gguf)}
