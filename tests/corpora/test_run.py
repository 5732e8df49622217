"""Whole runs: right numbers, the same bytes however they were made, nothing lost and nothing mixed in."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import attnviz
from attnviz.cli import main
from attnviz.corpora import pool
from attnviz.corpora.job import Job, parts
from attnviz.corpora.merge import totals_of, write_totals
from attnviz.corpora.pool import Here, Processes
from attnviz.corpora.run import run
from attnviz.corpora.store import Store
from attnviz.corpora.texts import numbered
from attnviz.errors import InputError, ModelError, OutputError, SelectionError
from attnviz.measures.distance import divergence

pq = pytest.importorskip("pyarrow.parquet")
EVERY = ("stats", "roles", "variability", "links")
WORDS = "the a cat dog sat on under mat because it was too tired , and . street animal cross didn't".split()


def sentences(n, seed=0):
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 30))) for _ in range(n)]


@pytest.fixture(scope="module")
def model():
    return attnviz.load("tiny")


def job_of(model, size=10, **how):
    return Job.of(model, how.pop("measures", EVERY), texts=size, **how)


def measured(model, texts, folder, executor=None, **how):
    part = how.pop("part", (1, 1))
    return run(job_of(model, **how), lambda: numbered(texts), folder, executor or Here(), part=part)


def files_of(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


def table(folder):
    return pq.read_table(Path(folder) / "rows")


@pytest.fixture(scope="module")
def straight(model, tmp_path_factory):
    """A run in this process that nothing disturbed: its texts and its folder."""
    texts, folder = sentences(43), tmp_path_factory.mktemp("straight") / "out"
    texts[5], texts[17] = " ", "far " * 3000
    measured(model, texts, folder)
    return texts, folder


def test_numbers_are_the_ones_of_each_text_alone(model, straight):
    texts, folder = straight
    rows = table(folder).to_pydict()
    at = {(t, i, j): k for k, (t, i, j) in enumerate(zip(rows["text"], rows["layer"], rows["head"], strict=True))}
    assert len(at) == 41 * model.n_layers * model.n_heads
    for number in (0, 3, 11, 42):
        stats = attnviz.stats(model, texts[number])
        for wanted in stats.rows():
            k = at[number, wanted["layer"], wanted["head"]]
            for name in ("entropy", "span", "distance", "confidence", "previous", "next", "self", "first", "special"):
                if wanted[name] == wanted[name]:
                    assert rows[name][k] == pytest.approx(wanted[name], abs=2e-5), name
                else:
                    assert rows[name][k] is None
        for wanted in attnviz.roles(model, texts[number]).rows():
            k = at[number, wanted["layer"], wanted["head"]]
            got = rows[f"{wanted['role'].replace('-', '_')}_role"][k]
            assert (got is None) == (wanted["score"] != wanted["score"])
            assert got is None or got == pytest.approx(wanted["score"], abs=2e-5)


def test_the_summary_is_over_texts(straight):
    _, folder = straight
    rows, summary = table(folder).to_pydict(), pq.read_table(folder / "summary.parquet").to_pylist()
    for name in ("entropy", "previous", "induction_role"):
        values = [
            v
            for v, i, j in zip(rows[name], rows["layer"], rows["head"], strict=True)
            if (i, j) == (2, 3) and v is not None
        ]
        [line] = [each for each in summary if (each["number"], each["layer"], each["head"]) == (name, 2, 3)]
        assert line["texts"] == len(values)
        assert line["mean"] == pytest.approx(np.mean(values), abs=1e-6)
        assert line["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)
        assert (line["low"], line["high"]) == pytest.approx((min(values), max(values)), abs=1e-6)


def test_texts_that_cannot_be_used_are_listed(straight):
    _, folder = straight
    skipped = [json.loads(line) for line in (folder / "skipped.jsonl").read_text().splitlines()]
    assert [each["text"] for each in skipped] == [5, 17]
    assert skipped[0]["reason"] == "empty" and "more than 128 tokens" in skipped[1]["reason"]
    totals = json.loads((folder / "totals.json").read_text())
    assert (totals["texts"], totals["skipped"]) == (41, 2)


def test_links_name_their_texts(model, straight):
    texts, folder = straight
    links = pq.read_table(folder / "links.parquet").to_pylist()
    for link in links[::97]:
        attention = model.attend(texts[link["text"]])
        assert attention.query_tokens[link["query"]] == link["query_token"]
        assert attention.key_tokens[link["key"]] == link["key_token"]
        weight = attention.weights[link["layer"], link["head"], link["query"], link["key"]]
        assert link["weight"] == pytest.approx(weight, abs=1e-5)


def test_distances_between_heads_are_over_all_rows(model, tmp_path):
    texts = ["the cat sat on the mat", "a dog", "", "the animal was too tired to cross the street"]
    for size in (4, 1):
        measured(model, texts, tmp_path / f"out{size}", measures=("similar",), size=size)
        rows = pq.read_table(tmp_path / f"out{size}" / "distances.parquet").to_pylist()
        apart, count = np.zeros((48, 48)), 0
        for text in filter(None, texts):
            maps = model.attend(text).weights.reshape(48, -1, len(model.tokens(text)))
            apart += divergence(maps[:, None], maps[None]).sum(-1)
            count += maps.shape[1]
        wanted = np.sqrt(apart / count)
        assert len(rows) == 48 * 47 // 2
        for row in rows[::13]:
            one, other = row["layer"] * 8 + row["head"], row["other_layer"] * 8 + row["other_head"]
            assert row["distance"] == pytest.approx(wanted[one, other], abs=2e-5)


def test_processes_give_the_same_bytes(model, straight, tmp_path):
    texts, folder = straight
    measured(model, texts, tmp_path / "out", Processes(2))
    assert files_of(tmp_path / "out") == files_of(folder)


def test_other_parts_give_the_same_numbers_to_rounding(model, straight, tmp_path):
    texts, folder = straight
    measured(model, texts, tmp_path / "out", size=7)
    one, other = (pq.read_table(each / "summary.parquet").to_pydict() for each in (folder, tmp_path / "out"))
    for name in ("mean", "sd", "low", "high"):
        pairs = [(a, b) for a, b in zip(one[name], other[name], strict=True) if a is not None]
        np.testing.assert_allclose(*zip(*pairs, strict=True), rtol=1e-4, atol=3e-6, err_msg=name)
    assert one["texts"] == other["texts"]


def test_an_array_of_jobs_gives_the_same_bytes(model, straight, tmp_path):
    texts, folder = straight
    assert measured(model, texts, tmp_path / "out", part=(2, 3)) is None
    with pytest.raises(InputError, match="3 of 5 parts are missing: 0, 2, 3"):
        totals_of(Store(tmp_path / "out"))
    for k in (3, 1):
        measured(model, texts, tmp_path / "out", part=(k, 3))
    write_totals(Store(tmp_path / "out"))
    assert files_of(tmp_path / "out") == files_of(folder)
    with pytest.raises(SelectionError, match="part wants k/n"):
        measured(model, texts, tmp_path / "out", part=(4, 3))


def test_a_run_continues_with_what_is_missing_alone(model, straight, tmp_path):
    texts, folder = straight
    shutil.copytree(folder, tmp_path / "out")
    [lost, *_] = sorted((tmp_path / "out" / "rows").glob("part-000003*"))
    lost.unlink()
    done = []
    run(job_of(model), lambda: numbered(texts), tmp_path / "out", Here(), progress=lambda plan, one: done.append(one))
    assert [one.name for one in done if one] == [lost.stem]
    assert files_of(tmp_path / "out") == files_of(folder)


def test_what_has_changed_is_not_mixed_in(model, straight, tmp_path):
    texts, folder = straight
    shutil.copytree(folder, tmp_path / "out")
    before = files_of(tmp_path / "out")
    with pytest.raises(OutputError, match="its --links is 10, not 3"):
        measured(model, texts, tmp_path / "out", links=3)
    with pytest.raises(OutputError, match="another run: its model is 'attnviz tiny', not 'seeded'"):
        measured(attnviz.load("seeded"), texts, tmp_path / "out")
    with pytest.raises(OutputError, match="holds 1 parts of another input, the first part-000001"):
        measured(model, [*texts[:12], "changed", *texts[13:]], tmp_path / "out")
    assert files_of(tmp_path / "out") == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="holds other files"):
        measured(model, texts, tmp_path / "mine")


def test_texts_that_are_added_cost_their_parts_alone(model, straight, tmp_path):
    texts, folder = straight
    shutil.copytree(folder, tmp_path / "out")
    next((tmp_path / "out" / "rows").glob("part-000004*")).unlink()  # the last part was not full
    done = []
    more = [*texts, *sentences(9, seed=1)]
    run(job_of(model), lambda: numbered(more), tmp_path / "out", Here(), progress=lambda plan, one: done.append(one))
    assert len(done) == 1 + 2
    measured(model, more, tmp_path / "fresh")
    assert files_of(tmp_path / "fresh").items() <= files_of(tmp_path / "out").items()


@pytest.fixture
def dying(tmp_path, monkeypatch):
    """Workers that some texts end."""
    script = tmp_path / "python"
    helper = Path(__file__).parents[1] / "helpers" / "dying_worker.py"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{helper}"\n')
    script.chmod(0o755)
    monkeypatch.setattr(pool.sys, "executable", str(script))


def test_a_text_that_ends_its_process_is_noted(model, dying, tmp_path):
    texts = sentences(12)
    texts[7] = "kill me now"
    totals = measured(model, texts, tmp_path / "out", Processes(1, failures=2), size=6)
    [fault] = totals.faults
    assert fault[0] == 7 and fault[2] == "ended the process that measured it, 2 times (signal 9)"
    assert totals.texts == 11


def test_an_error_in_a_process_is_raised_here(model, tmp_path, monkeypatch):
    job = job_of(model)
    object.__setattr__(job, "contents", "0123456789abcdef")
    with pytest.raises(ModelError, match=r"tiny has other contents here: .* not 0123456789abcdef"):
        run(job, lambda: numbered(["a b c"]), tmp_path / "out", Processes(2))


KILLED = """
import sys
from attnviz.cli import main
sys.exit(main(["corpus", "texts.txt", "-o", "out", "--part-texts", "10", "--workers", "2", "-q"]))
"""


def test_kill_9_at_any_moment_loses_nothing(model, straight, tmp_path):
    """scripts/kill_corpus.py does the same 200 times."""
    texts, folder = straight
    (tmp_path / "texts.txt").write_text("\n".join(texts) + "\n")
    draw = random.Random(7)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", KILLED], cwd=tmp_path, env=environment)
        time.sleep(draw.uniform(0.2, 2.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for rows in (tmp_path / "out" / "rows").glob("*.parquet"):
            pq.read_table(rows)
    subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, env=environment, check=True)
    again, wanted = files_of(tmp_path / "out"), files_of(folder)
    assert not any(".unfinished" in name for name in again)
    assert {name for name in again if name.startswith("rows")} == {
        f"rows/{part.name}.parquet" for part in parts(_texts_of(tmp_path), job_of(model))
    }
    assert again["summary.parquet"] == wanted["summary.parquet"]


def _texts_of(folder):
    from attnviz.corpora.texts import read_texts

    return read_texts([str(folder / "texts.txt")])


def test_a_full_disk_is_one_line_and_the_run_continues(model, straight, tmp_path, monkeypatch):
    texts, folder = straight
    store_put, left = Store.put, [4]

    def put(self, name, data):
        left[0] -= 1
        if left[0] < 0:
            raise OutputError("cannot write: No space left on device")
        store_put(self, name, data)

    monkeypatch.setattr(Store, "put", put)
    with pytest.raises(OutputError, match="No space left"):
        measured(model, texts, tmp_path / "out")
    monkeypatch.setattr(Store, "put", store_put)
    measured(model, texts, tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(folder)


def test_a_file_of_every_text(model, tmp_path):
    measured(model, ["the cat sat", "", "on the mat"], tmp_path / "out", each="npz")
    each = sorted(place.name for place in (tmp_path / "out" / "each").iterdir())
    assert each == ["000000000.npz", "000000002.npz"]
    attention = attnviz.open(tmp_path / "out" / "each" / "000000002.npz")
    np.testing.assert_array_equal(attention.weights, model.attend("on the mat").weights)


def test_special_tokens_are_left_out_where_asked(tmp_path):
    model = attnviz.load("tiny")
    measured(model, ["the cat sat on the mat"], tmp_path / "out", measures=("stats",), no_special=True)
    rows = table(tmp_path / "out").to_pylist()
    wanted = attnviz.stats(model, "the cat sat on the mat", no_special=True).rows()
    assert rows[0]["tokens"] < len(model.tokens("the cat sat on the mat"))
    for got, each in zip(rows, wanted, strict=True):
        assert got["entropy"] == pytest.approx(each["entropy"], abs=2e-5)


def test_a_damaged_part_is_one_line(model, straight, tmp_path):
    _, folder = straight
    shutil.copytree(folder, tmp_path / "out")
    [place] = (tmp_path / "out" / "sums").glob("part-000002*")
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(data)
    with pytest.raises(InputError, match="part-000002") as caught:
        write_totals(Store(tmp_path / "out"))
    assert caught.value.hint.startswith("remove part-000002")
    place.write_bytes(b"PK")
    with pytest.raises(InputError, match="part-000002"):
        write_totals(Store(tmp_path / "out"))


def test_rows_that_were_cut_short_are_measured_again(model, straight, tmp_path):
    texts, folder = straight
    shutil.copytree(folder, tmp_path / "out")
    [place] = (tmp_path / "out" / "rows").glob("part-000002*")
    place.write_bytes(place.read_bytes()[:-1000])
    with pytest.raises(InputError, match="1 of 5 parts are missing: 2"):
        write_totals(Store(tmp_path / "out"))
    measured(model, texts, tmp_path / "out")
    assert files_of(tmp_path / "out") == files_of(folder)


def test_texts_that_cannot_be_read_leave_no_folder(model, tmp_path):
    with pytest.raises(InputError, match="there are no texts"):
        measured(model, [], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_text_that_can_be_used_is_an_error(model, tmp_path):
    with pytest.raises(InputError, match="none of the 2 texts could be used; the first, text 0: empty"):
        measured(model, ["", " "], tmp_path / "out")


def command(*words, capsys):
    status = main(["corpus", *map(str, words)])
    return status, *capsys.readouterr()


def test_the_command_from_a_file_to_a_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("texts.txt").write_text("the cat sat\n\non the mat\n")
    status, out, err = command("texts.txt", "-o", "out", "--workers", "1", capsys=capsys)
    assert (status, out) == (0, "out\n")
    assert "2 texts, " in err and "1 could not be used (skipped.jsonl)" in err
    status, out, _ = command("merge", "out", "--json", capsys=capsys)
    assert status == 0
    assert {"number", "layer", "head", "texts", "mean", "sd", "median"} <= json.loads(out)[0].keys()


BAD = {
    (): "wanted texts",
    ("texts.txt",): "wanted a folder for the files: -o DIR",
    ("absent.txt", "-o", "out"): "no such file or folder of texts: 'absent.txt'",
    ("empty.txt", "-o", "out"): "there are no texts",
    ("texts.txt", "-o", "out", "--part", "0/3"): "--part wants K/N",
    ("texts.txt", "-o", "out", "--analysis", "qk"): "--analysis must be one of stats, roles, variability, links",
    ("texts.txt", "-o", "out", "--workers", "0"): "--workers wants",
    ("texts.txt", "-", "-o", "out"): "standard input cannot be read beside other texts",
    ("texts.txt", "-o", "texts.txt"): "cannot",
    ("texts.txt", "-o", "out", "--stream", "cross"): "tiny can be asked for self here",
    ("merge", "texts.txt"): "holds no corpus",
    ("merge",): "missing argument 'DIR'",
}


@pytest.mark.parametrize("words", BAD, ids=" ".join)
def test_what_cannot_be_is_one_line(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("texts.txt").write_text("the cat sat\n")
    Path("empty.txt").write_text("")
    status, out, err = command(*words, capsys=capsys)
    assert status in (1, 2) and out == ""
    assert BAD[words] in err and len(err.splitlines()) <= 2 and "Traceback" not in err
    assert not Path("out").exists() or not list(Path("out").rglob("*.parquet"))


def test_without_pyarrow_it_says_so_before_any_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "texts.txt").write_text("the cat sat\n")
    status, _, err = command(tmp_path / "texts.txt", "-o", tmp_path / "out", capsys=capsys)
    assert status == 1 and "needs pyarrow" in err and 'pip install "attnviz[corpus]"' in err
    assert not (tmp_path / "out").exists()
