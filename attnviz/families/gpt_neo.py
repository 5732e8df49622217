"""GPT-Neo (Black 2021): GPT-2 with unscaled scores and a window in every other layer."""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.errors import shown
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._names import pairs
from attnviz.families._recipes import BYTES
from attnviz.families._unembed import Unembedding

NAMES = {
    "embed.tokens": "wte.weight",
    "embed.positions": "wpe.weight",
    **pairs(
        {
            "q": "attn.attention.q_proj",
            "k": "attn.attention.k_proj",
            "v": "attn.attention.v_proj",
            "o": "attn.attention.out_proj",
            "norm1": "ln_1",
            "up": "mlp.c_fc",
            "down": "mlp.c_proj",
            "norm2": "ln_2",
        },
        "layers.{i}.",
        "h.{i}.",
    ),
    **pairs({"final_norm": "ln_f"}),
}
UNEMBED = Unembedding(tied=True)
TOKENIZERS = {"gptneo": BYTES}


def _kinds(config: Config, n_layers: int) -> tuple[str, ...]:
    """`attention_types` is [[["global", "local"], 12]]: a pattern and how often it is repeated."""
    listed = config.words("attention_layers", ("global", "local"), n_layers)
    types = config.raw("attention_types", [[["global", "local"], (n_layers + 1) // 2]])
    if listed:
        return listed
    try:
        kinds = [kind for pattern, times in types for kind in list(pattern) * min(times, n_layers)]
    except (TypeError, ValueError):
        raise config.error(f"attention_types must be a list of [pattern, times]; got {shown(types)}") from None
    if len(kinds) < n_layers or not all(kind in ("global", "local") for kind in kinds):
        raise config.error(f"attention_types must name global or local for {n_layers} layers; got {shown(types)}")
    return tuple(kinds[:n_layers])


def spec(config: Config) -> Spec:
    """GPTNeoConfig."""
    config.rename(num_heads="num_attention_heads", num_layers="num_hidden_layers")
    norm = Norm(eps=config.float("layer_norm_epsilon", 1e-5, low=0))
    d_model, n_heads = config.int("hidden_size", 2048), config.heads("num_heads", 16)
    config.divides("num_heads", n_heads, "hidden_size", d_model)
    n_layers = config.layers("num_layers", 24)
    window = config.window("window_size", 256)
    return Spec(
        n_layers=n_layers,
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("intermediate_size", 4 * d_model),
        vocab=config.int("vocab_size", 50257),
        absolute=Learned(config.int("max_position_embeddings", 2048)),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        causal=True,
        reach=tuple(window if kind == "local" else -1 for kind in _kinds(config, n_layers)),
        scale=1.0,
        **biases(False, False, False, True),
        activation=config.activation("activation_function", "gelu_new"),
    )
