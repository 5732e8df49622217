"""`attnviz rollout`: how much of each input token is in each position, layer after layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.analyses.base import analysis, option
from attnviz.analyses.every_layer import mean_attention, refuse_single_heads
from attnviz.analyses.maps import Followed, Maps
from attnviz.analyses.value_norms import WITH_RESIDUAL, value_norms
from attnviz.errors import SelectionError
from attnviz.measures.rollout import chained, named

if TYPE_CHECKING:
    from attnviz.analyses.base import Request
    from attnviz.analyses.every_layer import EveryLayer
    from attnviz.attention import Attention
    from attnviz.models.model import Progress


@dataclass(frozen=True)
class Options(Followed):
    """The matrices that are multiplied up, and which tokens are shown."""

    of: str = option(
        "weights",
        "What is multiplied up: the weights, or a measure of attnviz norms.",
        choices=("weights", *WITH_RESIDUAL),
        shown=True,
    )


def _refuses(options: Options, request: Request) -> None:
    refuse_single_heads("rollout", request)
    if options.of == "weights":
        return
    if request.from_file:
        raise SelectionError(f"--of {options.of} needs values and W_O, which attention alone does not hold")
    if request.heads is not None or options.residual != 0.5:
        raise SelectionError(f"--of {options.of} is of all heads together, with the model's own residual stream")


@analysis("rollout", Options, Maps, subject="every layer", heads="mean", maps="grid", refuses=_refuses)
def rollout(text: EveryLayer, options: Options, progress: Progress | None = None) -> Maps:
    """Follow attention through the layers: how much of each input token is in each position.

    Rollout (Abnar and Zuidema 2020): the mean over heads, half of it the residual stream, multiplied up from layer 0.
    A map per layer, whose rows sum to 1: in the terminal, or with -o as a picture or as numbers (.npz, .json, .csv).
    Words are joined after the rollout. Long texts are followed as they pass. With --of the layers' maps are
    measures of attnviz norms, which have the residual stream in them.

    attnviz rollout "The animal didn't cross the street because it was too tired" -m minilm -l -1
    attnviz rollout "The cat sat on the mat" -m minilm --query sat
    attnviz rollout "The cat sat on the mat" -m minilm --of alti
    attnviz rollout --from attention.npz -o rollout.pdf
    """
    layers = text.wanted()
    if options.of == "weights":
        share = "" if options.residual == 0.5 else f", residual {options.residual:g}"
        attention = mean_attention(text.source, layers, options.residual, f"rollout{share}", progress)
    else:
        attention = rollout_of(text, options.of, layers, progress)
    return Maps.of(text.joined(attention), "rollout", options)


def rollout_of(text: EveryLayer, measure: str, layers: list[int], progress: Progress | None = None) -> Attention:
    """A measure that has the residual stream in it, multiplied up from layer 0, each row divided by its sum.

    Returns:
        An Attention with weights [layer, 1, query, key].

    Source: Ferrando 2022, section 3.3; Mohebbi 2023, section 5.
    """
    shares = value_norms(text.source, [measure], range(max(layers) + 1), progress=progress).shares()[measure]
    mixed = np.stack(chained(list(shares.weights[:, 0])))[:, None].astype(np.float32)
    return named(shares, mixed, f"rollout of {measure}", 0.5).select(layers=layers)
