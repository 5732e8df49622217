"""GPT (Radford 2018): post-norm decoder, learned positions, fused projections stored [in, out]."""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._gpt import LAYER
from attnviz.families._names import Source
from attnviz.families._recipes import Recipe
from attnviz.families._unembed import Unembedding

NAMES: dict[str, Source] = {
    **LAYER,
    "embed.tokens": "tokens_embed.weight",
    "embed.positions": "positions_embed.weight",
}
UNEMBED = Unembedding(tied=True)
TOKENIZERS = {"openaigpt": Recipe(special={"unk": "<unk>"}, vocab="suffix", lower=True)}


def spec(config: Config) -> Spec:
    """OpenAIGPTConfig."""
    config.rename(n_embd="hidden_size", n_head="num_attention_heads", n_layer="num_hidden_layers")
    config.rename(n_positions="max_position_embeddings")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    d_model, n_heads = config.int("n_embd", 768), config.heads("n_head", 12)
    config.divides("n_head", n_heads, "n_embd", d_model)
    config.skip("n_ctx", "n_special")
    named = config.choice("afn", "gelu", ("gelu", "relu", "silu", "swish"))  # gelu means the tanh form in this model
    return Spec(
        n_layers=config.layers("n_layer", 12),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=4 * d_model,
        vocab=config.int("vocab_size", 40478),
        types_are_tokens=True,
        absolute=Learned(config.int("n_positions", 512)),
        norm=norm,
        norm_after=True,
        causal=True,
        activation={"gelu": "gelu_tanh", "relu": "relu"}.get(named, "silu"),
    )
