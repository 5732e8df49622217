"""RoBERTa (Liu 2019): BERT whose positions count from the padding id + 1. Also XLM-RoBERTa and CamemBERT."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._recipes import FAIRSEQ, MASK_STRIPS, ROBERTA, S_NAMES, TWO_SEPS, Recipe

ALIASES = ("camembert", "xlm_roberta", "clap_text_model")

NAMES = _encoder.NAMES
_XLM = Recipe(*TWO_SEPS, special=S_NAMES, flags=MASK_STRIPS, front=FAIRSEQ, skip=3, back=("<mask>",))
TOKENIZERS = {
    "roberta": ROBERTA,
    "xlmroberta": _XLM,
    "xlmrobertaxl": _XLM,
    "camembert": Recipe(
        *TWO_SEPS,
        special=S_NAMES,
        flags=MASK_STRIPS,
        front=("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"),
        skip=1,
        back=("<mask>",),
    ),
}
MASKED = _unembed.ROBERTA


def spec(config: Config) -> Spec:
    """RobertaConfig."""
    config.skip("projection_dim", "projection_hidden_act")  # the projection after CLAP's text tower
    return _encoder.after_padding(config, _encoder.encoder(config, vocab=50265))
