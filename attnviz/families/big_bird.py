"""BigBird (Zaheer 2020): BERT whose long texts attend in blocks: first and last, neighbours, and some at random."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Blocks, Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._recipes import BERT_NAMES, CLS_SEP, MASK_STRIPS, Recipe

NAMES = _encoder.NAMES
TOKENIZERS = {
    "bigbird": Recipe(
        *CLS_SEP,
        special={**BERT_NAMES, "bos": "<s>", "eos": "</s>", "unk": "<unk>", "pad": "<pad>"},
        flags={**MASK_STRIPS, "unk": ("normalized",)},
    )
}
MASKED = _unembed.BERT


def spec(config: Config) -> Spec:
    """BigBirdConfig."""
    if not config.has("max_position_embeddings"):
        config.data["max_position_embeddings"] = 4096
    plain = _encoder.encoder(config, vocab=50358, activation="gelu_new", positions=("absolute",))
    kind = config.choice("attention_type", "block_sparse", ("block_sparse", "original_full"))
    size, n_random = config.int("block_size", 64), config.int("num_random_blocks", 3, low=0, high=1000)
    bias = config.bool("use_bias", True)
    sparse = kind == "block_sparse" and not config.bool("add_cross_attention")
    return replace(
        plain,
        blocks=Blocks(size, n_random) if sparse else None,
        embed_scale=plain.d_model**0.5 if config.bool("rescale_embeddings") else 1.0,
        **biases(bias, bias, bias, True),
    )
