"""Mixtral (Jiang 2024): Mistral whose MLP is a mixture of experts."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _decoder, _experts
from attnviz.families._config import Config
from attnviz.families._names import Source
from attnviz.families._recipes import LLAMA
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

UNEMBED = Unembedding()
TOKENIZERS = {"mixtral": LLAMA}


NAMES: dict[str, Source] = {
    **_decoder.NAMES,
    "layers.{i}.router.weight": ["layers.{i}.block_sparse_moe.gate.weight", "layers.{i}.mlp.gate.weight"],
    **_experts.stored("block_sparse_moe", ("w1", "w3", "w2")),
}


def spec(config: Config) -> Spec:
    """MixtralConfig."""
    sizes = _decoder.sizes(config, n_kv_heads=8, d_mlp=14336, positions=4096 * 32)
    n_experts = config.int("num_local_experts", 8)
    config.skip("router_jitter_noise")
    return _decoder.decoder(
        config,
        _decoder.rms(config, 1e-5),
        (rotary(config, sizes["d_head"], theta=1e6, max_positions=4096 * 32),),
        **sizes,
        reach=(config.window("sliding_window", None),),
        n_experts=n_experts,
        top_k=config.int("num_experts_per_tok", 2, high=n_experts),
    )
