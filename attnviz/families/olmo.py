"""OLMo (Groeneveld 2024): Llama with layer norms that have no parameters; queries, keys and values may be clipped."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = _decoder.NAMES
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """OlmoConfig. The eps of its norms is not a key."""
    sizes = _decoder.sizes(config, vocab=50304)
    bias = config.bool("attention_bias")
    return _decoder.decoder(
        config,
        Norm(eps=1e-5, weight=False, bias=False),
        (rotary(config, sizes["d_head"]),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        qkv_clip=config.cap("clip_qkv", None),
    )
