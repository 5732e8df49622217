"""Hunyuan (Tencent 2025), dense: Llama whose queries and keys are normed after rotary positions."""

from __future__ import annotations

from attnviz.engine.spec import Rotary, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import pairs
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = {
    **_decoder.NAMES,
    **pairs({"q_norm": "self_attn.query_layernorm", "k_norm": "self_attn.key_layernorm"}, "layers.{i}.", "layers.{i}."),
}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """HunYuanDenseV1Config."""
    sizes = _decoder.sizes(config, vocab=290943)
    norm, bias = _decoder.rms(config, 1e-5), config.bool("attention_bias")
    config.skip("eod_token_id")
    return _decoder.decoder(
        config,
        norm,
        (_turns(config, sizes["d_head"]),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        qk_norm=norm,
        qk_norm_turned=True,
    )


def _turns(config: Config, d_head: int) -> Rotary:
    """Rotary positions. A `dynamic` scaling with alpha raises the base, equally for texts of every length."""
    rope = config.sub("rope_scaling") or config.sub("rope_parameters")
    if rope is None or not rope.raw("alpha") or "dynamic" not in (rope.raw("rope_type"), rope.raw("type")):
        return rotary(config, d_head)
    config.skip("rope_theta", "rope_parameters")
    alpha = rope.float("alpha", low=1e-6)
    theta = rope.float("rope_theta", config.float("rope_theta", 10000.0, low=1e-3), low=1e-3)
    if d_head == 2:
        raise rope.error("dynamic scaling needs heads of more than 2 dimensions")
    base = theta * alpha ** (d_head / (d_head - 2))
    return Rotary(d_head, base)


def _from_gguf(m: Metadata) -> Made:
    return {**gguf.plain("hunyuan_v1_dense")(m), "attention_bias": m.has_bias("attn_q")}


GGUF = {"hunyuan-dense": gguf.Architecture(_from_gguf)}
