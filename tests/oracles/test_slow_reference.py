"""The slow reference itself against the numbers that the reference implementation gives for published architectures."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from helpers.paths import REFERENCE
from oracles.slow_embedding import StackInput
from oracles.slow_reference import Slow

import attnviz
from attnviz.engine.spec import EncoderDecoder, Towers
from attnviz.engine.tensors import Scoped

# The reference's own difference between float32 and float64, which bounds the accuracy of the comparison.
OWN = json.loads((REFERENCE / "float64.json").read_text())
CASES = sorted(p.name for p in REFERENCE.iterdir() if p.is_dir())


def given(stored: Any, ids: str = "input_ids") -> StackInput:
    """The input of a stack in this case."""
    inputs = StackInput(ids=stored[ids].tolist() if ids in stored else ())
    if "token_type_ids" in stored and ids == "input_ids":
        inputs.types = stored["token_type_ids"].tolist()
    if "pixel_values" in stored:
        inputs.pixels = stored["pixel_values"].tolist()
    for name in ("input_values", "input_features"):
        if name in stored:
            inputs.sound = np.atleast_2d(stored[name]).tolist()
    return inputs


@pytest.mark.parametrize("case", CASES)
def test_agrees_with_the_reference(case: str) -> None:
    """This excludes a misunderstanding of these architectures that the engine and the slow reference share."""
    model, stored = attnviz.load(REFERENCE / case), np.load(REFERENCE / case / "expected.npz")
    spec, tensors = model.spec, model.tensors
    if isinstance(spec, EncoderDecoder):
        first = Slow(spec.encoder, Scoped(tensors, "encoder."), given(stored)).run()
        decoder = Scoped(tensors, "decoder.")
        second = Slow(spec.decoder, decoder, given(stored, "decoder_input_ids"), first.output).run()
        streams = {"encoder": first.weights, "decoder": second.weights, "cross": second.cross}
    else:
        if isinstance(spec, Towers):
            which = "image" if "pixel_values" in stored else "text"
            spec, tensors = getattr(spec, which), Scoped(tensors, f"{which}.")
        single = "own" if "own" in stored else "self"  # per head, where the reference returns the mean
        streams = {single: Slow(spec, tensors, given(stored)).run().weights}
    tolerance = max(1e-5, 4 * OWN.get(case, 0.0))
    for stream, weights in streams.items():
        np.testing.assert_allclose(weights, stored[stream], rtol=0, atol=tolerance, err_msg=stream)
