"""`attnviz ablate`: what changes in a model's answer when a head, or one link, is taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import AttentionResult, analysis, option, query_option, top_option
from attnviz.errors import InputError, ModelError, SelectionError
from attnviz.facts import dotted, head_name
from attnviz.measures.ablation import common, divergence, log_probabilities, turned
from attnviz.measures.pairs_of_tokens import LIFT, strongest_pairs
from attnviz.measures.roles import role_scores
from attnviz.models.edited import EditedModel
from attnviz.models.next_token import NextToken
from attnviz.page.numbers import number
from attnviz.page.parts import Bars, Board, Boards, Entry, Page, Table
from attnviz.select import find_mark, find_token

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.facts import Place, SourceFacts
    from attnviz.measures.lift import Pair
    from attnviz.models.edited import Rereading
    from attnviz.models.model import Progress

    Numbers = dict[str, float]

COUNT = 20  # heads that are listed
MARKED = 3  # heads that a picture outlines
COMPARED = 10  # heads that lead each order, where the two are compared
BEFORE = 0.1  # of the work: the whole model, roles and links


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

    def _of(self, after: NDArray[np.float64]) -> Numbers:
        assert self.before is not None
        old, new = float(self.before[self.token]), float(after[self.token])
        kl = float(divergence(self.before, after))
        return {"kl": kl, "logprob_change": new - old, "logprob_before": old, "logprob_after": new}


@dataclass(frozen=True)
class Effect:
    """The numbers of one edit.

    at: the head's position on a board; None for heads removed together. place: its layer and head. role: its main
    role. link: its strongest link, or the one that was cut.
    """

    numbers: Numbers
    at: tuple[int, int] | None = None
    place: Place = (None, None)
    role: str | None = None
    link: Pair | None = None


@dataclass(frozen=True, eq=False)
class Ablation(AttentionResult):
    """effects: of every edit. tokens: of the output. removed: heads that were taken away together, 0 for one by one."""

    facts: SourceFacts
    measured: Measured
    effects: tuple[Effect, ...]
    tokens: Sequence[str]
    removed: int
    options: Options

    def rows(self) -> list[dict[str, Any]]:
        """One row per head, the largest effect first; or one of all."""
        return [self._row(effect) for effect in self._ranked()[: self.options.top]]

    def _row(self, effect: Effect) -> dict[str, Any]:
        layer, head = effect.place
        row: dict[str, Any] = {"layer": layer, "head": head}
        row |= {"removed": self.removed} if self.removed else {}
        row |= effect.numbers
        if self.measured.head is not None:
            row |= {"token": self._token, "id": self.measured.token}
        if effect.place == (None, None):
            return row
        link = effect.link
        tokens = self.facts.queries.text, self.facts.keys.text
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

    @property
    def _token(self) -> str:
        assert self.measured.head is not None
        return self.measured.head.label(self.measured.token)

    # What is shown

    def page(self) -> Page:
        if self.removed:
            raise SelectionError(
                "heads taken away together have one number and no picture", "leave out --together and --keep"
            )
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
        marks = tuple(effect.at for effect in leading if effect.at is not None and effect.numbers[name])
        return Board(values, LABELS[name], HEADINGS[name], signed=name == "logprob_change", marks=marks)

    def printed(self) -> Page:
        names, shown = self.measured.names, self._ranked()[: self.options.top or COUNT]
        if self.removed:
            rows = [[str(self.removed), *(number(effect.numbers[name], 4) for name in names)] for effect in shown]
            return self.sheet(
                Table(["heads", *(LABELS[name] for name in names)], rows, "r" * (1 + len(names)), bold=(1,))
            )
        rows = [[*self._named(effect), *(number(effect.numbers[name], 4) for name in names), *self._beside(effect)]
                for effect in shown]  # fmt: skip
        header = ["layer", "head", *(LABELS[name] for name in names), "role", self._which, "weight", "lift"]
        aligned = "rr" + "r" * len(names) + "llrr"
        return self.sheet(Table(header, rows, aligned, bold=(2 + names.index(self._by),)))

    def _named(self, effect: Effect) -> list[str]:
        return [str(index) for index in effect.place]

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

    def title(self) -> str:
        chosen = "but the chosen" if self.options.keep else "together" if self.options.together else "one at a time"
        what = f"link {self.options.link} cut" if self.options.link else "heads taken away"
        mean = "replaced by their mean" if self.options.by == "mean" else ""
        return dotted(self.facts.title(), what, mean, f"all {chosen}" if self.options.keep else chosen)

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
        named = [f"{LABELS[name]}: {MEANINGS[name]}" for name in self.measured.names]
        return [*self.messages, *named, *self._compared(), LIFT, *self.facts.remarks()]

    def _compared(self) -> list[str]:
        """Count the heads that lead both orders: by lift and by effect."""
        pairs = [
            (abs(effect.numbers[self._by]), effect.link.lift) for effect in self.effects if effect.link is not None
        ]
        if len(pairs) < 2 * COMPARED or self.options.link is not None:
            return []
        both = common([effect for effect, _ in pairs], [lift for _, lift in pairs], COMPARED)
        return [f"of the {COMPARED} heads with the highest lift, {both} are among the {COMPARED} that matter most"]

    @property
    def messages(self) -> Sequence[str]:  # type: ignore[override]
        return [f"final vectors are compared: {self.measured.why}"] if self.measured.why else []


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


@analysis("ablate", Options, Ablation, subject="rereading")
def ablate(reading: Rereading, options: Options, progress: Progress | None = None) -> Ablation:
    """Take heads away one by one, or one link, and say what changes in the model's answer.

    A head's output is set to zero before W_O, or to its mean over the text; everything above is computed again. For a
    model with an output head: the divergence of its prediction at the last position, and the change of one token's
    log-probability. For an encoder without one: how far the final vectors turn. Beside each effect stand the head's
    main role and its highest lift: what a head attends to, and whether that matters, are two questions. --link cuts one
    link: its score becomes -inf before the softmax. In an encoder-decoder --stream says whose heads, cross by
    default, and the prediction is the decoder's. With -o boards of the effects, the strongest outlined, and the list.

    attnviz ablate "The animal didn't cross the street because it was too tired" -m minilm
    attnviz ablate "The capital of France is" -m model.gguf --predict Paris -l 23
    attnviz ablate "The capital of France is" -m model.gguf --predict Paris -l 12 --together
    attnviz ablate "The capital of France is" -m model.gguf -l 23 --link is:France --json
    attnviz ablate "the cat saw the dog and the cat" -m seeded --causal -o ablate.png
    """
    model = EditedModel(reading)
    link = None if options.link is None else find_mark(reading.source.queries, reading.source.keys, options.link)
    groups = _groups(reading, options)
    measured = _measured(model, options)
    beside = None if options.together or options.keep else _beside(reading, link, progress)
    if link is not None:
        _check_seen(reading, link)
    numbers = _numbers(model, measured, groups, link, options.by == "mean", _rest(progress))
    if beside is None:
        effects: tuple[Effect, ...] = (Effect(numbers[0]),)
    else:
        effects = tuple(
            Effect(each, at, place, *beside[at])
            for each, (at, place) in zip(numbers, reading.source.facts.named, strict=True)
        )
    removed = 0 if beside is not None else len(groups[0])
    return Ablation(reading.source.facts, measured, effects, reading.tokens.text, removed, options)


def _groups(reading: Rereading, options: Options) -> list[list[tuple[int, int]]]:
    """The heads that are removed in each pass."""
    chosen = [(int(layer or 0), int(head or 0)) for layer, head in reading.source.places]
    if not (options.keep or options.together):
        return [[place] for place in chosen]
    if options.together:
        return [chosen]
    n_layers, n_heads = reading.source.size
    others = [(i, j) for i in range(n_layers) for j in range(n_heads) if (i, j) not in set(chosen)]
    if not others:
        raise SelectionError("--keep with all heads leaves nothing to remove", "choose the heads to keep: -l 3 -H 1")
    return [others]


def _measured(model: EditedModel, options: Options) -> Measured:
    """The measurement, with the whole model's numbers."""
    reading = model.reading
    try:
        head = NextToken.of(reading.model, reading.model_input)
    except ModelError as error:
        if options.predict is not None:
            raise
        at = None if options.query is None else find_token(reading.tokens, options.query, "tokens")
        return Measured(model.whole, at, why=str(error))
    token = None if options.predict is None else head.find(options.predict)
    position = head.position(reading.tokens, options.query)
    if position is None:
        if token is not None:
            raise InputError(
                f"{reading.model.name} predicts masked tokens, and the text has none", "write [MASK] into it"
            )
        return Measured(model.whole, None, why="the text has no mask to predict")
    before = log_probabilities(head.scores(model.whole[position : position + 1]))[0]
    return Measured(model.whole, position, head, int(before.argmax()) if token is None else token, before)


def _beside(
    reading: Rereading, link: tuple[int, int] | None, progress: Progress | None
) -> Mapping[tuple[int, int], tuple[str | None, Pair | None]]:
    """The main role of each head, and its strongest link or the one that is cut, by its position on a board."""
    source, share = reading.source, None if progress is None else lambda part: progress(part * BEFORE / 3)
    scores = role_scores([source], share)
    query, key = link or (None, None)
    pairs = strongest_pairs(source, 1, query=query, key=key, special=False, progress=share)
    links = {(pair.layer, pair.head): pair for pair in pairs}
    beside: dict[tuple[int, int], tuple[str | None, Pair | None]] = {}
    for at, (layer, head) in source.facts.named:
        held = {name: each.score[at] for name, each in scores.items() if each.score[at] >= each.threshold[at]}
        beside[at] = max(held, key=held.__getitem__, default=None), links.get((layer or 0, head or 0))
    return beside


def _check_seen(reading: Rereading, link: tuple[int, int]) -> None:
    """Raise SelectionError for a link that no chosen head can have."""
    pairs = strongest_pairs(reading.source, 1, query=link[0], key=link[1])
    if not pairs:
        query, key = reading.source.queries.text[link[0]], reading.source.keys.text[link[1]]
        raise SelectionError(f"there is no link to cut: {query!r} ({link[0]}) cannot attend to {key!r} ({link[1]})")


def _numbers(
    model: EditedModel,
    measured: Measured,
    groups: Sequence[Sequence[tuple[int, int]]],
    link: tuple[int, int] | None,
    mean: bool,
    progress: Progress | None,
) -> list[Numbers]:
    """The numbers of each group, in order."""
    passes = model.without(groups, mean, progress) if link is None else model.cut(groups, *link, progress)
    numbers: list[Numbers] = [{} for _ in groups]
    for some, outputs in passes:
        for i, each in zip(some, measured.effects(outputs), strict=True):
            numbers[i] = each
    return numbers


def _rest(progress: Progress | None) -> Progress | None:
    """Progress of the passes after the first ones."""
    return None if progress is None else lambda part: progress(part * (1 - BEFORE))
