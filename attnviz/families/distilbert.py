"""DistilBERT (Sanh 2019): half of BERT's layers, no token types."""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._recipes import WORDPIECE
from attnviz.families._unembed import MaskedHead

_LAYER = "transformer.layer.{i}."
NAMES = {
    "embed.tokens": "embeddings.word_embeddings.weight",
    "embed.positions": "embeddings.position_embeddings.weight",
    "embed.norm.weight": "embeddings.LayerNorm.weight",
    "embed.norm.bias": "embeddings.LayerNorm.bias",
    **{
        f"layers.{{i}}.{ours}.{kind}": f"{_LAYER}{theirs}.{kind}"
        for ours, theirs in {
            "q": "attention.q_lin",
            "k": "attention.k_lin",
            "v": "attention.v_lin",
            "o": "attention.out_lin",
            "norm1": "sa_layer_norm",
            "up": "ffn.lin1",
            "down": "ffn.lin2",
            "norm2": "output_layer_norm",
        }.items()
        for kind in ("weight", "bias")
    },
}
TOKENIZERS = {"distilbert": WORDPIECE}
MASKED = MaskedHead(("vocab_transform",), ("vocab_layer_norm",), ("vocab_projector.weight",), ("vocab_projector.bias",))


def spec(config: Config) -> Spec:
    """DistilBertConfig. Sinusoidal positions are stored in the same table as learned ones."""
    config.rename(dim="hidden_size", n_heads="num_attention_heads", n_layers="num_hidden_layers")
    norm = Norm(eps=1e-12)
    d_model, n_heads = config.int("dim", 768), config.heads("n_heads", 12)
    config.divides("n_heads", n_heads, "dim", d_model)
    config.skip("sinusoidal_pos_embds")
    return Spec(
        n_layers=config.layers("n_layers", 6),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("hidden_dim", 4 * 768),
        vocab=config.int("vocab_size", 30522),
        absolute=Learned(config.int("max_position_embeddings", 512)),
        embed_norm=norm,
        norm=norm,
        norm_after=True,
        activation=config.activation("activation", "gelu"),
    )
