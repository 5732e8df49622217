"""Weight files for tests: untrusted files, and a check of how they are refused."""

from __future__ import annotations

import json
import struct
import time
import tracemalloc
import zipfile
from types import SimpleNamespace

import pytest
from helpers.effort import usual

from attnviz.checkpoints import open_checkpoint
from attnviz.errors import CheckpointError

SIZES = SimpleNamespace(n_heads=4, n_kv_heads=2, d_head=6, d_model=10)


def refused(path, read=None):
    """The message that refuses a file, which must be one line and come quickly, with little memory."""
    tracemalloc.start()
    start = time.process_time()
    try:
        with pytest.raises(CheckpointError) as caught:
            checkpoint = open_checkpoint(path)
            if read:
                checkpoint.read(read)
        seconds, peak = time.process_time() - start, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert "\n" not in message and message.isprintable()
    assert peak < 40_000_000 and (seconds < 0.5 or usual(seconds) < 3), (seconds, peak)
    return message


def safetensors_bytes(header, data=b""):
    """A safetensors file with any header, true or not: an object, or text."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text)) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


# A pickle as torch writes it, opcode by opcode, so that no torch is needed to make one.


def text(value):
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def sizes(values):
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(key, size, shape, strides, offset=0, storage="FloatStorage"):
    """A call of torch._utils._rebuild_tensor_v2."""
    where = b"(" + text("storage") + f"ctorch\n{storage}\n".encode() + text(key) + text("cpu") + number(size) + b"tQ"
    start = b"ctorch._utils\n_rebuild_tensor_v2\n(" + where + number(offset) + sizes(shape) + sizes(strides)
    return start + b"\x89ccollections\nOrderedDict\n)RtR"


def pickled(items):
    """A dictionary of names and pickled values."""
    return b"\x80\x02}(" + b"".join(text(name) + value for name, value in items.items()) + b"u."


def torch_zip(path, pickle, storages, **members):
    """A file as torch.save lays it out; storages: key -> bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickle)
        archive.writestr("model/byteorder", members.pop("byteorder", "little"))
        for key, raw in storages.items():
            archive.writestr(f"model/data/{key}", raw)
        for name, raw in members.items():
            archive.writestr(f"model/{name}", raw)
    return path
