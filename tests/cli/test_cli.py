"""The command line: what it prints where, what it writes, how it ends."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from helpers import command_line
from helpers.sentences import TIRED as TEXT
from PIL import Image

import attnviz
from attnviz.errors import AttnvizWarning

run = command_line.run  # a fixture

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def saved(tmp_path):
    """Attention of two layers and three heads over four words, from another program."""
    values = np.random.default_rng(0).dirichlet(np.ones(4), (2, 3, 4)).astype("f4")
    np.save(tmp_path / "f.npy", values)
    (tmp_path / "l.txt").write_text("un\ndeux\ntrois\nquatre\n")
    return values


def files(folder="."):
    return sorted(path.name for path in Path(folder).iterdir())


# ---- where things go


def test_version(run):
    assert run("--version") == (0, f"attnviz {attnviz.__version__}\n", "")


def test_no_words_at_all_is_help(run):
    status, out, err = run()
    assert status == 0
    assert "heatmap" in out
    assert err == ""


def test_the_path_of_a_file_is_standard_output(run):
    assert run("export", TEXT, "-o", "e.npz") == (0, "e.npz\n", "")
    assert run("export", TEXT, "-o", "./e.csv") == (0, "./e.csv\n", "")
    assert files() == ["e.csv", "e.npz"]


def test_a_free_name_and_a_named_file(run):
    names = [run("export", TEXT)[1], run("export", TEXT)[1], run("export", TEXT, "--format", "csv")[1]]
    assert names == ["attention.npz\n", "attention-2.npz\n", "attention.csv\n"]
    Path("mine.csv").write_text("old")
    run("export", TEXT, "-o", "mine.csv")
    assert Path("mine.csv").read_text().startswith("layer,head,query")


def test_standard_output_takes_the_bytes_alone(run):
    status, out, err = run("heatmap", "-", "-o", "-", stdin=TEXT.encode(), binary=True)
    assert (status, out[:8], err) == (0, PNG, "")
    assert run("heatmap", TEXT, "-o", "-", "--format", "svg")[1].startswith("<?xml")
    assert json.loads(run("export", TEXT, "-o", "-", "--format", "json")[1])["model"] == "seeded"
    status, out, _ = run("export", TEXT, "-o", "-", binary=True)
    assert np.load(io.BytesIO(out))["weights"].shape == (2, 4, 11, 11)
    assert files() == []


def test_heatmap_writes_every_format_twice_the_same(run):
    for ending, start in (("png", PNG), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        assert run("heatmap", TEXT, "-H", "0", "-o", f"a.{ending}") == (0, f"a.{ending}\n", "")
        first = Path(f"a.{ending}").read_bytes()
        assert first.startswith(start)
        run("heatmap", TEXT, "-H", "0", "-o", f"a.{ending}")
        assert Path(f"a.{ending}").read_bytes() == first


def test_a_bare_picture_prints_its_caption_to_standard_error(run):
    status, out, err = run("heatmap", TEXT, "-H", "0", "--bare", "-o", "a.svg")
    assert (status, out) == (0, "a.svg\n")
    assert err.startswith("seeded")
    assert "seed 0" in err
    assert len(err.splitlines()) == 1
    assert run("heatmap", TEXT, "-H", "0", "--bare", "-q", "-o", "a.svg")[2] == ""


def test_verbose_speaks_on_standard_error_only(run):
    _, out, err = run("export", TEXT, "-o", "e.npz", "-v")
    assert out == "e.npz\n"
    assert "seeded: self 2 x 4" in err


def test_what_made_it_is_in_the_file(run, monkeypatch, tmp_path):
    monkeypatch.delenv("ATTNVIZ_MODEL")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text.txt").write_text(TEXT)
    run(
        "export",
        "--file",
        tmp_path / "in" / "text.txt",
        "--seed",
        "3",
        "-l",
        "0",
        "-o",
        tmp_path / "in" / "e.npz",
        "-v",
    )
    meta = json.loads(str(np.load("in/e.npz")["meta"]))
    assert meta["command"] == "attnviz export --file text.txt --seed 3 --layer 0 --output e.npz"
    assert (meta["model"], meta["seed"], meta["version"]) == ("seeded", "3", attnviz.__version__)
    assert str(tmp_path).encode() not in Path("in/e.npz").read_bytes()


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["export", "It's"], '''attnviz export "It's"'''),
        (["export", "--", "-x"], "attnviz export -- -x"),
        (["export", "-H", "1", "--", "-x"], "attnviz export --head 1 -- -x"),
        (["export", "a/b c", "--causal"], "attnviz export 'a/b c' --causal".replace("'", '"')),
        (["export", "$HOME", "-m", "seeded"], "attnviz export '$HOME' --model seeded"),
    ],
)
def test_the_command_can_be_typed_again(run, monkeypatch, words, want):
    monkeypatch.delenv("ATTNVIZ_MODEL")
    made = json.loads(run(words[0], "-o", "-", "--format", "json", *words[1:])[1])["command"]
    assert made.replace(" --output - --format json", "") == want


# ---- what is read


def test_text_from_a_file_and_from_standard_input(run):
    want = run("tokens", TEXT, "--json")[1]
    Path("t.txt").write_bytes(b"\xef\xbb\xbf" + TEXT.encode() + b"\r\n")
    assert run("tokens", "--file", "t.txt", "--json")[1] == want
    assert run("tokens", "-", "--json", stdin=TEXT.encode() + b"\n")[1] == want
    assert run("tokens", "--file", "-", "--json", stdin=TEXT.encode() + b"\n")[1] == want


def test_a_text_that_begins_with_a_dash(run):
    tokens = [row["token"] for row in json.loads(run("tokens", "--json", "--", "-l is here")[1])]
    assert "here" in tokens


def test_only_one_line_break_is_dropped(run):
    _, out, _ = run("tokens", "--json", "-", stdin=b"a b\n\n")
    assert [row["token"] for row in json.loads(out)][:2] == ["a", "b"]
    from attnviz.files.text import decoded

    assert decoded(b"a\n\n", "x") == "a\n"
    assert decoded(b"a\r\n", "x") == "a"
    assert decoded(b"a\r", "x") == "a"


def test_ids_and_environment(run, monkeypatch, saved):
    monkeypatch.setenv("ATTNVIZ_MODEL", "./nowhere")
    assert run("tokens", TEXT)[0] == 1
    assert run("tokens", TEXT, "-m", "seeded")[0] == 0


def test_saved_attention_is_read_again(run, saved):
    run("export", "--from", "f.npy", "--labels", "l.txt", "-o", "s.npz")
    rows = json.loads(run("table", "--from", "s.npz", "-l", "0", "-H", "2", "--json")[1])
    assert [row["weight"] for row in rows] == [pytest.approx(float(w)) for w in saved[0, 2].ravel()]
    assert rows[1] == {
        "layer": 0,
        "head": 2,
        "query": 0,
        "query_token": "un",
        "key": 1,
        "key_token": "deux",
        "weight": rows[1]["weight"],
    }


@pytest.mark.parametrize(
    "words",
    [
        ("--model", "tiny"),
        ("--adapter", "lora"),
        ("--seed", "3"),
        ("--mechanism", "causal"),
        ("--pair", "dog"),
        ("--chat",),
        ("--global-tokens", "0"),
    ],
)
def test_attention_from_a_file_takes_no_model(run, saved, words):
    for command in (["heatmap"], ["stats"], ["diff", "--from-b", "f.npy"], ["rollout"], ["table"]):
        status, out, err = run(*command, "--from", "f.npy", "--labels", "l.txt", *words)
        assert (status, out) == (2, "")
        assert f"--from and {words[0]} exclude each other: the attention in a file is already computed" in err
    if words[0] in ("--adapter", "--mechanism"):
        assert f"f.npy and {words[0]} exclude each other" in run("check", "f.npy", *words)[2]


def test_the_model_of_the_environment_does_not_stand_in_the_way_of_a_file(run, monkeypatch, saved):
    monkeypatch.setenv("ATTNVIZ_MODEL", "seeded")
    assert run("stats", "--from", "f.npy", "--labels", "l.txt")[0] == 0


def test_a_foreign_array_is_drawn_with_its_labels(run, saved):
    assert run("heatmap", "--from", "f.npy", "--labels", "l.txt", "-o", "f.svg")[0] == 0
    assert "quatre" in Path("f.svg").read_text()


def test_odd_rows_are_drawn_with_a_warning(run):
    np.save("f.npy", np.array([[0.5, 0.2], [0.25, 0.75]]))
    status, out, err = run("heatmap", "--from", "f.npy", "-o", "f.svg")
    assert (status, out) == (0, "f.svg\n")
    assert err == "warning: 1 of 2 rows do not sum to 1 (from 0.7 to 1); they are drawn as they are\n"
    assert run("heatmap", "--from", "f.npy", "-o", "f.svg", "-q")[2] == ""


# ---- what is shown


def test_layers_default_to_the_last_for_tables_and_to_all_for_export(run):
    assert {row["layer"] for row in json.loads(run("table", TEXT, "--json")[1])} == {1}
    run("export", TEXT, "-o", "e.npz")
    assert np.load("e.npz")["layers"].tolist() == [0, 1]
    run("export", TEXT, "-l", "0", "-H", "3,1", "-o", "e.npz")
    assert (np.load("e.npz")["layers"].tolist(), np.load("e.npz")["heads"].tolist()) == ([0], [3, 1])


def test_query_and_tokens_keep_their_places(run):
    whole = {(r["query"], r["key"]): r["weight"] for r in json.loads(run("table", TEXT, "-H", "0", "--json")[1])}
    row = json.loads(run("table", TEXT, "-H", "0", "--query", "it", "--json")[1])
    assert {(r["query"], r["key"]): r["weight"] for r in row} == {k: w for k, w in whole.items() if k[0] == 7}
    part = json.loads(run("table", TEXT, "-H", "0", "--tokens", "3-7", "--query", "#7", "--json")[1])
    assert [(r["query"], r["key"], r["query_token"]) for r in part] == [(7, key, "it") for key in range(3, 8)]
    assert all(whole[r["query"], r["key"]] == r["weight"] for r in part)


def test_masked_pairs_are_left_out_of_the_long_form(run):
    rows = json.loads(run("table", "a b c", "--causal", "-H", "0", "--json")[1])
    assert [(row["query"], row["key"]) for row in rows] == [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)]


def test_tokens_lists_the_indices_that_query_takes(run):
    rows = json.loads(run("tokens", TEXT, "--json")[1])
    assert [row["index"] for row in rows] == list(range(11))
    it = next(row for row in rows if row["token"] == "it")
    assert (it["index"], TEXT[it["start"] : it["end"]]) == (7, "it")


def test_half_is_float16(run):
    run("export", TEXT, "--half", "-o", "e.npz")
    assert np.load("e.npz")["weights"].dtype == np.float16


def test_inspect_lists_tensors(run):
    rows = json.loads(run("inspect", "seeded", "--json")[1])
    query = next(row for row in rows if row["stored"] == "layers.0.q.weight")
    assert query["shape"] == [64, 64]
    assert query["min"] < query["mean"] < query["max"]


def test_inspect_of_headers_reads_no_weights(run, monkeypatch):
    from attnviz.checkpoints.seeded import SeededWeights

    monkeypatch.setattr(SeededWeights, "get", lambda *_: pytest.fail("weights were read"))
    rows = json.loads(run("inspect", "seeded", "--headers", "--json")[1])
    assert [rows[0]["shape"], rows[0]["mean"]] == [[64], None]


def test_inspect_takes_the_model_of_the_environment_unless_told(run, monkeypatch):
    monkeypatch.setenv("ATTNVIZ_MODEL", "./nowhere")
    assert run("inspect", "--headers")[0] == 1
    assert run("inspect", "seeded", "--headers")[0] == 0


def test_inspect_shows_a_model_and_a_tensor(run):
    status, out, err = run("inspect", "seeded")
    assert (status, err) == (0, "")
    assert "layers.1.down.weight" in out
    assert run("inspect", "seeded", "--tensor", "layers.0.q.weight")[0] == 0
    status, out, err = run("inspect", "seeded", "--tensor", "layers.0.query")
    assert (status, out) == (1, "")
    assert "layers.0.q" in err


# ---- how it ends


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["heatmap", "", "-o", "x.png"], 1, "error: the text is empty"),
        (["heatmap", " \n", "-o", "x.png"], 1, "error: the text is empty"),
        (["heatmap", "-o", "x.png"], 2, "error: wanted a text: TEXT or --file PATH"),
        (["heatmap", TEXT, "-m", "./nowhere", "-o", "x.png"], 1, "error: no such file or folder: ./nowhere"),
        (["heatmap", TEXT, "-l", "99", "-o", "x.png"], 1, "error: layer 99 is not there; layers 0-1 are"),
        (["heatmap", TEXT, "-H", "4", "-o", "x.png"], 1, "error: head 4 is not there; heads 0-3 are"),
        (
            ["heatmap", TEXT, "-l", "one", "-o", "x.png"],
            2,
            "error: --layer: wanted all, 3, -1, 0-3 or 0,2,5; got 'one'",
        ),
        (
            ["heatmap", TEXT, "-o", "no/such/x.png"],
            1,
            "error: cannot write 'no/such/x.png': there is no folder 'no/such'",
        ),
        (["heatmap", TEXT, "-o", "x.tex"], 2, "error: 'x.tex' ends in '.tex'; wanted .png, .svg"),
        (["heatmap", TEXT, "-o", "x.xyz"], 2, "error: 'x.xyz' ends in '.xyz'; wanted .png, .svg, .pdf, .pgf"),
        (["heatmap", TEXT, "-o", "x"], 2, "error: 'x' has no extension; wanted .png, .svg, .pdf, .pgf"),
        (
            ["heatmap", TEXT, "-o", "x.png", "--format", "pdf"],
            2,
            "error: --format pdf and the extension of 'x.png' disagree",
        ),
        (["heatmap", TEXT, "-o", "."], 2, "error: '.' has no extension"),
        (["export", TEXT, "--format", "bmp"], 2, "error: --format must be one of npz, json, csv, parquet; got 'bmp'"),
        (["export", TEXT, "--half", "-o", "x.csv"], 2, "error: --half is for .npz, not for .csv"),
        (["heatmap", "--from", "missing.npy", "-o", "x.png"], 1, "error: no such file: 'missing.npy'"),
        (["heatmap", TEXT, "--from", "missing.npy"], 2, "error: --from and TEXT: wanted one of them"),
        (["heatmap", TEXT, "--file", "t"], 2, "error: TEXT and --file: wanted one of them"),
        (["heatmap", TEXT, "--labels", "t"], 2, "error: --labels needs --from"),
        (["tokens", "--file", "missing.txt"], 1, "error: no such text file: 'missing.txt'"),
        (["table", TEXT, "--ids", "1,x"], 2, "error: TEXT and --ids: wanted one of them"),
        (["table", "--ids", "1,x"], 2, "error: --ids wants numbers such as 101,2054,102; got '1,x'"),
        (["table", TEXT, "--query", "dog"], 1, "error: 'dog' is not among the queries"),
        (
            ["table", "a b a", "--query", "a"],
            1,
            "error: 'a' stands 2 times among the queries: a#1 (index 0), a#2 (index 2)",
        ),
        (["table", TEXT, "--tokens", "9-99"], 1, "error: tokens 9-99 are not there; the queries are 0-10"),
        (["table", TEXT, "--tokens", "9-3"], 2, "error: --tokens: tokens 9-3: the first lies after the last"),
        (
            ["table", TEXT, "--tokens", "0-3", "--query", "it"],
            1,
            "error: --query it: token 7 lies outside of --tokens 0-3",
        ),
        (["heatmap", TEXT, "--mark", "it"], 1, "error: a mark is QUERY:KEY, as in it:animal; got 'it'"),
        (
            ["heatmap", TEXT, "--scale", "cube"],
            2,
            "error: --scale must be one of auto, linear, sqrt, log, row; got 'cube'",
        ),
        (["heatmap", TEXT, "--cmap", "jet"], 2, "error: --cmap jet is a rainbow"),
        (["heatmap", TEXT, "--vmax", "-1"], 2, "error: --vmax wants a number above 0, or auto; got '-1'"),
        (["heatmap", TEXT, "--vmax", "nan"], 2, "error: --vmax wants a number above 0, or auto; got 'nan'"),
        (["table", TEXT, "--mean", "rows"], 2, "error: --mean wants heads or layers; got 'rows'"),
        (["heatmap", TEXT, "--dpi", "0"], 2, "error: --dpi wants 20 to 2400; got 0"),
        (["heatmap", TEXT, "--width", "nan"], 2, "error: --width wants a length such as"),
        (
            ["heatmap", TEXT, "--stream", "up"],
            2,
            "error: --stream must be one of self, encoder, decoder, cross; got 'up'",
        ),
        (["heatmap", TEXT, "--stream", "decoder"], 1, "error: seeded has no decoder attention; it has self"),
        (["heatmap", TEXT, "--stream", "cross"], 1, "error: cross-attention is between two texts"),
        (["heatmap", TEXT, "--own-heads"], 1, "error: --own-heads is for a model whose reference gives the mean over"),
        (["lines", TEXT, "--own-heads"], 1, "error: --own-heads is for a model whose reference gives the mean over"),
        (["table", "--from", "a.npz", "--own-heads"], 2, "error: --from and --own-heads exclude each other"),
        (["heatmap", TEXT, "-q", "-v"], 2, "error: --quiet and --verbose exclude each other"),
        (["heatmap", TEXT, "--sed", "1"], 2, "error: no such option"),
        (["heatmap", TEXT, "more"], 2, "error: got unexpected extra argument (more)"),
        (["heatmap", TEXT, "more", "again"], 2, "error: got unexpected extra arguments (more again)"),
        (["heatmp", TEXT], 2, "error: no such command 'heatmp'"),
        (["inspect", "seeded", "-m", "minilm"], 2, "error: MODEL and --model: wanted one of"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(run, words, status, says):
    got, out, err = run(*words)
    assert (got, out) == (status, "")
    lines = err.splitlines()
    assert lines[0].startswith(says)
    assert len(lines) == 1 or (len(lines) == 2 and lines[1].startswith("hint: "))
    assert files() == []


@pytest.mark.parametrize(("option", "value"), [("--seed", "one"), ("--dpi", "1.5"), ("--width", "wide")])
def test_what_is_not_a_number_is_wrong_usage(run, option, value):
    """In the words of ours or of typer, by its version."""
    status, out, err = run("heatmap", TEXT, option, value)
    assert (status, out) == (2, "")
    assert re.match(rf"error: .*{option}.*'{value}'", err)
    assert len(err.splitlines()) == 2


def test_text_that_is_not_utf8(run):
    Path("t.txt").write_bytes(b"caf\xe9")
    status, out, err = run("tokens", "--file", "t.txt")
    assert (status, out) == (1, "")
    assert err.splitlines()[0] == "error: t.txt: not UTF-8 text (byte 3)"
    assert run("tokens", "-", stdin=b"\xff")[2].startswith("error: standard input: not UTF-8 text (byte 0)")
    assert run("tokens", "caf\udce9")[2].startswith("error: the text is not UTF-8")


def test_usage_is_wrong_before_anything_is_computed(run, monkeypatch):
    monkeypatch.setattr(attnviz, "load", lambda *a, **k: pytest.fail("a model was loaded"))
    for words in (["-o", "x.xyz"], ["-o", "no/x.png"], ["--cmap", "jet"], ["-l", "x"]):
        assert run("heatmap", TEXT, *words)[0] in (1, 2)


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (MemoryError("Unable to allocate 9 GiB"), 1, "error: out of memory: Unable to allocate 9 GiB\nhint: "),
        (PermissionError(13, "Permission denied", "w.bin"), 1, "error: Permission denied: 'w.bin'\n"),
        (KeyboardInterrupt(), 130, ""),
        (ZeroDivisionError("x\ny"), 1, "error: attnviz itself failed: ZeroDivisionError: x y\nhint: "),
    ],
)
def test_failures_inside_are_one_line(run, monkeypatch, error, status, says):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(attnviz, "load", fail)
    got, out, err = run("export", TEXT, "-o", "x.npz")
    assert (got, out) == (status, "")
    assert err.startswith(says)
    assert files() == []


@pytest.mark.parametrize("words", [("tokens", TEXT), ("describe", "tiny"), ("inspect", "tiny", "--headers")])
def test_verbose_says_what_was_read_and_how_long_it_took(run, words):
    status, _, err = run(*words, "-v")
    assert status == 0
    assert re.search(r"^(seeded|attnviz tiny): .* in \d+\.\d\d s$", err, re.M)
    assert run(*words)[2] == ""


def test_verbose_shows_where_a_fault_is(run, monkeypatch):
    monkeypatch.setattr(attnviz, "load", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("table", TEXT, "-v")


def test_only_our_own_warnings_are_shown(run, monkeypatch):
    load = attnviz.load

    def warned(*args, **kwargs):
        warnings.warn("too\nlong", AttnvizWarning, stacklevel=1)
        warnings.warn("internal", UserWarning, stacklevel=1)
        return load(*args, **kwargs)

    monkeypatch.setattr(attnviz, "load", warned)
    assert run("table", TEXT)[2] == "warning: too long\n"
    assert run("table", TEXT, "-q")[2] == ""


def test_interrupted_while_writing_leaves_no_half_file(run, monkeypatch):
    from attnviz.io import data

    def interrupted(attention, file, **_):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "write_csv", interrupted)
    Path("old.csv").write_text("old")
    assert run("export", TEXT, "-o", "old.csv")[0] == 130
    assert run("export", TEXT, "--format", "csv")[0] == 130
    assert files() == ["old.csv"]
    assert Path("old.csv").read_text() == "old"


# ---- as a process


def process(*words, **more):
    command = [sys.executable, "-m", "attnviz", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)


def reading(*words, **more):
    """A process that has begun to read its text from standard input, which stays open."""
    done = process(*words, stdin=subprocess.PIPE, **more)
    done.stdin.write(b" " * (1 << 20))  # more than a pipe holds: some of it has been read by now
    done.stdin.flush()
    return done


@pytest.mark.parametrize(("words", "status"), [(["--version"], 0), (["tokens", ""], 1), (["tokens"], 2)])
def test_exit_status_of_the_process(words, status):
    done = process(*words)
    done.communicate(timeout=60)
    assert done.returncode == status


@pytest.mark.parametrize(
    "words", [["export", "a " * 300, "-m", "seeded", "-o", "-", "--format", "csv"], ["tokens", "a b c"], ["--help"]]
)
def test_a_closed_pipe_ends_quietly(words):
    """Output larger and smaller than a pipe's buffer; the reader is gone before the first byte."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.Popen([sys.executable, "-m", "attnviz", *words], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    _, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, b"")


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_with_130_and_no_words(tmp_path):
    """While it reads its text from a pipe that stays open."""
    done = reading("export", "-", "-o", "x.npz", cwd=tmp_path)
    done.send_signal(signal.SIGINT)
    assert done.wait(timeout=60) == 130
    assert (*done.communicate(), files(tmp_path)) == (b"", b"", [])


def test_who_is_started_without_ctrl_c_does_not_end_by_it(tmp_path):
    """A shell starts a command after `nohup`, or before `&`, so that Ctrl-C does not reach it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = reading("tokens", "-", "-m", "seeded", cwd=tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    done.send_signal(signal.SIGINT)
    out, err = done.communicate(b"tea", timeout=60)
    assert (done.returncode, err) == (0, b"") and b"tea" in out


def test_standard_input_without_an_end_is_no_text(tmp_path):
    with Path("/dev/zero").open("rb") as zeros:
        done = process("tokens", "-", "-m", "seeded", stdin=zeros, cwd=tmp_path)
        out, err = done.communicate(timeout=60)
    assert (done.returncode, out) == (1, b"")
    assert err.startswith(b"error: standard input holds more than ") and err.count(b"\n") == 1


def test_a_terminal_of_few_letters_is_no_crash(tmp_path):
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = process("tokens", "naïve straße 猫", "-m", "seeded", env=env, cwd=tmp_path)
    out, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, b"")
    assert b"na?ve" in out


@pytest.mark.parametrize("over", ["heads", "layers"])
def test_a_mean_over_heads_or_layers(run, over):
    assert run("export", TEXT, "--words", "-o", "all.npz")[0] == 0
    assert run("export", TEXT, "--words", "--mean", over, "-o", "mean.npz")[0] == 0
    whole, mean = attnviz.open("all.npz"), attnviz.open("mean.npz")
    axis = 1 if over == "heads" else 0
    assert np.allclose(mean.weights, whole.weights.mean(axis, keepdims=True), atol=1e-6)
    assert f"mean over {len(getattr(whole, over))} {over}" in mean.reduced
    assert run("heatmap", TEXT, "-l", "all", "--mean", over, "--bare", "-o", "m.png")[0] == 0
    shown = run("table", TEXT, "-l", "all", "--mean", over)[1]
    assert ("mean" in shown) and not np.allclose(whole.weights[0, 0], whole.weights[-1, -1], atol=0.05)


@pytest.mark.parametrize("words", [["links", TEXT, "--top", "0"], ["table", TEXT, "--cells", "-3"]])
def test_a_number_that_is_too_small(run, words):
    status, out, err = run(*words)
    option, value = words[2:]
    assert (status, out) == (2, "")
    assert (
        re.match(rf"error: .*{option}.*{value}.*\n(hint: .*\n)?$", err) and "1" in err
    )  # older typers say it themselves


def test_a_text_that_is_a_file_s_name_is_hinted_at(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.png").write_bytes(b"x")
    Path("word").write_bytes(b"x")
    hint = "'own.png' is a file, and here its name is the text: --image, --file or --from reads it"
    assert hint in run("table", "own.png")[2]
    for text in ("gone.png", "word", "own.png is drawn", "x." * 3000):
        assert "is a file" not in run("table", text)[2]


@pytest.mark.parametrize("command", ["heatmap", "rollout", "stats", "links"])
def test_the_dots_that_help_promises(run, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    said = run(command, "--help")[1]
    for words in ((), ("--width", "3.25")):
        assert run(command, "The cat sat", "-q", "-o", "a.png", *words)[0] == 0
        dots = Image.open("a.png").info["dpi"][0]
        finer = bool(words) and "with --width 300 or" in " ".join(said.replace("│", " ").split())
        assert (300 <= round(dots) < 400) if finer else round(dots) == 200
