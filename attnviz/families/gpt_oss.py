"""gpt-oss (OpenAI 2025): experts with a clamped gate, a sink in every head, a window in every other layer."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._names import Source
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding
from attnviz.families._windows import layer_types, reaches

_EXPERTS = "layers.{i}.mlp.experts."
NAMES: dict[str, Source] = {
    **_decoder.NAMES,
    "layers.{i}.sinks": "layers.{i}.self_attn.sinks",
    "layers.{i}.router.weight": "layers.{i}.mlp.router.weight",
    "layers.{i}.router.bias": "layers.{i}.mlp.router.bias",
    "layers.{i}.experts.{e}.gate.weight": (
        f"{_EXPERTS}gate_up_proj",
        "expert",
        "transpose",
        "gate_of_gate_up_interleaved",
    ),
    "layers.{i}.experts.{e}.gate.bias": (f"{_EXPERTS}gate_up_proj_bias", "expert", "gate_of_gate_up_interleaved"),
    "layers.{i}.experts.{e}.up.weight": (f"{_EXPERTS}gate_up_proj", "expert", "transpose", "up_of_gate_up_interleaved"),
    "layers.{i}.experts.{e}.up.bias": (f"{_EXPERTS}gate_up_proj_bias", "expert", "up_of_gate_up_interleaved"),
    "layers.{i}.experts.{e}.down.weight": (f"{_EXPERTS}down_proj", "expert", "transpose"),
    "layers.{i}.experts.{e}.down.bias": (f"{_EXPERTS}down_proj_bias", "expert"),
}
# The factor of the published models, for configurations that leave it out.
_YARN = {
    "rope_type": "yarn",
    "factor": 32.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 4096,
}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """GptOssConfig."""
    sizes = _decoder.sizes(
        config,
        n_layers=36,
        n_heads=64,
        n_kv_heads=8,
        d_model=2880,
        d_head=64,
        d_mlp=2880,
        vocab=201088,
        positions=131072,
    )
    if not config.has("rope_parameters") and not config.has("rope_scaling"):
        config.data["rope_parameters"] = dict(_YARN)
    n_experts = config.int("num_local_experts", 128)
    kinds = layer_types(config, sizes["n_layers"], lambda i: i % 2 == 0)
    bias = config.bool("attention_bias", True)
    config.skip("experts_per_token", "initial_context_length")
    return _decoder.decoder(
        config,
        _decoder.rms(config, 1e-5),
        (rotary(config, sizes["d_head"], theta=150000.0, max_positions=131072),),
        **sizes,
        **_decoder.biases(bias, bias, bias, bias),
        reach=reaches(kinds, config.window("sliding_window", 128)),
        sinks=True,
        mlp_bias=True,
        n_experts=n_experts,
        top_k=config.int("num_experts_per_tok", 4, high=n_experts),
        router_bias=True,
        clamp=config.float("swiglu_limit", 7.0, low=1e-6),
        alpha=config.float("swiglu_alpha", 1.702),
    )


def _from_gguf(m: Metadata) -> Made:
    turns = gguf.rope(m, theta=150000.0)
    if turns["rope_type"] == "yarn":
        turns["truncate"] = False  # no key says so
    return {
        **gguf.grouped(m),
        **gguf.rms(m),
        **gguf.experts(m),
        "model_type": "gpt_oss",
        "attention_bias": m.has_bias("attn_q"),
        "rope_parameters": turns,
        "sliding_window": m.int("attention.sliding_window"),
        "layer_types": gguf.layer_kinds(m, 2),
    }


GGUF = {"gpt-oss": gguf.Architecture(_from_gguf, {"norm2": "post_attention_norm"})}
