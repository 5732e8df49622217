"""Sizes of everything in a grid of equal panels: cells, and the labels around them.

All lengths are points (1/72 inch), y runs downwards. The room for labels depends on their size, which depends on the
cells, which depend on the room that is left. So the three are settled together, before anything is placed, labels
only ever getting smaller or fewer from one round to the next.
"""

from __future__ import annotations

import math
from dataclasses import replace

from attnviz.errors import SelectionError
from attnviz.page import page_size, spans
from attnviz.page.sizes import SMALLEST, Axis, Request, Side, Sizes, bar_ticks, bar_width, leading, tick_texts
from attnviz.page.text_metrics import MIDDLE, SAYS, Typeface, tallness

TALLEST = 648.0  # points: a picture whose width was asked for is no higher than a page
PITCH = 1.1  # from one label to the next, in heights of their ink
_STEPS = (1, 2, 3, 4, 5, 8, 10, 15, 20, 25, 30, 40, 50, 80, 100, 150, 200, 250, 300, 400, 500, 800, 1000, 2000, 5000)
_ROOMY = (372.0, 250.0, 200.0, 172.0, 150.0, 132.0, 120.0, 108.0, 100.0, 94.0, 90.0, 86.0)  # of 1, 2, ... abreast


def settle(request: Request) -> Sizes:
    """Sizes that fit. Raises SelectionError if the width or height asked for leaves no room for the cells."""
    base = request.font_size or _base_size(request.width)
    sizes = Sizes(
        base=base,
        dpi=request.dpi or _usual_dpi(request),
        margin=10.0 if request.width is None else 3.0,
        rows=Side(base),
        cols=Side(base),
    )
    sizes.cols.cell = sizes.rows.cell = _roomy_cell(request)
    if request.width is not None:
        sizes.cols.cell = sizes.rows.cell = request.width / request.per_row / request.cols.cells
    before: object = None
    for turn in range(20):
        sizes.ticks = sizes.ticks if turn > 10 else 0.0  # if sizes go to and fro, the bar's numbers keep their room
        _headings(request, sizes)
        _fit_labels(request, sizes)
        spans.fit(request, sizes)
        _sides(request, sizes)
        _words(request, sizes)
        _cells(request, sizes)
        labels = (sizes.rows.size, sizes.cols.size, sizes.rows.step, sizes.cols.step)
        now = (*labels, sizes.upright, sizes.reduced, round(sizes.cols.cell, 3))
        if now == before:
            break
        before = now
    return sizes


def paged(request: Request) -> Request:
    """The request with its layers in as many columns as serve it, and the page if no size is asked for."""
    if request.width is None and request.height is not None:
        return request  # as high as asked for, and as wide as that takes
    asked = None if request.width is None else (request.width, request.height or TALLEST)
    panels, cells = (request.per_row, request.panel_rows), (request.rows.cells, request.cols.cells)
    most = _roomy_cell(request) if asked is None else math.inf
    best = page_size.fit(panels, cells, bool(request.layers), most, page_size.PAGES if asked is None else (asked,))
    size = best.page if asked is None else None
    return replace(request, columns=best.columns, per_row=request.per_row * best.columns, page=size)


def _base_size(width: float | None) -> float:
    if width is None:
        return 9.0
    return next(size for limit, size in ((200, 6.0), (300, 7.0), (420, 8.0), (math.inf, 8.5)) if width < limit)


def _roomy_cell(request: Request) -> float:
    """A cell of a panel that nobody has asked to be narrow: readable labels for up to about a hundred tokens."""
    abreast = min(request.per_row, len(_ROOMY))
    side = _ROOMY[abreast - 1]
    longest = max(request.rows.cells, request.cols.cells)
    side = max(side, min(5.8 * longest, 1.5 * side), 0.36 * longest)
    most = 38.0 if len(request.headings) == 1 else 28.0
    if any(SAYS in text for text in request.headings):  # a short text has room below all that its heads do
        widest = max(request.face.width(text, _base_size(request.width)) for text in request.headings)
        most = min(max(most, widest / request.cols.cells), 60.0)
    return min(side / longest, most)


def _headings(request: Request, sizes: Sizes) -> None:
    """Headings and layer names at the size that fits beside each other, or their numbers alone."""
    wide, high = sizes.cols.cell * request.cols.cells, sizes.rows.cell * request.rows.cells
    layered = bool(request.layers)
    base = min(sizes.base, 1.3 * sizes.rows.size) if sizes.rows.step else sizes.base  # no louder than the labels
    share, most = (0.05, 6.0) if layered else (0.075, 15.0)
    sizes.cols.gap = min(max(share * wide, 2.0), most)
    beside = 0.0
    if len(request.headings) % request.per_row and sizes.cols.step:  # labels are beside the panels of the last row
        above = tallness(request.cols.labels)[0] - MIDDLE
        beside = max(0.0, above * sizes.cols.size - sizes.cols.cell / 2)
        sizes.cols.gap = max(sizes.cols.gap, beside + 1.0)
    room = wide + sizes.cols.gap - max(beside, 2.0)
    sizes.headings, sizes.heading_size = _shrunk(request.face, request.headings, base, room)
    sizes.layer_names, sizes.layer_size = _shrunk(request.face, request.layers, base, high + sizes.cols.gap - 2.0)
    sizes.aside = 1.45 * sizes.layer_size if request.columns > 1 else 0.0
    sizes.rows.gap = sizes.cols.gap if layered else 0.6 * sizes.cols.gap + sizes.heading_room


def _shrunk(face: Typeface, texts: tuple[str, ...], base: float, room: float) -> tuple[tuple[str, ...], float]:
    if not any(texts):
        return texts, base
    if any(SAYS in text for text in texts):
        return _saying(face, texts, base, room)
    numbers = tuple(text.rpartition(" ")[2] for text in texts)
    for choice, least in ((texts, 0.75 * base), (texts, SMALLEST), (numbers, SMALLEST)):
        size = min(base, room / max(face.width(text, 1.0) for text in choice))
        if size >= min(least, base):
            return choice, size
    step = math.ceil(max(face.width(text, SMALLEST) for text in numbers) / max(room, 0.1))
    return tuple(text if i % step == 0 else "" for i, text in enumerate(numbers)), SMALLEST


def _saying(face: Typeface, texts: tuple[str, ...], base: float, room: float) -> tuple[tuple[str, ...], float]:
    """Headings that say what a head does: in one line or two, or the names of the heads alone."""
    size = min(base, room / max(face.width(text, 1.0) for text in texts))
    if size >= 0.75 * base:
        return texts, size
    larger = base
    while larger > max(size, SMALLEST):
        lines = [_two_lines(face, text, larger, room) for text in texts]
        if all(lines):
            return tuple(lines), larger
        larger -= 0.1
    if size >= SMALLEST:
        return texts, size
    return _shrunk(face, tuple(text.partition(SAYS)[0] for text in texts), base, room)


def _two_lines(face: Typeface, text: str, size: float, room: float) -> str:
    """A heading in one line, or broken after the head's name, or where it must be; '' if two lines are too few."""
    name, _, does = text.partition(SAYS)
    for lines in ([text], [f"{name} ", does], face.wrap(text, size, room)):
        whole = " ".join(lines) == text and max(face.width(line, size) for line in lines) <= room
        if whole and len(lines) <= 2:
            return "\n".join(lines)
    return ""


def _fit_labels(request: Request, sizes: Sizes) -> None:
    """Size and step of the token labels: first smaller, down to SMALLEST, then fewer, as large as there is room."""
    floor = min(SMALLEST, sizes.base)
    for axis, side in ((request.rows, sizes.rows), (request.cols, sizes.cols)):
        step, size = _thinned(len(axis.labels), side.cell, sizes.base, floor, axis.labels)
        if side.step != 0:
            side.size = min(size, side.size) if step == side.step else size
            side.step = 0 if step == 0 else max(step, side.step)
    if sizes.rows.step and sizes.cols.step:
        sizes.rows.size = sizes.cols.size = min(sizes.rows.size, sizes.cols.size)
    widest = _widest(request, request.cols, request.cols.labels, sizes.cols.size)
    sizes.upright = not (sizes.cols.step == 1 and widest <= sizes.cols.cell - 0.3 * sizes.cols.size)


def _widest(request: Request, axis: Axis, labels: tuple[str, ...], size: float) -> float:
    """Width of the widest label of an axis."""
    return max((request.face.width(text, size, axis.weight(i)) for i, text in enumerate(labels)), default=0.0)


def _thinned(count: int, cell: float, base: float, floor: float, texts: tuple[str, ...]) -> tuple[int, float]:
    pitch = PITCH * sum(tallness(texts))
    for step in _STEPS:
        size = min(base, step * cell / pitch)
        if size >= floor:
            return (step, size) if count <= 3 or math.ceil(count / step) >= 3 else (0, floor)
    return 0, floor


def _sides(request: Request, sizes: Sizes) -> None:
    """Room to the left, to the right and below the panels, and the labels cut to it."""
    face, base = request.face, sizes.base
    most = 120.0 if request.width is None else 0.25 * request.width
    deepest = min(120.0, 0.25 * request.height) if request.height else 120.0
    across, down = _cut(request, request.rows, sizes.rows, most), _cut(request, request.cols, sizes.cols, deepest)
    if not sizes.upright:
        down = sizes.cols.size * (sum(tallness(request.cols.labels)) - 0.1)
    sizes.labelled = across + 0.5 * base if across else 0.0
    sizes.left = sizes.margin + 1.35 * base + sizes.labelled + spans.room(request.rows, sizes)
    if any(sizes.layer_names):
        sizes.left += 1.45 * sizes.layer_size
    sizes.under = (0.5 * base + down if down else 0.0) + 0.35 * base + 1.05 * base
    sizes.right = max(sizes.margin, 0.6 * sizes.cols.size)
    if not request.bare:
        texts = tick_texts(request, bar_ticks(request, sizes))
        sizes.ticks = max(sizes.ticks, *(face.width(text, sizes.tick_size) for text in texts))
        sizes.right = sizes.margin + 0.9 * base + bar_width(sizes) + 4.0 + sizes.ticks + 1.5 * base


def _cut(request: Request, axis: Axis, side: Side, most: float) -> float:
    """Cut the labels to `most` points, leave out the thinned ones, and return the width of the widest."""
    side.texts = tuple(
        request.face.cut(text, side.size, most, axis.weight(i)) if side.step and i % side.step == 0 else ""
        for i, text in enumerate(axis.labels)
    )
    return _widest(request, axis, side.texts, side.size)


def _words(request: Request, sizes: Sizes) -> None:
    """Title, subtitle and notes in lines, and the height above the panels."""
    grid = request.per_row * request.cols.cells * sizes.cols.cell + _between(request, sizes)
    face, base, margin = request.face, sizes.base, sizes.margin
    needed = sizes.left + grid + sizes.right
    sizes.title_size = 1.33 * base
    title_width = face.width(request.title, sizes.title_size, "bold")
    sizes.width = request.width or needed
    sizes.title = sizes.subtitle = sizes.notes = ()
    if not request.bare:
        if request.width is None:
            sizes.width = max(needed, min(title_width + 2 * margin, 340.0))
        sizes.text_x = sizes.left if sizes.left + title_width + margin <= sizes.width else margin
        room = sizes.width - sizes.text_x - margin
        if title_width > room:
            sizes.title_size = max(base, sizes.title_size * room / title_width)
        sizes.title = tuple(face.wrap(request.title, sizes.title_size, room, "bold"))
        fitting = [text for text in request.subtitles if face.width(text, base) <= room]
        sizes.subtitle_text = (fitting or list(request.subtitles[-1:]) or [""])[0]
        sizes.subtitle = tuple(face.wrap(sizes.subtitle_text, base, room))
        sizes.remarks = (*request.notes, *_thinning(request, sizes))
        sizes.notes = tuple(face.wrap(" · ".join(sizes.remarks), sizes.note_size, room))
    above = len(sizes.title) * leading(sizes.title) * sizes.title_size
    above += len(sizes.subtitle) * leading(sizes.subtitle) * base
    overhang = max(0.0, 0.6 * sizes.rows.size - sizes.rows.cell / 2)
    headed = sizes.heading_room + spans.room(request.cols, sizes)
    sizes.top = margin + (above + 0.6 * base if above else 0.0) + max(headed, overhang)


def _between(request: Request, sizes: Sizes) -> float:
    """The room between panels that stand side by side."""
    return (request.per_row - 1) * sizes.cols.gap + (request.columns - 1) * sizes.aside


def _thinning(request: Request, sizes: Sizes) -> list[str]:
    """Notes on the panels' size and order, and on labels that are not there."""
    notes = ["panels made small enough for one page: a width or height makes them larger"] if sizes.reduced else []
    notes += [f"layers in {request.columns} columns, each from top to bottom"] if request.columns > 1 else []
    rows, cols = (request.rows.name, request.cols.name)
    row_step, col_step = sizes.rows.step * request.every, sizes.cols.step * request.every
    if row_step == col_step and row_step != 1 and len(request.rows.labels) == len(request.cols.labels):
        unit = request.unit
        notes.append(f"every {ordinal(row_step)} {unit} labelled" if row_step else f"no room for {unit} labels")
    else:
        both = ((row_step, rows), (col_step, cols))
        notes += [f"every {ordinal(step)} {name} labelled" for step, name in both if step > 1]
        notes += [f"no room for {name} labels" for step, name in both if step == 0]
    whole = [text.replace("\n", " ") for text in sizes.headings] == list(request.headings)
    if sizes.layer_names != request.layers:
        notes.append("numbers: layers" if whole else "numbers: layers down, heads across")
    elif not whole and request.caution:
        notes.append("no room for what the heads do")
    elif not whole:
        notes.append("numbers: heads" if "head" in request.headings[0] else "numbers: layers")
    notes += [request.caution] if request.caution and whole else []
    notes += spans.note(request, sizes)
    return notes


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, 21st."""
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def _cells(request: Request, sizes: Sizes) -> None:
    """The cell that the width, the height and the zones leave; square, unless panels would be strips."""
    rows, cols, abreast, stacked = request.rows.cells, request.cols.cells, request.per_row, request.panel_rows
    cell = _roomy_cell(request)
    if request.width is not None:
        across = request.width - sizes.left - sizes.right - _between(request, sizes)
        cell = _some(across / abreast, "width", request.width, abreast) / cols
    if request.page is not None:
        cell = min(cell, _on_page(request, sizes))
        sizes.reduced = cell < _roomy_cell(request)
    limit = request.height or (TALLEST if request.width is not None else None)
    most = math.inf
    if limit is not None:
        down = limit - sizes.top - sizes.under - sizes.foot - (stacked - 1) * sizes.rows.gap
        most = _some(down / stacked, "height" if request.height else "width", limit, stacked) / rows
        if request.height and request.width is None:
            cell = most
    wide = high = cell
    if 4 * rows <= cols:
        high = max(cell, min(1.35 * sizes.base, 0.25 * cols * cell / rows))
    elif 4 * cols <= rows:
        wide = max(cell, min(1.35 * sizes.base, 0.25 * rows * cell / cols))
        wide = cell if request.width is not None else wide
    if high > most:
        wide, high = (wide, most) if high > wide and most >= wide else (wide * most / high, most)
    sizes.cols.cell, sizes.rows.cell = wide, high
    _snap(request, sizes)


def _on_page(request: Request, sizes: Sizes) -> float:
    """The cell that the page leaves room for."""
    wide, high = request.page or (math.inf, math.inf)
    across = wide - sizes.left - sizes.right - _between(request, sizes)
    down = high - sizes.top - sizes.under - sizes.foot - (request.panel_rows - 1) * sizes.rows.gap
    cell = min(across / (request.per_row * request.cols.cells), down / (request.panel_rows * request.rows.cells))
    return max(cell, 0.0)


def _some(side: float, what: str, asked: float, panels: int) -> float:
    """A panel's side, or SelectionError if nothing is left for it."""
    if side < 6.0:
        raise SelectionError(
            f"{what} {asked / 72:.4g} in leaves no room for {panels} panel{'s' if panels > 1 else ''}",
            "choose fewer layers or heads, a larger size, or a smaller font size",
        )
    return side


def _snap(request: Request, sizes: Sizes) -> None:
    """Cells become whole pixels, by a finer resolution where the width is fixed, so that all look equally wide."""
    sizes.dpi = request.dpi or _usual_dpi(request)
    if request.width is not None and request.dpi is None:
        sizes.dpi = 72.0 * math.ceil(sizes.cols.cell * sizes.dpi / 72.0 - 1e-9) / sizes.cols.cell
    pixel = 72.0 / sizes.dpi
    fixed = request.width is not None or request.height is not None
    for side in (sizes.cols, sizes.rows):
        count = side.cell / pixel
        if fixed and count >= 6:
            side.cell = math.floor(count + 1e-6) * pixel
        elif not fixed:
            side.cell = max(math.floor(count + 1e-6) if sizes.reduced else round(count), 1) * pixel


def _usual_dpi(request: Request) -> float:
    return 200.0 if request.width is None else 300.0
