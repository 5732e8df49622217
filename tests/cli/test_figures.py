"""`attnviz figures`: a plan is drawn, only what has changed is drawn again, and what is wrong with it is one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import pytest
from helpers.paths import ROOT
from PIL import Image

import attnviz
from attnviz.cli import main

FIGURE = '[[figure]]\ncommand = "export"\noutput = "a.npz"\ntext = "the cat sat"\n'


@pytest.fixture
def plan(tmp_path, monkeypatch, capsys):
    """Write a plan and run the command -> (exit status, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ATTNVIZ_MODEL", raising=False)

    def run(text=None, *more):
        if text is not None:
            (tmp_path / "p.toml").write_text(text, encoding="utf-8")
        status = main(["figures", "p.toml", *more])
        return status, *capsys.readouterr()

    return run


def states(plan, *more):
    out = plan(None, "--json", "-o", "none", "--workers", "1", *more)[1]
    return {row["figure"]: row["state"] for row in map(json.loads, re.findall(r"\{.*\}", out))}


def test_the_sample_plan_is_drawn_with_its_contact_sheet(tmp_path, capsys):
    shutil.copytree(ROOT / "sample_inputs", tmp_path / "paper", ignore=shutil.ignore_patterns("figures", ".*"))
    place = tmp_path / "paper" / "paper.toml"
    entries = tomllib.loads(place.read_text(encoding="utf-8"))["figure"]
    assert main(["figures", str(place)]) == 0, capsys.readouterr().err
    out = capsys.readouterr().out.splitlines()
    folder = place.parent
    assert [os.path.realpath(path) for path in out] == [
        *(str(folder / entry["output"]) for entry in entries), str(folder / "paper.contact.png")
    ]  # fmt: skip
    assert all((folder / entry["output"]).stat().st_size for entry in entries)
    lock = (folder / "paper.lock.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in lock and sorted(json.loads(lock)["figures"]) == sorted(e["output"] for e in entries)
    assert Image.open(folder / "paper.contact.png").size[0] == 1600


TWO = """
[defaults]
model = "tiny"
words = true
[[figure]]
command = "export"
output = "fig/one.npz"
file = "one.txt"
[[figure]]
command = "heatmap"
output = "fig/two.png"
text = "the dog saw the cat"
head = "0.1"
"""


def test_from_nothing_again_all_files_are_the_same(plan, tmp_path):
    """Pictures, lock and contact sheet, with one process or two; a second run writes nothing."""
    (tmp_path / "one.txt").write_text("the cat sat")
    files = ("fig/one.npz", "fig/two.png", "p.lock.json", "p.contact.png")
    assert plan(TWO, "--workers", "1")[0] == 0
    before = [(tmp_path / name).read_bytes() for name in files]
    times = [(tmp_path / name).stat().st_mtime_ns for name in files]
    assert plan(None) == (0, "", "0 drawn, 2 up to date, 0 failed\n")
    assert [(tmp_path / name).stat().st_mtime_ns for name in files] == times
    shutil.rmtree(tmp_path / "fig")
    shutil.rmtree(tmp_path / ".attnviz_cache")
    (tmp_path / "p.lock.json").unlink()
    (tmp_path / "p.contact.png").unlink()
    assert plan(None, "--workers", "2")[0] == 0
    assert [(tmp_path / name).read_bytes() for name in files] == before


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "html"])
def test_a_contact_sheet_shows_pictures_cards_and_failures(tmp_path, ending):
    """Three places: a picture, numbers, and a figure that could not be drawn."""
    import io

    from attnviz.cli.plans.sheet import Small, place_width, rows, sheet, write_sheet

    red = np.full((200, 300, 3), (200, 0, 0), np.uint8)
    smalls = [Small("fig/<a>.pdf", "heatmap", red), Small("b.csv", "links", None, "CSV"),
              Small("c.svg", "stats", None, "not drawn", True)]  # fmt: skip
    file = io.BytesIO()
    write_sheet(ending, "paper", smalls, file)
    data = file.getvalue()
    again = io.BytesIO()
    write_sheet(ending, "paper", smalls, again)
    assert data == again.getvalue()
    if ending == "png":
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        box = sheet("paper", smalls).images[0].box
        ((top, left),) = [np.argwhere((pixels == (200, 0, 0)).all(-1)).min(0)]
        assert (left, top) == (round(box.x / 0.36), round(box.y / 0.36))
        assert (pixels == (200, 0, 0)).all(-1).sum() == round(box.width / 0.36) * round(box.height / 0.36)
        assert box.width / box.height == pytest.approx(1.5, abs=0.02)
    if ending in ("svg", "html"):
        text = data.decode()
        for said in ("fig/&lt;a&gt;.pdf", "CSV", "not drawn", "c.svg"):
            assert said in text
        assert "<script" not in text and "<a>" not in text
    for aspects in ([1.0], [0.05, 40.0, 1.0], [1.3] * 23, [0.7, 0.7, 2.0, 1.0, 1.0, 0.3, 5.0], [0.6] * 11):
        found = rows(aspects)
        assert [i for row, _ in found for i in row] == list(range(len(aspects)))  # each once, in order
        assert all(40 < height <= 128 * 1.3 or max(aspects) > 3 for _, height in found)
        assert all(sum(place_width(aspects[i], height) + 16 for i in row) <= 576 - 2 * 28 + 17 for row, height in found)


def test_only_what_has_changed_is_drawn_again(plan, tmp_path):
    (tmp_path / "one.txt").write_text("the cat sat")
    assert plan(TWO)[0] == 0
    drawn, current = "drawn", "up to date"
    one, two = tmp_path / "fig" / "one.npz", tmp_path / "fig" / "two.png"
    assert states(plan) == {"fig/one.npz": current, "fig/two.png": current}
    (tmp_path / "one.txt").write_text("the cat ran")  # what a figure reads
    assert states(plan) == {"fig/one.npz": drawn, "fig/two.png": current}
    assert [str(token) for token in attnviz.open(one).key_tokens] == ["[CLS]", "the", "cat", "ran", "[SEP]"]
    text = (tmp_path / "p.toml").read_text()
    (tmp_path / "p.toml").write_text(text.replace('head = "0.1"', 'head = "0.2"'))  # an option
    assert states(plan) == {"fig/one.npz": current, "fig/two.png": drawn}
    whole = two.read_bytes()
    two.write_bytes(whole[:-1])  # the file itself
    assert states(plan) == {"fig/one.npz": current, "fig/two.png": drawn}
    assert two.read_bytes() == whole
    one.unlink()
    assert states(plan) == {"fig/one.npz": drawn, "fig/two.png": current}
    assert states(plan, "--force", "--only", "two") == {"fig/two.png": drawn}
    (tmp_path / "p.lock.json").write_text("{not JSON")  # a lock that cannot be used is none
    assert states(plan) == {"fig/one.npz": drawn, "fig/two.png": drawn}


def test_a_model_whose_weights_change_is_drawn_again(plan, tmp_path):
    """Names and shapes stay, as after a step of training."""
    weights = {name: np.eye(4, dtype=np.float32) for name in ("W_Q", "W_K", "W_V")}
    np.savez(tmp_path / "hand.npz", n_heads=2, **weights)
    assert plan(f'{FIGURE}model = "hand.npz"\n', "-o", "none")[0] == 0
    assert states(plan) == {"a.npz": "up to date"}
    np.savez(tmp_path / "hand.npz", n_heads=2, **{**weights, "W_Q": 2 * weights["W_Q"]})
    assert states(plan) == {"a.npz": "drawn"}


def test_list_draws_nothing_and_says_why(plan, tmp_path):
    (tmp_path / "one.txt").write_text("the cat sat")
    status, out, err = plan(TWO, "--list")
    assert (status, err) == (0, "")
    assert out.splitlines() == ["fig/one.npz  export   to draw  new", "fig/two.png  heatmap  to draw  new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.txt", "p.toml"]


def test_one_that_fails_does_not_stop_the_others(plan, tmp_path):
    bad = '[[figure]]\ncommand = "heatmap"\noutput = "bad.png"\ntext = "the cat"\nquery = "dog"\n'
    status, out, err = plan(bad + FIGURE)
    assert status == 1
    assert out.split() == ["a.npz", "p.contact.png"]
    lines = err.splitlines()
    assert lines[0].startswith("error: bad.png: ") and "dog" in lines[0]
    assert lines[-1] == "1 drawn, 0 up to date, 1 failed"
    assert not (tmp_path / "bad.png").exists()
    rows = [json.loads(row) for row in re.findall(r"\{.*\}", plan(None, "--json")[1])]
    assert [(row["state"], bool(row["error"])) for row in rows] == [("failed", True), ("up to date", False)]


def test_a_page_of_figures_links_to_them_from_where_it_is(plan, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "one.txt").write_text("the cat sat")
    assert plan(TWO, "-o", "out/all.html")[0] == 0
    links = re.findall('href="(.*?)"', (tmp_path / "out" / "all.html").read_text())
    assert links == ["../fig/one.npz", "../fig/two.png"]


def test_quiet_says_nothing(plan):
    assert plan(FIGURE, "-q") == (0, "a.npz\np.contact.png\n", "")


def test_a_process_that_dies_costs_its_figure_only(plan, tmp_path, monkeypatch):
    """A text that ends its process stands for one that takes all memory."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, os, threading, time\n"
        "def watch():\n"
        "    while 'attnviz.models.model' not in sys.modules: time.sleep(0.01)\n"
        "    from attnviz.models.model import Model\n"
        "    real = Model.prepare\n"
        "    def prepare(self, *a, **k):\n"
        "        if k.get('text') == 'kill me': os.kill(os.getpid(), 9)\n"
        "        return real(self, *a, **k)\n"
        "    Model.prepare = prepare\n"
        "if sys.argv[0] == '-c': threading.Thread(target=watch, daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    killer = '[[figure]]\ncommand = "stats"\noutput = "k.json"\ntext = "kill me"\n'
    status, out, err = plan(killer + FIGURE, "--workers", "1", "-o", "none")
    assert (status, out) == (1, "a.npz\n"), err
    assert "k.json: its process ended, 2 times (signal 9)" in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FIGURE + 'heda = "1"\n', "p.toml: figure 1 (a.npz): export has no option 'heda'; did you mean head?"),
        (FIGURE.replace("export", "heatmaps"), "'heatmaps' is no command that writes a file; did you mean heatmap?"),
        (FIGURE.replace("export", "table"), "'table' is no command that writes a file"),
        (FIGURE + "head = 3.1\n", 'figure 1 (a.npz): head wants text for a pair, as in head = "3.1"; got 3.1'),
        (FIGURE + 'words = "yes"\n', "words wants true or false; got 'yes'"),
        (FIGURE + "cells = 1.5\n", "cells wants a whole number; got 1.5"),
        (FIGURE + "cells = 0\n", "--cells wants a whole number from 1 on; got 0"),
        (FIGURE + 'pool = "median"\n', "--pool must be one of max, mean; got 'median'"),
        (FIGURE + "layer = [true]\n", "layer wants text; got True"),
        (FIGURE + "quiet = true\n", "export has no option 'quiet'"),
        (FIGURE + 'file = "b.txt"\n', "TEXT and --file: wanted one of them"),
        (FIGURE.replace('"the cat sat"', '"-"'), "text is '-': a plan cannot read standard input"),
        (FIGURE.replace("text =", "file =").replace("the cat sat", "-"), "file is '-'"),
        (FIGURE + FIGURE, "figure 2 (a.npz): its output is written already"),
        (FIGURE.replace("a.npz", "p.toml"), "its output is written already, by another figure or as a file of the"),
        (FIGURE.replace("a.npz", "p.lock.json"), "its output is written already, by another figure or as a file of"),
        (FIGURE.replace("a.npz", "../a.npz"), "its output '../a.npz' is not in the folder of the plan"),
        (FIGURE.replace("a.npz", "/tmp/a.npz"), "its output '/tmp/a.npz' is not in the folder of the plan"),
        (FIGURE.replace("a.npz", "link/a.npz"), "its output 'link/a.npz' is not in the folder of the plan"),
        (FIGURE.replace("a.npz", "folder"), "its output 'folder' is there and no file"),
        (FIGURE.replace("a.npz", "in.txt") + 'pair = "x"\n[[figure]]\ncommand = "stats"\noutput = "b.json"\n'
         'file = "in.txt"\n', "in.txt is read by a figure of this plan, and would be replaced"),
        (FIGURE.replace('text = "the cat sat"', 'file = "/etc/passwd"'), "file '/etc/passwd' is not in the folder of"),
        (FIGURE.replace('output = "a.npz"\n', ""), "figure 1: needs an output"),
        (FIGURE.replace('command = "export"\n', ""), "figure 1 (a.npz): needs a command"),
        ('[defaults]\nwidht = 3\n' + FIGURE, "defaults: no command of this plan has an option 'widht'"),
        ('[default]\n' + FIGURE, "a heading must be one of [defaults], [[figure]]; got 'default'"),
        ("figure = 3", "wanted each figure under a heading of its own"),
        ("", "p.toml lists no figure"),
        ("a = [", "p.toml is not TOML"),
        ("[[figure]]\na = " + "[" * 5000, "p.toml is nested too deeply"),
        ("[[figure]]\na = " + "1" * 5000, "p.toml is not TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_plan_is_one_line(plan, tmp_path, tmp_path_factory, text, message):
    (tmp_path / "link").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    (tmp_path / "folder").mkdir()
    (tmp_path / "in.txt").write_text("the cat")
    before = sorted(tmp_path.iterdir())
    status, out, err = plan(text)
    assert (status, out) == (1, "")
    assert message.partition("; did")[0] in err.splitlines()[0]
    assert len(err.splitlines()) <= 2
    assert message.partition("; ")[2].startswith("did") <= ("hint: did you mean" in err)
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "p.toml"])


def test_files_of_a_stranger_are_not_written_through_links(plan, tmp_path, tmp_path_factory):
    """A lock, a cache or a contact sheet that is a link out of the folder would replace a file of the reader."""
    mine = tmp_path_factory.mktemp("mine")
    for name in ("p.lock.json", "p.contact.png", ".attnviz_cache"):
        (tmp_path / name).symlink_to(mine / name)
        status, _, err = plan(FIGURE)
        assert status == 1 and "is not in the folder of the plan" in err
        (tmp_path / name).unlink()
    assert list(mine.iterdir()) == []


def test_outside_is_for_who_asks(plan, tmp_path, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "t.txt").write_text("the cat sat")
    text = f'[[figure]]\ncommand = "export"\noutput = "{other}/a.npz"\nfile = "{other}/t.txt"\n'
    assert plan(text)[0] == 1
    assert plan(text, "--outside", "-o", "none")[0] == 0
    assert (other / "a.npz").exists()


def test_modules_in_the_folder_of_a_plan_are_not_imported(plan, tmp_path):
    for name in ("numpy", "json", "attnviz", "usercustomize"):
        (tmp_path / f"{name}.py").write_text("import pathlib\npathlib.Path('imported').touch()\n")
    assert plan(FIGURE)[0] == 0
    assert not (tmp_path / "imported").exists()


def test_an_option_of_an_entry_replaces_a_default(plan, tmp_path):
    text = (
        '[defaults]\ncommand = "stats"\ntext = "the cat sat"\nby = "entropy"\nmark = "the:cat"\n'
        '[[figure]]\noutput = "a.json"\n[[figure]]\noutput = "b.json"\nids = [2, 3]\nby = "distance"\n'
        '[[figure]]\ncommand = "heatmap"\noutput = "c.svg"\nhead = "0.1"\n'
    )
    assert plan(text, "-o", "none")[0] == 0
    rows = [json.loads((tmp_path / f"{name}.json").read_text()) for name in "ab"]
    assert "entropy" in rows[0][0] and rows[0] != rows[1]
    assert b"--mark the:cat" in (tmp_path / "c.svg").read_bytes()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.usefixtures("interruptible")
def test_a_run_that_is_ended_leaves_nothing_half_and_goes_on(tmp_path, stop):
    entries = "\n".join(
        f'[[figure]]\ncommand = "export"\noutput = "{i}.npz"\ntext = "the cat sat on mat {i}"\n' for i in range(30)
    )
    (tmp_path / "p.toml").write_text(entries)
    words = [sys.executable, "-m", "attnviz", "figures", "p.toml", "--workers", "2", "-o", "none"]
    child = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout is not None
    first = child.stdout.readline().strip()
    child.send_signal(stop)
    _, err = child.communicate(timeout=20)
    assert child.returncode in (130, 143, -9) and err == ""
    for _ in range(100):  # processes of a killed run end by themselves
        if not list(tmp_path.glob(".*.part")):
            break
        time.sleep(0.05)
    assert list(tmp_path.glob(".*.part")) == []
    lock = json.loads((tmp_path / "p.lock.json").read_text())["figures"]
    assert first in lock and len(lock) < 30
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert int(re.search(r"(\d+) up to date", done.stderr)[1]) >= len(lock) - 1
