"""Options that say how a picture looks: its colours and numbers, and its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.cli.options import PAGE, SHADE, usage
from attnviz.errors import AttnvizError, one_of
from attnviz.flags import option

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions

# Of maps: `page.layout` takes a little more than 300 for a fixed width, so that cells are whole pixels.
DPI_OF_MAPS = "200; with --width 300 or a little more, for cells of whole pixels"


@dataclass(frozen=True)
class Colours:
    """The colours and digits of numbers."""

    scale: str = option(
        "auto",
        "linear, sqrt, log, row (each row by its own largest) or auto: linear up to 16 keys to a row, sqrt beyond.",
        metavar="KIND",
        shown=True,
        panel=SHADE,
    )
    vmax: str | None = option(
        None,
        "The weight at the end of the colours, or auto: one that about a quarter of the rows reach, special "
        "tokens and the first key aside. Default: above all weights to other keys; auto beyond 64 keys.",
        metavar="X|auto",
        panel=SHADE,
    )
    cmap: str = option(
        "ink",
        "ink (white at 0, in a terminal its background), Greys, viridis, cividis, magma, ...",
        metavar="NAME",
        shown=True,
        panel=SHADE,
    )
    decimals: int = option(
        2, "Digits after the point; 0 prints none in a picture.", metavar="N", shown=True, panel=SHADE
    )

    def __post_init__(self) -> None:
        from attnviz.page.scale import check_cmap, check_scale

        object.__setattr__(self, "vmax", limit(self.vmax))  # a text for typer, a number from here on
        for check, value in ((check_scale, self.scale), (check_cmap, self.cmap)):
            try:
                check(value)
            except AttnvizError as error:
                usage(f"--{error}", error.hint)
        if not 0 <= self.decimals <= 7:
            usage(f"--decimals wants 0 to 7; got {self.decimals}")


@dataclass(frozen=True)
class Pace:
    """The speed of an animation."""

    frame_ms: int = option(
        800, "Milliseconds per frame, in .gif and .apng.", metavar="N", low=20, high=60_000, shown=True, panel=PAGE
    )


@dataclass(frozen=True)
class Picture:
    """The picture as a whole."""

    width: str | None = option(
        None, "Width: 3.25in, 8.25cm, 82mm, or 3.25, which is inches.", metavar="LENGTH", panel=PAGE
    )
    height: str | None = option(None, "Height, written like the width.", metavar="LENGTH", panel=PAGE)
    dpi: int | None = option(None, "Dots per inch, in PNG. Default: {dpi}.", metavar="N", panel=PAGE)
    font: str | None = option(None, "Font family or file.", metavar="NAME|PATH", panel=PAGE)
    font_size: float | None = option(None, "Size of labels in points.", metavar="PT", panel=PAGE)
    title: str | None = option(None, "Title instead of the usual one.", metavar="TEXT", panel=PAGE)
    bare: bool = option(False, "No title, colour bar or notes; the caption goes to standard error.", panel=PAGE)
    svg_text: str = option("keep", "Text in SVG as text or as outlines.", metavar="keep|paths", shown=True, panel=PAGE)

    def __post_init__(self) -> None:
        from attnviz.page.figure_options import length

        if self.svg_text not in ("keep", "paths"):
            usage(one_of("--svg-text", self.svg_text, ("keep", "paths")))
        for side in ("width", "height"):  # a text for typer, inches from here on
            object.__setattr__(self, side, length(f"--{side}", getattr(self, side)))
        for name, low, high in (("width", 0.5, 100), ("height", 0.5, 100), ("dpi", 20, 2400), ("font_size", 1, 72)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                unit = " inches" if name in ("width", "height") else ""
                usage(f"--{name.replace('_', '-')} wants {low} to {high}{unit}; got {value:g}")


def figure_options(*groups: Colours | Picture | Pace) -> FigureOptions:
    """All options of these groups, as a picture or a map in a terminal takes them."""
    from attnviz.page.figure_options import FigureOptions

    return FigureOptions(**{name: value for group in groups for name, value in vars(group).items()})


def limit(vmax: str | None) -> float | str | None:
    """--vmax as a number, "auto" or None."""
    if vmax in (None, "auto"):
        return vmax
    try:
        value = float(str(vmax))
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        usage(f"--vmax wants a number above 0, or auto; got {vmax!r}")
    return value
