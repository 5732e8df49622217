"""GPT-2 (Radford 2019): pre-norm decoder, learned positions, fused projections stored [in, out]."""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._gpt import LAYER
from attnviz.families._names import Source
from attnviz.families._recipes import BYTES
from attnviz.families._unembed import Unembedding

NAMES: dict[str, Source] = {
    **LAYER,
    "embed.tokens": "wte.weight",
    "embed.positions": "wpe.weight",
    "final_norm.weight": "ln_f.weight",
    "final_norm.bias": "ln_f.bias",
}
UNEMBED = Unembedding(tied=True)
TOKENIZERS = {"gpt2": BYTES}


def spec(config: Config) -> Spec:
    """GPT2Config."""
    config.rename(n_embd="hidden_size", n_head="num_attention_heads", n_layer="num_hidden_layers")
    config.rename(n_positions="max_position_embeddings")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    d_model, n_heads = config.int("n_embd", 768), config.heads("n_head", 12)
    config.divides("n_head", n_heads, "n_embd", d_model)
    config.skip("reorder_and_upcast_attn", "add_cross_attention", "n_ctx")
    return Spec(
        n_layers=config.layers("n_layer", 12),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("n_inner", 4 * d_model),
        vocab=config.int("vocab_size", 50257),
        types_are_tokens=True,
        absolute=Learned(config.int("n_positions", 1024)),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        causal=True,
        scale=0.0 if config.bool("scale_attn_weights", True) else 1.0,
        scale_by_layer=config.bool("scale_attn_by_inverse_layer_idx"),
        activation=config.activation("activation_function", "gelu_new"),
    )


def _from_gguf(m: Metadata) -> Made:
    gguf.one_kind_of_heads(m)
    found = {
        **gguf.sizes(m),
        **gguf.inner(m, "n_inner"),
        **gguf.layer_norm(m, "layer_norm_epsilon"),
        "model_type": "gpt2",
    }
    return {**found, "n_positions": m.shape("position_embd.weight")[0]}


GGUF = {"gpt2": gguf.Architecture(_from_gguf)}
