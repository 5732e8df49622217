"""Attention read from files: those that attnviz saved, and arrays that other programs made.

Nothing in a file is run (no pickle), and no header is believed before it has been held against the file's own size.
"""

from __future__ import annotations

import json
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from attnviz.attention import STREAMS, Attention, Tokens
from attnviz.errors import AttnvizError, InputError
from attnviz.texts import read_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Shape = tuple[int, ...]

FORMAT = 1
_DEFLATE_LIMIT = 1040  # deflate cannot shrink further than about 1032 to 1: a member that claims more is lying


def open(path: str | os.PathLike[str]) -> Attention:
    """Attention that `Attention.save` or `attnviz export` wrote.

    Raises InputError: no such file, not such a file, a newer format, or arrays that do not fit each other.
    """
    place = _existing(path)
    with _archive(place) as members:
        if "meta" not in members or "weights" not in members:
            raise InputError(
                f"{place.name}: not attention saved by attnviz (no meta and weights in it)",
                "a foreign array is read with --from FILE, or attnviz.saved.foreign(path)",
            )
        return _ours(place.name, members)


def any_attention(
    path: str | os.PathLike[str],
    *,
    key: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    key_labels: str | os.PathLike[str] | None = None,
    as_is: bool = False,
) -> tuple[Attention, list[str]]:
    """Attention from our own file or from a foreign array, and remarks about it, each a line to be shown.

    as_is: numbers that cannot be attention (NaN, negative) are taken all the same, for a check to judge.
    """
    place = _existing(path)
    if key is None and zipfile.is_zipfile(place):
        with _archive(place) as members:
            ours = _ours(place.name, members, as_is) if _is_ours(members) else None
        if ours is not None:
            if labels is None and key_labels is None:
                return ours, []
            notes: list[str] = []
            queries, keys = _labels(len(ours.queries), len(ours.keys), labels, key_labels, notes)
            return replace(ours, queries=queries, keys=keys), notes
    return foreign(place, key=key, labels=labels, key_labels=key_labels, as_is=as_is)


def foreign(
    path: str | os.PathLike[str],
    *,
    key: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    key_labels: str | os.PathLike[str] | None = None,
    as_is: bool = False,
) -> tuple[Attention, list[str]]:
    """Attention from a .npy or .npz of another program, and remarks about it.

    Shapes: [query, key], [head, query, key], [layer, head, query, key] or [layer, 1, head, query, key]; any real
    number type, in either byte order. labels, key_labels: text files with one token a line for queries and keys; the
    labels serve for both where they fit both. Without them tokens are numbered. as_is: see `any_attention`.

    Raises InputError: not such a file; another shape; several arrays and no `key`; NaN, infinite or negative
    weights; labels that do not fit.
    """
    place = _existing(path)
    if zipfile.is_zipfile(place):
        with _archive(place) as members:
            name = _chosen(place.name, members, key)
            array = members[name].read()
    elif key is not None:
        raise InputError(f"{place.name} holds one array without a name; --key {key} asks for one by name")
    else:
        array = _npy(place)
    weights = _four(place.name, array)
    n_layers, n_heads, n_query, n_key = weights.shape
    notes = [] if as_is else _checked(place.name, weights)
    queries, keys = _labels(n_query, n_key, labels, key_labels, notes)
    stream = key if key in STREAMS else "self"
    attention = Attention(
        weights=weights,
        mask=None,
        queries=queries,
        keys=keys,
        layers=tuple(range(n_layers)),
        heads=tuple(range(n_heads)),
        stream=stream,
        model=place.stem,
        meta={"source": place.name},
    )
    return attention, notes


# ---- the two kinds of file, and what each array in them claims


class _Member:
    """One array in a file: name, shape and type are known from its header; the numbers are read when asked for."""

    def __init__(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> None:
        self._archive, self._info = archive, info
        self.where = f"{where}, array {info.filename.removesuffix('.npy')!r}"
        if info.file_size > info.compress_size * _DEFLATE_LIMIT + 1024:
            raise InputError(f"{self.where}: claims more bytes than the file can hold")
        with archive.open(info) as file:
            self.shape, self.fortran, self.dtype, start = _header(file, self.where)
        if start + _n_bytes(self.shape, self.dtype) != info.file_size:
            raise InputError(f"{self.where}: {list(self.shape)} {self.dtype} does not fit its {info.file_size} bytes")

    def read(self) -> NDArray[Any]:
        with self._archive.open(self._info) as file:
            _header(file, self.where)
            data = file.read()
        wanted = _n_bytes(self.shape, self.dtype)
        if len(data) != wanted:
            raise InputError(f"{self.where}: wanted {wanted} bytes, got {len(data)}")
        flat = np.frombuffer(data, self.dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


@contextmanager
def _archive(place: Path) -> Iterator[dict[str, _Member]]:
    """The arrays of an .npz by name; whatever is wrong with the zip file becomes one InputError."""
    try:
        with zipfile.ZipFile(place) as archive:
            found = [info for info in archive.infolist() if info.filename.endswith(".npy")]
            yield {info.filename.removesuffix(".npy"): _Member(archive, info, place.name) for info in found}
    except AttnvizError:
        raise
    except (zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, RuntimeError, ValueError) as error:
        raise InputError(f"{place.name}: not a whole .npz file ({error})") from error


def _npy(place: Path) -> NDArray[Any]:
    """The array of an .npy file, mapped rather than read: only what is used is brought into memory."""
    with place.open("rb") as file:
        shape, fortran, dtype, start = _header(file, place.name)
    have = place.stat().st_size - start
    if have != _n_bytes(shape, dtype):
        raise InputError(f"{place.name}: {list(shape)} {dtype} wants {_n_bytes(shape, dtype)} bytes, it holds {have}")
    if not have:
        return np.zeros(shape, dtype)
    return np.memmap(place, dtype, "r", start, shape, "F" if fortran else "C")


def _header(file: IO[bytes], where: str) -> tuple[Shape, bool, np.dtype[Any], int]:
    """Shape, column order, type and length of the header of an array that holds plain numbers or text."""
    try:
        version = np.lib.format.read_magic(file)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = reader(file)
    except (ValueError, KeyError, SyntaxError, EOFError, RecursionError, MemoryError, TypeError) as error:
        raise InputError(f"{where}: not a NumPy array (.npy or .npz)") from error
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None:
        raise InputError(f"{where}: holds Python objects or records, wanted plain numbers", "they are never unpickled")
    if any(size < 0 for size in shape):
        raise InputError(f"{where}: a negative size in {list(shape)}")
    return shape, fortran, dtype, file.tell()


def _n_bytes(shape: Shape, dtype: np.dtype[Any]) -> int:
    return math.prod(shape) * dtype.itemsize


# ---- our own files


def _is_ours(members: dict[str, _Member]) -> bool:
    return {"meta", "weights", "query_tokens", "key_tokens"} <= members.keys() and members["meta"].dtype.kind == "U"


def _ours(where: str, members: dict[str, _Member], as_is: bool = False) -> Attention:
    meta = _read_meta(where, members["meta"])
    axes = [_axis(where, members, axis) for axis in ("query", "key")]
    weights = _array(where, members, "weights", "f", 4)
    if not as_is and not np.isfinite(weights).all():
        raise InputError(f"{where}: weights hold NaN or infinite numbers")
    layers, heads = (tuple(_array(where, members, name, "iu", 1).tolist()) for name in ("layers", "heads"))
    for name, found, length in (("layers", layers, weights.shape[0]), ("heads", heads, weights.shape[1])):
        if len(found) != length and not (length == 1 and found):  # an average keeps the names of all that went in
            raise InputError(f"{where}: {len(found)} {name} named for {length}")
    try:
        return Attention(
            weights=weights.astype(np.float32, copy=False),
            mask=_array(where, members, "mask", "b", 3) if "mask" in members else None,
            queries=axes[0],
            keys=axes[1],
            layers=layers,
            heads=heads,
            stream=str(meta.pop("stream", "self")),
            model=str(meta.pop("model", "")),
            grid=_grid(where, meta.pop("grid", None)),
            cell=int(meta.pop("cell", 1)),
            reduced=str(meta.pop("reduced", "")),
            meta=meta,
        )
    except InputError as error:
        raise InputError(f"{where}: {error}", error.hint) from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: its meta cannot be understood ({error})") from error


def _read_meta(where: str, member: _Member) -> dict[str, Any]:
    if member.dtype.kind != "U" or member.shape != ():
        raise InputError(f"{where}: its meta is not a text")
    try:
        meta = json.loads(str(member.read()))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: its meta is not JSON") from error
    number = meta.pop("format", None) if isinstance(meta, dict) else None
    if type(number) is not int:
        raise InputError(f"{where}: its meta names no format, wanted {FORMAT}")
    if number > FORMAT or number < 1:
        raise InputError(f"{where}: saved in format {number}, wanted {FORMAT}", "a newer attnviz reads it")
    origin = meta.get("origin", [0, 0])
    if not (isinstance(origin, list) and len(origin) == 2 and all(type(n) is int and n >= 0 for n in origin)):
        raise InputError(f"{where}: origin must be [query, key]; got {origin!r}")
    return meta


def _axis(where: str, members: dict[str, _Member], axis: str) -> Tokens:
    def values(name: str, kinds: str, ndim: int = 1) -> tuple[Any, ...]:
        return tuple(_array(where, members, f"{axis}_{name}", kinds, ndim).tolist())

    text = values("tokens", "U")
    plain = Tokens.plain(text)
    parts = {
        name: values(name, kinds) if f"{axis}_{name}" in members else getattr(plain, name)
        for name, kinds in (("ids", "iu"), ("words", "iu"), ("special", "b"), ("segments", "iu"))
    }
    spans = tuple((a, b) for a, b in values("spans", "iu", 2)) if f"{axis}_spans" in members else ()
    for name, found in (*parts.items(), ("spans", spans or text)):
        if len(found) != len(text):
            raise InputError(f"{where}: {axis}_{name} has {len(found)} entries, {axis}_tokens has {len(text)}")
    return Tokens(text=text, spans=spans, **parts)


def _array(where: str, members: dict[str, _Member], name: str, kinds: str, ndim: int) -> NDArray[Any]:
    if name not in members:
        raise InputError(f"{where}: no array {name!r} in it")
    member = members[name]
    two_wide = name.endswith("_spans") and member.shape[1:] != (2,)
    if member.dtype.kind not in kinds or len(member.shape) != ndim or two_wide:
        raise InputError(f"{where}: {name} cannot be {list(member.shape)} {member.dtype}")
    return member.read()


def _grid(where: str, grid: Any) -> tuple[int, int] | None:
    if grid is None:
        return None
    if not (isinstance(grid, list) and len(grid) == 2 and all(type(n) is int and n > 0 for n in grid)):
        raise InputError(f"{where}: grid must be [rows, columns] or null; got {grid!r}")
    return grid[0], grid[1]


# ---- foreign arrays


def _chosen(where: str, members: dict[str, _Member], key: str | None) -> str:
    listed = ", ".join(f"{name} {list(m.shape)}" for name, m in list(members.items())[:12]) or "none"
    if key is not None:
        if key not in members:
            raise InputError(f"{where}: no array {key!r} in it", f"there are: {listed}")
        return key
    fit = [name for name, m in members.items() if 2 <= len(m.shape) <= 5 and m.dtype.kind == "f"]
    if "weights" in fit:
        return "weights"
    if len(fit) != 1:
        found = f"{len(fit)} arrays could be attention" if fit else "no array of floats with 2 to 5 axes"
        raise InputError(f"{where}: {found}", f"--key NAME picks one; there are: {listed}")
    return fit[0]


def _four(where: str, array: NDArray[Any]) -> NDArray[np.float32]:
    """The array as float32 [layer, head, query, key]."""
    if array.dtype.kind not in "fiub":
        raise InputError(f"{where}: wanted real numbers, got {array.dtype}", "save as float32 or float16")
    if array.ndim == 5 and array.shape[1] != 1:
        raise InputError(
            f"{where}: a batch of {array.shape[1]} texts {list(array.shape)}, wanted 1", "save one of them"
        )
    if array.ndim not in (2, 3, 4, 5):
        raise InputError(
            f"{where}: wanted [query, key], [head, query, key], [layer, head, query, key] or "
            f"[layer, 1, head, query, key]; got {list(array.shape)}"
        )
    if 0 in array.shape:
        raise InputError(f"{where}: nothing in it, its shape is {list(array.shape)}")
    four = array[:, 0] if array.ndim == 5 else array.reshape((1,) * (4 - array.ndim) + array.shape)
    return four.astype(np.float32, copy=False)


def _checked(where: str, weights: NDArray[np.float32]) -> list[str]:
    """Refuse what cannot be attention; remarks about what can, but is odd. One layer at a time, to spare memory."""
    odd, lowest, highest, columns = 0, 1.0, 1.0, True
    for layer, maps in enumerate(weights):
        rows = maps.sum(-1, dtype=np.float64)
        if not np.isfinite(rows).all():
            at = np.argwhere(~np.isfinite(maps))
            head, query, key = at[0].tolist()
            raise InputError(
                f"{where}: {len(at)} weight(s) of layer {layer} are not finite numbers, the first at head {head}, "
                f"query {query}, key {key}"
            )
        if maps.min() < -1e-6:
            raise InputError(
                f"{where}: a weight of {maps.min():.3g} in layer {layer}; attention is never negative",
                "scores become weights by softmax over the keys",
            )
        wrong = np.abs(rows - 1) > 0.01
        odd += int(wrong.sum())
        lowest, highest = min(lowest, float(rows.min())), max(highest, float(rows.max()))
        columns = columns and bool((np.abs(maps.sum(-2, dtype=np.float64) - 1) <= 0.01).all())
    if not odd:
        return []
    total = math.prod(weights.shape[:3])
    note = f"{odd} of {total} rows do not sum to 1 (from {lowest:.3g} to {highest:.3g}); they are drawn as they are"
    return [note + ("; the columns do: are queries and keys swapped?" if columns else "")]


def _labels(
    n_query: int,
    n_key: int,
    labels: str | os.PathLike[str] | None,
    key_labels: str | os.PathLike[str] | None,
    notes: list[str],
) -> tuple[Tokens, Tokens]:
    for_query = _lines(labels) if labels is not None else None
    for_key = _lines(key_labels) if key_labels is not None else None
    if for_query is not None and for_key is None and len(for_query) == n_key:
        for_key = for_query
        if n_query != n_key:
            for_query = None
            notes.append(f"{n_key} labels fit the keys, not the {n_query} queries, which are numbered")
    for what, found, wanted in (("queries", for_query, n_query), ("keys", for_key, n_key)):
        if found is not None and len(found) != wanted:
            raise InputError(f"{len(found)} labels for {wanted} {what}", "one token a line")
    return (
        Tokens.plain(for_query or [str(i) for i in range(n_query)]),
        Tokens.plain(for_key or [str(i) for i in range(n_key)]),
    )


def _lines(path: str | os.PathLike[str]) -> list[str]:
    place = _existing(path)
    return read_text(place).replace("\r\n", "\n").split("\n")


def _existing(path: str | os.PathLike[str]) -> Path:
    place = Path(path)
    if place.is_dir():
        raise InputError(f"{place.name}: a folder, wanted a file")
    if not place.exists():
        raise InputError(f"no such file: {str(place)!r}")
    return place
