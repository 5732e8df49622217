"""GPT-J (Wang 2021): attention and MLP side by side behind one norm, neighbouring pairs of part of a head rotated."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Rotary, Spec
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._names import pairs
from attnviz.families._recipes import BYTES
from attnviz.families._unembed import Unembedding

NAMES = {
    "embed.tokens": "wte.weight",
    **pairs(
        {
            "q": "attn.q_proj",
            "k": "attn.k_proj",
            "v": "attn.v_proj",
            "o": "attn.out_proj",
            "norm1": "ln_1",
            "up": "mlp.fc_in",
            "down": "mlp.fc_out",
        },
        "layers.{i}.",
        "h.{i}.",
    ),
    **pairs({"final_norm": "ln_f"}),
}
UNEMBED = Unembedding(bias="lm_head.bias")
TOKENIZERS = {"gptj": BYTES}


def spec(config: Config) -> Spec:
    """GPTJConfig."""
    config.rename(n_embd="hidden_size", n_head="num_attention_heads", n_layer="num_hidden_layers")
    config.rename(n_positions="max_position_embeddings")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    d_model, n_heads = config.int("n_embd", 4096), config.heads("n_head", 16)
    config.divides("n_head", n_heads, "n_embd", d_model)
    config.skip("rotary", "scale_attn_weights", "n_ctx")
    dim = config.int("rotary_dim", 64, high=d_model // n_heads)
    if dim % 2:
        raise config.error(f"rotary_dim must be even; got {dim}")
    return Spec(
        n_layers=config.layers("n_layer", 28),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("n_inner", 4 * d_model),
        vocab=config.int("vocab_size", 50400),
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
