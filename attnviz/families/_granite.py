"""Shared by Granite's models: a multiplier for embeddings, for scores and for the output of each sublayer."""

from __future__ import annotations

from typing import Any

from attnviz.families._config import Config


def multipliers(config: Config) -> dict[str, Any]:
    """Read the multipliers as fields of a Spec. The logits have one more, which `Unembedding` reads."""
    config.skip("logits_scaling")
    return {
        "embed_scale": config.float("embedding_multiplier", 1.0),
        "scale": config.float("attention_multiplier", 1.0, low=1e-9),
        "sublayer_scale": config.float("residual_multiplier", 1.0),
    }
