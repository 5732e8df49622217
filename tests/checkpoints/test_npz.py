"""Weights in an .npz: files written by hand, and archives that lie."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from helpers.checkpoint_files import refused

from attnviz.checkpoints import open_checkpoint
from attnviz.checkpoints.npy import NpzFile
from attnviz.errors import CheckpointError

W = np.arange(24, dtype=np.float64).reshape(4, 6) / 8
LESSON = {"W_Q": W, "W_K": -W, "W_V": W * 2, "n_heads": 2}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_lesson_is_read(tmp_path, save):
    more = {"embedding": np.eye(3, 4), "tokens": ["the", "cat", "sät"], "positions": np.ones((5, 4)), "causal": True}
    save(tmp_path / "lesson.npz", **LESSON, **{"W_Q.1": W, "W_K.1": W, "W_V.1": W}, b_Q=np.ones(6), **more)
    checkpoint = open_checkpoint(tmp_path / "lesson.npz")
    assert checkpoint.config == {
        "model_type": "npz",
        "n_heads": 2,
        "n_layers": 2,
        "d_model": 4,
        "causal": True,
        "tokens": ["the", "cat", "sät"],
        "has_embedding": True,
        "has_positions": True,
    }
    assert checkpoint.tensors["W_Q"].shape == (4, 6) and checkpoint.tensors["W_Q"].dtype == "F64"
    assert "tokens" not in checkpoint.tensors
    assert np.array_equal(checkpoint.read("W_K"), -W) and np.array_equal(
        checkpoint.rows("embedding", [2]), [[0, 0, 1, 0]]
    )
    assert len(checkpoint.digest()) == 16


def test_a_lesson_may_be_as_short_as_four_arrays(tmp_path):
    np.savez(tmp_path / "lesson.npz", **LESSON)
    checkpoint = open_checkpoint(tmp_path / "lesson.npz")
    assert checkpoint.config is not None
    assert (checkpoint.config["tokens"], checkpoint.config["causal"], checkpoint.config["n_layers"]) == (None, False, 1)
    assert not checkpoint.read("W_Q").flags.owndata  # stored uncompressed, so it is a view of the file


def test_columns_first_and_whole_numbers_are_read(tmp_path):
    np.savez(tmp_path / "x.npz", **LESSON | {"W_Q": np.asfortranarray(W), "W_K": np.arange(24).reshape(4, 6)})
    checkpoint = open_checkpoint(tmp_path / "x.npz")
    assert np.array_equal(checkpoint.read("W_Q"), W) and checkpoint.read("W_K")[3].tolist() == [18, 19, 20, 21, 22, 23]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"W_V": None}, "has no W_V"),
        ({"n_heads": None}, "has no n_heads"),
        ({"n_heads": [2, 2]}, "n_heads must be one whole number"),
        ({"n_heads": 2.5}, "n_heads must be one whole number"),
        ({"n_heads": 4}, "W_Q must be d_model x (n_heads * d_head) with n_heads 4; it is 4 x 6"),
        ({"n_heads": 0}, "W_Q must be d_model x (n_heads * d_head) with n_heads 0; it is 4 x 6"),
        ({"W_Q": np.ones(6)}, "W_Q must be d_model x (n_heads * d_head) with n_heads 2; it is 6"),
        ({"W_Q.2": W}, "its layers must be numbered 0 to 1 (W_Q, W_Q.1, ...); got [0, 2]"),
        ({"tokens": ["a"]}, "embedding must have a row for each of 1 tokens; there is none"),
        ({"tokens": ["a"], "embedding": W}, "embedding must have a row for each of 1 tokens; it is 4 x 6"),
        ({"tokens": [1, 2]}, "tokens must be a list of texts"),
        ({"W_Q": np.array([{}])}, "array W_Q has the dtype |O, which is not read"),
        ({"W_Q": np.zeros(3, "f4,i4")}, "array W_Q has the dtype [('f0', '<f4'), ('f1', '<i4')], which is not read"),
        ({"W_Q": W.astype(">f4")}, "array W_Q has the dtype >f4, which is not read"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(tmp_path, changed, message):
    arrays = {name: array for name, array in (LESSON | changed).items() if array is not None}
    np.savez(tmp_path / "x.npz", **arrays)
    assert refused(tmp_path / "x.npz") == f"x.npz: {message}"


def test_text_that_is_none_does_not_stop_the_reader(tmp_path):
    """Four bytes that are no character, in a NumPy text."""
    members = {f"{name}.npy": npy(array) for name, array in (LESSON | {"embedding": np.ones((2, 4))}).items()}
    members["tokens.npy"] = npy(["a☃", "b"]).replace("☃".encode("utf-32-le"), b"\xff\xff\xff\xff")
    archive(tmp_path / "x.npz", members)
    config = open_checkpoint(tmp_path / "x.npz").config
    assert config is not None and config["tokens"] == ["a\ufffd", "b"]


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as out:
        for name, raw in members.items():
            out.writestr(name, raw)
    return path


def test_a_zip_bomb_is_refused(tmp_path):
    raw = npy(np.zeros(1, np.uint8)).replace(b"(1,)", b"(%d,)" % 300_000_000)
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out, out.open("W_Q.npy", "w") as member:
        member.write(raw)
        for _ in range(300):
            member.write(bytes(1_000_000))
    size = out.getinfo("W_Q.npy")
    message = f"member W_Q.npy claims {size.file_size:,} bytes out of {size.compress_size:,}: refused"
    assert refused(path) == f"bomb.npz: {message}"


def test_a_header_that_claims_more_than_the_member_is_refused(tmp_path):
    raw = npy(np.ones(8)).replace(b"(8,)", b"(8000000000,)")
    assert refused(archive(tmp_path / "x.npz", {"W_Q.npy": raw})) == (
        "x.npz: array W_Q needs 64,000,000,000 bytes by its shape, it has 73"
    )


def test_a_lying_directory_is_refused(tmp_path):
    """The sizes in the directory at a zip's end are changed: more bytes than the file, then two sizes in conflict."""
    path = archive(tmp_path / "x.npz", {"W_Q.npy": npy(np.ones(8))})
    whole, at = path.read_bytes(), path.read_bytes().index(b"PK\x01\x02")
    packed, size = struct.unpack_from("<II", whole, at + 20)
    path.write_bytes(whole[: at + 20] + struct.pack("<II", 4_000_000_000, 4_000_000_000) + whole[at + 28 :])
    assert refused(path) == "x.npz: truncated: member W_Q.npy claims 4,000,000,000 bytes"
    path.write_bytes(whole[: at + 20] + struct.pack("<II", packed, size + 1) + whole[at + 28 :])
    assert refused(path) == f"x.npz: member W_Q.npy has two sizes, {size + 1} and {packed} bytes"
    path.write_bytes(whole[: at + 42] + struct.pack("<I", 5) + whole[at + 46 :])
    assert refused(path) == "x.npz: member W_Q.npy has no header where the directory says"


def test_members_that_share_bytes_are_refused(tmp_path):
    path = archive(tmp_path / "x.npz", {"W_Q.npy": npy(np.ones(8)), "W_K.npy": npy(np.ones(8))})
    whole = path.read_bytes()
    second = whole.index(b"PK\x01\x02", whole.index(b"PK\x01\x02") + 4)
    path.write_bytes(whole[: second + 42] + struct.pack("<I", 0) + whole[second + 46 :])
    assert refused(path) == "x.npz: members W_Q.npy and W_K.npy overlap"


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"W_Q.npy": b"no array"}, "array W_Q has no valid .npy header"),
        ({"W_Q.npy": b""}, "array W_Q has no valid .npy header"),
        ({"W_Q.npy": b"\x93NUMPY\x01\x00\x10'" + b"(" * 10_000}, "array W_Q has no valid .npy header"),
        ({"readme.txt": b"hello"}, "has no W_Q"),
    ],
)
def test_members_that_are_no_arrays_are_refused(tmp_path, members, message):
    assert refused(archive(tmp_path / "x.npz", members, zipfile.ZIP_DEFLATED)).startswith(f"x.npz: {message}")


def test_every_truncation_of_a_good_archive_is_refused(tmp_path):
    np.savez_compressed(tmp_path / "good.npz", **LESSON)
    whole = (tmp_path / "good.npz").read_bytes()
    for end in range(1, len(whole), 7):
        (tmp_path / "cut.npz").write_bytes(whole[:end])
        assert refused(tmp_path / "cut.npz").startswith("cut.npz: ")


def test_damaged_compressed_bytes_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", **LESSON | {"W_Q": np.random.RandomState(0).randn(40, 40)})
    whole = bytearray((tmp_path / "x.npz").read_bytes())
    middle = whole.index(b"W_K.npy") - 4000
    whole[middle : middle + 2000] = bytes(2000)
    (tmp_path / "x.npz").write_bytes(whole)
    assert refused(tmp_path / "x.npz", read="W_Q").startswith("x.npz: member W_Q.npy ")


def test_one_changed_bit_of_a_stored_member_is_refused(tmp_path):
    """Members that are not compressed are views of the file; their checksum counts all the same."""
    path = tmp_path / "a.npz"
    np.savez(path, weights=np.arange(1000, dtype=np.float32))
    data = bytearray(path.read_bytes())
    data[data.find(b"weights.npy") + 500] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"a.npz: member weights.npy is damaged: its checksum does not fit"):
        NpzFile(path).read("weights")
