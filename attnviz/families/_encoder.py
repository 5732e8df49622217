"""Shared by BERT and the encoders that follow it: tensor names, sizes and the post-norm block."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import DistanceVectors, Learned, Norm, Spec
from attnviz.families._config import Config

NAMES = {
    "embed.tokens": "embeddings.word_embeddings.weight",
    "embed.types": "embeddings.token_type_embeddings.weight",
    "embed.positions": "embeddings.position_embeddings.weight",
    "embed.norm.weight": "embeddings.LayerNorm.weight",
    "embed.norm.bias": "embeddings.LayerNorm.bias",
    "layers.{i}.q.weight": "encoder.layer.{i}.attention.self.query.weight",
    "layers.{i}.q.bias": "encoder.layer.{i}.attention.self.query.bias",
    "layers.{i}.k.weight": "encoder.layer.{i}.attention.self.key.weight",
    "layers.{i}.k.bias": "encoder.layer.{i}.attention.self.key.bias",
    "layers.{i}.v.weight": "encoder.layer.{i}.attention.self.value.weight",
    "layers.{i}.v.bias": "encoder.layer.{i}.attention.self.value.bias",
    "layers.{i}.distances": "encoder.layer.{i}.attention.self.distance_embedding.weight",
    "layers.{i}.o.weight": "encoder.layer.{i}.attention.output.dense.weight",
    "layers.{i}.o.bias": "encoder.layer.{i}.attention.output.dense.bias",
    "layers.{i}.norm1.weight": "encoder.layer.{i}.attention.output.LayerNorm.weight",
    "layers.{i}.norm1.bias": "encoder.layer.{i}.attention.output.LayerNorm.bias",
    "layers.{i}.up.weight": "encoder.layer.{i}.intermediate.dense.weight",
    "layers.{i}.up.bias": "encoder.layer.{i}.intermediate.dense.bias",
    "layers.{i}.down.weight": "encoder.layer.{i}.output.dense.weight",
    "layers.{i}.down.bias": "encoder.layer.{i}.output.dense.bias",
    "layers.{i}.norm2.weight": "encoder.layer.{i}.output.LayerNorm.weight",
    "layers.{i}.norm2.bias": "encoder.layer.{i}.output.LayerNorm.bias",
}
# position_embedding_type -> whether vectors by distance are scored by the key as well as by the query.
BY_DISTANCE = {"relative_key": False, "relative_key_query": True}
PLACES = ("absolute", *BY_DISTANCE)


def encoder(
    config: Config,
    n_layers: int = 12,
    n_heads: int = 12,
    d_model: int = 768,
    d_mlp: int = 3072,
    vocab: int = 30522,
    activation: str = "gelu",
    types: int = 2,
    positions: tuple[str, ...] = PLACES,
    longest: int = 512,
) -> Spec:
    """Read BertConfig, or the configuration of a family that starts from BERT's.

    Every argument is the value of a key that the configuration leaves out.
    """
    places = config.choice("position_embedding_type", "absolute", positions)
    longest = config.int("max_position_embeddings", longest)
    by_distance = DistanceVectors(longest, BY_DISTANCE[places]) if places in BY_DISTANCE else None
    norm = Norm(eps=config.float("layer_norm_eps", 1e-12, low=0))
    d_model, n_heads = config.int("hidden_size", d_model), config.heads("num_attention_heads", n_heads)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    # Cross-attention needs a second text, which these encoders do not get.
    config.skip("add_cross_attention", "directionality")
    return Spec(
        n_layers=config.layers("num_hidden_layers", n_layers),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("intermediate_size", d_mlp),
        vocab=config.int("vocab_size", vocab),
        n_types=config.int("type_vocab_size", types, low=0) if types else 0,
        absolute=None if by_distance else Learned(longest),
        relative=by_distance,
        embed_norm=norm,
        norm=norm,
        norm_after=True,
        causal=config.bool("is_decoder"),
        activation=config.activation("hidden_act", activation),
    )


def after_padding(config: Config, plain: Spec, pad: int = 1) -> Spec:
    """Make an encoder count learned positions from the padding id on; one without a position table stays as it is."""
    pad = config.int("pad_token_id", pad, low=0)
    if not isinstance(plain.absolute, Learned):
        return plain
    return replace(plain, absolute=Learned(plain.absolute.size, offset=pad + 1), pad_positions=pad)


def norms_before(plain: Spec, embed: bool = True) -> Spec:
    """Move an encoder's norms before its sublayers, with one more at the end. embed: whether embeddings are normed."""
    return replace(
        plain, embed_norm=plain.embed_norm if embed else None, norm_before=True, norm_after=False, final_norm=plain.norm
    )
