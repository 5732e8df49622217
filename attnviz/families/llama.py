"""Llama (Touvron 2023): pre-norm decoder, RMS norm, rotary positions, grouped heads, gated MLP."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._recipes import LLAMA
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

CLASSES = ("LLaMAForCausalLM", "LlaMAForCausalLM")  # as older files call the architecture
NAMES = _decoder.NAMES
UNEMBED = Unembedding()
TOKENIZERS = dict.fromkeys(("llama", "codellama"), LLAMA)


def spec(config: Config) -> Spec:
    """LlamaConfig."""
    config.skip("max_sequence_length")
    sizes = _decoder.sizes(config)
    bias = config.bool("attention_bias")
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        (rotary(config, sizes["d_head"]),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        mlp_bias=config.bool("mlp_bias"),
    )


def _from_gguf(m: Metadata) -> Made:
    keys = {**gguf.grouped(m), **gguf.rms(m), "rope_parameters": gguf.rope(m)}
    if m.int("expert_count", 0, low=0):
        return {**keys, **gguf.experts(m), "model_type": "mixtral"}
    m.only("expert_used_count", 0)
    bias = {"attention_bias": m.has_bias("attn_q"), "mlp_bias": m.has_bias("ffn_up")}
    window = m.int("attention.sliding_window", 0, low=0)
    if not window:
        return {**keys, **gguf.inner(m), **bias, "model_type": "llama"}
    if any(bias.values()):
        raise m.keys.error("biases together with a sliding window are not handled")
    return {**keys, **gguf.inner(m), "model_type": "mistral", "sliding_window": window}


GGUF = {"llama": gguf.Architecture(_from_gguf, turned=True)}
