"""Longformer (Beltagy 2020): RoBERTa with a sliding window, and global tokens with their own projections."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import ROBERTA
from attnviz.families._windows import both_sides

NAMES = {
    **_encoder.NAMES,
    **pairs(
        {
            f"global_{part}": f"attention.self.{name}_global"
            for part, name in zip("qkv", ("query", "key", "value"), strict=True)
        },
        "layers.{i}.",
        "encoder.layer.{i}.",
    ),
}
TOKENIZERS = {"longformer": ROBERTA}
MASKED = _unembed.ROBERTA


def spec(config: Config) -> Spec:
    """LongformerConfig. `attention_window` counts both sides: half of it to the left, half to the right."""
    plain = _encoder.after_padding(config, _encoder.encoder(config, positions=("absolute",)))
    config.skip("onnx_export", "attention_mode", "attention_dilation", "autoregressive", "ignore_attention_mask")
    return replace(plain, reach=both_sides(config, "attention_window", 512, plain.n_layers), global_tokens=True)
