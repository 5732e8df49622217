"""Longformer (Beltagy 2020): RoBERTa with a sliding window, and global tokens with projections of their own."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Spec
from attnviz.families import _encoder
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import ROBERTA

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


def spec(config: Config) -> Spec:
    """LongformerConfig. `attention_window` counts both sides: half of it to the left, half to the right."""
    plain = _encoder.after_padding(config, _encoder.encoder(config))
    windows = config.raw("attention_window", 512)
    if isinstance(windows, int):
        windows = [windows] * plain.n_layers
        config.data["attention_window"] = windows
    windows = config.ints("attention_window", length=plain.n_layers)
    if any(w < 2 or w % 2 for w in windows):
        raise config.error(f"attention_window must be even, 2 or more; got {list(windows)}")
    config.skip("onnx_export", "attention_mode", "attention_dilation", "autoregressive", "ignore_attention_mask")
    return replace(plain, reach=tuple(w // 2 for w in windows), global_tokens=True)
