"""RoBERTa with norms before its sublayers (Wettig 2023, after Ott 2019), published as efficient_mlm."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._names import pairs
from attnviz.families._recipes import ROBERTA

NAMES = {
    **_encoder.NAMES,
    **pairs({"norm1": "attention.LayerNorm", "norm2": "intermediate.LayerNorm"}, "layers.{i}.", "encoder.layer.{i}."),
    **pairs({"final_norm": "LayerNorm"}),
}
TOKENIZERS = {"robertaprelayernorm": ROBERTA}
MASKED = _unembed.ROBERTA


def spec(config: Config) -> Spec:
    """RobertaPreLayerNormConfig."""
    return _encoder.norms_before(_encoder.after_padding(config, _encoder.encoder(config, vocab=50265)))
