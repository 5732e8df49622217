"""What a picture says about itself in words: title, subtitle, notes, caption."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.views.measure import one_line
from attnviz.views.scale import number

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.views.figure import Scale
    from attnviz.views.measure import Typeface

_INSTALL = (  # where to find a font, by the first character of a range
    (0x0590, "Noto Sans Hebrew", 0x05FF),
    (0x0600, "Noto Sans Arabic", 0x06FF),
    (0x0900, "Noto Sans Devanagari", 0x097F),
    (0x0E00, "Noto Sans Thai", 0x0E7F),
    (0x1100, "Noto Sans CJK", 0x11FF),
    (0x2E80, "Noto Sans CJK", 0xD7FF),
    (0xF900, "Noto Sans CJK", 0xFAFF),
    (0xFF00, "Noto Sans CJK", 0xFFEF),
    (0x1F000, "Noto Emoji", 0x1FAFF),
    (0x20000, "Noto Sans CJK", 0x3FFFF),
)


def listed(what: str, indices: Sequence[int]) -> str:
    """`head 1`, `heads 0–11`, `heads 0, 2, 5`; a count if a list would be long."""
    if len(indices) == 1:
        return f"{what} {indices[0]}"
    low, high = min(indices), max(indices)
    if sorted(indices) == list(range(low, high + 1)):
        return f"{what}s {low}–{high}" if len(indices) > 2 else f"{what}s {low}, {high}"
    if len(indices) <= 6:
        return f"{what}s {', '.join(map(str, indices))}"
    return f"{len(indices)} {what}s of {low}–{high}"


def title(attention: Attention, name: str, query: str) -> str:
    """`all-MiniLM-L6-v2 · layer 3 · 12 heads`: model, stream, layers, heads, the one query if there is one."""
    n_layers, n_heads = attention.weights.shape[:2]
    parts = [name or attention.model]
    if attention.stream != "self":
        parts.append({"cross": "cross-attention"}.get(attention.stream, f"{attention.stream} self-attention"))
    for what, shown, indices in (("layer", n_layers, attention.layers), ("head", n_heads, attention.heads)):
        if shown < len(indices):
            parts.append(f"mean over {listed(what, indices)}")
        elif what == "head" and shown > 1 and tuple(indices) == tuple(range(shown)):
            parts.append(f"{shown} heads")
        else:
            parts.append(listed(what, indices))
    if query:
        parts.append(f"query “{query}”")
    return one_line(" · ".join(part for part in parts if part))


def subtitles(
    attention: Attention, sums: tuple[float, float], panels: int, marks: Sequence[tuple[int, int]], one_row: str
) -> tuple[str, ...]:
    """Random weights or not; the marked weights, if there is one panel; what a row is (`one_row`: whose weights).

    The same in three lengths, longest first.
    """
    said = []
    if attention.meta.get("random"):
        seed = attention.meta.get("seed")
        said.append("random weights" + (f", seed {seed}" if seed is not None else ""))
    if panels == 1 and len(marks) <= 4:
        texts, weights = (attention.query_tokens, attention.key_tokens), attention.weights[0, 0]
        said += [f"{texts[0][i]} → {texts[1][j]} {weights[i, j]:.2f}" for i, j in marks]
    whole = abs(sums[0] - 1) < 5e-3 and abs(sums[1] - 1) < 5e-3
    row = f"each row: {one_row} weights over the keys" + (", summing to 1" if whole else "")
    ways = [[row], ["each row sums to 1"], ["rows sum to 1"]] if whole else [[row], []]
    return tuple(one_line(" · ".join([*said, *way])) for way in ways)


def row_sums(attention: Attention) -> tuple[float, float]:
    """The smallest and the largest sum of a row that was allowed to attend to anything."""
    sums = attention.weights.sum(-1, dtype=np.float32)
    if attention.mask is not None:
        sums = sums[np.broadcast_to(attention.mask.any(-1)[:, None], sums.shape)]
    return (float(sums.min()), float(sums.max())) if sums.size else (1.0, 1.0)


def notes(
    attention: Attention, scale: Scale, sums: tuple[float, float], hidden: str, over: str, pooled: int, least: float
) -> list[str]:
    """Remarks that belong on the picture.

    hidden: "" or why some cells are grey. over: "" or which weights lie above the scale. pooled: tokens to a drawn cell,
    beyond what the attention itself pooled. least: numbers below it are not printed, 0 if none are left out.
    """
    said = [note for note in attention.reduced.split("; ") if note and not note.startswith("mean over")]
    if attention.cell > 1 and not any("cell" in note for note in said):
        said.append(f"a cell is {attention.cell} x {attention.cell} tokens")
    if pooled > 1:
        said.append(f"drawn as the largest of {pooled} x {pooled} weights a cell")
    if hidden:
        said.append(f"grey: {hidden}")
    low, high = sums
    if (low < 0.995 or high > 1.005) and not any("left out" in note or "pool" in note for note in said):
        said.append(f"rows sum to {number(low)}–{number(high)}" if high - low >= 5e-3 else f"rows sum to {number(high)}")
    if scale.kind == "sqrt":
        said.append("colour grows with the square root of the weight")
    elif scale.kind == "log":
        said.append(f"logarithmic colour, from {number(scale.low)}")
    elif scale.kind == "row":
        said.append("each row coloured by its own largest weight")
    if over:
        said.append(over)
    if least:
        said.append(f"numbers below {number(least)} left out")
    kept = attention.meta.get("notes") or ()
    return [one_line(str(note)) for note in (*said, *((kept,) if isinstance(kept, str) else kept))]


def over_note(count: int, high: float, auto: bool) -> str:
    """`56 weights above 0.3 (the largest outside the first column) drawn as 0.3`, or ''."""
    if not count:
        return ""
    why = " (the largest outside the first column)" if auto else ""
    return f"{count:,} weight{'s' if count > 1 else ''} above {number(high)}{why} drawn as {number(high)}"


def font_note(face: Typeface) -> str:
    """`no font here has: 日 本; install e.g. Noto Sans CJK`, or ''."""
    if not face.missing:
        return ""
    shown = [char if char.isprintable() else f"U+{ord(char):04X}" for char in face.missing[:8]]
    names = dict.fromkeys(
        next((name for low, name, high in _INSTALL if low <= ord(char) <= high), "Noto Sans") for char in face.missing
    )
    more = f" and {len(face.missing) - 8} more" if len(face.missing) > 8 else ""
    codes = " ".join(f"U+{ord(char):04X}" for char in shown if len(char) == 1) or " ".join(shown)
    return f"no font here has {codes}{more} (drawn □); install e.g. {', '.join(list(names)[:2])}"


def hidden_reason(attention: Attention) -> str:
    """Why cells are grey: the future, in a causal model, or simply not allowed; '' if none is."""
    mask = attention.mask
    if mask is None or mask.all():
        return ""
    n_query, n_key = mask.shape[1:]
    causal = n_query == n_key and bool((mask == np.tri(n_query, dtype=bool)).all())
    return "later tokens, not allowed" if causal else "not allowed"


def caption(title_: str, subtitle_: str, scale: Scale, remarks: Sequence[str]) -> str:
    """All of it in one line, for a picture that carries no words."""
    top = "its largest weight" if scale.kind == "row" else number(scale.high)
    colour = f"Colour: {scale.label}, {scale.kind} from {number(scale.low if scale.kind == 'log' else 0)} to {top}"
    parts = [title_, subtitle_[:1].upper() + subtitle_[1:], f"{colour} ({scale.cmap})", *remarks]
    return one_line(". ".join(part.rstrip(".") for part in parts if part) + ".")
