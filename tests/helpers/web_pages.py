"""Pages for a browser, as bytes."""

from __future__ import annotations

from functools import cache

from helpers.toy_attention import attention

from attnviz.attention import Attention
from attnviz.page.parts import Explorer, Page
from attnviz.page.parts.part import Part
from attnviz.render.formats import encode

WORDS = tuple("[CLS] The cat sat on the mat because it was tired . [SEP]".split())


def page_of(*parts: Part, title: str = "A page of a test", notes: tuple[str, ...] = ("a note",)) -> bytes:
    """A page that holds these parts."""
    return encode("html", Page(title, "and its subtitle", parts, notes), made_by={"command": "attnviz html"})


def explorer_page(*attentions: Attention, title: str = "A page of a test", **options) -> bytes:
    """A page that holds one explorer. options: fields of `Explorer`."""
    return page_of(Explorer(attentions, **options), title=title)


@cache
def small_attention() -> Attention:
    """2 x 3 heads over 13 words, two of them special; some weights large."""
    return attention(2, 3, WORDS, seed=1, peak=0.2)


@cache
def small_page() -> bytes:
    """The page of `small_attention`."""
    return explorer_page(small_attention())
