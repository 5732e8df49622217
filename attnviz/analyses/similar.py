"""`attnviz similar`: which heads attend alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, analysis
from attnviz.facts import dotted, facts_of, head_name, listed, pairs_in_words, randomness
from attnviz.measures.distance import MOST
from attnviz.measures.similar import Similarity
from attnviz.measures.similar import similar as compare
from attnviz.page.numbers import number
from attnviz.page.parts import Board, Boards, Distances, Page, Scatter, Table

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.facts import SourceFacts
    from attnviz.models.model import Progress

DISTANCE = "distance of two heads: root of the mean Jensen-Shannon divergence of their rows, 0 to 0.83"


@dataclass(frozen=True)
class Options:
    """None of its own."""


@dataclass(frozen=True, eq=False)
class SimilarHeads(AttentionResult):
    """similarity: distances, order and places of the heads, as `attnviz.measures.similar` gives them."""

    facts: SourceFacts
    similarity: Similarity

    def rows(self) -> list[dict[str, Any]]:
        """One row per head, in the order of the dendrogram."""
        heads = self.similarity
        rows = []
        for place, head in enumerate(heads.order):
            nearest, (x, y) = heads.nearest(head), heads.places[head].tolist()
            rows.append(
                {
                    "layer": heads.names[head][0],
                    "head": heads.names[head][1],
                    "place": place,
                    "nearest_layer": heads.names[nearest][0],
                    "nearest_head": heads.names[nearest][1],
                    "distance": float(heads.distances[head, nearest]),
                    "x": x,
                    "y": y,
                }
            )
        return rows

    def arrays(self) -> dict[str, Any]:
        """distances [head, head], places [head, 2], order [head], names [head, 2], joins [join, 3]."""
        heads = self.similarity
        return {
            "distances": heads.distances,
            "places": heads.places,
            "order": np.array(heads.order, np.int64),
            "names": np.array(heads.names, np.int64),
            "joins": np.array(heads.joins, np.float64).reshape(-1, 3),
        }

    def page(self) -> Page:
        heads = self.similarity
        names = tuple(head_name(*name) for name in heads.names)
        if len(names) == 2:  # one distance: a plane of two points says nothing more
            board = Board(heads.distances, "distance", high=MOST)
            return self.sheet(Boards((board,), names, names, ("", "layer.head")))
        axes = tuple(
            f"{nth} dimension, {share:.0%}" for nth, share in zip(("first", "second"), heads.shares, strict=True)
        )
        layers = tuple(layer for layer, _ in heads.names)
        distances = Distances(heads.distances, names, heads.order, heads.joins, "head")
        return self.sheet(distances, Scatter(heads.places, names, layers, "layer", axes))

    def printed(self) -> Page:
        rows = []
        for row in self.rows():
            near = head_name(row["nearest_layer"], row["nearest_head"])
            plane = (number(row[axis], 2, "+") for axis in ("x", "y"))
            rows.append([str(row["layer"]), str(row["head"]), near, number(row["distance"], 3), *plane])
        header = ("layer", "head", "nearest", "distance", "x", "y")
        order = "in the order of the dendrogram: heads that are alike come one after the other"
        return self.sheet(Table(header, rows, "rrrrrr", bold=(3,)), notes=(order,))

    def title(self) -> str:
        """`Heads that attend alike · minilm · layers 0–5 · heads 0–11`."""
        facts = self.facts
        axes = zip(("layer", "head"), zip(*self.similarity.names, strict=True), strict=True)
        maps = [listed(axis, list(dict.fromkeys(indices))) for axis, indices in axes]
        if facts.pairs:
            maps = pairs_in_words(facts.pairs, facts.places)
        return dotted("Heads that attend alike", facts.model, facts.attention, *maps)

    def subtitle(self) -> str:
        """The number of rows that were compared, and whether weights are random."""
        axes = ((self.facts.queries, "query", "queries"), (self.facts.keys, "key", "keys"))
        rows = " over ".join(f"{len(axis)} {name if len(axis) == 1 else names}" for axis, name, names in axes)
        return dotted(randomness(self.facts.meta), rows)

    def notes(self) -> Sequence[str]:
        share = sum(self.similarity.shares)
        plane = f"the plane keeps {share:.0%} of the squared distances (classical scaling)"
        return (DISTANCE, *([plane] if len(self.similarity.names) > 2 else []), *self.facts.remarks())

    @property
    def messages(self) -> Sequence[str]:  # type: ignore[override]
        sampled = "sampled" in self.facts.meta
        return [f"a long text: {self.facts.reduced.partition('; ')[0]} are compared"] if sampled else []


@analysis("similar", Options, SimilarHeads, subject="maps of some rows", progress_label="distances")
def similar(attention: Attention, options: Options, progress: Progress | None = None) -> SimilarHeads:
    """Show which heads attend alike: their distances, in order and as a map.

    The distance of two heads is the root of the mean Jensen-Shannon divergence of their rows, from 0 for equal to
    0.83. Heads are in the order of a dendrogram (average linkage), each with the head nearest to it and its place in
    the plane (classical scaling). With -o a picture of both; .npz has all distances. In a long text, rows spread evenly
    over it are compared.

    attnviz similar "The cat sat on the mat"
    attnviz similar "The animal was too tired" -m minilm -o heads.pdf
    attnviz similar --from attention.npz -l 0-2 --json
    """
    return SimilarHeads(facts_of(attention), compare(attention, progress))
