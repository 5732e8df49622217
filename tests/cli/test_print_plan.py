"""Any command that writes a file prints itself as an entry of a plan, which draws the same bytes."""

from __future__ import annotations

import shlex
import shutil
import tomllib

import numpy as np
import pytest
from helpers.paths import ROOT

import attnviz
from attnviz.cli import main
from attnviz.cli.app import COMMANDS, build
from attnviz.cli.plans.entries import keys_of_command
from attnviz.cli.plans.toml import table

DRAWING = [name for name in COMMANDS if keys_of_command(name)]
# Commands whose help has no example with -o, and further kinds of files.
MORE = [
    'attnviz tokens "The cat sat on the mat" -o tokens.csv',
    'attnviz links "The cat sat on the mat" --top 3 -o links.csv',
    "attnviz check attention.npy -o checks.json",
    "attnviz models -o families.csv",
    "attnviz describe config.json -o description.json",
    "attnviz inspect seeded --n-heads 2 -o tensors.html",
    "attnviz diff 'a \"cat\" \\ sat' 'a dog sat' -o two.png --width 82mm",
    "attnviz heatmap 'the cat sat' -l 2 -H 0,1 --span 0-1:who -o spans.pdf",
    "attnviz heatmap 'the cat sat' -H 0-1 --frame-ms 500 -o layers.gif",
    "attnviz heatmap --from attention.npy --labels tokens.txt --words -o map.svg",
    "attnviz lines 'the cat sat' --as text --query sat -o sat.tex",
    "attnviz export 'the cat sat' -l 3 -o cat.csv",
    "attnviz heatmap -o dash.png --title=-x --no-causal -m seeded --mark a:b --mark b:a -- '-a b'",
    "attnviz generate 'the cat saw the dog and' -m seeded --causal --max-new 3 -o new.apng",
    "attnviz context --prompt mails.txt --split line --max-new 5 -o context.png",
    "attnviz roles 'The cat sat on the mat' -o roles.html",
    "attnviz logits 'the cat saw' -m seeded --causal --query all -o lens.pdf",
    "attnviz circuits seeded --n-layers 3 -o circuits.png",
    "attnviz mechanisms 'The cat sat' --mechanism window:2 --mechanism linear -o some.svg",
]
# Parts of examples that stand for another model, other files or minutes of work.
LEFT_OUT = ("path/to", "chapter.txt", "model.gguf", "--scaling", "-o -", "repeated.txt")


def lines():
    """The command lines that are tried: of each command the first example that writes a file, and MORE."""
    own = {}
    for name in DRAWING:
        for line in build(name).examples:
            if " -o " in line and not any(part in line for part in LEFT_OUT):
                own.setdefault(name, line.replace(" -m minilm", "").replace(".pdf", ".png"))
    numbered = enumerate([*own.values(), *MORE])
    return [line.replace(" -o ", f" -o {number}-") for number, line in numbered]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the examples name."""
    place = tmp_path_factory.mktemp("plan")
    shutil.copy(ROOT / "sample_inputs" / "mails.txt", place)
    shutil.copy(ROOT / "tests" / "reference" / "bert" / "config.json", place)
    np.save(place / "attention.npy", np.full((3, 3), 1 / 3, np.float32))
    attnviz.load("tiny").attend("the cat sat").save(place / "attention.npz")
    (place / "tokens.txt").write_text("the\ncat\nsat\n")
    return place


def printed(words, capsys):
    assert main([*words[:1], "--print-plan", *words[1:]]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    (entry,) = tomllib.loads(out)["figure"]
    return out, entry


def test_every_command_that_writes_a_file_is_tried():
    assert {shlex.split(line)[1] for line in lines()} == set(DRAWING)
    assert {"heatmap", "html", "export", "stats", "tokens"} <= set(DRAWING)
    assert not {"table", "figures"} & set(DRAWING)


def test_an_entry_draws_the_bytes_that_its_command_writes(folder, monkeypatch, capsys):
    """All commands in one plan, drawn by two processes that keep their models, against each command by itself."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ATTNVIZ_MODEL", raising=False)
    entries, written = [], {}
    for line in lines():
        words = shlex.split(line)[1:]
        out, entry = printed(words, capsys)
        assert main(words) == 0, capsys.readouterr().err
        capsys.readouterr()
        entries.append(out)
        written[entry["output"]] = (folder / entry["output"]).read_bytes()
        (folder / entry["output"]).unlink()
    (folder / "all.toml").write_text("\n".join(entries), encoding="utf-8")
    assert main(["figures", "all.toml", "--workers", "2", "-o", "none"]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out.split() == list(written)
    assert [name for name, data in written.items() if (folder / name).read_bytes() != data] == []


def test_the_entry_is_readable(capsys):
    words = ["heatmap", 'It is "a"\n\tbank', "-l", "3", "-H", "1", "--query", "3", "--width", "3.25", "--no-special"]
    assert printed([*words, "-o", "fig/bank.pdf"], capsys)[0].splitlines() == [
        "[[figure]]", 'command = "heatmap"', 'output = "fig/bank.pdf"', r'text = "It is \"a\"\n\tbank"',
        "no-special = true", "layer = 3", "head = 1", 'query = "3"', "width = 3.25",
    ]  # fmt: skip


def test_a_pair_of_layer_and_head_stays_text(capsys):
    assert 'head = "3.10"' in printed(["heatmap", "a", "-H", "3.10"], capsys)[0]
    assert 'head = "3.1"' in printed(["heatmap", "a", "-H", "3.1"], capsys)[0]


@pytest.mark.parametrize(
    ("words", "name"),
    [(("heatmap", "a"), "attention.png"), (("stats", "a"), "stats.png"), (("html", "a"), "attention.html"),
     (("export", "a"), "attention.npz"), (("stats", "a", "--format", "csv"), "stats.csv")],
)  # fmt: skip
def test_without_output_it_is_named_after_the_command(words, name, capsys):
    assert printed(words, capsys)[1]["output"] == name


@pytest.mark.parametrize("words", [("heatmap", "-"), ("stats", "--file", "-"), ("heatmap", "a", "-o", "-")])
def test_standard_streams_are_no_part_of_a_plan(words, capsys):
    assert main([*words, "--print-plan"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "--print-plan needs a" in err


@pytest.mark.parametrize("words", [("corpus", "report", "folder"), ("series", "run/a", "run/b", "the cat")])
def test_a_command_over_a_whole_folder_is_no_entry(words, capsys):
    assert main([*words, "--print-plan"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "cannot be an entry of a plan" in err


def test_wrong_usage_prints_no_entry(capsys):
    assert main(["heatmap", "a", "--scale", "cube", "--print-plan"]) == 2
    assert capsys.readouterr().out == ""


def test_the_environment_is_written_down(monkeypatch, capsys):
    monkeypatch.setenv("ATTNVIZ_MODEL", "seeded")
    assert printed(["heatmap", "a"], capsys)[1]["model"] == "seeded"


def test_nothing_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    printed(["heatmap", "--file", "missing.txt", "-m", "missing.gguf", "-o", "no/folder.png"], capsys)
    assert list(tmp_path.iterdir()) == []


def test_every_character_is_read_again():
    every = "".join(chr(i) for i in (*range(0x3100), *range(0xFE00, 0x10000), 0x1F600, 0xE0001, 0x10FFFF))
    values = {"plain-key_1": every, "a key": ["\\", '"', ""], every[:200]: 1.5, "yes": True, "no": -3}
    text = table("[[figure]]", values)
    assert tomllib.loads(text)["figure"] == [values]
    assert text.replace("\n", "").isprintable() and text.count("\n") == len(values) + 1
