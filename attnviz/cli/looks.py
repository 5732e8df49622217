"""Options that say how a picture looks: its colours and numbers, and its page."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from attnviz.cli.options import PAGE, SHADE, Talk, option, usage
from attnviz.errors import AttnvizError

if TYPE_CHECKING:
    from attnviz.page.figure import Figure
    from attnviz.page.figure_options import FigureOptions

# Of maps: `views.layout` takes a little more than 300 for a fixed width, so that cells are whole pixels.
DPI_OF_MAPS = "200; with --width 300 or a little more, for cells of whole pixels"


@dataclass(frozen=True)
class Shade:
    """How numbers become colours and digits."""

    scale: Annotated[
        str,
        option(
            SHADE,
            "--scale",
            metavar="KIND",
            help="linear, sqrt, log, row (each row by its own largest) or auto: linear up to 16 keys to a row, sqrt "
            "beyond.",
            show_default=True,
        ),
    ] = "auto"
    vmax: Annotated[
        str | None,
        option(
            SHADE,
            "--vmax",
            metavar="X|auto",
            help="The weight at the end of the colours, or auto: one that about a quarter of the rows reach, special "
            "tokens and the first key aside. Default: above all weights but to these; auto beyond 64 keys.",
        ),
    ] = None
    cmap: Annotated[
        str,
        option(
            SHADE,
            "--cmap",
            metavar="NAME",
            help="ink (white at 0, in a terminal its background), Greys, viridis, cividis, magma, ...",
            show_default=True,
        ),
    ] = "ink"
    decimals: Annotated[
        int,
        option(
            SHADE,
            "--decimals",
            metavar="N",
            help="Digits after the point; 0 prints none in a picture.",
            show_default=True,
        ),
    ] = 2

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


SPAN = option(
    PAGE, "--span", metavar="FIRST-LAST:LABEL", help="A bracket over these tokens, as in 0-12:Source. Repeatable."
)
FRAME_MS = option(
    PAGE,
    "--frame-ms",
    metavar="N",
    min=20,
    max=60_000,
    help="Milliseconds per frame, in .gif and .apng.",
    show_default=True,
)


@dataclass(frozen=True)
class Sheet:
    """The picture as a whole."""

    width: Annotated[
        str | None,
        option(PAGE, "--width", metavar="LENGTH", help="Width: 3.25in, 8.25cm, 82mm, or 3.25, which is inches."),
    ] = None
    height: Annotated[
        str | None, option(PAGE, "--height", metavar="LENGTH", help="Height, written like the width.")
    ] = None
    dpi: Annotated[int | None, option(PAGE, "--dpi", metavar="N", help="Dots per inch, in PNG. Default: {dpi}.")] = None
    font: Annotated[str | None, option(PAGE, "--font", metavar="NAME|PATH", help="Font family or file.")] = None
    font_size: Annotated[float | None, option(PAGE, "--font-size", metavar="PT", help="Size of labels in points.")] = (
        None
    )
    title: Annotated[str | None, option(PAGE, "--title", metavar="TEXT", help="Title instead of the usual one.")] = None
    bare: Annotated[
        bool, option(PAGE, "--bare", help="No title, colour bar or notes; the caption goes to standard error.")
    ] = False
    svg_text: Annotated[
        str,
        option(PAGE, "--svg-text", metavar="keep|paths", help="Text in SVG as text or as outlines.", show_default=True),
    ] = "keep"

    def __post_init__(self) -> None:
        from attnviz.errors import one_of

        if self.svg_text not in ("keep", "paths"):
            usage(one_of("--svg-text", self.svg_text, ("keep", "paths")))
        for name, value, low, high in (
            ("--width", length("--width", self.width), 0.5, 200),
            ("--height", length("--height", self.height), 0.5, 200),
            ("--dpi", self.dpi, 20, 2400),
            ("--font-size", self.font_size, 1, 100),
        ):
            if value is not None and not low <= value <= high:
                unit = " inches" if name in ("--width", "--height") else ""
                usage(f"{name} wants {low} to {high}{unit}; got {value:g}")

    def options(self) -> dict[str, Any]:
        """Every option as `attnviz.page.heatmap.heatmap` takes it, lengths in inches."""
        return {
            "width": length("--width", self.width),
            "height": length("--height", self.height),
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

    def draw(self, view: Callable[..., Figure], *subject: Any, talk: Talk, **how: Any) -> Figure:
        """A page by a view that lays itself out for a width, as the options want it; a bare one's caption is printed.

        how: what else the view takes; a title among it is the usual one.
        """
        from attnviz.page.fitted import fitted

        how |= {"dpi": self.dpi, "font": self.font, "svg_text": self.svg_text}
        how |= {} if self.title is None else {"title": self.title}
        size = {name: self.options()[name] for name in ("width", "height", "font_size", "bare")}
        figure = fitted(lambda width: view(*subject, width=width, **how), **size)
        if self.bare:
            talk.note(figure.caption)
        return figure


@dataclass(frozen=True)
class Page(Sheet):
    """A picture of maps of queries and keys, whose cells can be outlined."""

    mark: Annotated[
        list[str] | None,
        option(PAGE, "--mark", metavar="QUERY:KEY", help="Outline a cell, as in it:animal. Repeatable."),
    ] = None


_INCHES = {"": 1.0, "in": 1.0, "cm": 1 / 2.54, "mm": 1 / 25.4}


def length(option: str, text: str | None) -> float | None:
    """`3.25`, `3.25in`, `8.25cm` or `82mm` in inches; None for None. Anything else ends with exit status 2."""
    if text is None:
        return None
    parts = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", text.lower())
    if parts is None or parts[2] not in _INCHES:
        usage(f"{option} wants a length such as 3.25in, 8.25cm, 82mm or 3.25; got {text!r}")
    return float(parts[1]) * _INCHES[parts[2]]
