"""GPT-2 (Radford 2019): pre-norm decoder, learned positions, fused projections stored [in, out]."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._gpt import LAYER, learned
from attnviz.families._names import Source
from attnviz.families._recipes import BYTES
from attnviz.families._unembed import Unembedding

NAMES: dict[str, Source] = {
    **LAYER,
    "embed.tokens": "wte.weight",
    "embed.positions": "wpe.weight",
    "final_norm.weight": "ln_f.weight",
    "final_norm.bias": "ln_f.bias",
}
UNEMBED = Unembedding(tied=True)
TOKENIZERS = {"gpt2": BYTES}


def spec(config: Config) -> Spec:
    """GPT2Config."""
    config.skip("reorder_and_upcast_attn")
    return learned(config, scale_by_layer=config.bool("scale_attn_by_inverse_layer_idx"))


def _from_gguf(m: Metadata) -> Made:
    gguf.one_kind_of_heads(m)
    keys = {
        **gguf.sizes(m),
        **gguf.inner(m, "n_inner"),
        **gguf.layer_norm(m, "layer_norm_epsilon"),
        "model_type": "gpt2",
    }
    return {**keys, "n_positions": m.shape("position_embd.weight")[0]}


GGUF = {"gpt2": gguf.Architecture(_from_gguf)}
