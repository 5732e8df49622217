"""Float16 to float32: every number there is."""

from __future__ import annotations

import numpy as np

from attnviz.checkpoints.halves import widen


def test_every_number_is_widened_exactly():
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    out = np.empty(finite.shape, np.float32)
    widen(finite, out)
    assert out.tobytes() == finite.astype(np.float32).tobytes()  # -0.0 and subnormal numbers as well
    assert np.abs(out).max() == 65504 and np.abs(out[out != 0]).min() == 2.0**-24


def test_infinity_and_nan_stay_what_they_are():
    for odd in (np.inf, -np.inf, np.nan):
        half = np.array([1.5, odd, -2.0, 65504], np.float16)
        out = np.empty(4, np.float32)
        widen(half, out)
        np.testing.assert_array_equal(out, half.astype(np.float32))


def test_any_order_of_bytes_and_any_strides():
    half = np.arange(-60, 60, dtype=np.float16).reshape(8, 15)
    for given in (half[::2, 3:11], half.T, half.astype(">f2")):
        out = np.empty(given.shape, np.float32)
        widen(given, out)
        np.testing.assert_array_equal(out, given.astype(np.float32))
