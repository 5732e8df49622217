"""The first picture: what `attnviz heatmap TEXT` draws of tiny where no layer and no head is named.

Its last layer, which is what other models show, is stripes; so eight of its heads are drawn that do something with a
name, in whole words and without special tokens. docs/tiny.md says how often each does what its title says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from attnviz.cli.options import HEADS, Selection, usage
from attnviz.flags import option

if TYPE_CHECKING:
    from attnviz.attention import Attention

NINE = ("0.0", "1.0", "2.0", "2.2", "1.2", "2.3", "3.2", "3.1", "5.1")
ENDS = ("2.3", "3.2")  # nearest content words, and end marks: the latter where the text has an end mark
END_MARKS = frozenset(".!?")


@dataclass(frozen=True)
class Shown(Selection):
    """Which layers, heads and tokens a picture shows; of tiny, where neither -l nor -H is given, the first picture."""

    head: str = option("", f"{HEADS} Default: all; of tiny, without -l, eight.", "-H", "--head", metavar="HEADS")
    pieces: bool = option(False, "Word pieces. Default: yes, but in the first picture of tiny whole words.")
    special: bool = option(False, "Special tokens too. Default: yes, but not in the first picture of tiny.")
    map: bool = option(
        False, "With --image: the map of queries and keys, instead of one query's weights over the picture."
    )

    def __post_init__(self) -> None:
        if self.words and self.pieces:
            usage("--words and --pieces exclude each other")
        if self.no_special and self.special:
            usage("--no-special and --special exclude each other")
        if self.head:
            super().__post_init__()
        else:
            replace(self, head="all")  # raises what is wrong with the rest

    def free(self) -> bool:
        """Whether no option selects maps, or asks for a picture that the first one cannot be."""
        named = (self.layer, self.head or None, self.mean, self.rows, self.cols, self.cells)
        return all(value is None for value in named)

    def completed(self, opening: bool) -> Shown:
        """With the heads that are computed: of the first picture, or all."""
        if not opening:
            return replace(self, head=self.head or "all")
        return replace(self, head=",".join(NINE), words=not self.pieces, no_special=not self.special)


def eight(attention: Attention) -> Attention:
    """Select the eight heads that are drawn: end marks where there are any, else the other head of `ENDS`."""
    marks = any(set(text) <= END_MARKS for text in attention.key_tokens)
    return attention.select(heads=[head for head in NINE if head != ENDS[not marks]])


def heading(attention: Attention, query: int | None = None) -> str:
    """The title of the first picture. query: whose row is shown alone."""
    from attnviz.page.wording import with_query

    title = f"{attention.model} · eight heads and what they do"
    return with_query(title, "" if query is None else attention.query_tokens[query])
