"""UMT5 (Chung 2023): mT5 with a separate distance bias in each layer."""

from __future__ import annotations

from attnviz.engine.spec import EncoderDecoder
from attnviz.families import _t5
from attnviz.families._config import Config
from attnviz.families._recipes import END, THEN_END, Recipe
from attnviz.families._unembed import Unembedding

NAMES = _t5.names(by_layer=True)
UNEMBED = Unembedding(tied=True, by_width=True, stored_first=True)
TOKENIZERS = {"umt5": Recipe(*THEN_END, special=END, back=("extra_ids",))}


def spec(config: Config) -> EncoderDecoder:
    """UMT5Config."""
    return _t5.stacks(
        config,
        vocab=250112,
        n_layers=8,
        n_heads=6,
        d_mlp=1024,
        feed_forward="gated-gelu",
        start=0,
        by_layer=True,
    )
