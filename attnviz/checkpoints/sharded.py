"""A checkpoint in several files, held together by an index: `weight_map` names the file of each tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints.base import MAX_HEADER, Checkpoint, damaged, map_file, parse_json, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.checkpoints.quants import Grouped

_MOST_NAMED = 4  # missing files that a message names
_LONGEST_NAME = 255  # longest file name in characters, on every system
_LONGEST_PATH = 1024
_MOST_FILES = 10_000  # most files; published models have up to some 200


class Sharded(Checkpoint):
    """The tensors of all files that an index (`model.safetensors.index.json`) lists.

    Args:
        path: the index.
        open_shard: opens one of the files.

    Raises:
        CheckpointError: a file is missing or lies outside the folder, or lacks tensors that the index places in it.
    """

    def __init__(self, path: Path, open_shard: Callable[[Path], Checkpoint]) -> None:
        listed = _weight_map(path)
        self._shards = {file: open_shard(shard) for file, shard in _files(path, set(listed.values())).items()}
        self._map = listed | self._unlisted(path, listed)
        tensors = {}
        for name, file in self._map.items():
            if name not in self._shards[file].tensors:
                damaged(path, f"places tensor {shown(name)} in {shown(file)}, which does not hold it")
            tensors[name] = self._shards[file].tensors[name]
        places = {name: (file, self._shards[file].place(name)) for name, file in self._map.items()}
        super().__init__(path, tensors, places, None)

    def _unlisted(self, path: Path, listed: Mapping[str, str]) -> dict[str, str]:
        """Tensors of the files that the index does not list; they still belong to the model."""
        unlisted: dict[str, str] = {}
        for file, shard in self._shards.items():
            for name in (name for name in shard.tensors if name not in listed):
                if name in unlisted:
                    both = f"{shown(unlisted[name])} and in {shown(file)}"
                    damaged(path, f"does not say whether tensor {shown(name)} is the one in {both}")
                unlisted[name] = file
        return unlisted

    def read(self, name: str) -> NDArray[Any]:
        self.stored(name)
        return self._shards[self._map[name]].read(name)

    def rows(self, name: str, ids: Sequence[int] | NDArray[Any]) -> NDArray[Any]:
        self.stored(name)
        return self._shards[self._map[name]].rows(name, np.asarray(ids, dtype=np.int64))

    def has_parts(self, name: str) -> bool:
        self.stored(name)
        return self._shards[self._map[name]].has_parts(name)

    def part(self, name: str, rows: slice | NDArray[Any], columns: slice) -> NDArray[Any] | Grouped:
        return self._shards[self._map[name]].part(name, rows, columns)

    def close(self) -> None:
        for shard in self._shards.values():
            shard.close()


def _weight_map(path: Path) -> dict[str, str]:
    data = map_file(path)
    if data.size > MAX_HEADER:
        damaged(path, f"has {data.size:,} bytes; at most {MAX_HEADER:,} are read")
    weight_map = parse_json(path, data.tobytes(), "it").get("weight_map")
    if (
        not isinstance(weight_map, dict)
        or not weight_map
        or not all(isinstance(file, str) for file in weight_map.values())
    ):
        damaged(path, "has no weight_map from tensors to files")
    return weight_map


def _files(path: Path, listed: set[str]) -> dict[str, Path]:
    """The path of each file that the index lists. Raises if one is missing."""
    if len(listed) > _MOST_FILES:
        damaged(path, f"names {len(listed):,} files; at most {_MOST_FILES:,} are read")
    paths = {file: _inside(path, file) for file in sorted(listed)}
    missing = [file for file, shard in paths.items() if not shard.is_file()]
    if missing:
        named = ", ".join(shown(file) for file in missing[:_MOST_NAMED])
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        number = f" ({len(missing)} of {len(paths)} files)" if len(paths) > 1 else ""
        fault = f"names {named}{more}, which {'is' if len(missing) == 1 else 'are'} missing{number}"
        damaged(path, fault, "every file of the checkpoint is needed")
    return paths


def _inside(path: Path, file: str) -> Path:
    """The path of a shard.

    Raises unless it is in the folder of the index. Links are followed: the Hub's cache has them.
    """
    parts = PurePosixPath(file).parts
    if not parts or ".." in parts or file.startswith("/") or any(c in file for c in "\\:\0"):
        damaged(path, f"names {shown(file)!r}, which is not a file in its folder")
    if file.endswith(".index.json"):
        damaged(path, f"names {shown(file)}, an index, as a file of weights")
    if file != "/".join(parts):  # a file under many names would be opened many times
        damaged(path, f"names {shown(file)!r}, which is {shown('/'.join(parts))!r} written in another way")
    if max(map(len, parts)) > _LONGEST_NAME or len(file) > _LONGEST_PATH:
        damaged(path, f"names {shown(file)}, which is too long a name")
    return path.parent.joinpath(*parts)
