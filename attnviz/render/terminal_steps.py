"""The steps of one head for one query, as a walk through the terminal.

Each step has its number and name, its formula with the shapes beside it, one number worked out, and a table. At a
terminal tables are made to fit the window and the strongest keys of a long text come first; in a pipe they hold all
keys, and each field is one word, except for the spaces between the numbers of one vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.measures.steps_formulas import STAGES
from attnviz.page.text_metrics import printable
from attnviz.render.terminal_paper import INDENT, Column, Paper
from attnviz.render.terminal_screen import Screen, cells, fit

if TYPE_CHECKING:
    from attnviz.measures.steps import Vectors
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
    paper: Paper, columns: Callable[[list[int], int], list[Column]], rest: str = "", shaded: bool = False
) -> None:
    """A line per key, the strongest key's bold. columns: from the keys shown and how many numbers a vector has.

    rest: what is said of the keys left out; by default their weight. shaded: the last column is of weights.
    """
    steps = paper.steps
    at, others = paper.strongest(steps.weights)
    paper.screen.print("")
    paper.table(
        lambda count: [*_names(paper, "j", steps.keys.text, at), *columns(at, count)],
        at.index(steps.strongest) if steps.strongest in at else None,
        steps.weights[at] if shaded else None,
    )
    if others:
        paper.say(rest.format(shown=len(at), rest=len(steps.keys) - len(at)) or others, "dim", INDENT)


def _token_table(paper: Paper, vectors: Sequence[Vectors]) -> None:
    """A line per query token, and a column for each kind of vector."""
    steps = paper.steps
    paper.screen.print("")
    paper.table(
        lambda count: [
            *_names(paper, "i", steps.queries.text),
            *(Column(_name(paper, v), paper.vectors(v.values, count)) for v in vectors),
        ],
        steps.query,
    )


def _vector_table(paper: Paper, head: str, rows: Sequence[tuple[str, Any]]) -> None:
    """A line per vector: its name, its length and its numbers, in columns where all are equally wide."""

    def lines(count: int) -> list[str]:
        if len({len(values) for _, values in rows}) == 1 and not head:
            return paper.vectors(np.stack([values for _, values in rows]), count)
        return [paper.vectors(values[None], count)[0] for _, values in rows]

    paper.table(
        lambda count: [
            Column(head, [name for name, _ in rows], False),
            Column("‖ ‖", paper.numbers([np.linalg.norm(values) for _, values in rows])),
            Column("numbers", lines(count), False),
        ]
    )


def _matrices(paper: Paper, names: Sequence[tuple[str, str]]) -> None:
    """Matrices side by side: (heading, name); those that are not there are left out."""
    matrices = paper.steps.matrices
    texts = [(head, paper.vectors(np.atleast_2d(matrices[name]), _COUNT)) for head, name in names if name in matrices]
    high = max((len(rows) for _, rows in texts), default=0)
    if texts:
        paper.table(lambda _: [Column(head, [*rows, *[""] * (high - len(rows))], False) for head, rows in texts])


def _name(paper: Paper, vectors: Vectors) -> str:
    """`embedding`, `type + position`, `x_i`, `stream`, `normed`."""
    names = {"positions": " + ".join(paper.facts.added) or "position", "x": "stream", "read": "normed"}
    return names.get(vectors.name, vectors.symbol)


# What stands below each step


def _inputs(paper: Paper) -> None:
    """How the chosen query's input came about, and the keys and values."""
    steps = paper.steps
    own = [v for v in steps.vectors if v.side == "query" and v.step == "1" and v.name != "q"]
    q, k, v = (steps.chain(letter)[0] for letter in "qkv")
    if steps.is_small("W_Q") and len(steps.queries) <= _FEW:
        _token_table(paper, own)
        paper.screen.print("")
        _matrices(paper, [(name, name) for name in ("W_Q", "W_K", "W_V")])
        _matrices(paper, [(name, name) for name in ("b_Q", "b_K", "b_V")])
        if steps.facts.stream != "cross":
            _token_table(paper, [q, k, v])
            return
        own = []
    paper.screen.print("")
    _vector_table(paper, f"i = {steps.query}", [(_name(paper, v), v.values[steps.query]) for v in (*own, q)])
    _key_table(
        paper,
        lambda at, count: [Column(v.symbol, paper.vectors(v.values[at], count), False) for v in (k, v)],
        "the {shown} keys with the largest weights; {rest} others left out",
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
    place = next(at for at, scores in enumerate(steps.scores) if scores.name == name)
    now, before = steps.scores[place], steps.scores[place - 1]
    old, new = paper.number(before.row[j]), paper.number(now.row[j])
    if now.added is None:
        c = f"{steps.facts.softcap:g}"
        paper.worked(f"s_{i},{j} = {c} tanh({old} / {c}) = {new}")
    else:
        paper.worked(f"{now.stage.symbol}_{i},{j} = {old} + {_bracketed(paper.number(now.added[j]))} = {new}")


def _scaled(paper: Paper) -> None:
    steps, facts, i, j = paper.steps, paper.facts, paper.query, paper.steps.strongest
    place = next(at for at, scores in enumerate(steps.scores) if scores.name == "scaled")
    old, new = (paper.number(scores.row[j]) for scores in steps.scores[place - 1 : place + 1])
    if facts.scales:
        by = f"/ {1 / facts.scale:.4g}" if facts.scales_as_usual else f"· {facts.scale:.4g}"
        paper.worked(f"s_{i},{j} = {old} {by} = {new}")
    compared, n = steps.scaling, int(steps.allowed.sum())
    entropies = paper.numbers([compared.entropy_without, compared.entropy_scaled, compared.most], 2)
    largest = paper.numbers([compared.without.max(), compared.scaled.max()], 2) + paper.numbers([1 / max(n, 1)], 2)
    kinds = [
        "without scaling" + ("" if facts.scales else ", as here"),
        "with scaling" if facts.scales else f"times {facts.usual:.4g}",
        f"equal weights on {n} key{'s' if n != 1 else ''}",
    ]
    paper.say("the softmax over these scores alone:", indent=INDENT)
    columns = [Column("", kinds, False), Column("entropy (nats)", entropies), Column("largest weight", largest)]
    paper.table(lambda _: columns)


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
    _key_table(paper, lambda at, _: _score_columns(paper, at), shaded=True)
    paper.say("unscaled: what the softmax would give without the scaling of step 3", "dim", INDENT)


def _score_columns(paper: Paper, at: list[int]) -> list[Column]:
    """The scores of the keys `at` after each step, with what was added, and their weights."""
    columns = []
    for quantity in paper.steps.per_key():
        scores = paper.steps.score(quantity.name)
        if scores is not None and scores.added is not None:
            columns.append(Column(scores.stage.added, paper.numbers(scores.added[at])))
        if not (quantity.name == "masked" and paper.steps.allowed.all()) and not quantity.name.endswith("_share"):
            least = 2 if scores is None else 0
            columns.append(Column(quantity.header, paper.numbers(quantity.values[at], least)))
    return columns


def _sink(paper: Paper) -> None:
    steps = paper.steps
    assert steps.sink is not None
    paper.worked(f"z = {paper.number(steps.sink)} takes {paper.numbers([steps.sink_weight], 2)[0]} of this row")


def _summed(paper: Paper) -> None:
    steps, v = paper.steps, paper.steps.used("v").astype(np.float64)
    weight, *shares = [q for q in steps.per_key() if q.name in ("weight", "norm_share", "output_share")]

    def columns(at: list[int], count: int) -> list[Column]:
        return [
            Column(weight.header, paper.numbers(weight.values[at], 2)),
            Column("a_ij v_j", paper.vectors(steps.weights[at, None] * v[at], count), False),
            Column("‖v_j‖", paper.numbers(np.linalg.norm(v[at], axis=-1))),
            *(Column(share.header, paper.numbers(share.values[at], 2)) for share in shares),
        ]

    _key_table(paper, columns)
    paper.worked(f"o_{steps.query} = {paper.vectors(steps.output[None], _COUNT)[0]}".strip())
    shares_say = "by norm: a_ij ‖v_j‖ / Σ_k a_ik ‖v_k‖; along o_i: (a_ij v_j · o_i) / ‖o_i‖²; each sums to 1"
    paper.say(shares_say, "dim", INDENT)


def _joined(paper: Paper) -> None:
    steps, share, head = paper.steps, paper.steps.head_share, paper.facts.head
    at, _ = paper.strongest(share)
    vectors = [("o_i", steps.heads), *([("o_i W_O", steps.parts)] if steps.parts is not None else [])]
    paper.screen.print("")
    paper.table(
        lambda count: [
            Column("head", [str(h) for h in at]),
            *(Column(name, paper.vectors(values[at], count), False) for name, values in vectors),
            Column("by norm", paper.numbers(share[at], 2)),
        ],
        at.index(head) if head in at else None,
    )
    if steps.is_small("W_O"):
        first = head * len(steps.matrices["W_O"])
        last = first + len(steps.matrices["W_O"]) - 1
        paper.screen.print("")
        _matrices(paper, [(f"W_O, rows {first} to {last} (head {head})", "W_O")])
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
