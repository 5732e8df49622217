"""Megatron-BERT (Shoeybi 2019): BERT with norms before its sublayers and none on the embeddings."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import WORDPIECE

NAMES = {
    **_encoder.NAMES,
    **pairs({"norm1": "attention.ln", "norm2": "ln"}, "layers.{i}.", "encoder.layer.{i}."),
    **pairs({"final_norm": "encoder.ln"}),
}
TOKENIZERS = {"megatronbert": WORDPIECE}
MASKED = _unembed.BERT


def spec(config: Config) -> Spec:
    """MegatronBertConfig."""
    plain = _encoder.encoder(config, n_layers=24, n_heads=16, d_model=1024, d_mlp=4096, vocab=29056)
    return _encoder.norms_before(plain, embed=False)
