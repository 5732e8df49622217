"""SmolLM3 (Bakouch 2025): Llama in which every fourth layer has no positions."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import layer_types, reaches

NAMES = _decoder.NAMES
UNEMBED = Unembedding(tied=True)


def spec(config: Config) -> Spec:
    """SmolLM3Config. `no_rope_layers` has a 1 for each layer with rotary positions, a 0 for each without."""
    sizes = _decoder.sizes(config, n_layers=36, n_heads=16, n_kv_heads=4, d_model=2048, vocab=128256, positions=32768)
    config.skip("max_window_layers")
    n_layers, bias = sizes["n_layers"], config.bool("attention_bias")
    every = config.int("no_rope_layer_interval", 4)
    turned = config.ints("no_rope_layers", [int((i + 1) % every != 0) for i in range(n_layers)], n_layers)
    turns = rotary(config, sizes["d_head"], theta=2e6, max_positions=32768)
    reach = config.window("sliding_window", None)
    if not config.bool("use_sliding_window"):
        reach = -1
    kinds = layer_types(config, n_layers, lambda i: reach >= 0 and not turned[i])
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        tuple(turns if on else None for on in turned),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        mlp_bias=config.bool("mlp_bias"),
        reach=reaches(kinds, reach),
    )


def _from_gguf(m: Metadata) -> Made:
    bias = {"attention_bias": m.has_bias("attn_q"), "mlp_bias": m.has_bias("ffn_up")}
    return {
        **gguf.grouped(m),
        **gguf.inner(m),
        **gguf.rms(m),
        **bias,
        "model_type": "smollm3",
        "rope_parameters": gguf.rope(m),
    }


GGUF = {"smollm3": gguf.Architecture(_from_gguf, turned=True)}
