"""Measure what the score of `attnviz context` says of long answers, and of a model's own answers.

    python scripts/study_context_answers.py MODEL.gguf [--long N] [--own N] [--seed N]

Long answers: N prompts of each shape of context_fresh.LONG, whose answers have two or four sentences, each from a
source of its own. Counted are the answer's k sources among the k highest scores, how often all of them are there, and
how often the rows of one sentence alone name its source.

Own answers: N prompts of each shape whose sources have an answer each (tuned, reported and fresh ones); the model
answers, greedily. Where its answer is wrong and is that of exactly one other source: which source do the scores name,
the one that the answer came from, or the one that was asked for? Prints tables as docs/analysis/context.md has them.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from context_fresh import FRESH, LONG
from context_shapes import REPORTED, TUNED, Case, LongCase
from context_variants import Pass, Variant, passed
from study_context import table

import attnviz
from attnviz.measures.context import shared_words
from attnviz.models.context import Asked, ContextPrompt
from attnviz.models.passages import words_of

HALVES: Mapping[str, Variant] = {
    "score": Variant(),
    "answer rows alone": Variant(question=False),
    "question rows alone": Variant(answer=False),
    "first formula": Variant(mean=True, alike=True),
    "first formula, answer rows alone": Variant(mean=True, alike=True, question=False),
}


def all_scores(prompt: ContextPrompt, question: str, answer: str) -> tuple[Pass, dict[str, np.ndarray]]:
    """name -> scores of a prompt's sources, and its lifts."""
    texts = prompt.layout.source_texts()
    lifts, mean = passed(prompt, len(texts))
    held = [words_of(text) for text in texts]
    scores = {name: lifts.score(variant) for name, variant in HALVES.items()}
    scores["shared words, question and answer"] = shared_words(words_of(question) + words_of(answer), held)
    scores["shared words, answer only"] = shared_words(words_of(answer), held)
    scores["mean of all heads"] = mean
    scores["knockout"] = np.array([prompt.knockout(i) for i in range(len(texts))])
    return lifts, scores


def top(scores: np.ndarray, count: int) -> set[int]:
    """The sources with the highest scores; of equal ones the first."""
    return set((-scores).argsort(kind="stable")[:count].tolist())


def sentence_rows(prompt: ContextPrompt, case: LongCase) -> list[list[int]]:
    """The answer's rows of each sentence, as places within the answer."""
    answer = " ".join(case.sentences)
    start = len(prompt.layout.text) + len(prompt.layout.joint)
    ends = np.cumsum([len(sentence) + 1 for sentence in case.sentences])
    firsts = [max(prompt.tokens.spans[place][0] - start, 0) for place in prompt.answer]
    assert ends[-1] == len(answer) + 1
    of = np.searchsorted(ends, firsts, side="right")
    return [np.flatnonzero(of == k).tolist() for k in range(len(case.sentences))]


def long_answers(model: attnviz.Model, n: int, seed: int) -> str:
    """The table of long answers."""
    found: dict[str, dict[str, list[tuple[float, bool]]]] = {}
    tokens: dict[str, list[int]] = {}
    for shape in LONG:
        numbers = random.Random(f"{seed} {shape.__name__}")
        for _ in range(n):
            case = shape(numbers)
            answer = " ".join(case.sentences)
            prompt = Asked(model, case.question, case.sources, answer=answer).opened()
            tokens.setdefault(shape.__name__, []).append(len(prompt.answer))
            lifts, scores = all_scores(prompt, case.question, answer)
            right = set(case.right)
            for name, values in scores.items():
                hits = len(top(values, len(right)) & right) / len(right)
                found.setdefault(name, {}).setdefault(shape.__name__, []).append((hits, hits == 1))
            for rows, source in zip(sentence_rows(prompt, case), case.right, strict=True):
                alone = replace(lifts, answer=lifts.answer[rows]).score(HALVES["answer rows alone"])
                hit = float(alone.argmax() == source)
                found.setdefault("rows of one sentence", {}).setdefault(shape.__name__, []).append((hit, hit == 1))
        print(f"{shape.__name__}: done", file=sys.stderr, flush=True)
    columns = [f"{name} ({int(np.median(counts))} tokens)" for name, counts in tokens.items()]
    rows = {
        name: [
            f"{np.mean([hits for hits, _ in each]):.2f} / {np.mean([whole for _, whole in each]):.2f}"
            for each in shapes.values()
        ]
        for name, shapes in found.items()
    }
    return table("found / all of them found", columns, rows)


def origin(case: Case, said: str) -> int | None:
    """The one source whose answer is in a text, if no other source has that answer."""
    words = words_of(said)

    def holds(answer: str) -> bool:
        own = words_of(answer)
        return any(words[i : i + len(own)] == own for i in range(len(words)))

    named = [i for i, answer in enumerate(case.answers) if holds(answer)]
    if len(named) != 1:
        return None
    rare = set(words_of(case.answers[named[0]]))
    owners = [i for i, text in enumerate(case.sources) if rare <= set(words_of(text))]
    return named[0] if owners == named else None


def own_answers(model: attnviz.Model, n: int, seed: int) -> str:
    """The table of the model's own answers."""
    counts, named = {"right": 0, "wrong": 0, "neither": 0}, dict[str, list[tuple[bool, bool]]]()
    for shape in (*TUNED, *REPORTED, *FRESH):
        numbers = random.Random(f"{seed} own {shape.__name__}")
        if shape.__name__.startswith("reworded") or not shape(random.Random(0)).answers:
            continue
        for _ in range(n):
            case = shape(numbers)
            prompt = Asked(model, case.question, case.sources, max_new=16).opened()
            source = origin(case, prompt.answer_text)
            kind = "neither" if source is None else "right" if source == case.right else "wrong"
            counts[kind] += 1
            if kind != "wrong":
                continue
            _, scores = all_scores(prompt, case.question, prompt.answer_text)
            for name, values in scores.items():
                named.setdefault(name, []).append((int(values.argmax()) == source, int(values.argmax()) == case.right))
        print(f"{shape.__name__}: {counts}", file=sys.stderr, flush=True)
    rows = {
        name: [f"{np.mean([came for came, _ in each]):.2f}", f"{np.mean([asked for _, asked in each]):.2f}"]
        for name, each in named.items()
    }
    said = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"{said}\n\n{table('top source of a wrong answer', ['it came from', 'asked for'], rows)}"


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--long", type=int, default=12)
    parser.add_argument("--own", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    model = attnviz.load(asked.model)
    if asked.long:
        print(long_answers(model, asked.long, asked.seed), flush=True)
    if asked.own:
        print(f"\n{own_answers(model, asked.own, asked.seed)}")


if __name__ == "__main__":
    main()
