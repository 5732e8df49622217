"""`attnviz diff`: what changes in attention from one text, model, layer or file to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.analyses.base import AttentionResult, analysis, top_option
from attnviz.facts import attention_notes, dotted, facts_of, head_name, listed, pairs_in_words
from attnviz.measures.align import NONE
from attnviz.measures.diff import Change, Difference
from attnviz.measures.diff import diff as compare
from attnviz.page.numbers import number
from attnviz.page.parts import Board, Boards, Explorer, Page, SignedMap, SignedMaps, Table

if TYPE_CHECKING:
    from attnviz.analyses.two import TwoMaps
    from attnviz.facts import SourceFacts
    from attnviz.models.model import Progress

DRAWN, PRINTED, BROWSED = 6, 12, 24  # heads of a picture, of a terminal, and of a page
NAMED, LISTED = 12, 8  # changed keys in the subtitle, and queries of one text only in the notes
DISTANCE = "Jensen-Shannon distance"
MEANING = "distance: root of the mean Jensen-Shannon divergence of a head's rows, 0 to 0.83"


@dataclass(frozen=True)
class Options:
    """The number of heads that are shown; files of numbers have all heads."""

    top: int | None = top_option()


@dataclass(frozen=True, eq=False)
class Changes(AttentionResult):
    """difference: both sides on common axes. facts: of the second."""

    facts: SourceFacts
    difference: Difference
    options: Options
    messages: Sequence[str] = ()

    def rows(self) -> list[dict[str, Any]]:
        """One row per head, the one that changed most first, with the weight that changed most in it."""
        difference, rows = self.difference, []
        for change in difference.ranked():
            (layer, head), (layer_b, head_b) = difference.place(change.layer, change.head)
            query, query_b = map(_index, difference.rows[change.row])
            key, key_b = map(_index, difference.columns[change.column])
            rows.append(
                {
                    "layer": layer,
                    "head": head,
                    "layer_b": layer_b,
                    "head_b": head_b,
                    "distance": change.distance,
                    "query": query,
                    "query_b": query_b,
                    "query_token": difference.row_labels[change.row],
                    "key": key,
                    "key_b": key_b,
                    "key_token": difference.column_labels[change.column],
                    "before": change.before,
                    "after": change.after,
                    "change": change.change,
                }
            )
        return rows

    def page(self) -> Page:
        changes = self.difference.ranked()[: self.options.top or DRAWN]
        return self.sheet(self._board(changes), self._ranking(changes), self._maps(changes))

    def browser(self) -> Page:
        """More of the heads that changed most, then every head of both sides, one beside the other."""
        changes = self.difference.ranked()[: self.options.top or BROWSED]
        first, second = self.difference.first, self.difference.second
        sides = Explorer((first, second), ("before", "after"), compared=True)
        return self.sheet(self._board(changes[: self.options.top or DRAWN]), self._maps(changes), sides)

    def printed(self) -> Page:
        difference, heads = self.difference, self.difference.distance.size
        changes = difference.ranked()[: self.options.top or PRINTED]
        rows = []
        for change in changes:
            tokens = difference.row_labels[change.row], difference.column_labels[change.column]
            weights = number(change.before, 2), number(change.after, 2), number(change.change, 2, "+")
            rows.append([*self._indices(change.layer, change.head), number(change.distance, 3), *tokens, *weights])
        header = ("layer", "head", "distance", "query", "key", "before", "after", "change")
        some = [f"{len(rows)} of {heads} heads, the ones that changed most"] if heads > len(rows) else []
        return self.sheet(Table(header, rows, "rrrllrrr", bold=(2,)), notes=(*some, MEANING))

    # The parts

    def _board(self, changes: Sequence[Change]) -> Boards:
        """The distance of every head; heads of different layers are one row."""
        distance = self.difference.distance
        marks = tuple((change.layer, change.head) for change in changes)
        board = Board(distance, "distance", heading=DISTANCE, marks=marks)
        layers = [self._indices(i, 0)[0] for i in range(distance.shape[0])]
        heads = [self._indices(0, j) for j in range(distance.shape[1])]
        if self._pairs():
            return Boards((board,), [""], [".".join(indices) for indices in heads], ("", "layer.head"))
        return Boards((board,), layers, [head for _, head in heads])

    def _ranking(self, changes: Sequence[Change]) -> Table:
        difference, rows = self.difference, []
        for change in changes:
            pair = f"{difference.row_labels[change.row]} → {difference.column_labels[change.column]}"
            rows.append([self._name(change), pair, f"{change.before:.2f} → {change.after:.2f}"])
        return Table(("Largest change in each", "", ""), rows, "lll", bold=(0,))

    def _maps(self, changes: Sequence[Change]) -> SignedMaps:
        difference, hidden = self.difference, self.difference.hidden
        maps = []
        for change in changes:
            masked = None
            if hidden is not None:
                masked = hidden[change.layer % hidden.shape[0], change.head % hidden.shape[1]]
            values = difference.change[change.layer, change.head]
            maps.append(SignedMap(f"head {self._name(change)}", values, masked, f"{change.distance:.2f}"))
        axes = difference.row_labels, difference.column_labels
        return SignedMaps(tuple(maps), *axes, "change of weight", self._legend())

    # In words

    def _pairs(self) -> bool:
        return bool(self.difference.first.pairs or self.difference.second.pairs)

    def _indices(self, layer: int, head: int) -> tuple[str, ...]:
        """Layer and head at these positions, `2→4` where they differ between the two."""
        both = zip(*self.difference.place(layer, head), strict=True)
        return tuple(str(before) if before == after else f"{before}→{after}" for before, after in both)

    def _name(self, change: Change) -> str:
        """The head of a change: `3.1`, or `2.1→4.1` where the two sides differ."""
        before, after = (head_name(*place) for place in self.difference.place(change.layer, change.head))
        return before if before == after else f"{before}→{after}"

    def title(self) -> str:
        """The two sides: `minilm · two texts`, `minilm → minilm + lora`, `minilm · layer 2 → layer 4`."""
        difference, first, second = self.difference, self.difference.first, self.difference.second
        model = first.model if first.model == second.model else f"{first.model} → {second.model}"
        same = difference.row_labels == first.query_tokens and not (difference.gone or difference.come)
        what = "" if same else "two texts"
        if self._pairs():
            sides = [", ".join(pairs_in_words(side.pairs, side.places)) for side in (first, second) if side.pairs]
            what = ", ".join(filter(None, (what, " → ".join(dict.fromkeys(sides)))))
        elif first.layers != second.layers:
            what = f"{listed('layer', first.layers)} → {listed('layer', second.layers)}"
        return dotted("Changes in attention", model, facts_of(first).attention, what)

    def subtitle(self) -> str:
        """The tokens that changed in the text, and whether weights are random."""
        difference, sides = self.difference, (self.difference.first, self.difference.second)
        seeds = dict.fromkeys(side.meta.get("seed") for side in sides if side.meta.get("random"))
        random = f"random weights, seed {' and '.join(map(str, seeds))}" if seeds else ""
        labels = zip(difference.column_labels, difference.columns, strict=True)
        tokens = difference.first.key_tokens
        changed = [label for label, (i, j) in labels if NONE in (i, j) or label != tokens[i]]
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        texts = f"changed: {', '.join(changed[:NAMED])}{more}" if changed else ""
        return dotted(random, texts)

    def notes(self) -> Sequence[str]:
        """Notes on the numbers."""
        difference, sides = self.difference, (self.difference.first, self.difference.second)
        notes = [] if difference.distance.any() or difference.change.any() else ["nothing has changed"]
        if difference.gone or difference.come:
            single = [f"−{text}" for text in difference.gone] + [f"+{text}" for text in difference.come]
            shown = ", ".join(single[:LISTED]) + (" and more" if len(single) > LISTED else "")
            notes.append(f"queries of one text only have no row: {shown}")
        both = sides[:1] if "sampled" in sides[0].meta else sides
        notes += [reduced for reduced in dict.fromkeys(side.reduced for side in both) if reduced]
        return (*notes, *dict.fromkeys(note for side in sides for note in attention_notes(side.meta)))

    def _legend(self) -> tuple[str, ...]:
        """The meaning of the maps' colours and names."""
        difference = self.difference
        labels = list(zip(difference.columns, difference.column_labels, strict=True))
        legend = ["red: the second gives more, blue: it gives less"]
        if any(NONE in place for place, _ in labels):
            legend.append("+ came in, − went out")
        if any(NONE not in place and "|" in label for place, label in labels):
            legend.append("a|b: a in the first, b in the second")
        if difference.hidden is not None:
            legend.append("grey: not allowed")
        return tuple(legend)


def _index(place: int) -> int | None:
    """A token's index in its text; None where that text does not have it."""
    return None if place == NONE else place


@analysis("diff", Options, Changes, subject="two sources")
def diff(two: TwoMaps, options: Options, progress: Progress | None = None) -> Changes:
    """Compare attention: two texts, two models, with and without an adapter, two layers, or two files.

    Tokens are aligned; a head's distance is the root of the mean Jensen-Shannon divergence of its rows, from 0 for
    equal to 0.83. The heads that changed most come first, each with the weight that changed most in it. With -o a
    picture: the distance of every head and the top heads' changes, red where the second gives more. .json and .csv
    have every head.

    attnviz diff "It was too tired" "It was too wide" -m minilm
    attnviz diff "The cat sat on the mat" -m path/to/base --adapter-b path/to/lora -o tuned.pdf
    attnviz diff "The cat sat on the mat" -m minilm -l 2 --layer-b 4
    attnviz diff --from before.npz --from-b after.npz --json
    """
    sampled = [f"a long text: {two.first.reduced.partition('; ')[0]}"] if "sampled" in two.first.meta else []
    return Changes(facts_of(two.second), compare(two.first, two.second), options, (*two.notes, *sampled))
