"""Random damage to good files of every kind: they open, or are refused in one line."""

from __future__ import annotations

import random

import gguf
import numpy as np
import pytest
from helpers.paths import DATA
from safetensors.numpy import save_file

from attnviz.checkpoints import open_checkpoint
from attnviz.errors import CheckpointError

SAVED = DATA / "checkpoints"
LESSON = {"W_Q": np.ones((2, 4)), "W_K": np.ones((2, 4)), "W_V": np.ones((2, 4)), "n_heads": 2, "tokens": ["a", "b"]}


def good(kind, folder):
    """The bytes of a good file."""
    path = folder / "good"
    if kind == ".safetensors":
        save_file({"a": np.ones((2, 3), np.float32), "b": np.ones(3, np.float16)}, path)
    elif kind == ".npz":
        np.savez_compressed(folder / "good.npz", **LESSON, embedding=np.ones((2, 2)))
        path = folder / "good.npz"
    elif kind == ".gguf":
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_token_list(["a", "b"])
        writer.add_tensor("x", np.ones((2, 32), np.float32))
        writer.add_tensor("y", np.zeros((2, 18), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q4_0)
        writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file()
        writer.close()
    else:
        path = SAVED / {".bin": "legacy.bin", ".pt": "zip.bin"}[kind]
    return path.read_bytes()


def damaged(whole, dice):
    """Some bytes changed, removed, added, or replaced by a number that headers may hold."""
    raw = bytearray(whole)
    for _ in range(dice.choice([1, 1, 2, 4])):
        at = dice.randrange(len(raw)) if dice.random() < 0.5 else dice.randrange(min(len(raw), 600))
        change = dice.randrange(4)
        if change == 0:
            raw[at] = dice.randrange(256)
        elif change == 1:
            del raw[at]
        elif change == 2:
            raw[at:at] = dice.randbytes(dice.randrange(1, 5))
        else:
            raw[at : at + 8] = dice.choice([0, 1, 1 << 31, 1 << 40, 1 << 63, (1 << 64) - 1]).to_bytes(8, "little")
    return raw


@pytest.mark.parametrize("kind", [".safetensors", ".npz", ".gguf", ".pt", ".bin"])
def test_damage_is_refused_in_one_line_or_does_not_matter(tmp_path, kind):
    whole, dice, refusals = good(kind, tmp_path), random.Random(0), 0
    path = tmp_path / f"bad{kind}"
    for _ in range(600):
        path.write_bytes(damaged(whole, dice))
        try:
            with open_checkpoint(path) as found:
                for name in found.tensors:
                    found.read(name)
        except CheckpointError as error:
            assert str(error).isprintable() and path.name in str(error)
            refusals += 1
    assert 100 < refusals < 600
