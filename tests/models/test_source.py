"""AttentionSource: the same tiles as often as asked, in this process and in another, and the facts beside them."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import ADAPTERS, GGUF, REFERENCE
from helpers.sentences import TIRED as TEXT

import attnviz
from attnviz.engine.collectors import Dense
from attnviz.errors import InputError, ModelError
from attnviz.measures.norms import Moved
from attnviz.measures.scores import Scores
from attnviz.models.source import AttentionSource

IDS = [5, 6, 7, 8, 9]


def sources(minilm, folder):
    """One source of each kind: random, learned, a folder, GGUF, an adapter, mechanisms, pairs, two stacks, a file."""
    bert = REFERENCE / "bert"
    tiny = attnviz.load("tiny")
    tiny.attend(TEXT).save(folder / "map.npz")
    models = [
        attnviz.load("seeded", seed=3, n_layers=3, n_heads=2, causal=True),
        tiny,
        attnviz.load(minilm, name="my own name"),
        attnviz.load("seeded", mechanism="additive"),
        attnviz.load("seeded").with_mechanism("lsh", layer=1),
        attnviz.load("tiny", mechanism="window:3"),
    ]
    of_ids = [
        attnviz.load(bert),
        attnviz.load(bert, adapter=ADAPTERS / "plain"),
        attnviz.load(GGUF / "llama.gguf"),
    ]
    seq2seq = attnviz.load(REFERENCE / "bart")
    return [
        *(AttentionSource.of(model, model.prepare(TEXT)) for model in models),
        *(AttentionSource.of(model, model.prepare(ids=IDS)) for model in of_ids),
        AttentionSource.of(tiny, tiny.prepare(TEXT), heads=["3.1", "5.2", "0.7"], special=False),
        AttentionSource.of(seq2seq, seq2seq.prepare(ids=IDS, target_ids=IDS[:3], stream="cross")),
        AttentionSource.of(attnviz.open(folder / "map.npz")),
    ]


def numbers(source):
    """The function that the other process runs, which must be in a module."""
    return attnviz.stats(source).values


def test_another_process_gets_the_same_numbers_without_the_weights(minilm, tmp_path):
    each = sources(minilm, tmp_path)
    before = [attnviz.stats(source).values for source in each]  # drawn and decoded tensors are there by now
    sizes = [len(pickle.dumps(source)) for source in each]
    assert max(sizes[:-1]) < 12_000, sizes
    assert sizes[-1] < each[-1].tiles.attention.weights.nbytes + 12_000
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        after = pool.map(numbers, each)
    for source, ours, theirs in zip(each, before, after, strict=True):
        for name, values in ours.items():
            assert np.array_equal(values, theirs[name], equal_nan=True), (source.title(), name)


def test_a_model_is_pickled_as_it_is_now(minilm, monkeypatch, tmp_path):
    monkeypatch.chdir(minilm.parent)
    model = attnviz.load("./model", name="mine", ignore_keys=["nothing"], mechanism="window:2")
    monkeypatch.chdir(tmp_path)
    again = pickle.loads(pickle.dumps(model))
    assert (model.folder, again.folder) == (Path("model"), minilm)
    for name in ("name", "spec", "meta", "config", "mechanism", "alone", "opening"):
        assert getattr(again, name) == getattr(model, name), name
    assert again.tokens(TEXT) == model.tokens(TEXT)
    assert np.array_equal(again.attend(TEXT).weights, model.attend(TEXT).weights)


def test_a_model_that_has_changed_on_disk_is_refused(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(REFERENCE / "bert", folder)
    pickled = pickle.dumps(attnviz.load(folder, name="this"))
    pickle.loads(pickled)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    with pytest.raises(ModelError, match="this has changed on disk since it was opened"):
        pickle.loads(pickled)


@pytest.mark.parametrize("name", ["tiny", "minilm"])
def test_a_pickled_model_is_found_by_its_name_where_it_is_installed_elsewhere(name):
    model = attnviz.load(name)
    place = model.opening.place._replace(path=Path("/on/another/machine"))
    again = pickle.loads(pickle.dumps(replace(model, opening=replace(model.opening, place=place))))
    assert again.checkpoint.path == model.checkpoint.path
    with pytest.raises(ModelError, match="/on/another/machine"):
        replace(model.opening, place=place._replace(name="mine")).open()


def test_a_source_of_a_source_is_itself_and_a_model_wants_an_input():
    model = attnviz.load("seeded")
    source = AttentionSource.of(model, model.prepare("a b"))
    assert AttentionSource.of(source) is source
    assert source.opened is not None and source.opened[0] is model
    assert AttentionSource.of(model.attend("a b")).opened is None
    with pytest.raises(InputError, match="needs an input"):
        AttentionSource.of(model)


def test_facts_are_the_same_whether_computed_or_held():
    model = attnviz.load("seeded", seed=7)
    for how in ({}, {"layers": [1]}, {"heads": ["1.0", "0.3"]}, {"heads": [2]}):
        computed = AttentionSource.of(model, model.prepare("the cat sat"), **how)
        held = AttentionSource.of(model.attend("the cat sat", **how))
        assert vars(computed.facts) == vars(held.facts)
        assert computed.shape == held.shape == held.tiles.attention.weights.shape[:2]
        assert computed.names() == [f"{layer}.{head}" for layer, head in computed.places]
        assert computed.subtitle() == "3 tokens · random weights, seed 7"
    assert computed.title() == "seeded · 2 layers x head 2"
    assert computed.axes() == {"layers": ["0", "1"], "heads": ["2"], "axes": ("layer", "head")}


def test_facts_say_what_was_averaged_and_left_out():
    attention = attnviz.load("tiny").attend(TEXT).mean("heads").words().without_special()
    facts = AttentionSource.of(attention).facts
    assert facts.title() == "attnviz tiny · 6 layers x mean of 8 heads"
    assert facts.shape == (6, 1) and facts.names()[0] == "0.mean"
    assert facts.subtitle() == "11 words"
    assert facts.remarks()[:2] == [
        "words: sum over keys, mean over queries",
        "special tokens left out: rows keep what is left of them",
    ]
    assert facts.made_by("attnviz stats") == {
        "command": "attnviz stats",
        "model": "attnviz tiny",
        "version": attnviz.__version__,
        "digest": attention.meta["digest"],
    }


def test_collectors_of_maps_and_scores_fit_a_source_with_and_without_special_tokens(minilm):
    """Collectors that lend their memory, or read queries and keys, get the remaining tokens too."""
    model = attnviz.load(minilm)
    model_input = model.prepare(TEXT)
    whole = model.attend(TEXT)
    for special, wanted in ((True, whole), (False, whole.without_special())):
        source = AttentionSource.of(model, model_input, layers=[4, 1], special=special)
        n = len(source.queries)
        maps = source.collect(Dense(range(6), range(12), range(n), range(n)))
        assert np.array_equal(maps, wanted.weights[[4, 1]])
        scores = Scores(*source.size)
        source.observe([scores])
        facts = scores.result()
        assert source.pick(facts.factor) == pytest.approx(1 / np.sqrt(32), rel=1e-4)
        assert source.pick(facts.linear) == pytest.approx(1, abs=1e-6)
    assert len(wanted.queries) == len(whole.queries) - 2


def test_vectors_of_tokens_that_were_left_out_are_not_there(minilm):
    model = attnviz.load(minilm)
    model_input = model.prepare(TEXT)
    every, without = (AttentionSource.of(model, model_input, special=special) for special in (True, False))
    n = len(every.queries)
    moved = Moved(range(6), ["norm"], n, 12)
    every.observe([moved])
    wanted = attnviz.norms(model, TEXT, measure=["norm"]).absolute["norm"].weights
    assert np.array_equal(np.stack([moved.together["norm"][layer] for layer in range(6)]), wanted[:, 0])
    with pytest.raises(InputError, match="the vectors of all tokens are needed here"):
        without.observe([Moved(range(6), ["norm"], n, 12)])
