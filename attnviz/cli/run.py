"""From an Analysis to its command: parse, open the source, compute, and send the result where it is wanted."""

from __future__ import annotations

import inspect
import io
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import typer

from attnviz.cli import expand
from attnviz.cli.looks import DPI_OF_MAPS, Pace, Shade, Sheet
from attnviz.cli.options import HEADS_OF_ALL, ONE_HEAD, Json, Output, Talk, usage
from attnviz.cli.subjects import SUBJECTS
from attnviz.errors import SelectionError

if TYPE_CHECKING:
    from attnviz.analyses.base import Analysis, Request, Result
    from attnviz.page.figure_options import FigureOptions


def command_of(analysis: Analysis) -> SimpleNamespace:
    """The command of an analysis, as a module of `cli` has it: `run`, which typer reads, and what shared options mean.

    Its options are the subject's, its own, and those of every result.
    """
    subject = SUBJECTS[analysis.subject]
    groups = {
        **subject.groups,
        "options": analysis.options,
        **({"shade": Shade} if analysis.maps else {}),
        **({"sheet": Sheet} if "figure" in analysis.result.kinds() else {}),
        **({"pace": Pace} if analysis.result.animated else {}),
        "output": Output,
        "listing": Json,
        "talk": Talk,
        "line": expand.Line,
    }

    def run(**values: Any) -> None:
        _run(analysis, values)

    run.__doc__ = analysis.help
    run.__module__ = f"attnviz.analyses.{analysis.name}"
    run.__annotations__ = groups
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in groups.items()
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return SimpleNamespace(
        run=expand.command(run),
        LAYERS=analysis.layers,
        HEADS_MEAN=HEADS_OF_ALL if analysis.heads == "mean" else ONE_HEAD if "place" in groups else "",
        DPI=DPI_OF_MAPS if analysis.maps == "grid" else "200",
        __name__=analysis.name,
    )


def _run(analysis: Analysis, values: dict[str, Any]) -> None:
    from attnviz.render import formats
    from attnviz.render.progress import progress

    talk, options = values["talk"], values["options"]
    drawn = analysis.draws(options)
    kinds = (formats.FIGURE,) if drawn else analysis.result.kinds()
    format = asked_format(values["output"], values["listing"], formats.of(*kinds), drawn)
    if analysis.refuses is not None:
        try:
            analysis.refuses(options, _request(format, values))
        except SelectionError as error:
            usage(str(error), error.hint)
    source = SUBJECTS[analysis.subject].open(analysis, values)
    with progress(analysis.progress_label, total=analysis.passes, quiet=talk.quiet) as advance:
        result = analysis.compute(source, options, advance)
    _give(result, analysis, format, values)
    if result.status:
        raise typer.Exit(result.status)


def _request(format: str, values: dict[str, Any]) -> Request:
    """What the options say of the subject before it is opened."""
    from attnviz.analyses.base import Request

    head = values["heads"].head if "heads" in values else "all"
    saved = "saved" in values and values["saved"].saved is not None
    return Request(format, saved, None if head == "all" else head)


def _figure_options(values: dict[str, Any]) -> FigureOptions:
    """How a picture, or a map in a terminal, is to look."""
    from attnviz.page.figure_options import FigureOptions

    if "sheet" not in values:
        return FigureOptions()
    options, shade = values["sheet"].figure_options(), values.get("shade")
    if "pace" in values:
        options = replace(options, frame_ms=values["pace"].frame_ms)
    if shade is None:
        return options
    return replace(options, scale=shade.scale, vmax=shade.limit(), cmap=shade.cmap, decimals=shade.decimals)


def _give(result: Result, analysis: Analysis, format: str, values: dict[str, Any]) -> None:
    """Print a result, or write it in the format that was asked for."""
    from attnviz import show
    from attnviz.cli import work

    stem = analysis.stem or analysis.name
    page = None if format or values["listing"].json else result.printed()
    shown = page.notes if page is not None and sys.stdout.isatty() else ()
    for message in result.messages:
        if message not in shown:
            values["talk"].note(message)
    if page is not None:
        from attnviz.render.printer import print_page

        print_page(page, options=_figure_options(values))
    elif format and "sheet" not in values:  # rows, of which there may be millions: one by one
        work.write(values["output"], format, lambda out: show.write_result(result, format, out), stem)
    elif format:
        file = io.BytesIO()  # what cannot be drawn is said before a file is opened
        caption = show.write_result(result, format, file, _figure_options(values), command=str(values["line"]))
        work.write(values["output"], format, lambda out: out.write(file.getbuffer()), stem)
        if caption and values["sheet"].bare:
            values["talk"].note(caption)
    else:
        work.print_json(result.rows())


def asked_format(output: Output, listing: Json, formats: tuple[str, ...], drawn: str = "") -> str:
    """The format of the file that is wanted, '' for none: then the terminal gets the result.

    drawn: the flag that asks for a picture, '' for none.
    """
    if output.output is None and output.format is None and not drawn:
        return ""
    if listing.json:
        flags = f"-o and {drawn}" if drawn else "-o"
        usage(f"--json prints to standard output: leave out {flags}, or write a file that ends in .json")
    from attnviz.cli import work

    format = output.chosen(formats, formats[0])
    work.check_output(output, format)
    return format
