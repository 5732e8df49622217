"""Checkpoints by patterns: which ones, in which order, with which steps."""

from __future__ import annotations

import pytest

from attnviz.corpora.checkpoints import find_run, natural, step_of
from attnviz.errors import InputError


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("checkpoint-500", ("step", 500)),
        ("step_1000", ("step", 1000)),
        ("step1000-tokens4B", ("step", 1000)),
        ("global_step143000", ("step", 143000)),
        ("epoch-3", ("epoch", 3)),
        ("epoch=1.5", ("epoch", 1.5)),
        ("epoch3-step1000", ("step", 1000)),
        ("step-10k", ("step", 10_000)),
        ("iter_0001000", ("step", 1000)),
        ("step_1000.safetensors", ("step", 1000)),
        ("model-7", ("step", 7)),
        ("final", None),
    ],
)
def test_the_step_in_a_name(name, wanted):
    assert step_of(name) == wanted


def folders(place, *names):
    for name in names:
        (place / name).mkdir(parents=True)
    return place


def found(*sources):
    run = find_run(sources)
    return [(each.name, each.step) for each in run.checkpoints], run.unit, run.name


def test_a_pattern_gives_checkpoints_in_the_order_of_their_steps(tmp_path):
    place = folders(tmp_path / "run", "checkpoint-1000", "checkpoint-20", "checkpoint-300")
    (place / "checkpoint-5.json").write_text("{}")
    want = [("checkpoint-20", 20), ("checkpoint-300", 300), ("checkpoint-1000", 1000)]
    assert found(f"{place}/checkpoint-*") == (want, "step", "run")
    listed = sorted(str(each) for each in place.glob("checkpoint-*[!n]"))
    assert found(*[each for each in listed if not each.endswith(".json")])[0] == want


def test_the_step_may_be_in_the_folder_above(tmp_path):
    for step in (30, 4):
        folders(tmp_path / f"step{step}", "model")
    assert found(f"{tmp_path}/*/model")[:2] == ([("step4", 4), ("step30", 30)], "step")


def test_without_steps_the_order_is_the_natural_one(tmp_path):
    folders(tmp_path, "a2", "b", "a10")
    names = [f"{tmp_path}/{name}" for name in ("a10", "b", "a2")]
    (first, *_), unit, _ = found(*names)
    assert unit == "order" and first == ("a2", 1.0)
    assert sorted(["s10", "s9", "s1"], key=natural) == ["s1", "s9", "s10"]


def test_what_has_no_step_among_others_is_left_out(tmp_path):
    folders(tmp_path, "checkpoint-1", "checkpoint-2", "logs")
    run = find_run([f"{tmp_path}/*"])
    assert [each.name for each in run.checkpoints] == ["checkpoint-1", "checkpoint-2"]
    assert run.left_out == ("logs",)


def test_a_step_twice_or_nothing_at_all_is_refused(tmp_path):
    folders(tmp_path, "step-1", "step_1", "step-2")
    with pytest.raises(InputError, match="two checkpoints have the step 1: 'step-1' and 'step_1'"):
        find_run([f"{tmp_path}/step*"])
    with pytest.raises(InputError, match="no checkpoints match"):
        find_run([f"{tmp_path}/nothing*"])
    with pytest.raises(InputError, match="no such checkpoint"):
        find_run([f"{tmp_path}/nothing"])
