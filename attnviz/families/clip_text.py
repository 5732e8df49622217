"""CLIP's text tower (Radford 2021): a causal pre-norm stack."""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.families._clip import LAYER
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs
from attnviz.families._recipes import END_OF_TEXT, Recipe

ALIASES = ("clip_text_model",)
TOKENIZERS = {
    "clip": Recipe(
        "{bos}:0 $A:0 {eos}:0",
        "{bos}:0 $A:0 {eos}:0 {eos}:0 $B:0 {eos}:0",
        {"bos": "<|startoftext|>", "eos": END_OF_TEXT, "unk": END_OF_TEXT},
        vocab="clip",
    )
}


def table(ours: str = "", theirs: str = "") -> dict[str, Source]:
    """Our names -> stored names; the two prefixes go in front of ours and of the file's."""
    return {
        f"{ours}embed.tokens": f"{theirs}embeddings.token_embedding.weight",
        f"{ours}embed.positions": f"{theirs}embeddings.position_embedding.weight",
        **pairs({"final_norm": "final_layer_norm"}, ours, theirs),
        **pairs(LAYER, f"{ours}layers.{{i}}.", f"{theirs}encoder.layers.{{i}}."),
    }


NAMES = table()


def spec(config: Config) -> Spec:
    """CLIPTextConfig."""
    norm = Norm(eps=config.float("layer_norm_eps", 1e-5, low=0))
    d_model, n_heads = config.int("hidden_size", 512), config.heads("num_attention_heads", 8)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    config.skip("projection_dim")
    return Spec(
        n_layers=config.layers("num_hidden_layers", 12),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("intermediate_size", 2048),
        vocab=config.int("vocab_size", 49408),
        absolute=Learned(config.int("max_position_embeddings", 77)),
        norm=norm,
        norm_before=True,
        final_norm=norm,
        causal=True,
        activation=config.activation("hidden_act", "quick_gelu"),
    )
