"""A model's tensors under our names, read from its checkpoint when they are needed.

A family's table locates a tensor, layout functions slice and transpose it while it is still a view of the file, its
shape is compared with the configuration, and only then is it converted to float32.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.checkpoints import layouts
from attnviz.checkpoints.base import Checkpoint, shown, times
from attnviz.checkpoints.halves import widen
from attnviz.checkpoints.kept import Kept
from attnviz.checkpoints.matrices import SMALL, StoredMatrix, row_numbers
from attnviz.checkpoints.naming import (
    Prefix,
    Source,
    alternatives,
    any_of,
    fill,
    find_prefix,
    matcher,
    new_spelling,
)
from attnviz.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.checkpoints.layouts import Sizes

# A matrix stored as 8-bit whole numbers is quantised, and its scales are in some other tensor.
_NOT_WEIGHTS = {"I8", "U8", "BOOL", "C64"}


@dataclass(frozen=True)
class _Located:
    """The source of one of our tensors: its stored name, layout functions, and the indices in its name."""

    stored: str
    layouts: tuple[str, ...]
    indices: Mapping[str, int]


class Weights:
    """Tensors by our names, float32.

    Args:
        checkpoint: where they are stored.
        names: our name or pattern -> where a file keeps it: a stored name or pattern, a tuple of it and names of
        functions in `attnviz.checkpoints.layouts`, or a list of these forms, of which the first that the file has is
        used. Placeholders: `{i}` the layer, `{e}` the expert.
        sizes: n_heads, n_kv_heads, d_head and d_model, for the layout functions.
        cache_bytes: how many bytes of decoded tensors are kept; views of a file cost nothing and are not counted.
        exact: the file's names are the table's names, without a prefix.

    Attributes:
        kept: unpacked parts of quantised matrices, shared with the tables that `also` and `renamed` make.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        names: Mapping[str, Source],
        sizes: Sizes,
        cache_bytes: int = 1 << 30,
        exact: bool = False,
    ) -> None:
        self.checkpoint = checkpoint
        self._names = names
        self._sizes = sizes
        self._prefix = Prefix() if exact else find_prefix(names, checkpoint.tensors)
        self._patterns = [(matcher(name), source) for name, source in names.items() if "{" in name]
        self._found: dict[str, _Located | None] = {}
        self._cache: OrderedDict[str, NDArray[np.float32]] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._cached = 0
        self.kept = Kept()

    def get(self, name: str, shape: Sequence[int]) -> NDArray[np.float32]:
        """The whole tensor `name`; -1 in `shape` means any length. Read-only, C-contiguous.

        Raises:
            CheckpointError: the checkpoint lacks it, or it has another shape or holds NaN or infinity.
        """
        cached = self._cache.get(name)
        if cached is not None:
            self._cache.move_to_end(name)
            self._check_shape(name, shape, cached.shape)
            return cached
        located = self._require(name)
        self._check_shape(name, shape, self._shape(name, located))
        array = _float32(self._laid_out(located))
        self._check_finite(name, located, array)
        self._keep(name, array)
        return array

    def matrix(self, name: str, shape: Sequence[int]) -> NDArray[np.float32] | StoredMatrix:
        """A matrix for products: as it is stored, if it is large and would have to be decoded; else as from `get`.

        Raises:
            CheckpointError: as for `get`; NaN and infinity are found by the products.
        """
        located = self._require(name)
        stored = self.checkpoint.stored(located.stored)
        if len(shape) != 2 or math.prod(stored.shape) < SMALL or not self.checkpoint.has_parts(located.stored):
            return self.get(name, shape)
        have = self._shape(name, located)
        self._check_shape(name, shape, have)
        rows = row_numbers(stored.shape, located.layouts, self._sizes, located.indices)
        if rows is None or (len(rows), stored.shape[-1]) != have:
            return self.get(name, shape)
        place = (located.stored, located.layouts, *located.indices.items())
        return StoredMatrix(
            self.checkpoint,
            located.stored,
            name,
            (have[0], have[1]),
            rows if located.layouts else None,
            self.kept,
            place,
        )

    def rows(self, name: str, ids: Sequence[int] | NDArray[Any], shape: Sequence[int]) -> NDArray[np.float32]:
        """Rows `ids` of a table of `shape` [vocabulary, d]; no other rows are read: [len(ids), d].

        Raises:
            InputError: an id that the table has no row for.
            CheckpointError: as for `get`.
        """
        located = self._require(name)
        have = self._shape(name, located)
        self._check_shape(name, shape, have)
        index = np.asarray(ids, dtype=np.int64)
        outside = index[(index < 0) | (index >= have[0])]
        if outside.size:
            raise InputError(f"token id {outside[0]} is outside the vocabulary of {have[0]}")
        if located.layouts or name in self._cache:
            whole = self._cache[name] if name in self._cache else self._laid_out(located)
            array = _float32(whole[index])
        else:
            array = _float32(self.checkpoint.rows(located.stored, index))
        self._check_finite(name, located, array)
        return array

    def has(self, name: str) -> bool:
        """Whether the checkpoint holds our tensor `name`."""
        return self._find(name) is not None

    def stored_name(self, name: str) -> str:
        """The checkpoint's name of our tensor `name`."""
        return self._require(name).stored

    def also(self, names: Mapping[str, Source]) -> Weights:
        """Weights of the same file with these names added to the table."""
        more = copy(self)
        more._names = {**self._names, **names}
        more._patterns = [(matcher(name), source) for name, source in more._names.items() if "{" in name]
        more._found, more._cache, more._cached = {}, OrderedDict(), 0
        return more

    def renamed(self, names: Mapping[str, Source], sizes: Sizes) -> Weights:
        """Weights of the same file with these names as the whole table."""
        other = copy(self)
        other._names, other._sizes = names, sizes
        other._patterns = [(matcher(name), source) for name, source in names.items() if "{" in name]
        other._found, other._cache, other._cached = {}, OrderedDict(), 0
        return other

    def canonical(self) -> dict[str, str]:
        """Stored name -> ours, for every stored tensor that the table knows.

        Several of our names for one stored tensor are joined by ", "; "*" means any index.
        """
        ours: dict[str, list[str]] = {}
        inverse = [
            (matcher(form), name)
            for name, source in self._names.items()
            for pattern, _ in alternatives(source)
            for form in dict.fromkeys(self._prefix.forms(pattern))
        ]
        known = any_of(pattern for pattern, _ in inverse)  # of 100,000 names in a file most match no name of ours
        for stored in self.checkpoint.tensors:
            spelled = new_spelling(stored)
            if not known.fullmatch(stored) and (spelled == stored or not known.fullmatch(spelled)):
                continue
            for pattern, name in inverse:
                match = pattern.fullmatch(stored) or pattern.fullmatch(spelled)
                if match and self._is_source(stored, name, match.groupdict()):
                    star = re.sub(r"\{(\w+)\}", lambda m, got=match: got.groupdict().get(m[1], "*"), name)  # type: ignore[misc]
                    ours.setdefault(stored, []).append(star)
        return {stored: ", ".join(dict.fromkeys(names)) for stored, names in ours.items()}

    def _is_source(self, stored: str, pattern: str, groups: Mapping[str, str]) -> bool:
        """Whether our tensor is read from `stored`, and not from a form that precedes it in the table."""
        located = self._find(re.sub(r"\{(\w+)\}", lambda m: groups.get(m[1], "0"), pattern))
        return located is not None and located.stored == stored

    def _find(self, name: str) -> _Located | None:
        if name not in self._found:
            self._found[name] = self._search(name)
        return self._found[name]

    def _search(self, name: str) -> _Located | None:
        source, indices = self._source(name)
        for pattern, layout in alternatives(source):
            stored = self._prefix.find(fill(pattern, indices), self.checkpoint.tensors)
            if stored is not None:
                return _Located(stored, layout, indices)
        return None

    def _source(self, name: str) -> tuple[Source, dict[str, int]]:
        """The table's entry for our `name`, and the indices in it; an empty list if the table has none."""
        if name in self._names:
            return self._names[name], {}
        for pattern, source in self._patterns:
            match = pattern.fullmatch(name)
            if match:
                return source, {key: int(value) for key, value in match.groupdict().items()}
        return [], {}

    def _require(self, name: str) -> _Located:
        located = self._find(name)
        if located is not None:
            return located
        source, indices = self._source(name)
        wanted = [next(self._prefix.forms(fill(pattern, indices))) for pattern, _ in alternatives(source)]
        if not wanted:
            raise CheckpointError(f"{self.checkpoint.path.name}: this family has no tensor {name}")
        raise CheckpointError(f"{self.checkpoint.path.name} has no tensor {' or '.join(wanted)} ({name})")

    def _shape(self, name: str, located: _Located) -> tuple[int, ...]:
        """The shape after the layouts, computed without reading a number: they are applied to an array without data."""
        stored = self.checkpoint.stored(located.stored)
        if stored.dtype in _NOT_WEIGHTS:
            raise CheckpointError(
                f"{stored.file}: tensor {located.stored} ({name}) is stored as {stored.dtype}, not as weights"
            )
        if not located.layouts:
            return stored.shape
        array: NDArray[Any] = np.broadcast_to(np.zeros((), np.uint8), stored.shape)
        try:
            return self._apply(located, array).shape
        except (ValueError, IndexError, ZeroDivisionError) as error:
            raise CheckpointError(
                f"{stored.file}: tensor {located.stored} ({name}), {times(stored.shape)}, "
                f"does not fit the configuration: {error}"
            ) from None

    def _apply(self, located: _Located, array: NDArray[Any], skip: int = 0) -> NDArray[Any]:
        for layout in located.layouts[skip:]:
            array = getattr(layouts, layout)(array, self._sizes, **located.indices)
        return array

    def _laid_out(self, located: _Located) -> NDArray[Any]:
        """The stored numbers in our layout, in their stored dtype."""
        if located.layouts[:1] == ("expert",):  # one of many experts: do not decode the rest
            return self._apply(located, self.checkpoint.rows(located.stored, [located.indices["e"]])[0], skip=1)
        return self._apply(located, self.checkpoint.read(located.stored))

    def _check_shape(self, name: str, wanted: Sequence[int], got: tuple[int, ...]) -> None:
        if len(wanted) == len(got) and all(w in (-1, g) for w, g in zip(wanted, got, strict=True)):
            return
        stored = self.checkpoint.stored(self.stored_name(name))
        form = times(["any" if n == -1 else n for n in wanted])  # type: ignore[misc]
        has = times(got) if got == stored.shape else f"{times(got)} (stored {times(stored.shape)})"
        raise CheckpointError(f"{stored.file}: tensor {shown(stored.name)} ({name}) must be {form}, it is {has}")

    def _check_finite(self, name: str, located: _Located, array: NDArray[np.float32]) -> None:
        with np.errstate(all="ignore"):
            if np.isfinite(array.sum()):  # NaN and infinity both survive a sum
                return
        if np.isfinite(array).all():
            return
        fault = "NaN" if np.isnan(array).any() else "infinity"
        raise CheckpointError(
            f"{fault} in tensor {located.stored} ({name}) of {self.checkpoint.tensors[located.stored].file}"
        )

    def _keep(self, name: str, array: NDArray[np.float32]) -> None:
        """Cache a tensor; the least recently used ones leave when the limit is passed."""
        array.flags.writeable = False
        self._cache[name] = array
        self._cached += _own_bytes(array)
        while self._cached > self._cache_bytes:
            _, gone = self._cache.popitem(last=False)
            self._cached -= _own_bytes(gone)


def _own_bytes(array: NDArray[Any]) -> int:
    """Bytes of memory that caching an array takes: 0 for a view of a mapped file."""
    base: object = array
    while isinstance(base, np.ndarray):
        if base.flags.owndata:
            return array.nbytes
        base = base.base
    return 0


def _float32(array: NDArray[Any]) -> NDArray[np.float32]:
    """The array as float32, C-contiguous and aligned; the array itself if it is already."""
    if array.dtype == np.float16:
        out = np.empty(array.shape, np.float32)
        widen(array, out)
        return out
    with np.errstate(over="ignore"):  # a float64 too large becomes infinity, which is reported with its name
        return np.require(array, np.float32, ["C", "A"])
