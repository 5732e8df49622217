"""Safetensors: every dtype, sharded and unaligned, and headers that lie."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest
from helpers.checkpoint_files import entry, refused, safetensors_bytes
from safetensors.numpy import save_file

from attnviz.checkpoints import open_checkpoint
from attnviz.errors import CheckpointError

DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "U16": np.uint16,
    "BOOL": np.bool_,
}


def test_every_dtype_is_read_as_it_was_written(tmp_path):
    values = np.random.RandomState(0).randn(5, 3) * 4
    given = {name: values.astype(dtype) for name, dtype in DTYPES.items()}
    save_file(given, tmp_path / "model.safetensors")
    with open_checkpoint(tmp_path) as found:
        assert set(found.tensors) == set(given)
        for name, array in given.items():
            stored = found.tensors[name]
            assert (stored.dtype, stored.shape, stored.nbytes) == (name, (5, 3), array.nbytes)
            got = found.read(name)
            assert got.dtype == array.dtype and got.tobytes() == array.tobytes()
            assert found.rows(name, [4, 0]).tobytes() == array[[4, 0]].tobytes()


def test_float8_is_read(tmp_path):
    # safetensors' NumPy side does not write these two, so the header is made by hand
    values = np.array([0.5, -1.75, 240, -0.0625])
    e4, e5 = values.astype(ml_dtypes.float8_e4m3fn), values.astype(ml_dtypes.float8_e5m2)
    header = {"a": entry("F8_E4M3", [2, 2], 0, 4), "b": entry("F8_E5M2", [4], 4, 8)}
    (tmp_path / "x.safetensors").write_bytes(safetensors_bytes(header, e4.tobytes() + e5.tobytes()))
    checkpoint = open_checkpoint(tmp_path / "x.safetensors")
    assert checkpoint.read("a").astype(float).ravel().tolist() == [0.5, -1.75, 240, -0.0625]
    assert checkpoint.read("b").astype(float).tolist() == [0.5, -1.75, 256, -0.0625]  # 240 is not exact in e5m2


def test_unaligned_tensors_and_odd_shapes_are_read(tmp_path):
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    header = {
        "__metadata__": {"format": "pt"},
        "byte": entry("U8", [1], 0, 1),
        "x": entry("F32", [2, 3], 1, 25),
        "none": entry("F32", [0, 4], 25, 25),
        "one": entry("F64", [], 25, 33),
    }
    data = b"\x07" + array.tobytes() + np.float64(2.5).tobytes()
    (tmp_path / "x.safetensors").write_bytes(safetensors_bytes(header, data))
    checkpoint = open_checkpoint(tmp_path / "x.safetensors")
    assert np.array_equal(checkpoint.read("x"), array)
    assert (
        checkpoint.read("none").shape == (0, 4)
        and checkpoint.read("one")[()] == 2.5
        and checkpoint.read("byte")[0] == 7
    )
    assert "__metadata__" not in checkpoint.tensors


def test_a_tensor_is_a_view_of_the_file(tmp_path):
    save_file({"x": np.ones((3, 4), np.float32)}, tmp_path / "model.safetensors")
    array = open_checkpoint(tmp_path).read("x")
    assert not array.flags.owndata and not array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0] = 2


def test_the_digest_follows_the_headers_and_not_the_numbers(tmp_path):
    def digest(**arrays):
        save_file(arrays, tmp_path / "model.safetensors")
        return open_checkpoint(tmp_path).digest()

    ones = np.ones((2, 2), np.float32)
    first = digest(a=ones, b=ones)
    assert len(first) == 16 and int(first, 16) >= 0
    assert digest(a=ones * 5, b=ones) == first
    assert digest(a=ones, c=ones) != first
    assert digest(a=ones.reshape(4), b=ones) != first
    assert digest(a=ones.astype(np.int32), b=ones) != first


def shards(folder, weight_map, index="model.safetensors.index.json"):
    save_file({"a": np.full((2, 3), 1, np.float32), "b": np.full(2, 2, np.float32)}, folder / "one.safetensors")
    save_file({"c": np.arange(8, dtype=np.float16).reshape(4, 2)}, folder / "two.safetensors")
    (folder / index).write_text(json.dumps({"metadata": {"total_size": 48}, "weight_map": weight_map}))


def test_shards_are_one_checkpoint(tmp_path):
    shards(tmp_path, {"a": "one.safetensors", "b": "one.safetensors", "c": "two.safetensors"})
    checkpoint = open_checkpoint(tmp_path)
    assert {name: stored.file for name, stored in checkpoint.tensors.items()} == {
        "a": "one.safetensors",
        "b": "one.safetensors",
        "c": "two.safetensors",
    }
    assert checkpoint.read("b").tolist() == [2, 2]
    assert checkpoint.rows("c", [3]).tolist() == [[6, 7]]
    with pytest.raises(CheckpointError, match=r"^model.safetensors.index.json has no tensor d$"):
        checkpoint.read("d")


def test_links_to_shards_elsewhere_are_followed(tmp_path):
    """The Hub's cache keeps the files of a snapshot as links into a folder of blobs."""
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir(), snapshot.mkdir()
    shards(blobs, {"c": "two.safetensors"}, "index")
    (snapshot / "two.safetensors").symlink_to(blobs / "two.safetensors")
    (snapshot / "model.safetensors.index.json").symlink_to(blobs / "index")
    assert open_checkpoint(snapshot).read("c").shape == (4, 2)


INDEX = "model.safetensors.index.json"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weight_map": {"a": "three.safetensors"}}, "names three.safetensors, which is missing"),
        ({"weight_map": {"a": "../out.safetensors"}}, "names '../out.safetensors', which is not a file in its folder"),
        ({"weight_map": {"a": "/etc/passwd"}}, "names '/etc/passwd', which is not a file in its folder"),
        ({"weight_map": {"a": "C:\\x"}}, "names 'C:\\\\x', which is not a file in its folder"),
        ({"weight_map": {"a": ""}}, "names '', which is not a file in its folder"),
        ({"weight_map": {"z": "one.safetensors"}}, "places tensor z in one.safetensors, which does not hold it"),
        ({"weight_map": {"a": INDEX}}, f"names {INDEX}, an index, as a file of weights"),
        ({"weight_map": {"a": "x" * 5000}}, f"names {'x' * 97}..., which is too long a name"),
        ({"weight_map": {"a": 3}}, "has no weight_map from tensors to files"),
        ({"weight_map": {}}, "has no weight_map from tensors to files"),
        ({"tensors": 1}, "has no weight_map from tensors to files"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"weight_map": {"a": "one.safetensors", "a": "two.safetensors"}}', "it has the key a twice"),
        ("no json", "it is not JSON (Expecting value: line 1 column 1 (char 0))"),
        ("", "it is not JSON (Expecting value: line 1 column 1 (char 0))"),
    ],
)
def test_an_index_that_lies_is_refused(tmp_path, content, message):
    shards(tmp_path, {})
    (tmp_path / INDEX).write_text(content if isinstance(content, str) else json.dumps(content))
    assert refused(tmp_path) == f"{INDEX}: {message}"


GOOD = entry("F32", [2, 2], 0, 16)
LONG = "n" * 300


@pytest.mark.parametrize(
    ("header", "data", "message"),
    [
        ({"a": entry("F32", [2, 2], 0, 16)}, bytes(15), "truncated: tensor a ends at byte 89, the file at 88"),
        ({"a": GOOD}, bytes(20), "4 bytes after the last tensor belong to nothing"),
        ({"a": GOOD, "b": entry("F32", [2], 12, 20)}, bytes(20), "tensor b overlaps a"),
        ({"a": GOOD, "b": GOOD}, bytes(16), "tensor b overlaps a"),
        ({"a": GOOD, "b": entry("F32", [1], 20, 24)}, bytes(24), "4 bytes before tensor b belong to nothing"),
        (
            {"a": entry("F32", [1 << 38, 2], 0, 1 << 41)},
            bytes(16),
            "truncated: tensor a ends at byte 2,199,023,255,647, the file at 111",
        ),
        (
            {"a": entry("F32", [1000, 1000], 0, 16)},
            bytes(16),
            "tensor a needs 4,000,000 bytes by its shape, its offsets give 16",
        ),
        ({"a": entry("F32", [1 << 60, 0], 0, 0)}, b"", "tensor a has an axis of 1152921504606846976"),
        ({"a": entry("F32", [1] * 9, 0, 4)}, bytes(4), "tensor a has 9 axes; at most 8 are read"),
        ({"a": entry("F7", [1], 0, 4)}, bytes(4), "tensor a has the unknown dtype F7"),
        ({"a": entry("F32", [-1, -4], 0, 16)}, bytes(16), "the shape of tensor a is not a list of sizes"),
        ({"a": entry("F32", [4.0], 0, 16)}, bytes(16), "the shape of tensor a is not a list of sizes"),
        ({"a": entry("F32", [True], 0, 4)}, bytes(4), "the shape of tensor a is not a list of sizes"),
        ({"a": entry("F32", "44", 0, 16)}, bytes(16), "the shape of tensor a is not a list of sizes"),
        ({"a": entry("F32", [4], 16, 0)}, bytes(16), "tensor a needs 16 bytes by its shape, its offsets give -16"),
        ({"a": entry("F32", [4], -16, 0)}, bytes(16), "the data_offsets of tensor a are not two sizes"),
        ({"a": GOOD | {"data_offsets": [0]}}, b"", "the data_offsets of tensor a are not two sizes"),
        ({"a": {"dtype": "F32", "shape": [4]}}, b"", "the header of tensor a lacks dtype, shape or data_offsets"),
        ({"a": [1, 2]}, b"", "the header of tensor a lacks dtype, shape or data_offsets"),
        ({"a\n\x1b[31m": 1}, b"", "the header of tensor a\\n\\x1b[31m lacks dtype, shape or data_offsets"),
        ({LONG: 1}, b"", f"the header of tensor {LONG[:97]}... lacks dtype, shape or data_offsets"),
        ('{"a": {}, "a": {}}', b"", "its header has the key a twice"),
        ('{"a": ' + "[" * 200_000, b"", "its header is nested too deeply"),
        ('{"a": 1', b"", "its header is not JSON (Expecting ',' delimiter: line 1 column 8 (char 7))"),
        ("[1]", b"", "its header is not a JSON object"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path, header, data, message):
    file = tmp_path / "bad.safetensors"
    file.write_bytes(safetensors_bytes(header, data))
    assert refused(file) == f"bad.safetensors: {message}"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", ": is empty"),
        (b"1234", ": holds 4 bytes, too few for a safetensors file"),
        ((500).to_bytes(8, "little") + b"{}", ": truncated: its header claims 500 bytes, the file holds 10"),
        (
            (1 << 40).to_bytes(8, "little") + b"{}",
            ": its header claims 1,099,511,627,776 bytes; at most 100,000,000 are allowed",
        ),
        (
            (2).to_bytes(8, "little") + b"{\xff",
            ": its header is not JSON ('utf-8' codec can't decode byte 0xff in position 1: invalid start byte)",
        ),
        (b"<html><body>404 Not Found", ": is not a safetensors file"),
        (b"version https://git-lfs.github.com/spec/v1\n", " is a Git LFS pointer, not the weights themselves"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_safetensors_file_is_refused(tmp_path, raw, message):
    (tmp_path / "bad.safetensors").write_bytes(raw)
    assert refused(tmp_path / "bad.safetensors") == "bad.safetensors" + message


def test_a_shard_that_is_damaged_is_named(tmp_path):
    shards(tmp_path, {"a": "one.safetensors", "c": "two.safetensors"})
    whole = (tmp_path / "two.safetensors").read_bytes()
    (tmp_path / "two.safetensors").write_bytes(whole[:-3])
    size = len(whole)
    assert refused(tmp_path) == f"two.safetensors: truncated: tensor c ends at byte {size}, the file at {size - 3}"


def test_every_truncation_of_a_good_file_is_refused(tmp_path):
    save_file({"a": np.ones((2, 3), np.float32), "b": np.ones(3, np.float16)}, tmp_path / "good.safetensors")
    whole = (tmp_path / "good.safetensors").read_bytes()
    file = tmp_path / "cut.safetensors"
    for end in range(len(whole)):
        file.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match=r"^cut.safetensors: [^\n]*$"):
            open_checkpoint(file)


# Scales of 8-bit and 4-bit numbers.


def test_scales_of_float8_are_applied(tmp_path):
    random = np.random.RandomState(1)
    numbers = random.randn(200, 150).astype(ml_dtypes.float8_e4m3fn)
    blocks, rows = random.rand(2, 2).astype(np.float32), random.rand(200, 1).astype(ml_dtypes.bfloat16)
    raw = [numbers.tobytes(), blocks.tobytes(), numbers.tobytes(), rows.tobytes(), numbers.tobytes(), b"\0\0\0\x40"]
    names = ["a", "a_scale_inv", "b", "b_scale", "c", "c_scale"]
    types = ["F8_E4M3", "F32", "F8_E4M3", "BF16", "F8_E4M3", "F32"]
    shapes = [[200, 150], [2, 2], [200, 150], [200, 1], [200, 150], []]
    ends = np.cumsum([0, *map(len, raw)]).tolist()
    places = zip(names, types, shapes, ends[:-1], ends[1:], strict=True)
    header = {name: entry(kind, shape, begin, end) for name, kind, shape, begin, end in places}
    (tmp_path / "x.safetensors").write_bytes(safetensors_bytes(header, b"".join(raw)))
    checkpoint = open_checkpoint(tmp_path / "x.safetensors")
    plain = numbers.astype(np.float32)
    by_block = np.array([[plain[i, j] * blocks[i // 128, j // 128] for j in range(150)] for i in range(200)])
    assert np.array_equal(checkpoint.read("a"), by_block)
    assert np.array_equal(checkpoint.rows("a", [130, 2]), by_block[[130, 2]])
    assert np.array_equal(checkpoint.read("b"), plain * rows.astype(np.float32))
    assert np.array_equal(checkpoint.read("c"), plain * 2)


def test_mxfp4_of_experts_is_decoded(tmp_path):
    """Two experts, one row out of 32 columns in: [expert, in, out], the low half of a byte first."""
    blocks = np.zeros((2, 1, 1, 16), np.uint8)
    blocks[0, 0, 0, 0] = 0x21  # 0.5, then 1
    blocks[1, 0, 0, 15] = 0xF7  # 6, then -6
    scales = np.array([[[128]], [[126]]], np.uint8)  # times 2, times 1/2
    save_file({"down_proj_blocks": blocks, "down_proj_scales": scales}, tmp_path / "model.safetensors")
    checkpoint = open_checkpoint(tmp_path)
    assert set(checkpoint.tensors) == {"down_proj"} and checkpoint.tensors["down_proj"].shape == (2, 32, 1)
    whole = checkpoint.read("down_proj")
    assert whole[0, :3, 0].tolist() == [1, 2, 0] and whole[1, 29:, 0].tolist() == [0, 3, -3]
    assert np.array_equal(checkpoint.rows("down_proj", [1]), whole[[1]])


def test_scales_that_do_not_fit_are_refused(tmp_path):
    header = {"a": entry("F8_E4M3", [4, 4], 0, 16), "a_scale": entry("F32", [3], 16, 28)}
    (tmp_path / "x.safetensors").write_bytes(safetensors_bytes(header, bytes(28)))
    assert refused(tmp_path) == "x.safetensors: the scales of tensor a, 4 x 4, are 3, which is not read"
