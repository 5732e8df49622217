"""The steps of one head for one query, as a walk through the terminal.

Each step has its number and name, its formula with the shapes beside it, one number worked out, and a table. At a
terminal tables are made to fit the window and the strongest keys of a long text come first; in a pipe they hold all
keys, and each of their fields is a word, but for the spaces between the numbers of one vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from attnviz.measures.steps import Steps, Vectors, head_share, norm_share, output_share, scaling
from attnviz.page.steps_words import SCORES, heading, question, remarks
from attnviz.render.terminal_paper import INDENT, Column, Paper, numbers
from attnviz.render.terminal_screen import Screen, cells, fit

if TYPE_CHECKING:
    from rich.console import Console

_TERMS = 4  # products of q . k that are written out
_SMALL = 8  # widths up to which all vectors and matrices are printed whole


def print_steps(
    steps: Steps, out: Console | IO[str] | None = None, *, width: int | None = None, decimals: int = 2
) -> None:
    """Print the walk.

    Args:
        out: a rich Console or a text file; standard output by default. width: columns of the window.
        decimals: of numbers; a column of whole numbers has none.
    """
    screen = Screen.of(out, width)
    paper = Paper(steps, screen, decimals)
    paper.say(heading(steps), "bold")
    paper.say(question(steps))
    for step in steps.steps:
        paper.title(step)
        _BELOW.get(step.name, _nothing)(paper)
    notes = remarks(steps)
    if notes:
        screen.print("")
    for note in notes:
        paper.say(note, "dim")


# What stands below each step


def _nothing(paper: Paper) -> None:
    """Its lines say all."""


def _inputs(paper: Paper) -> None:
    """How the chosen query's input came about, and the keys and values."""
    steps = paper.steps
    small = max(steps.facts.d_model, steps.facts.d_head) <= _SMALL and len(steps.queries) <= 12
    own = [v for v in steps.vectors if v.side == "query" and v.step == "1" and v.name != "q"]
    screen = paper.screen
    if small:
        screen.print("")
        paper.table(lambda count: [*_names(paper, "i", steps.queries.text), *_all(paper, own, count)], steps.query)
        screen.print("")
        drawn = [(name, steps.matrices[name]) for name in ("W_Q", "W_K", "W_V")]
        texts = [(name, paper.vectors(matrix, 8)) for name, matrix in drawn]
        height = max(len(rows) for _, rows in texts)
        paper.table(lambda _: [Column(name, [*rows, *[""] * (height - len(rows))], False) for name, rows in texts])
        drawn = [(name, steps.matrices[name][None]) for name in ("b_Q", "b_K", "b_V") if name in steps.matrices]
        if drawn:
            paper.table(lambda count: [Column(name, paper.vectors(row, 8), False) for name, row in drawn])
        if steps.facts.stream != "cross":
            used = [v for v in steps.vectors if v.name in ("q", "k", "v")]
            screen.print("")
            paper.table(lambda count: [*_names(paper, "i", steps.queries.text), *_all(paper, used, count)], steps.query)
            return
    _query_vectors(paper, [] if small else own)
    _key_vectors(paper)


def _names(paper: Paper, index: str, tokens: Sequence[str], at: Sequence[int] | None = None) -> list[Column]:
    places = range(len(tokens)) if at is None else at
    room = 10_000 if paper.screen.plain else max(8, paper.screen.width // 6)
    texts = [paper.token(tokens[i]) for i in places]
    short = [text if cells(text) <= room else fit(text, room) for text in texts]
    return [Column(index, [str(i) for i in places]), Column({"i": "query", "j": "key"}[index], short, False)]


def _all(paper: Paper, vectors: Sequence[Any], count: int) -> list[Column]:
    return [Column(_name(paper.steps, v), paper.vectors(v.values, count)) for v in vectors]


def _name(steps: Steps, vectors: Vectors) -> str:
    """`embedding`, `type + position`, `x_i`, `stream`, `normed`."""
    names = {"positions": " + ".join(steps.facts.added) or "position", "x": "stream", "read": "normed"}
    return names.get(vectors.name, vectors.symbol)


def _query_vectors(paper: Paper, own: Sequence[Any]) -> None:
    """One line a vector of the chosen query."""
    steps = paper.steps
    found = [(_name(steps, v), v.values[steps.query]) for v in own]
    found.append(("q_i", next(v for v in steps.vectors if v.name == "q").values[steps.query]))
    paper.screen.print("")

    def build(count: int) -> list[Column]:
        lines = [paper.vectors(values[None], count)[0] for _, values in found]
        lengths = paper.numbers([np.linalg.norm(values) for _, values in found])
        query = f"i = {steps.query}"
        return [
            Column(query, [name for name, _ in found], False),
            Column("‖ ‖", lengths),
            Column("numbers", lines, False),
        ]

    paper.table(build)


def _key_vectors(paper: Paper) -> None:
    """A line a key: its k and v."""
    steps = paper.steps
    k = next(v for v in steps.vectors if v.name == "k").values
    v = steps.used("v")
    at, rest = paper.kept(steps.weights)
    paper.screen.print("")
    paper.table(
        lambda count: [
            *_names(paper, "j", steps.keys.text, at),
            Column("k_j", paper.vectors(k[at], count), False),
            Column("v_j", paper.vectors(v[at], count), False),
        ],
        bold=at.index(steps.strongest) if steps.strongest in at else None,
    )
    if rest:
        paper.say(
            f"the {len(at)} keys with the largest weights; {len(steps.keys) - len(at)} others left out", "dim", INDENT
        )


# Queries and keys change from name to name, in this order: a model has the norm before rotary positions or after them.
_ENDS = ("", "_normed", "_turned", "_used")


def _changed(*names: str) -> Callable[[Paper], None]:
    """Below a step that changes q and k: the query before and after. names: what it made, the first that is there."""

    def below(paper: Paper) -> None:
        steps = paper.steps
        rows: list[tuple[str, Any]] = []
        for which, place in (("q", steps.query), ("k", steps.strongest)):
            chain = [v for v in (steps.vector(f"{which}{end}") for end in _ENDS) if v is not None]
            found = [v.name.removeprefix(f"{which}_") for v in chain]
            last = next((found.index(name) for name in names if name in found), None)
            if last:
                rows += [(f"{which}_{place}", chain[last - 1].values[place]), ("  after", chain[last].values[place])]
        if not rows:
            return
        paper.table(
            lambda count: [
                Column("", [label for label, _ in rows], False),
                Column("‖ ‖", paper.numbers([np.linalg.norm(values) for _, values in rows])),
                Column("numbers", paper.vectors(np.stack([values for _, values in rows]), count), False),
            ]
        )

    return below


def _raw(paper: Paper) -> None:
    steps, i, j = paper.steps, paper.query, paper.steps.strongest
    q, k = steps.used("q")[i], steps.used("k")[j]
    shown = list(zip(paper.numbers(q[:_TERMS]), paper.numbers(k[:_TERMS]), strict=True))
    terms = " + ".join(f"{_bracketed(a)}·{_bracketed(b)}" for a, b in shown)
    more = f" + … ({len(q)} products)" if len(q) > _TERMS else ""
    row = steps.scores[0].row
    paper.worked(f"e_{i},{j} = {terms}{more} = {paper.number(row[j])}")


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _added(name: str) -> Callable[[Paper], None]:
    """Below a step that adds to the scores, or caps them: the strongest key's."""

    def below(paper: Paper) -> None:
        steps, i, j = paper.steps, paper.query, paper.steps.strongest
        place = next(at for at, s in enumerate(steps.scores) if s.name == name)
        now, before = steps.scores[place], steps.scores[place - 1]
        letter = "e" if name in ("relative", "before_scale") else "s"
        old, new = paper.number(before.row[j]), paper.number(now.row[j])
        if now.added is None:
            c = f"{steps.facts.softcap:g}"
            paper.worked(f"s_{i},{j} = {c} tanh({old} / {c}) = {new}")
        else:
            paper.worked(f"{letter}_{i},{j} = {old} + {_bracketed(paper.number(now.added[j]))} = {new}")

    return below


def _scaled(paper: Paper) -> None:
    steps, i, j = paper.steps, paper.query, paper.steps.strongest
    raw, value = steps.unscaled[j], steps.score("scaled")
    assert value is not None
    facts = steps.facts
    if facts.scales:
        usual = abs(facts.scale - facts.usual) < 1e-6 * facts.usual
        by = f"/ {1 / facts.scale:.4g}" if usual else f"· {facts.scale:.4g}"
        paper.worked(f"s_{i},{j} = {paper.number(raw)} {by} = {paper.number(value.row[j])}")
    found = scaling(steps)
    n = int(steps.allowed.sum())
    factor = "with scaling" if facts.scales else f"times {facts.usual:.4g}"
    entropies = numbers([found.entropy_without, found.entropy_scaled, found.most], max(paper.decimals, 2))
    tops = numbers([found.without.max(), found.scaled.max()], max(paper.decimals, 2))
    own = "" if facts.scales else ", as here"
    paper.say("the softmax over these scores alone:", indent=INDENT)
    lines = [(f"without scaling{own}", entropies[0], tops[0]), (factor, entropies[1], tops[1])]
    lines.append(
        (
            f"equal weights on {n} key{'s' if n != 1 else ''}",
            entropies[2],
            numbers([1 / max(n, 1)], max(paper.decimals, 2))[0],
        )
    )
    paper.table(
        lambda _: [
            Column("", [text for text, *_ in lines], False),
            Column("entropy (nats)", [e for _, e, _ in lines]),
            Column("largest weight", [t for *_, t in lines]),
        ]
    )


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
        shown = numbers([top, total], max(paper.decimals, 3))
        weight = numbers([steps.weights[j]], max(paper.decimals, 3))[0]
        paper.worked(f"a_{i},{j} = exp({paper.number(masked[j])}{less}) / {below} = {shown[0]} / {shown[1]} = {weight}")
        if shift:
            paper.say(
                f"({paper.number(shift)} is taken off every score first: the weights stay the same)", "dim", INDENT
            )
    paper.screen.print("")
    _score_table(paper)


def _score_table(paper: Paper) -> None:
    """The chosen query's scores against every key after each step, and its weights."""
    steps = paper.steps
    at, rest = paper.kept(steps.weights)
    wide = max(paper.decimals, 2)

    def build(_: int) -> list[Column]:
        found = _names(paper, "j", steps.keys.text, at)
        for scores in steps.scores:
            if scores.name == "masked" and steps.allowed.all():
                continue
            if scores.added is not None:
                found.append(Column(SCORES[scores.name].added, paper.numbers(scores.added[at])))
            found.append(Column(SCORES[scores.name].head, paper.numbers(scores.row[at])))
        found.append(Column("unscaled", numbers(scaling(steps).without[at], wide)))
        return [*found, Column("a_ij", numbers(steps.weights[at], wide))]

    strongest = at.index(steps.strongest) if steps.strongest in at else None
    paper.table(build, strongest, steps.weights[at])
    if rest:
        paper.say(rest, "dim", INDENT)
    paper.say("unscaled: what the softmax would give without the scaling of step 3", "dim", INDENT)


def _sink(paper: Paper) -> None:
    steps = paper.steps
    assert steps.sink is not None
    z, share = paper.number(steps.sink), numbers([steps.sink_weight], max(paper.decimals, 2))[0]
    paper.worked(f"z = {z} takes {share} of this row")


def _summed(paper: Paper) -> None:
    steps = paper.steps
    v = steps.used("v").astype(np.float64)
    at, rest = paper.kept(steps.weights)
    share, along = norm_share(steps), output_share(steps)
    wide = max(paper.decimals, 2)
    paper.screen.print("")

    def build(count: int) -> list[Column]:
        return [
            *_names(paper, "j", steps.keys.text, at),
            Column("a_ij", numbers(steps.weights[at], wide)),
            Column("a_ij v_j", paper.vectors(steps.weights[at, None] * v[at], count), False),
            Column("‖v_j‖", paper.numbers(np.linalg.norm(v[at], axis=-1))),
            Column("by norm", numbers(share[at], wide)),
            Column("along o_i", numbers(along[at], wide)),
        ]

    paper.table(build, at.index(steps.strongest) if steps.strongest in at else None)
    if rest:
        paper.say(rest, "dim", INDENT)
    paper.worked(f"o_{steps.query} = {paper.vectors(steps.output[None], 8)[0]}".strip())
    said = "by norm: a_ij ‖v_j‖ / Σ_k a_ik ‖v_k‖; along o_i: (a_ij v_j · o_i) / ‖o_i‖²; each sums to 1"
    paper.say(said, "dim", INDENT)


def _joined(paper: Paper) -> None:
    steps = paper.steps
    share = head_share(steps)
    at, _ = paper.kept(share)
    wide = max(paper.decimals, 2)
    paper.screen.print("")

    def build(count: int) -> list[Column]:
        found = [
            Column("head", [str(h) for h in at]),
            Column("o_i", paper.vectors(steps.heads[at], count), False),
        ]
        if steps.parts is not None:
            found.append(Column("o_i W_O", paper.vectors(steps.parts[at], count), False))
        return [*found, Column("by norm", numbers(share[at], wide))]

    paper.table(build, at.index(steps.facts.head) if steps.facts.head in at else None)
    if "W_O" in steps.matrices and steps.matrices["W_O"].size <= 64:
        rows = steps.matrices["W_O"]
        paper.screen.print("")
        first = steps.facts.head * len(rows)
        name = f"W_O, rows {first} to {first + len(rows) - 1} (head {steps.facts.head})"
        paper.table(lambda _: [Column(name, paper.vectors(rows, 8), False)])
    if "b_O" in steps.matrices:
        paper.say(f"b_O = {paper.vectors(steps.matrices['b_O'][None], 8)[0]}", indent=INDENT)
    paper.worked(f"y_{steps.query} = {paper.vectors(steps.projected[None], 8)[0]}")
    if steps.parts is not None:
        paper.say("by norm: ‖o_i W_O‖ of a head / their sum over heads", "dim", INDENT)


_BELOW: dict[str, Callable[[Paper], None]] = {
    "inputs": _inputs,
    "qk_norm": _changed("normed", "used"),
    "rotary": _changed("turned", "used"),
    "content_bias": _changed("used"),
    "raw": _raw,
    "relative": _added("relative"),
    "before_scale": _added("before_scale"),
    "scaled": _scaled,
    "capped": _added("capped"),
    "biased": _added("biased"),
    "counted": _added("counted"),
    "masked": _masked,
    "softmax": _softmax,
    "sink": _sink,
    "summed": _summed,
    "joined": _joined,
}
