"""Attention read from files: files that attnviz saved, and arrays that other programs made.

Nothing in a file is run (no pickle), and no header is believed before it has been compared with the file's own size.
"""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention import STREAMS, Attention
from attnviz.axis import Tokens
from attnviz.errors import AttnvizWarning, InputError, shown
from attnviz.files.text import read_text
from attnviz.files.untrusted import parse
from attnviz.io.arrays import Member, archive, existing, npy
from attnviz.io.tensors import ENDINGS, StoredArray, tensors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Shape = tuple[int, ...]

FORMAT = 1
MAX_LAYERS, MAX_HEADS = 10_000, 4096  # as in a configuration
MAX_ID = 1 << 62  # of an id, a word, a segment or a place in the text
MAX_NUMBER = 1 << 31  # of a whole number in its meta
MAX_META = 4 << 20  # characters
MAX_LABEL = 512  # characters of a label; a longer one is cut, since every view measures it
MAX_SAID = 4096  # characters of a text in its meta


def open(
    path: str | os.PathLike[str],
    *,
    key: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    key_labels: str | os.PathLike[str] | None = None,
) -> Attention:
    """Attention from a file: one that `Attention.save` or `attnviz export` wrote, or an array of another program.

    Args:
        path: .npz, .npy, .pt or .safetensors; what they may hold: see `any_attention`.
        key: which array, where a file has several.
        labels, key_labels: text files with one token a line, for queries and for keys.

    Raises InputError: no such file, not such a file, a newer format, or arrays that do not fit each other. Warns with
    AttnvizWarning about oddities, such as rows that do not sum to 1.
    """
    attention, notes = any_attention(path, key=key, labels=labels, key_labels=key_labels)
    for note in notes:
        warnings.warn(note, AttnvizWarning, 2)
    return attention


def any_attention(
    path: str | os.PathLike[str],
    *,
    key: str | None = None,
    labels: str | os.PathLike[str] | None = None,
    key_labels: str | os.PathLike[str] | None = None,
    as_is: bool = False,
) -> tuple[Attention, list[str]]:
    """Attention from our own file or from an array of another program, and remarks about it, each a line to be shown.

    Foreign files: .npy, .npz, .safetensors, and .pt, .pth or .bin of torch.save, of which nothing is run. Shapes:
    [query, key], [head, query, key], [layer, head, query, key] or [layer, 1, head, query, key]; any real number type,
    in either byte order. A list or tuple of tensors, and tensors whose names differ in their last number alone
    (layer.0, layer.1), are one array, one element per layer.

    Args:
        path, key: the file, and which of its arrays.
        labels, key_labels: text files with one token a line for queries and keys; the labels serve for both where they
            fit both. Without them tokens are numbered.
        as_is: numbers that cannot be attention (NaN, negative) are accepted too, for a check to judge.

    Raises InputError: not such a file; another shape; several arrays and no `key`; NaN, infinite or negative
    weights; labels that do not fit.
    """
    place = existing(path)
    zipped = place.suffix.lower() not in ENDINGS and zipfile.is_zipfile(place)
    notes: list[str] = []
    name = ""
    if zipped or place.suffix.lower() in ENDINGS:
        reader: Any = archive if zipped else tensors
        with reader(place) as arrays:
            if zipped and key is None and _is_ours(arrays):
                attention = _ours(place.name, arrays, as_is)
                if labels is None and key_labels is None:
                    return attention, notes
                queries, keys = _labels(len(attention.queries), len(attention.keys), labels, key_labels, notes)
                return replace(attention, queries=queries, keys=keys), notes
            name = _chosen(place.name, arrays, key)
            array = arrays[name].read()
    elif key is not None:
        raise InputError(f"{place.name} holds one array without a name; --key {key} asks for one by name")
    else:
        array = npy(place)
    weights = _four(place.name, array)
    n_layers, n_heads, n_query, n_key = weights.shape
    notes += [] if as_is else _checked(place.name, weights)
    queries, keys = _labels(n_query, n_key, labels, key_labels, notes)
    stream = name.removesuffix("_attentions")  # as transformers calls the streams of an encoder-decoder
    attention = Attention(
        weights=weights,
        mask=None,
        queries=queries,
        keys=keys,
        layers=tuple(range(n_layers)),
        heads=tuple(range(n_heads)),
        stream=stream if stream in STREAMS else "self",
        model=place.stem,
        meta={"source": place.name},
    )
    return attention, notes


# ---- our own files


def _is_ours(members: dict[str, Member]) -> bool:
    return {"meta", "weights"} <= members.keys() and not members.keys().isdisjoint(("query_tokens", "key_tokens"))


def _ours(where: str, members: dict[str, Member], as_is: bool = False) -> Attention:
    meta = _read_meta(where, members["meta"])
    axes = [_axis(where, members, axis) for axis in ("query", "key")]
    weights = _array(where, members, "weights", "f", 4)
    if not as_is and not np.isfinite(weights).all():
        raise InputError(f"{where}: weights hold NaN or infinite numbers")
    layers = _whole(where, members, "layers", 0, MAX_LAYERS)
    heads = _whole(where, members, "heads", 0, MAX_HEADS)
    pairs = _whole(where, members, "pairs", 0, MAX_LAYERS, 2) if "pairs" in members else ()
    for name, indices, length in (("layers", layers, weights.shape[0]), ("heads", heads, weights.shape[1])):
        # An average keeps the names of all its maps; pairs are compared with them by Attention.
        if len(indices) != length and not (length == 1 and indices) and not pairs:
            raise InputError(f"{where}: {len(indices)} {name} named for {length}")
    mask = _array(where, members, "mask", "b", 3) if "mask" in members else None
    grid = _grid(where, meta.pop("grid", None))
    try:
        return Attention(
            weights=weights.astype(np.float32, copy=False),
            mask=mask,
            queries=axes[0],
            keys=axes[1],
            layers=layers,
            heads=heads,
            stream=meta.pop("stream", "self"),
            model=meta.pop("model", ""),
            grid=grid,
            cell=meta.pop("cell", 1),
            reduced=meta.pop("reduced", ""),
            meta=meta,
            pairs=tuple((layer, head) for layer, head in pairs),
        )
    except InputError as error:
        raise InputError(f"{where}: {error}", error.hint) from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: its meta cannot be understood ({error})") from error


def _read_meta(where: str, member: Member) -> dict[str, Any]:
    if member.dtype.kind != "U" or member.shape != ():
        raise InputError(f"{where}: its meta is not a text")
    if member.takes() > 4 * MAX_META:
        raise InputError(f"{where}: its meta has more than {MAX_META:,} characters")
    text = str(member.read()).encode("utf-8", "surrogatepass")
    meta = parse(text, f"{where}: its meta", InputError, finite=True)
    number = meta.pop("format", None) if isinstance(meta, dict) else None
    if type(number) is not int:
        raise InputError(f"{where}: its meta names no format, wanted {FORMAT}")
    if number > FORMAT or number < 1:
        raise InputError(f"{where}: saved in format {number}, wanted {FORMAT}", "a newer attnviz reads it")
    for name, (is_right, wanted) in _META.items():
        if meta.get(name) is not None and not is_right(meta[name]):
            raise InputError(f"{where}: {name} in its meta must be {wanted}; got {shown(meta[name])}")
        if meta.get(name, "") is None and name not in _MAY_BE_NULL:
            del meta[name]
    return meta


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_SAID


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value < MAX_NUMBER


def _all(check: Callable[[object], bool], value: object, least: int = 0, most: float = math.inf) -> bool:
    """Whether a value is a list of `least` to `most` items that all pass the check."""
    return isinstance(value, list) and least <= len(value) <= most and all(map(check, value))


def _is_two(value: object) -> bool:
    return _all(_is_number, value, 2, 2)


# Entries that are read again, and what each must be; all other entries stay as they are.
_META: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("stream", "model", "reduced", "measure", "mechanism", "digest"), (_is_text, "a text")),
    **dict.fromkeys(
        ("notes", "ignored_keys", "unread_keys"), (lambda value: _all(_is_text, value, most=100), "a list of texts")
    ),
    "origin": (_is_two, "[query, key]"),
    "cell": (lambda value: _is_number(value) and value > 0, "a whole number of 1 or more"),
    **dict.fromkeys(
        ("seed", "random"), (lambda value: _is_text(value) or isinstance(value, (bool, int, float)), "one value")
    ),
    "together": (lambda value: isinstance(value, bool), "true or false"),
    "sampled": (lambda value: _all(_is_number, value), "a list of indices"),
}
_MAY_BE_NULL = ("grid",)


def _axis(where: str, members: dict[str, Member], axis: str) -> Tokens:
    """The tokens along one axis; what the file lacks is as in `Tokens.plain`."""
    text = tuple(map(_label, _array(where, members, f"{axis}_tokens", "U", 1).tolist()))
    parts: dict[str, tuple[Any, ...]] = {}
    for name in ("ids", "words", "segments"):
        if f"{axis}_{name}" in members:
            parts[name] = _whole(where, members, f"{axis}_{name}", -1, MAX_ID)
    if f"{axis}_special" in members:
        parts["special"] = tuple(_array(where, members, f"{axis}_special", "b", 1).tolist())
    if f"{axis}_spans" in members:
        parts["spans"] = tuple((a, b) for a, b in _whole(where, members, f"{axis}_spans", -1, MAX_ID, 2))
    for name, values in parts.items():
        if len(values) != len(text) and (values or name != "spans"):
            raise InputError(f"{where}: {axis}_{name} has {len(values)} entries, {axis}_tokens has {len(text)}")
    return replace(Tokens.plain(text), **parts)


def _whole(where: str, members: dict[str, Member], name: str, low: int, high: int, ndim: int = 1) -> tuple[Any, ...]:
    """An array of whole numbers from `low` to below `high`: some become the lengths of lists."""
    array = _array(where, members, name, "iu", ndim)
    if array.size and (array.min() < low or array.max() >= high):
        raise InputError(f"{where}: {name} must be from {low} to {high - 1}; got {array.min()} to {array.max()}")
    return tuple(array.tolist())


def _label(text: str) -> str:
    return text if len(text) <= MAX_LABEL else text[: MAX_LABEL - 1] + "…"


def _array(where: str, members: dict[str, Member], name: str, kinds: str, ndim: int) -> NDArray[Any]:
    if name not in members:
        raise InputError(f"{where}: no array {name!r} in it")
    member = members[name]
    two_wide = name.endswith(("_spans", "pairs")) and member.shape[1:] != (2,)
    if member.dtype.kind not in kinds or len(member.shape) != ndim or two_wide:
        raise InputError(f"{where}: {name} cannot be {shown(list(member.shape))} {member.dtype}")
    return member.read()


def _grid(where: str, grid: Any) -> tuple[int, int] | None:
    if grid is None:
        return None
    if not _is_two(grid) or 0 in grid:
        raise InputError(f"{where}: grid must be [rows, columns] or null; got {shown(grid)}")
    return grid[0], grid[1]


# ---- foreign arrays


def _chosen(where: str, members: Mapping[str, Member | StoredArray], key: str | None) -> str:
    first = list(members.items())[:12]
    listed = ", ".join(f"{shown(name)[1:-1]} {shown(list(member.shape))}" for name, member in first) or "none"
    if key is not None:
        if key not in members:
            raise InputError(f"{where}: no array {key!r} in it", f"there are: {listed}")
        return key
    fit = [name for name, m in members.items() if 2 <= len(m.shape) <= 5 and m.dtype.kind == "f"]
    if usual := [name for name in ("weights", "attentions") if name in fit]:
        return usual[0]
    if len(fit) != 1:
        fault = f"{len(fit)} arrays could be attention" if fit else "no array of floats with 2 to 5 axes"
        raise InputError(f"{where}: {fault}", f"--key NAME picks one; there are: {listed}")
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
    shape = (array.shape[0], *array.shape[2:]) if array.ndim == 5 else (1,) * (4 - array.ndim) + array.shape
    four = array.reshape(shape)
    return four if four.dtype == np.float32 else four.astype(np.float32)


def _checked(where: str, weights: NDArray[np.float32]) -> list[str]:
    """Refuse what cannot be attention; return remarks about what is odd. One layer at a time, to spare memory."""
    odd, lowest, highest, columns = 0, math.inf, -math.inf, True
    for layer, maps in enumerate(weights):
        rows = maps.sum(-1, dtype=np.float64)
        if not np.isfinite(rows).all():
            at = np.argwhere(~np.isfinite(maps))
            head, query, key = at[0].tolist()
            some = "1 weight is not a finite number" if len(at) == 1 else f"{len(at)} weights are not finite numbers"
            raise InputError(f"{where}: {some} in layer {layer}, the first at head {head}, query {query}, key {key}")
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
    for what, texts, wanted in (("queries", for_query, n_query), ("keys", for_key, n_key)):
        if texts is not None and len(texts) != wanted:
            raise InputError(f"{len(texts)} labels for {wanted} {what}", "one token a line")
    return (
        Tokens.plain(for_query or [str(i) for i in range(n_query)]),
        Tokens.plain(for_key or [str(i) for i in range(n_key)]),
    )


def _lines(path: str | os.PathLike[str]) -> list[str]:
    place = existing(path)
    return list(map(_label, read_text(place).replace("\r\n", "\n").split("\n")))
