"""Encoders as older releases and published code run them, where today's reference differs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from helpers.paths import DATA, ENCODERS, TOKENS

import attnviz
from attnviz.engine.spec import Spec
from attnviz.errors import CheckpointError, ConfigError
from attnviz.families import family
from attnviz.families._config import Config
from attnviz.tokens import load_tokenizer

PUBLISHED = json.loads((DATA / "encoder_configs.json").read_text())
# The reference's own difference between float32 and float64, if four times that is more than 1e-5.
OWN = {"albert_relative_key_query": 2.6e-6}
READS = {"is_decoder": True, "add_cross_attention": True}
# The published keys of nomic-embed-text-v1.5, without keys that every configuration has.
NOMIC = {
    "activation_function": "swiglu",
    "layer_norm_epsilon": 1e-12,
    "max_trained_positions": 2048,
    "mlp_fc1_bias": False,
    "mlp_fc2_bias": False,
    "n_embd": 768,
    "n_head": 12,
    "n_inner": 3072,
    "n_layer": 12,
    "n_positions": 8192,
    "pad_vocab_size_multiple": 64,
    "qkv_proj_bias": False,
    "rotary_emb_base": 1000,
    "rotary_emb_fraction": 1.0,
    "type_vocab_size": 2,
    "vocab_size": 30528,
}


def spec(model_type: str, **keys: Any) -> Spec:
    config = Config(keys)
    found = family(model_type).spec(config)
    assert not config.unread()
    assert isinstance(found, Spec)
    return found


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row["name"])
def test_published_configurations_are_read_as_they_are(row: dict[str, Any]) -> None:
    description = attnviz.describe(row["config"])
    assert {key: description[key] for key in ("family", "positions", "masks", "ignored")} == {
        key: row[key] for key in ("family", "positions", "masks", "ignored")
    }


@pytest.mark.parametrize("case", sorted(p.name for p in ENCODERS.iterdir()))
def test_agrees_with_what_ran_it(case: str) -> None:
    """Distances: numbers of transformers 4.46; version 5 no longer reads them.

    Nomic: the code published with the weights.
    """
    expected = np.load(ENCODERS / case / "expected.npz")
    inputs = {"token_types": expected["token_type_ids"]} if "token_type_ids" in expected else {}
    got = attnviz.load(ENCODERS / case).attend(ids=expected["input_ids"], **inputs).weights
    np.testing.assert_allclose(got, expected["self"], rtol=0, atol=max(1e-5, 4 * OWN.get(case, 0)))
    assert expected["self"].max(-1).mean() > 2 / expected["self"].shape[-1]


def test_both_spellings_of_nomic_bert_are_one_model() -> None:
    own = {"hidden_size": 768, "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0}}
    assert spec("nomic_bert", **NOMIC) == spec("nomic_bert", **own, max_position_embeddings=8192)
    both = {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072, "layer_norm_eps": 1e-12}
    assert spec("nomic_bert", **NOMIC, **both, hidden_act="silu", head_dim=64) == spec("nomic_bert", **NOMIC)


@pytest.mark.parametrize(
    ("model_type", "keys", "said"),
    [
        ("nomic_bert", NOMIC | {"hidden_size": 512}, "contradict each other"),
        ("nomic_bert", NOMIC | {"hidden_act": "gelu"}, "contradict each other"),
        ("nomic_bert", NOMIC | {"rope_parameters": {"rope_theta": 5.0}}, "contradict each other"),
        ("nomic_bert", NOMIC | {"mlp_fc1_bias": True}, "must be alike"),
        ("nomic_bert", NOMIC | {"rotary_emb_scale_base": 512}, "rotary_emb_scale_base 512 is not handled"),
        ("nomic_bert", NOMIC | {"moe_every_n_layers": 2, "num_experts": 8}, "experts with a gated MLP"),
        ("nomic_bert", NOMIC | {"use_rms_norm": True}, "use_rms_norm True is not handled"),
        ("nomic_bert", NOMIC | {"rotary_emb_fraction": 0.3}, "turns 19.2 of a head's 64 dimensions"),
        ("encoder_decoder", {}, "encoder is missing"),
        ("encoder_decoder", {"encoder": {}, "decoder": {}}, "this decoder does not read the encoder"),
        ("encoder_decoder", {"encoder": {}, "decoder": {"model_type": "gpt2"}}, "model_type must be one of bert"),
        ("encoder_decoder", {"encoder": {"hidden_size": 96}, "decoder": READS}, "96 wide with a decoder 768 wide"),
        ("deberta", {"talking_head": True}, "talking_head True is not handled"),
        ("deberta", {"pos_att_type": ["c2p", 3]}, "pos_att_type must be a list of words"),
        ("xlm", {"is_encoder": False}, "is_encoder false is not handled"),
        ("roformer", {"hidden_size": 12, "num_attention_heads": 4}, "even number of dimensions; got 3"),
        ("mpnet", {"position_embedding_type": "relative_key"}, "position_embedding_type must be one of absolute"),
    ],
)
def test_what_is_refused_is_refused_in_a_line(model_type: str, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        spec(model_type, **keys)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_words_that_name_no_score_count_in_the_scale_of_deberta() -> None:
    """As in the reference: 1 / sqrt(d_head (1 + the number of words))."""
    for words, count in ((["c2p"], 2), ("c2p|p2c", 3), (["c2p", "p2c", "p2p"], 4), ("", 2), (None, 1)):
        found = spec("deberta", pos_att_type=words, relative_attention=True)
        assert found.scale == pytest.approx((64 * count) ** -0.5)


@pytest.mark.parametrize(
    ("model_type", "files", "said"),
    [
        ("deberta", {"bpe_encoder.bin": b"PK"}, "bpe_encoder.bin is a pickled vocabulary, which is not read"),
        ("roformer", {"vocab.txt": b"[UNK]\n"}, "words are cut with jieba's dictionary"),
        ("roformer", {"tokenizer.json": b"{}"}, "words are cut with jieba's dictionary"),
        ("xlm", {"vocab.json": b"{}", "merges.txt": b""}, "does not say how xlm splits a text"),
        ("flaubert", {"vocab.json": b"{}", "merges.txt": b""}, "does not say how flaubert splits a text"),
    ],
)
def test_texts_that_no_file_says_how_to_split_are_refused(tmp_path, model_type, files, said) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    tokenizer = load_tokenizer(tmp_path, {"model_type": model_type})
    assert tokenizer is not None
    with pytest.raises(CheckpointError, match=said):
        tokenizer.encode("a text")


def test_bert_generation_is_split_as_sentencepiece_does_it(tmp_path) -> None:
    """No special token is added around a text; ids by transformers 4.46 and 5.23."""
    model = TOKENS / "files" / "plain.model"
    (tmp_path / "spiece.model").write_bytes(model.read_bytes())
    tokenizer = load_tokenizer(tmp_path, {"model_type": "bert-generation"})
    assert tokenizer is not None
    for text, ids in {
        "hello (world) - yes": (5, 129, 30, 59, 5, 169, 123, 30, 11, 147, 5, 148, 106, 54),
        "  leading and trailing  ": (5, 35, 17, 11, 94, 58, 11, 5, 52, 17, 18, 30, 94),
        "a<s>b</s>c <unk> <pad> d": (36, 1, 100, 2, 5, 117, 0, 205, 67),
    }.items():
        assert tokenizer.encode(text).tokens.ids == ids
