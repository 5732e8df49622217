"""Shared by BART and its relatives: two stacks whose tensors and sizes have the same names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from attnviz.engine.spec import EncoderDecoder, Learned, Norm, Sinusoidal, Spec
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs
from attnviz.families._unembed import Unembedding

# Our name of a layer's part -> the stored name, in every stack of these models.
LAYER = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.out_proj",
    "norm1": "self_attn_layer_norm",
    "up": "fc1",
    "down": "fc2",
    "norm2": "final_layer_norm",
}


def names(tokens: str = "shared.weight", embed_norm: str = "layernorm_embedding") -> dict[str, Source]:
    """Our names -> stored names for both stacks. Token embeddings may be shared by both or stored beside each."""
    table: dict[str, Source] = {}
    for stack in ("encoder", "decoder"):
        table[f"{stack}.embed.tokens"] = [tokens, f"{stack}.embed_tokens.weight"]
        table[f"{stack}.embed.positions"] = f"{stack}.embed_positions.weight"
        table |= pairs({"embed.norm": embed_norm, "final_norm": "layer_norm"}, f"{stack}.", f"{stack}.")
        parts = dict(LAYER)
        if stack == "decoder":
            parts |= {f"cross_{p}": f"encoder_attn.{'out' if p == 'o' else p}_proj" for p in "qkvo"}
            parts["norm_cross"] = "encoder_attn_layer_norm"
        table |= pairs(parts, f"{stack}.layers.{{i}}.", f"{stack}.layers.{{i}}.")
    return table


def stacks(
    config: Config,
    vocab: int,
    d_model: int = 1024,
    n_heads: int = 16,
    d_mlp: int = 4096,
    n_layers: tuple[int, int] = (12, 12),
    activation: str = "gelu",
    start: int | None = None,
    **more: Any,
) -> EncoderDecoder:
    """Encoder and decoder with the sizes of a configuration; the arguments are values of keys left out.

    n_layers: of the encoder and of the decoder. more: fields of Spec that both stacks share.
    """
    config.rename(
        d_model="hidden_size", encoder_layers="num_hidden_layers", encoder_attention_heads="num_attention_heads"
    )
    width = config.int("d_model", d_model)
    activation = config.activation("activation_function", activation)
    specs = []
    for stack, layers in zip(("encoder", "decoder"), n_layers, strict=True):
        heads = config.heads(f"{stack}_attention_heads", n_heads)
        config.divides(f"{stack}_attention_heads", heads, "d_model", width)
        specs.append(
            Spec(
                n_layers=config.layers(f"{stack}_layers", layers),
                n_heads=heads,
                d_model=width,
                d_mlp=config.int(f"{stack}_ffn_dim", d_mlp),
                vocab=config.int("vocab_size", vocab, low=0),
                causal=stack == "decoder",
                cross=stack == "decoder",
                activation=activation,
                **more,
            )
        )
    config.skip("is_decoder", "add_cross_attention")
    start = config.raw("decoder_start_token_id", start)
    return EncoderDecoder(specs[0], specs[1], start if type(start) is int and start >= 0 else None)


def scaled(config: Config, d_model: int = 1024, left_out: bool = False) -> float:
    """sqrt(d_model) if `scale_embedding` is true, else 1. left_out: that key's value if left out."""
    return config.int("d_model", d_model) ** 0.5 if config.bool("scale_embedding", left_out) else 1.0


def computed_positions(config: Config, both: EncoderDecoder) -> EncoderDecoder:
    """Sinusoidal positions, sines first, then cosines. A table stored in the file replaces the formula."""
    places = Learned(config.int("max_position_embeddings", 1024), computed=Sinusoidal(interleaved=False))
    return replace(both, encoder=replace(both.encoder, absolute=places), decoder=replace(both.decoder, absolute=places))


PLAIN = Norm()
UNEMBED = Unembedding(tied=True, bias=("final_logits_bias", "flatten"))
