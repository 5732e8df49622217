"""GLM-4.5 (GLM-4.5 Team 2025): experts by corrected sigmoid scores, half of each head turned, perhaps normed."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder, _experts
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import Source, pairs
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES: dict[str, Source] = {
    **_decoder.NAMES,
    **pairs({"q_norm": "self_attn.q_norm", "k_norm": "self_attn.k_norm"}, "layers.{i}.", "layers.{i}."),
    "layers.{i}.router.weight": "layers.{i}.mlp.gate.weight",
    "layers.{i}.router.correction": "layers.{i}.mlp.gate.e_score_correction_bias",
    **_experts.stored(),
    **_experts.shared("mlp.shared_experts"),
}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """Glm4MoeConfig."""
    config.rename(n_routed_experts="num_local_experts")
    sizes = _decoder.sizes(
        config, n_layers=46, n_heads=96, n_kv_heads=8, d_mlp=10944, vocab=151552, positions=131072, **_width(config)
    )
    bias, norm = config.bool("attention_bias"), _decoder.rms(config, 1e-5)
    config.skip("num_nextn_predict_layers", "num_mtp_layers")
    layers = _experts.after_first(config, sizes["n_layers"], 1)
    return _decoder.decoder(
        config,
        norm,
        (rotary(config, sizes["d_head"], part=0.5, max_positions=131072),),
        **sizes,
        **_decoder.biases(bias, bias, bias, False),
        qk_norm=norm if config.bool("use_qk_norm") else None,
        **_experts.sigmoid(config, layers, {"n_experts": 128, "groups": (1, 1), "d_expert": 1408, "times": 1.0}),
    )


def _width(config: Config) -> dict[str, int]:
    """The width of heads without a key for it: d_model / n_heads, rounded down, as the defaults of all keys have it."""
    if config.has("head_dim"):
        return {}
    return {"d_head": config.int("hidden_size", 4096) // config.heads("num_attention_heads", 96)}


def _from_gguf(m: Metadata) -> Made:
    """A file's blocks include a layer that predicts a token further ahead; it is not part of the stack."""
    n_layers = m.layers() - m.int("nextn_predict_layers", 0, low=0)
    m.only("expert_gating_func", 2)
    return {
        **gguf.grouped(m),
        **gguf.rms(m),
        **gguf.many_experts(m),
        **gguf.dense_width(m),
        "model_type": "glm4_moe",
        "num_hidden_layers": n_layers,
        "n_routed_experts": m.int("expert_count"),
        "n_shared_experts": m.int("expert_shared_count", 1, low=0),
        "n_group": m.int("expert_group_count", 1),
        "topk_group": m.int("expert_group_used_count", 1),
        "norm_topk_prob": m.bool("expert_weights_norm", True),
        "routed_scaling_factor": m.float("expert_weights_scale", 1.0),
        "first_k_dense_replace": m.int("leading_dense_block_count", 0, low=0),
        "attention_bias": m.has_bias("attn_q"),
        "use_qk_norm": "blk.0.attn_q_norm.weight" in m.shapes,
        "rope_parameters": gguf.rope(m, partial=True),
    }


GGUF = {"glm4moe": gguf.Architecture(_from_gguf, {"norm2": "post_attention_norm"})}
