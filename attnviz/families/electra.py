"""ELECTRA (Clark 2020): BERT with narrow embeddings that are projected to the model's width."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Spec
from attnviz.families import _encoder
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import WORDPIECE
from attnviz.families._unembed import MaskedHead

NAMES = {**_encoder.NAMES, **pairs({"embed.project": "embeddings_project"})}
TOKENIZERS = {"electra": WORDPIECE}
MASKED = MaskedHead(
    ("generator_predictions.dense",),
    ("generator_predictions.LayerNorm",),
    ("generator_lm_head.weight",),
    ("generator_lm_head.bias",),
    activation="gelu",
)


def spec(config: Config) -> Spec:
    """ElectraConfig."""
    plain = _encoder.encoder(config, n_heads=4, d_model=256, d_mlp=1024)
    return replace(plain, d_embed=config.int("embedding_size", 128), embed_order=("add", "norm", "project"))
