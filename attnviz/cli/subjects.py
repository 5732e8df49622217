"""What an analysis looks at, by name: the options that say which, and how the command line opens it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.cli.analyses import Heads
from attnviz.cli.options import Input, Saved, usage
from attnviz.cli.source import Source
from attnviz.cli.two import Other, open_two

if TYPE_CHECKING:
    from attnviz.analyses.base import Analysis
    from attnviz.attention import Attention
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


def _some_rows(analysis: Analysis, values: dict[str, Any]) -> Attention:
    """Whole maps of attention, a model's or a file's; of a long text some rows of them, spread evenly."""
    from attnviz.cli import work
    from attnviz.models.source import attend_some_rows
    from attnviz.render.progress import progress
    from attnviz.select import resolve_heads

    given, saved, source, heads, talk = (values[name] for name in ("given", "saved", "source", "heads", "talk"))
    if saved.saved is not None:
        return work.joined(work.attention(given, saved, source, heads.selection(), talk, layers=analysis.layers), heads)
    model, model_input = work.prepared(given, source, heads.stream, talk)
    at = resolve_heads(heads.layer or analysis.layers, heads.head, model_input.spec.n_layers, model_input.spec.n_heads)
    with progress("attention", total=1, quiet=talk.quiet) as advance:
        return attend_some_rows(model, model_input, at, heads.words, not heads.no_special, advance)


_MAPS = {"given": Input, "saved": Saved, "source": Source, "heads": Heads}
SUBJECTS = {
    "attention": Subject(_MAPS, _attention),
    "text or random tokens": Subject(_MAPS, _text_or_random),
    "maps of some rows": Subject(_MAPS, _some_rows),
    "two sources": Subject({"given": Input, "other": Other, **_MAPS}, open_two),
}
