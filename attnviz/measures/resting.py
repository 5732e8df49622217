"""Keys where heads rest: what they attend to says nothing of the query."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention


def resting(attention: Attention) -> NDArray[np.bool_]:
    """Keys where heads rest: special tokens, or where there are none the first key, if most heads rest there.

    That is if it takes a fifth of all weight and three times its even share (Xiao et al. 2024, section 3.1).
    """
    special = np.array(attention.key_special, bool)
    n = len(special)
    if special.all():
        return np.zeros(n, bool)
    if not special.any() and n > 1:
        special[0] = float(attention.weights[..., 0].mean()) > max(0.2, 3.0 / n)
    return special
