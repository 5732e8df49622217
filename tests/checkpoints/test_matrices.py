"""Products with matrices as they are stored: the numbers of the decoded matrix, whatever the cores and the cuts."""

from __future__ import annotations

import gguf
import ml_dtypes
import numpy as np
import pytest
from helpers.quantised_files import SIZES, blocks, finish, stored, vectors
from safetensors.numpy import save_file

from attnviz.checkpoints import layouts, open_checkpoint
from attnviz.checkpoints.matrices import _OF_ROWS, StoredMatrix, row_numbers
from attnviz.checkpoints.quants import UNPACKERS
from attnviz.checkpoints.weights import Weights
from attnviz.engine import products, threads
from attnviz.engine.kernels import linear
from attnviz.errors import CheckpointError

D_OUT, D_IN = 150, 4864  # two runs of columns, of which one is no power of two
QUANTISED = sorted(set(UNPACKERS) - {"Q8_K"})  # which the gguf package does not write


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file with a matrix of each type."""
    path = tmp_path_factory.mktemp("matrices") / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for dtype in [*QUANTISED, "F16", "BF16"]:
        stored(writer, dtype, dtype, (D_OUT, D_IN))
    finish(writer)
    checkpoint = open_checkpoint(path)
    return Weights(checkpoint, {name: name for name in checkpoint.tensors}, SIZES)


@pytest.mark.parametrize("n", [1, 2, 130])
@pytest.mark.parametrize("dtype", [*QUANTISED, "F16", "BF16"])
def test_products_are_those_of_the_decoded_matrix(weights, dtype, n):
    matrix, x = weights.matrix(dtype, (D_OUT, D_IN)), vectors(n, D_IN)
    assert isinstance(matrix, StoredMatrix)
    whole = weights.checkpoint.read(dtype).astype(np.float64)
    size = np.abs(x) @ np.abs(whole).T  # what rounding is relative to
    assert (np.abs(linear(x, matrix) - x @ whole.T) <= 1e-6 * size).all()


@pytest.mark.parametrize("dtype", ["Q4_0", "Q4_K", "BF16"])
def test_cores_and_texts_change_no_bit(weights, dtype, monkeypatch):
    monkeypatch.setattr(products, "PART", 1 << 15)
    matrix, bias = weights.matrix(dtype, (D_OUT, D_IN)), vectors(D_OUT)
    for n in (1, 9):
        x = vectors(3, n, D_IN)
        monkeypatch.setattr(threads, "cores", lambda: 1)
        wanted = linear(x, matrix, bias)
        monkeypatch.setattr(threads, "cores", lambda: 5)
        assert np.array_equal(linear(x, matrix, bias), wanted)
        for text, alone in zip(x, wanted, strict=True):
            assert np.array_equal(linear(text, matrix, bias), alone)


@pytest.mark.parametrize("shape", [(1, 256), (150, 4864), (11008, 4096), (4096, 11008), (32000, 4096), (7, 32 * 129)])
@pytest.mark.parametrize("n", [1, 32, 2048])
def test_parts_cover_a_matrix_once(shape, n):
    rows = [i for part in products.parts(shape, n) for i in range(part.start, part.stop)]
    columns = products.columns_of(shape[1])
    assert rows == list(range(shape[0]))
    assert [i for part in columns for i in range(part.start, part.stop)] == list(range(shape[1]))
    assert all(part.start % 256 == 0 and part.stop - part.start <= products.WIDE for part in columns)
    widest = max(part.stop - part.start for part in columns)
    assert all((part.stop - part.start) * widest <= products.LARGE_PART for part in products.parts(shape, n))


@pytest.mark.parametrize("name", sorted(_OF_ROWS))
def test_a_layout_of_rows_is_an_order_of_rows(name):
    """Applied to a matrix it gives the rows that it gives when it is applied to their numbers."""
    rows = {"expert_rows": 5 * 8, "q_of_qvk_quarters": 96, "k_of_qvk_quarters": 96, "v_of_qvk_quarters": 96}.get(
        name, 0
    )
    rows = rows or (96 if name.endswith("qkv_by_head") else 64)
    shape = (5, 8, 6) if name == "expert" else (rows, 6)
    matrix = np.random.default_rng(0).standard_normal(shape)
    wanted = getattr(layouts, name)(matrix, SIZES, i=0, e=3)
    got = row_numbers(shape, (name,), SIZES, {"i": 0, "e": 3})
    assert got is not None and np.array_equal(matrix.reshape(-1, 6)[got], wanted) and wanted.size


@pytest.mark.parametrize("names", [("transpose",), ("gate_of_gate_up", "transpose"), ("flatten_heads",)])
def test_a_layout_that_moves_columns_is_no_order_of_rows(names):
    assert row_numbers((64, 6), names, SIZES, {}) is None


def test_rows_in_another_order_and_one_expert_of_a_stack(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    stored(writer, "q", "Q4_0", (32, 2048))
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor("experts", blocks("Q8_0", (5 * 40, 2048)).reshape(5, 40, -1), raw_dtype=kind)
    finish(writer)
    names = {"q": ("q", "unpermute_rope"), "experts.{e}": ("experts", "expert")}
    weights = Weights(open_checkpoint(tmp_path / "x.gguf"), names, SIZES)
    for name, rows in (("q", 32), ("experts.3", 40)):
        matrix, x = weights.matrix(name, (rows, 2048)), vectors(4, 2048)
        assert isinstance(matrix, StoredMatrix)
        whole = weights.get(name, (rows, 2048))
        assert (np.abs(linear(x, matrix) - x @ whole.T) <= 1e-6 * (np.abs(x) @ np.abs(whole).T)).all(), name


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("fault", ["NaN", "infinity"])
def test_a_number_that_is_none_is_refused_with_its_tensor(tmp_path, fault, n):
    raw = blocks("Q4_0", (40, 2048))
    raw[33, 18 * 5 : 18 * 5 + 2] = np.array([np.nan if fault == "NaN" else np.inf], np.float16).view(np.uint8)
    raw[33, 18 * 5 + 2] = 0xFF if fault == "infinity" else 0
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_tensor("blk.0.q", raw, raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    finish(writer)
    matrix = Weights(open_checkpoint(tmp_path / "x.gguf"), {"q": "blk.0.q"}, SIZES).matrix("q", (40, 2048))
    with pytest.raises(CheckpointError, match=r"^\w+ in tensor blk\.0\.q \(q\) of x\.gguf$"):
        linear(vectors(n, 2048), matrix)


def test_products_that_are_too_large_are_not_the_file_s_fault(weights):
    matrix = weights.matrix("Q4_0", (D_OUT, D_IN))
    with np.errstate(all="ignore"):
        assert not np.isfinite(linear(np.full((2, D_IN), 3e38, np.float32), matrix)).all()


@pytest.mark.parametrize("scales", [(), (1,), (300,), (300, 1), (3, 5), (1, 5)])
def test_parts_of_scaled_floats_are_those_of_the_whole(tmp_path, scales):
    """8-bit floats with one scale, one for each row, or one for each block of 128 x 128, some of them cut off."""
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((300, 520), np.float32).astype(ml_dtypes.float8_e4m3fn)
    scale = rng.uniform(0.5, 2, scales).astype(np.float32)
    save_file({"w": weight, "w_scale_inv": scale}, tmp_path / "x.safetensors")
    checkpoint = open_checkpoint(tmp_path / "x.safetensors")
    assert checkpoint.has_parts("w") and not checkpoint.has_parts("w_scale_inv")
    whole = checkpoint.read("w")
    for rows in (slice(0, 300), slice(120, 270), np.array([299, 0, 130])):
        for columns in (slice(0, 520), slice(256, 512), slice(256, 520)):
            np.testing.assert_array_equal(checkpoint.part("w", rows, columns), whole[rows][:, columns])
