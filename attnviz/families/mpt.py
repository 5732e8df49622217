"""MPT (MosaicML 2023): ALiBi, no biases anywhere."""

from __future__ import annotations

from attnviz.engine.spec import Alibi, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import fused, pairs
from attnviz.families._unembed import Unembedding

CLASSES = ("MPTForCausalLM",)  # as older files call the architecture
NAMES = {
    "embed.tokens": "wte.weight",
    **fused("blocks.{i}.attn.Wqkv"),
    **pairs(
        {
            "o": "attn.out_proj",
            "norm1": "norm_1",
            "up": "ffn.up_proj",
            "down": "ffn.down_proj",
            "norm2": "norm_2",
        },
        "layers.{i}.",
        "blocks.{i}.",
    ),
    **pairs({"final_norm": "norm_f"}),
}
UNEMBED = Unembedding(tied=True)
# Keys of published files, which bring their own code, about initial weights and the tokenizer.
HARMLESS = ("init_config", "tokenizer_name")


def spec(config: Config) -> Spec:
    """MptConfig. The reference reads the same keys of `attn_config` as this function, and ignores the rest."""
    config.rename(n_heads="num_attention_heads", n_layers="num_hidden_layers", d_model="hidden_size")
    attention = config.sub("attn_config") or Config({}, config.where)
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0), bias=False)
    d_model, n_heads = config.int("d_model", 2048), config.heads("n_heads", 16)
    config.divides("n_heads", n_heads, "d_model", d_model)
    config.skip("max_seq_len", "learned_pos_emb", "embedding_fraction", "expansion_ratio", "logit_scale", "no_bias")
    config.skip("norm_type", "emb_pdrop", "resid_pdrop", "init_device", "verbose")
    return Spec(
        n_layers=config.layers("n_layers", 24),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=4 * d_model,
        vocab=config.int("vocab_size", 50368),
        bias=Alibi(odd_first=True),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        causal=True,
        scale=attention.float("softmax_scale", 0.0),
        qkv_clip=attention.float("clip_qkv", 0.0, low=0),
        **biases(False, False, False, False),
        mlp_bias=False,
        activation="gelu",
    )


def _from_gguf(m: Metadata) -> Made:
    gguf.one_kind_of_heads(m)
    m.skip("feed_forward_length")
    m.only("attention.max_alibi_bias", 8)
    clip = {"clip_qkv": m.float("attention.clamp_kqv", 0.0, low=0)}
    return {**gguf.sizes(m), **gguf.layer_norm(m, "layer_norm_epsilon"), "model_type": "mpt", "attn_config": clip}


GGUF = {"mpt": gguf.Architecture(_from_gguf)}
