"""Attention of tiny checkpoints against the numbers that the reference implementation gives for them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.paths import REFERENCE

import attnviz

CASES = sorted(p.name for p in REFERENCE.iterdir() if p.is_dir())
# The reference's own difference between float32 and float64, per case.
OWN = json.loads((REFERENCE / "float64.json").read_text())
INPUTS = {"input_ids": "ids", "token_type_ids": "token_types", "decoder_input_ids": "target_ids"}
ARRAYS = ("pixel_values", "input_values", "input_features")
STREAMS = ("self", "encoder", "decoder", "cross")


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_reference(case: str) -> None:
    expected = np.load(REFERENCE / case / "expected.npz")
    inputs = {ours: expected[theirs].tolist() for theirs, ours in INPUTS.items() if theirs in expected}
    inputs |= {name: expected[name] for name in ARRAYS if name in expected}
    model = attnviz.load(REFERENCE / case)
    tolerance = max(1e-5, 4 * OWN.get(case, 0.0))  # some mixtures of experts cannot be run in float64
    streams = [stream for stream in STREAMS if stream in expected]
    assert streams
    for stream in streams:
        got = model.attend(**inputs, stream=stream).weights
        assert got.shape == expected[stream].shape
        np.testing.assert_allclose(got, expected[stream], rtol=0, atol=tolerance, err_msg=f"{case} {stream}")


def test_each_head_where_the_reference_gives_the_mean_over_heads() -> None:
    """`self` is what the reference returns, `own` the weights of single heads before it averages them."""
    expected = np.load(REFERENCE / "wavlm" / "expected.npz")
    model = attnviz.load(REFERENCE / "wavlm")
    inputs = {"input_values": expected["input_values"]}
    got = model.attend(**inputs, own_heads=True)
    np.testing.assert_allclose(got.weights, expected["own"], rtol=0, atol=1e-5)
    assert not got.meta.get("notes")
    assert "the mean over all heads" in model.attend(**inputs).meta["notes"][0]
    some = model.attend(**inputs, layers=1, heads=[2, 0]).weights
    np.testing.assert_allclose(some, expected["self"][1:, [2, 0]], rtol=0, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_the_cases_are_peaked(case: str) -> None:
    """Weights of small variance would make attention uniform, and then no test above could fail."""
    expected = np.load(REFERENCE / case / "expected.npz")
    for stream in STREAMS:
        if stream in expected:
            assert expected[stream].max(-1).mean() > 2 / expected[stream].shape[-1]
