"""A small file of a stranger's takes no large amount of memory or time: each case exhausted the machine once."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile

import numpy as np
import pytest
from bounded import bounded

from attnviz import errors, strangers
from attnviz.attention import Attention, Tokens
from attnviz.checkpoints import open_checkpoint
from attnviz.cli import main


@pytest.fixture
def ours(tmp_path):
    """Writes a small saved attention, with other arrays in it, and returns its path."""

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
    line, peak, _ = bounded(f"from attnviz import saved\nreturn saved.any_attention({str(path)!r})")
    assert "its arrays would take" in line, line
    assert peak < 200


def test_an_integer_key_cannot_be_chosen_to_collide(tmp_path):
    """Multiples of 2^61 - 1 have one hash: a dictionary of 50,000 of them takes quadratic time."""
    keys = b"".join(b"\x8a\x0b" + (i * (2**61 - 1)).to_bytes(11, "little") + b"N" for i in range(50_000))
    (tmp_path / "a.pt").write_bytes(_zip(b"\x80\x02}(" + keys + b"u."))
    line, _, seconds = bounded(_opening(tmp_path / "a.pt"))
    assert "as a key" in line, line
    assert seconds < 2


@pytest.mark.parametrize("flood", [b"N" + b"\x94" * 3_900_000, b"}" * 3_900_000, b"]" * 3_900_000, b"})" * 1_900_000])
def test_a_pickle_cannot_build_more_than_its_size_allows(tmp_path, flood):
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
    found = strangers.parse(json.dumps({"weight_map": names}).encode(), "index", errors.CheckpointError)
    assert found["weight_map"] == names
    header = {name: {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]} for name in names}
    assert strangers.parse(json.dumps(header).encode(), "header", errors.CheckpointError) == header


@pytest.mark.parametrize("digits", [400, 5_000])
def test_numbers_of_many_digits_are_refused(tmp_path, digits, capsys):
    (tmp_path / "config.json").write_text(f'{{"model_type": "bert", "hidden_size": {"9" * digits}}}')
    assert main(["describe", str(tmp_path)]) == 1
    assert f"a number of {digits:,} digits" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--file", "--from", "--labels", "--image", "--audio", "-m", "--adapter"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_not_a_file_is_refused_at_once(tmp_path, option, kind, ours):
    place = {"pipe": tmp_path / "pipe", "device": "/dev/zero", "folder": tmp_path / "folder"}[kind]
    if kind == "pipe":
        os.mkfifo(place)
    if kind == "folder":
        place.mkdir()
    more = {"--file": [], "--from": [], "--labels": ["--from", str(ours())], "-m": ["a text"], "--adapter": ["a text"]}
    words = ["table", option, str(place), *more.get(option, [])]
    line, _, seconds = bounded(f"from attnviz.cli import main\nreturn main({words!r})")
    assert line == "done: 1", line
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
