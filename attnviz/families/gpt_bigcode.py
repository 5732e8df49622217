"""GPT-BigCode (Ben Allal 2023: SantaCoder, StarCoder): GPT-2 whose heads share one key-value head."""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import Source, fused, pairs
from attnviz.families._recipes import BYTES
from attnviz.families._unembed import Unembedding

UNEMBED = Unembedding(tied=True)
TOKENIZERS = {"gptbigcode": BYTES}


def names(config: Config) -> dict[str, Source]:
    """Where tensors are: one key-value head follows all queries, or each head keeps its own three parts together."""
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
    config.rename(n_embd="hidden_size", n_head="num_attention_heads", n_layer="num_hidden_layers")
    config.rename(n_positions="max_position_embeddings")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    d_model, n_heads = config.int("n_embd", 768), config.heads("n_head", 12)
    config.divides("n_head", n_heads, "n_embd", d_model)
    # `num_key_value_heads` follows from multi_query; the other keys say how the softmax is computed, or for which
    # inputs memory is set aside.
    config.skip("num_key_value_heads", "add_cross_attention", "n_ctx", "inference_runner", "validate_runner_input")
    config.skip("pre_allocate_kv_cache", "max_sequence_length", "max_batch_size", "pad_key_length")
    return Spec(
        n_layers=config.layers("n_layer", 12),
        n_heads=n_heads,
        n_kv_heads=1 if config.bool("multi_query", True) else n_heads,
        d_model=d_model,
        d_mlp=config.int("n_inner", 4 * d_model),
        vocab=config.int("vocab_size", 50257),
        types_are_tokens=True,
        absolute=Learned(config.int("n_positions", 1024)),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        causal=True,
        scale=0.0 if config.bool("scale_attn_weights", True) else 1.0,
        activation=config.activation("activation_function", "gelu_pytorch_tanh"),
    )


def _from_gguf(m: Metadata) -> Made:
    m.only("attention.head_count_kv", 1)
    found = {**gguf.sizes(m), **gguf.inner(m, "n_inner"), **gguf.layer_norm(m, "layer_norm_epsilon")}
    return {**found, "model_type": "gpt_bigcode", "n_positions": m.shape("position_embd.weight")[0]}


GGUF = {"starcoder": gguf.Architecture(_from_gguf)}
