"""OLMo 2 (Walsh 2025): norms on the outputs of attention and MLP instead of their inputs, and across all heads."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = {**_decoder.NAMES, **_decoder.NORMS_OUT, **_decoder.QK_NORMS}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """Olmo2Config."""
    found = _decoder.sizes(config, vocab=50304)
    norm, bias = _decoder.rms(config, 1e-5), config.bool("attention_bias")
    return _decoder.decoder(
        config,
        norm,
        (rotary(config, found["d_head"]),),
        **found,
        **_decoder.biases(bias, bias, bias, bias),
        norm_before=False,
        norm_output=True,
        qk_norm=norm,
        qk_norm_over="all",
    )


GGUF = {"olmo2": gguf.Architecture(gguf.plain("olmo2"), gguf.AROUND)}
