"""The lists in engine/observer.py name all arrays that can be watched, with their shapes."""

from __future__ import annotations

import re

import numpy as np
import pytest
from helpers.paths import REFERENCE

import attnviz
from attnviz.engine.collectors import Dense
from attnviz.engine.observer import NEEDS, VECTORS, Collector

TEXT_CASES = ("bert", "llama", "longformer", "gpt_oss", "deepseek_v3", "olmo2", "t5", "roformer", "qwen3")


class Everything(Collector):
    """Sees every array, and compares it with what the list says."""

    needs = frozenset({"vectors", "scores", "stages", "v", "outputs"})

    def __init__(self, spec, n, n_key, stream):
        sizes = {"n": n, "key": n_key, "n_heads": spec.n_heads, "n_kv_heads": spec.n_kv_heads}
        sizes |= {name: getattr(spec, name) for name in ("d_model", "d_head", "d_value", "d_embed")}
        if spec.latent is not None:
            sizes |= {name: getattr(spec.latent, name) for name in ("d_q", "d_kv", "d_shared")}
        self.sizes, self.spec, self.stream = sizes, spec, stream
        self.names, self.layers = set(), set()

    def see(self, layer, name, values):
        self.names.add(name)
        self.layers.add(layer)
        dims = re.match(r"\[(.*?)\]", VECTORS[name.removeprefix("global_")])[1].split(", ")
        assert values.ndim == len(dims), name
        for size, dim in zip(values.shape, dims, strict=True):
            known = eval(dim, {}, self.sizes | {"d": size, "d_in": size})
            if not (self.spec.latent is not None and name.startswith(("k.", "v."))):  # their width depends on d_shared
                assert size == known, (name, values.shape, dims)

    def take(self, tile):
        shape = len(tile.heads), len(tile.rows), len(tile.cols)
        kv = len(tile.heads) * self.spec.n_kv_heads // self.spec.n_heads
        assert tile.weights.shape == tile.scores.shape == shape and tile.allowed.shape[1:] == shape[1:]
        assert tile.outputs.shape == (*shape[:2], self.spec.d_value)
        assert tile.v.shape == (kv, shape[2], self.spec.d_value)
        assert next(iter(tile.stages)) == "raw" and all(stage.shape == shape for stage in tile.stages.values())


@pytest.mark.parametrize("case", TEXT_CASES)
def test_every_array_that_is_seen_is_listed_with_its_shape(case):
    model = attnviz.load(REFERENCE / case)
    inputs = {"ids": [5, 6, 7, 8, 9]}
    streams = model.streams if "decoder" not in model.streams else ("encoder", "decoder", "cross")
    for stream in streams:
        asked = inputs if len(streams) == 1 else {**inputs, "target_ids": [3, 4, 5]}
        ready = model.prepare(**asked, stream=stream)
        watcher = Everything(ready.spec, len(ready.queries), len(ready.keys), stream)
        model.observe(ready, [watcher])
        first = {"tokens"} if stream != "cross" else {"memory"}
        assert watcher.names >= {"input", "read", "q", "k", "v", "heads", "output", "q.weight"} | first
        assert max(watcher.layers) == ready.spec.n_layers - 1


def test_what_is_listed_is_seen_in_some_model():
    """A name that no pass shows would be a promise that nothing keeps."""
    seen = set()
    for case in TEXT_CASES:
        model = attnviz.load(REFERENCE / case)
        both = {"target_ids": [3, 4, 5]} if "decoder" in model.streams else {}
        for stream in model.streams:
            ready = model.prepare(ids=[5, 6, 7, 8], stream=stream, **both)
            watcher = Everything(ready.spec, len(ready.queries), len(ready.keys), stream)
            model.observe(ready, [watcher])
            seen |= {name.removeprefix("global_") for name in watcher.names}
    rare = {"q_turned", "k_turned", "project", "q_down.bias", "kv_down.bias"}
    assert seen >= set(VECTORS) - rare, set(VECTORS) - rare - seen


def test_without_collectors_that_need_it_nothing_more_is_kept():
    """A tile holds scores, stages and a walk of copies only for a collector that names them."""
    taken = []

    class Plain(Dense):
        def take(self, tile):
            taken.append(tile)
            super().take(tile)

    model = attnviz.load("seeded")
    ready = model.prepare("a b c d")
    model.observe(ready, [Plain([0, 1], [0, 1, 2, 3], range(4), range(4))])
    assert len(taken) == 2
    assert all(tile.scores is None and tile.stages is None for tile in taken)
    assert {"scores", "stages"} <= set(NEEDS)
    np.testing.assert_allclose(taken[0].weights.sum(-1), 1, atol=1e-6)
