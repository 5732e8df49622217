"""`attnviz circuits`: what heads can do, from weights alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, analysis, option, top_option
from attnviz.analyses.head_circuits import head_circuits
from attnviz.errors import SelectionError
from attnviz.facts import ModelFacts, board_axes, dotted, head_name, randomness
from attnviz.page.numbers import compact, number, round_up
from attnviz.page.parts import Board, Boards, Page, Plot, Plots, Table

if TYPE_CHECKING:
    from attnviz.analyses.head_circuits import ModelHeads
    from attnviz.measures.circuits import Circuits
    from attnviz.models.model import Progress
    from attnviz.page.parts import Part

SHOWN = 20  # rows in a terminal
MOST_HEADS = 400  # heads per side of a map of composition
READS = {"q": "queries read", "k": "keys read", "v": "values read"}
TITLES = {"head": "circuits", "pair": "composition", "spectrum": "singular values"}
HEADERS = {"ov_norm": "|OV|", "qk_norm": "|QK|", "over_chance": "times chance"}
SHARE = "sum / sum of moduli"


@dataclass(frozen=True)
class Options:
    """The numbers that are computed, and which of them are shown."""

    by: str = option(
        "head",
        "What is shown: heads, pairs (which head reads what which wrote) or singular values.",
        choices=tuple(TITLES),
    )
    vocabulary: bool = option(False, "Also the copying score through embeddings and unembedding.")
    norms: bool = option(
        True,
        "Fold the weight and the centring of the norm in front into the matrices. Default: yes.",
        "--norms/--no-norms",
    )
    top: int | None = top_option()


@dataclass(frozen=True, eq=False)
class HeadCircuits(AttentionResult):
    """circuits: copying, matching, composition and spectra of every head, as arrays."""

    facts: ModelFacts
    circuits: Circuits
    options: Options

    def rows(self) -> list[dict[str, Any]]:
        """A line per head, per pair of heads or per singular value."""
        return {"head": self._heads, "pair": self._pairs, "spectrum": self._spectrum}[self.options.by]()[
            : self.options.top
        ]

    def page(self) -> Page:
        views: dict[str, Callable[[], Part]]
        views = {"head": self._boards, "pair": self._composition, "spectrum": self._plots}
        part = views[self.options.by]()
        chance = f"colours begin at {compact(self.circuits.chance)}, what random directions give"
        notes = [chance] if self.options.by == "pair" else []
        return self.sheet(part, notes=notes)

    def printed(self) -> Page:
        by, circuits = self.options.by, self.circuits
        lines = [_line(row) if by != "spectrum" else row for row in self.rows()[: self.options.top or SHOWN]]
        rows = [[_text(value) for value in line.values()] for line in lines]
        names = list(lines[0]) if lines else []
        align = "".join("l" if name in ("reads", "circuit") else "r" for name in names)
        chance = f"composition by chance: {compact(circuits.chance)}; q, k, v: what of a head reads"
        table = Table([HEADERS.get(name, name) for name in names], rows, align)
        notes = [chance] if by != "spectrum" and circuits.composition else []
        return self.sheet(table, title=self.title("spectra") if by == "spectrum" else "", notes=notes)

    def title(self, what: str = "") -> str:
        """`minilm · circuits`."""
        stream = "" if self.circuits.stream == "self" else f"{self.circuits.stream} attention"
        return dotted(self.circuits.model, stream, what or TITLES[self.options.by])

    def subtitle(self) -> str:
        """From weights alone, random or not."""
        return dotted("from weights alone", randomness(self.circuits.meta))

    def notes(self) -> Sequence[str]:
        """Notes: the weights that are folded into the matrices, and the parts that they leave out."""
        folded, left_out = self.circuits.folded, self.circuits.left_out
        notes = [f"folded: {folded}"] if folded else []
        return [*notes, f"left out: {', '.join(left_out)}"] if left_out else notes

    def _boards(self) -> Boards:
        """One board each for copying, matching and the sizes of both circuits."""
        circuits = self.circuits
        boards = [Board(circuits.copying, SHARE, "copying: W_OV", signed=True, high=1.0)]
        if circuits.vocabulary is not None:
            boards.append(Board(circuits.vocabulary, SHARE, "copying through the vocabulary", signed=True, high=1.0))
        boards += [
            Board(circuits.matching, SHARE, "matching: W_QK", signed=True, high=1.0),
            Board(circuits.ov_norm, "Frobenius norm", "size of W_OV"),
            Board(circuits.qk_norm, "Frobenius norm", "size of W_QK"),
        ]
        axes = board_axes(circuits.pairs, circuits.places, circuits.copying.shape[1])
        return Boards(tuple(boards), **axes, abreast=2)

    def _composition(self) -> Boards:
        """A map per kind of reading: rows are the heads that read, columns the heads that wrote."""
        circuits, names = self.circuits, [head_name(*place) for place in self.circuits.places]
        if len(names) > MOST_HEADS:
            raise SelectionError(
                f"{len(names)} heads a side are too many for a map", f"choose at most {MOST_HEADS}: -l, -H"
            )
        known = [values for values in circuits.composition.values() if not np.isnan(values).all()]
        if not known:
            raise SelectionError("composition is between heads of different layers, and there is one layer")
        most = max(float(np.nanmax(values)) for values in known)
        low = min(circuits.chance, most)
        boards = tuple(
            Board(
                values.reshape(len(names), len(names)),
                "composition",
                f"{READS[kind]} what is written",
                low=low,
                high=max(round_up(most), low * 1.01),
                cell_text=(),
            )
            for kind, values in circuits.composition.items()
        )
        return Boards(boards, names, names, ("reading head", "writing head"))

    def _plots(self) -> Plots:
        """Singular values of both circuits of each head, largest first, as shares of the largest."""
        circuits, plots = self.circuits, []
        for at, place in enumerate(circuits.places):
            i, j = divmod(at, circuits.copying.shape[1])
            singular = circuits.qk_singular[i, j], circuits.ov_singular[i, j]
            curves = tuple(values / (values[0] or 1.0) for values in singular)
            scores = f"copying {circuits.copying[i, j] + 0.0:.2f}, matching {circuits.matching[i, j] + 0.0:.2f}"
            plots.append(Plot(f"head {head_name(*place)}", curves, scores))
        return Plots(tuple(plots), ("W_QK", "W_OV"))

    def _heads(self) -> list[dict[str, Any]]:
        """One row per head, the head that copies most first."""
        circuits, rows = self.circuits, []
        for at, (layer, head) in enumerate(circuits.places):
            i, j = divmod(at, circuits.copying.shape[1])
            row: dict[str, Any] = {"layer": layer, "head": head}
            row |= {
                name: float(getattr(circuits, name)[i, j]) for name in ("copying", "matching", "ov_norm", "qk_norm")
            }
            if circuits.vocabulary is not None:
                row["vocabulary"] = float(circuits.vocabulary[i, j])
            rows.append(row | self._read_most(i, j))
        return sorted(rows, key=lambda row: -row["copying"])

    def _read_most(self, i: int, j: int) -> dict[str, Any]:
        """The earlier head of which this one reads most."""
        best: dict[str, Any] = {"reads": None, "from_layer": None, "from_head": None, "composition": float("nan")}
        for kind, values in self.circuits.composition.items():
            own = np.nan_to_num(values[i, j], nan=-1.0).reshape(-1)
            most = int(own.argmax())
            if own[most] >= 0 and not own[most] <= best["composition"]:
                layer, head = self.circuits.places[most]
                best = {"reads": kind, "from_layer": layer, "from_head": head, "composition": float(own[most])}
        return best

    def _pairs(self) -> list[dict[str, Any]]:
        """One row per pair of a reading and a writing head, the closest first."""
        circuits, rows = self.circuits, []
        for kind, values in circuits.composition.items():
            square = values.reshape(len(circuits.places), len(circuits.places))  # reading head, writing head
            for reader, writer in np.argwhere(~np.isnan(square)).tolist():
                ends = dict(zip(("layer", "head"), circuits.places[reader], strict=True))
                source = dict(zip(("from_layer", "from_head"), circuits.places[writer], strict=True))
                value = float(square[reader, writer])
                rows.append(
                    {"reads": kind, **ends, **source, "composition": value, "over_chance": value / circuits.chance}
                )
        return sorted(rows, key=lambda row: -row["composition"])

    def _spectrum(self) -> list[dict[str, Any]]:
        """One row per singular value, with its eigenvalue; largest first within a head."""
        circuits, n_heads = self.circuits, self.circuits.copying.shape[1]
        sides = (
            ("QK", circuits.qk_singular, circuits.qk_eigen),
            ("OV", circuits.ov_singular, circuits.ov_eigen),
        )
        return [
            {
                "layer": layer,
                "head": head,
                "circuit": circuit,
                "index": k,
                "singular": float(singular[divmod(at, n_heads)][k]),
                "real": float(eigen[divmod(at, n_heads)][k].real),
                "imaginary": float(eigen[divmod(at, n_heads)][k].imag),
            }
            for at, (layer, head) in enumerate(circuits.places)
            for circuit, singular, eigen in sides
            for k in range(singular.shape[-1])
        ]


def _line(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a terminal shows it: the head that wrote as `3.1`, and composition last."""
    line = {name: value for name, value in row.items() if name not in ("from_layer", "from_head")}
    composition, reads = line.pop("composition"), line.pop("reads")
    over = {"over_chance": f"{line.pop('over_chance'):.1f}"} if "over_chance" in line else {}
    source = "" if row["from_layer"] is None else head_name(row["from_layer"], row["from_head"])
    return {**line, "reads": reads, "from": source, "composition": composition, **over}


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "" if value != value else number(value, 2)
    return "" if value is None else str(value)


@analysis("circuits", Options, HeadCircuits, subject="model", progress_label="circuits")
def circuits(heads: ModelHeads, options: Options, progress: Progress | None = None) -> HeadCircuits:
    """Say what heads can do, from weights alone: W_QK, W_OV and composition.

    W_QK attends, W_OV writes (Elhage 2021). copying: sum of W_OV's eigenvalues / sum of their moduli, 1 where a head
    raises what it attends to, -1 where it lowers it; matching: the same of W_QK, 1 where a head attends to what is like
    the query. --by pair: composition, how much a later head's queries (q), keys (k) or values (v) read of what an
    earlier head writes. No text is needed.

    attnviz circuits minilm
    attnviz circuits model.gguf --by pair --top 20
    attnviz circuits model.gguf -o circuits.png
    attnviz circuits minilm -l 3 -H 1 --by spectrum --json
    """
    composition = options.by != "spectrum"
    numbers = head_circuits(
        heads, composition=composition, vocabulary=options.vocabulary, norms=options.norms, progress=progress
    )
    return HeadCircuits(ModelFacts(heads.model.name, heads.model.meta), numbers, options)
