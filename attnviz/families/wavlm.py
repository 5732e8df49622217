"""WavLM (Chen 2022): HuBERT's encoder with a bias by distance, gated by each layer's queries."""

from __future__ import annotations

from attnviz.engine.spec import Buckets, Spec
from attnviz.families import _sound
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs

_A = "encoder.layers.{i}.attention."
NAMES: dict[str, Source] = {
    **_sound.NAMES,
    "bias.table": "encoder.layers.0.attention.rel_attn_embed.weight",
    **pairs({"layers.{i}.bias_gate": "gru_rel_pos_linear"}, "", _A),
    "layers.{i}.bias_gate.scale": (f"{_A}gru_rel_pos_const", "flatten"),
}


def spec(config: Config) -> Spec:
    """WavLMConfig. The reference returns the mean over heads for each head, and notes that it should not."""
    n = config.int("num_buckets", 320, low=4)
    farthest = config.int("max_bucket_distance", 800)
    if farthest <= n // 4:
        raise config.error(f"max_bucket_distance {farthest} must be above a quarter of num_buckets {n}")
    return _sound.encoder(config, bias=Buckets(n, farthest, gated=True), mean_of_heads=True)
