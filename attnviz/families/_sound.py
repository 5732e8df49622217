"""Shared by models of raw sound (wav2vec 2.0 and its line): convolutions, positions by convolution, an encoder."""

from __future__ import annotations

from typing import Any

from attnviz.engine.spec import Convolutions, Norm, PositionalConvolution, Spec
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs

_CONV = "encoder.pos_conv_embed.conv."
NAMES: dict[str, Source] = {
    **pairs({"embed.conv.{i}": "conv", "embed.conv.{i}.norm": "layer_norm"}, "", "feature_extractor.conv_layers.{i}."),
    **pairs({"embed.project.norm": "layer_norm", "embed.project": "projection"}, "", "feature_projection."),
    "embed.positions.weight": f"{_CONV}weight",
    "embed.positions.length": [f"{_CONV}parametrizations.weight.original0", f"{_CONV}weight_g"],
    "embed.positions.direction": [f"{_CONV}parametrizations.weight.original1", f"{_CONV}weight_v"],
    "embed.positions.bias": f"{_CONV}bias",
    **pairs({"embed.norm": "encoder.layer_norm", "final_norm": "encoder.layer_norm"}),
    **pairs(
        {
            "q": "attention.q_proj",
            "k": "attention.k_proj",
            "v": "attention.v_proj",
            "o": "attention.out_proj",
            "norm1": "layer_norm",
            "up": "feed_forward.intermediate_dense",
            "down": "feed_forward.output_dense",
            "norm2": "final_layer_norm",
        },
        "layers.{i}.",
        "encoder.layers.{i}.",
    ),
}

# Keys of training, of task heads, and of an adapter that follows the last layer.
_NO_EFFECT = (
    "add_adapter adapter_kernel_size adapter_stride num_adapter_layers output_hidden_size apply_spec_augment "
    "use_weighted_layer_sum num_negatives vocab_size codevector_dim proj_codevector_dim "
    "num_codevectors_per_group num_codevector_groups ctc_zero_infinity freeze_feat_extract_train "
    "no_mask_channel_overlap no_mask_time_overlap contrastive_logits_temperature xvector_output_dim "
    "num_ctc_classes num_clusters replace_prob"
).split()


def convolutions(config: Config, **more: Any) -> Convolutions:
    """The convolutions that turn sound into frames; `more` has the fields that differ."""
    dims = config.ints("conv_dim", (512,) * 7)
    kernels = config.ints("conv_kernel", (10, 3, 3, 3, 3, 2, 2), len(dims))
    strides = config.ints("conv_stride", (5, 2, 2, 2, 2, 2, 2), len(dims))
    if min(dims + kernels + strides, default=0) < 1:
        raise config.error("conv_dim, conv_kernel and conv_stride must be above 0")
    config.skip("num_feat_extract_layers")  # the reference reads no number, but counts the entries of conv_dim
    plain: dict[str, Any] = {
        "bias": config.bool("conv_bias"),
        "activation": config.activation("feat_extract_activation", "gelu"),
        "project": True,
    }
    if "norm" not in more:
        plain["norm"] = config.choice("feat_extract_norm", "group", ("group", "layer"))
    return Convolutions(dims, kernels, strides, **(plain | more))


def groups(config: Config) -> int:
    """The number of groups of the convolution that encodes positions."""
    groups, d_model = config.int("num_conv_pos_embedding_groups", 16), config.int("hidden_size", 768)
    config.divides("num_conv_pos_embedding_groups", groups, "hidden_size", d_model)
    return groups


def encoder(config: Config, **more: Any) -> Spec:
    """An encoder over sound; `more` has the fields that differ."""
    norm = Norm(eps=config.float("layer_norm_eps", 1e-5, low=0))
    d_model, n_heads = config.int("hidden_size", 768), config.heads("num_attention_heads", 12)
    config.divides("num_attention_heads", n_heads, "hidden_size", d_model)
    before = more.pop("norm_before") if "norm_before" in more else config.bool("do_stable_layer_norm")
    config.off("adapter_attn_dim")
    config.skip(*_NO_EFFECT)
    plain: dict[str, Any] = {
        "embed_norm": None if before else norm,
        "norm": norm,
        "norm_before": before,
        "norm_after": not before,
        "final_norm": norm if before else None,
        "activation": config.activation("hidden_act", "gelu"),
    }
    if "convolutions" not in more:
        plain["convolutions"] = convolutions(config)
    if "positional_convolution" not in more:
        plain["positional_convolution"] = PositionalConvolution(
            config.int("num_conv_pos_embeddings", 128, high=1 << 16),
            groups(config),
            config.activation("feat_extract_activation", "gelu"),
        )
    return Spec(
        n_layers=config.layers("num_hidden_layers", 12),
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=config.int("intermediate_size", 3072),
        **(plain | more),
    )
