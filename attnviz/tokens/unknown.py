"""A text that a vocabulary does not hold: Arabic to an English model is one [UNK] after the other."""

from __future__ import annotations

import warnings
from collections.abc import Collection

from attnviz.axis import Tokens
from attnviz.errors import AttnvizWarning

WHAT_TO_DO = "name a model that knows its script: -m NAME"


def unknown_note(tokens: Tokens, unknown: Collection[int], name: str) -> str:
    """What to say of a text of whose tokens or words a quarter or more is unknown, or ''.

    Special tokens are not counted. Lone word boundaries count in what is said, not towards the quarter, since each
    would hide an unknown word behind it. A word is unknown with any of its tokens: pieces of the known words would hide
    the loss in a picture of words. unknown: the ids that stand for what is unknown. name: what to call the model.
    """
    held = [i for i, special in enumerate(tokens.special) if not special]
    lost = [i for i in held if tokens.ids[i] in unknown]
    pieces = sum(bool(tokens.text[i].strip("␣▁")) for i in held)
    words, gone = (
        {(tokens.segments[i], tokens.words[i]) for i in some if tokens.words[i] >= 0} for some in (held, lost)
    )
    if not lost or (4 * len(lost) < pieces and (not gone or 4 * len(gone) < len(words))):
        return ""
    return f"{len(lost)} of the text's {len(held)} tokens are unknown to {name} ({tokens.text[lost[0]]})"


def warn_of_unknown(tokens: Tokens, unknown: Collection[int], name: str) -> None:
    """Say so, and what to do."""
    note = unknown_note(tokens, unknown, name)
    if note:
        warnings.warn(f"{note}: they are all the same to it; {WHAT_TO_DO}", AttnvizWarning, 4)
