"""Read PyTorch's .bin, .pt and .pth files without torch, and without running code in them.

Since torch 1.6 such a file is a zip: a pickle that describes the tensors, and one member of raw numbers for each
storage, uncompressed, so that it can be mapped. Before, it was five pickles and then the storages one after the other.
Both pickles are read by `pickles`, which builds nothing but tensors.

Source: torch/serialization.py.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from attnviz.checkpoints.base import (
    DTYPE_BYTES,
    Checkpoint,
    Stored,
    check_whole,
    checked_shape,
    damaged,
    map_file,
    numpy_dtype,
    shown,
)
from attnviz.checkpoints.pickles import MAX_PICKLE, Storage, Tensor, unpickle
from attnviz.checkpoints.zips import Member, members
from attnviz.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from attnviz.checkpoints.quants import Grouped

    Named = Callable[[Path, object], dict[str, Tensor]]  # what a pickle built -> its tensors by name

_MAGIC = 0x1950A86A20F9469CFC6C
_MAX_LISTED = 10_000  # limit of tensors in a list: repeating one takes two bytes of the file
_INSIDE = ("state_dict", "model_state_dict", "model", "module")  # where a training checkpoint keeps the weights


def open_pytorch(path: Path) -> Pytorch:
    """Open a file that torch.save wrote of a state dict, or of a dictionary that holds one.

    Raises:
        CheckpointError: it is no such file, is damaged, or its pickle names anything except tensors.
    """
    return _opened(path, _tensors)


def open_tensors(path: Path) -> Pytorch:
    """Open a file that torch.save wrote of a tensor, of a list or tuple of tensors, or of a dictionary of tensors,
    lists and tuples.

    Tensors of a list are named by their index: "0", "1", ... or, in a dictionary, "name.0"; a single tensor is named
    "".

    Raises:
        CheckpointError: as for `open_pytorch`.
    """
    return _opened(path, _any_tensors)


def _opened(path: Path, named: Named) -> Pytorch:
    data = map_file(path)
    if data[:2].tobytes() == b"PK":
        return _open_zip(path, data, named)
    return _open_legacy(path, data, named)


class Pytorch(Checkpoint):
    """Tensors of a torch file. Each is some elements of a storage, which is a range of bytes in the file."""

    def __init__(
        self, path: Path, data: NDArray[np.uint8], tensors: dict[str, Tensor], starts: dict[str, tuple[int, int]]
    ) -> None:
        self._data: NDArray[np.uint8] | None = data
        self._tensors, self._starts = tensors, starts
        stored = {name: _stored(path, name, tensor, starts) for name, tensor in tensors.items()}
        places = {name: (starts[t.storage.key], t.offset, t.strides) for name, t in tensors.items()}
        super().__init__(path, stored, places, None)

    def read(self, name: str) -> NDArray[Any]:
        stored, tensor = self.stored(name), self._tensors[name]
        if self._data is None:
            raise CheckpointError(f"{self.path.name} was closed")
        check_whole(self.path, self._data)
        dtype = numpy_dtype(stored.dtype)
        offset = self._starts[tensor.storage.key][0] + tensor.offset * dtype.itemsize
        strides = [stride * dtype.itemsize for stride in tensor.strides]
        return np.ndarray(stored.shape, dtype, buffer=self._data, offset=offset, strides=strides)

    def has_parts(self, name: str) -> bool:
        return self.stored(name).dtype in ("F16", "BF16") and bool(self.read(name).flags.c_contiguous)

    def part(self, name: str, rows: slice | NDArray[Any], columns: slice) -> NDArray[Any] | Grouped:
        array = self.read(name)
        return array.reshape(-1, array.shape[-1])[rows, columns]

    def close(self) -> None:
        self._data = None


def _stored(path: Path, name: str, tensor: Tensor, starts: dict[str, tuple[int, int]]) -> Stored:
    """A tensor's description, after checking that all its elements lie in its storage."""
    shape = checked_shape(path, name, tensor.shape)
    if len(tensor.strides) != len(shape):
        damaged(path, f"tensor {shown(name)} has {len(shape)} axes and {len(tensor.strides)} strides")
    nbytes = math.prod(shape) * DTYPE_BYTES[tensor.dtype]
    have = starts[tensor.storage.key][1]
    last = tensor.offset + sum((n - 1) * stride for n, stride in zip(shape, tensor.strides, strict=True))
    if math.prod(shape) and (last + 1) * DTYPE_BYTES[tensor.dtype] > have:
        damaged(path, f"tensor {shown(name)} reaches beyond its storage of {have:,} bytes")
    if nbytes > have:  # with strides of 0 a small storage could claim any size
        damaged(path, f"tensor {shown(name)} claims {nbytes:,} bytes of a storage of {have:,}")
    return Stored(name, shape, tensor.dtype, nbytes, path.name)


def _not_of_torch(path: Path, entries: dict[str, Member]) -> NoReturn:
    """Refuse a zip file without a pickle of torch's; the message depends on the file's extension."""
    kind = path.suffix.lower().lstrip(".")
    hint = "its members are NumPy arrays: name it .npz" if any(name.endswith(".npy") for name in entries) else ""
    if kind in ("safetensors", "gguf"):
        damaged(path, f"is a zip file, not {kind}", hint or f"save the weights as {kind}, or name the {kind} file")
    damaged(path, "is a zip file without data.pkl, so not one of torch's", hint)


def _open_zip(path: Path, data: NDArray[np.uint8], named: Named) -> Pytorch:
    entries = members(path, data)
    pickle = next((m for name, m in entries.items() if name == "data.pkl" or name.endswith("/data.pkl")), None)
    if pickle is None:
        _not_of_torch(path, entries)
    root = pickle.name.removesuffix("data.pkl")
    if root + "constants.pkl" in entries:
        damaged(path, "is a TorchScript program, not weights", "save its state_dict() instead")
    order = entries.get(root + "byteorder")
    if order is not None and data[order.start : order.start + order.packed].tobytes() != b"little":
        damaged(path, "its numbers are stored big-endian, which is not read")
    if not pickle.plain or pickle.size > MAX_PICKLE:
        damaged(path, f"its data.pkl is compressed or longer than {MAX_PICKLE:,} bytes")
    tensors = named(path, unpickle(path, data[pickle.start : pickle.start + pickle.size].data)[0])
    starts: dict[str, tuple[int, int]] = {}
    for tensor in tensors.values():
        if tensor.storage.key not in starts:
            starts[tensor.storage.key] = _storage(path, tensor.storage, entries.get(f"{root}data/{tensor.storage.key}"))
    return Pytorch(path, data, tensors, starts)


def _storage(path: Path, storage: Storage, member: Member | None) -> tuple[int, int]:
    """A storage's place in the zip, and its size in bytes."""
    if member is None:
        damaged(path, f"lacks data/{shown(storage.key)}, which its pickle names")
    if not member.plain:
        damaged(path, f"data/{shown(storage.key)} is compressed, as torch does not write it")
    claimed = storage.size * DTYPE_BYTES[storage.dtype]
    if claimed > member.size:
        damaged(path, f"storage {shown(storage.key)} claims {claimed:,} bytes, its member has {member.size:,}")
    return member.start, claimed


def _open_legacy(path: Path, data: NDArray[np.uint8], named: Named) -> Pytorch:
    view = data.data
    magic, at = unpickle(path, view)
    if magic != _MAGIC:
        damaged(path, "is not a file that torch.save wrote")
    _, at = unpickle(path, view, at)  # the protocol's version
    system, at = unpickle(path, view, at)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        damaged(path, "its numbers are stored big-endian, which is not read")
    content, at = unpickle(path, view, at)
    tensors = named(path, content)
    keys, at = unpickle(path, view, at)
    return Pytorch(path, data, tensors, _legacy_storages(path, view, at, tensors, keys))


def _legacy_storages(
    path: Path, view: memoryview, at: int, tensors: dict[str, Tensor], keys: object
) -> dict[str, tuple[int, int]]:
    """The place of each storage. Storages follow in the order of `keys`: eight bytes of size, then the numbers."""
    storages = {tensor.storage.key: tensor.storage for tensor in tensors.values()}
    starts: dict[str, tuple[int, int]] = {}
    for key in keys if isinstance(keys, list) else []:
        storage = storages.get(str(key)) if isinstance(key, str | int) else None
        if storage is None:
            damaged(path, "holds a storage that belongs to none of its weights", "save only the weights' state_dict()")
        claimed = storage.size * DTYPE_BYTES[storage.dtype]
        if at + 8 + claimed > len(view):
            damaged(path, f"truncated: storage {shown(storage.key)} claims {claimed:,} bytes")
        if int.from_bytes(view[at : at + 8], "little") != storage.size:
            damaged(path, f"storage {shown(storage.key)} has another size than its pickle says")
        starts[storage.key] = (at + 8, claimed)
        at += 8 + claimed
    missing = next((key for key in storages if key not in starts), None)
    if missing is not None:
        damaged(path, f"lacks storage {shown(missing)}, which its pickle names")
    return starts


def _tensors(path: Path, built: object) -> dict[str, Tensor]:
    """The named tensors in a pickled object: at its top, or under one of the usual keys of training checkpoints."""
    places: list[Any] = [built]
    if isinstance(built, dict):
        places += [built.get(key) for key in _INSIDE]
    for place in places:
        if isinstance(place, dict):
            named = {k: v for k, v in place.items() if isinstance(k, str) and isinstance(v, Tensor)}
            if named:
                return named
    damaged(
        path, "holds no dictionary of named tensors", "it must be a state dict, as torch.save(model.state_dict()) gives"
    )


def _any_tensors(path: Path, content: object) -> dict[str, Tensor]:
    """Every tensor of a pickled object that holds them in lists, tuples and dictionaries, two levels deep."""
    tensors: dict[str, Tensor] = {}
    for name, value in _listed(content) or [("", content)]:
        items = [("", value)] if isinstance(value, Tensor) else [(f".{at}", item) for at, item in _listed(value)]
        tensors |= {name + ending: item for ending, item in items if isinstance(item, Tensor)}
        if len(tensors) > _MAX_LISTED:
            damaged(path, f"holds more than {_MAX_LISTED:,} tensors")
    if not tensors:
        damaged(path, "holds no tensors")
    return tensors


def _listed(content: object) -> list[tuple[str, Any]]:
    """(name, item) for a dictionary by its keys, for a list or tuple by index."""
    if isinstance(content, dict):
        return [(key, value) for key, value in content.items() if isinstance(key, str)]
    return [(str(i), value) for i, value in enumerate(content)] if isinstance(content, (list, tuple)) else []
