"""ModernBERT (Warner 2024): pre-norm encoder, rotary positions, gated MLP, a window in two of three layers."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Spec
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import Source, fused, pairs
from attnviz.families._rotary import by_layer_type
from attnviz.families._unembed import MaskedHead
from attnviz.families._windows import FULL, SLIDING, layer_types, reaches

NAMES: dict[str, Source] = {
    "embed.tokens": "embeddings.tok_embeddings.weight",
    **pairs({"embed.norm": "embeddings.norm", "final_norm": "final_norm"}),
    **fused("layers.{i}.attn.Wqkv"),
    **pairs(
        {"o": "attn.Wo", "norm1": "attn_norm", "norm2": "mlp_norm", "down": "mlp.Wo"}, "layers.{i}.", "layers.{i}."
    ),
    **{
        f"layers.{{i}}.{part}.{kind}": (f"layers.{{i}}.mlp.Wi.{kind}", f"{part}_of_gate_up")
        for part in ("gate", "up")
        for kind in ("weight", "bias")
    },
}
MASKED = MaskedHead(
    ("head.dense",), ("head.norm",), ("decoder.weight",), ("decoder.bias",), activation_key="classifier_activation"
)


def spec(config: Config) -> Spec:
    """ModernBertConfig."""
    d_model, n_heads = config.int("hidden_size", 768), config.heads("num_attention_heads", 12)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    n_layers = config.layers("num_hidden_layers", 22)
    every = config.int("global_attn_every_n_layers", 3)
    kinds = layer_types(config, n_layers, lambda i: i % every != 0)
    window = config.int("local_attention", 128, low=0)
    thetas = {FULL: ("global_rope_theta", 160000.0), SLIDING: ("local_rope_theta", 10000.0)}
    norm = Norm(eps=config.float("norm_eps", 1e-5, low=0), bias=config.bool("norm_bias"))
    bias = config.bool("attention_bias")
    config.skip("decoder_bias", "deterministic_flash_attn", "sparse_prediction", "sparse_pred_ignore_index")
    config.skip("reference_compile", "repad_logits_with_grad", "layer_norm_eps", "position_embedding_type")
    return Spec(
        n_layers=n_layers,
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("intermediate_size", 1152),
        vocab=config.int("vocab_size", 50368),
        trained_positions=config.int("max_position_embeddings", 8192),
        embed_norm=norm,
        rotary=by_layer_type(config, kinds, thetas, d_model // n_heads, 8192),
        reach=reaches(kinds, window // 2),
        norm=norm,
        norm_before=True,
        first_norm=False,
        final_norm=norm,
        **biases(bias, bias, bias, bias),
        activation=config.activation("hidden_activation", "gelu"),
        gated=True,
        mlp_bias=config.bool("mlp_bias"),
    )


def _from_gguf(m: Metadata) -> Made:
    m.only("attention.causal", False)
    gguf.one_kind_of_heads(m)
    # Older and newer converters use different ones of these two keys.
    eps = m.float("attention.layer_norm_epsilon", m.float("attention.layer_norm_rms_epsilon", 1e-5, low=0), low=0)
    local = m.float("rope.freq_base_swa", 10000.0, low=1e-3)
    return {
        **gguf.sizes(m, "max_position_embeddings"),
        **gguf.inner(m, parts=2),
        "model_type": "modernbert",
        "norm_eps": eps,
        "hidden_activation": m.text("hidden_activation", "gelu", ("gelu", "silu")),
        "local_attention": m.int("attention.sliding_window", 128),
        "layer_types": gguf.layer_kinds(m, 3, first_full=True),
        "rope_parameters": {FULL: gguf.rope(m, theta=160000.0), SLIDING: {"rope_theta": local}},
    }


GGUF = {"modern-bert": gguf.Architecture(_from_gguf, gate_up=True)}
