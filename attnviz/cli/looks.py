"""Options that say how a picture looks: its colours and numbers, and its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.cli.options import PAGE, SHADE, usage
from attnviz.errors import AttnvizError
from attnviz.flags import option

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions

# Of maps: `views.layout` takes a little more than 300 for a fixed width, so that cells are whole pixels.
DPI_OF_MAPS = "200; with --width 300 or a little more, for cells of whole pixels"


@dataclass(frozen=True)
class Shade:
    """How numbers become colours and digits."""

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
        "tokens and the first key aside. Default: above all weights but to these; auto beyond 64 keys.",
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

    def limit(self) -> float | str | None:
        """--vmax as a number, "auto" or None."""
        if self.vmax in (None, "auto"):
            return self.vmax
        try:
            value = float(str(self.vmax))
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            usage(f"--vmax wants a number above 0, or auto; got {self.vmax!r}")
        return value

    def __post_init__(self) -> None:
        from attnviz.page.scale import check_cmap, check_scale

        self.limit()
        for check, value in ((check_scale, self.scale), (check_cmap, self.cmap)):
            try:
                check(value)
            except AttnvizError as error:
                usage(f"--{error}", error.hint)
        if not 0 <= self.decimals <= 7:
            usage(f"--decimals wants 0 to 7; got {self.decimals}")


SPAN = option((), "A bracket over these tokens, as in 0-12:Source. Repeatable.", metavar="FIRST-LAST:LABEL", panel=PAGE)


@dataclass(frozen=True)
class Pace:
    """How fast an animation is."""

    frame_ms: int = option(
        800, "Milliseconds per frame, in .gif and .apng.", metavar="N", low=20, high=60_000, shown=True, panel=PAGE
    )


@dataclass(frozen=True)
class Sheet:
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
        from attnviz.errors import one_of

        if self.svg_text not in ("keep", "paths"):
            usage(one_of("--svg-text", self.svg_text, ("keep", "paths")))
        for name, value, low, high in (
            ("--width", inches("--width", self.width), 0.5, 100),
            ("--height", inches("--height", self.height), 0.5, 100),
            ("--dpi", self.dpi, 20, 2400),
            ("--font-size", self.font_size, 1, 72),
        ):
            if value is not None and not low <= value <= high:
                unit = " inches" if name in ("--width", "--height") else ""
                usage(f"{name} wants {low} to {high}{unit}; got {value:g}")

    def options(self) -> dict[str, Any]:
        """Every option as `attnviz.page.heatmap.heatmap` takes it, lengths in inches."""
        return {
            "width": inches("--width", self.width),
            "height": inches("--height", self.height),
            "dpi": self.dpi,
            "font": self.font,
            "font_size": self.font_size,
            "title": self.title,
            "bare": self.bare,
            "svg_text": self.svg_text,
        }

    def figure_options(self) -> FigureOptions:
        """Every option as `attnviz.page.place.place` takes it."""
        from attnviz.page.figure_options import FigureOptions

        return FigureOptions(**self.options())


@dataclass(frozen=True)
class Page(Sheet):
    """A picture of maps of queries and keys, whose cells can be outlined."""

    mark: tuple[str, ...] = option((), "Outline a cell, as in it:animal. Repeatable.", metavar="QUERY:KEY", panel=PAGE)


def inches(name: str, value: str | None) -> float | None:
    """A length that an option gives, in inches. One that cannot be read ends with exit status 2."""
    from attnviz.page.figure_options import length

    try:
        return length(name, value)
    except AttnvizError as error:
        usage(str(error))
