"""A value -> its picture or file: the front door behind `save`, `heatmap` and the pictures in a notebook.

The values themselves know nothing of layout or renderers; their methods come through here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from attnviz.errors import OutputError, SelectionError, one_of
from attnviz.render import formats

if TYPE_CHECKING:
    from os import PathLike

    from matplotlib.axes import Axes

    from attnviz.analyses.base import Result
    from attnviz.attention import Attention
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Details, Page
    from attnviz.render.html.frame import HtmlPage as HtmlPage


def write_result(
    result: Result, format: str, file: IO[bytes], options: FigureOptions | None = None, command: str = ""
) -> str:
    """Write a result to an open binary file; return the caption of a picture, '' for numbers.

    Args:
        format: a name in `attnviz.render.formats`. options: of a picture.
        command: the command line that made it, for a picture or an .npz to carry.

    Raises:
        SelectionError: no such format, or the result has nothing to show in it.
    """
    thing = _thing(result, format, options, command)
    formats.write(format, thing, file, **_how(result, format, options, command))
    return getattr(thing, "caption", "")


def encode_result(result: Result, format: str) -> bytes:
    """The bytes that `write_result` writes."""
    return formats.encode(format, _thing(result, format, None, ""), **_how(result, format, None, ""))


def _how(result: Result, format: str, options: FigureOptions | None, command: str) -> dict[str, Any]:
    """The options of a format's writer."""
    if format in formats.of(formats.PAGE):
        return {"made_by": made_by_of(result, command)}
    return {"milliseconds": options.frame_ms} if options and format in formats.of(formats.FRAMES) else {}


def text_of(result: Result) -> str:
    """A result as plain aligned columns, as a terminal shows it."""
    import io

    from attnviz.render.printer import print_page

    out = io.StringIO()
    print_page(result.printed(), out)
    return out.getvalue().rstrip("\n")


def _thing(result: Result, format: str, options: FigureOptions | None, command: str) -> Any:
    """The content of a format: a result's rows, its arrays or its picture."""
    kinds = result.kinds()
    if format in formats.of(formats.ROWS) and formats.ROWS in kinds:
        return result.each_row()
    if format in formats.of(formats.PAGE):
        return browser_page(result, options)
    made_by = result.facts.made_by(command)
    if format in formats.of(formats.ARRAYS):
        arrays = result.arrays()
        if isinstance(arrays, Mapping):
            return {**arrays, "meta": {**result.about(), **made_by}}
        return replace(arrays, meta={**arrays.meta, **made_by})
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.place import frames, place

    draw = frames if format in formats.of(formats.FRAMES) else place
    return draw(result.page(), options or FigureOptions(), made_by)


def arrow_of_result(result: Result, requested_schema: object = None) -> object:
    """The rows of a result as the capsule of an Arrow stream."""
    from attnviz.render.arrow import stream_of_rows

    return stream_of_rows(result.each_row, requested_schema)


def arrow_of_attention(attention: Attention, requested_schema: object = None) -> object:
    """The long form of an Attention as the capsule of an Arrow stream."""
    from attnviz.render.arrow import stream_of_attention

    return stream_of_attention(attention, requested_schema)


ROWS, COUNTED = 3000, 100_000  # rows that a page for a browser holds at most, and rows that are counted


def browser_page(result: Result, options: FigureOptions | None = None) -> Page:
    """A result as a page for a browser: what it shows there, then its numbers as one table."""
    from itertools import islice

    from attnviz.page.parts import Catalogue, Facts, Listing, Page, Rows, TensorTable, TokenTable

    page, rows = _started(result.browser(), options), iter(result.each_row())
    first = list(islice(rows, ROWS))
    total = len(first) + sum(1 for _ in islice(rows, COUNTED))
    if options is not None and options.title is not None:
        page = replace(page, title=options.title)
    if not first:
        return page
    listed = any(isinstance(part, Catalogue | Facts | Listing | TensorTable | TokenTable) for part in page.parts)
    numbers = Page(parts=(Rows(first, total, total == ROWS + COUNTED, listed),))
    return replace(page, following=(*page.following, numbers))


def _started(page: Page, options: FigureOptions | None) -> Page:
    """The page with maps whose reader starts at the query, the scale and the colours that were asked for.

    Raises SelectionError: no such colours on a page.
    """
    from attnviz.page.parts import Explorer, MapGrid
    from attnviz.render.html.document import COLOURS

    start: dict[str, Any] = {}
    if options is not None:
        if options.cmap not in COLOURS:
            raise SelectionError(one_of("cmap", options.cmap, COLOURS))
        high = None if isinstance(options.vmax, str) else options.vmax
        start = {"scale": options.scale, "cmap": options.cmap, **({} if high is None else {"high": high})}
    parts = []
    for part in page.parts:
        if isinstance(part, MapGrid):
            at = {} if part.query is None else {"view": "map", "token": part.query}
            part = Explorer((part.attention,), start=at)
        parts.append(replace(part, start={**start, **part.start}) if isinstance(part, Explorer) else part)
    return replace(page, parts=tuple(parts))


def made_by_of(result: Result, command: str) -> dict[str, str]:
    """The maker of a file; a listing without facts states the command and the version."""
    from attnviz.facts import made_by

    facts = getattr(result, "facts", None)
    meta: dict[str, str] = facts.made_by(command) if facts is not None else made_by(command, "", {})
    return {name: text for name, text in meta.items() if text}


def save_result(result: Result, path: str | PathLike[str], options: Mapping[str, Any]) -> str:
    """Write a result to a file whose extension names the format; return the path."""
    from attnviz.files.output import writing
    from attnviz.page.figure_options import FigureOptions

    format, known = Path(path).suffix.lower().removeprefix("."), formats.of(*result.kinds())
    if format not in known:
        raise OutputError(one_of(f"the extension of {str(path)!r}", format, known))
    _check_applies(result, format, options)
    try:
        figure_options = FigureOptions(**options)
    except TypeError:
        names = tuple(FigureOptions.__dataclass_fields__)
        wrong = next(name for name in options if name not in names)
        raise SelectionError(one_of("figure option", wrong, names)) from None
    with writing(str(path)) as file:
        write_result(result, format, file, figure_options)
    return str(path)


# Options of a picture that mean something for these alone: frames of an animation, and maps.
OF_COLOURS = ("scale", "vmax", "cmap")  # of maps, on a page for a browser too
_OF_FRAMES, _OF_MAPS = {"frame_ms"}, {*OF_COLOURS, "decimals"}
_OF_PAGES = {"title"}  # of a page for a browser


def own_colours(name: str) -> SelectionError:
    """The error of an option of colours for a page that has its own. name: as it was written."""
    return SelectionError(f"{name} changes nothing on a page of several numbers, which has colours of its own",
                          "leave it out, or write .png, .svg or .pdf")  # fmt: skip


def _check_applies(result: Result, format: str, options: Collection[str]) -> None:
    """Raise SelectionError for an option that this result in this format would ignore."""
    picture, frames, page = (format in formats.of(kind) for kind in (formats.FIGURE, formats.FRAMES, formats.PAGE))
    for name in options:
        if page and name in OF_COLOURS and result.shows_maps("grid"):
            continue
        if page and name in OF_COLOURS and result.shows_maps():
            raise own_colours(name)
        if page and name not in _OF_PAGES:
            raise SelectionError(
                f"{name} is for pictures; a page in a browser is as wide as its window", "leave it out"
            )
        if page:
            continue
        if not (picture or frames):
            raise SelectionError(f"{name} is for pictures; .{format} holds numbers", "leave it out")
        if name in _OF_FRAMES and not frames:
            raise SelectionError(f"{name} is for animations, not for .{format}", "leave it out")
        if name in _OF_MAPS and not result.shows_maps():
            raise SelectionError(f"{name} is for maps, of which this result shows none", "leave it out")


def save_attention(attention: Attention, path: str | PathLike[str]) -> None:
    """Write an Attention by the extension of its file: numbers or a picture; an .npz where there is none."""
    from attnviz.files.output import writing

    format = Path(path).suffix.lower().removeprefix(".")
    if format in formats.of(formats.PAGE):
        attention.html().save(path)
        return
    thing: Any = attention
    if format in formats.of(formats.FIGURE):
        from attnviz.page.heatmap import heatmap

        thing = heatmap(attention)
    elif format in formats.of(formats.FRAMES):
        from attnviz.page.frames import by_layer

        thing = by_layer(attention)
    elif format not in formats.of(formats.ATTENTION):
        format = "npz"
    with writing(path) as file:
        formats.write(format, thing, file)


def draw_attention(attention: Attention, ax: Axes | None, options: dict[str, Any]) -> Any:
    """The maps as a matplotlib Figure, or one map in an axes of a figure of one's own."""
    from attnviz.page.figure_options import length

    options |= {side: length(side, options[side]) for side in ("width", "height") if side in options}
    if ax is not None:
        from attnviz.render.axes import heatmap_in

        return heatmap_in(ax, attention, **options)
    from attnviz.page.heatmap import heatmap
    from attnviz.render.image import draw

    return draw(heatmap(attention, **options))


def explorer_page(
    attentions: Sequence[Attention],
    names: Sequence[str] = (),
    compared: bool = False,
    title: str | None = None,
    details: Sequence[Details | None] = (),
    start: Mapping[str, Any] | None = None,
) -> Page:
    """Every head of these attentions, as a page for a browser. The first one gives the title.

    names: what tells them apart; their streams by default. compared: they are two sides of one comparison.
    details: what is known of each beside its maps. start: where the reader starts.
    """
    from attnviz.facts import facts_of
    from attnviz.page.parts import Details, Explorer, Page

    all_facts = [facts_of(attention) for attention in attentions]
    notes = dict.fromkeys(note for facts in all_facts for note in facts.remarks())
    beside = tuple(each or Details() for each in details)
    explorer = Explorer(tuple(attentions), tuple(names), compared, beside, dict(start or {}))
    first, pooled = all_facts[0], beside[0].tokens if beside else None
    subtitle = first.subtitle()
    if pooled is not None:
        subtitle = f"{len(pooled[0]):,} tokens in {subtitle.replace(' tokens', ' cells', 1)}"
    return Page(first.title() if title is None else title, subtitle, (explorer,), tuple(notes))


def html_of(page: Page, made_by: Mapping[str, str]) -> HtmlPage:
    """A page as HTML, which a notebook shows in a frame."""
    from attnviz.render.html.frame import HtmlPage

    return HtmlPage(formats.encode("html", page, made_by=made_by).decode(), page.title)


def html_of_result(result: Result) -> HtmlPage:
    """A result as HTML: what it shows in a browser, and its numbers."""
    return html_of(browser_page(result), made_by_of(result, ""))


def html_of_attentions(attentions: Sequence[Attention], names: Sequence[str], compared: bool) -> HtmlPage:
    """Every head of these attentions as HTML."""
    from attnviz.facts import made_by

    first = attentions[0]
    meta = {name: text for name, text in made_by("", first.model, first.meta).items() if text}
    return html_of(explorer_page(attentions, names, compared), meta)


def encode_attention(attention: Attention) -> bytes:
    """The maps as a PNG."""
    from attnviz.page.heatmap import heatmap

    return formats.encode("png", heatmap(attention))
