"""Words about a walk that its pictures and the terminal share."""

from __future__ import annotations

from dataclasses import dataclass

from attnviz.measures.steps import Steps
from attnviz.page.text_metrics import printable


@dataclass(frozen=True)
class Words:
    """What a stage of the scores is called: head of its column; added: of what it adds."""

    head: str
    added: str = ""


SCORES = {
    "raw": Words("e_ij"),
    "relative": Words("e + r", "r_ij"),
    "before_scale": Words("e + b", "b_ij"),
    "scaled": Words("s_ij"),
    "capped": Words("capped"),
    "biased": Words("s + b", "b_ij"),
    "counted": Words("counted", "ln"),
    "masked": Words("masked"),
}


def heading(steps: Steps) -> str:
    """`all-MiniLM-L6-v2 · layer 3 of 0–5 · head 1 of 0–11`."""
    facts = steps.facts
    stream = {"self": "", "cross": "cross-attention"}.get(facts.stream, f"{facts.stream} self-attention")
    parts = [facts.model, stream]
    for what, index, count in (("layer", facts.layer, facts.n_layers), ("head", facts.head, facts.n_heads)):
        parts.append(f"{what} {index} of 0–{count - 1}" if count > 1 else f"{what} {index}, the only one")
    return " · ".join(part for part in parts if part)


def question(steps: Steps) -> str:
    """`query 4, “it”, and 14 keys`."""
    n = len(steps.keys)
    return f"query i = {steps.query}, “{printable(steps.queries.text[steps.query])}”, and {n} key{'s' if n > 1 else ''}"


def remarks(steps: Steps) -> list[str]:
    """What a reader must know beside the numbers."""
    meta = steps.facts.meta
    said = []
    if meta.get("random"):
        said.append(f"random weights, seed {meta.get('seed')}: how attention is computed, not what a model has learned")
    kept = meta.get("notes") or ()
    return [*said, *((kept,) if isinstance(kept, str) else map(str, kept))]
