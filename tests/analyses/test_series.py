"""`attnviz series`: numbers of heads over checkpoints, against each checkpoint alone and against plain formulas."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import REFERENCE
from safetensors.numpy import load_file, save_file

import attnviz
from attnviz.errors import InputError, SelectionError
from attnviz.measures.distance import jensen_shannon
from attnviz.measures.statistics import names
from attnviz.models.find import TINY

IDS = [5, 6, 7, 8, 9, 5, 6, 7, 8, 9]
STEPS = (100, 500, 1000, 20000)
LAST = load_file(REFERENCE / "gpt2" / "model.safetensors")


def save(folder, share, seed=0):
    """A checkpoint between random weights, share 0, and the reference's, share 1."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, last in LAST.items():
        first = last + 0.5 * last.std() * random.standard_normal(last.shape) if last.dtype == np.float32 else last
        weights[name] = ((1 - share) * first + share * last).astype(last.dtype)
    folder.mkdir(parents=True)
    save_file(weights, folder / "model.safetensors")
    shutil.copy(REFERENCE / "gpt2" / "config.json", folder)


@pytest.fixture
def run_folder(tmp_path):
    for k, step in enumerate(STEPS):
        save(tmp_path / "run" / f"checkpoint-{step}", k / (len(STEPS) - 1))
    return tmp_path / "run"


def pattern(folder):
    return f"{folder}/checkpoint-*"


def test_numbers_are_those_of_each_checkpoint_alone(run_folder):
    result = attnviz.series(pattern(run_folder), ids=IDS)
    rows = result.rows()
    assert len(rows) == len(STEPS) * 8
    for step in STEPS:
        model = attnviz.load(run_folder / f"checkpoint-{step}")
        own = [row for row in rows if row["step"] == step]
        for row, alone in zip(own, attnviz.stats(model, ids=IDS).rows(), strict=True):
            assert {key: row[key] for key in ("layer", "head", *names())} == alone
        for role in attnviz.roles(model, ids=IDS).rows():
            (row,) = (each for each in own if (each["layer"], each["head"]) == (role["layer"], role["head"]))
            np.testing.assert_equal(row[f"{role['role'].replace('-', '_')}_role"], role["score"])


def test_the_distance_is_that_of_the_maps_and_falls_to_zero(run_folder):
    result = attnviz.series(pattern(run_folder), ids=IDS)
    drift = result.values["drift"]
    maps = [attnviz.load(run_folder / f"checkpoint-{step}").attend(ids=IDS).weights for step in STEPS]
    np.testing.assert_allclose(drift, [jensen_shannon(each, maps[-1]) for each in maps], atol=1e-12)
    assert (drift[-1] == 0).all()
    means = drift.mean((1, 2))
    assert (np.diff(means) < 0).all() and means[0] > 0.05


def linked(folder):
    """One model as two checkpoints, with a tokenizer."""
    for step in (1, 2):
        (folder / f"step{step}.gguf").symlink_to(TINY)
    return f"{folder}/step*"


def test_no_special_and_the_last_layer_reach_the_distance(tmp_path):
    """A text with special tokens, through a model and itself: rows without them are compared, and nothing differs."""
    result = attnviz.series(linked(tmp_path), "The cat sat", no_special=True, layers=-1, heads="0-2")
    assert result.values["drift"].shape == (2, 1, 3) and not result.values["drift"].any()
    alone = attnviz.stats(attnviz.load(TINY), "The cat sat", no_special=True, layers=-1, heads="0-2").rows()
    assert [row["entropy"] for row in result.rows()] == [row["entropy"] for row in alone] * 2


def test_sums_of_a_corpus_are_those_of_its_texts(tmp_path):
    from attnviz.measures.roles import Roles
    from attnviz.measures.statistics import Statistics
    from attnviz.models.source import AttentionSource

    texts = ["The cat sat on the mat", "", "Dogs bark at the cat and the dog barks", "Rain"]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    result = attnviz.series(linked(tmp_path), corpus=str(tmp_path / "texts.txt"))
    listed = attnviz.series(f"{tmp_path}/step*", corpus=texts)
    model = attnviz.load(TINY)
    states = []
    for text in filter(None, texts):
        source = AttentionSource.of(model, model.prepare(text))
        collectors = Statistics(*source.size, source.keys.special), Roles(*source.size, source.queries, source.keys)
        source.observe(collectors)
        states.append([each.state() for each in collectors])
    sums = [first.merge(second).merge(third) for first, second, third in zip(*states, strict=True)]
    statistics, roles = (each.result() for each in sums)
    for each in (result, listed):
        np.testing.assert_array_equal(each.values["span"][0], statistics["span"])
        np.testing.assert_array_equal(each.values["induction_role"][1], roles["induction"].score)
    assert result.followed.texts == 3 and "3 texts" in result.subtitle()


def test_distances_of_a_corpus_weigh_every_row_the_same(run_folder):
    """The root of the mean divergence over the rows of all texts, also where the reference's maps are not kept."""
    from attnviz.corpora import series as module
    from attnviz.corpora.series import Reading, Reference, measure
    from attnviz.corpora.texts import Text
    from attnviz.measures.distance import divergence
    from attnviz.models.source import AttentionSource

    class Ids(Reading):
        def source(self, model, item):
            return AttentionSource.of(model, model.prepare(ids=list(map(int, item.text.split()))))

    texts = [Text(0, "", "5 6 7 8"), Text(1, "", "9 9 3"), Text(2, "", "1 2 3 4 5 6 7 8")]
    reading = Ids(texts=lambda: iter(texts))
    first, last = (attnviz.load(run_folder / f"checkpoint-{step}") for step in (STEPS[0], STEPS[-1]))
    wanted = []
    for text in texts:
        both = [model.attend(ids=list(map(int, text.text.split()))).weights for model in (first, last)]
        wanted.append(divergence(*both))
    wanted = np.sqrt(np.concatenate(wanted, -1).mean(-1))
    for kept in (module.KEPT, 0):
        reference = Reference("last", last, reading)
        reference._left = kept
        _, apart = measure("first", first, reading, reference)
        np.testing.assert_allclose(apart.result(), wanted, atol=1e-12)


def test_a_checkpoint_that_appears_later_is_measured_alone(run_folder, tmp_path):
    later = run_folder.parent / f"checkpoint-{STEPS[-1]}"
    shutil.move(run_folder / later.name, later)
    cache = tmp_path / "cache"
    assert attnviz.series(pattern(run_folder), ids=IDS, cache=str(cache)).followed.measured == 3
    again = attnviz.series(pattern(run_folder), ids=IDS, cache=str(cache))
    assert again.followed.measured == 0
    save(run_folder / "checkpoint-50", 0.1, seed=3)  # not the last one: distances stay what they are
    assert attnviz.series(pattern(run_folder), ids=IDS, cache=str(cache)).followed.measured == 1
    shutil.move(later, run_folder / later.name)
    kept, fresh = (attnviz.series(pattern(run_folder), ids=IDS, cache=folder) for folder in (str(cache), None))
    assert kept.steps == (50, *STEPS)
    np.testing.assert_equal(kept.rows(), fresh.rows())
    other = attnviz.series(pattern(run_folder), ids=IDS[:-1], cache=str(cache))
    assert other.followed.measured == 5


def test_a_file_in_the_cache_that_is_damaged_is_measured_again(run_folder, tmp_path):
    wanted = attnviz.series(pattern(run_folder), ids=IDS, cache=str(tmp_path / "c")).rows()
    for place in (tmp_path / "c").iterdir():
        place.write_bytes(place.read_bytes()[:100])
    again = attnviz.series(pattern(run_folder), ids=IDS, cache=str(tmp_path / "c"))
    assert again.followed.measured == 4
    np.testing.assert_equal(again.rows(), wanted)


def test_a_checkpoint_that_changes_is_measured_again(run_folder, tmp_path):
    attnviz.series(pattern(run_folder), ids=IDS, cache=str(tmp_path / "c"))
    shutil.rmtree(run_folder / "checkpoint-100")
    save(run_folder / "checkpoint-100", 0.2, seed=5)
    again = attnviz.series(pattern(run_folder), ids=IDS, cache=str(tmp_path / "c"))
    assert again.followed.measured == 1
    np.testing.assert_equal(again.rows(), attnviz.series(pattern(run_folder), ids=IDS).rows())


def test_half_written_checkpoints_are_skipped_with_a_line(run_folder, run):
    whole = (run_folder / "checkpoint-100" / "model.safetensors").read_bytes()
    for step, data in ((30000, whole[: len(whole) // 2]), (40000, b"")):
        place = run_folder / f"checkpoint-{step}"
        place.mkdir()
        (place / "model.safetensors").write_bytes(data)
        shutil.copy(REFERENCE / "gpt2" / "config.json", place)
    (run_folder / "checkpoint-50000").mkdir()
    status, out, err = run("series", pattern(run_folder), "--ids", "5,6,7,8", "--json")
    assert status == 0
    assert {row["step"] for row in json.loads(out)} == set(STEPS)
    lines = err.strip().splitlines()
    assert [line.partition(":")[0] for line in lines if "skipped" in line] == [
        f"checkpoint-{step} is skipped" for step in (30000, 40000, 50000)
    ]


def test_a_last_checkpoint_with_damaged_numbers_is_no_reference(run_folder):
    place = run_folder / f"checkpoint-{STEPS[-1]}" / "model.safetensors"
    weights = load_file(place)
    name = next(name for name in weights if "h.0.attn.c_attn.weight" in name)
    save_file({**weights, name: np.full_like(weights[name], np.nan)}, place)
    result = attnviz.series(pattern(run_folder), ids=IDS)
    assert result.steps == STEPS[:-1] and not result.values["drift"][-1].any()
    assert len(result.messages) == 1 and "checkpoint-20000 is skipped" in result.messages[0]


def test_another_size_is_named_or_left_out(run_folder):
    shutil.copytree(REFERENCE / "gpt2", run_folder / "checkpoint-700")
    config = json.loads((run_folder / "checkpoint-700" / "config.json").read_text())
    config |= {"n_layer": 1}
    (run_folder / "checkpoint-700" / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="checkpoint-700 has 1 x 4 heads, the other checkpoints 2 x 4"):
        attnviz.series(pattern(run_folder), ids=IDS)
    assert attnviz.series(pattern(run_folder), ids=IDS, skip_different=True).steps == STEPS


def test_other_tokens_are_named_or_left_out(minilm, tmp_path):
    for step in (1, 2, 3):
        place = tmp_path / f"step{step}"
        place.mkdir()
        for file in minilm.iterdir():
            (place / file.name).symlink_to(file)
    place = tmp_path / "step1" / "tokenizer.json"
    settings = json.loads(place.read_text())
    vocabulary = settings["model"]["vocab"]
    vocabulary["cat"], vocabulary["dog"] = vocabulary["dog"], vocabulary["cat"]
    place.unlink()
    place.write_text(json.dumps(settings))
    with pytest.raises(InputError, match="step1 splits the text otherwise than step3") as error:
        attnviz.series(f"{tmp_path}/step*", "The cat")
    assert "skip_different" in error.value.hint
    assert attnviz.series(f"{tmp_path}/step*", "The cat", skip_different=True).steps == (2, 3)


def test_the_command_prints_draws_and_writes(run_folder, run, tmp_path):
    words = ("series", pattern(run_folder), "--ids", "5,6,7,8,5,6,7,8")
    status, out, err = run(*words, "--by", "drift", "-q")
    assert status == 0, err
    assert "checkpoint-20000" in out and "0.000" in out
    for ending in ("png", "svg", "pdf", "html", "csv", "json"):
        assert run(*words, "--by", "induction", "-o", tmp_path / f"x.{ending}", "-q")[0] == 0
    drawn = (tmp_path / "x.svg").read_text("utf-8")
    assert "induction score" in drawn and "layer.head" in drawn and "20,000" in drawn
    assert json.loads((tmp_path / "x.json").read_text())[-1]["step"] == 20000


def test_heads_of_different_layers(run_folder):
    every = attnviz.series(pattern(run_folder), ids=IDS)
    pairs = attnviz.series(pattern(run_folder), ids=IDS, heads=["1.3", "0.0"])
    for column, values in pairs.values.items():
        np.testing.assert_array_equal(values[:, 0], every.values[column][:, [1, 0], [3, 0]])
    assert [(row["layer"], row["head"]) for row in pairs.rows()] == [(1, 3), (0, 0)] * len(STEPS)


def test_usage_is_checked_before_any_work(run):
    for words in ([], ["x*"], ["x*", "text", "--random"], ["x*", "text", "--field", "f"]):
        status, out, err = run("series", *words)
        assert status in (1, 2) and out == "" and len(err.strip().splitlines()) <= 2, (words, err)


def test_paths_without_a_pattern_and_open_models(run_folder, run):
    places = [str(run_folder / f"checkpoint-{step}") for step in STEPS]
    status, out, err = run("series", *places, "--ids", "5,6,7,8", "--json", "-q")
    assert status == 0, err
    models = [attnviz.load(Path(place)) for place in places]
    np.testing.assert_equal(
        [row["drift"] for row in json.loads(out)],
        [row["drift"] for row in attnviz.series(models, ids=[5, 6, 7, 8]).rows()],
    )


def test_a_head_that_is_not_there_is_said_before_any_work(run_folder, monkeypatch):
    monkeypatch.setattr("attnviz.corpora.follow.measure", None)
    with pytest.raises(SelectionError, match="head 4 is not there"):
        attnviz.series(pattern(run_folder), ids=IDS, heads=4)
