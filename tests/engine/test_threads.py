"""Work shared over threads, and the shortcuts of the tile loop: the same numbers as without them."""

from __future__ import annotations

import threading
from threading import Event

import numpy as np
import pytest

import attnviz
from attnviz.engine import forward, threads, tiles
from attnviz.engine.collectors import Dense
from attnviz.engine.kernels import SAFE
from attnviz.engine.masks import Mask
from attnviz.engine.observer import Observer
from attnviz.engine.project import Heads
from attnviz.engine.tiles import Layer
from attnviz.measures.statistics import Statistics

N_HEADS, N, D_HEAD = 3, 40, 8


def test_runs_cover_everything_once() -> None:
    for n in range(1, 30):
        for count in range(1, 12):
            assert [i for run in threads.runs(n, count) for i in run] == list(range(n))
            assert max(map(len, threads.runs(n, count))) - min(map(len, threads.runs(n, count))) <= 1


def test_each_part_is_done_once_and_nested_work_where_it_is() -> None:
    done: list[tuple[int, int]] = []
    where: list[tuple[int, int]] = []

    def outer(i: int, stop: Event) -> None:
        here = threading.get_ident()

        def inner(j: int, stop: Event) -> None:
            done.append((i, j))
            where.append((here, threading.get_ident()))

        threads.share(range(5), inner)

    threads.share(range(20), outer)
    assert sorted(done) == [(i, j) for i in range(20) for j in range(5)]
    assert all(a == b for a, b in where)


@pytest.mark.parametrize("bad", [0, 1, 7])
def test_an_error_ends_the_work_and_is_raised(bad: int) -> None:
    done: list[int] = []

    def work(i: int, stop: Event) -> None:
        if i == bad:
            raise ValueError(f"part {i}")
        stop.wait(0.002)
        done.append(i)

    with pytest.raises(ValueError, match=f"part {bad}"):
        threads.share(range(2000), work)
    assert len(done) < 1000
    assert not threads.within()


def test_a_text_that_is_shared_out_has_the_same_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    model = attnviz.load("seeded", causal=True)
    text = " ".join(f"word{i % 97}" for i in range(300))
    monkeypatch.setattr(threads, "cores", lambda: 4)
    shared = model.attend(text).weights
    for module in (threads, forward):
        monkeypatch.setattr(module, "SHARED_ROWS", 10**6)
    monkeypatch.setattr(threads, "cores", lambda: 1)
    alone = model.attend(text).weights
    assert np.abs(shared - alone).max() < 2e-6
    assert alone.max() > 0.05


def heads(longest: float) -> Heads:
    """Queries and keys so wide that the largest |q| |k| is `longest`."""
    rng = np.random.default_rng(3)
    q, k, v = (rng.standard_normal((N_HEADS, N, D_HEAD)).astype(np.float32) for _ in range(3))
    size = np.sqrt(np.square(q).sum(-1).max() * np.square(k).sum(-1).max())
    return Heads(q * np.float32(longest / size), k, v)


def attend(layer: Layer, given: Heads, collectors: list) -> np.ndarray:
    return tiles.attend(layer, given, Observer(collectors, N_HEADS))


def softmax(scores: np.ndarray) -> np.ndarray:
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("longest", [1.0, 0.999 * SAFE, 1.001 * SAFE, 10 * SAFE, 1e6])
def test_leaving_out_the_largest_score_changes_nothing(longest: float, causal: bool) -> None:
    given = heads(longest)
    layer = Layer("self", 0, 1.0, Mask(N, N, causal))
    assert bool(tiles._bounded(layer, given)) == (longest < SAFE)
    keep = Dense([0], range(N_HEADS), range(N), range(N))
    out = attend(layer, given, [keep])
    scores = given.q.astype(np.float64) @ given.k.swapaxes(-1, -2)
    if causal:
        scores = np.where(np.tri(N, dtype=bool), scores, -np.inf)
    wanted = softmax(scores)
    near = max(1.0, longest) * 3e-7  # a score's own rounding in float32, which a softmax hands on
    assert np.abs(keep.weights[0] - wanted).max() < near
    assert np.abs(out.reshape(N, N_HEADS, D_HEAD).swapaxes(0, 1) - wanted @ given.v).max() < 4 * near


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_weights_made_in_a_collector_s_memory_are_seen_by_the_others(order: tuple[int, int]) -> None:
    given, layer = heads(20.0), Layer("self", 0, 1.0, Mask(N, N, causal=True))
    seen = [Dense([0], range(N_HEADS), range(N), range(N)), Statistics(1, N_HEADS, np.zeros(N, bool))]
    attend(layer, given, [seen[i] for i in order])
    alone = Statistics(1, N_HEADS, np.zeros(N, bool))
    attend(layer, given, [alone])
    for name, value in alone.result().items():
        assert np.allclose(seen[1].result()[name], value, rtol=1e-5), name
    assert np.allclose(seen[0].weights.sum(-1), 1, atol=1e-6)


def test_a_window_and_some_heads_of_a_tile_are_copied() -> None:
    given, layer = heads(20.0), Layer("self", 0, 1.0, Mask(N, N, causal=True))
    whole = Dense([0], range(N_HEADS), range(N), range(N))
    attend(layer, given, [whole])
    for wanted, rows, cols in [
        ([0, 2], range(N), range(N)),
        ([2, 1, 0], range(N), range(N)),
        ([1, 2], range(5, 31), range(N)),
        ([0, 1, 2], range(N), range(3, 20)),
    ]:
        part = Dense([0], wanted, rows, cols)
        attend(layer, given, [part])
        here = np.ix_(wanted, rows, cols)
        assert np.array_equal(part.weights[0], whole.weights[0][here])


def test_passes_at_once_restore_the_matrix_library_s_threads():
    """The one that begins first may end first: the last one restores what the first one found."""
    library = threads._matrix_library()
    before = [each["num_threads"] for each in library.info() if each["user_api"] == "blas"]
    first, second = threads.one_matrix_thread(), threads.one_matrix_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert {each["num_threads"] for each in library.info() if each["user_api"] == "blas"} == {1}
    second.__exit__(None, None, None)
    assert [each["num_threads"] for each in library.info() if each["user_api"] == "blas"] == before
