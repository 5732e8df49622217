"""Mechanisms inside a model: what `attend` gives, against formulas in slow loops and against the slow reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.mechanism_cases import CASES
from oracles import mechanism_formulas as slow
from oracles.slow_embedding import StackInput as Read
from oracles.slow_formulas import normal
from oracles.slow_reference import Slow

import attnviz
from attnviz.checkpoints.seeded import SeededWeights
from attnviz.engine.collectors import Dense
from attnviz.engine.spec import Norm
from attnviz.variants import MECHANISMS, parse
from attnviz.variants.applied import KINDS, kind
from attnviz.variants.base import VariantInput

TEXT = "the cat that sat on the mat saw the other cat sit on a hat"
WORDS = tuple(TEXT.split())


class Seen(Dense):
    """Keeps also q and k of a layer."""

    needs = frozenset({"q", "k"})

    def take(self, tile):
        super().take(tile)
        self.q, self.k = tile.q.copy(), tile.k.copy()


@pytest.mark.parametrize(("asked", "causal"), CASES)
def test_the_model_has_its_own_queries_and_keys(asked, causal) -> None:
    """`attend` returns the mechanism applied to the model's q and k, which are the same as without it."""
    plain = attnviz.load("seeded", seed=4, causal=causal)
    model = plain.with_mechanism(asked)
    n = len(WORDS)
    before, seen = (Seen([0], range(4), range(n), range(n)) for _ in range(2))
    plain.observe(plain.prepare(TEXT), [before])
    model.observe(model.prepare(TEXT), [seen])
    np.testing.assert_array_equal(seen.q, before.q)
    drawn = SeededWeights(4, plain.spec).normal
    want, allowed = kind(parse(asked), drawn).weights(VariantInput(0, before.q, before.k, 0.25, causal))
    found = model.attend(TEXT)
    np.testing.assert_allclose(found.weights[0], want, atol=1e-6)
    union = np.ones((n, n), bool) if allowed is None else allowed if allowed.ndim == 2 else allowed.any(0)
    np.testing.assert_array_equal(found.mask[0], union)


def first_layer(model, places):
    """Queries and keys [head][token] of the first layer, from the words' vectors and what stands for places."""
    weights = model.tensors
    x = [[float(a) for a in weights.normal(f"embed.tokens/{word}", (64,))] for word in WORDS]
    x = [[a + b for a, b in zip(row, place, strict=True)] for row, place in zip(x, places, strict=True)]
    read = [normal(Norm(), row, [1.0] * 64, [0.0] * 64) for row in x]
    both = []
    for which in "qk":
        matrix = weights.get(f"layers.0.{which}.weight", (64, 64)).astype(np.float64)
        rows = np.array(read) @ matrix.T
        both.append([rows[:, 16 * h : 16 * (h + 1)].tolist() for h in range(4)])
    return both


def soft(scores, sees=lambda i, j: True):
    n = len(scores)
    return [slow.over({j: scores[i][j] for j in range(n) if sees(i, j)}, n) for i in range(n)]


NOWHERE = [[0.0] * 64 for _ in WORDS]


def rotary(model, q, k, h):
    return soft(slow.rotary(q, k, 0.25))


def alibi(model, q, k, h):
    """Four heads: slopes 1/4, 1/16, 1/64, 1/256."""
    slope = 4.0 ** -(h + 1)
    scores = [[0.25 * slow.dot(x, y) - slope * (i - j) for j, y in enumerate(k)] for i, x in enumerate(q)]
    return soft(scores, lambda i, j: j <= i)


def t5(model, q, k, h):
    table = model.tensors.get("bias.table", (32, 4))
    return soft(
        [
            [0.25 * slow.dot(x, y) + float(table[slow.bucket(j - i)][h]) for j, y in enumerate(k)]
            for i, x in enumerate(q)
        ]
    )


def transformer_xl(model, q, k, h):
    """Dai 2019, section 3.3: (q + u) . k + (q + v) . W r(i - j); r has its sines first."""
    get, at = model.tensors.get, slice(16 * h, 16 * (h + 1))
    u, v = (get(f"layers.0.{name}_bias", (4, 16))[h].astype(np.float64) for name in ("content", "position"))
    w = get("layers.0.r.weight", (64, 64))[at].astype(np.float64)
    rates = [10000 ** (-t / 32) for t in range(32)]

    def r(distance):
        return w @ [f(distance * rate) for f in (math.sin, math.cos) for rate in rates]

    return soft(
        [
            [0.25 * (slow.dot(q[i] + u, k[j]) + slow.dot(q[i] + v, r(i - j))) for j in range(len(k))]
            for i in range(len(q))
        ]
    )


def sinusoid(i):
    """Vaswani 2017, section 3.5."""
    pairs = [i / 10000 ** (2 * t / 64) for t in range(32)]
    return [f(angle) for angle in pairs for f in (math.sin, math.cos)]


PLACED = [sinusoid(i) for i in range(len(WORDS))]


def plainly(scale=0.25, sees=lambda i, j: True):
    return lambda model, q, k, h: slow.attention(q, k, slow.scaled(q, k, scale), sees)


def learned_places(model):
    return [model.tensors.normal(f"embed.positions/{i}", (64,)).tolist() for i in range(len(WORDS))]


# mechanism: (what stands for places, how a head's rows come of q and k)
FIELDS = {
    "scaled-dot": (PLACED, plainly()),
    "dot": (PLACED, plainly(1.0)),
    "full": (PLACED, plainly()),
    "causal": (PLACED, plainly(sees=lambda i, j: j <= i)),
    "local-m": (PLACED, plainly(sees=lambda i, j: abs(i - j) <= 2)),
    "window:3": (PLACED, plainly(sees=lambda i, j: abs(i - j) <= 3)),
    "no-positions": (NOWHERE, plainly()),
    "sinusoidal": (PLACED, plainly()),
    "learned": (learned_places, plainly()),
    "rotary": (NOWHERE, rotary),
    "alibi": (NOWHERE, alibi),
    "t5": (NOWHERE, t5),
    "transformer-xl": (NOWHERE, transformer_xl),
}


def test_every_field_is_held_against_its_formula() -> None:
    named = {name.split(":")[0] for name in FIELDS}
    assert named | set(KINDS) | {"global", "cross", "patches"} == set(MECHANISMS)  # those three: below


@pytest.mark.parametrize("asked", FIELDS)
def test_the_engine_has_the_papers_formula(asked) -> None:
    places, rows = FIELDS[asked]
    model = attnviz.load("seeded", seed=2, mechanism=asked)
    q, k = first_layer(model, places(model) if callable(places) else places)
    found = model.attend(TEXT, layers=0).weights[0]
    for h in range(4):
        want = rows(model, np.array(q[h]), np.array(k[h]), h)
        np.testing.assert_allclose(found[h], want, atol=2e-5)
        assert np.max(want) > 0.5


@pytest.mark.parametrize("asked", [name for name in FIELDS if name != "full"] + ["global:2,tokens=2"])
def test_the_whole_stack_is_the_slow_references(asked) -> None:
    """Layer 1 as well, and through the mechanism's outputs."""
    model = attnviz.load("seeded", n_heads=2, d_model=12, causal=True, mechanism=asked)
    words = WORDS[:9]
    read = Read(words=words, ids=range(9), global_tokens=(0, 1) if asked.startswith("global") else ())
    want = Slow(model.spec, model.tensors, read).run().weights
    np.testing.assert_allclose(model.attend(" ".join(words)).weights, want, atol=2e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_cross_attention_is_the_slow_references(causal) -> None:
    """The pair goes through the layers, then the text, which sees itself and the pair."""
    model = attnviz.load("seeded", n_heads=2, d_model=12, causal=causal, mechanism="cross")
    memory = Slow(model.spec, model.tensors, Read(words=WORDS[:4])).run().output
    spec = model.stack("cross")
    assert spec.cross and not model.spec.cross
    want = Slow(spec, model.tensors, Read(words=WORDS[5:11]), memory).run().cross
    found = model.attend(" ".join(WORDS[5:11]), " ".join(WORDS[:4]))
    np.testing.assert_allclose(found.weights, want, atol=2e-5)
    assert found.query_tokens == WORDS[5:11] and found.key_tokens == WORDS[:4]
    assert np.max(want) > 0.6
    np.testing.assert_array_equal(
        attnviz.load("seeded", n_heads=2, d_model=12, causal=causal)
        .attend(" ".join(WORDS[5:11]), " ".join(WORDS[:4]), stream="cross")
        .weights,
        found.weights,
    )


def test_patches_are_the_slow_references() -> None:
    """A picture of 2 x 3 squares, seven tokens."""
    model = attnviz.load("seeded", n_layers=1, n_heads=2, d_model=12)
    pixels = np.random.default_rng(0).uniform(-1, 1, (3, 35, 50)).astype(np.float32)
    want = Slow(model.pictures, model.tensors, Read(pixels=pixels.tolist())).run().weights
    found = model.attend(pixel_values=pixels)
    np.testing.assert_allclose(found.weights, want, atol=2e-5)
    assert found.grid == (2, 3)
    assert found.query_tokens == ("[class]", "0,0", "0,1", "0,2", "1,0", "1,1", "1,2")
