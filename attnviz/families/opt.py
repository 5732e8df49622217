"""OPT (Zhang 2022): decoder with learned positions; the 350M model is post-norm and projects its embeddings."""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._names import pairs
from attnviz.families._recipes import Recipe, around
from attnviz.families._unembed import Unembedding

NAMES = {
    "embed.tokens": "decoder.embed_tokens.weight",
    "embed.positions": "decoder.embed_positions.weight",
    "embed.project.weight": "decoder.project_in.weight",
    **pairs(
        {
            "q": "self_attn.q_proj",
            "k": "self_attn.k_proj",
            "v": "self_attn.v_proj",
            "o": "self_attn.out_proj",
            "norm1": "self_attn_layer_norm",
            "up": "fc1",
            "down": "fc2",
            "norm2": "final_layer_norm",
        },
        "layers.{i}.",
        "decoder.layers.{i}.",
    ),
    **pairs({"final_norm": "decoder.final_layer_norm"}),
}
UNEMBED = Unembedding(tied=True, project="decoder.project_out.weight")
TOKENIZERS = {
    "opt": Recipe(
        *around(True, False), special={"bos": "</s>", "eos": "</s>", "unk": "</s>", "pad": "<pad>"}, vocab="bytes"
    )
}


def spec(config: Config) -> Spec:
    """OPTConfig. The first two rows of the position table are not used."""
    affine = config.bool("layer_norm_elementwise_affine", True)
    norm = Norm(weight=affine, bias=affine)
    d_model, n_heads = config.int("hidden_size", 768), config.heads("num_attention_heads", 12)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    before, bias = config.bool("do_layer_norm_before", True), config.bool("enable_bias", True)
    has_final_norm = not config.bool("_remove_final_layer_norm") and before
    return Spec(
        n_layers=config.layers("num_hidden_layers", 12),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("ffn_dim", 3072),
        vocab=config.int("vocab_size", 50272),
        d_embed=config.int("word_embed_proj_dim", d_model),
        project_bias=False,
        embed_order=("project", "add"),
        absolute=Learned(config.int("max_position_embeddings", 2048) + 2, offset=2),
        norm=norm,
        norm_before=before,
        norm_after=not before,
        final_norm=norm if has_final_norm else None,
        causal=True,
        **biases(bias, bias, bias, bias),
        mlp_bias=bias,
        activation=config.activation("activation_function", "relu"),
    )
