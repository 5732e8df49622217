"""ALBERT (Lan 2020): one layer's weights (or a few groups') used over and over, embeddings projected."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import DistanceVectors, Spec
from attnviz.families import _encoder
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs
from attnviz.families._recipes import BERT_NAMES, CLS_SEP, Recipe
from attnviz.families._unembed import MaskedHead


def names(config: Config) -> dict[str, Source]:
    """Our names -> stored names: our layer i is layer i % inner of group i // inner."""
    inner = config.int("inner_group_num", 1, high=100)
    table: dict[str, Source] = {
        **{ours: source for ours, source in _encoder.NAMES.items() if ours.startswith("embed.")},
        **pairs({"embed.project": "encoder.embedding_hidden_mapping_in"}),
    }
    for i in range(config.int("num_hidden_groups", 1, high=10_000) * inner):
        layer = f"encoder.albert_layer_groups.{i // inner}.albert_layers.{i % inner}."
        table[f"layers.{i}.distances"] = f"{layer}attention.distance_embedding.weight"
        table |= pairs(
            {
                "q": "attention.query",
                "k": "attention.key",
                "v": "attention.value",
                "o": "attention.dense",
                "norm1": "attention.LayerNorm",
                "up": "ffn",
                "down": "ffn_output",
                "norm2": "full_layer_layer_norm",
            },
            f"layers.{i}.",
            layer,
        )
    return table


TOKENIZERS = {
    "albert": Recipe(
        *CLS_SEP,
        special={**BERT_NAMES, "bos": "[CLS]", "eos": "[SEP]", "unk": "<unk>", "pad": "<pad>"},
        flags={"mask": ("lstrip",)},
        spaces="plain",
        lower=True,
        commas=True,
    )
}
MASKED = MaskedHead(
    ("predictions.dense",),
    ("predictions.LayerNorm",),
    ("predictions.decoder.weight",),
    ("predictions.bias", "predictions.decoder.bias"),
)


def spec(config: Config) -> Spec:
    """AlbertConfig. All layers of a group run each time the group is used."""
    plain = _encoder.encoder(config, n_heads=64, d_model=4096, d_mlp=16384, vocab=30000, activation="gelu_new")
    groups = config.int("num_hidden_groups", 1, high=plain.n_layers)
    inner = config.int("inner_group_num", 1, high=100)
    if plain.n_layers * inner > 10_000:
        raise config.error(f"num_hidden_layers {plain.n_layers} times inner_group_num {inner} must be at most 10000")
    config.skip("down_scale_factor", "gap_size", "net_structure_type", "num_memory_blocks", "layers_to_keep")
    source = tuple(int(i / (plain.n_layers / groups)) * inner + k for i in range(plain.n_layers) for k in range(inner))
    return replace(
        plain,
        n_layers=len(source),
        d_embed=config.int("embedding_size", 128),
        embed_order=("add", "norm", "project"),
        project_square=True,
        causal=False,  # is_decoder changes nothing in the reference
        # Unlike BERT, ALBERT adds the scores of distances after scaling.
        relative=replace(plain.relative, scaled=False) if isinstance(plain.relative, DistanceVectors) else None,
        layer_source=source,
    )
