"""Gemma (Mesnard 2024): Llama with scaled embeddings and norms that multiply by 1 + weight."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._recipes import GEMMA
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = _decoder.NAMES
UNEMBED = Unembedding(tied=True)
TOKENIZERS = {"gemma": GEMMA}


def spec(config: Config) -> Spec:
    """GemmaConfig."""
    sizes = _decoder.sizes(
        config,
        n_layers=28,
        n_heads=16,
        n_kv_heads=16,
        d_model=3072,
        d_head=256,
        d_mlp=24576,
        vocab=256000,
        positions=8192,
    )
    bias = config.bool("attention_bias")
    config.skip("hidden_activation")
    activation = config.activation("hidden_act", "gelu_pytorch_tanh")
    if activation == "gelu":  # the first files say gelu, and mean the tanh form that the model was trained with
        activation = "gelu_tanh"
    config.skip("use_bidirectional_attention")  # the reference masks later keys whatever this key says
    return _decoder.decoder(
        config,
        _decoder.rms(config, plus_one=True),
        (rotary(config, sizes["d_head"], max_positions=8192),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        embed_scale=sizes["d_model"] ** 0.5,
        activation=activation,
    )


GGUF = {"gemma": gguf.Architecture(gguf.plain("gemma"), shifted=True)}
