"""DeepSeek-V2 (DeepSeek-AI 2024): keys and values from a compressed vector, small experts and shared ones."""

from __future__ import annotations

from dataclasses import replace

from attnviz.engine.spec import Routing, Spec
from attnviz.families import _decoder, _experts, _latent
from attnviz.families._config import Config
from attnviz.families._unembed import Unembedding

NAMES = _latent.NAMES
UNEMBED = Unembedding()
TYPICAL = {"num_experts_per_tok": 6}


def spec(config: Config) -> Spec:
    """DeepseekV2Config. `norm_topk_prob` is not read, as in the reference; published models have it off.

    Since transformers 5.11 `mscale_all_dim` changes the scale of scores, as in the authors' own code; the releases
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
        d_shared=d_expert * config.int("n_shared_experts", 2, low=0, high=1024),
    )
