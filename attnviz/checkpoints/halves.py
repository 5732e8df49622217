"""Float16 to float32, several times as fast as NumPy's own conversion, which takes numbers one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIGN_AND_SIZE = np.int32(0x8FFFFFFF - (1 << 32))  # the sign, and what a float16 moved into place can set
_EXPONENT = np.float32(2.0**112)  # the exponents' biases differ by 112
_LARGEST = np.float32(65504)  # beyond it a float16 has infinity and NaN alone


def widen(half: NDArray[np.float16], out: NDArray[np.float32]) -> None:
    """Write float16 of any shape into `out`, exactly; infinity and NaN as well.

    The bits move to their places in a float32, whose exponent is then 112 too small, also for subnormal numbers.
    """
    if not half.dtype.isnative:
        out[...] = half
        return
    bits = out.view(np.int32)
    bits[...] = half.view(np.int16)  # the sign fills the upper half
    np.left_shift(bits, 13, out=bits)
    np.bitwise_and(bits, _SIGN_AND_SIZE, out=bits)
    np.multiply(out, _EXPONENT, out=out)
    if out.size and (out.max() > _LARGEST or out.min() < -_LARGEST):
        out[...] = half
