"""Qwen2 (Yang 2024): Llama with biases on queries, keys and values; upper layers may slide."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._recipes import QWEN2
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import upper_windows

NAMES = _decoder.NAMES
UNEMBED = Unembedding()
TOKENIZERS = {"qwen2": QWEN2}


def spec(config: Config) -> Spec:
    """Qwen2Config."""
    config.skip("use_mrope")  # a token of text has the same position on all axes
    sizes = _decoder.sizes(config, n_kv_heads=32, d_mlp=22016, vocab=151936, positions=32768)
    turns = rotary(config, sizes["d_head"], max_positions=32768)
    windows = upper_windows(config, sizes["n_layers"])
    more = _decoder.biases(True, True, True, False)
    return _decoder.decoder(config, _decoder.rms(config), (turns,), **sizes, reach=windows, **more)


GGUF = {"qwen2": gguf.Architecture(gguf.plain("qwen2"))}
