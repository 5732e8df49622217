"""BERT for generation (Rothe 2020): BERT without token types, as an encoder or a causal decoder."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Learned, Spec
from attnviz.families import _encoder
from attnviz.families._config import Config
from attnviz.families._recipes import END, Recipe

NAMES = _encoder.NAMES
TOKENIZERS = {"bertgeneration": Recipe(special={**END, "bos": "<s>", "sep": "<::::>"}, spaces="own", bytes=True)}


def spec(config: Config) -> Spec:
    """BertGenerationConfig. Learned positions are added even if distances are scored."""
    plain = _encoder.encoder(config, n_layers=24, n_heads=16, d_model=1024, d_mlp=4096, vocab=50358, types=0)
    return replace(plain, absolute=Learned(config.int("max_position_embeddings", 512)))
