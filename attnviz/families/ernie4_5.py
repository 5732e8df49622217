"""ERNIE 4.5 (Baidu 2025), dense: Llama that turns neighbouring pairs, with one key for all biases."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = _decoder.NAMES
UNEMBED = Unembedding(tied=True)


def spec(config: Config) -> Spec:
    """Ernie4_5Config."""
    defaults = {"n_layers": 18, "n_heads": 16, "n_kv_heads": 2, "d_model": 1024, "d_head": 128, "d_mlp": 3072}
    sizes = _decoder.sizes(config, **defaults, vocab=103424, positions=131072)
    bias = config.bool("use_bias")
    return _decoder.decoder(
        config,
        _decoder.rms(config, 1e-5),
        (rotary(config, sizes["d_head"], theta=5e5, max_positions=131072, interleaved=True),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        mlp_bias=bias,
    )


def _from_gguf(m: Metadata) -> Made:
    return {**gguf.plain("ernie4_5")(m), "use_bias": m.has_bias("attn_q")}


GGUF = {"ernie4_5": gguf.Architecture(_from_gguf)}
