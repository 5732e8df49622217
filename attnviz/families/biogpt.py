"""BioGPT (Luo 2022): pre-norm decoder with learned positions, for biomedical text."""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._seq2seq import LAYER
from attnviz.families._unembed import Unembedding

NAMES = {
    "embed.tokens": "embed_tokens.weight",
    "embed.positions": "embed_positions.weight",
    **pairs(LAYER, "layers.{i}.", "layers.{i}."),
    **pairs({"final_norm": "layer_norm"}),
}
UNEMBED = Unembedding(("output_projection.weight",), tied=True)


def spec(config: Config) -> Spec:
    """BioGptConfig. The first two rows of the position table are not used; norms ignore `layer_norm_eps`."""
    d_model, n_heads = config.int("hidden_size", 1024), config.heads("num_attention_heads", 16)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    config.skip("layer_norm_eps")
    return Spec(
        n_layers=config.layers("num_hidden_layers", 24),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("intermediate_size", 4096),
        vocab=config.int("vocab_size", 42384),
        embed_scale=d_model**0.5 if config.bool("scale_embedding", True) else 1.0,
        absolute=Learned(config.int("max_position_embeddings", 1024) + 2, offset=2),
        norm=Norm(),
        norm_before=True,
        final_norm=Norm(),
        causal=True,
        activation=config.activation("hidden_act", "gelu"),
    )
