"""The parts of a logit: against slow loops, over random stacks, and in a model made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.random_specs import VOCAB, text_cases
from hypothesis import given, settings
from hypothesis import strategies as st

from attnviz.engine.decode import Vocabulary
from attnviz.engine.forward import run
from attnviz.engine.inputs import Inputs
from attnviz.engine.spec import Spec, Unembed
from attnviz.measures.logits import Attribution, Lens, Vectors, likeliest, log_softmax, why_not


def length(case):
    return len(case.inputs.words) if case.inputs.ids is None else len(case.inputs.ids)


def head(spec, random, **how):
    """A linear head of drawn numbers."""
    project = random.standard_normal((spec.d_embed, spec.d_model)) if spec.d_embed != spec.d_model else None
    arrays = random.standard_normal((VOCAB, spec.d_embed)), random.standard_normal(VOCAB), project
    return Vocabulary(Unembed(**how), *(None if array is None else array.astype(np.float32) for array in arrays))


@st.composite
def sums(draw):
    """Random stacks whose residual stream is a sum; the residual from a norm more often than among all stacks."""
    case = draw(text_cases())
    own = {"convolution_after_first": 0}
    if case.spec.norm_after and not case.spec.parallel:
        own |= {"norm_after": False, "norm_before": True}
    if not case.spec.parallel and (own.get("norm_before") or case.spec.norm_before):
        own["residual_from_norm"] = draw(st.booleans())
    return replace(case, spec=replace(case.spec, **own))


def split(spec, tensors, inputs, vocabulary, position, token, against=None, **how):
    found = Attribution(spec, tensors, position)
    output = run(spec, tensors, inputs, found.watching("self"), whole=True, **how)
    return found.parts(output, vocabulary, token, against), output


@settings(max_examples=200, deadline=None)
@given(sums(), st.data())
def test_the_parts_of_a_logit_sum_to_it_in_any_stack(case, data):
    spec, tensors = case.spec, case.tensors()
    vocabulary = head(spec, np.random.default_rng(3), scale=data.draw(st.sampled_from([1.0, 0.3])))
    assert not why_not(spec, vocabulary)
    position = data.draw(st.integers(0, length(case) - 1))
    token, against = data.draw(st.integers(0, VOCAB - 1)), data.draw(st.none() | st.integers(0, VOCAB - 1))
    parts, output = split(spec, tensors, case.inputs, vocabulary, position, token, against)
    scores = vocabulary.scores(output[position]).astype(np.float64)
    logit = scores[token] - (0 if against is None else scores[against])
    largest = max(abs(value) for _, _, value in parts)
    assert abs(parts.total() - logit) <= 1e-4 * max(largest, 1e-3)
    assert abs(parts.logit - logit) <= 1e-4 * max(largest, 1e-3)


# Slow loops: each part is carried forward, through every norm that its way leads through, in Python's own floats.


class Seen(Vectors):
    """Every vector of a pass at one position."""

    def __init__(self, position):
        self.position, self.found = position, {}

    def see(self, layer, name, values):
        if not name.endswith((".weight", ".bias")) and name in ("input", "heads", "output", "mlp"):
            self.found.setdefault((layer, name), [float(value) for value in values[self.position]])


def through(spec, tensors, norm, name, part, whole, bias=False):
    """A part's share of the norm of `whole`, or with `bias` the norm's own constant."""
    d = len(whole)
    middle = 0.0 if norm.kind == "rms" else sum(whole) / d
    size = (sum((value - middle) ** 2 for value in whole) / d + norm.eps) ** 0.5
    own = 0.0 if norm.kind == "rms" else sum(part) / d
    weight = tensors.get(f"{name}.weight", (d,)) if norm.weight else [1.0] * d
    weight = [float(w) + (1.0 if norm.plus_one and norm.weight else 0.0) for w in weight]
    if bias:
        return [float(b) for b in tensors.get(f"{name}.bias", (d,))] if norm.bias else [0.0] * d
    return [w * (value - own) / size for w, value in zip(weight, part, strict=True)]


def add(*vectors):
    return [sum(values) for values in zip(*vectors, strict=True)]


def slow_parts(spec, tensors, seen, vector):
    """(layer, part) -> contribution, without the biases that belong to no part of a layer."""
    d = spec.d_model
    zero = [0.0] * d
    carried = {(None, "embedding"): seen[0, "input"]}
    stays = spec.residual_from_norm and spec.norm_before and not spec.parallel
    for i in range(spec.n_layers):
        name, x = spec.stored(i), seen[i, "input"]
        scale = tensors.get(f"{name}scale1", (d,)) if spec.layer_scale else [1.0] * d
        scale = [float(s) * spec.sublayer_scale for s in scale]
        if spec.output:
            weight = tensors.get(f"{name}o.weight", (d, spec.n_heads * spec.d_value))
            bias = [float(b) for b in tensors.get(f"{name}o.bias", (d,))] if spec.o_bias else zero
        else:
            weight, bias = np.eye(d), zero
        added, constant = {}, bias
        for head in range(spec.n_heads):
            columns = range(head * spec.d_value, (head + 1) * spec.d_value)
            added[i, head] = [sum(float(weight[r, c]) * seen[i, "heads"][c] for c in columns) for r in range(d)]
        if spec.norm_output:
            norm, whole = f"{name}norm1_out", seen[i, "output"]
            added = {at: through(spec, tensors, spec.norm, norm, part, whole) for at, part in added.items()}
            constant = through(spec, tensors, spec.norm, norm, constant, whole)
            constant = add(constant, through(spec, tensors, spec.norm, norm, zero, whole, bias=True))
        added = {at: [s * v for s, v in zip(scale, part, strict=True)] for at, part in added.items()}
        added[i, "bias"] = [s * v for s, v in zip(scale, constant, strict=True)]
        sublayers = [(f"{name}norm1" if i or spec.first_norm else "", added)]
        if spec.d_mlp:
            sublayers.append((f"{name}norm2", {(i, "mlp"): seen[i, "mlp"]}))
        for norm, new in sublayers:
            if stays and norm:
                carried = {at: through(spec, tensors, spec.norm, norm, part, x) for at, part in carried.items()}
                own = through(spec, tensors, spec.norm, norm, zero, x, bias=True)
                carried[i, "bias"] = add(carried.get((i, "bias"), zero), own)
                x = add(*carried.values())
            for at, part in new.items():
                carried[at] = add(carried.get(at, zero), part)
            x = add(x, *new.values())
    if spec.final_norm is not None:
        final = {at: through(spec, tensors, spec.final_norm, "final_norm", part, x) for at, part in carried.items()}
        carried = final
    return {at: sum(u * v for u, v in zip(vector, part, strict=True)) for at, part in carried.items()}


@settings(max_examples=60, deadline=None)
@given(sums(), st.data())
def test_the_parts_of_a_logit_are_those_of_slow_loops(case, data):
    spec, tensors = case.spec, case.tensors()
    vocabulary = head(spec, np.random.default_rng(4))
    assert not why_not(spec, vocabulary)
    position, token = data.draw(st.integers(0, length(case) - 1)), data.draw(st.integers(0, VOCAB - 1))
    seen = Seen(position)
    run(spec, tensors, case.inputs, {"self": [seen]}, whole=True)
    wanted = slow_parts(spec, tensors, seen.found, vocabulary.direction(token)[0].tolist())
    parts, _ = split(spec, tensors, case.inputs, vocabulary, position, token)
    found = {(layer, part): value for layer, part, value in parts if (layer, part) != (None, "bias")}
    largest = max(map(abs, wanted.values()))
    assert found.keys() == wanted.keys()
    for at, value in wanted.items():
        assert abs(found[at] - value) <= 1e-5 * max(largest, 1e-3), at


def test_random_stacks_have_every_kind_of_residual_stream():
    """Without them the two tests above would show little."""
    kinds = {"residual_from_norm", "norm_output", "layer_scale", "parallel", "o_bias", "final_norm"}
    seen: set[str] = set()

    @settings(max_examples=150, deadline=None, database=None, derandomize=True)
    @given(sums())
    def look(case):
        seen.update(kind for kind in kinds if getattr(case.spec, kind))

    look()
    assert seen == kinds


# A model made by hand


class Stored:
    """Tensors by name."""

    def __init__(self, **tensors):
        self.tensors = {name: np.asarray(values, np.float32) for name, values in tensors.items()}

    def get(self, name, shape):
        return self.tensors[name]

    def has(self, name):
        return name in self.tensors

    def rows(self, name, ids, shape):
        return self.tensors[name][np.asarray(ids)]


def test_one_head_writes_the_answer_and_another_takes_it_away():
    """Every embedding has 1 in its last place, which both heads read: one writes 2 u, the other -0.5 u."""
    d, answer = 8, 3
    table = np.eye(5, d)
    both = {f"layers.0.{part}.weight": np.zeros((8, d)) for part in "qk"}
    values = np.zeros((8, d))
    values[0, 7] = values[4, 7] = 1.0
    output = np.zeros((d, 8))
    output[:, 0], output[:, 4] = 2 * table[answer], -0.5 * table[answer]
    spec = Spec(
        n_layers=1, n_heads=2, d_model=d, d_mlp=0, vocab=5, causal=True,
        q_bias=False, k_bias=False, v_bias=False, o_bias=False,
    )  # fmt: skip
    embedding = np.concatenate([0.25 * np.eye(5, 7), np.ones((5, 1))], 1)
    tensors = Stored(
        **both, **{"layers.0.v.weight": values, "layers.0.o.weight": output, "embed.tokens": embedding}
    )  # fmt: skip
    vocabulary = Vocabulary(Unembed(), table.astype(np.float32), np.arange(5, dtype=np.float32))
    inputs = Inputs(np.array([0, 1, 3]))
    parts, _ = split(spec, tensors, inputs, vocabulary, 2, answer)
    np.testing.assert_allclose(parts.heads, [[2.0, -0.5]], atol=1e-6)
    assert (parts.embedding, parts.head_bias, parts.mlp) == (0.25, 3.0, None)
    assert parts.total() == pytest.approx(4.75) == parts.logit
    against, _ = split(spec, tensors, inputs, vocabulary, 2, answer, 1)
    np.testing.assert_allclose(against.heads, [[2.0, -0.5]], atol=1e-6)
    assert (against.embedding, against.head_bias) == (0.25, 2.0)


# The logit lens


def test_the_likeliest_in_order_and_the_first_of_equals():
    logprobs = log_softmax(np.array([[0, 2, 2, -1, 5], [1, 1, 1, 1, 1]], np.float32))
    np.testing.assert_allclose(np.exp(logprobs).sum(-1), 1)
    assert likeliest(logprobs, 3).tolist() == [[4, 1, 2], [0, 1, 2]]
    assert likeliest(logprobs, 9).tolist() == [[4, 1, 2, 0, 3], [0, 1, 2, 3, 4]]


@settings(max_examples=60, deadline=None)
@given(text_cases(), st.data())
def test_the_last_layer_of_the_lens_is_the_models_own_prediction(case, data):
    spec, tensors = case.spec, case.tensors()
    vocabulary = head(spec, np.random.default_rng(5), softcap=data.draw(st.sampled_from([0.0, 3.0])))
    positions = data.draw(st.lists(st.integers(0, length(case) - 1), min_size=1, max_size=3))
    lens = Lens(spec, tensors, vocabulary, positions, VOCAB)
    output = run(spec, tensors, case.inputs, {"self": [lens]}, whole=True)
    lens.finish(output)
    own = log_softmax(vocabulary.scores(output[positions]))
    np.testing.assert_array_equal(lens.logprobs[-1], np.take_along_axis(own, lens.ids[-1], -1))
    assert np.isfinite(lens.logprobs).all() and (np.diff(lens.logprobs, axis=-1) <= 0).all()


@settings(max_examples=40, deadline=None)
@given(text_cases())
def test_a_layer_of_the_lens_is_the_output_of_a_model_that_ends_there(case):
    spec, tensors = case.spec, case.tensors()
    if spec.convolution_after_first:
        return
    vocabulary, last = head(spec, np.random.default_rng(6)), length(case) - 1
    lens = Lens(spec, tensors, vocabulary, [last], 4)
    lens.finish(run(spec, tensors, case.inputs, {"self": [lens]}, whole=True))
    for layers in range(1, spec.n_layers):
        cut = {
            name: getattr(spec, name)[:layers] for name in ("rotary", "reach", "layer_source") if getattr(spec, name)
        }
        shorter = replace(spec, n_layers=layers, **cut)
        own = log_softmax(vocabulary.scores(run(shorter, tensors, case.inputs, {}, whole=True)[[last]]))
        np.testing.assert_allclose(lens.logprobs[layers, 0], own[0, lens.ids[layers, 0]], rtol=0, atol=1e-5)
