"""DeepSeek-V2 (DeepSeek-AI 2024): keys and values from a compressed vector, small experts and shared ones."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Routing, Spec
from attnviz.families import _decoder, _experts, _latent
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._unembed import Unembedding

NAMES = _latent.NAMES
UNEMBED = Unembedding()
TYPICAL = {"num_experts_per_tok": 6}


def spec(config: Config) -> Spec:
    """DeepseekV2Config. `norm_topk_prob` is not read, as in the reference; published models have it off.

    Since transformers 5.15 `mscale_all_dim` changes the scale of scores, as in the authors' own code; the releases
    before left it out.
    """
    config.rename(n_routed_experts="num_experts")
    config.skip("norm_topk_prob")
    config.choice("scoring_func", "softmax", ("softmax",))
    more, turns = _latent.attention(config, 2048, 32, interleaved=True)
    n_layers = config.layers("num_hidden_layers", 32)
    n_experts = config.int("n_routed_experts", 64)
    top_k = _experts.chosen(config, n_experts, None)
    method = config.choice("topk_method", "greedy", ("greedy", "group_limited_greedy"))
    routing = Routing("softmax", times=config.float("routed_scaling_factor", 1.0))
    if method == "group_limited_greedy":
        routing = replace(routing, **_experts.grouped(config, n_experts, top_k, 1, 1))
    config.skip("n_group", "topk_group")
    d_expert = config.int("moe_intermediate_size", 1407)
    return _decoder.decoder(
        config,
        _decoder.rms(config),
        (turns,),
        **more,
        n_layers=n_layers,
        d_model=config.int("hidden_size", 4096),
        d_mlp=config.int("intermediate_size", 11008),
        vocab=config.int("vocab_size", 102400),
        mlp_bias=config.bool("mlp_bias"),
        n_experts=n_experts,
        top_k=top_k,
        routing=routing,
        expert_layers=_experts.after_first(config, n_layers, 0),
        d_expert=d_expert,
        expert_bias=False,
        d_shared=d_expert * _experts.n_shared(config, 2),
    )


def _from_gguf(m: Metadata) -> Made:
    """Read a file of DeepSeek-V2 or V3; the function that turns scores into shares says which.

    Some files lack the groups that their models have; such a model chooses among all experts. Older files hold the
    sizes of heads, newer files the sizes of compressed keys.
    """
    sigmoid = m.int("expert_gating_func", 1, low=0) == 2
    m.only("expert_gating_func", 0, 1, 2)
    d_turned, n_heads = m.int("rope.dimension_count"), m.int("attention.head_count")
    d_head, d_value = m.int("attention.key_length", d_turned + 128), m.int("attention.value_length", 128)
    d_head, d_value = m.int("attention.key_length_mla", d_head), m.int("attention.value_length_mla", d_value)
    groups = m.int("expert_group_count", 1)
    m.only("attention.head_count_kv", 1, n_heads)
    keys = {
        **gguf.sizes(m, "max_position_embeddings"),
        **gguf.rms(m),
        **gguf.many_experts(m),
        **gguf.dense_width(m),
        "model_type": "deepseek_v3" if sigmoid else "deepseek_v2",
        "num_hidden_layers": m.layers() - m.int("nextn_predict_layers", 0, low=0),
        "q_lora_rank": m.int("attention.q_lora_rank") if m.has("attention.q_lora_rank") else None,
        "kv_lora_rank": m.int("attention.kv_lora_rank"),
        "qk_rope_head_dim": d_turned,
        "qk_nope_head_dim": d_head - d_turned,
        "v_head_dim": d_value,
        "n_routed_experts": m.int("expert_count"),
        "n_shared_experts": m.int("expert_shared_count", 0, low=0),
        "n_group": groups,
        "topk_group": m.int("expert_group_used_count", 1),
        "routed_scaling_factor": m.float("expert_weights_scale", 1.0),
        "norm_topk_prob": m.bool("expert_weights_norm"),
        "first_k_dense_replace": m.int("leading_dense_block_count", 0, low=0),
        "attention_bias": m.has_bias("attn_kv_a_mqa"),
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": m.float("rope.freq_base", 10000.0, low=1e-3),
            **gguf.scaling(m, magnified=True),
        },
    }
    if sigmoid:
        return keys
    return {**keys, "topk_method": "group_limited_greedy" if groups > 1 else "greedy"}


GGUF = {"deepseek2": gguf.Architecture(_from_gguf)}
