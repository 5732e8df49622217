"""Command R7B (Cohere 2024): Command R with windows, and rotary positions in the layers that have a window alone."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import SLIDING, layer_types, reaches, sliding_window

NAMES = _decoder.NAMES
UNEMBED = Unembedding(tied=True, scale=("logit_scale", 0.0625))


def spec(config: Config) -> Spec:
    """Cohere2Config."""
    sizes = _decoder.sizes(config, n_layers=40, n_heads=64, d_model=8192, d_mlp=22528, vocab=256000, positions=8192)
    every = config.int("sliding_window_pattern", 4)
    kinds = layer_types(config, sizes["n_layers"], lambda i: (i + 1) % every != 0)
    # Files saved since 4.53 have it beside `layer_types`, which overrides it; on its own the reference ignores it.
    if config.has("layer_types"):
        config.skip("_sliding_window_pattern")
    else:
        config.off("_sliding_window_pattern", every)
    reach = sliding_window(config, 4096, kinds)
    turns = rotary(config, sizes["d_head"], max_positions=8192, interleaved=True)
    bias = config.bool("attention_bias")
    config.skip("logit_scale")
    return _decoder.decoder(
        config,
        Norm(eps=config.float("layer_norm_eps", 1e-5, low=0), bias=False),
        tuple(turns if kind == SLIDING else None for kind in kinds),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        parallel="shared",
        reach=reaches(kinds, reach),
    )


def _from_gguf(m: Metadata) -> Made:
    keys = {**gguf.grouped(m), **gguf.inner(m), **gguf.layer_norm(m), "model_type": "cohere2"}
    return {
        **keys,
        "attention_bias": m.has_bias("attn_q"),
        "rope_parameters": gguf.rope(m),
        "sliding_window": m.int("attention.sliding_window"),
        "layer_types": gguf.layer_kinds(m, 4),
    }


GGUF = {"cohere2": gguf.Architecture(_from_gguf)}
