"""CodeGen (Nijkamp 2022): GPT-J with queries, values and keys fused, a quarter of the heads at a time."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families._config import Config
from attnviz.families._gpt import turned
from attnviz.families._names import Source, pairs
from attnviz.families._recipes import BYTES
from attnviz.families._unembed import Unembedding

NAMES: dict[str, Source] = {
    "embed.tokens": "wte.weight",
    **{f"layers.{{i}}.{p}.weight": ("h.{i}.attn.qkv_proj.weight", f"{p}_of_qvk_quarters") for p in "qkv"},
    "layers.{i}.o.weight": "h.{i}.attn.out_proj.weight",
    **pairs({"norm1": "ln_1", "up": "mlp.fc_in", "down": "mlp.fc_out"}, "layers.{i}.", "h.{i}."),
    **pairs({"final_norm": "ln_f"}),
}
UNEMBED = Unembedding(bias="lm_head.bias")
TOKENIZERS = {"codegen": BYTES}


def spec(config: Config) -> Spec:
    """CodeGenConfig."""
    decoder = turned(config, types_are_tokens=True)
    if decoder.n_heads % 4:
        raise config.error(f"n_head must be a multiple of 4, since queries lie in four parts; got {decoder.n_heads}")
    return decoder
