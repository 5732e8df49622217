"""A walk through one head as JSON: a `Step` for each step, with its formulas and matrices, then the row of the query.

In a browser a walk and its diagrams are one: steps from top to bottom, every number under the pointer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.text_metrics import printable
from attnviz.render.html.parts.maps import hidden
from attnviz.render.html.parts.values import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from attnviz.measures.steps import Quantity, Steps
    from attnviz.measures.steps_formulas import Step
    from attnviz.page.parts import Diagrams, Walk
    from attnviz.render.html.blocks import Blocks

MOST = 200_000  # numbers of one matrix; beyond, the row of the query alone


def walk(part: Walk | Diagrams, blocks: Blocks) -> list[dict[str, Any]]:
    """Every step, and a table of the query's row after each of them."""
    page = _Page(part.steps, blocks)
    return [*(page.step(step) for step in part.steps.steps), page.row_of_query()]


class _Page:
    """The steps of one walk, and the blocks that hold their numbers."""

    def __init__(self, steps: Steps, blocks: Blocks) -> None:
        self.steps, self.blocks = steps, blocks
        self.queries, self.keys = ([printable(text) for text in side.text] for side in (steps.queries, steps.keys))

    def step(self, step: Step) -> dict[str, Any]:
        """One step: its words, and the matrices that it makes."""
        own = {"softmax": self._softmax, "summed": self._summed, "joined": self._joined}.get(step.name)
        matrices = [*self._vectors(step), *self._scores(step), *(own() if own else ())]
        matrices += self._weights() if step.name == "inputs" else []
        lines = [list(line) for line in step.lines]
        return {"kind": "Step", "label": step.label, "title": step.title, "lines": lines, "matrices": matrices}

    def row_of_query(self) -> dict[str, Any]:
        """Every key's score after each step, its weight and its shares."""
        steps, quantities = self.steps, self.steps.per_key()
        header = ["key", "token", *(quantity.header for quantity in quantities)]
        columns = [np.asarray(quantity.values, np.float64) for quantity in quantities]
        rows = [[i, token, *(number(column[i]) for column in columns)] for i, token in enumerate(self.keys)]
        caption = f"The row of query {steps.query}, “{self.queries[steps.query]}”: every key, after each step"
        align = "rl" + "r" * len(columns)
        return {"kind": "Table", "caption": caption, "header": header, "align": align, "rows": rows, "folded": False}

    def _vectors(self, step: Step) -> list[dict[str, Any]]:
        """The vectors that a step makes, one per token."""
        made = [vectors for vectors in self.steps.vectors if vectors.step == step.label]
        shared = max((_top(each.values) for each in made if each.name[0] in "qkv"), default=0.0)
        return [
            self._matrix(
                each.symbol,
                each.values,
                self.queries if each.side == "query" else self.keys,
                chosen=self.steps.query if each.side == "query" else None,
                high=shared if each.name[0] in "qkv" else None,
            )
            for each in made
        ]

    def _scores(self, step: Step) -> list[dict[str, Any]]:
        """The scores after a step, of all queries where the text is short enough."""
        scores = self.steps.score(step.name)
        if scores is None:
            return []
        masked = scores.name == "masked"
        name = f"{scores.stage.header} of every query and key" if scores.matrix is not None else scores.stage.header
        return [self._rows(name, scores.row, scores.matrix, masked=masked, signed=True)]

    def _softmax(self) -> list[dict[str, Any]]:
        name = "a_ij of every query and key" if self.steps.weight_matrix is not None else "a_ij"
        return [self._rows(name, self.steps.weights, self.steps.weight_matrix, masked=True, signed=False)]

    def _summed(self) -> list[dict[str, Any]]:
        steps = self.steps
        parts = steps.weights[:, None] * steps.used("v")
        query = self.queries[steps.query]
        return [
            self._matrix("a_ij v_j", parts, self.keys),
            self._matrix(f"o_{steps.query}", steps.output[None], [query]),
            self._shares([each for each in steps.per_key() if each.name in ("weight", "norm_share", "output_share")]),
        ]

    def _joined(self) -> list[dict[str, Any]]:
        steps = self.steps
        heads = [f"head {head}" for head in range(len(steps.heads))]
        made = [self._matrix("o_i of each head", steps.heads, heads, chosen=steps.facts.head)]
        if steps.parts is not None:
            made.append(self._matrix("o_i W_O of each head", steps.parts, heads, chosen=steps.facts.head))
        made.append(self._matrix(f"y_{steps.query}", steps.projected[None], [self.queries[steps.query]]))
        share = np.asarray(steps.head_share, np.float32)[None]
        return [*made, self._matrix("share of y_i by norm", share, [""], cols=heads, signed=False)]

    def _weights(self) -> list[dict[str, Any]]:
        """The weight matrices of this head, where they are small."""
        small = [name for name in ("W_Q", "W_K", "W_V") if self.steps.is_small(name)]
        return [self._matrix(name, self.steps.matrices[name], []) for name in small]

    def _shares(self, quantities: Sequence[Quantity]) -> dict[str, Any]:
        values = np.stack([np.asarray(each.values, np.float32) for each in quantities])
        return self._matrix("shares of o_i", values, [each.header for each in quantities], cols=self.keys)

    def _rows(
        self, name: str, row: NDArray[Any], matrix: NDArray[Any] | None, *, masked: bool, signed: bool
    ) -> dict[str, Any]:
        """Scores or weights of all queries and keys, or of the chosen query alone."""
        steps = self.steps
        if matrix is None or matrix.size > MOST:
            behind = ~steps.allowed[None] if masked else None
            return self._matrix(name, row[None], [self.queries[steps.query]], self.keys, signed=signed, behind=behind)
        behind = ~steps.allowed_matrix if masked and steps.allowed_matrix is not None else None
        return self._matrix(name, matrix, self.queries, self.keys, steps.query, signed=signed, behind=behind)

    def _matrix(
        self,
        name: str,
        values: NDArray[Any],
        rows: Sequence[str],
        cols: Sequence[str] = (),
        chosen: int | None = None,
        *,
        signed: bool = True,
        high: float | None = None,
        behind: NDArray[np.bool_] | None = None,
    ) -> dict[str, Any]:
        """A matrix of numbers under a name; one that is too large has the chosen row alone."""
        if values.size > MOST and chosen is not None:
            values, rows, chosen = values[chosen : chosen + 1], list(rows[chosen : chosen + 1]), None
        shape = " x ".join(map(str, values.shape))
        return {
            "kind": "Matrix",
            "name": name,
            "shape": shape,
            "values": self.blocks.numbers(np.asarray(values, np.float32)),
            "hidden": hidden(behind, self.blocks),
            "rows": list(rows),
            "cols": list(cols),
            "chosen": chosen,
            "signed": signed,
            "high": number(high or _top(values)) or 1.0,
            "remark": "",
        }


def _top(values: NDArray[Any]) -> float:
    """The largest finite number by size."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0))
