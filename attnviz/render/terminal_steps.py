"""The steps of one head for one query, as a walk through the terminal.

Each step has its number and name, its formula with the shapes beside it, one computed number, and a table. At a
terminal tables are made to fit the window and the strongest keys of a long text come first; in a pipe they hold all
keys, and each field is one word, except for the spaces between the numbers of one vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.measures.steps_formulas import STAGES
from attnviz.page.text_metrics import printable
from attnviz.render.terminal_paper import INDENT, Column, Paper
from attnviz.render.terminal_screen import Screen, cells, fit

if TYPE_CHECKING:
    from attnviz.measures.steps import Scores, Vectors
    from attnviz.measures.steps_formulas import Step
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Walk

_TERMS = 4  # products of q . k that are written out
_COUNT = 8  # numbers of a vector in a line of its own
_FEW = 12  # queries up to which the vectors of all are printed, where they are small


def print_walk(walk: Walk, screen: Screen, _: FigureOptions) -> None:
    """Print the walk: title, steps and remarks."""
    steps = walk.steps
    paper = Paper(steps, screen, walk.decimals)
    paper.say(printable(steps.title()), "bold")
    paper.say(printable(steps.subtitle()))
    for step in steps.steps:
        paper.title(step)
        if step.name in _BELOW:
            _BELOW[step.name](paper)
        elif step.name in STAGES:
            _changed_score(paper, step.name)
        else:
            _changed_vectors(paper, step)
    for i, note in enumerate(steps.remarks()):
        paper.screen.print(*([""] if i == 0 else []))
        paper.say(note, "dim")


# Tables


def _names(paper: Paper, index: str, tokens: Sequence[str], at: Sequence[int] | None = None) -> list[Column]:
    places = range(len(tokens)) if at is None else at
    room = 10_000 if paper.screen.plain else max(8, paper.screen.width // 6)
    texts = [paper.token(tokens[i]) for i in places]
    short = [text if cells(text) <= room else fit(text, room) for text in texts]
    return [Column(index, [str(i) for i in places]), Column({"i": "query", "j": "key"}[index], short, False)]


def _key_table(
    paper: Paper, columns: Callable[[list[int]], list[Column]], rest: str = "", shaded: bool = False
) -> None:
    """A line per key, the strongest key's bold.

    Args:
        columns: made from the indices of the keys that are shown.
        rest: the line about the keys left out; by default their weight.
        shaded: whether the last column shows the weights.
    """
    steps = paper.steps
    at, others = paper.strongest(steps.weights)
    paper.screen.print("")
    bold = at.index(steps.strongest) if steps.strongest in at else None
    names = _names(paper, "j", steps.keys.text, at)
    paper.table([*names, *columns(at)], bold, steps.weights[at] if shaded else None)
    if others:
        paper.say(rest.format(shown=len(at), rest=len(steps.keys) - len(at)) or others, "dim", INDENT)


def _token_table(paper: Paper, vectors: Sequence[Vectors]) -> None:
    """A line per query token, and a column for each kind of vector."""
    columns = [Column(_name(paper, v), v.values) for v in vectors]
    paper.screen.print("")
    paper.table([*_names(paper, "i", paper.steps.queries.text), *columns], paper.steps.query)


def _vector_table(paper: Paper, head: str, rows: Sequence[tuple[str, Any]]) -> None:
    """A line per vector: its name, its length and its numbers."""
    names, vectors = zip(*rows, strict=True)
    lengths = np.array([np.linalg.norm(values) for values in vectors])
    aligned = not head and len(set(map(len, vectors))) == 1
    numbers = Column("numbers", np.stack(vectors) if aligned else vectors, False)
    paper.table([Column(head, names, False), Column("‖ ‖", lengths), numbers])


def _matrices(paper: Paper, names: Mapping[str, str]) -> None:
    """Matrices side by side, as far as they exist; names: heading -> name."""
    matrices = paper.steps.matrices
    there = {head: np.atleast_2d(matrices[name]) for head, name in names.items() if name in matrices}
    texts = {head: paper.vectors(matrix, _COUNT) for head, matrix in there.items()}
    columns = zip(*zip_longest(*texts.values(), fillvalue=""), strict=True)
    if texts:
        paper.table([Column(head, rows, False) for head, rows in zip(texts, columns, strict=True)])


def _name(paper: Paper, vectors: Vectors) -> str:
    """`embedding`, `type + position`, `x_i`, `stream`, `normed`."""
    names = {"positions": " + ".join(paper.facts.added) or "position", "x": "stream", "read": "normed"}
    return names.get(vectors.name, vectors.symbol)


# Below each step


def _inputs(paper: Paper) -> None:
    """The chosen query's input, from its embedding on, and the keys and values."""
    steps = paper.steps
    own = [v for v in steps.vectors if v.side == "query" and v.step == "1" and v.name != "q"]
    q, k, v = (steps.chain(letter)[0] for letter in "qkv")
    if steps.is_small("W_Q") and len(steps.queries) <= _FEW:
        _token_table(paper, own)
        paper.screen.print("")
        for kind in "Wb":
            _matrices(paper, {name: name for name in (f"{kind}_Q", f"{kind}_K", f"{kind}_V")})
        if steps.facts.stream != "cross":
            _token_table(paper, [q, k, v])
            return
        own = []
    paper.screen.print("")
    _vector_table(paper, f"i = {steps.query}", [(_name(paper, v), v.values[steps.query]) for v in (*own, q)])
    _key_table(
        paper,
        lambda at: [Column(v.symbol, v.values[at], False) for v in (k, v)],
        "the {shown} keys with the largest weights; {rest} more are left out",
    )


def _changed_vectors(paper: Paper, step: Step) -> None:
    """The query and the strongest key before a step that changes them, and after it."""
    steps, rows = paper.steps, []
    for letter, token in (("q", steps.query), ("k", steps.strongest)):
        for before, after in zip(steps.chain(letter), steps.chain(letter)[1:], strict=False):
            if after.step == step.label:
                rows += [(f"{letter}_{token}", before.values[token]), ("  after", after.values[token])]
    if rows:
        _vector_table(paper, "", rows)


def _raw(paper: Paper) -> None:
    steps, i, j = paper.steps, paper.query, paper.steps.strongest
    q, k = steps.used("q")[i], steps.used("k")[j]
    shown = list(zip(paper.numbers(q[:_TERMS]), paper.numbers(k[:_TERMS]), strict=True))
    terms = " + ".join(f"{_bracketed(a)}·{_bracketed(b)}" for a, b in shown)
    more = f" + … ({len(q)} products)" if len(q) > _TERMS else ""
    paper.worked(f"e_{i},{j} = {terms}{more} = {paper.number(steps.scores[0].row[j])}")


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _changed_score(paper: Paper, name: str) -> None:
    """The strongest key's score before a step that adds to it, or caps it, and after it."""
    steps, i, j = paper.steps, paper.query, paper.steps.strongest
    now, old, new = _before_and_after(paper, name)
    if now.added is None:
        c = f"{steps.facts.softcap:g}"
        paper.worked(f"s_{i},{j} = {c} tanh({old} / {c}) = {new}")
    else:
        paper.worked(f"{now.stage.symbol}_{i},{j} = {old} + {_bracketed(paper.number(now.added[j]))} = {new}")


def _before_and_after(paper: Paper, name: str) -> tuple[Scores, str, str]:
    """The scores of a step, and the strongest key's score before and after it."""
    scores = paper.steps.scores
    place = next(place for place, each in enumerate(scores) if each.name == name)
    before, after = (paper.number(each.row[paper.steps.strongest]) for each in scores[place - 1 : place + 1])
    return scores[place], before, after


def _scaled(paper: Paper) -> None:
    steps, facts, i, j = paper.steps, paper.facts, paper.query, paper.steps.strongest
    _, old, new = _before_and_after(paper, "scaled")
    if facts.scales:
        by = f"/ {1 / facts.scale:.4g}" if facts.scales_as_usual else f"· {facts.scale:.4g}"
        paper.worked(f"s_{i},{j} = {old} {by} = {new}")
    compared, n = steps.scaling, int(steps.allowed.sum())
    entropies = paper.numbers([compared.entropy_without, compared.entropy_scaled, compared.most], 2)
    largest = paper.numbers([compared.without.max(), compared.scaled.max()], 2) + paper.numbers([1 / max(n, 1)], 2)
    kinds = [
        *steps.scaling_words,
        f"equal weights on {n} key{'s' if n != 1 else ''}",
    ]
    paper.say("the softmax over these scores alone:", indent=INDENT)
    paper.table([Column("", kinds, False), Column("entropy (nats)", entropies), Column("largest weight", largest)])


def _masked(paper: Paper) -> None:
    steps = paper.steps
    n, seen = len(steps.keys), int(steps.allowed.sum())
    if paper.facts.mask:
        hidden = f"sees {seen} of {n} keys" if seen < n else f"sees all {n} keys"
        paper.say(f"query {steps.query} {hidden}", indent=INDENT)


def _softmax(paper: Paper) -> None:
    steps, i, j = paper.steps, paper.query, paper.steps.strongest
    masked = steps.scores[-1].row.astype(np.float64)
    finite = masked[steps.allowed]
    if len(finite):
        peak = max(float(finite.max()), -np.inf if steps.sink is None else steps.sink)
        shift = peak if abs(peak) > 12 else 0.0
        top = np.exp(masked[j] - shift)
        total = float(np.exp(finite - shift).sum()) + (0.0 if steps.sink is None else float(np.exp(steps.sink - shift)))
        less = f" - {_bracketed(paper.number(shift))}" if shift else ""
        if len(finite) <= 4 and not shift and steps.sink is None:
            below = " + ".join(f"exp({text})" for text in paper.numbers(finite))
            below = f"({below})" if len(finite) > 1 else below
        else:
            below = "the sum over all keys"
        above, under = paper.numbers([top, total], 3)
        (weight,) = paper.numbers([steps.weights[j]], 3)
        paper.worked(f"a_{i},{j} = exp({paper.number(masked[j])}{less}) / {below} = {above} / {under} = {weight}")
        if shift:
            why = "is taken off every score first: the weights stay the same"
            paper.say(f"({paper.number(shift)} {why})", "dim", INDENT)
    _key_table(paper, lambda at: _score_columns(paper, at), shaded=True)
    paper.say("unscaled: what the softmax would give without the scaling of step 3", "dim", INDENT)


def _score_columns(paper: Paper, at: list[int]) -> list[Column]:
    """The scores of the keys `at` after each step, with what was added, and their weights."""
    columns = []
    for quantity in paper.steps.per_key():
        scores = paper.steps.score(quantity.name)
        if scores is not None and scores.added is not None:
            columns.append(Column(scores.stage.added, scores.added[at]))
        if not (quantity.name == "masked" and paper.steps.allowed.all()) and not quantity.name.endswith("_share"):
            columns.append(Column(quantity.header, quantity.values[at], least=2 if scores is None else 0))
    return columns


def _sink(paper: Paper) -> None:
    steps = paper.steps
    assert steps.sink is not None
    paper.worked(f"z = {paper.number(steps.sink)} takes {paper.numbers([steps.sink_weight], 2)[0]} of this row")


def _summed(paper: Paper) -> None:
    steps, v = paper.steps, paper.steps.used("v").astype(np.float64)
    weight, *shares = [q for q in steps.per_key() if q.name in ("weight", "norm_share", "output_share")]

    def columns(at: list[int]) -> list[Column]:
        return [
            Column(weight.header, weight.values[at], least=2),
            Column("a_ij v_j", steps.weights[at, None] * v[at], False),
            Column("‖v_j‖", np.linalg.norm(v[at], axis=-1)),
            *(Column(share.header, share.values[at], least=2) for share in shares),
        ]

    _key_table(paper, columns)
    paper.worked(f"o_{steps.query} = {paper.vectors(steps.output[None], _COUNT)[0]}".strip())
    shares_say = "by norm: a_ij ‖v_j‖ / Σ_k a_ik ‖v_k‖; along o_i: (a_ij v_j · o_i) / ‖o_i‖²; each sums to 1"
    paper.say(shares_say, "dim", INDENT)


def _joined(paper: Paper) -> None:
    steps, share, head = paper.steps, paper.steps.head_share, paper.facts.head
    at, _ = paper.strongest(share)
    vectors = [("o_i", steps.heads), *([("o_i W_O", steps.parts)] if steps.parts is not None else [])]
    columns = [Column("head", [str(h) for h in at]), *(Column(name, values[at], False) for name, values in vectors)]
    paper.screen.print("")
    paper.table([*columns, Column("by norm", share[at], least=2)], at.index(head) if head in at else None)
    if steps.is_small("W_O"):
        first = head * len(steps.matrices["W_O"])
        last = first + len(steps.matrices["W_O"]) - 1
        paper.screen.print("")
        _matrices(paper, {f"W_O, rows {first} to {last} (head {head})": "W_O"})
    if "b_O" in steps.matrices:
        paper.say(f"b_O = {paper.vectors(steps.matrices['b_O'][None], _COUNT)[0]}", indent=INDENT)
    paper.worked(f"y_{steps.query} = {paper.vectors(steps.projected[None], _COUNT)[0]}")
    if steps.parts is not None:
        paper.say("by norm: ‖o_i W_O‖ of a head / their sum over heads", "dim", INDENT)


_BELOW: dict[str, Callable[[Paper], None]] = {
    "inputs": _inputs,
    "raw": _raw,
    "scaled": _scaled,
    "masked": _masked,
    "softmax": _softmax,
    "sink": _sink,
    "summed": _summed,
    "joined": _joined,
}
