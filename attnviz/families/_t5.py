"""Shared by T5, mT5 and UMT5: tensor names, and two pre-norm stacks with a bucketed distance bias, scores unscaled."""

from __future__ import annotations

from attnviz.engine.spec import Buckets, EncoderDecoder, Norm, Spec
from attnviz.errors import shown
from attnviz.families._config import ACTIVATIONS, Config
from attnviz.families._decoder import biases
from attnviz.families._names import Source


def names(by_layer: bool = False) -> dict[str, Source]:
    """Our names -> stored names for both stacks.

    by_layer: every layer stores a table of distances, not the first alone.
    """
    table: dict[str, Source] = {}
    for stack in ("encoder", "decoder"):
        block = f"{stack}.block.{{i}}.layer."
        mlp = f"{block}{1 if stack == 'encoder' else 2}."
        ours = f"{stack}.layers.{{i}}."
        table[f"{stack}.embed.tokens"] = ["shared.weight", f"{stack}.embed_tokens.weight"]
        distances = "SelfAttention.relative_attention_bias.weight"
        if by_layer:
            table[f"{ours}bias.table"] = f"{block}0.{distances}"
        else:
            table[f"{stack}.bias.table"] = f"{stack}.block.0.layer.0.{distances}"
        table[f"{stack}.final_norm.weight"] = f"{stack}.final_layer_norm.weight"
        table |= {f"{ours}{p}.weight": f"{block}0.SelfAttention.{p}.weight" for p in "qkvo"}
        table[f"{ours}norm1.weight"] = f"{block}0.layer_norm.weight"
        table[f"{ours}norm2.weight"] = f"{mlp}layer_norm.weight"
        table[f"{ours}gate.weight"] = f"{mlp}DenseReluDense.wi_0.weight"
        table[f"{ours}up.weight"] = [f"{mlp}DenseReluDense.wi.weight", f"{mlp}DenseReluDense.wi_1.weight"]
        table[f"{ours}down.weight"] = f"{mlp}DenseReluDense.wo.weight"
    table |= {
        f"decoder.layers.{{i}}.cross_{p}.weight": f"decoder.block.{{i}}.layer.1.EncDecAttention.{p}.weight"
        for p in "qkvo"
    }
    table["decoder.layers.{i}.norm_cross.weight"] = "decoder.block.{i}.layer.1.layer_norm.weight"
    return table


def stacks(
    config: Config,
    vocab: int,
    n_layers: int,
    n_heads: int,
    d_mlp: int,
    feed_forward: str,
    start: int | None = None,
    by_layer: bool = False,
) -> EncoderDecoder:
    """Encoder and decoder; the arguments are values of keys left out. by_layer: as for `names`.

    start: the id in front of a decoder's text; None for the padding id.
    """
    config.rename(
        d_model="hidden_size", num_heads="num_attention_heads", num_layers="num_hidden_layers", d_kv="head_dim"
    )
    gated, activation = _mlp(config, feed_forward)
    n_layers = config.layers("num_layers", n_layers)
    norm = Norm("rms", config.float("layer_norm_epsilon", 1e-6, low=0), bias=False)
    n_buckets = config.int("relative_attention_num_buckets", 32, low=4)
    farthest = config.int("relative_attention_max_distance", 128)
    config.skip("n_positions", "is_decoder", "scale_decoder_outputs")
    config.skip("max_position_embeddings", "relative_attention_bias", "output_past")

    def stack(layers: int, decoder: bool) -> Spec:
        return Spec(
            n_layers=layers,
            n_heads=config.heads("num_heads", n_heads),
            d_model=config.int("d_model", 512),
            d_head=config.int("d_kv", 64),
            d_mlp=config.int("d_ff", d_mlp),
            vocab=config.int("vocab_size", vocab),
            bias=Buckets(n_buckets, farthest, bidirectional=not decoder, by_layer=by_layer),
            norm=norm,
            norm_before=True,
            final_norm=norm,
            causal=decoder,
            cross=decoder,
            scale=1.0,
            **biases(False, False, False, False),
            activation=activation,
            gated=gated,
            mlp_bias=False,
        )

    begins = config.raw("decoder_start_token_id", config.raw("pad_token_id", 0) if start is None else start)
    decoder = stack(config.layers("num_decoder_layers", n_layers), True)
    return EncoderDecoder(stack(n_layers, False), decoder, begins if type(begins) is int and begins >= 0 else None)


def _mlp(config: Config, left_out: str) -> tuple[bool, str]:
    """Whether the MLP is gated, and its activation.

    `feed_forward_proj` is an activation, or "gated-" and one; gated-gelu means the tanh form. A saved file's
    `dense_act_fn` and `is_gated_act` override it, as in the reference.
    """
    named = config.raw("feed_forward_proj", left_out)
    gated = isinstance(named, str) and named.startswith("gated-")
    plain = named.removeprefix("gated-") if gated else named
    if not isinstance(plain, str) or plain not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise config.error(f"feed_forward_proj must be one of {known}, or gated- and one; got {shown(named)}")
    activation = config.activation("dense_act_fn", "gelu_new" if named == "gated-gelu" else plain)
    return config.bool("is_gated_act", gated), activation
