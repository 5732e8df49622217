"""Llama (Touvron 2023): pre-norm decoder, RMS norm, rotary positions, grouped heads, gated MLP."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._rotary import rotary

NAMES = _decoder.NAMES


def spec(config: Config) -> Spec:
    """LlamaConfig."""
    config.skip("max_sequence_length")
    found = _decoder.sizes(config)
    bias = config.bool("attention_bias")
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        (rotary(config, found["d_head"]),),
        **found,
        **_decoder.biases(bias, bias, bias, bias),
        mlp_bias=config.bool("mlp_bias"),
    )
