"""Gemma 3 (Kamath 2025), text only: five sliding layers to a full one, each kind with its own rotary positions."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._recipes import GEMMA
from attnviz.families._rotary import by_layer_type
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import FULL, SLIDING, layer_types, reaches

NAMES = {
    **_decoder.NAMES,
    **_decoder.NORMS_AROUND,
    **_decoder.QK_NORMS,
}
UNEMBED = Unembedding(tied=True, softcap=("final_logit_softcapping", 0.0))
TOKENIZERS = {"gemma3text": GEMMA}


def spec(config: Config) -> Spec:
    """Gemma3TextConfig."""
    sizes = _decoder.sizes(
        config,
        n_layers=26,
        n_heads=8,
        n_kv_heads=4,
        d_model=2304,
        d_head=256,
        d_mlp=9216,
        vocab=262208,
        positions=131072,
    )
    norm, bias = _decoder.rms(config, plus_one=True), config.bool("attention_bias")
    every = config.int("sliding_window_pattern", config.int("_sliding_window_pattern", 6))
    kinds = layer_types(config, sizes["n_layers"], lambda i: (i + 1) % every != 0)
    both_ways = config.bool("use_bidirectional_attention")
    reach = config.window("sliding_window", 4096)
    if both_ways:  # the window then spans both sides
        reach = (reach + 1) // 2
    thetas = {FULL: ("rope_theta", 1e6), SLIDING: ("rope_local_base_freq", 1e4)}
    config.skip("final_logit_softcapping", "cache_implementation")
    config.skip("attn_logit_softcapping")  # the reference does not pass it on
    return _decoder.decoder(
        config,
        norm,
        by_layer_type(config, kinds, thetas, sizes["d_head"], 131072, scaled=FULL),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        norm_output=True,
        qk_norm=norm,
        causal=not both_ways,
        reach=reaches(kinds, reach),
        scale=config.float("query_pre_attn_scalar", 256, low=1e-6) ** -0.5,
        embed_scale=sizes["d_model"] ** 0.5,
        activation=config.activation("hidden_activation", "gelu_pytorch_tanh"),
    )


def _from_gguf(m: Metadata) -> Made:
    """Some files hold an image tower as well, whose keys and tensors are ignored."""
    front = m.name("")
    m.skip(*(key.removeprefix(front) for key in m.keys.data if key.startswith((f"{front}vision.", f"{front}mm."))))
    window = m.int("attention.sliding_window", 0, low=0)
    base = "rope.global.freq_base" if m.has("rope.global.freq_base") else "rope.freq_base"
    local = m.float("rope.local.freq_base", m.float("rope.freq_base_swa", 10000.0, low=1e-3), low=1e-3)
    keys = {**gguf.grouped(m), **gguf.inner(m), **gguf.rms(m), "model_type": "gemma3_text"}
    return {
        **keys,
        "rope_parameters": {FULL: gguf.rope(m, base=base, theta=1e6), SLIDING: {"rope_theta": local}},
        "query_pre_attn_scalar": gguf.scale_width(m, 62),
        "layer_types": gguf.layer_kinds(m, 6) if window else [FULL] * m.layers(),
        **({"sliding_window": window} if window else {}),
    }


GGUF = {"gemma3": gguf.Architecture(_from_gguf, gguf.AROUND, shifted=True)}
