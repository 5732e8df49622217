"""OLMoE (Muennighoff 2024): small experts in every layer, norms across all heads' queries and keys."""

from __future__ import annotations

from attnviz.engine.spec import Routing, Spec
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
    **_experts.stored(),
}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """OlmoeConfig."""
    config.rename(num_experts="num_local_experts")
    sizes = _decoder.sizes(config, n_layers=16, n_heads=16, d_model=2048, d_mlp=2048, vocab=50304, positions=4096)
    bias, norm = config.bool("attention_bias"), _decoder.rms(config, 1e-5)
    n_experts = config.int("num_experts", 64)
    return _decoder.decoder(
        config,
        norm,
        (rotary(config, sizes["d_head"], max_positions=4096),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        qk_norm=norm,
        qk_norm_over="all",
        qkv_clip=config.cap("clip_qkv", None),
        clip_after_norm=True,
        n_experts=n_experts,
        top_k=_experts.chosen(config, n_experts, 8),
        routing=Routing("softmax", normalised=config.bool("norm_topk_prob")),
    )


def _from_gguf(m: Metadata) -> Made:
    """Shares are not normalised: no key says so, but it is true of every published model.

    `clip_qkv` is not in the file.
    """
    keys = gguf.experts(m)
    return {
        **gguf.grouped(m),
        **gguf.rms(m),
        "model_type": "olmoe",
        "num_experts": keys["num_local_experts"],
        "num_experts_per_tok": keys["num_experts_per_tok"],
        "intermediate_size": keys["intermediate_size"],
        "norm_topk_prob": m.bool("expert_weights_norm"),
        "attention_bias": m.has_bias("attn_q"),
        "rope_parameters": gguf.rope(m),
    }


GGUF = {"olmoe": gguf.Architecture(_from_gguf)}
