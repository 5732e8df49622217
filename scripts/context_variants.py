"""Variants of the score of `attnviz context`, and baselines, from one pass per prompt; for study_context.py.

Lifts of single rows are kept, before they are weighed by rarity, so that one pass serves every variant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from context_shapes import Case

import attnviz
from attnviz.measures.context import FLOOR, HEADS_SHARE, RARITY, Keys, PointedAt, shared_words
from attnviz.models.context import Asked, ContextPrompt
from attnviz.models.passages import words_of


@dataclass(frozen=True)
class Variant:
    """A way to make a score from the lifts of single rows; as it stands, the score of the command.

    share: of heads. power: of df. floor: in the product. answer, question: which rows are used; predicting: the rows
    that predict the answer as well. mean: a head's rows are joined by their mean, not by the largest. alike: the
    strongest heads are averaged, not weighed by their largest entry. together: one choice of heads for both halves,
    by the sum of their largest entries. root: sums by source are divided by the number of its tokens to this power.
    """

    share: float = HEADS_SHARE
    power: float = RARITY
    floor: float = FLOOR
    answer: bool = True
    question: bool = True
    predicting: bool = False
    mean: bool = False
    alike: bool = False
    together: bool = False
    root: float = 0.0


VARIANTS: Mapping[str, Variant] = {
    "score": Variant(),
    "first formula: mean row, heads alike": Variant(mean=True, alike=True),
    "mean row": Variant(mean=True),
    "heads alike": Variant(alike=True),
    "question rows alone": Variant(answer=False),
    "answer rows alone": Variant(question=False),
    "own and predicting rows": Variant(predicting=True),
    "all heads": Variant(share=1.0),
    "20 % of heads": Variant(share=0.2),
    "10 % of heads": Variant(share=0.1),
    "3 % of heads": Variant(share=0.03),
    "without df": Variant(power=0.0),
    "df ** -1": Variant(power=-1.0),
    "floor 0.15": Variant(floor=0.15),
    "by length ** 0.5": Variant(root=0.5),
    "one choice of heads for both halves": Variant(together=True),
}


@dataclass(frozen=True, eq=False)
class Pass:
    """The lifts of one prompt: float32 [row, head, c] of question, answer and predicting rows; df [c], source [c]."""

    question: np.ndarray
    answer: np.ndarray
    predicting: np.ndarray
    df: np.ndarray
    source: np.ndarray
    n_sources: int

    def half(self, rows: np.ndarray, variant: Variant, peaks: np.ndarray | None = None) -> np.ndarray:
        """A half of the score by source, which sums to 1. peaks: of the heads, where they are chosen together."""
        heads = self.heads(rows, variant)
        peaks = heads.max(-1) if peaks is None else peaks
        best = (-peaks).argsort(kind="stable")[: max(1, round(variant.share * len(heads)))]
        tokens = (heads[best] * (1.0 if variant.alike else peaks[best, None])).mean(0)
        inside = self.source >= 0
        sums = np.bincount(self.source[inside], tokens[inside], self.n_sources)
        sums /= np.bincount(self.source[inside], minlength=self.n_sources) ** variant.root
        return sums / sums.sum() if sums.sum() else np.full(self.n_sources, 1 / self.n_sources)

    def heads(self, rows: np.ndarray, variant: Variant) -> np.ndarray:
        """[head, c]: the rows joined, weighed by rarity."""
        joined = rows.mean(0) if variant.mean else rows.max(0, initial=0.0)
        return joined * self.df**variant.power

    def score(self, variant: Variant) -> np.ndarray:
        """The score by source."""
        answer = np.concatenate([self.answer, self.predicting]) if variant.predicting else self.answer
        halves = [rows for rows, used in ((self.question, variant.question), (answer, variant.answer)) if used]
        peaks = sum(self.heads(rows, variant).max(-1) for rows in halves) if variant.together else None
        shares = [self.half(rows, variant, peaks) for rows in halves]
        if len(shares) == 1:
            return shares[0]
        product = (shares[0] + variant.floor) * (shares[1] + variant.floor)
        return product / product.sum()


class Weights(PointedAt):
    """The rows' weights themselves, without what is usual: for the mean of all heads."""

    def _lifts(self, columns, n_keys):  # type: ignore[no-untyped-def]
        return np.stack([columns.tail[:, rows].mean(1) for rows in self._groups])


def passed(prompt: ContextPrompt, n_sources: int) -> tuple[Pass, np.ndarray]:
    """One pass over a prompt, and the mean weight of all heads by source."""
    spec, source = prompt.model.spec, prompt.source[: prompt.begin]
    keys = Keys.of(source, prompt.tokens.text[: prompt.begin], n_sources)
    inside = (keys.rarity > 0).astype(np.float32)
    groups = [*prompt.question, *prompt.answer, *(i - 1 for i in prompt.answer)]
    size = spec.n_layers, spec.n_heads, prompt.n, prompt.begin
    lifts = PointedAt(*size, replace(keys, rarity=inside), [[row] for row in groups])
    plain = Weights(*size, keys, [[*prompt.question, *prompt.answer]])
    prompt.observe([lifts, plain], checked=True)
    rows = lifts.lifts.reshape(len(groups), -1, len(source))
    q, a = len(prompt.question), len(prompt.answer)
    df, owners = np.where(keys.rarity > 0, keys.rarity, 1.0) ** -2.0, np.array(source)
    everywhere = plain.lifts[0].mean((0, 1))
    mean = np.bincount(owners[owners >= 0], everywhere[owners >= 0], n_sources)
    return Pass(rows[:q], rows[q : q + a], rows[q + a :], df, owners, n_sources), mean


def scored(model: attnviz.Model, case: Case, cut: bool) -> dict[str, np.ndarray]:
    """name -> scores [source] of a prompt: variants and baselines. cut: each source is cut off, and left out, as well.

    leaving one out: the fall of the answer's log-probability in a pass over a prompt that never had the source.
    """
    prompt = Asked(model, case.question, case.sources, answer=case.answer).opened()
    lifts, mean = passed(prompt, len(case.sources))
    scores = {name: lifts.score(variant) for name, variant in VARIANTS.items()}
    asked, said = words_of(case.question), words_of(case.answer)
    held = [words_of(text) for text in case.sources]
    scores["shared words, question and answer"] = shared_words(asked + said, held)
    scores["shared words, answer only"] = shared_words(said, held)
    scores["mean of all heads"] = mean
    if cut:
        numbers = range(len(case.sources))
        scores["knockout"] = np.array([prompt.knockout(i) for i in numbers])
        left = [without(model, case, i).logprobs().sum() for i in numbers]
        scores["leaving one out"] = prompt.logprobs().sum() - np.array(left)
    return scores


def without(model: attnviz.Model, case: Case, source: int) -> ContextPrompt:
    """The prompt that never had a source."""
    rest: Sequence[str] = [text for i, text in enumerate(case.sources) if i != source]
    return Asked(model, case.question, rest, answer=case.answer).opened()
