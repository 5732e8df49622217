"""The costs of a large model, on smaller ones of its shape: memory, the file's pages, and the time to end."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
import tracemalloc
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from helpers import llama_files

import attnviz
from attnviz.engine import products
from attnviz.engine.threads import cores

IDS = list(range(5, 17))
PAGE = 1 << 16  # bytes that a system reads at once around a page


def peak(work):
    """The most bytes that Python and NumPy held at once during the work, beyond what they held before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
def test_floats_of_two_bytes_are_widened_as_they_are_used(tmp_path, dtype):
    """Never a whole tensor: less than the largest of them takes as float32, of a model of 16 times as many numbers."""
    numbers = llama_files.folder(tmp_path, dtype=dtype)
    model = attnviz.load(tmp_path)
    largest = 4 * 2048 * 512
    assert numbers == 4 * (4 * 512 * 512 + 3 * 2048 * 512)
    model.attend(ids=IDS, layers=[0])  # what is loaded once and kept
    assert peak(lambda: model.attend(ids=IDS)) < largest + products.PART * 4 * min(cores(), 4)
    whole = attnviz.load(tmp_path)
    whole.tensors.matrix = whole.tensors.get
    assert np.abs(whole.attend(ids=IDS).weights - model.attend(ids=IDS).weights).max() < 2e-6


def test_blocks_are_decoded_as_they_are_used(tmp_path):
    llama_files.gguf_file(tmp_path / "x.gguf")
    model = attnviz.load(tmp_path / "x.gguf")
    model.attend(ids=IDS, layers=[0])
    assert peak(lambda: model.attend(ids=IDS)) < 4 * 2048 * 512 + products.PART * 4 * min(cores(), 4)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not list pages")
def test_a_low_layer_reads_its_own_bytes(tmp_path):
    """Pages of the mapped file that are in this process's memory, by the kernel's count."""
    path = tmp_path / "x.gguf"
    llama_files.gguf_file(path, layers=8)
    size = path.stat().st_size
    model = attnviz.load(path)
    header = resident(path)
    stored = model.checkpoint.tensors
    queries_and_keys = sum(stored[f"blk.0.attn_{x}.weight"].nbytes for x in "qk")
    model.attend(ids=IDS, layers=[0])
    read = resident(path) - header
    assert queries_and_keys - 2 * PAGE < read < queries_and_keys + len(IDS) * PAGE + 4 * PAGE < size / 4
    model.attend(ids=IDS, layers=[1])
    whole_layer = sum(tensor.nbytes for name, tensor in stored.items() if name.startswith("blk.0."))
    assert resident(path) - header < whole_layer + queries_and_keys + len(IDS) * PAGE + 8 * PAGE
    model.attend(ids=IDS)
    assert resident(path) > 0.8 * size


def resident(path):
    """Bytes of a mapped file that are in this process's memory."""
    lines = iter(Path("/proc/self/smaps").read_text(encoding="utf-8", errors="replace").splitlines())
    total = 0
    for line in lines:
        if line.endswith(str(path)):
            total += next(int(m[1]) for m in (re.match(r"Rss:\s+(\d+) kB", each) for each in lines) if m) * 1024
    return total


@pytest.mark.skipif(sys.platform == "win32", reason="a signal to itself ends the process there")
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("n", [1, 12])
def test_ctrl_c_in_a_product_ends_it_with_the_parts_at_hand(tmp_path, n):
    """After the signal each thread begins one or two parts at most."""
    llama_files.gguf_file(tmp_path / "x.gguf", layers=1)
    matrix = attnviz.load(tmp_path / "x.gguf").tensors.matrix("layers.0.up.weight", (2048, 512))
    part, begun = matrix.part, []

    def interrupted(rows, columns, again=False):
        begun.append(rows)
        if len(begun) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)  # longer than a thread keeps the interpreter, so that the signal is heard meanwhile
        return part(rows, columns, again)

    matrix.part = interrupted
    before = products.PART
    products.PART = 1 << 13
    assert len(products.parts((2048, 512), n)) == 128
    try:
        with pytest.raises(KeyboardInterrupt):
            products.product(np.ones((n, 512), np.float32), matrix)
    finally:
        products.PART = before
    assert len(begun) <= 2 + 2 * cores()
