"""Every mechanism against its paper's formula in slow loops (mechanism_formulas.py), on queries and keys drawn wide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers.mechanism_cases import ASKED, CASES, HEADS, LAYER, SCALE, D, N, draw, given, values
from oracles import mechanism_formulas as slow

from attnviz.variants import MECHANISMS, parse
from attnviz.variants.applied import KINDS, kind
from attnviz.variants.sparse import BigBird


def own(name, head, *shape):
    """A matrix or vector of one head, as it is drawn."""
    return draw(f"layers.{LAYER}.{name.format(head)}", shape).astype(np.float64)


def bigbird(asked, g, h, q, k):
    size, count = asked["block"], -(-N // asked["block"])
    seen = BigBird(size, asked["random"], draw).seen(LAYER, h, count)
    chosen = {}
    for row in range(1, count - 1):
        fixed = {0, count - 1, row - 1, row, row + 1}
        chosen[row] = set(np.flatnonzero(seen[row]).tolist()) - fixed
        assert len(chosen[row]) == min(asked["random"], count - len(fixed))
    return slow.bigbird(q, k, SCALE, size, chosen, g.causal)


def local_p(asked, g, h, q, k):
    w, v = own("local-p.{}.matrix", h, D, D) / math.sqrt(D), own("local-p.{}.vector", h, D) * 2 / math.sqrt(D)
    return slow.local_p(q, k, SCALE, asked["reach"], w.tolist(), v.tolist(), g.causal)


def hidden_layer(name, h):
    small, out = 1 / math.sqrt(2 * D), own(f"{name}.{{}}.out", h, D) * 2.5 / (0.65 * math.sqrt(D))
    return small, out.tolist()


def concat(asked, g, h, q, k):
    small, v = hidden_layer("concat", h)
    return slow.concat(q, k, (small * own("concat.{}.both", h, D, 2 * D)).tolist(), v, g.causal)


def additive(asked, g, h, q, k):
    small, v = hidden_layer("additive", h)
    w, u = (small * own(f"additive.{{}}.{which}", h, D, D) for which in ("query", "key"))
    return slow.additive(q, k, w.tolist(), u.tolist(), v, g.causal)


def general(asked, g, h, q, k):
    return slow.general(q, k, (own("general.{}", h, D, D) * SCALE / math.sqrt(D)).tolist(), g.causal)


def lsh(asked, g, h, q, k):
    if asked["buckets"] == 1:
        return slow.attention(q, k, slow.scaled(q, k, SCALE), slow.ahead(g.causal))
    turned = [own(f"lsh.{{}}.{r}", h, D, asked["buckets"] // 2).tolist() for r in range(asked["rounds"])]
    return slow.lsh(q, k, SCALE, turned, g.causal)


def permutation(asked, g, h, q, k):
    order = np.argsort(draw(f"permutation.{asked['order']}", (N,))).tolist() if asked["order"] else range(N)
    return slow.permutation(q, k, SCALE, order)


def adaptive_span(asked, g, h, q, k):
    span = asked["span"] or N * (h + 1) / (2 * HEADS)
    return slow.adaptive_span(q, k, SCALE, span, asked["ramp"], g.causal)


def compressed_memory(asked, g, h, q, k):
    v = values(N)[h].tolist()
    weights, outputs = slow.compressed_memory(q, k, v, SCALE, asked["segment"], asked["memory"], asked["rate"])
    np.testing.assert_allclose(np.array(weights) @ v, outputs, atol=1e-9)  # the matrix stands for the slots
    return weights


def linformer(asked, g, h, q, k):
    rank = asked["rank"]
    e = [[0.0] * N for _ in range(rank)]
    for token in range(N):
        e[token * rank // N][token] = 1.0
    e = [[x / sum(row) for x in row] for row in e]
    if asked["drawn"]:
        e = (own(f"linformer.{asked['drawn']}", h, rank, N) / math.sqrt(rank)).tolist()
    return slow.linformer(q, k, np.eye(N).tolist(), e, e, SCALE)


def performer(asked, g, h, q, k):
    from attnviz.variants.approximate import orthogonal_features

    omega = orthogonal_features(draw, f"layers.{LAYER}.performer.{h}", asked["features"], D)
    assert omega.shape == (asked["features"], D)
    return slow.performer(q, k, omega.tolist(), SCALE, g.causal)


def mamba(asked, g, h, q, k):
    w = own("mamba.{}", h, D) / math.sqrt(D)
    steps = [math.log(1 + math.exp(slow.dot(w, x) - 2)) for x in k]
    b = [[SCALE * a for a in x] for x in k]
    return slow.mamba(q, b, np.eye(N).tolist(), steps)


FORMULAS = {
    "general": general,
    "concat": concat,
    "additive": additive,
    "local-p": local_p,
    "dilated": lambda asked, g, h, q, k: slow.dilated(q, k, SCALE, asked["reach"], asked["gap"], g.causal),
    "bigbird": bigbird,
    "lsh": lsh,
    "permutation": permutation,
    "adaptive-span": adaptive_span,
    "memory": lambda asked, g, h, q, k: slow.memory(q, k, SCALE, asked["segment"], asked["memory"]),
    "compressed-memory": compressed_memory,
    "linformer": linformer,
    "performer": performer,
    "linear": lambda asked, g, h, q, k: slow.linear(q, k, g.causal),
    "mamba": mamba,
}


def test_every_kind_is_held_against_its_formula() -> None:
    assert set(FORMULAS) == set(KINDS) == {asked.split(":")[0] for asked in ASKED}


@pytest.mark.parametrize(("asked", "causal"), CASES)
def test_the_papers_formula(asked, causal) -> None:
    found, g = parse(asked), given(causal)
    made = kind(found, draw)
    weights, allowed = made.weights(g)
    for h in range(HEADS):
        want = np.array(FORMULAS[found.mechanism.name](found, g, h, g.q[h].tolist(), g.k[h].tolist()))
        assert asked == "linformer:1" or np.abs(want).max() > 2 / N  # even rows would say too little
        np.testing.assert_allclose(weights[h], want, atol=2e-6 * max(1, np.abs(want).max()))
        if allowed is not None:  # what is allowed is what has a weight
            np.testing.assert_array_equal(allowed if allowed.ndim == 2 else allowed[h], want != 0)
        elif found.mechanism.name not in ("linformer", "performer"):
            assert (want != 0).all()


@pytest.mark.parametrize(("asked", "causal"), CASES)
def test_outputs_are_weights_times_values(asked, causal) -> None:
    g, v = given(causal), values(N)
    made = kind(parse(asked), draw)
    want = made.weights(g)[0].astype(np.float64) @ v
    np.testing.assert_allclose(made.output(g, v), want, atol=5e-6 * max(1, np.abs(want).max()))


@pytest.mark.parametrize(
    "asked", ["bigbird:16,random=2", "local-p:9", "lsh:8,rounds=2", "adaptive-span:40", "additive"]
)
@pytest.mark.parametrize("causal", [False, True])
def test_outputs_of_a_long_text(asked, causal) -> None:
    """More tokens than are worked on at a time."""
    g, v = given(causal, 300, 300), values(300)
    made = kind(parse(asked), draw)
    want = made.weights(g)[0].astype(np.float64) @ v
    np.testing.assert_allclose(made.output(g, v), want, atol=1e-5 * max(1, np.abs(want).max()))


@pytest.mark.parametrize("asked", ["general", "concat", "additive", "local-p", "performer", "linear"])
def test_between_two_texts(asked) -> None:
    """More queries than keys, and fewer."""
    for n_query, n_key in ((N, 7), (5, N)):
        g, found = given(False, n_query, n_key), parse(asked)
        made = kind(found, draw)
        weights, _ = made.weights(g)
        want = [FORMULAS[asked](found, g, h, g.q[h].tolist(), g.k[h].tolist()) for h in range(HEADS)]
        np.testing.assert_allclose(weights, want, atol=3e-6)
        v = values(n_key)
        np.testing.assert_allclose(made.output(g, v), np.array(want) @ v, atol=1e-5)
        assert MECHANISMS[asked].crosses
