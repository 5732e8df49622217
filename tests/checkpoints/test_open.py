"""Which file of a folder is read, how a file's format is recognised, and common files that are not read."""

from __future__ import annotations

import os

import numpy as np
import pytest
from helpers.checkpoint_files import pickled, refused, tensor, torch_zip
from safetensors.numpy import save_file

from attnviz.checkpoints import FOLDER_FILES, open_checkpoint
from attnviz.errors import CheckpointError


def safetensors(path, value):
    save_file({"w": np.full(2, value, np.float32)}, path)


def torch_file(path, value):
    torch_zip(path, pickled({"w": tensor("0", 2, [2], [1])}), {"0": np.full(2, value, np.float32).tobytes()})


def test_a_folder_is_read_in_a_fixed_order(tmp_path):
    """From the last choice to the first, each new file is preferred to the one before."""
    safetensors(tmp_path / "other.safetensors", 1)
    assert open_checkpoint(tmp_path).read("w")[0] == 1
    torch_file(tmp_path / "part.bin", 2)
    (tmp_path / "pytorch_model.bin.index.json").write_text('{"weight_map": {"w": "part.bin"}}')
    assert open_checkpoint(tmp_path).read("w")[0] == 2
    torch_file(tmp_path / "pytorch_model.bin", 3)
    assert open_checkpoint(tmp_path).read("w")[0] == 3
    safetensors(tmp_path / "part.safetensors", 4)
    (tmp_path / "model.safetensors.index.json").write_text('{"weight_map": {"w": "part.safetensors"}}')
    assert open_checkpoint(tmp_path).read("w")[0] == 4
    safetensors(tmp_path / "model.safetensors", 5)
    assert open_checkpoint(tmp_path).read("w")[0] == 5


def test_an_adapter_is_no_model(tmp_path):
    safetensors(tmp_path / "adapter_model.safetensors", 1)
    assert refused(tmp_path).startswith("no weights in ")


def caught(path):
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(path)
    return str(error.value), error.value.hint


def test_a_folder_without_weights_says_what_was_looked_for(tmp_path):
    looked = f"no weights in {tmp_path}: looked for {', '.join(FOLDER_FILES)} and one other .safetensors"
    assert caught(tmp_path) == (looked, "")
    (tmp_path / "tf_model.h5").write_bytes(b"x")
    assert caught(tmp_path) == (
        looked,
        "it has tf_model.h5, TensorFlow weights, which cannot be read: save it as safetensors",
    )
    (tmp_path / "model.gguf").write_bytes(b"x")
    assert caught(tmp_path) == (looked, "it has model.gguf: name that file instead of the folder")


def test_several_weight_files_without_an_index_are_refused(tmp_path):
    for i in range(6):
        safetensors(tmp_path / f"{i}.safetensors", i)
    names = "0.safetensors, 1.safetensors, 2.safetensors, 3.safetensors, ..."
    assert caught(tmp_path) == (
        f"{tmp_path} has 6 weight files and no index: {names}",
        "name the one to read instead of the folder",
    )


def test_a_file_is_told_by_what_it_holds(tmp_path):
    safetensors(tmp_path / "renamed.bin", 1)
    torch_file(tmp_path / "renamed.safetensors", 2)
    assert open_checkpoint(tmp_path / "renamed.bin").read("w")[0] == 1
    assert open_checkpoint(tmp_path / "renamed.safetensors").read("w")[0] == 2


@pytest.mark.parametrize(
    ("name", "content", "message", "hint"),
    [
        ("model.onnx", b"\x08\x07\x12", "model.onnx is an ONNX graph, which cannot be read", "weights are read from"),
        ("notes.txt", b"hello you", "notes.txt is no weight file that is known", "weights are read from"),
        ("a.bin", b"version https://git-lfs.github.com/spec/v1", "a.bin is a Git LFS pointer", "run `git lfs pull`"),
        ("model.npz", b"nothing", "model.npz: truncated or not a zip file (File is not a zip file)", ""),
        ("model.bin", b"", "model.bin: is empty", ""),
    ],
)
def test_files_that_are_no_weights_are_refused(tmp_path, name, content, message, hint):
    (tmp_path / name).write_bytes(content)
    found, said = caught(tmp_path / name)
    assert found.startswith(message) and said.startswith(hint)


def test_what_is_not_a_file_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    for path, what in [
        (tmp_path / "none.gguf", "no such file or folder"),
        (tmp_path / "pipe.safetensors", "is neither a file nor a folder"),
        (tmp_path / ("x" * 300), "File name too long"),
    ]:
        assert caught(path)[0] == f"cannot read {path}: {what}"
