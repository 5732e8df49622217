"""One map in an axes of the user's own matplotlib figure, which settles the sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, Locator

from attnviz.errors import SelectionError
from attnviz.page import wording
from attnviz.page.cell_numbers import CellNumbers
from attnviz.page.colour_limits import limits
from attnviz.page.colours import is_dark
from attnviz.page.figure_options import FigureOptions, check_attention
from attnviz.page.scale import check_cmap, check_scale, number, ticks
from attnviz.page.text_metrics import one_line, printable, typeface
from attnviz.render.scene import EDGE, VECTOR_SIDE
from attnviz.render.theme import HIDDEN, PAPER, TONES, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.backend_bases import RendererBase
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.page.figure import Scale

_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


def heatmap_in(
    axes: Axes,
    attention: Attention,
    *,
    scale: str = "auto",
    vmax: float | str | None = None,
    cmap: str = "ink",
    colorbar: bool = True,
    decimals: int = 2,
    marks: Sequence[tuple[int, int]] = (),
    title: str | None = None,
    font_size: float | None = None,
) -> Axes:
    """Draw one map, [1 layer, 1 head, query, key], into a matplotlib axes; returns the axes.

    The cell of query i and key j is centred at (j, i). Labels are thinned, and numbers printed in cells, as the axes'
    size allows when the figure is drawn, so that subplots and layout engines work.

    Args:
        scale, vmax, cmap, marks: as for `attnviz.page.heatmap.heatmap`.
        colorbar: whether a colour bar takes a part of the axes, as matplotlib's own do.
        decimals: of the numbers in the cells; 0 prints none.
        title: instead of layer and head; "" for none.
        font_size: of the labels, in points; by default the size of matplotlib's ticks.

    Raises SelectionError: several maps, or an option's value that is not possible. InputError: weights that are not
    finite.
    """
    _check_one(attention)
    check_scale(scale)
    cmap = check_cmap(cmap)
    check_attention(attention, FigureOptions(font_size=font_size, decimals=decimals), marks)
    (values, allowed), *_ = attention.maps()
    extent, _ = limits(attention, scale, vmax, cmap)
    if extent.kind == "row":  # each row has an end of its own
        values, extent = extent.unit(values), replace(extent, kind="linear")
    norm = _Norm(extent)
    red, green, blue = HIDDEN
    colours = ListedColormap(table(extent.cmap) / 255, extent.cmap).with_extremes(
        bad=(red / 255, green / 255, blue / 255)
    )
    shown = np.ma.masked_array(values, False if allowed is None else ~allowed)
    edges = [np.arange(n + 1) - 0.5 for n in reversed(values.shape)]
    mesh = axes.pcolormesh(*edges, shown, cmap=colours, norm=norm, rasterized=max(values.shape) > VECTOR_SIDE)
    mesh.set(edgecolor="face", linewidth=0.2)  # a reader of PDF would show seams between cells without edges
    axes.set(xlim=edges[0][[0, -1]], ylim=edges[1][[-1, 0]], aspect="equal")
    size = font_size or _points(axes)
    _label(axes, attention, size, title)
    for query, key in marks:
        for width, tone in ((2.2, "paper"), (1.2, "mark")):
            place = (key - 0.5, query - 0.5)
            axes.add_patch(Rectangle(place, 1, 1, fill=False, linewidth=width, edgecolor=TONES[tone], zorder=3))
    face = typeface(None, ["0123456789.−"])
    numbers = CellNumbers([values], extent, face, decimals)
    if numbers.wanted:
        dark = is_dark((colours(norm(shown))[..., :3] * 255).round().astype(np.uint8))
        axes.add_artist(_Numbers(axes, numbers, dark, size))
    if colorbar:
        above = bool((values > extent.high * (1 + 1e-6)).any())
        _add_colorbar(axes, mesh, extent, size, above)
    return axes


def _check_one(attention: Attention) -> None:
    n_layers, n_heads = attention.weights.shape[:2]
    if (n_layers, n_heads) == (1, 1):
        return
    layer, head = attention.places[0]
    first = {"layers": layer, "heads": f'"{layer}.{head}"' if attention.pairs else head}
    named = [f"{axis}={index}" for axis, index in first.items() if index is not None]
    chosen = ", ".join(named[1:] if attention.pairs else named)
    heads = f"{n_heads} heads" if attention.pairs else f"{n_layers} x {n_heads} heads"
    raise SelectionError(
        f"an axes holds one map; this attention has {heads}",
        f"choose one, as in attention.select({chosen}).heatmap(ax=ax)",
    )


class _Norm(Normalize):
    """A Scale as matplotlib's colour bars and hover texts want it."""

    def __init__(self, scale: Scale) -> None:
        super().__init__(scale.low, scale.high)
        self.scale = scale

    def __call__(self, value: Any, clip: bool | None = None) -> Any:
        array = np.ma.asarray(value)
        unit = self.scale.unit(np.atleast_1d(array.filled(0)).astype(np.float32)).astype(np.float64)
        return np.ma.masked_array(unit.reshape(array.shape), np.ma.getmask(array))

    def inverse(self, value: Any) -> Any:
        low, high, unit = self.scale.low, self.scale.high, np.asarray(value, np.float64)
        if self.scale.kind == "log":
            return low * (high / low) ** unit
        return low + (unit**2 if self.scale.kind == "sqrt" else unit) * (high - low)


class _Every(Locator):
    """Every token, or every second, fifth, ...: as many labels as have room along an axis when it is drawn."""

    def __init__(self, axes: Axes, count: int, across: bool, size: float) -> None:
        self.axes, self.count, self.across, self.size = axes, count, across, size

    def __call__(self) -> Sequence[float]:
        cell = _cell(self.axes)[0 if self.across else 1]
        step = next((step for step in _STEPS if step * cell >= self.size), _STEPS[-1])
        return range(0, self.count, step)

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        return self()


class _Numbers(Artist):
    """Numbers in the cells, where the cells have room for them when they are drawn."""

    def __init__(self, axes: Axes, numbers: CellNumbers, dark: NDArray[np.bool_], base: float) -> None:
        super().__init__()
        self.numbers, self.dark, self.base = numbers, dark, base
        self.word = Text(0, 0, "", ha="center", va="center_baseline", transform=axes.transData)
        self.word.axes = axes
        self.word.set_figure(axes.figure)
        self.set_in_layout(False)
        self.set_zorder(2)

    def draw(self, renderer: RendererBase) -> None:
        wide, high = _cell(self.word.axes)
        size = self.numbers.size(wide, high, self.base / 0.9)
        if not size or not self.get_visible():
            return
        self.word.set_fontsize(size)
        for i, row in enumerate(self.numbers.texts()[0]):
            for j, text in enumerate(row):
                if text:
                    self.word.set(position=(j, i), text=text, color=PAPER if self.dark[i, j] else TONES["black"])
                    self.word.draw(renderer)


def _cell(axes: Any) -> tuple[float, float]:
    """Width and height of a cell in points, as the axes stands now."""
    (x0, y0), (x1, y1) = axes.transData.transform([(0, 0), (1, 1)])
    return abs(x1 - x0) * 72 / axes.figure.dpi, abs(y1 - y0) * 72 / axes.figure.dpi


def _points(axes: Axes) -> float:
    """The size of matplotlib's tick labels in this axes."""
    labels = axes.xaxis.get_ticklabels()
    return float(labels[0].get_fontsize()) if labels else 10.0


def _label(axes: Axes, attention: Attention, size: float, title: str | None) -> None:
    """Tokens along both axes, their names, the title."""
    face = typeface(None, ["x"])
    for axis, name, tokens, across in (
        (axes.xaxis, "key", attention.key_tokens, True),
        (axes.yaxis, "query", attention.query_tokens, False),
    ):
        texts = [printable(token) for token in tokens]
        axis.set_major_locator(_Every(axes, len(texts), across, size * 1.15))
        axis.set_major_formatter(FuncFormatter(lambda place, _, texts=texts: texts[int(place)]))
        axis.set_label_text(name, color=TONES["soft"], fontsize=size)
        lies = across and max(face.width(text, size) for text in texts) <= _cell(axes)[0] - 0.3 * size
        axis.set_tick_params(
            length=0, labelsize=size, labelcolor=TONES["ink"], labelrotation=90 if across and not lies else 0
        )
    usual = wording.title(replace(attention, model=""), "", "")
    axes.set_title(
        usual if title is None else one_line(title), color=TONES["ink"], fontsize=1.1 * size, parse_math=False
    )
    for spine in axes.spines.values():
        spine.set(edgecolor=TONES["edge"], linewidth=EDGE)


def _add_colorbar(axes: Axes, mesh: Any, scale: Scale, size: float, above: bool) -> None:
    """The colour bar; its highest number has a ≥ if some weights lie above."""
    figure: Any = axes.figure
    bar = figure.colorbar(mesh, ax=axes)
    values = [value for value, _ in ticks(scale.kind, scale.low, scale.high)]
    texts = [number(value).replace("-", "−") for value in values]
    bar.set_ticks(values, labels=[*texts[:-1], ("≥" if above else "") + texts[-1]])
    bar.set_label(scale.label, color=TONES["soft"], fontsize=size)
    bar.ax.tick_params(labelsize=size, labelcolor=TONES["ink"])
    bar.minorticks_off()
    bar.outline.set(edgecolor=TONES["edge"], linewidth=EDGE)
