"""Corpora on a cluster: a real scheduler and worker processes that are killed, differ, come late and leave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
from helpers.dask_machines import Machines

from attnviz.cli import main
from attnviz.corpora import cluster as module
from attnviz.corpora import remote
from attnviz.corpora.cluster import AHEAD, Cluster
from attnviz.corpora.job import Job
from attnviz.corpora.pool import Here
from attnviz.corpora.run import run
from attnviz.corpora.suspects import Ask, Died, answered, asks
from attnviz.corpora.texts import Text
from attnviz.errors import AttnvizWarning, ModelError, SelectionError
from attnviz.models.find import TINY
from attnviz.models.load import load

WORDS = ("the cat sat on the mat", "because it was tired", "two dogs ran , and the cat slept", "words")
TEXTS = [Text(i, f"texts.txt:{i + 1}", f"{WORDS[i % 4]} {WORDS[i % 3]}") for i in range(24)]


@pytest.fixture(scope="session")
def all_machines(tmp_path_factory):
    machines = Machines(tmp_path_factory.mktemp("cluster"))
    (machines.here / "model.gguf").write_bytes(TINY.read_bytes())
    yield machines
    machines.close()


@pytest.fixture
def machines(all_machines, monkeypatch):
    """The cluster without workers; this process is on the machine `here`."""
    monkeypatch.chdir(all_machines.here)
    monkeypatch.setattr(module, "LOOK", 0.1)
    yield all_machines
    all_machines.stop_workers()


@pytest.fixture(scope="session")
def client(all_machines):
    from distributed import Client

    with Client(scheduler_file=str(all_machines.file), set_as_default=False) as client:
        yield client


@pytest.fixture
def job():
    return Job.of(load("tiny"), ["stats", "links"], links=3, texts=3)


@pytest.fixture
def local(job, tmp_path):
    """The files of a run in this process."""
    run(job, lambda: iter(TEXTS), tmp_path / "local", Here())
    return contents(tmp_path / "local")


def contents(folder):
    return {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}


def in_the_middle(marker, act):
    """Once a slow worker is at a part: do something to it, and let the run go on."""

    def wait():
        while not (marker.exists() and marker.read_text()):
            time.sleep(0.02)
        act(int(marker.read_text()))
        Path(f"{marker}.go").touch()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_three_workers_make_the_same_files_as_one_process(machines, client, job, local, tmp_path):
    for _ in range(3):
        machines.start()
    waiting = []  # texts that are read and not done, at each one that is read

    def texts():
        for text in TEXTS:
            waiting.append(waiting[-1] + 1 if waiting else 1)
            yield text

    def progress(plan, done):
        if done is None:
            waiting.clear()  # they were read for the plan
        else:
            waiting.append(waiting[-1] - done.texts)

    totals = run(job, texts, tmp_path / "far", Cluster(client=client), progress=progress)
    assert totals.texts == len(TEXTS)
    assert contents(tmp_path / "far") == local
    assert max(waiting) <= 3 * AHEAD * job.texts + 1  # a part ends where the next one begins


def test_files_come_back_from_workers_that_do_not_see_the_folder(machines, client, job, local, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # the machine of this process alone has this folder
    folder = Path("/proc/self/cwd/far")
    machines.start(folder=machines.here)
    machines.start(folder=tmp_path, threads=3)
    run(job, lambda: iter(TEXTS), folder, Cluster(client=client))
    assert contents(tmp_path / "far") == local
    assert not (machines.here / "far").exists()


def test_a_worker_that_is_killed_costs_its_parts(machines, client, job, local, tmp_path):
    marker = tmp_path / "at-it"
    machines.start(slow=str(marker))
    machines.start()
    machines.start()
    thread = in_the_middle(marker, lambda process: os.kill(process, signal.SIGKILL))
    run(job, lambda: iter(TEXTS), tmp_path / "far", Cluster(client=client))
    assert not thread.is_alive()
    assert contents(tmp_path / "far") == local


def test_a_worker_that_retires_loses_nothing_and_is_no_death(machines, client, job, local, tmp_path):
    marker = tmp_path / "at-it"
    machines.start()
    address = only_worker(client)
    machines.stop_workers()
    while client.nthreads():
        time.sleep(0.02)
    machines.start(slow=str(marker))
    address = only_worker(client)

    def retire(process):
        machines.start()
        client.retire_workers([address], close_workers=True)

    in_the_middle(marker, retire)
    run(job, lambda: iter(TEXTS), tmp_path / "far", Cluster(client=client, failures=1))
    assert contents(tmp_path / "far") == local


def test_a_process_that_has_not_opened_the_job_opens_it(machines, client, job, local, tmp_path):
    """Another process may have the address of one that died."""
    marker = tmp_path / "at-it"
    machines.start(slow=str(marker))
    in_the_middle(marker, lambda process: client.run(remote._opened.clear))
    run(job, lambda: iter(TEXTS), tmp_path / "far", Cluster(client=client))
    assert contents(tmp_path / "far") == local


def only_worker(client):
    while len(there := client.nthreads()) != 1:
        time.sleep(0.02)
    return next(iter(there))


def test_workers_of_another_version_or_without_the_model_are_named_and_not_used(machines, client, tmp_path, local):
    model = "/proc/self/cwd/model.gguf"  # not on the other machine
    job = Job.of(load(model), ["stats", "links"], links=3, texts=3)
    run(job, lambda: iter(TEXTS), tmp_path / "near", Here())
    machines.start(version="0.0.1")
    machines.start(folder=machines.elsewhere)
    machines.start()
    with pytest.warns(AttnvizWarning) as told:
        run(job, lambda: iter(TEXTS), tmp_path / "far", Cluster(client=client))
    messages = sorted(str(each.message).partition(" is not used: ")[2] for each in told)
    assert len(messages) == 2
    assert messages[0].startswith("attnviz 0.0.1 is there, the run has ")
    assert model in messages[1]
    assert contents(tmp_path / "far") == contents(tmp_path / "near")


def test_a_worker_whose_model_has_other_numbers_is_not_used(machines, client, monkeypatch, tmp_path):
    changed = bytearray(TINY.read_bytes())
    changed[-1] ^= 1
    (machines.elsewhere / "model.gguf").write_bytes(changed)
    job = Job.of(load("/proc/self/cwd/model.gguf"), ["stats"], texts=3)
    monkeypatch.setattr(module, "GRACE", 0.3)
    machines.start(folder=machines.elsewhere)
    try:
        with pytest.warns(AttnvizWarning, match="other contents|has changed"), pytest.raises(ModelError, match="none"):
            run(job, lambda: iter(TEXTS), tmp_path / "far", Cluster(client=client))
    finally:
        (machines.elsewhere / "model.gguf").unlink()


def test_a_run_waits_for_workers_and_uses_those_that_come_late(machines, client, job, local, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "GRACE", 0.2)
    marker = tmp_path / "at-it"

    def late():
        time.sleep(0.6)
        machines.start(slow=str(marker))

    def later(process):  # the first is held until one of another version and a good one have come
        machines.start(version="0.0.1")
        machines.start()
        while len(list((tmp_path / "far/rows").glob("*"))) < 6:
            time.sleep(0.02)

    threading.Thread(target=late, daemon=True).start()
    in_the_middle(marker, later)
    with pytest.warns(AttnvizWarning) as told:
        run(job, lambda: iter(TEXTS), tmp_path / "far", Cluster(client=client))
    messages = [str(each.message) for each in told]
    assert messages[0] == "the cluster has no worker that can be used: waiting for one"
    assert len(messages) == 2 and "0.0.1" in messages[1]
    assert contents(tmp_path / "far") == local


def test_a_text_that_ends_its_workers_is_recorded_and_the_rest_is_measured(machines, client, job, tmp_path):
    texts = [Text(each.number, each.where, "a dreadful text") if each.number == 13 else each for each in TEXTS]
    for _ in range(3):
        machines.start(kill="dreadful", forever=True)
    found = []
    totals = run(
        job,
        lambda: iter(texts),
        tmp_path / "far",
        Cluster(client=client, failures=2),
        progress=lambda plan, done: found.append(done),
    )
    assert totals.texts == len(TEXTS) - 1
    ((number, where, reason),) = totals.faults
    assert (number, where) == (13, "texts.txt:14")
    assert reason == "ended the process that measured it, 2 times (its worker was lost)"
    assert [each.killers for each in found if each is not None and each.killers] == [(13,)]
    marked = [Text(13, where, "", reason) if each.number == 13 else each for each in texts]
    run(job, lambda: iter(marked), tmp_path / "near", Here())
    for name in ("summary.parquet", "links.parquet", "skipped.jsonl", "sums.npz"):
        assert (tmp_path / "far" / name).read_bytes() == (tmp_path / "near" / name).read_bytes()


def test_deaths_are_counted_before_a_text_is_at_fault():
    part = _part("one", "bad", "three")
    asked = []

    def answer(ask):
        asked.append(ask)
        if any(text.text == "bad" for text in ask.part.texts):
            raise Died("signal 9")
        return len([each for each in ask.part.texts if not each.fault]), 7, 1

    done = answered(asks(part, 3), answer)
    assert done == (part.name, 2, 7, 1, (1,))
    assert [(ask.what, len(ask.part.texts), ask.alone) for ask in asked] == [
        *[("work", 3, False), ("work", 3, True), ("work", 3, True)],
        *[("try", 1, True), *[("try", 1, True)] * 3, ("try", 1, True)],
        ("work", 3, True),
    ]
    assert asked[-1].part.texts[1].fault == "ended the process that measured it, 3 times (signal 9)"
    assert asked[-1].part.name == part.name


def test_a_part_that_dies_without_a_text_at_fault_is_an_error():
    def answer(ask: Ask):
        if len(ask.part.texts) > 1:
            raise Died("signal 9")
        return 1, 1, 0

    with pytest.raises(ModelError, match="died 2 times at part-000000"):
        answered(asks(_part("one", "two"), 2), answer)


def _part(*texts):
    from attnviz.corpora.job import Part

    return Part(0, tuple(Text(i, f"a:{i}", text) for i, text in enumerate(texts)), "0123")


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_a_command_on_a_cluster_at_once(machines, client, tmp_path):
    marker, texts = tmp_path / "at-it", tmp_path / "texts.txt"
    texts.write_text("".join(f"{each.text}\n" for each in TEXTS))
    machines.start(slow=str(marker))
    command = [sys.executable, "-m", "attnviz", "corpus", str(texts), "-o", str(tmp_path / "far")]
    command += ["--analysis", "stats", "--scheduler-file", str(machines.file), "--part-texts", "3"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not marker.exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == 130 and not said
    assert time.monotonic() - began < 10
    while client.cluster_dump_is_empty() if hasattr(client, "cluster_dump_is_empty") else _tasks(client):
        time.sleep(0.02)
    marker.with_name("at-it.go").touch()
    assert main([*command[3:]]) == 0
    assert len(list((tmp_path / "far/rows").iterdir())) == 8


def _tasks(client):
    """The requests that the scheduler still has for its workers."""
    return sum(map(len, client.processing().values()))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--scheduler", "tcp://localhost:1", "--workers", "2"), "--workers is for this machine"),
        (("--scheduler", "tcp://localhost:1", "--scheduler-file", "a.json"), "both name a scheduler"),
    ],
)
def test_options_that_contradict_each_other(options, said, capsys):
    assert main(["corpus", "a.txt", "-o", "out", *options]) == 2
    assert said in capsys.readouterr().err


def test_a_scheduler_that_is_not_there(tmp_path, job):
    import distributed  # noqa: F401  brings its settings, which would be lost with the changed one
    from dask import config

    with config.set({"distributed.comm.timeouts.connect": "300ms"}):
        for where in ({"scheduler": "tcp://127.0.0.1:9"}, {"scheduler": "no address"}, {"scheduler_file": "none.json"}):
            with pytest.raises(SelectionError, match="scheduler"):
                run(job, lambda: iter(TEXTS), tmp_path / "far", Cluster(**where))


def test_without_dask_the_error_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    texts = tmp_path / "texts.txt"
    texts.write_text("a text\n")
    assert main(["corpus", str(texts), "-o", str(tmp_path / "far"), "--scheduler", "tcp://localhost:8786"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") <= 2 and 'pip install "attnviz[dask]"' in said


def test_a_cluster_is_named_once():
    for where in ({}, {"scheduler": "a", "scheduler_file": "b"}):
        with pytest.raises(SelectionError, match="one of scheduler, scheduler_file and client"):
            Cluster(**where)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Cluster("tcp://localhost:8786").failures is None
