"""BLOOM (Scao 2022): ALiBi, a norm on the embeddings, fused projections by head."""

from __future__ import annotations

from attnviz.engine.spec import Alibi, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import fused, pairs
from attnviz.families._unembed import Unembedding

NAMES = {
    "embed.tokens": "word_embeddings.weight",
    **pairs({"embed.norm": "word_embeddings_layernorm", "final_norm": "ln_f"}),
    **fused("h.{i}.self_attention.query_key_value", how="qkv_by_head"),
    **pairs(
        {
            "o": "self_attention.dense",
            "norm1": "input_layernorm",
            "up": "mlp.dense_h_to_4h",
            "down": "mlp.dense_4h_to_h",
            "norm2": "post_attention_layernorm",
        },
        "layers.{i}.",
        "h.{i}.",
    ),
}
UNEMBED = Unembedding(tied=True)


def spec(config: Config) -> Spec:
    """BloomConfig."""
    config.rename(n_head="num_attention_heads", n_layer="num_hidden_layers", hidden_size="n_embed")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    d_model, n_heads = config.int("hidden_size", 64), config.heads("n_head", 8)
    config.divides("n_head", n_heads, "hidden_size", d_model)
    # The remaining keys are about the framework that trained it.
    if config.bool("slow_but_exact") and config.int("pretraining_tp", 1) > 1:
        raise config.error(
            "slow_but_exact with pretraining_tp above 1 is not handled: the reference loses a bias there"
        )
    config.skip("n_inner", "masked_softmax_fusion", "offset_alibi", "bias_dropout_fusion")
    config.skip("skip_bias_add", "skip_bias_add_qkv", "seq_length")
    return Spec(
        n_layers=config.layers("n_layer", 2),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=4 * d_model,
        vocab=config.int("vocab_size", 250880),
        embed_norm=norm,
        bias=Alibi(),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        causal=True,
        residual_from_norm=config.bool("apply_residual_connection_post_layernorm"),
        activation="gelu_tanh",
    )


def _from_gguf(m: Metadata) -> Made:
    gguf.one_kind_of_heads(m)
    m.skip("feed_forward_length")
    return {**gguf.sizes(m), **gguf.layer_norm(m, "layer_norm_epsilon"), "model_type": "bloom"}


GGUF = {"bloom": gguf.Architecture(_from_gguf)}
