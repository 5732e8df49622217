"""The parts of a logit: against slow loops, over random stacks, and in a model made by hand."""

from __future__ import annotations

import numpy as np
from helpers.random_specs import VOCAB, text_cases
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.engine.decode import Vocabulary
from attnviz.engine.forward import run
from attnviz.engine.spec import Unembed
from attnviz.measures.logits import Attribution, why_not


def length(case):
    return len(case.inputs.words) if case.inputs.ids is None else len(case.inputs.ids)


def head(spec, random, **how):
    """A linear head of drawn numbers."""
    project = random.standard_normal((spec.d_embed, spec.d_model)) if spec.d_embed != spec.d_model else None
    arrays = random.standard_normal((VOCAB, spec.d_embed)), random.standard_normal(VOCAB), project
    return Vocabulary(Unembed(**how), *(None if array is None else array.astype(np.float32) for array in arrays))


def split(spec, tensors, inputs, vocabulary, position, token, against=None, **how):
    found = Attribution(spec, tensors, position)
    output = run(spec, tensors, inputs, found.watching("self"), whole=True, **how)
    return found.parts(output, vocabulary, token, against), output


@settings(max_examples=200, deadline=None)
@given(text_cases(), st.data())
def test_the_parts_of_a_logit_sum_to_it_in_any_stack(case, data):
    spec, tensors = case.spec, case.tensors()
    vocabulary = head(spec, np.random.default_rng(3), scale=data.draw(st.sampled_from([1.0, 0.3])))
    if why_not(spec, vocabulary):
        return
    position = data.draw(st.integers(0, length(case) - 1))
    token, against = data.draw(st.integers(0, VOCAB - 1)), data.draw(st.none() | st.integers(0, VOCAB - 1))
    parts, output = split(spec, tensors, case.inputs, vocabulary, position, token, against)
    scores = vocabulary.scores(output[position]).astype(np.float64)
    logit = scores[token] - (0 if against is None else scores[against])
    largest = max(abs(value) for _, _, value in parts)
    assert abs(parts.total() - logit) <= 1e-4 * max(largest, 1e-3)
    assert abs(parts.logit - logit) <= 1e-4 * max(largest, 1e-3)
