"""CodeGen (Nijkamp 2022): GPT-J with queries, values and keys fused, a quarter of the heads at a time."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Rotary, Spec
from attnviz.families._config import Config
from attnviz.families._decoder import biases
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
    config.rename(n_embd="hidden_size", n_head="num_attention_heads", n_layer="num_hidden_layers")
    config.rename(n_positions="max_position_embeddings")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    d_model, n_heads = config.int("n_embd", 4096), config.heads("n_head", 16)
    config.divides("n_head", n_heads, "n_embd", d_model)
    if n_heads % 4:
        raise config.error(f"n_head must be a multiple of 4, since queries lie in four parts; got {n_heads}")
    config.skip("n_ctx", "rotary", "scale_attn_weights")
    dim = config.int("rotary_dim", 64, high=d_model // n_heads)
    if dim % 2:
        raise config.error(f"rotary_dim must be even; got {dim}")
    return Spec(
        n_layers=config.layers("n_layer", 28),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("n_inner", 4 * d_model),
        vocab=config.int("vocab_size", 50400),
        types_are_tokens=True,
        trained_positions=config.int("n_positions", 2048),
        rotary=(Rotary(dim, interleaved=True),),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        causal=True,
        parallel="shared",
        **biases(False, False, False, False),
        activation=config.activation("activation_function", "gelu_new"),
    )
