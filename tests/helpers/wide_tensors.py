"""Random weights of large variance for any Spec, an input for it, and a collector that keeps and checks everything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
from oracles.slow_embedding import StackInput

from attnviz.engine.inputs import Inputs
from attnviz.engine.spec import Spec
from attnviz.engine.tile import Tile

# Standard deviation of an entry of a query or key: scores then spread by the square of it, and attention is peaked.
QK_GAIN = 1.6


@dataclass
class WideTensors:
    """Tensors drawn from the seed and their names, float32; each name must always be read with the same shape."""

    seed: int
    absent: frozenset[str] = frozenset()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    drawn: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str, shape: tuple[int, ...]) -> Any:
        shape = tuple(shape)
        assert self.shapes.setdefault(name, shape) == shape, f"{name}: {shape}, earlier {self.shapes[name]}"
        if name not in self.drawn:
            self.drawn[name] = self._draw(name, shape)
            self.drawn[name].flags.writeable = False  # as a view of a file would be
        return self.drawn[name]

    def rows(self, name: str, ids: Any, shape: tuple[int, ...]) -> Any:
        if len(ids) and isinstance(ids[0], str):
            return np.stack([self._normal(f"{name}/{word}", shape[1:]) for word in ids])
        return self.get(name, shape)[np.asarray(ids)]

    def has(self, name: str) -> bool:
        return name not in self.absent

    def _draw(self, name: str, shape: tuple[int, ...]) -> Any:
        values, part = self._normal(name, shape), name.split(".")[-2:]
        if name.endswith("norm.variance"):
            return np.square(values) + np.float32(0.3)
        if name.endswith(".weight") and "norm" in name:
            return np.float32(1) + np.float32(0.3) * values
        if name.endswith(".bias") or part[-1].endswith("_bias"):
            return np.float32(0.5) * values
        if part[-1] == "correction":  # added to shares between 0 and 1, which it must not dominate
            return np.float32(0.2) * values
        if part[-1].startswith("scale"):
            return np.float32(0.8) + np.float32(0.3) * values
        if len(shape) == 1 or part[0] in ("embed", "bias", "relative") or part[-1] in ("segments", "length"):
            return values
        gain = QK_GAIN if part[0].removeprefix("cross_").removeprefix("global_") in ("q", "k") else 1.0
        return values * np.float32(gain / np.sqrt(np.prod(shape[1:])))

    def _normal(self, name: str, shape: tuple[int, ...]) -> Any:
        rng = np.random.Generator(np.random.PCG64([self.seed, crc32(name.encode())]))
        return rng.standard_normal(shape).astype(np.float32)


class Nudged(WideTensors):
    """Move each number of the tensors by about a unit in the last place, to see how much the result depends on it."""

    def _draw(self, name: str, shape: tuple[int, ...]) -> Any:
        values = super()._draw(name, shape).astype(np.float64)
        rng = np.random.Generator(np.random.PCG64([1, crc32(name.encode())]))
        return values * (1 + 6e-8 * rng.standard_normal(shape))


@dataclass(frozen=True)
class Behind:
    """The tensors of one stack of a model."""

    tensors: WideTensors
    prefix: str

    def get(self, name: str, shape: tuple[int, ...]) -> Any:
        return self.tensors.get(self.prefix + name, shape)

    def rows(self, name: str, ids: Any, shape: tuple[int, ...]) -> Any:
        return self.tensors.rows(self.prefix + name, ids, shape)

    def has(self, name: str) -> bool:
        return self.tensors.has(self.prefix + name)


class Keep:
    """Copies every tile of the wanted heads: weights [layer, head, query, key], and the mask.

    With `needs`, it requests everything that a tile can hold, and checks that the parts agree.
    """

    def __init__(
        self, n_layers: int, heads: Any, n_query: int, n_key: int, needs: frozenset[str] = frozenset()
    ) -> None:
        self.needs, self.heads, self.n_layers = needs, tuple(heads), n_layers
        self.weights = np.zeros((n_layers, len(self.heads), n_query, n_key))
        self.allowed = np.zeros(self.weights.shape, bool)
        self.seen = np.zeros((n_layers, len(self.heads), n_query), int)
        self.last_row: dict[tuple[int, int], int] = {}

    def wants(self, layer: int, head: int) -> bool:
        return layer < self.n_layers and head in self.heads

    def take(self, tile: Tile) -> None:
        rows, cols = slice(tile.rows.start, tile.rows.stop), slice(tile.cols.start, tile.cols.stop)
        for at, head in enumerate(tile.heads):
            assert head in self.heads, "a head that was not requested"
            assert self.last_row.get((tile.layer, head), 0) == tile.rows.start, "rows out of order"
            self.last_row[tile.layer, head] = tile.rows.stop
            place = self.heads.index(head)
            self.weights[tile.layer, place, rows, cols] = tile.weights[at]
            self.allowed[tile.layer, place, rows, cols] = tile.attending(at)
            self.seen[tile.layer, place, rows] += 1
        if self.needs:
            self._check_parts(tile)

    def _check_parts(self, tile: Tile) -> None:
        """weights @ v are the outputs; the exponentials of the scores are as the weights of a row are to each other."""
        assert tile.scores is not None and tile.k is not None and tile.v is not None and tile.outputs is not None
        values = np.repeat(tile.v, len(tile.heads) // len(tile.v), axis=0)
        np.testing.assert_allclose(tile.weights @ values, tile.outputs, atol=1e-5 * max(1, np.abs(values).max()))
        shares = np.exp(tile.scores - tile.scores.max(-1, keepdims=True))
        peaks = tile.weights.max(-1, keepdims=True)
        np.testing.assert_allclose(shares * peaks, tile.weights, atol=1e-5)
        assert tile.q is not None and tile.q.shape[:2] == (len(tile.heads), len(tile.rows))
        assert tile.k.shape[:2] == (len(tile.v), len(tile.cols))


@dataclass(frozen=True)
class Case:
    """A Spec, an input for it, a seed for its weights, and tensors that its checkpoint lacks."""

    spec: Spec
    stack_input: StackInput
    seed: int
    absent: frozenset[str] = frozenset()

    @property
    def inputs(self) -> Inputs:
        """The input as the engine takes it."""
        g = self.stack_input
        sound = None if g.sound is None else np.array(g.sound, np.float32)
        return Inputs(
            ids=np.array(g.ids, np.intp) if len(g.ids) else None,
            types=None if g.types is None else np.array(g.types, np.intp),
            words=tuple(g.words),
            pixels=None if g.pixels is None else np.array(g.pixels, np.float32),
            sound=sound[0] if sound is not None and len(sound) == 1 else sound,
            global_tokens=g.global_tokens,
        )

    def tensors(self, kind: type[WideTensors] | None = None) -> WideTensors:
        return (kind or WideTensors)(self.seed, self.absent)
