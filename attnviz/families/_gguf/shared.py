"""Shared by the GGUF files of most architectures: sizes, norms, rotary positions, windows, experts.

Converters leave out settings that llama.cpp does not use, so that no reader can know them: the sliding windows of
Mistral, Qwen 2, StarCoder 2 and Mixtral (a text shorter than the window is not touched by that), an activation other
than the family's usual one, rotary scaling in Falcon, Command R and OLMo 2, RoBERTa's padding id.

Source: what llama.cpp's converters write, and what its loaders assume where they write nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._windows import FULL, SLIDING

# Our names -> stored names, in models with a norm on each sublayer's output.
AROUND = {"norm1_out": "post_attention_norm", "norm2_out": "post_ffw_norm"}


@dataclass(frozen=True)
class Architecture:
    """Differences of one architecture's files from plain ones.

    config: makes the family's configuration. names: our part of a block -> the stored part, if it is not the usual one.
    turned: queries and keys are stored with neighbouring rotary pairs. gate_up: one tensor holds gate and up. shifted:
    its norms store 1 + the weight that the family reads.
    """

    config: Callable[[Metadata], Made]
    names: Mapping[str, str] = field(default_factory=dict)
    turned: bool = False
    gate_up: bool = False
    shifted: bool = False


def sizes(m: Metadata, positions: str = "") -> Made:
    """Sizes, under keys that every family reads; the vocabulary's size is its table's.

    positions: the key of the number of positions.
    """
    keys = {
        "num_hidden_layers": m.layers(),
        "num_attention_heads": m.int("attention.head_count"),
        "hidden_size": m.int("embedding_length"),
        "vocab_size": m.shape("token_embd.weight")[0],
    }
    return keys | ({positions: m.int("context_length")} if positions and m.has("context_length") else {})


def grouped(m: Metadata) -> Made:
    """The sizes of Llama and models like it, whose keys and values may have fewer heads."""
    more = {"num_key_value_heads": kv_heads(m), "head_dim": head_width(m)}
    return {**sizes(m, "max_position_embeddings"), **more}


def kv_heads(m: Metadata) -> int:
    """Heads of keys and values."""
    return m.int("attention.head_count_kv", m.int("attention.head_count"))


def head_width(m: Metadata) -> int:
    """Dimensions of a head, the same for keys and values."""
    d_head = m.int("attention.key_length", m.int("embedding_length") // m.int("attention.head_count"))
    m.only("attention.value_length", d_head)
    return d_head


def one_kind_of_heads(m: Metadata) -> None:
    """Refuse files whose keys and values have fewer heads than queries."""
    m.only("attention.head_count_kv", m.int("attention.head_count"))


def inner(m: Metadata, key: str = "intermediate_size", parts: int = 1) -> Made:
    """The inner width of the MLP, from the tensor's shape: in some files the key is a guess of the converter."""
    m.skip("feed_forward_length")
    return {key: m.shape("blk.0.ffn_up.weight")[0] // parts}


def rms(m: Metadata) -> Made:
    """The epsilon of RMS norms."""
    return {"rms_norm_eps": m.float("attention.layer_norm_rms_epsilon", low=0)}


def layer_norm(m: Metadata, key: str = "layer_norm_eps") -> Made:
    """The epsilon of layer norms."""
    return {key: m.float("attention.layer_norm_epsilon", low=0)}


def rope(m: Metadata, partial: bool = False, base: str = "rope.freq_base", theta: float = 10000.0) -> Made:
    """Rotary positions as transformers 5 writes them.

    partial: the family may turn a part of a head only. base, theta: the key of the base, and its value if left out.
    """
    d_head = head_width(m)
    keys: Made = {"rope_type": "default", "rope_theta": m.float(base, theta, low=1e-3)}
    dim = m.int("rope.dimension_count", d_head)
    if dim > d_head or (dim < d_head and not partial):
        raise m.keys.error(f"{m.name('rope.dimension_count')} must be a head's {d_head}; got {dim}")
    if partial:
        keys["partial_rotary_factor"] = min((dim + 0.25) / d_head, 1.0)  # between two whole numbers of dimensions
    return keys | scaling(m)


def scaling(m: Metadata, magnified: bool = False) -> Made:
    """The scaling that stretches the frequencies; {} if there is none.

    magnified: read the multiplier of `mscale_all_dim`, which raises the factor on queries and keys, and so the scores.

    Converters store Llama 3's rule as one table with a factor per frequency; LongRoPE has two tables, for short and for
    long texts. A single table is used for both.
    """
    kind = m.text("rope.scaling.type", "linear", ("none", "linear", "yarn", "longrope"))
    factor = m.float("rope.scaling.factor", m.float("rope.scale_linear", 0.0), low=0) or 1.0
    own = m.int("rope.scaling.original_context_length", m.int("context_length", 1 << 20))
    magnitude = m.float("rope.scaling.attn_factor", 0.0, low=0)
    single = m.numbers("rope_freqs.weight")
    short, long = m.numbers("rope_factors_short.weight") or single, m.numbers("rope_factors_long.weight") or single
    keys: Made = {"original_max_position_embeddings": own}
    if short and long and any(value != 1 for value in short + long):
        if kind in ("linear", "yarn") and factor != 1:
            raise m.keys.error(f"rotary factors together with {kind} scaling are not handled")
        keys |= {"rope_type": "longrope", "short_factor": short, "long_factor": long}
        magnitude = 1.0 if single else magnitude
        return keys | ({"attention_factor": magnitude} if magnitude else {})
    if kind == "yarn":
        return keys | {"rope_type": "yarn", "factor": factor, **_yarn(m, magnified)}
    return {"rope_type": "linear", "factor": factor} if kind == "linear" and factor != 1 else {}


def _yarn(m: Metadata, magnified: bool) -> Made:
    if not magnified:
        m.only("rope.scaling.yarn_log_multiplier", 0)
    m.only("rope.scaling.yarn_ext_factor", 1)
    keys = {
        "beta_fast": m.float("rope.scaling.yarn_beta_fast", 32.0, low=1e-6),
        "beta_slow": m.float("rope.scaling.yarn_beta_slow", 1.0, low=1e-6),
    }
    if magnified and m.has("rope.scaling.yarn_log_multiplier"):
        # Converters write a tenth of the value.
        keys["mscale"] = keys["mscale_all_dim"] = round(10 * m.float("rope.scaling.yarn_log_multiplier"), 7)
    if m.has("rope.scaling.yarn_attn_factor"):
        keys["attention_factor"] = m.float("rope.scaling.yarn_attn_factor", low=0)
    return keys


def layer_kinds(m: Metadata, every: int, first_full: bool = False) -> list[str]:
    """The kind of each layer: a list in the file, or every n-th layer is full, the last or the first of each n."""
    n_layers, key = m.layers(), "attention.sliding_window_pattern"
    pattern = m.keys.raw(m.name(key))
    if isinstance(pattern, list):
        if len(pattern) != n_layers:
            raise m.keys.error(f"{m.name(key)} must have {n_layers} entries, one per layer; got {len(pattern)}")
        return [SLIDING if slides else FULL for slides in pattern]
    every = m.int(key, every, low=0)
    full = 0 if first_full else every - 1
    return [SLIDING if not every or i % every != full else FULL for i in range(n_layers)]


def plain(model_type: str) -> Callable[[Metadata], Made]:
    """Read the configuration of families whose files have Llama's keys alone."""
    return lambda m: {**grouped(m), **inner(m), **rms(m), "model_type": model_type, "rope_parameters": rope(m)}


def experts(m: Metadata) -> Made:
    """Experts in one tensor, or, in the first files that had them, one by one."""
    m.skip("feed_forward_length", "expert_feed_forward_length")
    stacked = "blk.0.ffn_up_exps.weight" in m.shapes
    width = m.shape("blk.0.ffn_up_exps.weight", 3)[1] if stacked else m.shape("blk.0.ffn_up.0.weight")[0]
    counts = {"num_local_experts": m.int("expert_count"), "num_experts_per_tok": m.int("expert_used_count")}
    return {**counts, "intermediate_size": width}


def many_experts(m: Metadata) -> Made:
    """Small experts, whose width has its own key, in some layers or in all."""
    m.skip("feed_forward_length", "expert_feed_forward_length")
    first = next((name for name in m.shapes if name.endswith(".ffn_up_exps.weight")), "blk.0.ffn_up_exps.weight")
    width = m.shape(first, 3)[1]
    return {"num_experts_per_tok": m.int("expert_used_count"), "moe_intermediate_size": width}


def dense_width(m: Metadata) -> Made:
    """The inner width of dense MLPs, from any layer that has one; {} if none has."""
    first = next((name for name in m.shapes if name.endswith(".ffn_up.weight")), "")
    return {"intermediate_size": m.shape(first)[0]} if first else {}


def plain_layers(m: Metadata) -> list[int]:
    """Layers without a router."""
    return [i for i in range(m.layers()) if f"blk.{i}.ffn_gate_inp.weight" not in m.shapes]


def multipliers(m: Metadata) -> Made:
    """Constants that embeddings, scores, sublayers and logits are multiplied by; a missing one is 1."""
    m.only("rope.scaling.finetuned", True)  # false would mean that the model has no positions
    return {
        "embedding_multiplier": m.float("embedding_scale", 0.0) or 1.0,
        "attention_multiplier": m.float("attention.scale", 0.0) or head_width(m) ** -0.5,
        "residual_multiplier": m.float("residual_scale", 0.0) or 1.0,
        "logits_scaling": m.float("logit_scale", 0.0) or 1.0,
    }


def scale_width(m: Metadata, n_layers: int) -> int:
    """The number whose root divides scores: a head's width, except in the models of 27 billion weights.

    No key says so; readers of these files recognise these models by their number of layers.
    """
    return m.int("embedding_length") // m.int("attention.head_count") if m.layers() == n_layers else head_width(m)
