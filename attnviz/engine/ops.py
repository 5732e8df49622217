"""Arithmetic on activations: norms by name, activations, checks of what comes out. float32 in, float32 out.

Functions ending in `_` work in place on their first argument and return it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.kernels import inverse_size, normalise
from attnviz.engine.spec import Norm
from attnviz.errors import CheckpointError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.engine.tensors import Tensors

    Array = NDArray[np.float32]

# Numbers worked on at a time by elementwise chains: few enough for a cache, and enough for a call to be worth it.
CHUNK = 128 * 1024


def entropy(rows: NDArray[Any]) -> NDArray[Any]:
    """-sum_j p_j ln p_j of each row, in nats: [..., key] -> [...]; 0 ln 0 counts as 0."""
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    return -np.einsum("...k,...k->...", rows, logs)


def finite(x: Array, what: str) -> Array:
    """The array itself. Raises CheckpointError if it holds NaN or infinity; what: how the message calls it."""
    if not (np.isfinite(x.sum()) or np.isfinite(x).all()):  # the sum alone may overflow
        raise overflow(what)
    return x


def overflow(what: str) -> CheckpointError:
    """The error for numbers that float32 cannot hold: no picture is better than one of NaN."""
    return CheckpointError(
        f"{what} are not finite: the weights drive them beyond what float32 holds",
        "are the weights damaged, or scaled for another model? attnviz inspect shows the range of every tensor",
    )


def linear_part(norm: Norm, part: Array, whole: Array, weight: Array | None) -> Array:
    """The share of `part` [..., d] in the norm of `whole` [..., d]; all parts' shares sum to the norm without its bias.

    Source: Kobayashi 2021, section 3.2.
    """
    if norm.kind == "rms":
        y = part * inverse_size(whole, norm.eps)
    else:
        y = part - part.mean(-1, keepdims=True)
        y *= inverse_size(whole - whole.mean(-1, keepdims=True), norm.eps)
    if weight is not None:
        y *= weight + np.float32(1) if norm.plus_one else weight
    return y


def norm_of(norm: Norm, tensors: Tensors, name: str, x: Array) -> Array:
    """Normalise [..., d] with the tensors under `name`; a new array."""
    shape = (x.shape[-1],)
    weight = tensors.get(f"{name}.weight", shape) if norm.weight else None
    bias = tensors.get(f"{name}.bias", shape) if norm.bias else None
    return normalise(norm, x, weight, bias)


# Phi(x) - 1/2 = x P(x^2) / Q(x^2) for |x| <= 5.4, a minimax fit to the standard normal distribution function;
# largest error 5e-9 in exact arithmetic, below one unit in the last place of float32. Beyond, Phi is 0 or 1.
_LIMIT = np.float32(5.4)
_P = (2.3386750199e-08, 6.3599977432e-06, 1.6432033162e-04, 4.6508426882e-03, 3.3372109049e-02, 3.9894224538e-01)
_Q = (1.2165897966e-06, 7.2399680640e-05, 1.8589738160e-03, 2.8378616026e-02, 2.5031756122e-01, 1.0)


def _gelu(x: Array) -> Array:
    """x times the normal distribution function of x, Hendrycks 2016, exact to float32."""
    bounded = np.clip(x, -_LIMIT, _LIMIT)
    square = bounded * bounded
    top, bottom = square * np.float32(_P[0]), square * np.float32(_Q[0])
    top += np.float32(_P[1])
    bottom += np.float32(_Q[1])
    for p, q in zip(_P[2:], _Q[2:], strict=True):
        top *= square
        top += np.float32(p)
        bottom *= square
        bottom += np.float32(q)
    top /= bottom
    top *= bounded
    top += np.float32(0.5)
    top *= x
    return top


def _gelu_tanh(x: Array) -> Array:
    """The tanh approximation of GELU, Hendrycks 2016 section 2."""
    inner = x * x
    inner *= np.float32(0.044715)
    inner += 1
    inner *= x
    inner *= np.float32(np.sqrt(2 / np.pi))
    np.tanh(inner, out=inner)
    inner += 1
    inner *= x
    inner *= np.float32(0.5)
    return inner


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)); where exp overflows to infinity, that is 0 and meant."""
    return np.float32(1) / _one_and_exp(-x)


def _silu(x: Array) -> Array:
    return x / _one_and_exp(-x)


def _one_and_exp(x: Array) -> Array:
    with np.errstate(over="ignore"):
        np.exp(x, out=x)
    x += 1
    return x


def _mish(x: Array) -> Array:
    """x tanh(ln(1 + e^x)), Misra 2019."""
    return x * np.tanh(np.logaddexp(x, np.float32(0)))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "gelu_10": lambda x: np.clip(_gelu(x), -10, 10),
    "gelu_quick": lambda x: x * sigmoid(np.float32(1.702) * x),
    "relu": lambda x: np.maximum(x, 0),
    "relu_squared": lambda x: np.square(np.maximum(x, 0)),
    "relu6": lambda x: np.clip(x, 0, 6),
    "leaky_relu": lambda x: np.where(x > 0, x, np.float32(0.01) * x),
    "hardswish": lambda x: x * np.clip(x + 3, 0, 6) / np.float32(6),
    "mish": _mish,
    "silu": _silu,
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "linear": lambda x: x,
}


def activate_(name: str, x: Array) -> Array:
    """An activation, in place and in pieces that stay in cache."""
    function = ACTIVATIONS[name]
    if x.size <= CHUNK:
        x[...] = function(x)
        return x
    flat = x.reshape(-1)
    for start in range(0, flat.size, CHUNK):
        piece = flat[start : start + CHUNK]
        piece[...] = function(piece)
    return x
