"""Helium (Kyutai 2025): Llama that turns neighbouring pairs."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = _decoder.NAMES
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """HeliumConfig."""
    defaults = {"n_layers": 24, "n_heads": 20, "n_kv_heads": 20, "d_model": 2560, "d_head": 128, "d_mlp": 7040}
    sizes = _decoder.sizes(config, **defaults, vocab=48000, positions=4096)
    bias = config.bool("attention_bias")
    return _decoder.decoder(
        config,
        _decoder.rms(config, 1e-8),
        (rotary(config, sizes["d_head"], theta=1e5, max_positions=4096, interleaved=True),),
        **sizes,
        **_decoder.biases(bias, bias, bias, False),
        mlp_bias=config.bool("mlp_bias"),
    )
