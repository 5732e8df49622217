"""Heatmaps one after the other, as an animation shows them: of one layer, or of one query, at a time.

All have the same scale, size and remarks, so that nothing but the weights and the title changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from attnviz.errors import SelectionError
from attnviz.page import wording
from attnviz.page.figure import Figure, Label
from attnviz.page.heatmap import heatmap
from attnviz.page.text_metrics import one_line

if TYPE_CHECKING:
    from attnviz.attention import Attention

DPI = 120.0  # unless asked for: a screen has no more, and every frame is as large as the first
_MARGIN = 3.0  # points right of a title


@dataclass(frozen=True, eq=False)
class Frames(Sequence[Figure]):
    """Figures of one size, each made when it is asked for.

    attention: whose scale and remarks hold for all. parts: what each frame shows, and which of its queries (None: all).
    titles: of each frame. options: as `heatmap` takes them; cells have no numbers, which nobody reads so quickly.
    """

    attention: Attention
    parts: Sequence[tuple[Attention, int | None]]
    titles: Sequence[str]
    options: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: Any) -> Any:
        """The frame at a place. All are laid out with the longest title, which is then replaced by their own."""
        part, query = self.parts[index]
        longest = max(self.titles, key=len)
        how = {**self.options, "title": longest, "decimals": 0, "query": query}
        if how.get("dpi") is None and how.get("width") is None:
            how["dpi"] = DPI
        figure = heatmap(part, among=self.attention, **how)
        title = self.titles[index]
        labels = _titled(figure, title)
        return replace(figure, title=title, labels=labels, caption=figure.caption.replace(one_line(longest), title, 1))


def by_layer(attention: Attention, *, query: int | None = None, title: str | None = None, **options: Any) -> Frames:
    """A frame for each layer, with all its heads. query: this query's weights alone. options: as for `heatmap`.

    Raises SelectionError: heads of different layers, or layers that were averaged, are no whole layers.
    """
    if attention.pairs or len(attention.layers) != attention.weights.shape[0]:
        raise SelectionError(
            "an animation shows a layer after the other, with the same heads", "choose them as in -l all -H 0-3"
        )
    parts = [attention.select(layers=layer) for layer in attention.layers]
    asked = attention.query_tokens[query] if query is not None else ""
    name = options.get("name") or ""
    titles = [
        f"{one_line(title)} · layer {layer}" if title is not None else wording.title(part, name, asked)
        for layer, part in zip(attention.layers, parts, strict=True)
    ]
    return Frames(attention, [(part, query) for part in parts], titles, options)


def by_query(attention: Attention, *, title: str | None = None, **options: Any) -> Frames:
    """A frame for each query, with its weights in every head. options: as for `heatmap`."""
    name = options.get("name") or ""
    titles = [
        f"{one_line(title)} · “{token}”" if title is not None else wording.title(attention, name, token)
        for token in attention.query_tokens
    ]
    return Frames(attention, [(attention, i) for i in range(len(titles))], titles, options)


def _titled(figure: Figure, title: str) -> tuple[Label, ...]:
    """The labels with another title in the place of the first one's lines."""
    old = [label for label in figure.labels if label.role == "title"]
    rest = [label for label in figure.labels if label.role != "title"]
    if not old or figure.face is None:
        return tuple(rest)
    room = figure.width - old[0].x - _MARGIN
    lines = figure.face.wrap(one_line(title), old[0].size, room, "bold")
    return (*(replace(label, text=line) for label, line in zip(old, lines, strict=False)), *rest)
