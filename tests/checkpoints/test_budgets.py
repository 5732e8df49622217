"""A small untrusted file takes no large amount of memory or time: each case once exhausted the machine."""

from __future__ import annotations

import io
import json
import os
import re
import struct
import zipfile

import numpy as np
import pytest
from helpers.bounded import bounded
from helpers.paths import REFERENCE

from attnviz import errors
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.checkpoints import open_checkpoint
from attnviz.cli import main
from attnviz.files import untrusted


@pytest.fixture
def ours(tmp_path):
    """Write a small saved attention with some arrays replaced; return its path."""

    def write(**changes):
        tokens = Tokens.plain(["a", "b"])
        weights = np.full((1, 2, 2, 2), 0.5, np.float32)
        Attention(weights, None, tokens, tokens, (0,), (0, 1)).save(tmp_path / "ours.npz")
        with np.load(tmp_path / "ours.npz") as found:
            arrays = {name: found[name] for name in found.files}
        np.savez(tmp_path / "ours.npz", **(arrays | changes))
        return tmp_path / "ours.npz"

    return write


@pytest.mark.parametrize("name", ["heads", "layers"])
@pytest.mark.parametrize("number", [2**31 - 2, 2**62, -1])
def test_numbers_of_heads_and_layers_have_an_end(ours, name, number, capsys):
    count = 2 if name == "heads" else 1
    path = ours(**{name: np.arange(number, number + count)})
    assert main(["stats", "--from", str(path), "--head", "0-9" if name == "heads" else "all"]) == 1
    assert f"{name} must be from 0 to" in capsys.readouterr().err


@pytest.mark.parametrize("foreign", [True, False])
def test_a_bomb_of_zeros_is_not_unpacked(tmp_path, ours, foreign):
    path = tmp_path / "zeros.npz"
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f4", "fortran_order": False, "shape": (1, 1, 1 << 13, 9 << 10)}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("weights.npy", "w") as file:
            file.write(head.getvalue())
            for _ in range(288):
                file.write(bytes(1 << 20))
        if not foreign:
            with np.load(ours()) as found:
                for name in set(found.files) - {"weights"}:
                    with archive.open(f"{name}.npy", "w") as file:
                        np.lib.format.write_array(file, found[name])
    assert path.stat().st_size < 2_000_000
    line, peak, _ = bounded(f"from attnviz.io import saved\nreturn saved.any_attention({str(path)!r})")
    assert "its arrays would take" in line, line
    assert peak < 200


def test_an_integer_key_cannot_be_chosen_to_collide(tmp_path):
    """Multiples of 2^61 - 1 have the same hash: a dictionary of 50,000 of them takes quadratic time."""
    keys = b"".join(b"\x8a\x0b" + (i * (2**61 - 1)).to_bytes(11, "little") + b"N" for i in range(50_000))
    (tmp_path / "a.pt").write_bytes(_zip(b"\x80\x02}(" + keys + b"u."))
    line, _, seconds = bounded(_opening(tmp_path / "a.pt"))
    assert "as a key" in line, line
    assert seconds < 2


@pytest.mark.parametrize(("first", "again"), [(b"N", b"\x94"), (b"", b"}"), (b"", b"]"), (b"", b"})")])
def test_a_pickle_cannot_build_more_than_its_size_allows(tmp_path, first, again):
    flood = first + again * (3_900_000 // len(again))
    (tmp_path / "a.pt").write_bytes(_zip(b"\x80\x04" + flood + b"."))
    line, peak, _ = bounded(_opening(tmp_path / "a.pt"))
    assert "builds more than its size allows" in line, line
    assert peak < 250


@pytest.mark.parametrize("filler", [b"[],", b"{},", b'{"":0},'])
def test_json_is_held_to_a_budget_before_it_is_built(tmp_path, filler):
    text = b'{"a":[' + filler * ((60 << 20) // len(filler)) + b"0]}"
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    line, peak, _ = bounded(_opening(tmp_path / "a.safetensors"))
    assert "holds more than is read" in line, line
    assert peak < 400


def test_an_index_of_a_published_size_is_read():
    """DeepSeek-V3 names some 90,000 tensors in 163 files."""
    names = {f"model.layers.{i // 3000}.mlp.experts.{i}.down_proj.weight": f"model-{i % 163:05}.safetensors"
             for i in range(100_000)}  # fmt: skip
    found = untrusted.parse(json.dumps({"weight_map": names}).encode(), "index", errors.CheckpointError)
    assert found["weight_map"] == names
    header = {name: {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]} for name in names}
    assert untrusted.parse(json.dumps(header).encode(), "header", errors.CheckpointError) == header


@pytest.mark.parametrize("digits", [400, 5_000])
def test_numbers_of_many_digits_are_refused(tmp_path, digits, capsys):
    (tmp_path / "config.json").write_text(f'{{"model_type": "bert", "hidden_size": {"9" * digits}}}')
    assert main(["describe", str(tmp_path)]) == 1
    assert f"a number of {digits:,} digits" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--file", "--from", "--labels", "--image", "--audio", "-m", "--adapter"])
def test_what_is_not_a_file_is_refused_at_once(tmp_path, option, ours):
    """A pipe that nobody writes to, a device without an end, a folder."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    more = {"--file": [], "--from": [], "--labels": ["--from", str(ours())], "-m": ["a text"], "--adapter": ["a text"]}
    places = (str(tmp_path / "pipe"), "/dev/zero", str(tmp_path / "folder"))
    commands = [["table", option, place, *more.get(option, [])] for place in places]
    line, _, seconds = bounded(f"from attnviz.cli import main\nreturn [main(words) for words in {commands!r}]")
    assert line == "done: [1, 1, 1]", line
    assert seconds < 8


def _opening(path):
    return f"from pathlib import Path\nfrom attnviz.checkpoints import open_checkpoint\n" \
        f"return open_checkpoint(Path({str(path)!r}))"  # fmt: skip


def _zip(pickle):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a/data.pkl", pickle)
    return made.getvalue()


def test_the_pickle_around_these_floods_is_otherwise_read(tmp_path):
    (tmp_path / "a.pt").write_bytes(_zip(b"\x80\x02}(K\x01NK\x02Nu."))
    with pytest.raises(errors.CheckpointError, match="holds no dictionary of named tensors"):
        open_checkpoint(tmp_path / "a.pt")


def test_labels_of_many_characters_cost_no_time(tmp_path):
    np.save(tmp_path / "a.npy", np.full((60, 60), 1 / 60, np.float32))
    (tmp_path / "labels.txt").write_text("\n".join(["ab é漢" * 4000] * 60), encoding="utf-8")
    words = ["--from", str(tmp_path / "a.npy"), "--labels", str(tmp_path / "labels.txt")]
    line, _, seconds = bounded(
        f"import contextlib, io\nfrom attnviz.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n"
        f"    return main(['table', *{words!r}]), main(['heatmap', *{words!r}, '-o', {str(tmp_path / 'o.png')!r}])"
    )
    assert line == "done: (0, 0)"
    assert seconds < 12, seconds


def test_a_file_of_50000_empty_tensors_is_inspected_at_once(tmp_path):
    """Each tensor took 100 microseconds: rich's printing, searches for our name, garbage collection."""
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((REFERENCE / "gpt2" / name).read_bytes())
    _with_more(tmp_path / "model.safetensors", 50_000)
    line, peak, seconds = bounded(f"""
        import contextlib, io
        from attnviz.cli import main
        with contextlib.redirect_stdout(io.StringIO()) as out:
            status = main(["inspect", {str(tmp_path)!r}])
        return status, out.getvalue().count("empty.")
    """)
    assert line == "done: (0, 50000)", line
    assert seconds < 2.2, seconds  # 1.3; it was 3.7
    assert peak < 500


def _with_more(path, count):
    """Empty tensors at the end of a safetensors file."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, numbers = json.loads(data[8 : 8 + size]), data[8 + size :]
    place = [len(numbers), len(numbers)]
    header |= {f"empty.{i}": {"dtype": "F32", "shape": [0], "data_offsets": place} for i in range(count)}
    head = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(head)) + head + numbers)


def test_ends_of_tensor_names_are_not_tried_with_every_beginning():
    """100,000 empty tensors whose names differ only at the beginning."""
    body = """
        from attnviz.checkpoints.naming import find_prefix
        from attnviz.families import llama
        return find_prefix(llama.NAMES, [f"n{i}x.layers.0.self_attn.q_proj.weight" for i in range(100_000)])
    """
    line, _, seconds = bounded(body)
    assert line.startswith("done"), line
    assert seconds < 8, seconds


@pytest.mark.parametrize(("file", "said"), [
    ("./a.safetensors", "written in another way"),
    ("a//b.safetensors", "written in another way"),
    ("x" * 5000, "too long a name"),
    ("x/" * 2500 + "y", "too long a name"),
    ("model.safetensors.index.json", "an index, as a file of weights"),
])  # fmt: skip
def test_an_index_names_each_file_once_and_no_index(tmp_path, file, said):
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": file}}))
    with pytest.raises(errors.CheckpointError, match=said) as caught:
        open_checkpoint(tmp_path)
    assert len(str(caught.value)) < 500


def test_a_mapped_file_that_shrank_is_refused_before_it_is_read(tmp_path):
    """Reading the missing part would end the process silently (SIGBUS)."""
    source = REFERENCE / "gpt2/model.safetensors"
    path = tmp_path / "model.safetensors"
    path.write_bytes(source.read_bytes())
    body = f"""
        from pathlib import Path
        from attnviz.checkpoints import open_checkpoint
        found = open_checkpoint(Path({str(path)!r}))
        name = max(found.tensors, key=lambda name: found.place(name))
        Path({str(path)!r}).write_bytes(b"")
        return found.read(name).sum()
    """
    line, _, _ = bounded(body)
    assert "has shrunk from" in line, line


def test_a_gguf_tensor_without_axes_is_refused(tmp_path):
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 0, 2, 0)
    (tmp_path / "a.gguf").write_bytes(head + bytes(64))
    with pytest.raises(errors.CheckpointError, match="has rows of 1, no multiple of Q4_0's 32"):
        open_checkpoint(tmp_path / "a.gguf")


@pytest.mark.parametrize("changes", [
    {"cell": 1e999}, {"cell": 10**400}, {"cell": 0}, {"cell": True}, {"cell": None, "grid": [0, 1]}, {"grid": "x"},
    {"notes": 7}, {"notes": ["x", 1]}, {"stream": 5}, {"model": ["a"]}, {"origin": [2**40, 0]}, {"sampled": "all"},
    {"together": "x"}, {"format": 1e999}, {"x": float("nan")}, {"reduced": "x" * 5000},
])  # fmt: skip
def test_odd_meta_is_refused_by_name(ours, changes, capsys):
    with np.load(ours()) as found:
        meta = json.loads(str(found["meta"])) | changes
    path = ours(meta=np.array(json.dumps(meta)))
    for words in (["table", "--from"], ["export", "--format", "json", "-o", "-", "--from"], ["check"]):
        assert main([*words, str(path)]) == 1
        err = capsys.readouterr().err
        assert err.startswith("error: ours.npz") and "itself failed" not in err and len(err) < 400


@pytest.mark.parametrize("shape", [(0, 2**40, 2**40), (0, 2**62), (2**61, 0, 2**61)])
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_shapes_of_nothing_and_of_everything(tmp_path, shape, ending, capsys):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": shape})
    path = tmp_path / f"a.{ending}"
    path.write_bytes(head.getvalue())
    if ending == "npz":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.npy", head.getvalue())
    assert main(["table", "--from", str(path)]) == 1
    assert re.search("which no array can have|has an axis of", capsys.readouterr().err)


@pytest.mark.parametrize(
    "head", [b"{'descr': '<f4', \\", b"{'a': (", b"\x00" * 50, b"'" * 50, b"9" * 5000, b"(" * 9000]
)
def test_headers_that_are_no_python(tmp_path, head, capsys):
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head)
    assert main(["table", "--from", str(tmp_path / "a.npy")]) == 1
    assert "no valid .npy header" in capsys.readouterr().err


def test_messages_are_one_line_of_a_sane_length():
    error = errors.InputError("a\nb" + "x" * 100_000, "h\n" * 5000)
    assert "\n" not in str(error) + error.hint
    assert len(str(error)) <= 1000 and len(error.hint) <= 1000


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_what_export_writes_for_others_is_not_read_and_the_hint_says_what_is(tmp_path, ending, capsys):
    place = tmp_path / f"a.{ending}"
    assert main(["export", "the cat", "-o", str(place)]) == 0
    capsys.readouterr()
    assert main(["table", "--from", str(place)]) == 1
    assert ".npz alone can be read again" in capsys.readouterr().err
