"""The tiny reference encoders with masked-language heads of drawn numbers; both programs are run on them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from helpers.paths import REFERENCE
from safetensors.numpy import load_file, save_file


@dataclass(frozen=True)
class Head:
    """A head as the reference stores it.

    model: the class. front: the prefix of the other tensors. dense, norm: names, "" for none. bias: names, between
    spaces. table: a name; "" for one that is tied to the embeddings. width: the key of the table's width; "" for the
    model's. dense_bias, norm_bias: whether they have one. base: the checkpoint, if it is not the family's. config: keys
    that are changed.
    """

    model: str
    front: str
    dense: str = ""
    norm: str = ""
    bias: str = ""
    table: str = ""
    width: str = ""
    dense_bias: bool = True
    norm_bias: bool = True
    base: str = ""
    config: tuple[tuple[str, object], ...] = ()


def _bert(model: str, front: str, width: str = "") -> Head:
    dense, norm = "cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm"
    return Head(model, front, dense, norm, "cls.predictions.bias", width=width)


def _roberta(model: str, front: str) -> Head:
    return Head(model, front, "lm_head.dense", "lm_head.layer_norm", "lm_head.bias")


_NEW_DEBERTA = ("lm_predictions.lm_head.dense", "lm_predictions.lm_head.LayerNorm", "lm_predictions.lm_head.bias")
_XLM = "pred_layer.proj.bias"
_ROBERTA = _roberta("RobertaForMaskedLM", "roberta.")
HEADS = {
    "albert": Head(
        "AlbertForMaskedLM", "albert.", "predictions.dense", "predictions.LayerNorm", "predictions.bias",
        width="embedding_size",
    ),
    "bert": _bert("BertForMaskedLM", "bert."),
    "bert_untied": replace(
        _bert("BertForMaskedLM", "bert."), base="bert", table="cls.predictions.decoder.weight",
        bias="cls.predictions.bias cls.predictions.decoder.bias", config=(("tie_word_embeddings", False),),
    ),
    "big_bird": _bert("BigBirdForMaskedLM", "bert."),
    "camembert": replace(
        _ROBERTA, model="CamembertForMaskedLM", base="roberta", config=(("model_type", "camembert"),)
    ),
    "data2vec_text": _roberta("Data2VecTextForMaskedLM", "data2vec_text."),
    "deberta": _bert("DebertaForMaskedLM", "deberta."),
    "deberta_new": Head("DebertaForMaskedLM", "deberta.", *_NEW_DEBERTA, base="deberta", config=(("legacy", False),)),
    "deberta_v2": _bert("DebertaV2ForMaskedLM", "deberta."),
    "deberta_v2_new": Head(
        "DebertaV2ForMaskedLM", "deberta.", *_NEW_DEBERTA, base="deberta_v2", config=(("legacy", False),)
    ),
    "distilbert": Head(
        "DistilBertForMaskedLM", "distilbert.", "vocab_transform", "vocab_layer_norm", "vocab_projector.bias"
    ),
    "electra": Head(
        "ElectraForMaskedLM", "electra.", "generator_predictions.dense", "generator_predictions.LayerNorm",
        "generator_lm_head.bias", width="embedding_size",
    ),
    "ernie": _bert("ErnieForMaskedLM", "ernie."),
    "esm": _roberta("EsmForMaskedLM", "esm."),
    "eurobert": Head("EuroBertForMaskedLM", "model.", table="lm_head.weight"),
    "flaubert": Head("FlaubertWithLMHeadModel", "transformer.", bias=_XLM),
    "longformer": _roberta("LongformerForMaskedLM", "longformer."),
    "megatron_bert": _bert("MegatronBertForMaskedLM", "bert."),
    "modernbert": Head(
        "ModernBertForMaskedLM", "model.", "head.dense", "head.norm", "decoder.bias", dense_bias=False, norm_bias=False
    ),
    "mpnet": _roberta("MPNetForMaskedLM", "mpnet."),
    "nomic_bert": replace(_bert("NomicBertForMaskedLM", "nomic_bert."), norm="cls.predictions.transform.layer_norm"),
    "rembert": Head(
        "RemBertForMaskedLM", "rembert.", "cls.predictions.dense", "cls.predictions.LayerNorm",
        "cls.predictions.decoder.bias", "cls.predictions.decoder.weight", "output_embedding_size",
    ),
    "roberta": _ROBERTA,
    "roberta_prelayernorm": _roberta("RobertaPreLayerNormForMaskedLM", "roberta_prelayernorm."),
    "roformer": _bert("RoFormerForMaskedLM", "roformer.", "embedding_size"),
    "xlm": Head("XLMWithLMHeadModel", "transformer.", bias=_XLM),
    "xlm_roberta": replace(
        _ROBERTA, model="XLMRobertaForMaskedLM", base="roberta", config=(("model_type", "xlm-roberta"),)
    ),
    "xlm_roberta_xl": _roberta("XLMRobertaXLForMaskedLM", "roberta."),
}  # fmt: skip


def with_head(name: str, place: Path) -> tuple[Path, list[int]]:
    """A folder with the checkpoint and its head, and ids to read."""
    head = HEADS[name]
    own, folder = REFERENCE / (head.base or name), place / name
    folder.mkdir(parents=True)
    config = {**json.loads((own / "config.json").read_text()), **dict(head.config), "architectures": [head.model]}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = load_file(own / "model.safetensors")
    if not any(stored.startswith(head.front) for stored in tensors):
        tensors = {head.front + stored: values for stored, values in tensors.items()}
    save_file(tensors | _drawn(head, config), folder / "model.safetensors", metadata={"format": "pt"})
    return folder, np.load(own / "expected.npz")["input_ids"].tolist()


def _drawn(head: Head, config: dict[str, object]) -> dict[str, np.ndarray]:
    """The tensors of a head."""
    d_model = int(config.get("hidden_size") or config.get("dim") or config.get("emb_dim"))  # type: ignore[call-overload]
    width, vocab = int(config[head.width]) if head.width else d_model, int(config["vocab_size"])  # type: ignore[call-overload]
    shapes: dict[str, tuple[int, ...]] = {}
    if head.dense:
        shapes |= {f"{head.dense}.weight": (width, d_model), f"{head.norm}.weight": (width,)}
        shapes |= {f"{head.dense}.bias": (width,)} if head.dense_bias else {}
        shapes |= {f"{head.norm}.bias": (width,)} if head.norm_bias else {}
    shapes |= dict.fromkeys(head.bias.split(), (vocab,))
    shapes |= {head.table: (vocab, width)} if head.table else {}
    drawn = {}
    for seed, (name, shape) in enumerate(sorted(shapes.items())):
        values = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
        drawn[name] = values if len(shape) == 1 else values * np.float32(1.5 / shape[1] ** 0.5)
    return drawn
