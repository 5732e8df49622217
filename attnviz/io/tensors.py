"""Arrays in files of tensors (.pt, .pth, .bin, .safetensors), through the readers that trust nothing in them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import CheckpointError, InputError
from attnviz.io.arrays import check_budget

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from attnviz.checkpoints.base import Checkpoint, Stored

ENDINGS = (".pt", ".pth", ".bin", ".safetensors")
_NUMBERED = re.compile(r"(.*?)[._-]?(\d{1,4})")
_HINT = "save the attention alone, as in torch.save(output.attentions, 'attention.pt')"


@dataclass(frozen=True)
class StoredArray:
    """One array of a file: a tensor, or as many tensors of one shape as there are layers, read as one.

    names: of the tensors, in the order of the layers. layered: whether the first axis counts them.
    """

    file: Checkpoint
    names: tuple[str, ...]
    layered: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The axes; layers that have one map each are [layer, 1, query, key]."""
        shape = self._first.shape
        return (len(self.names), *((1,) if len(shape) == 2 else ()), *shape) if self.layered else shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 for every floating-point type; any other type as it is."""
        from attnviz.checkpoints.base import numpy_dtype

        name = self._first.dtype
        return np.dtype(np.float32) if name.startswith(("F", "BF")) else numpy_dtype(name)

    def read(self) -> NDArray[Any]:
        """The numbers. Raises InputError if they would take far more memory than the file has bytes."""
        check_budget(self.file.path, 4 * math.prod(self.shape))
        numbers = np.empty(self.shape, self.dtype)
        if not self.layered:
            numbers[...] = self.file.read(self.names[0])
        for layer, name in enumerate(self.names if self.layered else ()):
            numbers[layer] = self.file.read(name)
        return numbers

    @property
    def _first(self) -> Stored:
        return self.file.stored(self.names[0])


@contextmanager
def tensors(place: Path) -> Iterator[dict[str, StoredArray]]:
    """The arrays of a file by name, "" for one without; tensors that differ in their last number alone are layers.

    So a tuple of tensors is one array, as transformers gives `output.attentions`. Raises InputError: the file is
    damaged, or holds anything but tensors.
    """
    from attnviz.checkpoints.pytorch import open_tensors
    from attnviz.checkpoints.safetensors import open_safetensors

    try:
        with (open_safetensors if place.suffix.lower() == ".safetensors" else open_tensors)(place) as file:
            yield _arrays(file, file.tensors)
    except CheckpointError as error:
        raise InputError(str(error), _HINT) from None


def _arrays(file: Checkpoint, stored: Mapping[str, Stored]) -> dict[str, StoredArray]:
    numbered: dict[str, dict[int, str]] = {}
    for name in stored:
        if match := _NUMBERED.fullmatch(name):
            numbered.setdefault(match[1], {})[int(match[2])] = name
    arrays = {name: StoredArray(file, (name,), False) for name in stored}
    for base, layers in numbered.items():
        names = tuple(name for _, name in sorted(layers.items()))
        same = len({stored[name].shape for name in names}) == len({stored[name].dtype for name in names}) == 1
        if same and sorted(layers) == list(range(len(names))) and base not in stored:
            arrays = {name: array for name, array in arrays.items() if name not in names}
            arrays[base] = StoredArray(file, names, True)
    return arrays
