"""Title, subtitle, notes and caption of a picture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.facts import attention_notes, head_name, heading, randomness
from attnviz.facts import with_query as with_query
from attnviz.page.advice import install
from attnviz.page.scale import FEW, PALE, masked, number
from attnviz.page.text_metrics import SAYS, is_shaped, one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.page.figure import Scale
    from attnviz.page.text_metrics import Typeface

CAUTION = "titles: what each head does most often, in English"
_CELLS = " over cells of "  # as a pooled Attention words it
_JOINING = (3, 11)  # the first matplotlib that shapes Arabic, Hindi and their like


def does_alone(attention: Attention, does: Mapping[str, str] | None) -> str:
    """The description of the only head of a picture, '' where there is none or several heads."""
    return (does or {}).get(head_name(*attention.places[0]), "") if len(attention.places) == 1 else ""


def title(attention: Attention, name: str, query: str, does: Mapping[str, str] | None = None) -> str:
    """`all-MiniLM-L6-v2 · layer 3 · 12 heads`: model, stream, layers, heads, what one head does, the one query."""
    return one_line(heading(attention, name, does_alone(attention, does), query))


def headings(attention: Attention, does: Mapping[str, str] | None = None) -> list[str]:
    """Names of the panels beside the title: `head 1`, `layer 3` where each has one head, `3.1` of pairs.

    does: what a head does, by `3.1`; it follows the name, unless a heading is above a column of layers.
    """
    n_layers, n_heads = attention.weights.shape[:2]
    if n_layers > 1 and n_heads > 1:
        does = None
    names = ["mean" if None in place else head_name(*place) for place in attention.places]
    titles = names
    if not attention.pairs:
        titles = ["mean" if head is None else f"head {head}" for _, head in attention.places]
        titles = list(layer_names(attention)) if n_layers > 1 and n_heads == 1 else titles
    what = does or {}
    return [f"{title}{SAYS}{what[name]}" if name in what else title for title, name in zip(titles, names, strict=True)]


def layer_names(attention: Attention) -> tuple[str, ...]:
    """`layer 3` for each layer."""
    return tuple(f"layer {layer}" for layer, _ in attention.places[:: attention.weights.shape[1]])


def subtitles(
    attention: Attention,
    sums: tuple[float, float],
    panels: int,
    marks: Sequence[tuple[int, int]],
    one_row: str,
    pooled: int = 1,
) -> tuple[str, ...]:
    """A note on random weights; the marked weights, if there is one panel; the meaning of a row.

    one_row: whose weights a row has. pooled: tokens to a drawn cell, beyond what the attention itself pooled. Up to
    three lengths, the longest first.
    """
    parts = list(filter(None, [randomness(attention.meta)]))
    if panels == 1 and len(marks) <= 4:
        queries, keys = attention.query_tokens, attention.key_tokens
        parts += [f"{queries[i]} → {keys[j]} {float(attention.weights[0, 0, i, j]):.2f}" for i, j in marks]
    what = str(attention.meta.get("measure", "weights")).partition(",")[0]
    row = f"each row: {one_row} {what} over the keys"
    ways: list[list[str]]
    if attention.cell > 1:
        ways = [[f"each cell: {_cell(attention)}"], [_cell(attention)]]
    elif pooled == 1 and abs(sums[0] - 1) < 5e-3 and abs(sums[1] - 1) < 5e-3:
        ways = [[f"{row}, summing to 1"], ["each row sums to 1"], ["rows sum to 1"]]
    else:
        ways = [[row], []]
    return tuple(one_line(" · ".join([*parts, *way])) for way in ways)


def _cell(attention: Attention) -> str:
    """Name a cell of pooled attention: `the largest weight of 8 x 8 tokens`."""
    how = next((note.partition(" ")[0] for note in attention.reduced.split("; ") if _CELLS in note), "")
    which = {"max": "the largest weight of ", "mean": "the mean weight of "}.get(how, "")
    return f"{which}{attention.cell} x {attention.cell} tokens"


def row_sums(attention: Attention, query: int | None = None) -> tuple[float, float]:
    """The smallest and the largest sum of a row that was allowed to attend to anything. query: only its rows."""
    sums = attention.weights.sum(-1, dtype=np.float32)
    allowed = attention.allowed
    if allowed is not None:
        anything = np.logical_or.reduce(allowed, -1)
        anything = np.broadcast_to(anything, sums.shape)
        sums = sums[anything] if query is None else sums[..., query][anything[..., query]]
    elif query is not None:
        sums = sums[..., query]
    return (float(sums.min()), float(sums.max())) if sums.size else (1.0, 1.0)


def notes(
    attention: Attention,
    scale: Scale,
    sums: tuple[float, float],
    hidden: str,
    over: str,
    pooled: int,
    numbers: str,
    shade: str = "colour",
) -> list[str]:
    """Remarks that belong on the picture.

    hidden: "" or why some cells are grey. over: "" or which weights lie above the scale. pooled: tokens to a drawn
    cell, beyond what the attention itself pooled. numbers: "" or which numbers the cells do not have. shade: as for
    `colour_note`.
    """
    remarks = [note for note in reductions(attention) if _CELLS not in note]
    if pooled > 1:
        remarks.append(f"drawn as the largest of {pooled} x {pooled} weights a cell")
    if hidden:
        remarks.append(f"{masked(scale.cmap)}: {hidden}")
    low, high = sums
    partial = attention.cell > 1 or pooled > 1 or any("left out" in note for note in remarks)
    if (low < 0.995 or high > 1.005) and not partial:
        remarks.append("rows sum to " + (f"{number(low)}–{number(high)}" if high - low >= 5e-3 else number(high)))
    remarks += [note for note in (colour_note(scale, shade), over, numbers) if note]
    return [*map(one_line, remarks), *from_model(attention)]


def reductions(attention: Attention) -> list[str]:
    """Notes on tokens left out or pooled, without a mean over layers or heads, which the title names."""
    return [note for note in attention.reduced.split("; ") if note and not note.startswith("mean over")]


def from_model(attention: Attention) -> list[str]:
    """Notes that the attention carries: configuration keys that were ignored, and more."""
    return [one_line(note) for note in attention_notes(attention.meta)]


def colour_note(scale: Scale, shade: str = "colour") -> str:
    """A note on the growth of colour where it is not even, or ''.

    shade: what grows: colour on paper, a shade in a terminal, whose zero may be dark or a blank.
    """
    first = "white" if shade == "colour" and scale.cmap in PALE else f"the first {shade}"
    if scale.kind == "sqrt":
        why = f", as more than {FEW} keys share a row" if scale.auto else ""
        return f"{shade} grows with the square root of the weight{why}"
    if scale.kind == "log":
        return f"logarithmic {shade}, from {number(scale.low)}; what is less has its first {shade}"
    if scale.kind == "panel":
        return f"each layer has a scale of its own, as its heading says: {first} is its lower end, and less"
    if scale.low > 0:
        return f"{first}: {number(scale.low)} and less"
    painted = "coloured" if shade == "colour" else "shaded"
    return f"each row {painted} by its own largest weight" if scale.kind == "row" else ""


def over_note(count: int, high: float, why: str, special: bool = True, unit: str = "weight") -> str:
    """`56 weights above 0.3 drawn as 0.3`, or ''.

    why: as `attnviz.page.colour_limits.limits` gives it.
    special: whether some keys are special tokens. unit: of what, one.
    """
    if not count:
        return ""
    top = number(high)
    some = unit if count == 1 else f"{unit}s"
    if why == "sinks":
        some += " to special tokens or the first key" if special else " to the first key"
    aside = "special tokens and the first key" if special else "the first key"
    chosen = f", a limit that about a quarter of the rows reach, {aside} aside," if why == "rows" else ""
    return f"{count:,} {some} above {top}{chosen} drawn as {top}"


def under_note(values: Sequence[NDArray[Any]], scales: Sequence[Scale]) -> str:
    """`12 flows below 0.7 drawn as 0.7`, or ''. values: [row, column] of each panel; scales: one for each, or for all.

    A 0 does not count: it is not allowed, or was not computed.
    """
    each = [scales[0]] * len(values) if len(scales) == 1 else scales
    count = sum(
        int(((panel > 0) & (panel < scale.low * (1 - 1e-6))).sum()) for panel, scale in zip(values, each, strict=True)
    )
    if not count:
        return ""
    some = "1 flow" if count == 1 else f"{count:,} flows"
    if len(scales) > 1:
        return f"{some} below the lower end of their layer's scale drawn as that"
    return f"{some} below {number(scales[0].low)} drawn as {number(scales[0].low)}"


def font_note(face: Typeface) -> str:
    """`no font here has: 日 本; install e.g. Noto Sans CJK (Debian: fonts-noto-cjk)`, or ''."""
    if not face.missing:
        return ""
    shown = [char if char.isprintable() else f"U+{ord(char):04X}" for char in face.missing[:8]]
    more = f" and {len(face.missing) - 8} more" if len(face.missing) > 8 else ""
    codes = " ".join(f"U+{ord(char):04X}" for char in shown if len(char) == 1) or " ".join(shown)
    note = f"no font here has {codes}{more} (drawn □)"
    return "; ".join(filter(None, (note, install(face.missing))))


def joining_note(texts: Iterable[str]) -> str:
    """Whether letters that should join stand apart, because the library that draws them is too old; or ''."""
    if not any(map(is_shaped, texts)):
        return ""
    from importlib.metadata import version  # slow to import, and only such letters need it

    have = version("matplotlib")
    old = tuple(int(part) for part in have.split(".")[:2] if part.isdecimal()) < _JOINING
    return f"letters that join are drawn apart: matplotlib {have} cannot join them, 3.11 can" if old else ""


def hidden_reason(attention: Attention) -> str:
    """Why cells are grey: the future, in a causal model, or simply not allowed; '' if none is."""
    mask = attention.mask
    if mask is None or mask.all():
        return ""
    n_query, n_key = mask.shape[1:]
    causal = n_query == n_key and bool((mask == np.tri(n_query, dtype=bool)).all())
    if causal:
        return "later tokens, not allowed"
    # What a mechanism hides may differ from head to head; the mask holds what is hidden from all of them.
    differ = attention.weights.shape[1] > 1 and attention.meta.get("mechanism") is not None
    apart = differ and bool(((attention.weights == 0) & attention.allowed).any())
    return "not allowed in any of these heads" if apart else "not allowed"


def colours(scale: Scale) -> str:
    """`Colour: attention weight, linear from 0 to 0.6 (ink)`."""
    top = "its largest weight" if scale.kind == "row" else number(scale.high)
    ends = "" if scale.kind == "panel" else f", {scale.kind} from {number(scale.low)} to {top}"
    return f"Colour: {scale.label}{ends} ({scale.cmap})"


def caption(title_: str, subtitle_: str, scale: Scale, remarks: Sequence[str]) -> str:
    """All of it in one line, for a picture that carries no words."""
    parts = [title_, subtitle_[:1].upper() + subtitle_[1:], colours(scale), *remarks]
    return one_line(". ".join(part.rstrip(".") for part in parts if part) + ".")
