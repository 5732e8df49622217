"""ESM-2 (Lin 2023), a model of proteins: pre-norm encoder with rotary positions. ESM-1b has learned positions."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Norm, Rotary, Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import Recipe

NAMES = {
    **_encoder.NAMES,
    **pairs({"embed.norm": "embeddings.layer_norm", "final_norm": "encoder.emb_layer_norm_after"}),
    **pairs({"norm1": "attention.LayerNorm", "norm2": "LayerNorm"}, "layers.{i}.", "encoder.layer.{i}."),
}

TYPICAL = {"position_embedding_type": "rotary"}  # values of published models, which differ from keys left out
TOKENIZERS = {
    "esm": Recipe(
        "{cls}:0 $A:0 {eos}:0",
        "{cls}:0 $A:0 {eos}:0 $B:0 {eos}:0",
        {"cls": "<cls>", "eos": "<eos>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>"},
        vocab="characters",
    )
}
MASKED = _unembed.ROBERTA


def spec(config: Config) -> Spec:
    """EsmConfig."""
    rotary = config.raw("position_embedding_type") == "rotary"
    config.off("is_folding_model")
    config.skip("esmfold_config")
    base = config.float("rope_theta", 10000.0, low=1e-3)
    norm = Norm(eps=config.float("layer_norm_eps", 1e-12, low=0))
    plain = _encoder.encoder(config, types=0, positions=("absolute", "rotary"))
    if not rotary:
        plain = _encoder.after_padding(config, plain)
    return replace(
        plain,
        absolute=None if rotary else plain.absolute,
        rotary=(Rotary(plain.d_head, base),) if rotary else (),
        trained_positions=config.int("max_position_embeddings", 1026) if rotary else 0,
        embed_norm=norm if config.bool("emb_layer_norm_before") else None,
        mask_dropout=config.int("mask_token_id", low=0) if config.bool("token_dropout") else -1,
        norm_before=True,
        norm_after=False,
        final_norm=norm,
        activation="gelu",
    )
