"""GPT-NeoX (Black 2022), also Pythia: attention and MLP side by side, each with its norm; part of a head rotated."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Norm, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import fused, pairs
from attnviz.families._recipes import BYTES
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = {
    "embed.tokens": "embed_in.weight",
    **fused("layers.{i}.attention.query_key_value", how="qkv_by_head"),
    **pairs(
        {
            "o": "attention.dense",
            "norm1": "input_layernorm",
            "up": "mlp.dense_h_to_4h",
            "down": "mlp.dense_4h_to_h",
            "norm2": "post_attention_layernorm",
        },
        "layers.{i}.",
        "layers.{i}.",
    ),
    **pairs({"final_norm": "final_layer_norm"}),
}
UNEMBED = Unembedding(("embed_out.weight", "lm_head.weight"))
TOKENIZERS = {"gptneox": replace(BYTES, ends=True)}


def spec(config: Config) -> Spec:
    """GPTNeoXConfig."""
    config.rename(rope_theta="rotary_emb_base", partial_rotary_factor="rotary_pct")
    config.skip("is_decoder", "num_key_value_heads")
    sizes = _decoder.sizes(config, n_layers=44, n_heads=64, d_model=6144, d_mlp=24576, vocab=50432)
    bias = config.bool("attention_bias", True)
    return _decoder.decoder(
        config,
        Norm(eps=config.float("layer_norm_eps", 1e-5, low=0)),
        (rotary(config, sizes["d_head"], part=0.25),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        parallel="separate" if config.bool("use_parallel_residual", True) else "",
        gated=False,
        mlp_bias=True,
        activation=config.activation("hidden_act", "gelu"),
    )


def _from_gguf(m: Metadata) -> Made:
    keys = {**gguf.grouped(m), **gguf.inner(m), **gguf.layer_norm(m), "model_type": "gpt_neox"}
    keys |= {"attention_bias": m.has_bias("attn_qkv"), "use_parallel_residual": m.bool("use_parallel_residual", True)}
    return {**keys, "rope_parameters": gguf.rope(m, partial=True)}


GGUF = {"gptneox": gguf.Architecture(_from_gguf)}
