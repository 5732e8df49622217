"""Shared by the GLM decoders: neighbouring pairs turned in a part of each head."""

from __future__ import annotations

from typing import Any

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._rotary import rotary


def half_turned(config: Config, **more: Any) -> Spec:
    """A dense GLM decoder; `more` has the fields that differ."""
    defaults = {"n_layers": 40, "n_kv_heads": 2, "d_head": 128, "d_mlp": 13696, "vocab": 151552, "positions": 131072}
    sizes = _decoder.sizes(config, **defaults)
    bias = config.bool("attention_bias", True)
    turns = rotary(config, sizes["d_head"], part=0.5, max_positions=131072, interleaved=True)
    norm = _decoder.rms(config, 1.5625e-07)
    return _decoder.decoder(config, norm, (turns,), **sizes, **_decoder.biases(bias, bias, bias, False), **more)


def from_gguf(m: Metadata, model_type: str) -> Made:
    """The configuration in a file. Sections of positions, which models that read images have, are refused."""
    m.only("nextn_predict_layers", 0)
    m.only("rope.dimension_sections", [0, 0, 0, 0])
    keys = {**gguf.grouped(m), **gguf.inner(m, parts=2), **gguf.rms(m), "model_type": model_type}
    return {**keys, "attention_bias": m.has_bias("attn_q"), "rope_parameters": gguf.rope(m, partial=True)}
