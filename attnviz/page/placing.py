"""Where everything stands, once its size is settled: boxes for the panels, points for every label and line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attnviz.facts import made_by
from attnviz.page import spans, wording
from attnviz.page.figure import Box, Figure, Label, Line, MapPanel
from attnviz.page.figure_options import check_pixels
from attnviz.page.layout import PITCH, paged, settle
from attnviz.page.sizes import HEADING_LINE, Request, Side, Sizes, bar_height, bar_ticks, bar_width, leading, tick_texts
from attnviz.page.text_metrics import ASCENT, DESCENT, MIDDLE, tallness

if TYPE_CHECKING:
    from attnviz.attention import Attention

# The line between two texts, width and tone: dark for pale maps, on a little paper for dark ones.
SPLIT = ((1.5, "paper"), (0.6, "ink"))


@dataclass
class Placed:
    """A finished layout: the figure's size, a box per panel, and the labels and lines around the panels."""

    request: Request
    width: float
    height: float
    sizes: Sizes
    boxes: list[Box] = field(default_factory=list)
    bar: Box | None = None
    bar_ticks: list[tuple[float, float]] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def cell(self) -> tuple[float, float, float]:
        """Width and height of a cell, and the size of an ordinary label."""
        return self.sizes.cols.cell, self.sizes.rows.cell, self.sizes.base

    def figure(
        self,
        panels: tuple[MapPanel, ...],
        attention: Attention,
        name: str | None,
        svg_text: str,
        meta: Mapping[str, str] | None,
    ) -> Figure:
        """The picture; a bare one has the notes that were asked for alone. name, meta: as for the heatmap.

        Raises SelectionError: it would be too large to be opened.
        """
        check_pixels(self.width, self.height, self.sizes.dpi)
        request, scale, face = self.request, self.request.scale, self.request.face
        remarks = request.notes if request.bare else self.sizes.remarks
        facts = made_by("", name or attention.model, attention.meta)
        facts = {key: facts.get(key, "") for key in ("model", "digest", "seed", "version")}
        facts["version"] = f"attnviz {facts['version']}"
        return Figure(
            width=self.width,
            height=self.height,
            panels=panels,
            scale=scale,
            title=request.title,
            subtitle=self.sizes.subtitle_text,
            caption=wording.caption(request.title, request.subtitles[0], scale, remarks),
            notes=remarks,
            labels=tuple(self.labels),
            lines=tuple(self.lines),
            bar=self.bar,
            bar_ticks=tuple(self.bar_ticks),
            face=face,
            font=face.family,
            font_size=self.sizes.base,
            dpi=self.sizes.dpi,
            svg_text=svg_text,
            meta={key: value for key, value in {**facts, **(meta or {})}.items() if value},
        )


def arrange(request: Request) -> Placed:
    """Places everything. Raises SelectionError if the width or height asked for leaves no room for the cells."""
    request = paged(request)
    sizes = settle(request)
    wide, high = sizes.cols.cell * request.cols.cells, sizes.rows.cell * request.rows.cells
    stacked = request.panel_rows
    across = request.per_row * wide + (request.per_row - 1) * sizes.cols.gap + (request.columns - 1) * sizes.aside
    down = stacked * high + (stacked - 1) * sizes.rows.gap
    pixel = 72.0 / sizes.dpi
    height = request.height or math.ceil((sizes.top + down + sizes.under + sizes.foot) / pixel - 1e-6) * pixel
    spare = max(0.0, sizes.width - sizes.left - across - sizes.right) if request.width else 0.0
    gap_x = sizes.cols.gap + (min(spare / (request.per_row - 1), sizes.cols.gap) if request.per_row > 1 else 0.0)
    placed = Placed(request, sizes.width, height, sizes)
    for i in range(len(request.headings)):
        row, col = request.place(i)
        x = sizes.left + col * (wide + gap_x) + (col // request.per_layer) * sizes.aside
        y = sizes.top + row * (high + sizes.rows.gap)
        # edges on whole pixels, counted from the bottom left as a canvas counts them
        placed.boxes.append(Box(round(x / pixel) * pixel, height - round((height - y) / pixel) * pixel, wide, high))
    _titles(request, placed)
    _headings(request, placed)
    _tokens(request, placed)
    _axes(request, placed)
    _splits(request, placed)
    _spans(request, placed)
    if not request.bare:
        _bar(request, placed)
    return placed


def _titles(request: Request, placed: Placed) -> None:
    sizes = placed.sizes
    x, y = sizes.text_x, sizes.margin
    for text in sizes.title:
        baseline = y + (leading(sizes.title) - 0.25 - _deeper(sizes.title)) * sizes.title_size
        placed.labels.append(Label(text, x, baseline, sizes.title_size, weight="bold", role="title"))
        y += leading(sizes.title) * sizes.title_size
    for text in sizes.subtitle:
        baseline = y + max(0.95, tallness(sizes.subtitle)[0] + 0.03) * sizes.base
        placed.labels.append(Label(text, x, baseline, sizes.base, tone="soft", role="subtitle"))
        y += leading(sizes.subtitle) * sizes.base
    size, pitch = sizes.note_size, leading(sizes.notes) * sizes.note_size
    baseline = placed.height - sizes.margin - (0.27 + _deeper(sizes.notes)) * size
    for i, text in enumerate(reversed(sizes.notes)):
        placed.labels.append(Label(text, sizes.text_x, baseline - i * pitch, size, tone="soft", role="note"))


def _deeper(texts: Sequence[str]) -> float:
    """The extra depth of these lines below their baseline, compared with Latin letters, in ems."""
    return tallness(texts)[1] - DESCENT


def _headings(request: Request, placed: Placed) -> None:
    sizes = placed.sizes
    for i, (text, box) in enumerate(zip(sizes.headings, placed.boxes, strict=True)):
        if not text or (request.layers and request.place(i)[0]):
            continue
        x, align = (box.x + box.width / 2, "center") if request.layers else (box.x, "left")
        y = box.y - 0.48 * sizes.heading_size
        y -= spans.room(request.cols, sizes) if not request.place(i)[0] else 0.0
        for line in reversed(text.split("\n")):
            placed.labels.append(Label(line.rstrip(), x, y, sizes.heading_size, align, tone="soft", role="heading"))
            y -= HEADING_LINE * sizes.heading_size
    for i, text in enumerate(sizes.layer_names):
        panel = i * request.per_layer
        box = placed.boxes[panel]
        if text:
            x = sizes.margin + 1.35 * sizes.base + ASCENT * sizes.layer_size
            x = box.x - 0.4 * sizes.layer_size if request.place(panel)[1] else x
            y = box.y + box.height / 2
            placed.labels.append(Label(text, x, y, sizes.layer_size, "center", 90, tone="soft", role="heading"))


def _tokens(request: Request, placed: Placed) -> None:
    """Token labels of the outer panels: rows beside the first column, columns below the lowest panel of each."""
    sizes, places = placed.sizes, [request.place(panel) for panel in range(len(placed.boxes))]
    rows, cols = sizes.rows, sizes.cols
    for (row, col), box in zip(places, placed.boxes, strict=True):
        for i in _drawn_labels(rows, row + 1 < request.panel_rows) if not col else ():
            y = box.y + (i + 0.5) * rows.cell + MIDDLE * rows.size
            place = (box.x - 0.5 * sizes.base, y, rows.size)
            placed.labels.append(Label(rows.texts[i], *place, "right", 0, request.rows.weight(i), role="row"))
    for (row, col), box in zip(places, placed.boxes, strict=True):
        top = box.y + box.height + 0.5 * sizes.base
        for i in _drawn_labels(cols, (row, col + 1) in places) if (row + 1, col) not in places else ():
            x = box.x + (i + 0.5) * cols.cell
            if sizes.upright:
                spot, align, turn = (x + MIDDLE * cols.size, top, cols.size), "right", 90.0
            else:
                y = top + (tallness(request.cols.labels)[0] - 0.1) * cols.size
                spot, align, turn = (x, y, cols.size), "center", 0.0
            placed.labels.append(Label(cols.texts[i], *spot, align, turn, request.cols.weight(i), role="column"))


def _drawn_labels(side: Side, followed: bool) -> list[int]:
    """Which labels are drawn; the last is left out if the first label of the next panel would touch it."""
    room = PITCH * sum(tallness(side.texts)) * side.size
    last = len(side.texts) if side.step == 1 or not followed else len(side.texts) - (room - side.gap) / side.cell
    return [i for i, text in enumerate(side.texts) if text and i <= last]


def _axes(request: Request, placed: Placed) -> None:
    """The names of the two axes, once a figure."""
    sizes, boxes, base = placed.sizes, placed.boxes, placed.sizes.base
    top, bottom = boxes[0].y, max(box.y + box.height for box in boxes)
    left, right = boxes[0].x, max(box.x + box.width for box in boxes)
    if request.rows.name and request.face.width(request.rows.name, base) <= bottom - top + base:
        x = sizes.margin + ASCENT * base
        y = max((top + bottom) / 2, sizes.margin + request.face.width(request.rows.name, base) / 2)
        placed.labels.append(Label(request.rows.name, x, y, base, "center", 90, tone="soft", role="axis"))
    y = bottom + sizes.under - 0.24 * base
    placed.labels.append(Label(request.cols.name, (left + right) / 2, y, base, "center", tone="soft", role="axis"))


def _splits(request: Request, placed: Placed) -> None:
    """Lines over the panels where one text ends and another begins."""
    sizes = placed.sizes
    for box in placed.boxes:
        for i in request.rows.splits:
            y = box.y + i * sizes.rows.cell
            placed.lines += [Line(box.x, y, box.x + box.width, y, *stroke) for stroke in SPLIT]
        for i in request.cols.splits:
            x = box.x + i * sizes.cols.cell
            placed.lines += [Line(x, box.y, x, box.y + box.height, *stroke) for stroke in SPLIT]


def _spans(request: Request, placed: Placed) -> None:
    """Brackets over the highest panel of each column, and beside the panels at the left."""
    for panel, box in enumerate(placed.boxes):
        row, col = request.place(panel)
        drawn = [spans.brackets(request, placed.sizes, box, box.y, upright=False)] if not row else []
        edge = box.x - placed.sizes.labelled
        drawn += [spans.brackets(request, placed.sizes, box, edge, upright=True)] if not col else []
        for lines, labels in drawn:
            placed.lines += lines
            placed.labels += labels


def _bar(request: Request, placed: Placed) -> None:
    sizes, base, face = placed.sizes, placed.sizes.base, request.face
    right = max(box.x + box.width for box in placed.boxes)
    bar = Box(right + 0.9 * base, placed.boxes[0].y, bar_width(sizes), bar_height(request, sizes))
    size, edge = sizes.tick_size, bar.x + bar.width
    placed.bar, placed.bar_ticks = bar, bar_ticks(request, sizes)
    texts = tick_texts(request, placed.bar_ticks)
    for text, (_, place) in zip(texts, placed.bar_ticks, strict=True):
        y = bar.y + bar.height * (1 - place)
        placed.lines.append(Line(edge, y, edge + 2.0, y, 0.6))
        placed.labels.append(Label(text, edge + 4.0, y + 0.36 * size, size, role="tick"))
    x = edge + 4.0 + max(face.width(text, size) for text in texts) + 1.25 * base
    for text in (request.scale.label, "weight"):
        if face.width(text, base) <= bar.height:
            label = Label(text, x, bar.y + bar.height / 2, base, "center", 90, tone="soft", role="bar")
            placed.labels.append(label)
            break
