"""A PEFT LoRA adapter, merged into a checkpoint tensor by tensor as it is read.

    W' = W + s B A                             s = lora_alpha / r, or lora_alpha / sqrt(r) with use_rslora
    W' = m (W + s B A) / |W + s B A|           with use_dora; m and the norm have one number per output

    adapter_config.json                        what was trained and how
    adapter_model.safetensors (or .bin)        base_model.model.<module>.lora_A.weight  [r, in]
                                               base_model.model.<module>.lora_B.weight  [out, r]
                                               base_model.model.<module>.lora_magnitude_vector  [out], DoRA
                                               base_model.model.<module>.weight, a whole one (modules_to_save)

Only pairs of Linear layers (and GPT-2's Conv1D) are read. Everything is matched when the adapter is applied, from
headers; a product is made when its tensor is read, in float32.

Source: Hu 2021, section 4.1; Kalajdzievski 2023 (rsLoRA); Liu 2024 (DoRA); the files that PEFT 0.21 writes.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints.base import Checkpoint, Stored, damaged, map_file, shown, times
from attnviz.checkpoints.lora_settings import MERGE, Settings, read_settings
from attnviz.checkpoints.naming import Source, alternatives, find_prefix, matcher
from attnviz.errors import CheckpointError, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.checkpoints.quants import Grouped

FILES = ("adapter_model.safetensors", "adapter_model.bin")
_HEAD = "base_model.model."
_PART = re.compile(r"(?P<module>.+)\.(?P<part>lora_A|lora_B|lora_magnitude_vector)(\.default)?(\.weight)?")
_NOT_LINEAR = re.compile(r".+\.(lora_\w+|token_adapter)(\..+)?")
_FLOATS = ("F64", "F32", "F16", "BF16")


@dataclass(frozen=True)
class _Pair:
    """A module's matrices, by their names in the adapter's file, and the factor on their product."""

    a: str
    b: str
    magnitude: str | None
    scaling: float
    transposed: bool = False  # whether the model stores the matrix [in, out]


@dataclass(frozen=True, eq=False)
class Adapter:
    """An opened adapter. name: of its folder. digest: 16 hex digits over its configuration and its numbers."""

    name: str
    file: Checkpoint
    settings: Settings
    digest: str

    def applied(self, checkpoint: Checkpoint, names: Mapping[str, Source]) -> Checkpoint:
        """Apply the adapter to a checkpoint.

        Args:
            checkpoint: of the model that the adapter was trained on.
            names: the family's table, which lists matrices stored [in, out].

        Raises:
            CheckpointError: a tensor of the adapter matches none of the model, or has another shape.
        """
        pairs, whole = self._modules()
        stored = self._matched(checkpoint, names, [*(f"{module}.weight" for module in pairs), *whole])
        turned = _turned(checkpoint, names)
        products = {
            stored[f"{module}.weight"]: self._fitted(pair, checkpoint.tensors[stored[f"{module}.weight"]], turned)
            for module, pair in pairs.items()
        }
        return Adapted(checkpoint, self.file, products, {stored[name]: ours for name, ours in whole.items()})

    def _modules(self) -> tuple[dict[str, _Pair], dict[str, str]]:
        """Pairs by their module, and whole tensors: name in the model -> name in the adapter's file."""
        parts: dict[str, dict[str, str]] = {}
        whole: dict[str, str] = {}
        for name in self.file.tensors:
            plain = name.removeprefix(_HEAD)
            match = _PART.fullmatch(plain)
            if match:
                module, part = match["module"], match["part"]
                if part in parts.setdefault(module, {}):
                    damaged(self.file.path, f"has {part} of {shown(module)} twice")
                parts[module][part] = name
            elif _NOT_LINEAR.fullmatch(plain):
                damaged(self.file.path, f"tensor {shown(name)} is not of a Linear layer, which alone is read", MERGE)
            else:
                whole[plain] = name
        if not parts and not whole:
            damaged(self.file.path, "holds no tensors")
        return {module: self._pair(module, matrices) for module, matrices in parts.items()}, whole

    def _pair(self, module: str, parts: Mapping[str, str]) -> _Pair:
        for part in ("lora_A", "lora_B"):
            if part not in parts:
                damaged(self.file.path, f"{shown(module)} has no {part}")
        magnitude = parts.get("lora_magnitude_vector")
        if (magnitude is not None) != self.settings.dora:
            damaged(self.file.path, f"use_dora is {self.settings.dora}, and {shown(module)} says otherwise")
        for name in parts.values():
            if self.file.tensors[name].dtype not in _FLOATS:
                damaged(self.file.path, f"tensor {shown(name)} is stored as {self.file.tensors[name].dtype}")
        a, b = (self.file.tensors[parts[part]].shape for part in ("lora_A", "lora_B"))
        if len(a) != 2 or len(b) != 2 or a[0] != b[1] or not a[0]:
            damaged(self.file.path, f"{shown(module)}: lora_A {times(a)} and lora_B {times(b)} are no pair of matrices")
        rank = self.settings.rank(module)
        if a[0] != rank:
            damaged(self.file.path, f"{shown(module)} has rank {a[0]}, its configuration says {rank}")
        return _Pair(parts["lora_A"], parts["lora_B"], magnitude, self.settings.scaling(module))

    def _matched(self, checkpoint: Checkpoint, table: Mapping[str, Source], names: Sequence[str]) -> dict[str, str]:
        """Name in the adapter -> stored name.

        A task head that the model lacks keeps its own name; attention does not read it.
        """
        prefix = find_prefix({name: name for name in names}, checkpoint.tensors)
        matched = {name: prefix.find(name, checkpoint.tensors) for name in names}
        lost = [name for name, stored in matched.items() if stored is None and not self.settings.is_saved(name)]
        missing = [name for name, stored in matched.items() if stored is None and name not in lost]
        lost += _read_by(table, missing) if missing else []
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            base = f" (it was trained on {shown(self.settings.base)})" if self.settings.base else ""
            raise CheckpointError(
                f"{checkpoint.path.name} has no tensor for {shown(lost[0])}{more} of the adapter {self.name}",
                f"the adapter wants the model it was trained on, in safetensors or PyTorch form{base}",
            )
        stored = {name: at or name for name, at in matched.items()}
        if len(set(stored.values())) < len(stored):
            damaged(self.file.path, "two of its tensors stand for one of the model")
        return stored

    def _fitted(self, pair: _Pair, stored: Stored, turned: Iterable[re.Pattern[str]]) -> _Pair:
        """The pair, after checking that its product has the shape of the model's tensor."""
        n_in, n_out = self.file.tensors[pair.a].shape[1], self.file.tensors[pair.b].shape[0]
        transposed = any(pattern.fullmatch(stored.name) for pattern in turned)
        if self.settings.fan_in_fan_out and stored.shape == (n_in, n_out) and n_in != n_out:
            transposed = True
        want = (n_in, n_out) if transposed else (n_out, n_in)
        if stored.shape != want:
            raise CheckpointError(
                f"adapter {self.name}: {shown(pair.b)} and lora_A make {times(want)}, "
                f"tensor {shown(stored.name)} of {stored.file} is {times(stored.shape)}"
            )
        if pair.magnitude is not None and math.prod(self.file.tensors[pair.magnitude].shape) != n_out:
            damaged(self.file.path, f"tensor {shown(pair.magnitude)} must have {n_out} numbers")
        return replace(pair, transposed=transposed)


def open_adapter(folder: Path, ignore_keys: Iterable[str] = ()) -> Adapter:
    """Open the adapter in a folder; its numbers are read once, for the digest.

    Raises:
        ModelError: no such folder. ConfigError: it is no LoRA, or uses options that are not read here. CheckpointError:
        its file of tensors is missing or damaged.
    """
    from attnviz.checkpoints import open_checkpoint

    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise ModelError(f"no such adapter folder: {folder}", "it holds adapter_config.json and its weights")
    settings, config = read_settings(folder, ignore_keys)
    path = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if path is None:
        raise CheckpointError(f"{folder} has no {' or '.join(FILES)}")
    file = open_checkpoint(path)
    text = json.dumps(config, sort_keys=True, separators=(",", ":")).encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(text + b"\n")
    digest.update(map_file(path).data)
    return Adapter(folder.resolve().name, file, settings, digest.hexdigest()[:16])


def _turned(checkpoint: Checkpoint, names: Mapping[str, Source]) -> list[re.Pattern[str]]:
    """Patterns of the names of matrices that are stored [in, out]."""
    prefix = find_prefix(names, checkpoint.tensors)
    return [
        matcher(form)
        for source in names.values()
        for pattern, layouts in alternatives(source)
        if layouts[:1] == ("transpose",)
        for form in dict.fromkeys(prefix.forms(pattern))
    ]


def _read_by(table: Mapping[str, Source], names: Iterable[str]) -> list[str]:
    """The names under which the family's table would look for one of our tensors, with any prefix."""
    forms = {form for source in table.values() for form, _ in alternatives(source)}
    patterns = [re.compile(rf"(.+\.)?{matcher(form).pattern}") for form in forms]
    return [name for name in names if any(pattern.fullmatch(name) for pattern in patterns)]


class Adapted(Checkpoint):
    """A checkpoint with an adapter's changes.

    Args:
        inner: the model's own.
        file: the adapter's.
        pairs: stored name -> the product that is added to it.
        whole: stored name -> the adapter's tensor that replaces it.
    """

    def __init__(
        self, inner: Checkpoint, file: Checkpoint, pairs: Mapping[str, _Pair], whole: Mapping[str, str]
    ) -> None:
        ours = {name: replace(file.tensors[theirs], name=name) for name, theirs in whole.items()}
        super().__init__(inner.path, {**inner.tensors, **ours}, {}, inner.config)
        self._inner, self._file, self._pairs, self._whole = inner, file, pairs, whole

    def read(self, name: str) -> NDArray[Any]:
        if name in self._whole:
            return self._file.read(self._whole[name])
        array = self._inner.read(name)
        return self._merged(array, self._pairs[name]) if name in self._pairs else array

    def rows(self, name: str, ids: Sequence[int] | NDArray[Any]) -> NDArray[Any]:
        index = np.asarray(ids, dtype=np.int64)
        if name in self._whole:
            return self._file.rows(self._whole[name], index)
        return self.read(name)[index] if name in self._pairs else self._inner.rows(name, index)

    def has_parts(self, name: str) -> bool:
        return name not in self._whole and name not in self._pairs and self._inner.has_parts(name)

    def part(self, name: str, rows: slice | NDArray[Any], columns: slice) -> NDArray[Any] | Grouped:
        return self._inner.part(name, rows, columns)

    def place(self, name: str) -> object:
        return self._inner.place(name)

    def digest(self) -> str:
        return self._inner.digest()

    def close(self) -> None:
        self._inner.close()
        self._file.close()

    def _merged(self, array: NDArray[Any], pair: _Pair) -> NDArray[np.float32]:
        a, b = self._numbers(pair.a), self._numbers(pair.b)
        delta = (b @ a) * np.float32(pair.scaling)  # [out, r], [r, in] -> [out, in]
        merged = array.astype(np.float32)
        merged += delta.T if pair.transposed else delta
        if pair.magnitude is not None:
            axis = 0 if pair.transposed else 1  # weights of the inputs
            share = self._numbers(pair.magnitude).reshape(-1) / np.linalg.norm(merged, axis=axis)  # [out]
            merged *= np.expand_dims(share, axis)
        return merged

    def _numbers(self, name: str) -> NDArray[np.float32]:
        array = self._file.read(name).astype(np.float32)
        if not np.isfinite(array).all():
            fault = "NaN" if np.isnan(array).any() else "infinity"
            raise CheckpointError(f"{fault} in tensor {shown(name)} of {self._file.path.name}")
        return array
