"""Options that say how a picture looks: its colours and numbers, and its page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from attnviz.cli.options import PAGE, SHADE, option, usage
from attnviz.errors import AttnvizError

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


@dataclass(frozen=True)
class Page:
    """The picture as a whole."""

    width: Annotated[float | None, option(PAGE, "--width", metavar="IN", help="Width in inches: 3.25 is a column.")] = (
        None
    )
    height: Annotated[float | None, option(PAGE, "--height", metavar="IN", help="Height in inches.")] = None
    dpi: Annotated[int | None, option(PAGE, "--dpi", metavar="N", help="Dots an inch, in PNG. Default: {dpi}.")] = None
    font: Annotated[str | None, option(PAGE, "--font", metavar="NAME|PATH", help="Font family or file.")] = None
    font_size: Annotated[float | None, option(PAGE, "--font-size", metavar="PT", help="Size of labels in points.")] = (
        None
    )
    title: Annotated[str | None, option(PAGE, "--title", metavar="TEXT", help="Title instead of the usual one.")] = None
    mark: Annotated[
        list[str] | None,
        option(PAGE, "--mark", metavar="QUERY:KEY", help="Outline a cell, as in it:animal. Repeatable."),
    ] = None
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
            ("--width", self.width, 0.5, 200),
            ("--height", self.height, 0.5, 200),
            ("--dpi", self.dpi, 20, 2400),
            ("--font-size", self.font_size, 1, 100),
        ):
            if value is not None and not low <= value <= high:
                usage(f"{name} wants {low} to {high}; got {value:g}")
