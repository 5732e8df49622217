"""DeBERTa (He 2021): content and position in scores of their own, a vector for every distance."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Disentangled, Learned, Norm, Spec
from attnviz.errors import shown
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._names import fused, pairs
from attnviz.families._recipes import BERT_NAMES, CLS_SEP, MASK_STRIPS, Recipe

_SELF = "encoder.layer.{i}.attention.self."
NAMES = {
    **_encoder.NAMES,
    "embed.project.weight": "embeddings.embed_proj.weight",
    "relative.table": "encoder.rel_embeddings.weight",
    **fused(f"{_SELF}in_proj", how="qkv_by_head"),
    "layers.{i}.q.bias": f"{_SELF}q_bias",
    "layers.{i}.v.bias": f"{_SELF}v_bias",
    **pairs({"position_k": "pos_proj", "position_q": "pos_q_proj"}, "layers.{i}.", _SELF),
}
TYPICAL = {"relative_attention": True, "position_biased_input": False, "pos_att_type": "c2p|p2c"}
TOKENIZERS = {
    "deberta": Recipe(
        *CLS_SEP, special={**BERT_NAMES, "bos": "[CLS]", "eos": "[SEP]"}, vocab="bytes", flags=MASK_STRIPS
    )
}


def _kinds(config: Config) -> list[str]:
    """The scores by place. Unknown words in pos_att_type still count in the scale, as in the reference."""
    terms = config.raw("pos_att_type", [])
    kinds = [kind.strip() for kind in terms.lower().split("|")] if isinstance(terms, str) else terms
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds) or len(kinds) > 9:
        raise config.error(f"pos_att_type must be a list of words such as c2p and p2c; got {shown(terms)}")
    return kinds


MASKED = _unembed.DEBERTA


def spec(config: Config) -> Spec:
    """DebertaConfig."""
    norm = Norm(eps=config.float("layer_norm_eps", 1e-7, low=0))
    config.off("talking_head")
    config.skip("legacy", "padding_idx")
    plain = _encoder.encoder(config, vocab=50265, types=0, positions=("absolute",))
    longest = config.int("max_position_embeddings", 512)
    biased, kinds = config.bool("position_biased_input", True), _kinds(config)
    farthest = config.int("max_relative_positions", -1, low=-1)
    relative = Disentangled(
        span=farthest if farthest > 0 else longest,
        c2p="c2p" in kinds,
        p2c="p2c" in kinds,
        share_key=False,
        key_bias=False,
    )
    return replace(
        plain,
        d_embed=config.int("embedding_size", plain.d_model),
        project_bias=False,
        n_types=config.int("type_vocab_size", 0, low=0),
        embed_norm=norm,
        embed_order=("add", "project", "norm"),
        absolute=Learned(longest) if biased else None,
        trained_positions=0 if biased else longest,
        relative=relative if config.bool("relative_attention") else None,
        scale=(plain.d_head * (1 + len(kinds))) ** -0.5,
        k_bias=False,
        norm=norm,
        causal=False,
    )
