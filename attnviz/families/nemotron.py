"""Nemotron (Parmar 2024): layer norms that multiply by 1 + weight, a plain MLP, half of each head rotated."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = _decoder.NAMES
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """NemotronConfig."""
    sizes = _decoder.sizes(config, n_heads=48, d_model=6144, d_mlp=24576, vocab=256000, positions=4096)
    bias = config.bool("attention_bias")
    return _decoder.decoder(
        config,
        Norm(eps=config.float("norm_eps", 1e-5, low=0), plus_one=True),
        (rotary(config, sizes["d_head"], part=0.5, max_positions=4096),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        gated=False,
        mlp_bias=config.bool("mlp_bias"),
        activation=config.activation("hidden_act", "relu2"),
    )
