"""Reproducible random weights: every tensor is drawn from its own stream, seeded by the seed and the tensor's name.

RandomState is frozen by NEP 19, so that the same seed gives the same numbers with every NumPy release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from threading import local
from typing import TYPE_CHECKING

import numpy as np

from attnviz.engine.spec import Norm, Patches, Sinusoidal, Spec
from attnviz.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

# Standard deviation of an entry of W_Q and W_K times sqrt(d_model). Scores then spread enough that a row is neither
# uniform nor one-hot: its mean entropy is about half of ln n (measured in tests/checkpoints/test_seeded.py).
QK_GAIN = 1.6
BIAS_GAIN = 1.5  # standard deviation of a learned bias on scores; that of scores is about 2.5
PATCHES = Patches(size=(16, 16), channels=3, image=(224, 224))


def seeded_spec(n_layers: int = 2, n_heads: int = 4, d_model: int = 64, causal: bool = False) -> Spec:
    """The Spec of the plain transformer of Vaswani 2017, pre-norm, with sinusoidal positions.

    Raises ConfigError if the sizes do not fit each other.
    """
    for name, value, high in (("n_layers", n_layers, 1000), ("n_heads", n_heads, 1000), ("d_model", d_model, 65536)):
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= high:
            raise ConfigError(f"{name} must be a whole number from 1 to {high}; got {value!r}")
    if d_model % n_heads:
        raise ConfigError(f"d_model {d_model} must be a multiple of n_heads {n_heads}")
    return Spec(
        n_layers=n_layers,
        n_heads=n_heads,
        d_model=d_model,
        d_mlp=4 * d_model,
        vocab=1,
        by_word=True,
        absolute=Sinusoidal(),
        norm=Norm(),
        norm_before=True,
        final_norm=Norm(),
        causal=causal,
        activation="gelu",
    )


class _Stream(local):
    """One generator per thread, seeded again for every tensor: making one takes ten times as long as seeding it."""

    def __init__(self) -> None:
        self.random = np.random.RandomState()


_STREAM = _Stream()


class SeededWeights:
    """Tensors by our names, drawn when they are read."""

    def __init__(self, seed: int, spec: Spec) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ConfigError(f"seed must be a whole number; got {seed!r}")
        self.seed, self.spec = seed, spec
        self._drawn: dict[str, Array] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "_drawn": {}}  # the same numbers can be drawn again

    def get(self, name: str, shape: tuple[int, ...]) -> Array:
        """float32 of this shape: norms are 1 and biases 0, as a model is initialised; matrices are normal."""
        if name not in self._drawn:
            self._drawn[name] = self._draw(name, shape)
        return self._drawn[name]

    def rows(self, name: str, ids: Iterable[int] | Iterable[str], shape: tuple[int, ...]) -> Array:
        """One row per word, drawn from the seed and the word alone: [n, d]."""
        return np.stack([self.normal(f"{name}/{word}", shape[1:]) for word in ids])

    def has(self, name: str) -> bool:
        """Every tensor can be drawn."""
        return True

    def names(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Every tensor with its shape, in the order of the computation (embeddings belong to words)."""
        d, inner = self.spec.d_model, self.spec.d_mlp
        for i in range(self.spec.n_layers):
            for part in ("norm1", "q", "k", "v", "o", "norm2", "up", "down"):
                shape: tuple[int, ...] = {"up": (inner, d), "down": (d, inner)}.get(part, (d, d))
                yield f"layers.{i}.{part}.weight", shape[:1] if part.startswith("norm") else shape
                yield f"layers.{i}.{part}.bias", shape[:1]
        yield "final_norm.weight", (d,)
        yield "final_norm.bias", (d,)

    def _draw(self, name: str, shape: tuple[int, ...]) -> Array:
        if name.endswith(".bias"):
            return np.zeros(shape, np.float32)
        if "norm" in name:
            return np.ones(shape, np.float32)
        part = name.split(".")[-2].removeprefix("cross_").removeprefix("global_")
        gain = QK_GAIN if part in ("q", "k") else 1.0
        if name == "bias.table":  # [bucket, head]: added to scores without scaling
            return self.normal(name, shape) * np.float32(BIAS_GAIN)
        if name.startswith("embed.") and "patches" not in name:  # positions, class token: as large as words
            return self.normal(name, shape)
        fan_in = np.prod(shape[1:]) if len(shape) > 2 else shape[-1]
        return self.normal(name, shape) * np.float32(gain / np.sqrt(fan_in))

    def normal(self, name: str, shape: tuple[int, ...]) -> Array:
        """Standard normal numbers from the stream of this seed and name."""
        words = np.frombuffer(sha256(f"attnviz/{self.seed}/{name}".encode()).digest(), "<u4")
        _STREAM.random.seed(words)
        return _STREAM.random.standard_normal(shape).astype(np.float32)
