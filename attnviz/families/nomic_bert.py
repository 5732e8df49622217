"""Nomic BERT (Nussbaum 2024): BERT with rotary positions and a gated MLP, for texts of 2,048 tokens and more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from attnviz.engine.spec import Learned, Norm, Rotary, RotaryScaling, Routing, Spec
from attnviz.errors import one_of
from attnviz.families import _encoder
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import Source
from attnviz.families._recipes import WORDPIECE
from attnviz.families._rotary import rotary
from attnviz.families._unembed import BERT

# Names in published files, and in the reference's own model.
_PARTS = {
    "o": ("attn.out_proj", "self_attn.o_proj"),
    "norm1": ("norm1", "post_attention_layernorm"),
    "up": ("mlp.fc11", "mlp.fc1", "mlp.up_proj"),
    "gate": ("mlp.fc12", "mlp.gate_proj"),
    "down": ("mlp.fc2", "mlp.down_proj"),
    "norm2": ("norm2", "post_mlp_layernorm"),
}
_MIXTURE = "encoder.layers.{i}.mlp."


def _names() -> dict[str, Source]:
    table: dict[str, Source] = {name: source for name, source in _encoder.NAMES.items() if name.startswith("embed.")}
    for kind in ("weight", "bias"):
        table[f"embed.norm.{kind}"] = [f"emb_ln.{kind}", f"embeddings.LayerNorm.{kind}"]
        for part in "qkv":
            fused = (f"encoder.layers.{{i}}.attn.Wqkv.{kind}", f"{part}_of_qkv")
            table[f"layers.{{i}}.{part}.{kind}"] = [fused, f"layers.{{i}}.self_attn.{part}_proj.{kind}"]
        for ours, (*published, own) in _PARTS.items():
            table[f"layers.{{i}}.{ours}.{kind}"] = [
                *(f"encoder.layers.{{i}}.{name}.{kind}" for name in published),
                f"layers.{{i}}.{own}.{kind}",
            ]
    table |= {
        "layers.{i}.router.weight": f"{_MIXTURE}router.layer.weight",
        "layers.{i}.experts.bias": f"{_MIXTURE}experts.bias",
        "layers.{i}.experts.{e}.up.weight": (f"{_MIXTURE}experts.mlp.w1", "expert_rows"),
        "layers.{i}.experts.{e}.down.weight": (f"{_MIXTURE}experts.mlp.w2", "expert_rows", "transpose"),
    }
    return table


NAMES = _names()
TOKENIZERS = {"nomicbert": WORDPIECE}
TYPICAL = {"rope_parameters": {"rope_type": "default", "rope_theta": 1000.0}}

# Keys of published files, whose code builds on GPT-2's configuration.
_PUBLISHED = ("n_embd", "n_head", "n_layer", "n_inner", "rotary_emb_fraction", "qkv_proj_bias", "activation_function")
_GATED = {"glu": "sigmoid", "swiglu": "silu", "geglu": "gelu"}
_PLAIN = ("gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh")  # both choices compute the same in that code
MASKED = replace(BERT, norm=("cls.predictions.transform.layer_norm",))


def spec(config: Config) -> Spec:
    """NomicBertConfig, of the reference or of the published files' own code."""
    if any(key in config.data for key in _PUBLISHED):
        return _published(config)
    d_head = config.int("head_dim", 0, low=0)
    plain = _encoder.encoder(config, vocab=30528, activation="silu", positions=("absolute",), longest=2048)
    d_head = d_head or plain.d_head
    return replace(
        plain,
        d_head=d_head,
        d_value=d_head,
        scale=d_head**-0.5,
        absolute=None,
        rotary=(rotary(config, d_head, theta=1000.0, max_positions=2048),),
        trained_positions=config.int("max_position_embeddings", 2048),
        causal=False,
        **biases(False, False, False, False),
        gated=True,
        mlp_bias=False,
    )


def _published(config: Config) -> Spec:
    config.rename(n_embd="hidden_size", n_head="num_attention_heads", n_layer="num_hidden_layers")
    config.rename(n_positions="max_position_embeddings", n_inner="intermediate_size")
    config.rename(layer_norm_epsilon="layer_norm_eps")
    d_model, n_heads = config.int("n_embd", 768), config.heads("n_head", 12)
    config.divides("n_head", n_heads, "n_embd", d_model)
    for key in ("causal", "use_rms_norm", "parallel_block", "rotary_emb_scale_base", "rotary_head_dim", "norm_mlp"):
        config.off(key)
    config.off("scale_attn_by_inverse_layer_idx")
    config.off("position_embedding_type", "absolute")
    config.off("num_heads_kv", n_heads)
    config.off("head_dim", d_model // n_heads)
    if not config.bool("scale_attn_weights", True):
        raise config.error("scale_attn_weights false is not handled")
    config.skip("parallel_block_tied_norm", "fused_bias_fc", "fused_dropout_add_ln", "dense_seq_output", "use_xentropy")
    config.skip("reorder_and_upcast_attn", "use_flash_attn", "last_layer_subset", "n_ctx", "add_pooling_layer")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    before, bias = config.bool("prenorm"), config.bool("qkv_proj_bias", True)
    turns = _turns(config, d_model // n_heads)
    longest, n_layers = config.int("n_positions", 1024), config.layers("n_layer", 12)
    return Spec(
        n_layers=n_layers,
        n_heads=n_heads,
        d_model=d_model,
        vocab=_rounded(config.int("vocab_size", 50257), config.int("pad_vocab_size_multiple", 1)),
        n_types=config.int("type_vocab_size", 2, low=0),
        absolute=None if turns else Learned(longest),
        rotary=turns,
        trained_positions=longest if turns else 0,
        embed_norm=norm,
        norm=norm,
        norm_before=before,
        norm_after=not before,
        **biases(bias, bias, bias, bias),
        **_mlp(config, d_model),
        **_mixture(config, n_layers),
    )


def _rounded(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


def _turns(config: Config, d_head: int) -> tuple[Rotary, ...]:
    dim = d_head * config.float("rotary_emb_fraction", 0.0, low=0, high=1)
    base = config.float("rotary_emb_base", 10000.0, low=1e-3)
    interleaved = config.bool("rotary_emb_interleaved")
    factor, limit = config.float("rotary_scaling_factor", 0.0, low=0), config.int("max_trained_positions", 2048)
    if config.has("rope_parameters"):
        theta = rotary(config, d_head, theta=base).base
        if theta != base:
            raise config.error(f"rotary_emb_base {base:g} and the rope_theta {theta:g} contradict each other")
    if not dim:
        return ()
    if dim != int(dim) or dim + dim % 2 > d_head or (factor and dim < 3):
        raise config.error(f"rotary_emb_fraction turns {dim:g} of a head's {d_head} dimensions, which is not handled")
    scaling = RotaryScaling("dynamic", factor, limit=limit) if factor else None
    return (Rotary(int(dim), base, interleaved, scaling),)


def _mlp(config: Config, d_model: int) -> dict[str, Any]:
    kind = config.raw("activation_function", "gelu_new")
    if kind not in (*_GATED, *_PLAIN):
        raise config.error(one_of("activation_function", kind, (*_GATED, *_PLAIN)))
    bias = config.bool("mlp_fc1_bias", True)
    if config.bool("mlp_fc2_bias", True) != bias:
        raise config.error("mlp_fc1_bias and mlp_fc2_bias must be alike: one without the other is not handled")
    activation = _GATED.get(kind, "gelu")
    if config.has("hidden_act") and config.activation("hidden_act", activation) != activation:
        raise config.error(
            f"activation_function {kind} and hidden_act {config.raw('hidden_act')} contradict each other"
        )
    inner = config.int("n_inner", int(8 * d_model / 3) if kind in _GATED else 4 * d_model)
    return {
        "d_mlp": _rounded(inner, 256) if kind in _GATED else inner,
        "activation": activation,
        "gated": kind in _GATED,
        "mlp_bias": bias,
    }


def _mixture(config: Config, n_layers: int) -> dict[str, Any]:
    """Experts in every n-th layer, from the second on (nomic-embed-text-v2-moe); shares are not normalised."""
    every, n_experts = config.int("moe_every_n_layers", 0, low=0), config.int("num_experts", 0, low=0, high=10_000)
    for key in ("expert_choice_router", "num_shared_experts", "moe_normalize_expert_weights"):
        config.off(key)
    config.skip("ffn_div", "moe_impl")
    top_k = config.int("moe_top_k", 1, high=n_experts or 1 << 24)
    if not every or not n_experts:
        return {}
    if config.raw("activation_function") in _GATED or not config.bool("mlp_fc1_bias", True):
        raise config.error("experts with a gated MLP, or without the other MLPs' biases, are not handled")
    return {
        "n_experts": n_experts,
        "top_k": top_k,
        "routing": Routing("softmax"),
        "expert_layers": tuple(i % every == 1 for i in range(n_layers)),
        "expert_bias": False,
        "mixture_bias": config.bool("mixture_bias", True),  # false in a GGUF file
    }


def _from_gguf(m: Metadata) -> Made:
    m.only("attention.causal", False)
    gguf.one_kind_of_heads(m)
    types = m.shape("token_types.weight")[0] if "token_types.weight" in m.shapes else 0
    return {
        **gguf.sizes(m, "max_position_embeddings"),
        **gguf.layer_norm(m),
        "model_type": "nomic_bert",
        "type_vocab_size": types,
        "rope_parameters": gguf.rope(m, theta=1000.0),
        **gguf.inner(m),
    }


def _with_experts(m: Metadata) -> Made:
    """Write the configuration under the published files' keys.

    Converters leave out the bias of the mixtures: the model runs without it.
    """
    keys = _from_gguf(m)
    keys["rotary_emb_base"] = keys.pop("rope_parameters")["rope_theta"]
    m.only("expert_feed_forward_length", keys["intermediate_size"])
    return {
        **keys,
        "rotary_emb_fraction": 1.0,
        "activation_function": "gelu",
        "num_experts": m.int("expert_count"),
        "moe_top_k": m.int("expert_used_count"),
        "moe_every_n_layers": m.int("moe_every_n_layers"),
        "mixture_bias": False,
    }


_NORMS = {"norm1": "attn_output_norm", "norm2": "layer_output_norm"}
GGUF = {
    "nomic-bert": gguf.Architecture(_from_gguf, _NORMS),
    "nomic-bert-moe": gguf.Architecture(_with_experts, _NORMS),
}
