"""DeBERTa v2 and v3 (He 2021): content and position in scores of their own."""

from __future__ import annotations

from attnviz.engine.spec import Disentangled, Learned, Norm, Spec
from attnviz.errors import shown
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import BERT_NAMES, CLS_SEP, Recipe

NAMES = {
    **_encoder.NAMES,
    "embed.project.weight": "embeddings.embed_proj.weight",
    "relative.table": "encoder.rel_embeddings.weight",
    **pairs({"relative.norm": "encoder.LayerNorm", "convolution": "encoder.conv.conv"}),
    **pairs({"convolution.norm": "encoder.conv.LayerNorm"}),
    **pairs(
        {
            "q": "attention.self.query_proj",
            "k": "attention.self.key_proj",
            "v": "attention.self.value_proj",
            "position_k": "attention.self.pos_key_proj",
            "position_q": "attention.self.pos_query_proj",
        },
        "layers.{i}.",
        "encoder.layer.{i}.",
    ),
}

# Values of published models, which differ from keys left out.
TYPICAL = {"relative_attention": True, "position_biased_input": False, "pos_att_type": "p2c|c2p"}
TOKENIZERS = {
    "debertav2": Recipe(
        *CLS_SEP, special={**BERT_NAMES, "bos": "[CLS]", "eos": "[SEP]"}, back=("[MASK]",), spaces="ends"
    ),
}


def _relative(config: Config, norm: Norm, longest: int) -> Disentangled | None:
    terms = config.raw("pos_att_type", [])
    kinds = [k.strip() for k in terms.lower().split("|")] if isinstance(terms, str) else terms
    if not isinstance(kinds, list) or not all(k in ("c2p", "p2c", "") for k in kinds):
        raise config.error(f"pos_att_type may name c2p and p2c; got {shown(terms)}")
    farthest = config.int("max_relative_positions", -1, low=-1)
    farthest = longest if farthest < 1 else farthest
    buckets = config.int("position_buckets", -1, low=-1)
    normed = "layer_norm" in str(config.raw("norm_rel_ebd", "none")).lower()
    share = config.bool("share_att_key")
    if not config.bool("relative_attention"):
        return None
    if buckets > 0 and not farthest > buckets // 2 + 1 > 1:
        raise config.error(f"position_buckets {buckets} do not fit max_relative_positions {farthest}")
    return Disentangled(
        span=buckets if buckets > 0 else farthest,
        buckets=max(buckets, 0),
        max_relative=farthest,
        c2p="c2p" in kinds,
        p2c="p2c" in kinds,
        share_key=share,
        norm=norm if normed else None,
    )


MASKED = _unembed.DEBERTA


def spec(config: Config) -> Spec:
    """DebertaV2Config."""
    norm = Norm(eps=config.float("layer_norm_eps", 1e-7, low=0))
    d_model, n_heads = config.int("hidden_size", 1536), config.heads("num_attention_heads", 24)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    d_head = config.int("attention_head_size", d_model // n_heads)
    longest = config.int("max_position_embeddings", 512)
    relative = _relative(config, norm, longest)
    kinds = str(config.raw("pos_att_type", ""))
    n_scores = 1 + ("c2p" in kinds) + ("p2c" in kinds)
    biased = config.bool("position_biased_input", True)
    kernel = config.int("conv_kernel_size", 0, low=0, high=999)
    groups = config.int("conv_groups", 1, high=d_model)
    config.divides("conv_groups", groups, "hidden_size", d_model)
    config.skip("legacy", "padding_idx", "pooling", "z_steps", "position_embedding_type")
    return Spec(
        n_layers=config.layers("num_hidden_layers", 24),
        n_heads=n_heads,
        d_model=d_model,
        d_head=d_head,
        d_mlp=config.int("intermediate_size", 6144),
        vocab=config.int("vocab_size", 128100),
        d_embed=config.int("embedding_size", d_model),
        project_bias=False,
        n_types=config.int("type_vocab_size", 0, low=0),
        embed_norm=norm,
        embed_order=("add", "project", "norm"),
        absolute=Learned(longest) if biased else None,
        trained_positions=0 if biased else longest,
        relative=relative,
        scale=(d_head * n_scores) ** -0.5,
        norm=norm,
        norm_after=True,
        activation=config.activation("hidden_act", "gelu"),
        convolution_after_first=kernel,
        convolution_groups=groups,
        convolution_activation=config.activation("conv_act", "tanh"),
    )
