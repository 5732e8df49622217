"""SigLIP's text tower (Zhai 2023): a pre-norm stack without a causal mask; padding is attended to as well."""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.families import clip_text
from attnviz.families._config import Config

table = clip_text.table
NAMES = table()


def spec(config: Config) -> Spec:
    """SiglipTextConfig."""
    norm = Norm(eps=config.float("layer_norm_eps", 1e-6, low=0))
    d_model, n_heads = config.int("hidden_size", 768), config.heads("num_attention_heads", 12)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    config.skip("projection_size", "projection_dim")
    return Spec(
        n_layers=config.layers("num_hidden_layers", 12),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("intermediate_size", 3072),
        vocab=config.int("vocab_size", 32000),
        absolute=Learned(config.int("max_position_embeddings", 64)),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        activation=config.activation("hidden_act", "gelu_pytorch_tanh"),
    )
