"""A contact sheet: small pictures of all figures of a plan on one page, in the plan's order, in rows of one height."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from attnviz.page.figure import Box, Figure, Fill, ImagePanel, Label, Line, Scale
from attnviz.page.text_metrics import one_line, typeface

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnviz.page.text_metrics import Typeface

FORMATS = ("png", "svg", "pdf", "pgf", "html")
WIDTH, MARGIN, GAP, BELOW = 576.0, 28.0, 16.0, 26.0  # points: the page; BELOW: between a caption and the next row
HIGH, LOWEST = 128.0, 96.0  # points: the height of a row of pictures; the least width of a place
CAPTION, TITLE = 7.5, 13.0
_PAD = 5.0  # between the frame of a place and its picture
_CARD = 0.75  # width by height of a card
_PIXEL = 72 / 200  # points: pictures begin and end at whole pixels of a PNG, so that none of their lines is lost
_GREY = (246, 246, 246)
_HIGHER = 1.3  # how much higher than HIGH a row may be


@dataclass(frozen=True, eq=False)
class Small:
    """One figure on the sheet. picture: uint8 [row, column, 3], None for a card. word: what a card says.

    link: the way from the sheet to the figure, for a sheet that has links.
    """

    name: str
    command: str
    picture: NDArray[np.uint8] | None
    word: str = ""
    failed: bool = False
    link: str = ""

    @property
    def aspect(self) -> float:
        """Width by height."""
        return _CARD if self.picture is None else self.picture.shape[1] / self.picture.shape[0]


def write_sheet(format: str, title: str, smalls: Sequence[Small], file: IO[bytes]) -> None:
    """Write a contact sheet. format: one of FORMATS."""
    if format == "html":
        file.write(_html(title, smalls).encode("utf-8", "replace"))
        return
    from attnviz.render.formats import write

    write(format, sheet(title, smalls), file)


def sheet(title: str, smalls: Sequence[Small]) -> Figure:
    """The contact sheet as a Figure."""
    face = typeface(None, [title, *(f"{small.name} {small.command}" for small in smalls)])
    drawn = _Sheet(face, [], [], [], [])
    count = _count(smalls)
    drawn.labels.append(Label(one_line(title), MARGIN, MARGIN + TITLE * 0.8, TITLE, weight="bold", role="title"))
    drawn.labels.append(Label(count, WIDTH - MARGIN, MARGIN + TITLE * 0.8, 9, "right", tone="soft", role="subtitle"))
    y = MARGIN + TITLE + 14
    for row, height in rows([small.aspect for small in smalls]):
        drawn.row([smalls[i] for i in row], y, height)
        y += height + 2 * _PAD + CAPTION + BELOW
    height = round((y - BELOW + MARGIN) / _PIXEL) * _PIXEL
    return Figure(
        width=WIDTH, height=height, panels=(), scale=Scale(), title=title, caption=f"{title}: {count}",
        labels=tuple(drawn.labels), lines=tuple(drawn.lines), fills=tuple(drawn.fills), images=tuple(drawn.images),
        face=face, font=face.family,
    )  # fmt: skip


def _count(smalls: Sequence[Small]) -> str:
    return f"{len(smalls)} figure{'s' if len(smalls) != 1 else ''}"


def rows(aspects: Sequence[float]) -> list[tuple[range, float]]:
    """Which pictures share a row, and the height of the pictures in it, in points.

    A full row is as wide as the page; a row ends where one more picture would bring it further from HIGH.
    """
    found: list[tuple[range, float]] = []
    start = 0
    while start < len(aspects):
        stop = start + 1
        while stop < len(aspects) and _height(aspects[start:stop]) > HIGH and _fits(stop + 1 - start):
            here, more = _height(aspects[start:stop]), _height(aspects[start : stop + 1])
            if here / HIGH < HIGH / more and here <= HIGH * _HIGHER:
                break
            stop += 1
        height = min(_height(aspects[start:stop]), HIGH * _HIGHER)
        if stop == len(aspects) and height > HIGH:  # the last row need not be full
            height = HIGH
        found.append((range(start, stop), height))
        start = stop
    return found


def _fits(count: int) -> bool:
    """Whether a row has room for `count` places of the least width."""
    return count * LOWEST + (count - 1) * GAP <= WIDTH - 2 * MARGIN


def _height(aspects: Sequence[float]) -> float:
    """The height at which places of these pictures fill the page; a narrow picture has a place of LOWEST."""
    room = WIDTH - 2 * MARGIN - GAP * (len(aspects) - 1)
    low, high = 1.0, 4 * WIDTH
    for _ in range(50):
        middle = (low + high) / 2
        if sum(place_width(aspect, middle) for aspect in aspects) > room:
            high = middle
        else:
            low = middle
    return low


def place_width(aspect: float, height: float) -> float:
    """The width of a place whose picture has this height, with its frame; at most the page's."""
    return max(aspect * height + 2 * _PAD, LOWEST)


@dataclass
class _Sheet:
    face: Typeface
    labels: list[Label]
    lines: list[Line]
    fills: list[Fill]
    images: list[ImagePanel]

    def row(self, smalls: Sequence[Small], y: float, height: float) -> None:
        x = MARGIN
        for small in smalls:
            width = place_width(small.aspect, height)
            self.place(small, Box(x, y, width, height + 2 * _PAD))
            x += width + GAP

    def place(self, small: Small, box: Box) -> None:
        """A picture or a card in its frame, and its caption below."""
        if small.picture is None:
            self.fills.append(Fill(box, _GREY))
            middle = box.x + box.width / 2, box.y + box.height / 2
            tone = "mark" if small.failed else "faint"
            self.labels.append(Label(small.word, middle[0], middle[1] + 5, 14, "center", weight="bold", tone=tone))
        else:
            self.images.append(ImagePanel(small.name, small.picture, _fitted(small.aspect, box)))
        self._frame(box)
        below = box.y + box.height + CAPTION + 5
        name = self.face.cut(one_line(small.name), CAPTION, box.width)
        self.labels.append(Label(name, box.x, below, CAPTION, tone="ink"))
        left = box.width - self.face.width(name, CAPTION) - 8
        if self.face.width(small.command, CAPTION) <= left:
            self.labels.append(Label(small.command, box.x + box.width, below, CAPTION, "right", tone="faint"))

    def _frame(self, box: Box) -> None:
        right, bottom = box.x + box.width, box.y + box.height
        for x0, y0, x1, y1 in (
            (box.x, box.y, right, box.y), (right, box.y, right, bottom),
            (right, bottom, box.x, bottom), (box.x, bottom, box.x, box.y),
        ):  # fmt: skip
            self.lines.append(Line(x0, y0, x1, y1, 0.5, "grid"))


def _fitted(aspect: float, box: Box) -> Box:
    """The largest box of this shape inside the frame, in its middle."""
    wide, high = box.width - 2 * _PAD, box.height - 2 * _PAD
    width = min(wide, aspect * high)
    height = width / aspect
    left, top = box.x + (box.width - width) / 2, box.y + (box.height - height) / 2
    return Box(*(round(side / _PIXEL) * _PIXEL for side in (left, top, width, height)))


def picture_of(path: Path) -> Any:
    """A picture file as uint8 [row, column, 3], of an animation the first frame; None for one that cannot be read."""
    import warnings

    import numpy as np

    from attnviz.errors import AttnvizError
    from attnviz.inputs.pictures import open_image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = open_image(path)
    except (AttnvizError, OSError):
        return None
    image.thumbnail((1500, 600))
    return np.asarray(image.convert("RGB"))


_STYLE = (
    "body{margin:28px auto;max-width:1150px;padding:0 28px;font:14px system-ui,sans-serif;color:#1a1a1a;"
    "background:#fff}header{display:flex;justify-content:space-between;align-items:baseline}h1{font-size:20px}"
    "header p,small{color:#767676}main{display:flex;flex-wrap:wrap;gap:24px 20px}figure{margin:0}"
    "figure a{display:flex;height:260px;min-width:180px;padding:8px;border:1px solid #e4e4e4;"
    "justify-content:center;align-items:center;color:#8a8a8a;text-decoration:none;font-weight:bold;font-size:22px}"
    "figure img{max-height:100%;max-width:100%}figcaption{display:flex;justify-content:space-between;gap:12px;"
    "padding-top:6px}.failed a{color:#c8321a}"
)


def _html(title: str, smalls: Sequence[Small]) -> str:
    """The sheet as one page without a script, each picture a link to its figure."""
    figures = "\n".join(map(_html_figure, smalls))
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1><p>{_count(smalls)}</p></header>\n<main>\n{figures}\n</main>\n"
        "</body>\n</html>\n"
    )


def _html_figure(small: Small) -> str:
    from urllib.parse import quote

    shown, place = escape(small.word), escape(quote(small.link or small.name))
    if small.picture is not None:
        shown = f'<img alt="{escape(small.name)}" src="data:image/png;base64,{_png(small.picture)}">'
    return (
        f'<figure{" class=failed" if small.failed else ""}><a href="{place}">{shown}</a>'
        f"<figcaption><span>{escape(small.name)}</span><small>{escape(small.command)}</small></figcaption></figure>"
    )


def _png(pixels: NDArray[np.uint8]) -> str:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()
