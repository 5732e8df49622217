"""Shared by DeepSeek's models: keys and values from a compressed vector, with a part for positions beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from attnviz.engine.spec import Latent, Norm, Rotary
from attnviz.families import _decoder, _experts
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs
from attnviz.families._rotary import rotary

_PLAIN = {name: source for name, source in _decoder.NAMES.items() if name.split(".")[2:3] not in (["q"], ["k"], ["v"])}
_ATTENTION = "layers.{i}.self_attn."
NAMES: dict[str, Source] = {
    **_PLAIN,
    **pairs({"q_down": "q_a_proj", "kv_down": "kv_a_proj_with_mqa"}, "layers.{i}.", _ATTENTION),
    "layers.{i}.q_down_norm.weight": f"{_ATTENTION}q_a_layernorm.weight",
    "layers.{i}.kv_norm.weight": f"{_ATTENTION}kv_a_layernorm.weight",
    "layers.{i}.q.weight": [f"{_ATTENTION}q_b_proj.weight", f"{_ATTENTION}q_proj.weight"],
    "layers.{i}.k.weight": (f"{_ATTENTION}kv_b_proj.weight", "k_of_kv_by_head"),
    "layers.{i}.v.weight": (f"{_ATTENTION}kv_b_proj.weight", "v_of_kv_by_head"),
    "layers.{i}.router.weight": "layers.{i}.mlp.gate.weight",
    "layers.{i}.router.correction": "layers.{i}.mlp.gate.e_score_correction_bias",
    **_experts.stored(),
    **_experts.shared("mlp.shared_experts"),
}
# Keys of training, of prediction several tokens ahead, and of how the work is spread over machines.
_UNUSED = ("aux_loss_alpha", "seq_aux", "ep_size", "num_nextn_predict_layers", "num_mtp_layers", "qk_head_dim")


def attention(config: Config, positions: int, heads: int, interleaved: bool) -> tuple[dict[str, Any], Rotary]:
    """Sizes of heads, rotary positions and the scale of scores; positions, heads: values of keys left out.

    Compressed vectors are normalised with an epsilon of 1e-6 whatever `rms_norm_eps` says, as in the reference.
    """
    n_heads = config.heads("num_attention_heads", heads)
    if config.heads("num_key_value_heads", n_heads) != n_heads:
        raise config.error("num_key_value_heads must be num_attention_heads: every head has keys of its own")
    d_turned = config.int("qk_rope_head_dim", 64)
    d_head = config.int("qk_nope_head_dim", 128, low=0) + d_turned
    turns = replace(rotary(config, d_turned, max_positions=positions, interleaved=interleaved), last=True)
    bias = config.bool("attention_bias")
    d_q = config.int("q_lora_rank", 1536) if config.data.get("q_lora_rank", 1536) is not None else 0
    norm = Norm("rms", 1e-6, bias=False)
    config.skip("head_dim", *_UNUSED)
    config.off("moe_layer_freq", 1)
    return {
        "n_heads": n_heads,
        "d_head": d_head,
        "d_value": config.int("v_head_dim", 128),
        "latent": Latent(config.int("kv_lora_rank", 512), d_q, d_turned, norm, bias),
        "scale": d_head**-0.5 * _magnitude(turns) ** 2,
        **_decoder.biases(False, False, False, bias),
        "trained_positions": config.int("max_position_embeddings", positions),
    }, turns


def _magnitude(turns: Rotary) -> float:
    """The factor on queries and keys of positions stretched by `mscale_all_dim`. Source: Peng 2023, section 3.4."""
    scaling = turns.scaling
    if scaling is None or not scaling.mscale_all_dim or scaling.factor <= 1:
        return 1.0
    return 0.1 * scaling.mscale_all_dim * math.log(scaling.factor) + 1.0
