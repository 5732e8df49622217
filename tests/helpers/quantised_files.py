"""GGUF files with matrices of random blocks, and vectors to multiply them with."""

from __future__ import annotations

from types import SimpleNamespace

import gguf
import numpy as np

from attnviz.checkpoints.quants import BLOCKS

SIZES = SimpleNamespace(n_heads=8, n_kv_heads=4, d_head=4, d_value=4, d_model=32, n_experts=5)


def blocks(dtype, shape, seed=0):
    """Random blocks, with scales that are ordinary numbers."""
    numbers, nbytes = BLOCKS[dtype]
    raw = np.random.default_rng(seed).integers(0, 256, (shape[0] * shape[1] // numbers, nbytes), dtype=np.uint8)
    places = {"Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,), "Q4_K": (0, 2), "Q5_K": (0, 2), "MXFP4": ()}
    for at in places.get(dtype, (0, 2) if dtype in ("Q4_1", "Q5_1") else (0,)):
        raw[:, at + 1] = raw[:, at + 1] & 0x83 | 0x20
    if dtype == "MXFP4":
        raw[:, 0] = 120 + raw[:, 0] % 16
    return raw.reshape(shape[0], -1)


def stored(writer, name, dtype, shape, seed=0):
    if dtype in ("F16", "BF16"):
        values = np.random.default_rng(seed).standard_normal(shape, np.float32)
        kind = gguf.GGMLQuantizationType[dtype]
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    else:
        writer.add_tensor(name, blocks(dtype, shape, seed), raw_dtype=gguf.GGMLQuantizationType[dtype])


def finish(writer):
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file()
    writer.close()


def vectors(*shape):
    return np.random.default_rng(7).standard_normal(shape, np.float32)
