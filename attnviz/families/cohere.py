"""Command R (Cohere 2024): layer norms without bias, attention and MLP side by side, neighbouring pairs rotated."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._rotary import rotary

NAMES = {
    **_decoder.NAMES,
    "layers.{i}.q_norm.{e}.weight": ("layers.{i}.self_attn.q_norm.weight", "expert"),
    "layers.{i}.k_norm.{e}.weight": ("layers.{i}.self_attn.k_norm.weight", "expert"),
}


def spec(config: Config) -> Spec:
    """CohereConfig."""
    found = _decoder.sizes(config, n_layers=40, n_heads=64, d_model=8192, d_mlp=22528, vocab=256000, positions=8192)
    norm = Norm(eps=config.float("layer_norm_eps", 1e-5, low=0), bias=False)
    bias = config.bool("attention_bias")
    config.skip("logit_scale")
    return _decoder.decoder(
        config,
        norm,
        (rotary(config, found["d_head"], theta=5e5, max_positions=8192, interleaved=True),),
        **found,
        **_decoder.biases(bias, bias, bias, bias),
        parallel="shared",
        qk_norm=norm if config.bool("use_qk_norm") else None,
        qk_norm_over="heads",
    )
