"""XLNet (Yang 2019), with Transformer-XL's relative positions (Dai 2019). The content stream alone, without a mask."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Segmental, Spec
from attnviz.families._config import Config
from attnviz.families._decoder import biases
from attnviz.families._names import Source, pairs
from attnviz.families._recipes import MASK_STRIPS, Recipe

_HEADS = "layer.{i}.rel_attn."
NAMES: dict[str, Source] = {
    "embed.tokens": "word_embedding.weight",
    **{f"layers.{{i}}.{part}.weight": (f"{_HEADS}{part}", "flatten_heads") for part in "qkvr"},
    "layers.{i}.o.weight": (f"{_HEADS}o", "flatten_tail"),
    "layers.{i}.content_bias": f"{_HEADS}r_w_bias",
    "layers.{i}.position_bias": f"{_HEADS}r_r_bias",
    "layers.{i}.segment_bias": f"{_HEADS}r_s_bias",
    "layers.{i}.segments": f"{_HEADS}seg_embed",
    **pairs(
        {"norm1": "rel_attn.layer_norm", "up": "ff.layer_1", "down": "ff.layer_2", "norm2": "ff.layer_norm"},
        "layers.{i}.",
        "layer.{i}.",
    ),
}
TOKENIZERS = {
    "xlnet": Recipe(
        "$A:0 {sep}:0 {cls}:2",
        "$A:0 {sep}:0 $B:1 {sep}:1 {cls}:2",
        {"bos": "<s>", "eos": "</s>", "unk": "<unk>", "sep": "<sep>", "pad": "<pad>", "cls": "<cls>", "mask": "<mask>"},
        flags=MASK_STRIPS,
        spaces="plain",
        commas=True,
    )
}


def spec(config: Config) -> Spec:
    """XLNetConfig. Memories of earlier segments and the query stream belong to training and generation."""
    config.rename(
        d_model="hidden_size", n_head="num_attention_heads", n_layer="num_hidden_layers", vocab_size="n_token"
    )
    d_model, n_heads = config.int("d_model", 1024), config.heads("n_head", 16)
    config.divides("n_head", n_heads, "d_model", d_model)
    if config.int("d_head", d_model // n_heads) != d_model // n_heads:
        raise config.error(f"d_head must be d_model / n_head, {d_model // n_heads}; got {config.raw('d_head')}")
    norm = Norm(eps=config.float("layer_norm_eps", 1e-12, low=0))
    causal = config.choice("attn_type", "bi", ("bi", "uni")) == "uni"
    config.off("bi_data")
    same_length = config.bool("same_length")
    config.skip("mem_len", "reuse_len", "use_mems_eval", "use_mems_train", "use_mems", "untie_r")
    config.skip("start_n_top", "end_n_top")
    return Spec(
        n_layers=config.layers("n_layer", 24),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("d_inner", 4096),
        vocab=config.int("vocab_size", 32000),
        relative=Segmental(clamp=config.int("clamp_len", -1, low=-1)),
        causal=causal,
        reach=(0,) if causal and same_length else (),
        norm=norm,
        norm_after=True,
        **biases(False, False, False, False),
        activation=config.activation("ff_activation", "gelu"),
    )
