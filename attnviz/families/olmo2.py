"""OLMo 2 (Walsh 2025): norms on the outputs of attention and MLP instead of their inputs, and across all heads."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import FULL, SLIDING

NAMES = {**_decoder.NAMES, **_decoder.NORMS_OUT, **_decoder.QK_NORMS}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """Olmo2Config."""
    sizes = _decoder.sizes(config, vocab=50304)
    norm, bias = _decoder.rms(config, 1e-5), config.bool("attention_bias")
    return _decoder.decoder(
        config,
        norm,
        (rotary(config, sizes["d_head"]),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        norm_before=False,
        norm_output=True,
        qk_norm=norm,
        qk_norm_over="all",
    )


def _from_gguf(m: Metadata) -> Made:
    """With a window it is OLMo 3, whose rotary positions are stretched in full layers alone."""
    window = m.int("attention.sliding_window", 0, low=0)
    if not window:
        return gguf.plain("olmo2")(m)
    local = m.float("rope.freq_base_swa", m.float("rope.freq_base", 10000.0, low=1e-3), low=1e-3)
    return {
        **gguf.plain("olmo3")(m),
        "rope_parameters": {FULL: gguf.rope(m), SLIDING: {"rope_theta": local}},
        "sliding_window": window,
        "layer_types": gguf.layer_kinds(m, 4),
    }


GGUF = {"olmo2": gguf.Architecture(_from_gguf, gguf.AROUND)}
