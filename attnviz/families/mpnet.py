"""MPNet (Song 2020): BERT with a bucketed distance bias shared by all layers, without token types."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Buckets, Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import MASK_STRIPS, S_NAMES, Recipe

NAMES = {
    **_encoder.NAMES,
    "bias.table": "encoder.relative_attention_bias.weight",
    **pairs(
        {
            "q": "attention.attn.q",
            "k": "attention.attn.k",
            "v": "attention.attn.v",
            "o": "attention.attn.o",
            "norm1": "attention.LayerNorm",
        },
        "layers.{i}.",
        "encoder.layer.{i}.",
    ),
}
TOKENIZERS = {
    "mpnet": Recipe(
        "{cls}:0 $A:0 {sep}:0",
        "{cls}:0 $A:0 {sep}:0 {sep}:0 $B:1 {sep}:1",
        {**S_NAMES, "unk": "[UNK]"},
        vocab="wordpiece",
        flags=MASK_STRIPS,
        lower=True,
    )
}
MASKED = _unembed.ROBERTA


def spec(config: Config) -> Spec:
    """MPNetConfig."""
    plain = _encoder.after_padding(config, _encoder.encoder(config, vocab=30527, types=0, positions=("absolute",)))
    # The reference makes a table with the configured number of rows and reads the first 32.
    return replace(plain, bias=Buckets(32, rows=config.int("relative_attention_num_buckets", 32, low=32)))
