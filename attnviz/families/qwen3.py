"""Qwen3 (Yang 2025): Qwen2 without biases, with an RMS norm on each head's queries and keys."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._recipes import QWEN2
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import upper_windows

NAMES = {
    **_decoder.NAMES,
    **_decoder.QK_NORMS,
}
UNEMBED = Unembedding()
TOKENIZERS = {"qwen3": QWEN2}


def spec(config: Config) -> Spec:
    """Qwen3Config."""
    sizes = _decoder.sizes(config, n_kv_heads=32, d_head=128, d_mlp=22016, vocab=151936, positions=32768)
    turns = rotary(config, sizes["d_head"], max_positions=32768)
    norm, bias = _decoder.rms(config), config.bool("attention_bias")
    windows = upper_windows(config, sizes["n_layers"])
    more = _decoder.biases(bias, bias, bias, bias)
    return _decoder.decoder(config, norm, (turns,), **sizes, qk_norm=norm, reach=windows, **more)


def _from_gguf(m: Metadata) -> Made:
    return {**gguf.plain("qwen3")(m), "attention_bias": m.has_bias("attn_q")}


GGUF = {"qwen3": gguf.Architecture(_from_gguf)}
