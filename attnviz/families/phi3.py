"""Phi-3 (Abdin 2024): Llama with fused projections and long-text rotary tables."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import fused
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = {
    **_decoder.NAMES,
    **fused("layers.{i}.self_attn.qkv_proj"),
    **_decoder.GATE_UP,
}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """Phi3Config."""
    sizes = _decoder.sizes(config, d_model=3072, d_mlp=8192, vocab=32064, positions=4096)
    turns = rotary(config, sizes["d_head"], part=1.0, max_positions=4096)
    config.skip("attention_bias", "original_max_position_embeddings")
    # Phi-4-mini's files have these four beside code of their own, with values that change nothing.
    for key, values in {"full_attn_mod": (1,), "interpolate_factor": (1,), "lm_head_bias": (), "mlp_bias": ()}.items():
        config.off(key, *values)
    reach = config.window("sliding_window", None)
    return _decoder.decoder(config, _decoder.rms(config, 1e-5), (turns,), **sizes, reach=(reach,))


def _from_gguf(m: Metadata) -> Made:
    keys = {**gguf.grouped(m), **gguf.inner(m, parts=2), **gguf.rms(m), "model_type": "phi3"}
    window = m.int("attention.sliding_window", 0, low=0)
    return {**keys, "rope_parameters": gguf.rope(m, partial=True), "sliding_window": window or None}


GGUF = {"phi3": gguf.Architecture(_from_gguf, gate_up=True)}
