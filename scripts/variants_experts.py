"""Variants of the decoders with mixtures of experts."""

from __future__ import annotations

from variant import rope, v, without
from variants_decoders import _LLAMA_LIKE, _ROPES
from variants_dense import part, wider

# fmt: off
_EPS = v("eps", "rms_norm_eps 0.05", rms_norm_eps=0.05)
_GELU = v("gelu", "hidden_act gelu", hidden_act="gelu")
_BIAS = v("bias", "attention_bias", attention_bias=True)
_NORMALISED = v("normalised", "norm_topk_prob", norm_topk_prob=True)
_LAYERS = [
    v("step", "decoder_sparse_step 2: every second layer has experts", decoder_sparse_step=2, num_hidden_layers=4),
    v("plain_layers", "mlp_only_layers 0 and 2", mlp_only_layers=[0, 2], num_hidden_layers=4),
    v("no_experts", "num_experts 0", num_experts=0),
]
_ROUTING = [
    v("many", "16 experts, 5 a token", num_experts=16, num_experts_per_tok=5),
    v("one", "16 experts, 1 a token", num_experts=16, num_experts_per_tok=1),
    v("all", "4 experts, 4 a token", num_experts_per_tok=4),
]
_SIGMOID = [
    v("groups", "12 experts in 4 groups, the best 2 of them, 3 a token", n_routed_experts=12, n_group=4, topk_group=2,
      num_experts_per_tok=3),
    v("one_group", "16 experts in one group, 4 a token", n_routed_experts=16, n_group=1, topk_group=1,
      num_experts_per_tok=4),
    v("all_groups", "12 experts in 3 groups, all of them", n_routed_experts=12, n_group=3, topk_group=3,
      num_experts_per_tok=4),
    v("plain_shares", "norm_topk_prob off", norm_topk_prob=False),
    v("times", "routed_scaling_factor 4", routed_scaling_factor=4.0),
    v("shared", "3 shared experts", n_shared_experts=3),
    v("all_dense", "first_k_dense_replace beyond the layers", first_k_dense_replace=7),
    v("no_dense", "first_k_dense_replace 0", first_k_dense_replace=0),
    v("late", "first_k_dense_replace 2 of 4 layers", first_k_dense_replace=2, num_hidden_layers=4),
]
_LATENT = [
    v("big", "3 layers, 6 heads", hidden_size=48, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=6,
      intermediate_size=72, length=40),
    *without(_LLAMA_LIKE, "big", "mqa", "mha"),
    *wider(without(_ROPES, "dynamic_long", "yarn_mscale", "dynamic_short"), 2),
    v("yarn_mscale", "yarn rope, mscale_all_dim 0.4: scores are scaled by it",
      **rope("yarn", factor=8.0, original_max_position_embeddings=16, mscale=0.7, mscale_all_dim=0.4), length=50),
    v("yarn_v3", "yarn rope as published, mscale equal to mscale_all_dim",
      **rope("yarn", factor=40.0, beta_fast=32.0, beta_slow=1.0, original_max_position_embeddings=16, mscale=1.0,
      mscale_all_dim=1.0), length=50),
    v("dynamic", "dynamic NTK rope, 8 rotary dimensions", **rope("dynamic", factor=2.0), qk_rope_head_dim=8, length=30),
    v("direct", "q_lora_rank null: queries from the stream", q_lora_rank=None),
    v("direct_bias", "q_lora_rank null, attention_bias", q_lora_rank=None, attention_bias=True),
    v("narrow_values", "v_head_dim 3", v_head_dim=3),
    v("wide_values", "v_head_dim 20", v_head_dim=20),
    v("ranks", "kv_lora_rank 6, q_lora_rank 40", kv_lora_rank=6, q_lora_rank=40),
    v("turned", "qk_rope_head_dim 8, qk_nope_head_dim 4", qk_rope_head_dim=8, qk_nope_head_dim=4, length=30),
    _BIAS, _EPS, _GELU,
]

EXPERTS = {
    "qwen2_moe": [
        *_LLAMA_LIKE, *_ROPES, *_LAYERS, *_ROUTING, _NORMALISED, _EPS, _GELU,
        v("no_bias", "qkv_bias off", qkv_bias=False),
        v("shared", "shared_expert_intermediate_size 7", shared_expert_intermediate_size=7),
        v("window", "use_sliding_window, 4 layers, max_window_layers 3: layers 0 and 2 slide", use_sliding_window=True,
          sliding_window=5, max_window_layers=3, num_hidden_layers=4, length=20),
        v("window_types", "layer_types full, sliding", use_sliding_window=True, sliding_window=4,
          layer_types=["full_attention", "sliding_attention"], length=20),
        v("head_dim", "head_dim 12", head_dim=12),
    ],
    "qwen3_moe": [
        *_LLAMA_LIKE, *wider(_ROPES, 8), *_LAYERS, *_ROUTING, _NORMALISED, _EPS, _GELU, _BIAS,
        v("window", "use_sliding_window 5: all layers slide", use_sliding_window=True, sliding_window=5, length=20),
        v("window_null", "use_sliding_window without a size", use_sliding_window=True, sliding_window=None, length=20),
        v("window_off", "sliding_window that is not used", sliding_window=3, length=20),
    ],
    "olmoe": [
        *_LLAMA_LIKE, *_ROPES, *_ROUTING, _NORMALISED, _EPS, _GELU, _BIAS,
        v("clip", "clip_qkv 0.6: queries and keys are clipped after their norms", clip_qkv=0.6),
        v("clip_bias", "clip_qkv 0.3 and attention_bias", clip_qkv=0.3, attention_bias=True),
    ],
    "granitemoe": [
        *_LLAMA_LIKE, *_ROPES, _EPS, _GELU, _BIAS,
        v("plain", "all multipliers 1", attention_multiplier=1.0, embedding_multiplier=1.0, residual_multiplier=1.0,
          gain=0.8),
        v("multipliers", "attention 0.1, embedding 12, residual 0.22", attention_multiplier=0.1,
          embedding_multiplier=12.0, residual_multiplier=0.22),
        v("scaling", "logits_scaling 6, with a head", logits_scaling=6.0, architecture="CAUSAL"),
        v("many", "16 experts, 5 a token", num_local_experts=16, num_experts_per_tok=5),
        v("one", "16 experts, 1 a token", num_local_experts=16, num_experts_per_tok=1),
    ],
    "phimoe": [
        *_LLAMA_LIKE, _EPS, _GELU,
        v("no_bias", "attention_bias off", attention_bias=False),
        v("no_head_bias", "lm_head_bias off, with a head", lm_head_bias=False, architecture="CAUSAL"),
        v("window", "sliding_window 5", sliding_window=5, length=20),
        v("noise", "router_jitter_noise 0.4: more experts are near the best", router_jitter_noise=0.4,
          num_local_experts=8),
        v("no_noise", "router_jitter_noise 0", router_jitter_noise=0.0, num_local_experts=8),
        v("many", "16 experts", num_local_experts=16, router_jitter_noise=0.2),
        v("two", "2 experts", num_local_experts=2),
        v("one_a_token", "num_experts_per_tok 1: two all the same", num_experts_per_tok=1),
        v("longrope_short", "longrope, within the original length",
          **rope("longrope", short_factor=[1.0, 1.1, 1.3, 1.6], long_factor=[1.0, 2.0, 3.0, 5.0], short_mscale=1.2,
          long_mscale=1.4, original_max_position_embeddings=32), length=20),
        v("longrope_long", "longrope, beyond the original length",
          **rope("longrope", short_factor=[1.0, 1.1, 1.3, 1.6], long_factor=[1.0, 2.0, 3.0, 5.0], short_mscale=1.2,
          long_mscale=1.4, original_max_position_embeddings=16), length=40),
    ],
    "glm4_moe": [
        *_LLAMA_LIKE, *wider(part(_ROPES, 0.5), 4), *_SIGMOID, _EPS, _GELU, _BIAS,
        v("normed", "use_qk_norm", use_qk_norm=True),
        v("whole", "partial_rotary_factor 1", **rope("default", partial_rotary_factor=1.0), length=30),
        v("head_dim", "head_dim 12", head_dim=12),
    ],
    "deepseek_v2": [
        *_LATENT,
        v("groups", "12 experts in 4 groups, the best 2 of them, 3 a token", topk_method="group_limited_greedy",
          n_routed_experts=12, n_group=4, topk_group=2, num_experts_per_tok=3),
        v("greedy_groups", "groups that a greedy choice does not look at", n_routed_experts=12, n_group=4,
          topk_group=2),
        v("normalised", "norm_topk_prob, which is not read", norm_topk_prob=True),
        v("times", "routed_scaling_factor 16", routed_scaling_factor=16.0, gain=1.2),
        v("shared", "2 shared experts", n_shared_experts=2),
        v("mlp_bias", "mlp_bias: of dense layers and of shared experts", mlp_bias=True, num_hidden_layers=3),
        v("many", "16 experts, 5 a token", n_routed_experts=16, num_experts_per_tok=5),
        v("no_dense", "first_k_dense_replace 0", first_k_dense_replace=0),
        v("all_dense", "first_k_dense_replace beyond the layers", first_k_dense_replace=7),
    ],
    "deepseek_v3": [
        *_LATENT, *_SIGMOID,
        v("halves", "rope_interleave off", rope_interleave=False, length=30),
    ],
}
