"""A model that reads one input again: every edit is what the changed model computes from the beginning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.paths import REFERENCE
from helpers.random_specs import text_cases
from helpers.without_heads import WithoutColumns, of_case
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.slow_reference import Slow

import attnviz
from attnviz.engine.edits import LinksCut
from attnviz.engine.forward import run
from attnviz.measures.ablation import turned
from attnviz.models import edited
from attnviz.models.edited import EditedModel, Rereading


def outputs(model, groups, mean=False, **more):
    """The output of each group, in their order."""
    found = {
        i: output for some, each in model.without(groups, mean, **more) for i, output in zip(some, each, strict=True)
    }
    return np.stack([found[i] for i in range(len(groups))])


@settings(max_examples=40, deadline=None)
@given(text_cases())
def test_removing_nothing_changes_nothing(case):
    model = EditedModel(of_case(case))
    same = outputs(model, [[], []])
    np.testing.assert_array_equal(same, np.stack([model.whole] * 2))
    assert (turned(np.stack([model.whole] * 2), same) == 0).all()


@settings(max_examples=25, deadline=None)
@given(text_cases(), st.data())
def test_the_effect_is_that_of_slow_loops(case, data):
    spec = case.spec
    if not spec.output:
        return
    names = [spec.stored(i) for i in range(spec.n_layers)]
    layer, head = data.draw(st.integers(0, spec.n_layers - 1)), data.draw(st.integers(0, spec.n_heads - 1))
    places = [(i, head) for i, name in enumerate(names) if name == names[layer]]  # layers may share tensors
    model = EditedModel(of_case(case))
    whole, without = (
        Slow(spec, tensors, case.stack_input).run()
        for tensors in (case.tensors(), WithoutColumns(case.tensors(), spec, places))
    )
    if min(whole.nearest_tie, without.nearest_tie) < 1e-4:
        return  # rounding decides which expert is chosen
    wanted = turned(whole.output, without.output)
    got = turned(model.whole, outputs(model, [places])[0])
    assert got == pytest.approx(float(wanted), abs=2e-5)


@settings(max_examples=40, deadline=None)
@given(text_cases(), st.booleans(), st.integers(1, 400))
def test_heads_together_in_a_pass_are_what_each_is_alone(case, mean, most):
    """However the groups are ordered, and however few entries of layers are kept."""
    reading = of_case(case)
    groups = [[(i, j)] for j in range(case.spec.n_heads) for i in reversed(range(case.spec.n_layers))] + [[]]
    many = outputs(EditedModel(reading), groups, mean)
    few = EditedModel(reading)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(edited, "MOST_ENTRIES", most)
        np.testing.assert_array_equal(outputs(few, groups, mean), many)
    for group, output in zip(groups, many, strict=True):
        np.testing.assert_array_equal(outputs(EditedModel(reading), [group], mean)[0], output)


def test_all_heads_of_a_layer_together_are_a_layer_without_attention():
    model = attnviz.load("seeded", n_layers=3, n_heads=4, causal=True)
    reading = Rereading.of(model, {"text": "the cat saw the dog and the cat"})
    (without,) = outputs(EditedModel(reading), [[(1, head) for head in range(4)]])

    class Zeroed(WithoutColumns):
        def get(self, name, shape):
            values = self.tensors.get(name, shape)
            return np.zeros_like(values) if name in ("layers.1.v.weight", "layers.1.v.bias") else values

    changed = replace(model, tensors=Zeroed(model.tensors, model.spec, []))
    wanted = EditedModel(Rereading.of(changed, {"text": "the cat saw the dog and the cat"})).whole
    np.testing.assert_allclose(without, wanted, rtol=0, atol=1e-6)
    assert np.abs(without - EditedModel(reading).whole).max() > 0.1


def test_a_head_that_is_the_same_everywhere_has_no_effect_by_its_mean():
    """Without queries a head that sees all tokens gives their mean at every position."""
    model = attnviz.load("seeded", n_layers=2, n_heads=4)

    class Even(WithoutColumns):
        def get(self, name, shape):
            values = np.array(self.tensors.get(name, shape))
            if name.startswith("layers.0.q."):
                values[: self.spec.d_head] = 0
            return values

    reading = Rereading.of(replace(model, tensors=Even(model.tensors, model.spec, [])), {"text": "a b c d e f"})
    whole, heads = EditedModel(reading), [[(0, 0)], [(0, 1)]]
    by_mean, by_zero = (turned(np.stack([whole.whole] * 2), outputs(whole, heads, mean)) for mean in (True, False))
    assert by_mean[0] < 1e-12
    assert by_zero[0] > 1e-3 and by_mean[1] > 1e-3


def test_a_link_that_is_cut_is_the_pass_with_that_cut():
    model = attnviz.load("seeded", n_layers=3, n_heads=2, causal=True)
    reading = Rereading.of(model, {"text": "a b c d e"})
    source = reading.model_input.inputs["self"]
    groups = [[(2, 1)], [(0, 0)], [(0, 1), (2, 0)]]
    for some, each in EditedModel(reading).cut(groups, 4, 1):
        ((i,), (output,)) = some, each
        heads = {layer: frozenset(h for at, h in groups[i] if at == layer) for layer, _ in groups[i]}
        edit = LinksCut(frozenset([4]), frozenset([1]), heads=heads)
        np.testing.assert_array_equal(output, run(model.spec, model.tensors, source, {}, whole=True, edit=edit))


@pytest.mark.parametrize("case", ["t5", "bart", "whisper"])
@pytest.mark.parametrize("stream", ["encoder", "decoder", "cross"])
def test_each_stream_of_an_encoder_decoder(case, stream):
    """The output is the decoder's; an edit in the encoder changes what the decoder reads."""
    expected = np.load(REFERENCE / case / "expected.npz")
    inputs = {"target_ids": expected["decoder_input_ids"].tolist()}
    inputs |= (
        {"input_features": expected["input_features"]} if case == "whisper" else {"ids": expected["input_ids"].tolist()}
    )
    model = attnviz.load(REFERENCE / case)
    reading = Rereading.of(model, inputs, stream=stream)
    assert reading.source.stream == stream
    stacks = model.spec.stacks
    stack, prefix = (
        (stacks["encoder"].spec, "encoder.") if stream == "encoder" else (stacks["decoder"].spec, "decoder.")
    )
    for place in ((0, 1), (stack.n_layers - 1, 0)):
        o = "cross_o" if stream == "cross" else "o"
        changed = replace(model, tensors=WithoutColumns(model.tensors, stack, [place], prefix, o))
        wanted = EditedModel(Rereading.of(changed, inputs, stream=stream)).whole
        (got,) = outputs(EditedModel(reading), [[place]])
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5)
        assert np.abs(got - EditedModel(reading).whole).max() > 1e-4


def test_progress_sums_to_one():
    reading = Rereading.of(attnviz.load("seeded", n_layers=3, n_heads=2), {"text": "a b c"})
    shares: list[float] = []
    outputs(EditedModel(reading), [[(i, j)] for i in range(3) for j in range(2)], progress=shares.append)
    assert sum(shares) == pytest.approx(1)
