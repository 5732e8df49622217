"""Rollout and flow: worked by hand, by slow loops, by minimal cuts; and their commands."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from helpers.sentences import TIRED
from hypothesis import given, settings
from hypothesis import strategies as st

import attnviz
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.errors import InputError, SelectionError
from attnviz.measures.flow import MOST, flows
from attnviz.measures.rollout import Rollout, chained, with_residual


def attention(weights, **more):
    weights = np.asarray(weights, np.float32)
    tokens = Tokens.plain([f"t{i}" for i in range(weights.shape[-1])])
    layers, heads = (tuple(range(n)) for n in weights.shape[:2])
    return Attention(weights, None, tokens, tokens, layers, heads, **more)


def random_layers(seed, n_layers, n, *, causal=False, spread=0.4, residual=0.5):
    random = np.random.default_rng(seed)
    made = random.dirichlet(np.full(n, spread), (n_layers, n)) * (np.tri(n) if causal else 1)
    return [with_residual(one / one.sum(-1, keepdims=True), residual) for one in made]


# --- rollout ----------------------------------------------------------------------------------------------------------


def test_two_layers_by_hand():
    """Heads of layer 0 average to [[.5, .5], [0, 1]], so A'_0 = [[.75, .25], [0, 1]]; A'_1 = [[.5, .5], [.5, .5]]."""
    first = [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]
    second = [[[0.0, 1.0], [1.0, 0.0]]] * 2
    found = attnviz.rollout(attention([first, second])).attention
    np.testing.assert_allclose(found.weights[0, 0], [[0.75, 0.25], [0.0, 1.0]])
    np.testing.assert_allclose(found.weights[1, 0], [[0.375, 0.625], [0.375, 0.625]])
    assert found.layers == (0, 1)
    assert found.heads == (0, 1)
    assert found.meta["measure"] == "rollout"


def test_without_a_residual_stream_it_is_the_product_of_the_means():
    weights = np.random.default_rng(1).dirichlet(np.ones(5), (3, 2, 5))
    means = weights.mean(1)
    found = attnviz.rollout(attention(weights), residual=0.0).attention
    np.testing.assert_allclose(found.weights[2, 0], means[2] @ means[1] @ means[0], atol=1e-6)
    np.testing.assert_array_equal(attnviz.rollout(attention(weights), residual=1.0).attention.weights[2, 0], np.eye(5))


def test_rows_that_sum_to_less_are_made_whole_as_the_paper_does():
    """rownorm(A + I): a sink that took half of a row leaves the residual stream two thirds of it."""
    np.testing.assert_allclose(with_residual(np.array([[0.0, 0.5], [0.0, 1.0]])), [[2 / 3, 1 / 3], [0.0, 1.0]])


def slow_rollout(weights, residual):
    n_layers, n_heads, n, _ = weights.shape
    before = np.eye(n)
    for layer in range(n_layers):
        joined = np.zeros((n, n))
        for i in range(n):
            for j in range(n):
                mean = sum(weights[layer, h, i, j] for h in range(n_heads)) / n_heads
                joined[i, j] = (1 - residual) * mean + residual * (i == j)
            joined[i] /= sum(joined[i])
        after = np.zeros((n, n))
        for i, j, k in itertools.product(range(n), repeat=3):
            after[i, j] += joined[i, k] * before[k, j]
        before = after
    return before


@given(st.integers(0, 1000), st.floats(0.0, 1.0))
@settings(max_examples=15, deadline=None)
def test_rollout_equals_slow_loops_and_its_rows_sum_to_one(seed, residual):
    weights = np.random.default_rng(seed).dirichlet(np.full(4, 0.3), (3, 2, 4)).astype(np.float32)
    found = attnviz.rollout(attention(weights), residual=residual).attention.weights[-1, 0]
    np.testing.assert_allclose(found, slow_rollout(weights.astype(np.float64), residual), atol=1e-6)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-6)


def test_a_model_in_tiles_and_a_saved_attention_give_the_same():
    model = attnviz.load("seeded", n_layers=3, causal=True)
    whole = attnviz.rollout(model.attend(TIRED)).attention
    found = attnviz.rollout(model, TIRED, layers=[2, 0]).attention
    assert found.layers == (2, 0)
    np.testing.assert_allclose(found.weights, whole.weights[[2, 0]], atol=2e-7)
    assert np.array_equal(found.mask, whole.mask)
    assert np.array_equal(found.mask[0], np.tri(len(found.queries), dtype=bool))


def test_a_long_text_comes_in_tiles_and_to_the_same_bytes_every_time():
    text = " ".join(f"w{i % 97}" for i in range(600))
    model = attnviz.load("seeded")
    found = attnviz.rollout(model, text, layers=-1).attention
    assert found.weights.shape == (1, 1, 600, 600)
    np.testing.assert_allclose(
        found.weights[0, 0], attnviz.rollout(model.attend(text)).attention.weights[-1, 0], atol=2e-7
    )
    assert attnviz.rollout(model, text, layers=-1).attention.weights.tobytes() == found.weights.tobytes()


def test_a_window_widens_from_layer_to_layer():
    model = attnviz.load("seeded", n_layers=2).with_mechanism("window:1")
    found = attnviz.rollout(model, "a b c d e f").attention
    reach = [np.argwhere(found.mask[layer][0])[:, 0].tolist() for layer in range(2)]
    assert reach == [[0, 1], [0, 1, 2]]
    assert np.array_equal(found.weights[:, 0] > 0, found.mask)
    assert np.array_equal(attnviz.rollout(model.attend("a b c d e f")).attention.mask, found.mask)


def test_what_cannot_be_rolled_out_says_so():
    two = attention(np.full((2, 1, 2, 2), 0.5))
    with pytest.raises(SelectionError, match="begin at layer 0 and want every layer; got 1"):
        attnviz.rollout(two.select(layers=1))
    with pytest.raises(SelectionError, match="layers were averaged"):
        attnviz.rollout(two.mean("layers"))
    with pytest.raises(SelectionError, match=r"residual must be from 0 to 1; got 1\.5"):
        attnviz.rollout(two, residual=1.5)
    with pytest.raises(InputError, match="cross-attention goes to another text"):
        attnviz.rollout(attention(np.full((1, 1, 2, 2), 0.5), stream="cross"))


def test_matrices_with_a_residual_stream_of_their_own_are_only_multiplied():
    first, second = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[0.5, 0.5], [0.0, 1.0]])
    found = chained([first, second])
    np.testing.assert_allclose(found[1], [[0.65, 0.35], [0.4, 0.6]])


def test_the_collector_keeps_the_means_themselves_where_asked():
    model = attnviz.load("seeded")
    given_ = model.prepare("a b c d")
    keep = Rollout([0, 1], [1, 3], 4, None)
    model.observe(given_, [keep])
    np.testing.assert_allclose(keep.result(), model.attend("a b c d", heads=[1, 3]).weights.mean(1), atol=1e-7)


# --- flow -------------------------------------------------------------------------------------------------------------


def least_cut(capacities, source, sink):
    """By trying every way to part the inner nodes into a source's side and a sink's."""
    depth, n = len(capacities), len(capacities[0])
    inner = [(layer, i) for layer in range(1, depth) for i in range(n)]
    least = np.inf
    for chosen in itertools.product((False, True), repeat=len(inner)):
        near = {node for node, taken in zip(inner, chosen, strict=True) if taken} | {(depth, source)}
        near |= {(0, j) for j in range(n) if j != sink}
        cut = sum(
            capacities[layer][i, j]
            for layer in range(depth)
            for i in range(n)
            for j in range(n)
            if (layer + 1, i) in near and (layer, j) not in near
        )
        least = min(least, cut)
    return least


@pytest.mark.parametrize(("n_layers", "n"), [(1, 3), (2, 3), (3, 3), (3, 4), (4, 3)])
@pytest.mark.parametrize(("causal", "residual"), [(False, 0.5), (False, 0.05), (True, 0.3)])
def test_the_largest_flow_is_the_least_cut(n_layers, n, causal, residual):
    capacities = random_layers(n_layers * n, n_layers, n, causal=causal, spread=0.3, residual=residual)
    found = flows(capacities)[-1]
    wanted = [[least_cut(capacities, source, sink) for sink in range(n)] for source in range(n)]
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_flow_that_has_to_be_turned_back():
    """The shortest fill of the pipes is not the largest flow: what took the shared pipe first must be taken back."""
    top = np.array([[0.5, 0.5, 0.0], [0, 0, 0], [0, 0, 0.0]])
    middle = np.array([[0.5, 0.5, 0.0], [0.5, 0.0, 0.0], [0, 0, 0.0]])
    first = np.array([[0.5, 0, 0.0], [0.5, 0, 0.0], [0, 0, 0.0]])
    assert flows([first, middle, top])[2, 0, 0] == pytest.approx(1.0, abs=1e-9)


def slow_flow(capacities, source, sink):
    """Ford and Fulkerson 1956 with shortest paths (Edmonds and Karp 1972), on a dictionary of edges."""
    depth, n = len(capacities), len(capacities[0])
    room = {}
    for layer, i, j in itertools.product(range(depth), range(n), range(n)):
        room[(layer + 1, i), (layer, j)] = capacities[layer][i, j]
        room[(layer, j), (layer + 1, i)] = 0.0
    beside = {}
    for a, b in room:
        beside.setdefault(a, []).append(b)
    total, start, end = 0.0, (depth, source), (0, sink)
    while True:
        came, queue = {start: None}, [start]
        for node in queue:
            for other in beside[node]:
                if other not in came and room[node, other] > 1e-12:
                    came[other] = node
                    queue.append(other)
        if end not in came:
            return total
        path, node = [], end
        while came[node] is not None:
            path.append((came[node], node))
            node = came[node]
        some = min(room[edge] for edge in path)
        for a, b in path:
            room[a, b] -= some
            room[b, a] += some
        total += some


@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([0.0, 0.1, 0.5]))
@settings(max_examples=6, deadline=None)
def test_every_layer_of_deeper_networks_agrees_with_augmenting_paths(seed, causal, residual):
    capacities = random_layers(seed, 4, 5, causal=causal, spread=0.2, residual=residual)
    found = flows(capacities)
    for layer, source, sink in itertools.product((2, 3), range(5), range(5)):
        wanted = slow_flow(capacities[: layer + 1], source, sink)
        assert found[layer, source, sink] == pytest.approx(wanted, abs=1e-8)


def test_single_layers_and_queries_are_those_of_all():
    capacities = random_layers(3, 5, 6)
    whole = flows(capacities)
    np.testing.assert_allclose(flows(capacities, [4]), whole[[4]], atol=1e-9)
    some = flows(capacities, [3], [2, 5])
    np.testing.assert_allclose(some[0, [2, 5]], whole[3, [2, 5]], atol=1e-9)
    assert not some[0, [0, 1, 3, 4]].any()


def test_flow_says_how_far_it_is():
    shares = []
    flows(random_layers(3, 3, 4), progress=shares.append)
    assert sum(shares) == pytest.approx(1)
    assert shares == pytest.approx([0.25, 0.25, 0.5])  # a layer's share grows with its depth


def test_flow_of_too_many_tokens_is_refused_with_its_limit():
    assert MOST == 128
    with pytest.raises(InputError, match=r"129 tokens is too much work: 16,641 largest flows.*up to 128 tokens"):
        attnviz.flow(attention(np.full((1, 1, 129, 129), 1 / 129)))


def test_deep_networks_fill_up():
    """Twelve layers of nearly even rows: every flow is what can enter its sink, or all that its source has."""
    capacities = random_layers(0, 12, 20, spread=2.0)
    entering = np.minimum(1, capacities[0].sum(0))
    np.testing.assert_allclose(flows(capacities, [11])[0], np.broadcast_to(entering, (20, 20)), atol=1e-9)


# --- commands ---------------------------------------------------------------------------------------------------------


def test_rollout_as_json(run):
    code, out, _ = run("rollout", "a b c", "--json")
    rows = json.loads(out)
    assert code == 0
    assert list(rows[0]) == ["layer", "query", "query_token", "key", "key_token", "rollout"]
    assert len(rows) == 2 * 9
    wanted = attnviz.rollout(attnviz.load("seeded").attend("a b c")).attention.weights
    np.testing.assert_allclose([row["rollout"] for row in rows], wanted.ravel(), atol=2e-7)


def test_rollout_chooses_layers_heads_and_words(run):
    _, out, _ = run("rollout", "a b c", "-l", "-1", "-H", "1,2", "--query", "b", "--json")
    rows = json.loads(out)
    wanted = attnviz.rollout(attnviz.load("seeded").attend("a b c", heads=[1, 2])).attention.weights[1, 0, 1]
    assert [(row["layer"], row["query_token"]) for row in rows] == [(1, "b")] * 3
    np.testing.assert_allclose([row["rollout"] for row in rows], wanted, atol=2e-7)


def test_rollout_of_a_file_is_that_of_the_model(run):
    assert run("export", "a b c", "-o", "x.npz")[0] == 0
    _, one, _ = run("rollout", "--from", "x.npz", "-l", "1", "--json")
    _, other, _ = run("rollout", "a b c", "-l", "1", "--json")
    for a, b in zip(json.loads(one), json.loads(other), strict=True):
        assert a["rollout"] == pytest.approx(b["rollout"], abs=2e-7)


def test_rollout_in_a_pipe(run):
    _, out, _ = run("rollout", "a b c", "-l", "0")
    lines = out.splitlines()
    assert lines[0] == "layer 0  heads 0-3 (mean)"
    assert lines[1].split() == ["query", "a", "b", "c"]
    assert lines[2].split() == ["a", "0.74", "0.14", "0.12"]


def test_a_picture_says_what_its_numbers_are(run):
    code, out, _ = run("rollout", "a b c", "-o", "r.svg")
    drawn = Path("r.svg").read_text(encoding="utf-8")
    assert (code, out) == (0, "r.svg\n")
    assert "seeded · rollout · layers 0, 1 · mean over heads 0–3" in drawn
    assert "one query's rollout over the keys" in drawn
    assert "attention weight" not in drawn


def test_numbers_in_files(run):
    assert run("flow", "a b c", "-o", "f.csv")[1] == "f.csv\n"
    rows = list(csv.DictReader(Path("f.csv").read_text(encoding="utf-8").splitlines()))
    assert list(rows[0]) == ["layer", "query", "query_token", "key", "key_token", "flow"]
    assert {row["layer"] for row in rows} == {"1"}
    assert run("rollout", "a b c", "-o", "r.npz")[0] == 0
    assert attnviz.open("r.npz").meta["measure"] == "rollout"


def test_flow_of_two_layers_is_the_sum_of_the_narrower_pipes(run):
    _, out, _ = run("flow", "a b c", "--json")
    first, second = (with_residual(one.mean(0)) for one in attnviz.load("seeded").attend("a b c").weights)
    wanted = np.minimum(second[:, :, None], first[None]).sum(1)
    np.testing.assert_allclose([row["flow"] for row in json.loads(out)], wanted.ravel(), atol=1e-6)


def test_flow_joins_words_first(run, minilm):
    _, out, _ = run("flow", "It didn't.", "-m", str(minilm), "--words", "--no-special", "-l", "1", "--json")
    rows = json.loads(out)
    assert {row["key_token"] for row in rows} == {"it", "didn't", "."}
    joined = attnviz.load(minilm).attend("It didn't.", layers=[0, 1]).words()
    first, second = (with_residual(one.mean(0)) for one in joined.weights)
    wanted = np.minimum(second[:, :, None], first[None]).sum(1)[1:-1, 1:-1]
    np.testing.assert_allclose([row["flow"] for row in rows], wanted.ravel(), atol=1e-6)


def test_one_query_of_flow_is_that_row(run):
    _, whole, _ = run("flow", "a b c d", "--json")
    _, one, _ = run("flow", "a b c d", "--query", "c", "--json")
    assert json.loads(one) == [row for row in json.loads(whole) if row["query_token"] == "c"]


@pytest.mark.parametrize("name", ["rollout", "flow"])
def test_from_python_the_numbers_are_those_of_the_command(run, name):
    words = ("a b c d", "-l", "1", "-H", "0,2", "--no-special", "--tokens", "1-2", "--query", "c", "--residual", "0.3")
    _, out, _ = run(name, *words, "--json")
    model = attnviz.load("seeded")
    chosen = {"layers": 1, "heads": [0, 2], "no_special": True, "tokens": "1-2", "query": "c", "residual": 0.3}
    result = getattr(attnviz, name)(model, "a b c d", **chosen)
    assert list(result.rows()) == json.loads(out)
    assert [row["key_token"] for row in result.rows()] == ["b", "c"]
    whole = getattr(attnviz, name)(model.attend("a b c d", heads=[0, 2]), layers=1, residual=0.3)
    np.testing.assert_allclose(whole.attention.weights[0, 0, 2, 1:3], [row[name] for row in result.rows()], atol=2e-7)
    assert np.array_equal(attnviz.open(whole.save(f"{name}.npz")).weights, whole.attention.weights)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("flow", " ".join("abcdefghij" for _ in range(130))), 1, "flow of 130 tokens is too much work"),
        (("rollout", "a b", "--residual", "2"), 1, "residual must be from 0 to 1; got 2"),
        (("rollout", "a b", "--pair", "c d", "--stream", "cross"), 1, "cross-attention goes to another text"),
        (("rollout", "a b", "-l", "7"), 1, "layer 7 is not there"),
        (("flow", "a b", "-o", "x.txt"), 2, "'x.txt' ends in '.txt'"),
        (("rollout", "a b", "--json", "-o", "x.png"), 2, "--json prints to standard output"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(run, arguments, code, message):
    found, out, err = run(*arguments)
    assert found == code
    assert not out
    assert message in err
    assert err.startswith("error: ")
