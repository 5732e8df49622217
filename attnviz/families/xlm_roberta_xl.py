"""XLM-RoBERTa XL and XXL (Goyal 2021): XLM-RoBERTa with norms before its sublayers and none on the embeddings."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._names import pairs

NAMES = {
    **_encoder.NAMES,
    **pairs({"norm1": "attention.self_attn_layer_norm", "norm2": "LayerNorm"}, "layers.{i}.", "encoder.layer.{i}."),
    **pairs({"final_norm": "encoder.LayerNorm"}),
}
MASKED = _unembed.ROBERTA


def spec(config: Config) -> Spec:
    """XLMRobertaXLConfig."""
    if not config.has("layer_norm_eps"):
        config.data["layer_norm_eps"] = 1e-5
    plain = _encoder.encoder(
        config,
        n_layers=36,
        n_heads=32,
        d_model=2560,
        d_mlp=10240,
        vocab=250880,
        types=1,
        positions=_encoder.PLACES,
        longest=514,
    )
    return _encoder.norms_before(_encoder.after_padding(config, plain), embed=False)
