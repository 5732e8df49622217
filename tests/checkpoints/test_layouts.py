"""Layouts against loops: every stored number is traced to its head, part and row."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.checkpoints import layouts


def sizes(n_heads=4, n_kv_heads=2, d_head=3, d_model=5):
    return SimpleNamespace(n_heads=n_heads, n_kv_heads=n_kv_heads, d_head=d_head, d_model=d_model)


def parts(size, seed=0):
    """Separate q, k and v, [head, d_head, d_model], all numbers different."""
    q, k = size.n_heads * size.d_head * size.d_model, size.n_kv_heads * size.d_head * size.d_model
    numbers = np.random.RandomState(seed).permutation(q + 2 * k).astype(np.float32)
    return (
        numbers[:q].reshape(size.n_heads, size.d_head, size.d_model),
        numbers[q : q + k].reshape(size.n_kv_heads, size.d_head, size.d_model),
        numbers[q + k :].reshape(size.n_kv_heads, size.d_head, size.d_model),
    )


def stacked(q, k, v):
    return np.concatenate([*q, *k, *v])


def by_head(q, k, v):
    return np.concatenate([part for head in zip(q, k, v, strict=True) for part in head])


def grouped(q, k, v):
    group = len(q) // len(k)
    rows = []
    for g in range(len(k)):
        rows += [*q[g * group : (g + 1) * group], k[g], v[g]]
    return np.concatenate(rows)


FUSED = [("", stacked, None), ("_by_head", by_head, 1), ("_grouped", grouped, None)]


@pytest.mark.parametrize(("suffix", "fuse", "group"), FUSED, ids=["stacked", "by_head", "grouped"])
@given(n_kv_heads=st.integers(1, 4), many=st.integers(1, 4), d_head=st.integers(1, 5))
def test_fused_projections_come_apart(suffix, fuse, group, n_kv_heads, many, d_head):
    size = sizes(n_kv_heads * (group or many), n_kv_heads, d_head)
    q, k, v = parts(size)
    whole, bias = fuse(q, k, v), fuse(q[:, :, 0], k[:, :, 0], v[:, :, 0])
    for letter, part in zip("qkv", (q, k, v), strict=True):
        layout = getattr(layouts, f"{letter}_of_qkv{suffix}")
        assert np.array_equal(layout(whole, size, i=0), part.reshape(-1, size.d_model))
        assert np.array_equal(layout(bias, size, i=0), part[:, :, 0].reshape(-1))


def test_parts_of_a_stack_are_views():
    size = sizes()
    whole = stacked(*parts(size))
    for layout in (layouts.q_of_qkv, layouts.k_of_qkv, layouts.v_of_qkv):
        assert np.shares_memory(layout(whole, size), whole)
    assert np.shares_memory(layouts.q_of_qkv(layouts.transpose(whole.T, size), size), whole)


def test_gated_halves():
    whole = np.arange(24.0).reshape(8, 3)
    assert np.array_equal(layouts.gate_of_gate_up(whole, sizes()), whole[:4])
    assert np.array_equal(layouts.up_of_gate_up(whole, sizes()), whole[4:])
    assert np.array_equal(layouts.gate_of_gate_up_interleaved(whole, sizes()), whole[[0, 2, 4, 6]])
    assert np.array_equal(layouts.up_of_gate_up_interleaved(whole, sizes()), whole[[1, 3, 5, 7]])


def test_shapes():
    cube = np.arange(60).reshape(5, 4, 3)  # [d_model, n_heads, d_head]
    flat = layouts.flatten_heads(cube, sizes())
    assert flat.shape == (12, 5) and all(flat[h * 3 + d, m] == cube[m, h, d] for h, d, m in np.ndindex(4, 3, 5))
    assert np.array_equal(layouts.flatten_tail(cube, sizes()), cube.reshape(5, 12))
    assert layouts.flatten(cube[0], sizes()).tolist() == list(range(12))
    assert np.array_equal(layouts.squeeze(cube[None], sizes()), cube) and layouts.squeeze(cube, sizes()) is cube
    assert layouts.squeeze(np.ones((1, 1, 7)), sizes()).shape == (1, 7)
    assert np.array_equal(layouts.expert(cube, sizes(), i=9, e=3), cube[3])


@given(heads=st.integers(1, 4), half=st.integers(1, 4), bias=st.booleans())
def test_rotary_order(heads, half, bias):
    """Row (pair j, member m) of a head is at 2j + m in the file and at j + m * half in our layout."""
    size = sizes(d_head=2 * half)
    ours = np.arange(heads * 2 * half * 3).reshape(heads * 2 * half, 3)
    ours = ours[:, 0] if bias else ours
    theirs = np.empty_like(ours)
    for h, j, m in np.ndindex(heads, half, 2):
        theirs[h * 2 * half + 2 * j + m] = ours[h * 2 * half + j + m * half]
    assert np.array_equal(layouts.unpermute_rope(theirs, size), ours)
    assert np.array_equal(layouts.permute_rope(ours, size), theirs)


@pytest.mark.parametrize(
    ("layout", "shape", "message"),
    [
        ("q_of_qkv", (23, 5), "24 rows are wanted, its shape is (23, 5)"),
        ("v_of_qkv_by_head", (24, 5), "36 rows are wanted, its shape is (24, 5)"),
        ("k_of_qkv_grouped", (25, 5), "24 rows are wanted, its shape is (25, 5)"),
        ("gate_of_gate_up", (7, 5), "an even number of rows is wanted, its shape is (7, 5)"),
        ("up_of_gate_up_interleaved", (7,), "an even number of rows is wanted, its shape is (7,)"),
        ("transpose", (4,), "2 axes are wanted, it has 1"),
        ("flatten_heads", (4,), "2 or more axes are wanted, it has 1"),
        ("expert", (3, 4), "expert 5 is wanted, it has 3"),
        ("unpermute_rope", (7, 4), "a multiple of 3 rows is wanted, its shape is (7, 4)"),
        ("q_of_qkv", (), "24 rows are wanted, its shape is ()"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(layout, shape, message):
    with pytest.raises(ValueError) as caught:
        getattr(layouts, layout)(np.zeros(shape), sizes(), i=0, e=5)
    assert str(caught.value) == message


def test_experts_one_under_the_other():
    size = SimpleNamespace(n_experts=3)
    each = np.arange(24.0).reshape(3, 4, 2)
    for e in range(3):
        np.testing.assert_array_equal(layouts.expert_rows(each.reshape(12, 2), size, e=e), each[e])
    with pytest.raises(ValueError, match="rows of 3 experts are wanted, it has 11"):
        layouts.expert_rows(each.reshape(12, 2)[:11], size, e=0)
