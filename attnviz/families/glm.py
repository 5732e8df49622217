"""GLM-4 (Zeng 2024): Llama that turns neighbouring pairs in half of each head, with gate and up in one matrix."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._glm import from_gguf, half_turned
from attnviz.families._unembed import Unembedding

NAMES = {**_decoder.NAMES, **_decoder.GATE_UP}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """GlmConfig."""
    return half_turned(config)


GGUF = {"chatglm": gguf.Architecture(lambda m: from_gguf(m, "glm"), gate_up=True)}
