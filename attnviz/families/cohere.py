"""Command R (Cohere 2024): layer norms without bias, attention and MLP side by side, neighbouring pairs rotated."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._recipes import Recipe, around
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = {
    **_decoder.NAMES,
    "layers.{i}.q_norm.{e}.weight": ("layers.{i}.self_attn.q_norm.weight", "expert"),
    "layers.{i}.k_norm.{e}.weight": ("layers.{i}.self_attn.k_norm.weight", "expert"),
}
TOKENIZERS = {
    "cohere": Recipe(
        *around(True, False),
        ends=True,
        special={"bos": "<BOS_TOKEN>", "eos": "<|END_OF_TURN_TOKEN|>", "unk": "<UNK>", "pad": "<PAD>"},
        vocab="json",
    )
}
UNEMBED = Unembedding(tied=True, scale=("logit_scale", 0.0625))


def spec(config: Config) -> Spec:
    """CohereConfig."""
    sizes = _decoder.sizes(config, n_layers=40, n_heads=64, d_model=8192, d_mlp=22528, vocab=256000, positions=8192)
    norm = Norm(eps=config.float("layer_norm_eps", 1e-5, low=0), bias=False)
    bias = config.bool("attention_bias")
    config.skip("logit_scale")
    return _decoder.decoder(
        config,
        norm,
        (rotary(config, sizes["d_head"], theta=5e5, max_positions=8192, interleaved=True),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        parallel="shared",
        qk_norm=norm if config.bool("use_qk_norm") else None,
        qk_norm_over="heads",
    )


def _from_gguf(m: Metadata) -> Made:
    keys = {**gguf.grouped(m), **gguf.inner(m), **gguf.layer_norm(m), "model_type": "cohere"}
    keys |= {"attention_bias": m.has_bias("attn_q"), "use_qk_norm": "blk.0.attn_q_norm.weight" in m.shapes}
    return {**keys, "rope_parameters": gguf.rope(m)}


GGUF = {"command-r": gguf.Architecture(_from_gguf)}
