"""Warn about a text that a vocabulary does not hold: to an English model Arabic is one [UNK] after another."""

from __future__ import annotations

import warnings
from collections.abc import Collection

from attnviz.axis import Tokens
from attnviz.errors import AttnvizWarning

WHAT_TO_DO = "name a model that knows its script: -m NAME"


def unknown_note(tokens: Tokens, unknown: Collection[int], name: str) -> str:
    """The warning for a text with a quarter or more of its tokens or words unknown, or ''.

    Special tokens are not counted. Lone word boundaries count in the message, but not towards the quarter, since each
    would hide the unknown word after it. A word with an unknown token is unknown: otherwise the word's known pieces
    would hide the loss in a picture of words. unknown: the ids of unknown tokens. name: the model's name for the
    message.
    """
    plain = [i for i, special in enumerate(tokens.special) if not special]
    lost = [i for i in plain if tokens.ids[i] in unknown]
    pieces = sum(bool(tokens.text[i].strip("␣▁")) for i in plain)
    words, gone = (
        {(tokens.segments[i], tokens.words[i]) for i in some if tokens.words[i] >= 0} for some in (plain, lost)
    )
    if not lost or (4 * len(lost) < pieces and (not gone or 4 * len(gone) < len(words))):
        return ""
    return f"{len(lost)} of the text's {len(plain)} tokens are unknown to {name} ({tokens.text[lost[0]]})"


def warn_of_unknown(tokens: Tokens, unknown: Collection[int], name: str) -> None:
    """The message, and its advice."""
    note = unknown_note(tokens, unknown, name)
    if note:
        warnings.warn(f"{note}: they are all the same to it; {WHAT_TO_DO}", AttnvizWarning, 4)
