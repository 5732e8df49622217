"""`attnviz context`: which source an answer rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import Result, analysis, option, top_option
from attnviz.errors import SelectionError
from attnviz.facts import ModelFacts, attention_notes, dotted, randomness
from attnviz.measures.context import UNSURE, Keys, PointedAt, combined, pointed, shared_words
from attnviz.models.passages import words_of
from attnviz.page.numbers import number, round_up
from attnviz.page.parts import Bars, Entry, Page, Paragraph, RunningText, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.models.context import Asked, ContextPrompt
    from attnviz.models.model import Progress

    Numbers = NDArray[np.float64]

COUNT = 12  # sources that a terminal's table and a picture have
LONGEST, BESIDE = 60, 44  # characters of a source in a table, and in a list of bars
WORDS = 900  # words of the running text in a picture; of a longer one the best sources are shown
GROUND = 0.3  # the shade of a source's palest token, as a share of its darkest
SCORE = "score: the share of what question and answer point at; it sums to 1 over the sources"
FALL = "knockout: the fall of the answer's log-probability, in nats, where nothing after the sources sees this one"


@dataclass(frozen=True)
class Options:
    """The number of sources that are shown, and of sources that are cut off."""

    check: int = option(
        0, "Cut the N best sources off, one at a time, and say how far the answer's log-probability falls.",
        metavar="N", low=0, shown=True,
    )  # fmt: skip
    top: int | None = top_option()


@dataclass(frozen=True, eq=False)
class SourceRanking(Result):
    """The sources of a prompt, ranked.

    score, words: float64 [source]. question, answer: the two halves of the score, float64 [source]; None where the
    question comes before the sources, or is read by an encoder. tokens: float64 [token], what each token of the text
    adds to the halves of its source. knockout: the falls of the sources that were cut off, in nats.
    """

    facts: ModelFacts
    prompt: ContextPrompt
    score: Numbers
    question: Numbers | None
    answer: Numbers
    words: Numbers
    tokens: Numbers
    knockout: dict[int, float]
    options: Options

    @property
    def ranked(self) -> list[int]:
        """The sources, the highest score first."""
        order: list[int] = (-self.score).argsort(kind="stable").tolist()
        return order

    @property
    def sure(self) -> bool:
        """Whether the highest score is at least UNSURE."""
        return bool(self.score.max() >= UNSURE)

    @property
    def messages(self) -> Sequence[str]:  # type: ignore[override]
        wrote = [f"the model's answer: {self.prompt.answer_text!r}"] if self.prompt.generated else []
        top = number(float(self.score.max()), 2)
        doubt = f"not sure: the highest score is {top}, below {UNSURE}; --check N cuts the best sources off"
        return [*wrote, *([] if self.sure else [doubt])]

    def rows(self) -> list[dict[str, Any]]:
        """One row per source, the highest score first; knockout is null where a source was not cut off."""
        texts, nothing = self.prompt.layout.source_texts(), float("nan")
        return [
            {
                "source": i,
                "text": texts[i],
                "score": float(self.score[i]),
                "question": nothing if self.question is None else float(self.question[i]),
                "answer": float(self.answer[i]),
                "words": float(self.words[i]),
                "knockout": self.knockout.get(i, nothing),
            }
            for i in self.ranked[: self.options.top]
        ]

    def title(self) -> str:
        asked = self.prompt.layout.question
        question = "" if asked is None else self.prompt.layout.text[slice(*asked)]
        return f"{self.facts.model} · {_short(question)}"

    def page(self) -> Page:
        entries = tuple(
            Entry(_short(row["text"], BESIDE), _cut_off(row), row["answer"], row["score"])
            for row in self.rows()[: self.options.top or COUNT]
        )
        bars = Bars("sources by their score", entries, ("source", "answer", "score"))
        return Page(self.title(), self._subtitle(), (self._text(), bars), self._notes())

    def printed(self) -> Page:
        checked = bool(self.knockout)
        names = ["score", "question", "answer", "words", *(["knockout"] if checked else [])]
        rows = [[str(row["source"]), *(_shown(row[name]) for name in names), row["text"]] for row in self.rows()]
        shown = [[*cells, _short(text)] for *cells, text in rows[: self.options.top or COUNT]]
        table = Table(("source", *names, "text"), shown, "r" * (len(names) + 1) + "l", bold=(1,), piped=rows)
        return Page(self.title(), self._subtitle(), (table,), self._notes())

    def _subtitle(self) -> str:
        wrote = "the model's answer" if self.prompt.generated else "answer"
        answer = f"{wrote}: {_short(self.prompt.answer_text)}"
        return dotted(answer, f"{len(self.score)} sources", randomness(self.facts.meta))

    def _notes(self) -> tuple[str, ...]:
        own = [SCORE]
        if self.prompt.generated and self.question is not None:
            own.append("the model wrote the answer itself, so that the answer's rows alone rank the sources")
        if not self.sure:
            own.append(f"not sure: below {UNSURE} the first source is often the wrong one")
        if self.knockout:
            own.append(FALL)
        return (*own, *attention_notes(self.facts.meta))

    def _text(self) -> RunningText:
        """The text on shades, a passage per source: as dark as its source's score, and within a source by token."""
        tokens, source = self.prompt.tokens, np.array(self.prompt.source)
        labels = self._labels()
        places = [i for i, label in enumerate(labels) if label is not None and not tokens.special[i]]
        peaks = np.array([self.tokens[source == k].max(initial=0.0) for k in range(len(self.score))])
        values = [self._shade(i, peaks) for i in places]
        words, spaced = _written(self.prompt, places)
        before = [None, *(labels[i] for i in places)]
        passages = tuple((k, labels[i] or "") for k, i in enumerate(places) if labels[i] != before[k])
        paragraph = Paragraph("", tuple(values), ("", ""))
        high = round_up(max(float(self.score.max()), 1e-9))
        return RunningText((paragraph,), words, spaced, high, "score", passages=passages)

    def _labels(self) -> list[str | None]:
        """The passage of each token: its source's number, question or answer; None: it is not shown.

        Words of a template are shown only where the question's own tokens are not known.
        """
        prompt, chosen = self.prompt, set(self._legible())
        asked, said = set(prompt.question), set() if prompt.crosses else set(prompt.answer)

        def label(place: int, source: int) -> str | None:
            if source >= 0:
                return str(source) if source in chosen else None
            if place in asked or place in said:
                return "question" if place in asked else "answer"
            return None if asked or place < prompt.begin else ""

        return [label(place, source) for place, source in enumerate(prompt.source)]

    def _shade(self, place: int, peaks: Numbers) -> float:
        source = self.prompt.source[place]
        if source < 0:
            return 0.0
        within = float(self.tokens[place] / peaks[source]) if peaks[source] > 0 else 0.0
        return float(self.score[source]) * (GROUND + (1 - GROUND) * within)

    def _legible(self) -> list[int]:
        """The sources that a picture has room for: all, or the best ones."""
        source, room, kept = np.array(self.prompt.source), WORDS, list[int]()
        for i in self.ranked:
            room -= int((source == i).sum())
            if kept and room < 0:
                break
            kept.append(i)
        return kept


def _written(prompt: ContextPrompt, places: Sequence[int]) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """The letters of some tokens, and whether a space comes before each; an ellipsis where sources are left out."""
    tokens, words, spaced, text = prompt.tokens, list[str](), list[bool](), prompt.layout.text
    spans = [*tokens.spans, *[(len(text), len(text))] * (len(tokens) - len(tokens.spans))]
    for before, i in zip([-1, *places], places, strict=False):
        (first, last), label = spans[i], tokens.text[i]
        inside = first < last <= len(text)
        apart = first > spans[before][1] if inside else tokens.words[i] != tokens.words[before]
        left_out = any(source >= 0 for source in prompt.source[before + 1 : i])
        words.append(f"{'… ' if left_out else ''}{text[first:last] if inside else label}")
        spaced.append(before >= 0 and apart)
    return tuple(words), tuple(spaced)


def _short(text: str, longest: int = LONGEST) -> str:
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip(' .,;:')}…"


def _cut_off(row: Mapping[str, Any]) -> str:
    """The number of a source, and its fall if it was cut off."""
    fall = row["knockout"]
    return str(row["source"]) + (f" · knockout {number(fall, 2)}".replace("-", "−") if fall == fall else "")


def _shown(value: float) -> str:
    return number(value, 2) if value == value else ""


@analysis("context", Options, SourceRanking, subject="sources and a question", progress_label="context")
def context(asked: Asked, options: Options, progress: Progress | None = None) -> SourceRanking:
    """Say which source an answer rests on: where question and answer point, and what the answer needs.

    Each source gets a share of what the rows of the question and of the answer attend to beyond its usual share, in the
    heads that point most clearly; the shares sum to 1. --check N cuts the best N sources off, in all layers and heads,
    and says how far the answer's log-probability falls. Without --answer the model writes one, and the answer's rows
    alone rank the sources. words is a baseline without the model: the share of the question's and the answer's rare
    words that a source holds. --prompt FILE takes a prompt as it was sent: turns are cut at the chat template's special
    tokens, and its last passage, or QUESTION where it stands, is the question.

    attnviz context "What does Bob drive?" --sources sample_inputs/notes.txt --split line --answer "a bus" -m model.gguf
    attnviz context "When is the meeting?" --sources sample_inputs/mails.txt --split line --chat --check 2 -m model.gguf
    attnviz context --prompt sample_inputs/mails.txt --split line --max-new 5 -m model.gguf -o context.png
    """
    parts = 1 + (asked.answer is None) + (options.check > 0)

    def share(part: float) -> Progress | None:
        return None if progress is None else lambda done: progress(done * part / parts)

    prompt = asked.opened(share(1.0))
    n_sources = len(prompt.layout.sources)
    if options.check > n_sources:
        raise SelectionError(f"--check {options.check} is more than there are sources: {n_sources}")
    keys, collector = _collector(prompt)
    prompt.observe([collector], checked=options.check > 0, progress=share(1.0))
    answer, tokens = pointed(collector.lifts[0], keys)
    question = None
    if prompt.question:
        question, asked_tokens = pointed(collector.lifts[1], keys)
        tokens = tokens + asked_tokens
    score = combined(None if prompt.generated else question, answer)
    best = (-score).argsort(kind="stable")[: options.check].tolist()
    falls = {i: prompt.knockout(i, progress=share(1.0 / len(best))) for i in best}
    meta, texts = prompt.model_input.meta, prompt.layout.source_texts()
    span = prompt.layout.question
    said = words_of(prompt.answer_text) + ([] if span is None else words_of(prompt.layout.text[slice(*span)]))
    words = shared_words(said, [words_of(text) for text in texts])
    shades = np.zeros(len(prompt.tokens))
    shades[: len(tokens)] = tokens
    facts = ModelFacts(prompt.model.name, meta)
    return SourceRanking(facts, prompt, score, question, answer, words, shades, falls, options)


def _collector(prompt: ContextPrompt) -> tuple[Keys, PointedAt]:
    """The keys of the context, and a collector of what answer and question point at."""
    spec, texts, n_sources = prompt.model.spec.generator.spec, prompt.tokens.text, len(prompt.layout.sources)
    if prompt.crosses:
        keys = Keys.of(prompt.source, texts, n_sources, first=False)
        groups = [prompt.answer]
        return keys, PointedAt(spec.n_layers, spec.n_heads, prompt.n, 0, keys, groups, crossed=True)
    keys = Keys.of(prompt.source[: prompt.begin], texts[: prompt.begin], n_sources)
    groups = [prompt.answer, prompt.question]
    return keys, PointedAt(spec.n_layers, spec.n_heads, prompt.n, prompt.begin, keys, groups)
