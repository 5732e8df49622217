"""BERT (Devlin 2019): post-norm encoder, learned positions, token types."""

from __future__ import annotations

from attnviz.engine.spec import Spec
from attnviz.families import _encoder, _unembed
from attnviz.families._config import Config
from attnviz.families._gguf import shared as gguf
from attnviz.families._gguf.metadata import Made, Metadata
from attnviz.families._recipes import WORDPIECE

ALIASES = ("align_text_model", "chinese_clip_text_model")

NAMES = _encoder.NAMES
TOKENIZERS = dict.fromkeys(("bert", "mobilebert", "lxmert", "convbert", "squeezebert"), WORDPIECE)
MASKED = _unembed.BERT


def spec(config: Config) -> Spec:
    """BertConfig."""
    return _encoder.encoder(config)


def _from_gguf(m: Metadata) -> Made:
    """BERT, and relatives whose positions the converter counts from 0 (RoBERTa) or that have no token types."""
    m.only("attention.causal", False)
    gguf.one_kind_of_heads(m)
    types = m.shape("token_types.weight")[0] if "token_types.weight" in m.shapes else 0
    keys = {**gguf.sizes(m), **gguf.inner(m), **gguf.layer_norm(m), "model_type": "bert", "type_vocab_size": types}
    return {**keys, "max_position_embeddings": m.shape("position_embd.weight")[0]}


GGUF = {"bert": gguf.Architecture(_from_gguf, {"norm1": "attn_output_norm", "norm2": "layer_output_norm"})}
