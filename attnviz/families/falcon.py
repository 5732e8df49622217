"""Falcon (Almazrouei 2023): attention and MLP side by side; one key-value head, a few (40B), or one per head (RW)."""

from __future__ import annotations

from attnviz.engine.spec import Alibi, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import Source, fused, pairs
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

# Falcon's first files: RefinedWeb is the 40B model, RefinedWebModel any other.
CLASSES = ("RWForCausalLM", "RWModel")  # as older files call the architecture
ALIASES = ("RefinedWeb", "RefinedWebModel")
_FUSED = "h.{i}.self_attention.query_key_value"


def names(config: Config) -> dict[str, Source]:
    """Our names -> stored names: how queries, keys and values are stacked depends on the configuration."""
    how = "qkv_grouped" if _new(config) else "qkv" if _one_kv(config) else "qkv_by_head"
    return {
        "embed.tokens": "word_embeddings.weight",
        **fused(_FUSED, how=how),
        **pairs(
            {
                "o": "self_attention.dense",
                "norm1": "ln_attn" if _two_norms(config) else "input_layernorm",
                "up": "mlp.dense_h_to_4h",
                "down": "mlp.dense_4h_to_h",
                "norm2": "ln_mlp" if _two_norms(config) else "post_attention_layernorm",
            },
            "layers.{i}.",
            "h.{i}.",
        ),
        **pairs({"final_norm": "ln_f"}),
    }


UNEMBED = Unembedding(tied=True)


def _new(config: Config) -> bool:
    return config.bool("new_decoder_architecture", config.data.get("model_type") == "RefinedWeb")


def _one_kv(config: Config) -> bool:
    return config.bool("multi_query", True) and not _new(config)


def _two_norms(config: Config) -> bool:
    return _new(config) and config.int("num_ln_in_parallel_attn", 2, high=2) == 2


def spec(config: Config) -> Spec:
    """FalconConfig."""
    config.rename(hidden_size="n_embed", num_attention_heads="n_head", num_hidden_layers="n_layer")
    config.rename(num_kv_heads="n_head_kv")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    d_model, n_heads = config.int("hidden_size", 4544), config.heads("num_attention_heads", 71)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    n_kv_heads = config.heads("num_kv_heads", n_heads)
    n_kv_heads = n_kv_heads if _new(config) else 1 if _one_kv(config) else n_heads
    config.divides("num_kv_heads", n_kv_heads, "num_attention_heads", n_heads)
    parallel, bias = config.bool("parallel_attn", True) or _new(config), config.bool("bias")
    alibi = config.bool("alibi")
    turns = rotary(config, d_model // n_heads)
    config.off("ff_factor", 4)  # Falcon 2's files have it beside `ffn_hidden_size`
    config.skip("num_ln_in_parallel_attn", "multi_query", "apply_residual_connection_post_layernorm")
    return Spec(
        n_layers=config.layers("num_hidden_layers", 32),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        d_model=d_model,
        d_mlp=config.int("ffn_hidden_size", 4 * d_model),
        vocab=config.int("vocab_size", 65024),
        trained_positions=0 if alibi else config.int("max_position_embeddings", 2048),
        rotary=() if alibi else (turns,),
        # The reference adds it to the scores and again with the mask.
        bias=Alibi(bfloat16=True, before_scale=True, times=2) if alibi else None,
        norm=norm,
        norm_before=True,
        final_norm=norm,
        causal=True,
        parallel="separate" if _two_norms(config) else "shared" if parallel else "",
        **biases(bias, bias, bias, bias),
        mlp_bias=bias,
        activation=config.activation("activation", "gelu"),
    )


def _from_gguf(m: Metadata) -> Made:
    if m.has_bias("attn_qkv"):
        raise m.keys.error("a Falcon with biases has ALiBi positions, which this kind of file cannot say")
    keys = {**gguf.sizes(m, "max_position_embeddings"), **gguf.inner(m, "ffn_hidden_size")}
    return {
        **keys,
        **gguf.layer_norm(m, "layer_norm_epsilon"),
        "model_type": "falcon",
        "num_kv_heads": gguf.kv_heads(m),
        "new_decoder_architecture": True,  # the older architecture is this one with one key head and one norm
        "num_ln_in_parallel_attn": 2 if "blk.0.attn_norm_2.weight" in m.shapes else 1,
        "rope_parameters": gguf.rope(m),
    }


GGUF = {"falcon": gguf.Architecture(_from_gguf, {"norm1": "attn_norm_2|attn_norm", "norm2": "attn_norm"})}
