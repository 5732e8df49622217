"""XGLM (Lin 2021): pre-norm decoder for many languages, sinusoidal positions."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Sinusoidal, Spec
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import FAIRSEQ, S_NAMES, Recipe
from attnviz.families._seq2seq import LAYER
from attnviz.families._unembed import Unembedding

NAMES = {
    "embed.tokens": "embed_tokens.weight",
    **pairs(LAYER, "layers.{i}.", "layers.{i}."),
    **pairs({"final_norm": "layer_norm"}),
}
TOKENIZERS = {
    "xglm": Recipe(
        "{eos}:0 $A:0",
        "{eos}:0 $A:0 {eos}:0 {eos}:0 $B:0",
        special={kind: name for kind, name in S_NAMES.items() if kind != "mask"},
        front=FAIRSEQ,
        skip=3,
        back=tuple(f"<madeupword{i}>" for i in range(7)),
    )
}
UNEMBED = Unembedding(tied=True)


def spec(config: Config) -> Spec:
    """XGLMConfig. Positions begin at 2; the row at the padding id is zero, whichever token has that position."""
    config.rename(d_model="hidden_size", num_layers="num_hidden_layers", attention_heads="num_attention_heads")
    d_model, n_heads = config.int("d_model", 1024, low=4), config.heads("attention_heads", 16)
    config.divides("attention_heads", n_heads, "d_model", d_model)
    config.skip("add_cross_attention")
    has_pad = config.data.get("pad_token_id", 1) is not None
    pad = config.int("pad_token_id", 1, low=0) if has_pad else -1
    return Spec(
        n_layers=config.layers("num_layers", 24),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("ffn_dim", 4096),
        vocab=config.int("vocab_size", 256008),
        embed_scale=d_model**0.5 if config.bool("scale_embedding", True) else 1.0,
        absolute=Sinusoidal(interleaved=False, offset=2, ends_at_base=True, zero_row=pad),
        trained_positions=config.int("max_position_embeddings", 2048),
        norm=Norm(),
        norm_before=True,
        final_norm=Norm(),
        causal=True,
        activation=config.activation("activation_function", "gelu"),
    )
