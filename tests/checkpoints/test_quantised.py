"""Published forms of quantised checkpoints, against slow decoding from each form's definition.

The definitions: OCP 8-bit floating point 1.0 (2023), section 5; OCP Microscaling Formats 1.0 (2023), section 5.
"""

from __future__ import annotations

import json
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from helpers.checkpoint_files import entry, safetensors_bytes
from helpers.paths import DATA, REFERENCE
from helpers.quantised_forms import FP8, changed, group
from safetensors import safe_open
from safetensors.numpy import load_file

import attnviz
from attnviz.checkpoints import open_checkpoint
from attnviz.checkpoints.quantised import Quantised, understood
from attnviz.errors import CheckpointError

IDS = [5, 6, 7, 8, 3, 2, 9, 1]
# Slow decoding, number by number


def float8(code):
    """E4M3 (1 sign, 4 exponent bits of bias 7, 3 of mantissa; no infinity) by its definition."""
    code = int(code)
    sign, exponent, mantissa = -1.0 if code & 128 else 1.0, code >> 3 & 15, code & 7
    if exponent == 15 and mantissa == 7:
        return float("nan")
    return sign * (mantissa / 8 * 2.0**-6 if exponent == 0 else (1 + mantissa / 8) * 2.0 ** (exponent - 7))


def float4(code):
    """E2M1 (1 sign, 2 exponent bits of bias 1, 1 of mantissa) by its definition."""
    code = int(code)
    sign, exponent, mantissa = -1.0 if code & 8 else 1.0, code >> 1 & 3, code & 1
    return sign * (mantissa / 2 if exponent == 0 else (1 + mantissa / 2) * 2.0 ** (exponent - 1))


def slow_fp8(codes, scale, block):
    """codes uint8 [..., out, in], scale [..., out / block, in / block] -> float64."""
    found = np.empty(codes.shape)
    for place in np.ndindex(codes.shape):
        at = (*place[:-2], place[-2] // block[0], place[-1] // block[1])
        found[place] = np.float32(float8(codes[place])) * np.float32(scale[at])
    return found


def slow_mxfp4(blocks, scales):
    """[expert, out, group, 16], [expert, out, group] -> [expert, out, in], a scale being a power of 2 of bias 127."""
    found = np.empty((*blocks.shape[:2], blocks.shape[2] * 32))
    for e, o, g, b in np.ndindex(blocks.shape):
        scale = 2.0 ** (int(scales[e, o, g]) - 127)
        found[e, o, 32 * g + 2 * b] = float4(blocks[e, o, g, b] & 15) * scale
        found[e, o, 32 * g + 2 * b + 1] = float4(blocks[e, o, g, b] >> 4) * scale
    return found


DTYPES = {
    "float8_e4m3fn": "F8_E4M3",
    "float8_e8m0fnu": "F8_E8M0",
    "bfloat16": "BF16",
    "float32": "F32",
    "uint8": "U8",
    "int8": "I8",
}


def save(path, arrays):
    """A safetensors file, with dtypes that NumPy lacks too."""
    ends = np.cumsum([0, *(array.nbytes for array in arrays.values())]).tolist()
    header = {
        name: entry(DTYPES[array.dtype.name], list(array.shape), *place)
        for (name, array), place in zip(arrays.items(), pairwise(ends), strict=True)
    }
    path.write_bytes(safetensors_bytes(header, b"".join(array.tobytes() for array in arrays.values())))


def codes_of(random, *shape):
    """Bytes that are not NaN, most of them near 1."""
    return (random.randint(0x28, 0x48, shape) | random.randint(0, 2, shape) << 7).astype(np.uint8)


def read_whole_and_by_rows(path, quantised, name, rows):
    checkpoint = open_checkpoint(path, lambda: quantised)
    whole = checkpoint.read(name)
    assert whole.dtype == np.float32 and np.array_equal(checkpoint.rows(name, rows), whole[rows])
    return whole


@pytest.mark.parametrize("shape", [(70, 50), (64, 32), (1, 33), (3, 70, 50)])
@pytest.mark.parametrize("block", [(32, 16), (1, 25), (64, 64)])
def test_blocks_of_any_size(shape, block, tmp_path):
    random = np.random.RandomState(3)
    codes = codes_of(random, *shape)
    scale = random.rand(*shape[:-2], -(-shape[-2] // block[0]), -(-shape[-1] // block[1])).astype(np.float32)
    arrays = {"x.weight": codes.view(ml_dtypes.float8_e4m3fn), "x.weight_scale_inv": scale}
    save(tmp_path / "model.safetensors", arrays)
    rows = [shape[0] - 1, 0, 0]
    whole = read_whole_and_by_rows(tmp_path, Quantised("fp8", (block,)), "x.weight", rows)
    assert np.array_equal(whole, slow_fp8(codes, scale, block))


@pytest.mark.parametrize("form", [(), (1,), (1, 1), (20,), (20, 1)])
@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, ml_dtypes.float8_e8m0fnu])
def test_a_scale_for_the_tensor_or_for_each_row(form, dtype, tmp_path):
    random = np.random.RandomState(4)
    codes, scale = codes_of(random, 20, 30), (random.rand(*form) + 0.1) * np.ones(form)
    scale = np.asarray(scale).astype(dtype)
    arrays = {"x.weight": codes.view(ml_dtypes.float8_e4m3fn), "x.weight_scale": scale, "x.input_scale": scale}
    save(tmp_path / "model.safetensors", arrays)
    whole = read_whole_and_by_rows(tmp_path, Quantised("compressed-tensors"), "x.weight", [19, 3])
    spread = np.broadcast_to(scale.astype(np.float32).reshape(-1, 1) if form else scale.astype(np.float32), (20, 30))
    assert np.array_equal(whole, slow_fp8(codes, spread, (1, 1)))


def test_scales_in_bytes_are_powers_of_two(tmp_path):
    random = np.random.RandomState(7)
    codes, powers = codes_of(random, 8, 12), random.randint(120, 132, (2, 3)).astype(np.uint8)
    arrays = {"x.weight": codes.view(ml_dtypes.float8_e4m3fn), "x.weight_scale_inv": powers}
    save(tmp_path / "model.safetensors", arrays)
    whole = read_whole_and_by_rows(tmp_path, Quantised("fp8", ((4, 4),)), "x.weight", [7, 1])
    assert np.array_equal(whole, slow_fp8(codes, 2.0 ** (powers.astype(int) - 127), (4, 4)))


@pytest.mark.parametrize(("zero", "read"), [(0, True), (1, False)])
def test_zero_points_are_zero(zero, read, tmp_path):
    """Older files store zero points, as 8-bit floats, even if the form is symmetric."""
    point = np.full((2, 1), zero, ml_dtypes.float8_e4m3fn)
    codes = codes_of(np.random.RandomState(8), 2, 4)
    arrays = {"x.weight": codes.view(ml_dtypes.float8_e4m3fn), "x.weight_scale": ONE, "x.weight_zero_point": point}
    save(tmp_path / "model.safetensors", arrays)
    checkpoint = open_checkpoint(tmp_path, lambda: Quantised("compressed-tensors"))
    if read:
        assert np.array_equal(checkpoint.read("x.weight"), slow_fp8(codes, np.ones((1, 1)), (99, 99)))
    else:
        for ask in (checkpoint.read, lambda name: checkpoint.rows(name, [0])):
            with pytest.raises(CheckpointError, match=r"tensor x\.weight has zero points that are not zero"):
                ask("x.weight")


def test_every_number_of_mxfp4(tmp_path):
    """All 256 bytes under scales from the smallest to the largest that float32 holds."""
    blocks = np.arange(256, dtype=np.uint8).reshape(2, 8, 1, 16)
    scales = np.array([1, 64, 120, 126, 127, 128, 190, 250, *range(100, 108)], np.uint8).reshape(2, 8, 1)
    save(tmp_path / "model.safetensors", {"down_proj_blocks": blocks, "down_proj_scales": scales})
    whole = read_whole_and_by_rows(tmp_path, Quantised("mxfp4"), "down_proj", [1])
    assert np.array_equal(whole, slow_mxfp4(blocks, scales).swapaxes(1, 2))


@pytest.mark.parametrize("form", ["mxfp4", "fp8", "tensor", "channel", "block", "group"])
def test_against_the_libraries_that_make_these_files(form):
    """Files and numbers are from scripts/make_quantised_reference.py. The libraries multiply in float32 too."""
    path = DATA / "quantised" / f"{form}.safetensors"
    with safe_open(path, "np") as file:
        said = json.loads(file.metadata()["quantization_config"])
    checkpoint = open_checkpoint(path, lambda: understood({"quantization_config": said}))
    with np.load(path.with_name("expected.npz")) as expected:
        wanted = {name.partition("/")[2]: expected[name] for name in expected.files if name.startswith(form + "/")}
    assert wanted
    for name, array in wanted.items():
        assert np.array_equal(checkpoint.read(name), array) and np.abs(array).max() > 0


# Whole models


def twins(folder, name, said, quantise):
    """Two folders of one model: quantised as published, and plain with the decoded numbers."""
    config = json.loads((REFERENCE / name / "config.json").read_bytes())
    plain, stored = {}, {}
    for tensor, array in load_file(REFERENCE / name / "model.safetensors").items():
        plain[tensor] = array
        parts = quantise(tensor, array)
        if parts is None:
            stored[tensor] = array
        else:
            plain[tensor], more = parts
            stored |= more
    for kind, tensors, extra in (("plain", plain, {}), ("stored", stored, {"quantization_config": said})):
        (folder / kind).mkdir()
        (folder / kind / "config.json").write_text(json.dumps({**config, **extra}))
        save(folder / kind / "model.safetensors", {k: np.ascontiguousarray(v) for k, v in tensors.items()})
    models = [attnviz.load(folder / kind) for kind in ("plain", "stored")]
    assert [model.meta.get("quantised") for model in models] == [None, said["quant_method"]]
    return [model.attend(ids=IDS).weights for model in models]


def test_gpt_oss_as_published(tmp_path):
    """Experts in mxfp4, everything else unchanged: the same attention as from the decoded numbers."""
    random = np.random.RandomState(5)

    def quantise(name, array):
        if not name.endswith(("gate_up_proj", "down_proj")):
            return None
        experts, into, out = array.shape
        blocks = random.randint(0, 256, (experts, out, into // 32, 16)).astype(np.uint8)
        scales = random.randint(123, 126, (experts, out, into // 32)).astype(np.uint8)
        decoded = slow_mxfp4(blocks, scales).swapaxes(1, 2).astype(np.float32)
        return decoded, {f"{name}_blocks": blocks, f"{name}_scales": scales}

    said = {"modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"], "quant_method": "mxfp4"}
    plain, stored = twins(tmp_path, "gpt_oss", said, quantise)
    assert np.array_equal(plain, stored)
    own = attnviz.load(REFERENCE / "gpt_oss").attend(ids=IDS).weights
    assert np.abs(own[1] - stored[1]).max() > 0.01  # the replaced experts matter


@pytest.mark.parametrize(
    ("said", "scale_of", "suffix"),
    [
        (changed(FP8, weight_block_size=[16, 24]), (16, 24), "_scale_inv"),
        (group(), (1, 1 << 20), "_scale"),
        (group(strategy="tensor"), (1 << 20, 1 << 20), "_scale"),
        (group(strategy="block", block_structure=[8, 16]), (8, 16), "_scale"),
    ],
)
def test_llama_in_8_bits(said, scale_of, suffix, tmp_path):
    random = np.random.RandomState(6)

    def quantise(name, array):
        if not name.endswith("proj.weight"):
            return None
        codes, shape = codes_of(random, *array.shape), array.shape
        scale = random.rand(-(-shape[0] // scale_of[0]), -(-shape[1] // scale_of[1])).astype(np.float32)
        stored = {name: codes.view(ml_dtypes.float8_e4m3fn), name + suffix: scale}
        return slow_fp8(codes, scale, scale_of).astype(np.float32), stored

    plain, stored = twins(tmp_path, "llama", said, quantise)
    assert np.array_equal(plain, stored)


# Misfits


NUMBERS = np.zeros((4, 4), ml_dtypes.float8_e4m3fn)
ONE = np.ones((), np.float32)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"x.weight": NUMBERS},
            "tensor x.weight is F8_E4M3, and its scale x.weight_scale_inv or x.weight_scale is missing",
        ),
        (
            {"x.weight": NUMBERS.astype(ml_dtypes.bfloat16), "x.weight_scale": ONE},
            "x.weight_scale is the scale of tensor x.weight, which is BF16 instead of 8-bit floats",
        ),
        ({"x.weight_scale": ONE}, "x.weight_scale is the scale of tensor x.weight, which is missing"),
        ({"a_blocks": np.zeros((1, 1, 1, 16), np.uint8)}, "tensor a_blocks has no a_scales beside it"),
        ({"a_scales": np.zeros((1, 1, 1), np.uint8)}, "tensor a_scales has no a_blocks beside it"),
        (
            {"x.weight": NUMBERS, "x.weight_scale": np.ones((3, 2), np.float32)},
            "the scales of tensor x.weight, 4 x 4, are 3 x 2, which is not read",
        ),
        (
            {"x.weight": NUMBERS, "x.weight_scale": np.ones((4, 1), np.int8)},
            "the scales of tensor x.weight, 4 x 4, are 4 x 1 of I8, which is not read",
        ),
    ],
)
def test_a_tensor_and_its_scale_come_together(arrays, message, tmp_path):
    save(tmp_path / "model.safetensors", arrays)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(tmp_path, lambda: Quantised("fp8"))
    assert str(caught.value) == f"model.safetensors: {message}"


def test_two_sizes_of_blocks_that_could_both_be_meant_are_refused(tmp_path):
    arrays = {"x.weight": np.zeros((100, 100), ml_dtypes.float8_e4m3fn), "x.weight_scale": np.ones((2, 2), np.float32)}
    save(tmp_path / "model.safetensors", arrays)
    with pytest.raises(CheckpointError, match=r"the scales of tensor x\.weight, 100 x 100, are 2 x 2, which is not"):
        open_checkpoint(tmp_path, lambda: Quantised("compressed-tensors", ((60, 60), (80, 80))))
    open_checkpoint(tmp_path, lambda: Quantised("compressed-tensors", ((60, 60), (30, 30))))


def test_float8_without_a_word_is_plain(tmp_path):
    """A checkpoint that was merely cast to 8 bits has neither scales nor settings."""
    save(tmp_path / "model.safetensors", {"x.weight": np.full((2, 2), 0.5, ml_dtypes.float8_e4m3fn)})
    assert (open_checkpoint(tmp_path).read("x.weight").astype(np.float32) == 0.5).all()
