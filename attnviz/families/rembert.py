"""RemBERT (Chung 2021): BERT with narrow input embeddings that are projected to the model's width."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Spec
from attnviz.families import _encoder
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import BERT_NAMES, CLS_SEP, MASK_STRIPS, Recipe
from attnviz.families._unembed import MaskedHead

NAMES = {**_encoder.NAMES, **pairs({"embed.project": "encoder.embedding_hidden_mapping_in"})}
TOKENIZERS = {
    "rembert": Recipe(
        *CLS_SEP,
        special={**BERT_NAMES, "bos": "[CLS]", "eos": "[SEP]"},
        flags=MASK_STRIPS,
        spaces="plain_late",
        accents=True,
    )
}
MASKED = MaskedHead(
    ("cls.predictions.dense",),
    ("cls.predictions.LayerNorm",),
    ("cls.predictions.decoder.weight",),
    ("cls.predictions.decoder.bias",),
    tied=False,
)


def spec(config: Config) -> Spec:
    """RemBertConfig. The wider output embeddings belong to the language-model head."""
    config.skip("output_embedding_size")
    plain = _encoder.encoder(
        config, n_layers=32, n_heads=18, d_model=1152, d_mlp=4608, vocab=250300, positions=("absolute",)
    )
    return replace(
        plain,
        d_embed=config.int("input_embedding_size", 256),
        embed_order=("add", "norm", "project"),
        project_square=True,
    )
