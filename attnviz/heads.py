"""What every head does, in numbers: statistics, roles, links, and one token's view.

    attention = attnviz.load("minilm").attend("The cat sat on the mat")
    attnviz.heads.statistics(attention)["entropy"]       # [layer, head]

Each takes an Attention, or a Passage (see passage.py) for texts whose maps would not fit into memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz import passage
from attnviz.engine.collect import Statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.model import Progress
    from attnviz.passage import Passage

STATISTICS = ("entropy", "span", "distance", "confidence", "previous", "next", "self", "first", "special")


def statistics(source: Attention | Passage, progress: Progress | None = None) -> dict[str, NDArray[np.float64]]:
    """Numbers of every head, each [layer, head]: means over all query rows, special and first tokens included.

    entropy: -sum_j A_ij ln A_ij, in nats (Clark et al. 2019, section 3.2). span: e^entropy of each row, the number of
    keys over which a uniform row with its entropy would spread. distance: sum A_ij |i - j| / sum A_ij over the whole
    head, in tokens (Vig and Belinkov 2019, section 4.1). confidence: largest weight of a row (Voita et al. 2019,
    section 4). previous, next: weight on the token before or after, over the rows that have one. self, first, special:
    weight on the same token, the first one, and all special ones together (Clark et al. 2019, section 3.1).

    NaN where it means nothing: neighbours and distance in cross-attention, previous and next of a single token.

    Args:
        source: what is to be measured; without its special tokens if they are not to count.
        progress: called with shares of the work, which sum to 1.
    """
    source = passage.of(source)
    collected = Statistics(*source.size, np.array(source.keys.special, bool))
    source.observe([collected], progress)
    found = {name: source.pick(values) for name, values in collected.result().items()}
    if not source.ordered:
        undefined = ["distance", "previous", "next", "self"]
    else:
        undefined = ["previous", "next"] if len(source.queries) < 2 else []
    for name in undefined:
        found[name] = np.full_like(found[name], np.nan)
    return {name: found[name] for name in STATISTICS}
