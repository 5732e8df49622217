"""Edits of a pass: heads removed, links cut, and passes that begin at a layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.random_specs import sparse_cases, text_cases
from helpers.without_heads import WithoutColumns
from hypothesis import given, settings
from hypothesis import strategies as st

import attnviz
from attnviz.engine.collectors import Dense
from attnviz.engine.edits import Edit, HeadsRemoved, LinksCut
from attnviz.engine.forward import run
from attnviz.engine.observer import Collector
from attnviz.engine.texts import together
from attnviz.errors import InputError


class Entries(Collector):
    """Keeps the residual stream as it enters each layer."""

    needs = frozenset({"vectors"})

    def __init__(self):
        self.entries = {}

    def take(self, tile):
        pass

    def see(self, layer, name, values):
        if name == "input" and layer >= 0:
            self.entries.setdefault(layer, values.copy())


def length(case):
    return len(case.inputs.words) if case.inputs.ids is None else len(case.inputs.ids)


def dense(spec, n):
    return Dense(range(spec.n_layers), range(spec.n_heads), range(n), range(n))


@settings(max_examples=80, deadline=None)
@given(text_cases(), st.data())
def test_a_head_that_is_removed_is_one_that_w_o_does_not_read(case, data):
    spec = case.spec
    if not spec.output:
        return
    names = [spec.stored(i) for i in range(spec.n_layers)]
    place = data.draw(st.tuples(st.integers(0, spec.n_layers - 1), st.integers(0, spec.n_heads - 1)))
    places = [(i, place[1]) for i, name in enumerate(names) if name == names[place[0]]]  # layers may share tensors
    wanted = run(spec, WithoutColumns(case.tensors(), spec, places), case.inputs, {}, whole=True)
    edited = run(spec, case.tensors(), case.inputs, {}, whole=True, edit=HeadsRemoved([places]))
    np.testing.assert_allclose(edited, wanted, rtol=0, atol=2e-5 * max(1.0, float(np.abs(wanted).max())))


@settings(max_examples=60, deadline=None)
@given(text_cases())
def test_a_pass_that_begins_at_a_layer_ends_as_the_whole_one(case):
    spec, entries = case.spec, Entries()
    whole = run(spec, case.tensors(), case.inputs, {"self": [entries]}, whole=True)
    start = 1 if spec.convolution_after_first else 0
    for layer in range(start, spec.n_layers):
        part = run(spec, case.tensors(), case.inputs, {}, whole=True, begin=(layer, entries.entries[layer]))
        np.testing.assert_array_equal(part, whole)


@settings(max_examples=60, deadline=None)
@given(text_cases(), st.data())
def test_texts_with_edits_of_their_own_are_what_each_is_alone(case, data):
    spec, entries = case.spec, Entries()
    if not together(spec):
        return
    run(spec, case.tensors(), case.inputs, {"self": [entries]}, whole=True)
    layer = data.draw(st.integers(0, spec.n_layers - 1))
    mean, each = data.draw(st.booleans()), [[(layer, head)] for head in range(spec.n_heads)] + [[]]
    x = np.stack([entries.entries[layer]] * len(each))
    many = run(spec, case.tensors(), case.inputs, {}, whole=True, begin=(layer, x), edit=HeadsRemoved(each, mean=mean))
    for places, text in zip(each, many, strict=True):
        alone = run(spec, case.tensors(), case.inputs, {}, whole=True, edit=HeadsRemoved([places], mean=mean))
        np.testing.assert_array_equal(text, alone)


@settings(max_examples=60, deadline=None)
@given(text_cases())
def test_cutting_every_later_key_makes_a_model_causal(case):
    spec, n = replace(case.spec, causal=False), length(case)

    class Later(Edit):
        cuts = True

        def cut(self, stream, layer, heads, rows, cols):
            return (np.array(cols) > np.array(rows)[:, None])[None]

    causal, cut = dense(spec, n), dense(spec, n)
    wanted = run(replace(spec, causal=True), case.tensors(), case.inputs, {"self": [causal]}, whole=True)
    edited = run(spec, case.tensors(), case.inputs, {"self": [cut]}, whole=True, edit=Later())
    np.testing.assert_allclose(cut.result(), causal.result(), rtol=0, atol=3e-6)
    np.testing.assert_allclose(edited, wanted, rtol=0, atol=2e-5 * max(1.0, float(np.abs(wanted).max())))
    np.testing.assert_array_equal(cut.mask, causal.mask)


@settings(max_examples=60, deadline=None)
@given(text_cases() | sparse_cases(), st.data())
def test_other_keys_share_the_weight_of_a_link_that_is_cut(case, data):
    spec, n = case.spec, length(case)
    query, key = (data.draw(st.integers(0, n - 1)) for _ in range(2))
    head = data.draw(st.integers(0, spec.n_heads - 1))
    before, after = dense(spec, n), dense(spec, n)
    run(spec, case.tensors(), case.inputs, {"self": [before]}, whole=True)
    edit = LinksCut(frozenset([query]), frozenset([key]), heads={0: frozenset([head])})
    run(spec, case.tensors(), case.inputs, {"self": [after]}, whole=True, edit=edit)
    wanted = before.result()[0].astype(np.float64)
    left = 1 - wanted[head, query, key]  # for the other keys, and for a sink where there is one
    if left > 1e-3:  # else rounding decides what is left
        wanted[head, query, key] = 0
        wanted[head, query] /= left
        np.testing.assert_allclose(after.result()[0], wanted, rtol=0, atol=2e-4)
    assert after.result()[0, head, query, key] == 0


def test_a_row_whose_links_are_all_cut_attends_to_nothing():
    model = attnviz.load("seeded", n_layers=2, n_heads=2, causal=True)
    text = model.prepare("a b c d").inputs[model.alone]
    maps = dense(model.spec, 4)
    edit = LinksCut(frozenset([2]), frozenset(range(4)), heads={1: frozenset([0])})
    run(model.spec, model.tensors, text, {"self": [maps]}, whole=True, edit=edit)
    assert (maps.result()[1, 0, 2] == 0).all()
    np.testing.assert_allclose(maps.result()[1, 1, 2].sum(), 1, atol=1e-6)


def test_an_edit_of_another_stream_changes_nothing():
    model = attnviz.load("seeded", n_layers=2, n_heads=2)
    text = model.prepare("a b c d").inputs[model.alone]
    whole = run(model.spec, model.tensors, text, {}, whole=True)
    for edit in (Edit(), HeadsRemoved([[(0, 1)]], "cross"), LinksCut(frozenset([1]), frozenset([2]), "cross")):
        np.testing.assert_array_equal(run(model.spec, model.tensors, text, {}, whole=True, edit=edit), whole)


def test_links_of_long_texts_are_cut_in_every_tile():
    model, n = attnviz.load("seeded", n_layers=2, n_heads=2, causal=True), 900
    text = model.prepare(" ".join(f"w{i}" for i in range(n))).inputs[model.alone]
    maps = dense(model.spec, n)
    rows, keys = frozenset(range(600, n)), frozenset(range(100, 160))
    run(model.spec, model.tensors, text, {"self": [maps]}, edit=LinksCut(rows, keys))
    weights = maps.result()
    assert (weights[:, :, 600:, 100:160] == 0).all() and (weights[:, :, 160:600, 100:160] > 0).any()
    np.testing.assert_allclose(weights.sum(-1), 1, atol=2e-6)


def test_a_mechanism_without_scores_refuses_cut_links():
    model = attnviz.load("seeded", n_layers=1, n_heads=2).with_mechanism("additive")
    text = model.prepare("a b c").inputs[model.alone]
    with pytest.raises(InputError, match="no scores before a softmax to cut links in"):
        run(model.spec, model.tensors, text, {}, whole=True, edit=LinksCut(frozenset([0]), frozenset([1])))
