"""The effect of taking heads away: its numbers, and pages of them for every head by itself or several at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, option, query_option, top_option
from attnviz.errors import SelectionError
from attnviz.facts import dotted, head_name
from attnviz.measures.ablation import common, divergence, log_probabilities, turned
from attnviz.measures.pairs_of_tokens import LIFT
from attnviz.page.numbers import number
from attnviz.page.parts import Bars, Board, Boards, Entry, Page, Table, TokenBars

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.facts import Place, SourceFacts
    from attnviz.measures.lift import Pair
    from attnviz.models.next_token import NextToken

    Numbers = dict[str, float]
    Doubles = NDArray[np.float64]

COUNT = 20  # heads that are listed
MARKED = 3  # heads that a picture outlines
COMPARED = 10  # heads that lead each order, where the two are compared
LIKELIEST = 8  # tokens of each of two predictions that a picture compares
VECTORS = 40  # tokens whose final vectors a picture compares

LABELS = {"kl": "KL", "logprob_change": "change of ln p", "change": "1 − cosine"}
HEADINGS = {
    "kl": "change of the prediction",
    "logprob_change": "change of the token's log-probability",
    "change": "change of the final vectors",
}
MEANINGS = {
    "kl": "divergence of the prediction from the whole model's, in nats; 0: it does not change",
    "logprob_change": "of the named token's log-probability, in nats; below 0: it is less likely without the head",
    "change": "1 less the cosine of the final vectors, the mean over tokens; 0: they do not turn",
}


@dataclass(frozen=True)
class Options:
    """Heads or a link to take away, and the measurement."""

    by: str = option("zero", "Instead of its own, a removed output is zero, or its mean over the positions.",
                     choices=("zero", "mean"))  # fmt: skip
    predict: str | None = option(
        None,
        "A token to predict: a text whose first token counts, or #ID. Default: the likeliest. Its log-probability is "
        "followed.",
        metavar="TOKEN",
    )
    query: str | None = query_option("where the prediction is measured, the last or [MASK]; without one, all vectors")
    together: bool = option(False, "All chosen heads at once, instead of one at a time.")
    keep: bool = option(False, "All heads but the chosen ones at once.")
    link: str | None = option(
        None, "Instead of whole heads, cut what this query gets from this key.", metavar="QUERY:KEY"
    )
    top: int | None = top_option()

    def __post_init__(self) -> None:
        for first, second in (("together", "keep"), ("link", "keep")):
            if getattr(self, first) and getattr(self, second):
                raise SelectionError(f"--{first} and --{second} exclude each other")
        if self.link is not None and self.by != "zero":
            raise SelectionError("--by is for the outputs of heads, not for a link", "leave out --by or --link")


@dataclass(frozen=True, eq=False)
class Measured:
    """The measurement: the prediction at one position, or the final vectors, against the whole model's.

    whole: the output [n, d_model] without an edit. position: where; None for all positions. head: the output head;
    None for final vectors. token: whose log-probability is followed. before: the log-probability of every token.
    why: why there is no prediction.
    """

    whole: NDArray[np.float32]
    position: int | None
    head: NextToken | None = None
    token: int = -1
    before: NDArray[np.float64] | None = None
    why: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The numbers that it gives."""
        return ("change",) if self.head is None else ("kl", "logprob_change")

    def effects(self, outputs: NDArray[np.float32]) -> list[Numbers]:
        """The numbers of outputs [edit, n, d_model]."""
        if self.head is None or self.before is None:
            at = slice(None) if self.position is None else slice(self.position, self.position + 1)
            return [{"change": float(value)} for value in turned(self.whole[at], outputs[:, at])]
        scores = self.head.scores(np.ascontiguousarray(outputs[:, self.position]))
        return [self._of(log_probabilities(row)) for row in scores]

    def each(self, output: NDArray[np.float32]) -> Doubles:
        """Every token's number in an output [n, d_model].

        The log-probability of each token of the vocabulary [token], or 1 - cosine of each final vector [n].
        """
        if self.head is None or self.position is None:
            return turned(self.whole[:, None], output[:, None])
        return log_probabilities(self.head.scores(np.ascontiguousarray(output[self.position][None])))[0]

    def _of(self, after: NDArray[np.float64]) -> Numbers:
        assert self.before is not None
        old, new = float(self.before[self.token]), float(after[self.token])
        kl = float(divergence(self.before, after))
        return {"kl": kl, "logprob_change": new - old, "logprob_before": old, "logprob_after": new}


@dataclass(frozen=True, eq=False, kw_only=True)
class Ablation(AttentionResult):
    """The effect of heads or links that are taken away. tokens: of the output."""

    facts: SourceFacts
    measured: Measured
    tokens: Sequence[str]
    options: Options

    def page(self) -> Page:
        """The content of a picture."""
        raise NotImplementedError

    def subtitle(self) -> str:
        return dotted(self.facts.subtitle(), self._measured_in_words())

    def _measured_in_words(self) -> str:
        """`next token after “to” (14): “ sleep”, probability 0.31`."""
        measured, at = self.measured, self.measured.position
        place = "" if at is None else f"“{self.tokens[at]}” ({at})"
        if measured.head is None or measured.before is None:
            return f"final vector of {place}" if place else f"final vectors of {len(self.tokens)} tokens"
        chance = number(float(np.exp(measured.before[measured.token])), 3)
        where = f"token at {place}" if measured.head.masked else f"next token after {place}"
        return f"{where}: “{self._token}”, probability {chance}"

    def notes(self) -> Sequence[str]:
        named = [f"{self._labelled(name)}: {MEANINGS[name]}" for name in self.measured.names]
        return [*self.messages, *named, *self._remarks(), *self.facts.remarks()]

    @property
    def _by_mean(self) -> str:
        return "replaced by their mean" if self.options.by == "mean" else ""

    def _labelled(self, name: str) -> str:
        """A number's name as the notes have it."""
        return LABELS[name]

    def _remarks(self) -> list[str]:
        """Further notes, after the meanings of the numbers."""
        return []

    @property
    def _token(self) -> str:
        assert self.measured.head is not None
        return self.measured.head.label(self.measured.token)

    def _followed(self) -> dict[str, Any]:
        """The token whose log-probability is followed, for a row."""
        return {} if self.measured.head is None else {"token": self._token, "id": self.measured.token}

    @property
    def messages(self) -> Sequence[str]:  # type: ignore[override]
        return [f"final vectors are compared: {self.measured.why}"] if self.measured.why else []


@dataclass(frozen=True)
class Effect:
    """The numbers without one head, or with one link cut in it.

    at: the head's position on a board. place: its layer and head. role: its main role. link: its strongest link, or
    the one that was cut.
    """

    numbers: Numbers
    at: tuple[int, int]
    place: Place
    role: str | None = None
    link: Pair | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class HeadEffects(Ablation):
    """The effect of each head by itself."""

    effects: tuple[Effect, ...]

    def rows(self) -> list[dict[str, Any]]:
        """One row per head, the largest effect first."""
        return [self._row(effect) for effect in self._ranked()[: self.options.top]]

    def _row(self, effect: Effect) -> dict[str, Any]:
        layer, head = effect.place
        link, tokens = effect.link, (self.facts.queries.text, self.facts.keys.text)
        row: dict[str, Any] = {"layer": layer, "head": head, **effect.numbers, **self._followed()}
        return row | {
            "role": effect.role,
            "weight": None if link is None else link.weight,
            "lift": None if link is None else link.lift,
            "query": None if link is None else link.query,
            "query_token": None if link is None else tokens[0][link.query],
            "key": None if link is None else link.key,
            "key_token": None if link is None else tokens[1][link.key],
        }

    def _ranked(self) -> list[Effect]:
        """The largest effect first; of equals in order of layer and head."""
        return sorted(self.effects, key=lambda effect: -abs(effect.numbers[self._by]))

    @property
    def _by(self) -> str:
        """The number that orders the list."""
        return "logprob_change" if self.options.predict is not None else self.measured.names[0]

    def title(self) -> str:
        what = "heads taken away" if self.options.link is None else f"link {self.options.link} cut"
        return dotted(self.facts.title(), what, self._by_mean, "one at a time")

    def page(self) -> Page:
        boards = tuple(self._board(name) for name in self.measured.names)
        entries = tuple(
            Entry(f"{number(effect.numbers[self._by], 3)}  {self._link(effect.link)}", head_name(*effect.place),
                  effect.link.weight, effect.link.lift)
            for effect in self._ranked()[: self.options.top or COUNT]
            if effect.link is not None
        )  # fmt: skip
        bars = [Bars(f"by {LABELS[self._by]}; bars: {self._which}", entries)] if entries else []
        return self.sheet(Boards(boards, **self.facts.axes()), *bars)

    def _board(self, name: str) -> Board:
        values = np.full(self.facts.shape, np.nan)
        for effect in self.effects:
            values[effect.at] = effect.numbers[name]
        leading = sorted(self.effects, key=lambda effect: -abs(effect.numbers[name]))[:MARKED]
        marks = tuple(effect.at for effect in leading if effect.numbers[name])
        return Board(values, LABELS[name], HEADINGS[name], signed=name == "logprob_change", marks=marks)

    def printed(self) -> Page:
        names, shown = self.measured.names, self._ranked()[: self.options.top or COUNT]
        rows = [[*map(str, effect.place), *(number(effect.numbers[name], 4) for name in names), *self._beside(effect)]
                for effect in shown]  # fmt: skip
        header = ["layer", "head", *(LABELS[name] for name in names), "role", self._which, "weight", "lift"]
        aligned = "rr" + "r" * len(names) + "llrr"
        return self.sheet(Table(header, rows, aligned, bold=(2 + names.index(self._by),)))

    def _beside(self, effect: Effect) -> list[str]:
        """A head's role, its strongest link, and the weight and lift of that."""
        link = effect.link
        numbers = ["", ""] if link is None else [number(link.weight, 2), number(link.lift, 2)]
        return [effect.role or "none", self._link(link), *numbers]

    def _link(self, link: Pair | None) -> str:
        return "" if link is None else f"{self.facts.queries.text[link.query]} → {self.facts.keys.text[link.key]}"

    @property
    def _which(self) -> str:
        return "highest lift" if self.options.link is None else "link that is cut"

    def _remarks(self) -> list[str]:
        """Count the heads that lead both orders: by lift and by effect."""
        pairs = [
            (abs(effect.numbers[self._by]), effect.link.lift) for effect in self.effects if effect.link is not None
        ]
        if len(pairs) < 2 * COMPARED or self.options.link is not None:
            return [LIFT]
        both = common([effect for effect, _ in pairs], [lift for _, lift in pairs], COMPARED)
        return [
            f"of the {COMPARED} heads with the highest lift, {both} are among the {COMPARED} that matter most",
            LIFT,
        ]


@dataclass(frozen=True, eq=False, kw_only=True)
class JointEffect(Ablation):
    """The effect of heads that are removed at once, or of a link that is cut in all of them.

    numbers: of the change. removed: how many heads. each: every token's number without them, see `Measured.each`.
    """

    numbers: Numbers
    removed: int
    each: Doubles

    def rows(self) -> list[dict[str, Any]]:
        """One row."""
        return [{"layer": None, "head": None, "removed": self.removed, **self.numbers, **self._followed()}]

    def title(self) -> str:
        if self.options.link is not None:
            return dotted(self.facts.title(), f"link {self.options.link} cut, together")
        what = "all other heads taken away" if self.options.keep else "taken away together"
        return dotted(self.facts.title(), what, self._by_mean)

    def _labelled(self, name: str) -> str:
        return f"{LABELS[name]} {number(self.numbers[name], 3).replace('-', '−')}"

    def page(self) -> Page:
        return self.sheet(self._prediction() if self.measured.before is not None else self._vectors())

    def printed(self) -> Page:
        names = self.measured.names
        row = [str(self.removed), *(number(self.numbers[name], 4) for name in names)]
        table = Table(["heads", *(LABELS[name] for name in names)], [row], "r" * len(row), bold=(1,))
        return self.sheet(table, *self.page().parts)

    def _prediction(self) -> TokenBars:
        """The likeliest tokens of both predictions, in the order of the whole model's, then all other tokens."""
        measured, top = self.measured, self.options.top or LIKELIEST
        assert measured.head is not None and measured.before is not None
        both = np.exp([measured.before, self.each])
        chosen = {measured.token}.union(*(np.argsort(-chances, kind="stable")[:top].tolist() for chances in both))
        ids = sorted(chosen, key=lambda id: (-both[0, id], id))
        others = np.maximum(1.0 - both[:, ids].sum(-1), 0.0)
        rest = len(both[0]) - len(ids)
        return TokenBars(
            f"the {top} likeliest tokens before and after",
            [*(measured.head.label(id) for id in ids), *([f"{rest:,} other tokens"] if rest else [])],
            np.concatenate([both[:, ids], others[:, None]], axis=1).T[: len(ids) + bool(rest)],
            ("whole model", self._without()),
            "probability",
            stressed=(ids.index(measured.token),),
            rest=bool(rest),
        )

    def _vectors(self) -> TokenBars:
        """1 - cosine of each final vector, in the order of the text; of a long text the tokens that turn most."""
        top, at = self.options.top or VECTORS, self.measured.position
        shown = sorted(np.argsort(-self.each, kind="stable")[:top].tolist())
        few = f"the {len(shown)} of {len(self.each)} tokens that turn most" if len(shown) < len(self.each) else ""
        return TokenBars(
            dotted("final vectors", self._without(), few),
            [self.tokens[i] for i in shown],
            self.each[shown][:, None],
            (LABELS["change"],),
            LABELS["change"],
            stressed=() if at is None or at not in shown else (shown.index(at),),
        )

    def _without(self) -> str:
        """The name of the bars of the changed model: the heads that it lacks."""
        heads = f"{self.removed} head" + "s" * (self.removed != 1)
        if self.options.link is not None:
            return f"link cut in {heads}"
        return f"{heads} at their mean" if self.options.by == "mean" else f"without {heads}"
