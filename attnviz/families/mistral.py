"""Mistral (Jiang 2023): Llama with a sliding window over all layers."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._recipes import LLAMA
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = _decoder.NAMES
UNEMBED = Unembedding()
TOKENIZERS = {"mistral": LLAMA}


def spec(config: Config) -> Spec:
    """MistralConfig."""
    sizes = _decoder.sizes(config, n_kv_heads=8, d_mlp=14336, positions=4096 * 32)
    turns = rotary(config, sizes["d_head"], max_positions=4096 * 32)
    return _decoder.decoder(
        config, _decoder.rms(config), (turns,), **sizes, reach=(config.window("sliding_window", 4096),)
    )
