"""Inputs: what one stack reads, whatever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]
    Ints = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The input of one stack: ids [n] (and types [n]), or words, or pixels [channel, row, column], or sound.

    sound: [sample] for raw waves, [mel, frame] for log-mel spectra. global_tokens: positions that attend to all tokens
    and that all tokens attend to. first: the position of the first id, if earlier ids have been read already.
    """

    ids: Ints | None = None
    types: Ints | None = None
    words: tuple[str, ...] = ()
    pixels: Array | None = None
    sound: Array | None = None
    global_tokens: tuple[int, ...] = ()
    first: int = 0
