"""A text that a vocabulary does not hold: Arabic to an English model is one [UNK] after the other."""

from __future__ import annotations

import warnings
from collections.abc import Collection

from attnviz.attention import Tokens
from attnviz.errors import AttnvizWarning

WHAT_TO_DO = "name a model that knows its script: -m NAME"


def unknown_note(tokens: Tokens, unknown: Collection[int], name: str) -> str:
    """What to say of a text most of which is unknown, or ''.

    Most: more than half of its characters, white space and special tokens aside, stand in tokens for what is unknown.
    Characters are counted since pieces such as a lone word boundary would hide the loss; where spans are not known,
    tokens are counted. unknown: the ids that stand for what is unknown. name: what to call the model.
    """
    held = [i for i, special in enumerate(tokens.special) if not special]
    lost = [i for i in held if tokens.ids[i] in unknown]
    if not lost:
        return ""
    sizes = [end - start for start, end in tokens.spans] if tokens.spans else [1] * len(tokens)
    if 2 * sum(sizes[i] for i in lost) <= sum(sizes[i] for i in held if tokens.text[i].strip("␣▁")):
        return ""
    return f"{len(lost)} of the text's {len(held)} tokens are unknown to {name} ({tokens.text[lost[0]]})"


def warn_of_unknown(tokens: Tokens, unknown: Collection[int], name: str) -> None:
    """Say so, and what to do."""
    note = unknown_note(tokens, unknown, name)
    if note:
        warnings.warn(f"{note}: the attention is between marks for the unknown; {WHAT_TO_DO}", AttnvizWarning, 4)
