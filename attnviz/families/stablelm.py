"""StableLM (Bellagente 2024): layer norms, part of each head rotated, optionally a parallel residual."""

from __future__ import annotations

from attnviz.engine.spec import Norm, Spec
from attnviz.families import _decoder
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._rotary import rotary
from attnviz.families._unembed import Unembedding

NAMES = {
    **_decoder.NAMES,
    "layers.{i}.q_norm.{e}.weight": "layers.{i}.self_attn.q_layernorm.norms.{e}.weight",
    "layers.{i}.k_norm.{e}.weight": "layers.{i}.self_attn.k_layernorm.norms.{e}.weight",
}
UNEMBED = Unembedding()


def spec(config: Config) -> Spec:
    """StableLmConfig."""
    sizes = _decoder.sizes(config, d_model=2560, n_kv_heads=32, d_mlp=6912, vocab=50304, positions=4096)
    eps = config.float("layer_norm_eps", 1e-5, low=0)
    bias = config.bool("use_qkv_bias")
    return _decoder.decoder(
        config,
        Norm(eps=eps),
        (rotary(config, sizes["d_head"], part=0.25, max_positions=4096),),
        **sizes,
        **_decoder.biases(bias, bias, bias, False),
        parallel="shared" if config.bool("use_parallel_residual") else "",
        qk_norm=Norm(eps=eps, bias=False) if config.bool("qk_layernorm") else None,
        qk_norm_over="heads",
    )


def _from_gguf(m: Metadata) -> Made:
    m.skip("use_parallel_residual")  # true in files of models that have a second norm and need it
    return {
        **gguf.grouped(m),
        **gguf.inner(m),
        **gguf.layer_norm(m),
        "model_type": "stablelm",
        "rope_parameters": gguf.rope(m, partial=True),
        "use_qkv_bias": m.has_bias("attn_q"),
        "qk_layernorm": "blk.0.attn_q_norm.weight" in m.shapes,
        "use_parallel_residual": "blk.0.ffn_norm.weight" not in m.shapes,
    }


GGUF = {"stablelm": gguf.Architecture(_from_gguf)}
