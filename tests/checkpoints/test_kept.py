"""Unpacked weights that are kept for new tokens: the same numbers, within a limit that what is free sets."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
from helpers.quantised_files import SIZES, finish, stored, vectors

from attnviz.checkpoints import kept as kept_module
from attnviz.checkpoints import open_checkpoint
from attnviz.checkpoints.weights import Weights
from attnviz.engine.kernels import linear
from attnviz.errors import SelectionError
from attnviz.files.memory import bytes_of, free

SHAPE = (600, 1024)  # three parts


@pytest.fixture
def weights(tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    for dtype in ("Q4_0", "Q4_K", "F16"):
        stored(writer, dtype, dtype, SHAPE)
    finish(writer)
    names = {name: name for name in ("Q4_0", "Q4_K", "F16")}
    return Weights(open_checkpoint(tmp_path / "x.gguf"), names, SIZES)


@pytest.mark.parametrize("dtype", ["Q4_0", "Q4_K"])
def test_what_is_kept_is_not_read_again_and_changes_no_bit(weights, dtype, monkeypatch):
    x = vectors(1, SHAPE[1])
    first = linear(x, weights.matrix(dtype, SHAPE))
    assert weights.kept.used == 0  # nobody knows yet that it is wanted again
    assert np.array_equal(linear(x, weights.matrix(dtype, SHAPE)), first)
    minima = 0 if dtype == "Q4_0" else SHAPE[0] * SHAPE[1] // 32 * 4
    assert weights.kept.used == SHAPE[0] * SHAPE[1] * (1 + 4 / 32) + minima and not weights.kept.left_out
    monkeypatch.setattr(weights.checkpoint, "part", None)
    assert np.array_equal(linear(x, weights.matrix(dtype, SHAPE)), first)
    assert np.array_equal(linear(x, weights.also({}).matrix(dtype, SHAPE)), first)


def test_only_single_vectors_and_only_blocks_are_kept(weights):
    for _ in range(3):
        linear(vectors(2, SHAPE[1]), weights.matrix("Q4_0", SHAPE))
        linear(vectors(1, SHAPE[1]), weights.matrix("F16", SHAPE))
    assert weights.kept.used == 0 and weights.kept.described() == ""


def test_a_limit_holds_and_what_does_not_fit_is_read_each_time(weights):
    x = vectors(1, SHAPE[1])
    wanted = linear(x, weights.matrix("Q4_0", SHAPE))
    linear(x, weights.matrix("Q4_0", SHAPE))
    whole = weights.kept.used
    weights.kept.resize(whole // 2)
    for _ in range(3):
        assert np.array_equal(linear(x, weights.matrix("Q4_0", SHAPE)), wanted)
        assert 0 < weights.kept.used <= whole // 2
    assert "1 of" in weights.kept.described() and "exact" in weights.kept.described()
    weights.kept.resize(0)
    assert np.array_equal(linear(x, weights.matrix("Q4_0", SHAPE)), wanted) and weights.kept.used == 0


def test_the_limit_is_half_of_what_is_free_when_it_is_needed(weights, monkeypatch):
    monkeypatch.setattr(kept_module, "free", lambda: 1_000_000)
    for _ in range(2):
        linear(vectors(1, SHAPE[1]), weights.matrix("Q4_0", SHAPE))
    assert weights.kept.limit == 500_000 and 0 < weights.kept.used <= 500_000 and weights.kept.left_out


def test_free_memory_is_that_of_the_machine_or_of_a_smaller_container(tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  9 kB\nMemAvailable:    8000 kB\n")
    assert free(tmp_path) == 8_192_000
    group = tmp_path / "sys/fs/cgroup"
    group.mkdir(parents=True)
    (group / "memory.current").write_text("1000000\n")
    (group / "memory.max").write_text("max\n")
    assert free(tmp_path) == 8_192_000
    (group / "memory.max").write_text("3000000\n")
    assert free(tmp_path) == 2_000_000
    (group / "memory.max").write_text("500000\n")
    assert free(tmp_path) == 0
    assert free(tmp_path / "nowhere") > 0
    assert free() > 0


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("4GB", 4 * 10**9), ("500 MB", 5 * 10**8), ("1.5gib", 3 << 29), ("0", 0), ("64k", 64000), ("12", 12)],
)
def test_sizes_as_people_write_them(text, wanted):
    assert bytes_of(text) == wanted


@pytest.mark.parametrize("text", ["", "much", "-1GB", "4 GB free", "1e9", "4TBB", "9" * 30])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(SelectionError, match="wanted a size such as 4GB, 500MB or 0; got"):
        bytes_of(text)
