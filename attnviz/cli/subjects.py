"""What an analysis looks at, by name: the options that say which, and how the command line opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.cli.analyses import Heads
from attnviz.cli.options import Input, Saved, usage
from attnviz.cli.source import Source

if TYPE_CHECKING:
    from attnviz.analyses.base import Analysis
    from attnviz.models.source import AttentionSource


@dataclass(frozen=True)
class Subject:
    """groups: parameter -> its group of options. open: an analysis and the groups' values -> what it computes on."""

    groups: Mapping[str, type]
    open: Callable[[Analysis, dict[str, Any]], Any]


def _attention(analysis: Analysis, values: dict[str, Any]) -> AttentionSource:
    """A model's attention on an input, or a file's."""
    from attnviz.cli import passages

    return passages.passage(*(values[name] for name in ("given", "saved", "source", "heads", "talk")))


def _text_or_random(analysis: Analysis, values: dict[str, Any]) -> dict[str, AttentionSource]:
    """`text`, `random` or both: attention on the input, and on random tokens that come twice."""
    from attnviz.cli import passages

    saved, random = values["saved"].saved is not None, values["options"].random
    if random and saved:
        usage("--random needs a model: what is in a file has been computed")
    sources = {}
    if values["given"].given() or saved or not random:
        sources["text"] = _attention(analysis, values)
    if random:
        sources["random"] = passages.repeated(values["source"], values["heads"], values["talk"])
    return sources


_MAPS = {"given": Input, "saved": Saved, "source": Source, "heads": Heads}
SUBJECTS = {
    "attention": Subject(_MAPS, _attention),
    "text or random tokens": Subject(_MAPS, _text_or_random),
}
