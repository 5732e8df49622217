"""Weights in an .npz, written by hand for teaching or by another program with `numpy.savez`.

`W_Q`, `W_K`, `W_V` float [d_model, n_heads * d_head] and `n_heads`; optional `W_O` [n_heads * d_head, d_model], biases
`b_Q`, `b_K`, `b_V`, `b_O`, `embedding` [token, d_model] with `tokens` (text), `positions` [position, d_model] and
`causal`. Further layers carry a suffix: `W_Q.1`. Nothing is unpickled.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.checkpoints.base import DTYPE_OF_NUMPY, Checkpoint, Stored, damaged, shown, times
from attnviz.checkpoints.npy import NpzFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DTYPE = re.compile(r"[<|](b1|[iu][1248]|f[248]|c8|U[1-9]\d{0,6})")
_LAYER = re.compile(r"W_Q(?:\.(\d{1,4}))?")


def open_npz(path: Path) -> NpzCheckpoint:
    """Open an .npz of weights.

    Raises:
        CheckpointError: no such file, damaged, or without W_Q, W_K, W_V and n_heads.
    """
    return NpzCheckpoint(path)


class NpzCheckpoint(Checkpoint):
    """Arrays of an .npz by name; uncompressed arrays are views of the file.

    config: model_type "npz", n_heads, n_layers, d_model, causal, tokens (list of str, or None), has_positions,
    has_embedding.
    """

    def __init__(self, path: Path) -> None:
        self._file = NpzFile(path)
        self._headers = self._file.headers
        for name, header in self._headers.items():
            if not _DTYPE.fullmatch(header.dtype.str):
                damaged(path, f"array {shown(name)} has the dtype {header.dtype.str}, which is not read")
        tensors = {
            name: Stored(name, h.shape, DTYPE_OF_NUMPY[h.dtype], math.prod(h.shape) * h.dtype.itemsize, path.name)
            for name, h in self._headers.items()
            if h.dtype in DTYPE_OF_NUMPY
        }
        super().__init__(path, tensors, {name: self._file.members[name].start for name in tensors}, None)
        self.config = self._config()

    def read(self, name: str) -> NDArray[Any]:
        self.stored(name)
        return self._file.read(name)

    def close(self) -> None:
        self._file.close()

    def _scalar(self, name: str, default: int | None = None) -> int:
        header = self._headers.get(name)
        if header is None:
            if default is None:
                damaged(self.path, f"has no {name}", "weights in an .npz need W_Q, W_K, W_V and n_heads")
            return default
        if math.prod(header.shape) != 1 or header.dtype.kind not in "iub":
            damaged(self.path, f"{name} must be one whole number")
        return int(self._file.read(name).reshape(())[()])

    def _config(self) -> dict[str, Any]:
        for name in ("W_Q", "W_K", "W_V"):
            if name not in self.tensors:
                damaged(self.path, f"has no {name}", "weights in an .npz need W_Q, W_K, W_V and n_heads")
        layers = sorted(int(m[1] or 0) for m in map(_LAYER.fullmatch, self.tensors) if m)
        if layers != list(range(len(layers))):
            damaged(self.path, f"its layers must be numbered 0 to {len(layers) - 1} (W_Q, W_Q.1, ...); got {layers}")
        query = self.tensors["W_Q"].shape
        n_heads = self._scalar("n_heads")
        if len(query) != 2 or n_heads < 1 or query[1] == 0 or query[1] % n_heads:
            damaged(self.path, f"W_Q must be d_model x (n_heads * d_head) with n_heads {n_heads}; it is {times(query)}")
        return {
            "model_type": "npz",
            "n_heads": n_heads,
            "n_layers": len(layers),
            "d_model": query[0],
            "causal": bool(self._scalar("causal", 0)),
            "tokens": self._tokens(),
            "has_embedding": "embedding" in self.tensors,
            "has_positions": "positions" in self.tensors,
        }

    def _tokens(self) -> list[str] | None:
        header = self._headers.get("tokens")
        if header is None:
            return None
        if header.dtype.kind != "U" or len(header.shape) != 1:
            damaged(self.path, "tokens must be a list of texts")
        # Half a character of two becomes a mark.
        texts = [text.encode("utf-16", "surrogatepass") for text in self._file.read("tokens").tolist()]
        tokens = [text.decode("utf-16", "replace") for text in texts]
        table = self.tensors.get("embedding")
        if table is None or len(table.shape) != 2 or table.shape[0] != len(tokens):
            have = "there is none" if table is None else f"it is {times(table.shape)}"
            damaged(self.path, f"embedding must have a row for each of {len(tokens)} tokens; {have}")
        return tokens
