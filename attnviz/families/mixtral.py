"""Mixtral (Jiang 2024): Mistral whose MLP is a mixture of experts."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._names import Source
from attnviz.families._recipes import LLAMA
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

_OLD, _NEW = "layers.{i}.block_sparse_moe.", "layers.{i}.mlp."
UNEMBED = Unembedding()
TOKENIZERS = {"mixtral": LLAMA}


def _expert(old: str, stacked: str, *layouts: str) -> Source:
    return [f"{_OLD}experts.{{e}}.{old}.weight", (f"{_NEW}experts.{stacked}", "expert", *layouts)]


NAMES: dict[str, Source] = {
    **_decoder.NAMES,
    "layers.{i}.router.weight": [f"{_OLD}gate.weight", f"{_NEW}gate.weight"],
    "layers.{i}.experts.{e}.gate.weight": _expert("w1", "gate_up_proj", "gate_of_gate_up"),
    "layers.{i}.experts.{e}.up.weight": _expert("w3", "gate_up_proj", "up_of_gate_up"),
    "layers.{i}.experts.{e}.down.weight": _expert("w2", "down_proj"),
}


def spec(config: Config) -> Spec:
    """MixtralConfig."""
    found = _decoder.sizes(config, n_kv_heads=8, d_mlp=14336, positions=4096 * 32)
    n_experts = config.int("num_local_experts", 8)
    config.skip("router_jitter_noise")
    return _decoder.decoder(
        config,
        _decoder.rms(config, 1e-5),
        (rotary(config, found["d_head"], theta=1e6, max_positions=4096 * 32),),
        **found,
        reach=(config.window("sliding_window", None),),
        n_experts=n_experts,
        top_k=config.int("num_experts_per_tok", 2, high=n_experts),
    )
