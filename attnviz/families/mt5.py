"""mT5 (Xue 2020): T5 for many languages, with gated MLPs and an output matrix of its own."""

from __future__ import annotations

from attnviz.engine.spec import EncoderDecoder
from attnviz.families import _t5
from attnviz.families._config import Config
from attnviz.families._recipes import END, THEN_END, Recipe
from attnviz.families._unembed import Unembedding

NAMES = _t5.names()
UNEMBED = Unembedding(tied=True, stored_first=True)
TOKENIZERS = {"mt5": Recipe(*THEN_END, special=END, back=("extra_ids",))}


def spec(config: Config) -> EncoderDecoder:
    """MT5Config."""
    return _t5.stacks(config, vocab=250112, n_layers=8, n_heads=6, d_mlp=1024, feed_forward="gated-gelu", start=0)
