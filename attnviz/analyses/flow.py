"""`attnviz flow`: how much of each input token can reach a position, the weights being the widths of pipes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.analyses.base import analysis
from attnviz.analyses.every_layer import mean_attention, refuse_single_heads
from attnviz.analyses.maps import Followed, Maps
from attnviz.measures.flow import check_size, largest_flows
from attnviz.select import find_token

if TYPE_CHECKING:
    from attnviz.analyses.base import Request
    from attnviz.analyses.every_layer import EveryLayer
    from attnviz.models.model import Progress


def _refuses(options: Followed, request: Request) -> None:
    refuse_single_heads("flow", request)


@analysis(
    "flow", Followed, Maps, subject="every layer", layers="-1", heads="mean", maps="grid", passes=2, refuses=_refuses
)
def flow(text: EveryLayer, options: Followed, progress: Progress | None = None) -> Maps:
    """Follow attention through the layers as water through pipes: the largest flow to each input token.

    Flow (Abnar and Zuidema 2020): every weight, averaged over heads and joined with the residual stream, is the width
    of a pipe; a number is the most that can flow from a position to an input token. -l selects layers, by default the
    last; -l all takes several times as long. Up to 128 tokens. Words are joined before flows are computed.

    attnviz flow "The animal didn't cross the street because it was too tired" -m minilm
    attnviz flow "The cat sat on the mat" -m minilm -l all -o flow.png
    attnviz flow --from attention.npz --query sat --json
    """
    layers = text.wanted(text.source.layers[-1:])
    if not text.words:
        check_size(len(text.source.keys))
    mean = mean_attention(text.source, range(max(layers) + 1), progress=progress)
    tokens = mean.words() if text.words else mean
    query = None if options.query is None else find_token(text.joined(mean).queries, options.query, "queries")
    if query is not None and not text.special:  # its place among all tokens
        query = [i for i, special in enumerate(tokens.queries.special) if not special][query]
    attention = largest_flows(tokens, layers, None if query is None else [query], options.residual, progress)
    attention = attention if text.special else attention.without_special()
    return Maps.of(attention, "flow", options)
