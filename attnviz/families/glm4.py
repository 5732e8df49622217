"""GLM-4-0414 (Zhipu AI 2025): GLM with norms on the outputs of attention and MLP as well."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._glm import from_gguf, half_turned
from attnviz.families._names import pairs
from attnviz.families._unembed import Unembedding

NAMES = {
    **_decoder.NAMES,
    **_decoder.GATE_UP,
    **pairs({"norm1_out": "post_self_attn_layernorm", "norm2_out": "post_mlp_layernorm"}, "layers.{i}.", "layers.{i}."),
}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """Glm4Config."""
    return half_turned(config, norm_output=True)


GGUF = {"glm4": gguf.Architecture(lambda m: from_gguf(m, "glm4"), gguf.AROUND, gate_up=True)}
