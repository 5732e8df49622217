"""Architecture by architecture: how a file's keys become the configuration of a family.

Converters leave out what llama.cpp does not use, so that no reader can know it: the sliding windows of Mistral, Qwen 2,
StarCoder 2 and Mixtral (a text shorter than the window is not touched by that), an activation other than the family's
usual one, rotary scaling in Falcon, Command R and OLMo 2, RoBERTa's padding id.

Source: what llama.cpp's converters write, and what its loaders assume where they write nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._gguf.shared import (
    grouped,
    head_width,
    inner,
    kv_heads,
    layer_kinds,
    layer_norm,
    one_kind_of_heads,
    rms,
    rope,
    sizes,
)
from attnviz.families._windows import FULL, SLIDING


@dataclass(frozen=True)
class Architecture:
    """How one architecture's files differ from the plain ones.

    config: makes the family's configuration. names: our part of a block -> the stored one, where it is not the usual.
    turned: queries and keys are stored with neighbouring rotary pairs. gate_up: one tensor holds gate and up.
    shifted: what its norms store is 1 + the weight that the family reads.
    """

    config: Callable[[Metadata], Made]
    names: Mapping[str, str] = field(default_factory=dict)
    turned: bool = False
    gate_up: bool = False
    shifted: bool = False


def _llama(m: Metadata) -> Made:
    found = {**grouped(m), **rms(m), "rope_parameters": rope(m)}
    if m.int("expert_count", 0, low=0):
        return {**found, **_experts(m), "model_type": "mixtral"}
    m.only("expert_used_count", 0)
    bias = {"attention_bias": m.has_bias("attn_q"), "mlp_bias": m.has_bias("ffn_up")}
    window = m.int("attention.sliding_window", 0, low=0)
    if not window:
        return {**found, **inner(m), **bias, "model_type": "llama"}
    if any(bias.values()):
        raise m.keys.error("biases together with a sliding window are not handled")
    return {**found, **inner(m), "model_type": "mistral", "sliding_window": window}


def _experts(m: Metadata) -> Made:
    """Experts in one tensor, or, in the first files that had them, one by one."""
    m.skip("feed_forward_length", "expert_feed_forward_length")
    stacked = "blk.0.ffn_up_exps.weight" in m.shapes
    width = m.shape("blk.0.ffn_up_exps.weight", 3)[1] if stacked else m.shape("blk.0.ffn_up.0.weight")[0]
    counts = {"num_local_experts": m.int("expert_count"), "num_experts_per_tok": m.int("expert_used_count")}
    return {**counts, "intermediate_size": width}


def _smollm3(m: Metadata) -> Made:
    bias = {"attention_bias": m.has_bias("attn_q"), "mlp_bias": m.has_bias("ffn_up")}
    return {**grouped(m), **inner(m), **rms(m), **bias, "model_type": "smollm3", "rope_parameters": rope(m)}


def _plain(model_type: str) -> Callable[[Metadata], Made]:
    """Families whose files say nothing that Llama's do not."""
    return lambda m: {**grouped(m), **inner(m), **rms(m), "model_type": model_type, "rope_parameters": rope(m)}


def _qwen3(m: Metadata) -> Made:
    return {**_plain("qwen3")(m), "attention_bias": m.has_bias("attn_q")}


def _scale_width(m: Metadata, n_layers: int) -> int:
    """What scores are divided by the root of: a head's width, but another number in the models of 27 billion weights.

    No key says so; who reads these files knows those models by how many layers they have.
    """
    return m.int("embedding_length") // m.int("attention.head_count") if m.layers() == n_layers else head_width(m)


def _gemma2(m: Metadata) -> Made:
    return {
        **_plain("gemma2")(m),
        "query_pre_attn_scalar": _scale_width(m, 46),
        "attn_logit_softcapping": m.float("attn_logit_softcapping", 50.0, low=0) or None,
        "sliding_window": m.int("attention.sliding_window", 4096),
        "layer_types": layer_kinds(m, 2),
    }


def _gemma3(m: Metadata) -> Made:
    """Some files hold an image tower as well, whose keys and tensors are passed over."""
    front = m.name("")
    m.skip(*(key.removeprefix(front) for key in m.keys.data if key.startswith((f"{front}vision.", f"{front}mm."))))
    window = m.int("attention.sliding_window", 0, low=0)
    base = "rope.global.freq_base" if m.has("rope.global.freq_base") else "rope.freq_base"
    local = m.float("rope.local.freq_base", m.float("rope.freq_base_swa", 10000.0, low=1e-3), low=1e-3)
    found = {**grouped(m), **inner(m), **rms(m), "model_type": "gemma3_text"}
    return {
        **found,
        "rope_parameters": {FULL: rope(m, base=base, theta=1e6), SLIDING: {"rope_theta": local}},
        "query_pre_attn_scalar": _scale_width(m, 62),
        "layer_types": layer_kinds(m, 6) if window else [FULL] * m.layers(),
        **({"sliding_window": window} if window else {}),
    }


def _phi2(m: Metadata) -> Made:
    found = {**grouped(m), **inner(m), **layer_norm(m), "model_type": "phi"}
    return {**found, "rope_parameters": rope(m, partial=True)}


def _phi3(m: Metadata) -> Made:
    found = {**grouped(m), **inner(m, parts=2), **rms(m), "model_type": "phi3"}
    window = m.int("attention.sliding_window", 0, low=0)
    return {**found, "rope_parameters": rope(m, partial=True), "sliding_window": window or None}


def _gpt2(m: Metadata) -> Made:
    one_kind_of_heads(m)
    found = {**sizes(m), **inner(m, "n_inner"), **layer_norm(m, "layer_norm_epsilon"), "model_type": "gpt2"}
    return {**found, "n_positions": m.shape("position_embd.weight")[0]}


def _gptneox(m: Metadata) -> Made:
    found = {**grouped(m), **inner(m), **layer_norm(m), "model_type": "gpt_neox"}
    found |= {"attention_bias": m.has_bias("attn_qkv"), "use_parallel_residual": m.bool("use_parallel_residual", True)}
    return {**found, "rope_parameters": rope(m, partial=True)}


def _falcon(m: Metadata) -> Made:
    if m.has_bias("attn_qkv"):
        raise m.keys.error("a Falcon with biases has ALiBi positions, which this kind of file cannot say")
    found = {**sizes(m, "max_position_embeddings"), **inner(m, "ffn_hidden_size")}
    return {
        **found,
        **layer_norm(m, "layer_norm_epsilon"),
        "model_type": "falcon",
        "num_kv_heads": kv_heads(m),
        "new_decoder_architecture": True,  # the older one is the same with one key head and one norm
        "num_ln_in_parallel_attn": 2 if "blk.0.attn_norm_2.weight" in m.shapes else 1,
        "rope_parameters": rope(m),
    }


def _bloom(m: Metadata) -> Made:
    one_kind_of_heads(m)
    m.skip("feed_forward_length")
    return {**sizes(m), **layer_norm(m, "layer_norm_epsilon"), "model_type": "bloom"}


def _mpt(m: Metadata) -> Made:
    one_kind_of_heads(m)
    m.skip("feed_forward_length")
    m.only("attention.max_alibi_bias", 8)
    clip = {"clip_qkv": m.float("attention.clamp_kqv", 0.0, low=0)}
    return {**sizes(m), **layer_norm(m, "layer_norm_epsilon"), "model_type": "mpt", "attn_config": clip}


def _starcoder2(m: Metadata) -> Made:
    found = {**grouped(m), **inner(m), **layer_norm(m, "norm_epsilon"), "model_type": "starcoder2"}
    return {**found, "use_bias": m.has_bias("attn_q"), "rope_parameters": rope(m)}


def _stablelm(m: Metadata) -> Made:
    m.skip("use_parallel_residual")  # true in files of models that have a second norm and need it
    return {
        **grouped(m),
        **inner(m),
        **layer_norm(m),
        "model_type": "stablelm",
        "rope_parameters": rope(m, partial=True),
        "use_qkv_bias": m.has_bias("attn_q"),
        "qk_layernorm": "blk.0.attn_q_norm.weight" in m.shapes,
        "use_parallel_residual": "blk.0.ffn_norm.weight" not in m.shapes,
    }


def _command_r(m: Metadata) -> Made:
    found = {**grouped(m), **inner(m), **layer_norm(m), "model_type": "cohere"}
    found |= {"attention_bias": m.has_bias("attn_q"), "use_qk_norm": "blk.0.attn_q_norm.weight" in m.shapes}
    return {**found, "rope_parameters": rope(m)}


def _gpt_oss(m: Metadata) -> Made:
    turns = rope(m, theta=150000.0)
    if turns["rope_type"] == "yarn":
        turns["truncate"] = False  # no key says so
    return {
        **grouped(m),
        **rms(m),
        **_experts(m),
        "model_type": "gpt_oss",
        "attention_bias": m.has_bias("attn_q"),
        "rope_parameters": turns,
        "sliding_window": m.int("attention.sliding_window"),
        "layer_types": layer_kinds(m, 2),
    }


def _bert(m: Metadata) -> Made:
    """BERT, and its relatives whose positions the converter has counted from 0 (RoBERTa) or that have no types."""
    m.only("attention.causal", False)
    one_kind_of_heads(m)
    types = m.shape("token_types.weight")[0] if "token_types.weight" in m.shapes else 0
    found = {**sizes(m), **inner(m), **layer_norm(m), "model_type": "bert", "type_vocab_size": types}
    return {**found, "max_position_embeddings": m.shape("position_embd.weight")[0]}


def _modern_bert(m: Metadata) -> Made:
    m.only("attention.causal", False)
    one_kind_of_heads(m)
    # Which of the two it stands in depends on the converter's age.
    eps = m.float("attention.layer_norm_epsilon", m.float("attention.layer_norm_rms_epsilon", 1e-5, low=0), low=0)
    local = m.float("rope.freq_base_swa", 10000.0, low=1e-3)
    return {
        **sizes(m, "max_position_embeddings"),
        **inner(m, parts=2),
        "model_type": "modernbert",
        "norm_eps": eps,
        "hidden_activation": m.text("hidden_activation", "gelu", ("gelu", "silu")),
        "local_attention": m.int("attention.sliding_window", 128),
        "layer_types": layer_kinds(m, 3, first_full=True),
        "rope_parameters": {FULL: rope(m, theta=160000.0), SLIDING: {"rope_theta": local}},
    }


def _t5(m: Metadata) -> Made:
    m.skip("attention.layer_norm_epsilon", "feed_forward_length")
    return {
        **sizes(m),
        "model_type": "t5",
        "d_kv": head_width(m),
        "d_ff": m.shape("enc.blk.0.ffn_up.weight")[0],
        "num_decoder_layers": m.keys.layers(m.name("decoder_block_count"), m.layers()),
        "layer_norm_epsilon": m.float("attention.layer_norm_rms_epsilon", low=0),
        "relative_attention_num_buckets": m.int("attention.relative_buckets_count"),
        "feed_forward_proj": "gated-gelu" if "enc.blk.0.ffn_gate.weight" in m.shapes else "relu",
        "decoder_start_token_id": m.int("decoder_start_token_id", 0, low=0),
    }


_AROUND = {"norm1_out": "post_attention_norm", "norm2_out": "post_ffw_norm"}
ARCHITECTURES: Mapping[str, Architecture] = {
    "bert": Architecture(_bert, {"norm1": "attn_output_norm", "norm2": "layer_output_norm"}),
    "bloom": Architecture(_bloom),
    "command-r": Architecture(_command_r),
    "falcon": Architecture(_falcon, {"norm1": "attn_norm_2|attn_norm", "norm2": "attn_norm"}),
    "gemma": Architecture(_plain("gemma"), shifted=True),
    "gemma2": Architecture(_gemma2, _AROUND, shifted=True),
    "gemma3": Architecture(_gemma3, _AROUND, shifted=True),
    "gpt-oss": Architecture(_gpt_oss, {"norm2": "post_attention_norm"}),
    "gpt2": Architecture(_gpt2),
    "gptneox": Architecture(_gptneox),
    "llama": Architecture(_llama, turned=True),
    "modern-bert": Architecture(_modern_bert, gate_up=True),
    "mpt": Architecture(_mpt),
    "olmo2": Architecture(_plain("olmo2"), _AROUND),
    "phi2": Architecture(_phi2),
    "phi3": Architecture(_phi3, gate_up=True),
    "qwen2": Architecture(_plain("qwen2")),
    "qwen3": Architecture(_qwen3),
    "smollm3": Architecture(_smollm3, turned=True),
    "stablelm": Architecture(_stablelm),
    "starcoder2": Architecture(_starcoder2),
    "t5": Architecture(_t5, {"o": "attn_o", "norm_cross": "cross_attn_norm"}),
}
