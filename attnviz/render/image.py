"""Figure -> PNG, SVG or PDF, or a matplotlib Figure. matplotlib is imported by what needs it."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO, TYPE_CHECKING, Any

from attnviz.errors import SelectionError, one_of
from attnviz.files.text import visible
from attnviz.render import formats

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from attnviz.page.figure import Figure

# Settings that a matplotlibrc could change; pinned so that a picture is the same wherever it is drawn.
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "attnviz",
    "svg.image_inline": True,
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "path.simplify": False,
    "path.sketch": None,
    "path.effects": [],
    "text.usetex": False,
    "text.antialiased": True,
    "text.hinting": "none",  # hinted letters would be wider or narrower than they were measured
    "image.composite_image": False,
    "axes.unicode_minus": True,
}


def draw(figure: Figure) -> Canvas:
    """The Figure as a matplotlib Figure, ready for `savefig`; it belongs to no window."""
    from attnviz.render.artists import draw

    return draw(figure)


def to_bytes(figure: Figure, kind: str) -> bytes:
    """The picture as a file of this format: equal Figures give equal bytes. Raises SelectionError."""
    if kind not in formats.of(formats.FIGURE):
        raise SelectionError(one_of("format", kind, formats.of(formats.FIGURE)))
    return formats.encode(kind, figure)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without matplotlib's warnings about its cache in a home that cannot be written to: the picture needs none."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _settings(figure: Figure) -> Iterator[None]:
    """matplotlib, silent and with our settings instead of a matplotlibrc's."""
    with _quiet():
        from matplotlib import rc_context

        with rc_context({**_RC, "svg.fonttype": "none" if figure.svg_text == "keep" else "path"}):
            yield


def write_png(figure: Figure, file: IO[bytes]) -> None:
    """The picture in pixels, `figure.dpi` to the inch."""
    from attnviz.render.png import encode
    from attnviz.render.raster import paint

    file.write(encode(paint(figure), figure.dpi, described(figure)))


def write_svg(figure: Figure, file: IO[bytes]) -> None:
    """The picture as SVG, its letters as text or as outlines (`figure.svg_text`)."""
    facts = described(figure)
    metadata = {
        "Title": facts.get("Title"),
        "Description": facts.get("Description"),
        "Creator": facts["Software"],
        "Keywords": [visible(f"{key}: {value}") for key, value in figure.meta.items()],
        "Date": None,
        "Type": None,
    }
    metadata = {key: value for key, value in metadata.items() if value or key in ("Date", "Type")}
    page = io.BytesIO()
    with _settings(figure):
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        FigureCanvasSVG(draw(figure)).print_svg(page, metadata=metadata)
    # A viewer without the font takes its own sans serif, not a book face.
    file.write(re.sub(rb"(font(?:-family)?: [^'\";]*'[^'\";]*')(?=[;\"])", rb"\1, sans-serif", page.getvalue()))


_LAYOUT_TABLES = ("GSUB", "GPOS", "GDEF", "kern")  # of a font: what a program reads that sets text itself
_EMBEDDING = Lock()


@contextmanager
def _outlines_only() -> Iterator[None]:
    """Fonts are embedded without the tables that lay out text: a PDF says where every letter stands.

    Cutting these tables down to a picture's letters takes as long as the rest of the picture. fontTools has the list of
    tables to drop in a private attribute; without it nothing is done.
    """
    from fontTools.subset import Options

    with _EMBEDDING:
        dropped = getattr(Options, "_drop_tables_default", None)
        if dropped is None:
            yield
            return
        Options._drop_tables_default = [*dropped, *_LAYOUT_TABLES]
        try:
            yield
        finally:
            Options._drop_tables_default = dropped


def write_pdf(figure: Figure, file: IO[bytes]) -> None:
    """The picture as PDF, with its fonts."""
    facts = described(figure)
    metadata = {
        "Title": facts.get("Title", ""),
        "Subject": facts.get("Description", ""),
        "Creator": facts["Software"],
        "Keywords": "; ".join(visible(f"{key}: {value}") for key, value in figure.meta.items()),
        "CreationDate": None,
    }
    page = io.BytesIO()
    with _settings(figure):
        from matplotlib.backends.backend_pdf import FigureCanvasPdf

        canvas = FigureCanvasPdf(draw(figure))
        with _outlines_only():
            canvas.print_pdf(page, metadata=metadata)
    file.write(page.getvalue())


def described(figure: Figure) -> dict[str, str]:
    """The metadata of a file: title, caption, and what made it."""
    from attnviz import __version__

    facts = {"Title": figure.title, "Description": figure.caption, "Software": f"attnviz {__version__}"}
    return {key: visible(str(value)) for key, value in {**facts, **figure.meta}.items() if value}
