"""Figure -> PNG, SVG or PDF bytes, or a matplotlib Figure. matplotlib is imported by what needs it."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attnviz.errors import SelectionError, one_of
from attnviz.files.text import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from attnviz.page.figure import Figure

FORMATS = ("png", "svg", "pdf")

# What a matplotlibrc could change; pinned so that a picture is the same wherever it is drawn.
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
    """The picture as a PNG, SVG or PDF file: the same bytes for the same Figure. Raises SelectionError."""
    if kind not in FORMATS:
        raise SelectionError(one_of("format", kind, FORMATS))
    if kind == "png":
        return _png(figure)
    with _quiet():
        from matplotlib import rc_context

        with rc_context({**_RC, "svg.fonttype": "none" if figure.svg_text == "keep" else "path"}):
            return _svg(figure) if kind == "svg" else _pdf(figure)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what matplotlib says of its cache where a home cannot be written to: the picture needs none."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _png(figure: Figure) -> bytes:
    from attnviz.render.png import encode
    from attnviz.render.raster import paint

    return encode(paint(figure), figure.dpi, _described(figure))


def _svg(figure: Figure) -> bytes:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    file = io.BytesIO()
    said = _described(figure)
    metadata = {
        "Title": said.get("Title"),
        "Description": said.get("Description"),
        "Creator": said["Software"],
        "Keywords": [visible(f"{key}: {value}") for key, value in figure.meta.items()],
        "Date": None,
        "Type": None,
    }
    kept = {key: value for key, value in metadata.items() if value or key in ("Date", "Type")}
    FigureCanvasSVG(draw(figure)).print_svg(file, metadata=kept)
    # a reader without the font takes its own sans serif, not a book face
    return re.sub(rb"(font(?:-family)?: [^'\";]*'[^'\";]*')(?=[;\"])", rb"\1, sans-serif", file.getvalue())


def _pdf(figure: Figure) -> bytes:
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    file = io.BytesIO()
    said = _described(figure)
    metadata = {
        "Title": said.get("Title", ""),
        "Subject": said.get("Description", ""),
        "Creator": said["Software"],
        "Keywords": "; ".join(visible(f"{key}: {value}") for key, value in figure.meta.items()),
        "CreationDate": None,
    }
    FigureCanvasPdf(draw(figure)).print_pdf(file, metadata=metadata)
    return file.getvalue()


def _described(figure: Figure) -> dict[str, str]:
    """What a file says about itself: the caption, and what made it."""
    from attnviz import __version__

    said = {"Title": figure.title, "Description": figure.caption, "Software": f"attnviz {__version__}"}
    return {key: visible(str(value)) for key, value in {**said, **figure.meta}.items() if value}
