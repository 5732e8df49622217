"""EuroBERT (Boizard 2025): Llama's block without causal mask: RMS norms, rotary positions, grouped heads, gated MLP."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._rotary import rotary
from attnviz.families._unembed import MaskedHead

NAMES = _decoder.NAMES
MASKED = MaskedHead(table=("lm_head.weight",), bias=("lm_head.bias",), tied=False, bias_key=("mlp_bias", False))


def spec(config: Config) -> Spec:
    """EuroBertConfig."""
    sizes = _decoder.sizes(config, n_layers=12, n_heads=12, d_model=768, d_mlp=3072, vocab=128256, positions=8192)
    if sizes["n_heads"] * sizes["d_head"] != sizes["d_model"]:
        config.divides("num_attention_heads", sizes["n_heads"], "hidden_size", sizes["d_model"])
    bias = config.bool("attention_bias")
    config.skip("clf_pooling", "classifier_pooling", "mask_token", "bos_token", "eos_token", "pad_token")
    plain = _decoder.decoder(
        config,
        _decoder.rms(config, 1e-5),
        (rotary(config, sizes["d_head"], max_positions=8192),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        mlp_bias=config.bool("mlp_bias"),
    )
    return replace(plain, causal=False)


def _from_gguf(m: Metadata) -> Made:
    m.only("attention.causal", False)
    keys = {**gguf.grouped(m), **gguf.inner(m), **gguf.rms(m), "rope_parameters": gguf.rope(m)}
    bias = {"attention_bias": m.has_bias("attn_q"), "mlp_bias": m.has_bias("ffn_up")}
    return {**keys, **bias, "model_type": "eurobert"}


GGUF = {"eurobert": gguf.Architecture(_from_gguf)}
