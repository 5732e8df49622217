"""Phi (Gunasekar 2023): attention and MLP side by side after one layer norm, part of each head rotated."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import pairs
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = {
    **_decoder.NAMES,
    **pairs(
        {
            "o": "self_attn.dense",
            "up": "mlp.fc1",
            "down": "mlp.fc2",
            "q_norm": "self_attn.q_layernorm",
            "k_norm": "self_attn.k_layernorm",
        },
        "layers.{i}.",
        "layers.{i}.",
    ),
    **pairs({"final_norm": "final_layernorm"}),
}
UNEMBED = Unembedding(bias="lm_head.bias")


def spec(config: Config) -> Spec:
    """PhiConfig."""
    sizes = _decoder.sizes(config, n_layers=24, d_model=2048, d_mlp=8192, vocab=51200)
    norm = Norm(eps=config.float("layer_norm_eps", 1e-5, low=0))
    return _decoder.decoder(
        config,
        norm,
        (rotary(config, sizes["d_head"], part=0.5),),
        **sizes,
        **_decoder.biases(True, True, True, True),
        parallel="shared",
        qk_norm=norm if config.bool("qk_layernorm") else None,
        gated=False,
        mlp_bias=True,
        activation=config.activation("hidden_act", "gelu_new"),
    )


def _from_gguf(m: Metadata) -> Made:
    keys = {**gguf.grouped(m), **gguf.inner(m), **gguf.layer_norm(m), "model_type": "phi"}
    return {**keys, "rope_parameters": gguf.rope(m, partial=True)}


GGUF = {"phi2": gguf.Architecture(_from_gguf)}
