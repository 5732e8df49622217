"""T5 (Raffel 2020): pre-norm encoder and decoder, RMS norms, a bucketed distance bias, unscaled scores."""

from __future__ import annotations

from attnviz.engine.spec import Buckets, EncoderDecoder, Norm, Spec
from attnviz.errors import shown
from attnviz.families._config import ACTIVATIONS, Config
from attnviz.families._decoder import biases
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import Source
from attnviz.families._recipes import END, THEN_END, Recipe
from attnviz.families._unembed import Unembedding

UNEMBED = Unembedding(tied=True, by_width=True)
TOKENIZERS = dict.fromkeys(("t5", "mt5"), Recipe(*THEN_END, special=END, back=("extra_ids",)))


def _names() -> dict[str, Source]:
    table: dict[str, Source] = {}
    for stack in ("encoder", "decoder"):
        block = f"{stack}.block.{{i}}.layer."
        mlp = f"{block}{1 if stack == 'encoder' else 2}."
        ours = f"{stack}.layers.{{i}}."
        table[f"{stack}.embed.tokens"] = ["shared.weight", f"{stack}.embed_tokens.weight"]
        table[f"{stack}.bias.table"] = f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
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


NAMES = _names()


def spec(config: Config) -> EncoderDecoder:
    """T5Config; `feed_forward_proj` is an activation, or gated- and an activation (gated-gelu means its tanh form)."""
    config.rename(
        d_model="hidden_size", num_heads="num_attention_heads", num_layers="num_hidden_layers", d_kv="head_dim"
    )
    named = config.raw("feed_forward_proj", "relu")
    gated = isinstance(named, str) and named.startswith("gated-")
    plain = named.removeprefix("gated-") if gated else named
    if not isinstance(plain, str) or plain not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        raise config.error(f"feed_forward_proj must be one of {known}, or gated- and one; got {shown(named)}")
    activation = "gelu_tanh" if named == "gated-gelu" else ACTIVATIONS[plain]
    n_layers = config.layers("num_layers", 6)
    norm = Norm("rms", config.float("layer_norm_epsilon", 1e-6, low=0), bias=False)
    n_buckets = config.int("relative_attention_num_buckets", 32, low=4)
    farthest = config.int("relative_attention_max_distance", 128)
    config.skip("dense_act_fn", "is_gated_act", "n_positions", "is_decoder", "scale_decoder_outputs")
    config.skip("max_position_embeddings", "relative_attention_bias")

    def stack(layers: int, decoder: bool) -> Spec:
        return Spec(
            n_layers=layers,
            n_heads=config.heads("num_heads", 8),
            d_model=config.int("d_model", 512),
            d_head=config.int("d_kv", 64),
            d_mlp=config.int("d_ff", 2048),
            vocab=config.int("vocab_size", 32128),
            bias=Buckets(n_buckets, farthest, bidirectional=not decoder),
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

    start = config.raw("decoder_start_token_id", config.raw("pad_token_id", 0))
    decoder = stack(config.layers("num_decoder_layers", n_layers), True)
    return EncoderDecoder(stack(n_layers, False), decoder, start if type(start) is int else None)


def _from_gguf(m: Metadata) -> Made:
    m.skip("attention.layer_norm_epsilon", "feed_forward_length")
    return {
        **gguf.sizes(m),
        "model_type": "t5",
        "d_kv": gguf.head_width(m),
        "d_ff": m.shape("enc.blk.0.ffn_up.weight")[0],
        "num_decoder_layers": m.keys.layers(m.name("decoder_block_count"), m.layers()),
        "layer_norm_epsilon": m.float("attention.layer_norm_rms_epsilon", low=0),
        "relative_attention_num_buckets": m.int("attention.relative_buckets_count"),
        "feed_forward_proj": "gated-gelu" if "enc.blk.0.ffn_gate.weight" in m.shapes else "relu",
        "decoder_start_token_id": m.int("decoder_start_token_id", 0, low=0),
    }


GGUF = {"t5": gguf.Architecture(_from_gguf, {"o": "attn_o", "norm_cross": "cross_attn_norm"})}
