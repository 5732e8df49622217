"""Make by_hand.npz: attention small enough to be worked out on paper. docs/steps.md goes through it.

    python sample_inputs/by_hand.py

Three words of two numbers each, two heads of width 4 (so that the square root of d_k is 2), whole numbers everywhere.
"""

from pathlib import Path

import numpy as np

ARRAYS = {
    "tokens": np.array(["I", "like", "tea"]),
    "embedding": np.array([[1, -1], [-1, 1], [1, 0]]),  # [token, d_model]
    "positions": np.array([[0, 0], [1, 0], [0, 1]]),  # [position, d_model]
    "n_heads": np.array(2),
    "causal": np.array(True),
    # Columns 0 to 3 belong to head 0, columns 4 to 7 to head 1: [d_model, n_heads * d_head].
    "W_Q": np.array([[1, 0, 1, 0, 0, 1, 0, 1], [0, 1, 0, 1, 1, 0, 1, 0]]),
    "W_K": np.array([[1, 0, 1, 0, -1, 0, -1, 0], [0, 2, 0, 0, 0, 1, 0, 1]]),
    "W_V": np.array([[1, 0, 1, 0, 2, 0, 0, 1], [0, 1, 1, 2, 0, 1, 0, 0]]),
    # Rows 0 to 3 take head 0, rows 4 to 7 head 1: [n_heads * d_head, d_model].
    "W_O": np.array([[1, 0], [0, 1], [1, 0], [0, 1], [0, 1], [1, 0], [0, 0], [1, -1]]),
}

if __name__ == "__main__":
    place = Path(__file__).with_suffix(".npz")
    floats = {name: a.astype(np.float32) for name, a in ARRAYS.items() if a.ndim == 2}
    np.savez(place, **{**ARRAYS, **floats})
    print(place.name)
