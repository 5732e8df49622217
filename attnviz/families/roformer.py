"""RoFormer (Su 2021), the first model with rotary positions: BERT whose queries and keys turn in neighbouring pairs."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Rotary, Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import Recipe

NAMES = {
    **_encoder.NAMES,
    **pairs({"embed.project": "embeddings_project"}),
    "rotary.table": "encoder.embed_positions.weight",
}
# A tokenizer.json saved by the reference names another splitter than the reference uses.
TOKENIZERS = {"roformer": Recipe(beyond="words are cut with jieba's dictionary")}
MASKED = _unembed.BERT


def spec(config: Config) -> Spec:
    """RoFormerConfig. Published files may hold the sines and cosines, which are then used."""
    plain = _encoder.encoder(config, vocab=50000, positions=("absolute",), longest=1536)
    if plain.d_head % 2:
        raise config.error(
            f"rotary positions turn pairs: a head must have an even number of dimensions; got {plain.d_head}"
        )
    return replace(
        plain,
        absolute=None,
        d_embed=config.int("embedding_size", plain.d_model),
        embed_order=("add", "norm", "project"),
        rotary=(Rotary(plain.d_head, interleaved=True, stored=config.int("max_position_embeddings", 1536)),),
        rotary_values=config.bool("rotary_value"),
    )
