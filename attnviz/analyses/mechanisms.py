"""`attnviz mechanisms`: other kinds of attention, listed, side by side on one text, or measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnviz.analyses.base import Result, analysis, option
from attnviz.errors import SelectionError
from attnviz.facts import ModelFacts, dotted, facts_of, randomness, stream_in_words
from attnviz.flags import mechanism_option
from attnviz.page.parts import DISTANCE, Card, Cards, Catalogue, Page, Timing, Timings
from attnviz.variants import GROUPS, MECHANISMS, parse
from attnviz.variants.table import check_mechanism

if TYPE_CHECKING:
    from attnviz.analyses.side_by_side import Relative
    from attnviz.attention import Attention
    from attnviz.facts import SourceFacts
    from attnviz.models.model import Model, Progress
    from attnviz.variants import Mechanism
    from attnviz.variants.base import Draw

SAME = "distances are over all tokens"


@dataclass(frozen=True)
class Options:
    """Which mechanisms, and whether they are timed."""

    mechanism: tuple[str, ...] = mechanism_option(())
    scaling: bool = option(False, "Without TEXT: measure how long each takes on this machine as texts grow.")

    def __post_init__(self) -> None:
        for name in self.mechanism:
            if name not in GROUPS:
                check_mechanism(name)
        if self.scaling:
            timed_names(self.mechanism)

    @property
    def grouped(self) -> bool:
        """Whether all or whole groups are asked for: groups come under their titles, single names in their order."""
        return all(name in GROUPS for name in self.mechanism)


@dataclass(frozen=True, eq=False)
class ModelText:
    """The input on which mechanisms are compared: a model, a text and other inputs of `Model.attend`, and one head."""

    model: Model
    text: str | None
    inputs: Mapping[str, Any]
    layer: int = 0
    head: int = 0
    words: bool = False
    special: bool = True


@dataclass(frozen=True, eq=False)
class Timer:
    """The random queries, keys and values on which mechanisms are timed. draw: (name, shape) -> array; seed: of it."""

    draw: Draw
    seed: int


class Mechanisms(Result):
    """The base of the list, the comparison and the times."""

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        return ("figure", "rows", "page")


@dataclass(frozen=True, eq=False)
class MechanismList(Mechanisms):
    """The mechanisms with their formulas, sources and costs."""

    mechanisms: tuple[Mechanism, ...]
    facts: None = None

    def each_row(self) -> Iterator[dict[str, Any]]:
        keys = ("name", "group", "formula", "source", "cost", "exact", "where", "simplified", "needs")
        for each in self.mechanisms:
            yield {key: getattr(each, key) for key in keys} | {"numbers": _numbers(each)}

    def page(self) -> Page:
        entries = [
            (each.name, each.group, each.formula, each.source, each.cost, each.exact, _numbers(each))
            for each in self.mechanisms
        ]
        return Page("", parts=(Catalogue(tuple(entries)),))

    def title(self) -> str:
        return "Kinds of attention"


def _numbers(mechanism: Mechanism) -> str:
    """The numbers that may be set, as they are typed: `reach=2,gap=3`."""
    return ",".join(f"{each.name}={each.default}" for each in mechanism.parameters)


@dataclass(frozen=True, eq=False)
class Comparison(Mechanisms):
    """relatives: the mechanisms on one text. left_out: why a mechanism cannot be had, by its name."""

    facts: SourceFacts
    relatives: tuple[Relative, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    options: Options

    def each_row(self) -> Iterator[dict[str, Any]]:
        for relative, card in zip(self.relatives, self._cards(), strict=True):
            mechanism, attention = relative.asked.mechanism, relative.attention
            yield {
                "name": card.name,
                "group": card.group,
                "formula": card.formula,
                "source": mechanism.source,
                "cost": card.cost,
                "exact": card.exact,
                "numbers": card.detail,
                "layer": attention.layers[0],
                "head": attention.heads[0],
                "keys": card.keys,
                "distance": relative.distance,
            }

    def _cards(self) -> list[Card]:
        return [
            Card(
                relative.asked.name,
                relative.asked.mechanism.group,
                relative.asked.mechanism.formula,
                relative.asked.mechanism.cost,
                relative.distance,
                relative.attention,
                relative.asked.described,
                relative.asked.mechanism.exact,
            )
            for relative in self.relatives
        ]

    def page(self) -> Page:
        cards = Cards(tuple(self._cards()), self.options.grouped, tuple(self.left_out))
        return Page(heading(self.facts), subtitle(self.facts), (cards,), self.notes)

    def printed(self) -> Page:
        few = len(self.left_out) <= 3
        left_out = list(self.left_out.values()) if few else [", ".join(self.left_out)]
        notes = [DISTANCE, "keys: that a query sees, on average", *self.notes]
        return replace(
            self.page(),
            subtitle=subtitle(self.facts, picture=False),
            notes=(*notes, *(f"left out: {reason}" for reason in left_out)),
        )


def heading(facts: SourceFacts) -> str:
    """`Kinds of attention · seeded · layer 0 · head 0`."""
    head = f"layer {facts.layers[0]}", f"head {facts.heads[0]}"
    return dotted("Kinds of attention", facts.model, stream_in_words(facts.stream), *head)


def subtitle(facts: SourceFacts, picture: bool = True) -> str:
    """Random weights or not, what is what, and whether queries and keys are the same."""
    panels = "every panel: rows are queries, columns are keys, " if picture else ""
    changes = "positions change"
    if facts.layers[0]:
        changes = "scale, causality, global tokens or positions change, in all layers"
    same = f"{panels}the same queries and keys but where {changes}"
    return dotted(randomness(facts.meta), same)


def own_facts(attention: Attention) -> SourceFacts:
    """The facts that all mechanisms on a text share: the facts of one, with the model's name alone."""
    model = attention.model.rpartition(", ")[0] if attention.meta.get("mechanism") else attention.model
    return replace(facts_of(attention), model=model)


@dataclass(frozen=True, eq=False)
class Times(Mechanisms):
    """The time that each mechanism takes as texts grow."""

    facts: ModelFacts
    measured: tuple[Timing, ...]

    def each_row(self) -> Iterator[dict[str, Any]]:
        for each in self.measured:
            names = ("name", "group", "setting", "cost", "exponent")
            about = {name: getattr(each, name) for name in names}
            for n, seconds in zip(each.n, each.seconds, strict=True):
                yield {name: about[name] for name in names[:-1]} | {
                    "n": n,
                    "seconds": seconds,
                    "exponent": each.exponent,
                }

    def page(self) -> Page:
        timings = Timings(self.measured)
        return Page("Kinds of attention · time over the length of the text", "", (timings,), self._settings())

    def printed(self) -> Page:
        title = "Milliseconds for n tokens, one head of 64 dimensions, one thread"
        return replace(self.page(), title=title, notes=(*self._settings(), "fit: over the longer texts"))

    def _settings(self) -> tuple[str, ...]:
        settings = [each.setting for each in self.measured if each.setting != each.name]
        return (f"at the longest text: {' '.join(settings)}",) if settings else ()


@analysis(
    "mechanisms", Options, Mechanisms, subject="text, timer or nothing", layers="0", maps="table",
    progress_label="mechanisms",
)  # fmt: skip
def mechanisms(
    subject: ModelText | Timer | None, options: Options, progress: Progress | None = None
) -> Comparison | Times | MechanismList:
    """List attention's relatives; with a text, show them side by side.

    Without TEXT: every mechanism with its formula, source and cost. With TEXT: what each one does in one layer and one
    head, with the same queries and keys where that makes sense, and how far it is from the model's own attention; as a
    table, or with -o as a picture. --mechanism, which may be repeated, chooses some, or whole groups: scoring, keys,
    approximation, 'state space', positions. --scaling prints times and, with -o, draws them.

    attnviz mechanisms
    attnviz mechanisms "The animal didn't cross the street because it was too tired" -o relatives.png
    attnviz mechanisms "The cat sat on the mat" --mechanism window:1 --mechanism lsh:2 --mechanism performer
    attnviz mechanisms --scaling -o scaling.svg
    attnviz mechanisms --json
    """
    if isinstance(subject, Timer):
        return _timed(subject, options, progress)
    if subject is None:
        wanted = {name if name in GROUPS else parse(name).mechanism.name for name in options.mechanism}
        return MechanismList(
            tuple(each for each in MECHANISMS.values() if not wanted or {each.name, each.group} & wanted)
        )
    return _compared(subject, options, progress)


def _compared(on: ModelText, options: Options, progress: Progress | None) -> Comparison:
    from attnviz.analyses.side_by_side import compare
    from attnviz.attention import joined

    own = {"scaled-dot", "scoring"}
    beside = [] if options.grouped or own & set(options.mechanism) else ["scaled-dot"]
    relatives, left_out = compare(
        on.model,
        on.text,
        layer=on.layer,
        head=on.head,
        mechanisms=[*beside, *options.mechanism],
        progress=progress,
        **on.inputs,
    )
    if not relatives:
        raise SelectionError(next(iter(left_out.values())), "the seeded model can have them all")
    relatives = [replace(each, attention=joined(each.attention, on.words, on.special)) for each in relatives]
    notes = (SAME,) if on.words or not on.special else ()
    return Comparison(own_facts(relatives[0].attention), tuple(relatives), left_out, notes, options)


def _timed(timer: Timer, options: Options, progress: Progress | None) -> Times:
    from attnviz.variants.scaling import SIZES, fitted, measure

    names = timed_names(options.mechanism)
    measured = []
    for name in names:
        setting, seconds = measure(name, timer.draw)
        mechanism, sizes = MECHANISMS[name], SIZES[: len(seconds)]
        exponent = fitted(sizes, seconds)
        measured.append(Timing(name, mechanism.group, setting, mechanism.cost, sizes, seconds, exponent))
        if progress is not None:
            progress(1 / len(names))
    return Times(ModelFacts("", {"seed": timer.seed}), tuple(measured))


def timed_names(asked: Sequence[str]) -> list[str]:
    """The mechanisms to be timed, full attention among them. Raises SelectionError for what is not timed."""
    from attnviz.variants.scaling import measured_names

    known = measured_names()
    for name in asked:
        if name in GROUPS:
            if not any(MECHANISMS[each].group == name for each in known):
                raise SelectionError(f"--scaling measures none of {name}: they cost what full attention does")
        elif parse(name).mechanism.name not in known:
            raise SelectionError(f"--scaling does not measure {name}: it costs what full attention or window does")
        elif name not in known:
            raise SelectionError(f"--scaling sets the numbers by itself: leave out the numbers of {name}")
    return [each for each in known if not asked or each == "full" or {each, MECHANISMS[each].group} & set(asked)]


def opened_timer(seed: int) -> Timer:
    """Random numbers for the times, as the seeded model draws them."""
    from attnviz.models.load import load

    return Timer(load("seeded", seed=seed).tensors.normal, seed)  # type: ignore[attr-defined]
