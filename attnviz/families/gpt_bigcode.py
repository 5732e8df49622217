"""GPT-BigCode (Ben Allal 2023: SantaCoder, StarCoder): GPT-2 whose heads share one key-value head."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._gpt import learned
from attnviz.families._names import Source, fused, pairs
from attnviz.families._recipes import BYTES
from attnviz.families._unembed import Unembedding

UNEMBED = Unembedding(tied=True)
TOKENIZERS = {"gptbigcode": BYTES}


def names(config: Config) -> dict[str, Source]:
    """Our names -> stored names: one key-value head follows all queries, or each head's three parts are together."""
    how = "qkv" if config.bool("multi_query", True) else "qkv_by_head"
    return {
        "embed.tokens": "wte.weight",
        "embed.positions": "wpe.weight",
        **fused("h.{i}.attn.c_attn", how=how),
        **pairs(
            {"o": "attn.c_proj", "up": "mlp.c_fc", "down": "mlp.c_proj", "norm1": "ln_1", "norm2": "ln_2"},
            "layers.{i}.",
            "h.{i}.",
        ),
        **pairs({"final_norm": "ln_f"}),
    }


def spec(config: Config) -> Spec:
    """GPTBigCodeConfig. Its matrices are stored [out, in], unlike GPT-2's."""
    # `num_key_value_heads` follows from multi_query; the other keys say how the softmax is computed, or for which
    # inputs memory is set aside.
    config.skip("num_key_value_heads", "inference_runner", "validate_runner_input")
    config.skip("pre_allocate_kv_cache", "max_sequence_length", "max_batch_size", "pad_key_length")
    return learned(config, "gelu_pytorch_tanh", n_kv_heads=1 if config.bool("multi_query", True) else 0)


def _from_gguf(m: Metadata) -> Made:
    m.only("attention.head_count_kv", 1)
    keys = {**gguf.sizes(m), **gguf.inner(m, "n_inner"), **gguf.layer_norm(m, "layer_norm_epsilon")}
    return {**keys, "model_type": "gpt_bigcode", "n_positions": m.shape("position_embd.weight")[0]}


GGUF = {"starcoder": gguf.Architecture(_from_gguf)}
