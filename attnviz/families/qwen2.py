"""Qwen2 (Yang 2024): Llama with biases on queries, keys and values; upper layers may slide."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import llama
from attnviz.families._config import Config
from attnviz.families._rotary import rotary
from attnviz.families._windows import layer_types, reaches

NAMES = llama.NAMES


def upper_windows(config: Config, n_layers: int) -> tuple[int, ...]:
    """Layers from `max_window_layers` on slide, if windows are used at all."""
    reach = config.window("sliding_window", 4096)
    if not config.bool("use_sliding_window"):
        reach = -1
    first = config.int("max_window_layers", 28, low=0)
    return reaches(layer_types(config, n_layers, lambda i: reach >= 0 and i >= first), reach)


def spec(config: Config) -> Spec:
    """Qwen2Config."""
    config.off("use_mrope")
    found = llama.sizes(config, n_kv_heads=32, d_mlp=22016, vocab=151936, positions=32768)
    turns = rotary(config, found["d_head"], max_positions=32768)
    windows = upper_windows(config, found["n_layers"])
    more = llama.biases(True, True, True, False)
    return llama.decoder(config, llama.rms(config), (turns,), **found, reach=windows, **more)
