"""From an Analysis to its command: parse, open the source, compute, and send the result where it is wanted."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import typer

from attnviz.cli import expand
from attnviz.cli.figure_options import DPI_OF_MAPS, Colours, Pace, Picture, figure_options
from attnviz.cli.opening import Command
from attnviz.cli.options import HEADS_OF_ALL, ONE_HEAD, Json, Output, Talk, usage
from attnviz.cli.subjects import SUBJECTS
from attnviz.cli.writing import check_output, print_json, write
from attnviz.errors import SelectionError
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.analyses.base import Analysis, Request, Result


def command_of(analysis: Analysis) -> SimpleNamespace:
    """The command of an analysis, as a module of `cli` has it: `run`, which typer reads, and what shared options mean.

    Its options are the subject's, its own, and the options of every result.
    """
    subject = SUBJECTS[analysis.subject]
    groups = {
        **subject.groups,
        "options": analysis.options,
        **({"colours": Colours} if analysis.maps else {}),
        **({"picture": Picture} if "figure" in analysis.result.kinds() else {}),
        **({"pace": Pace} if analysis.result.animated else {}),
        "output": Output,
        "listing": Json,
        "talk": Talk,
        "line": expand.Line,
    }

    def run(**values: Any) -> None:
        _run(analysis, values)

    run.__doc__, run.__annotations__ = analysis.help, groups
    run.__module__ = f"attnviz.analyses.{analysis.name}"
    return SimpleNamespace(
        run=expand.command(run),
        LAYERS=analysis.layers,
        HEADS_MEAN=HEADS_OF_ALL if analysis.heads == "mean" else ONE_HEAD if "place" in groups else "",
        DPI=DPI_OF_MAPS if analysis.maps == "grid" else "200",
        FORMATS=formats.of(*analysis.result.kinds()),
        STEM=analysis.stem or analysis.name,
        __name__=analysis.name,
    )


def _run(analysis: Analysis, values: dict[str, Any]) -> None:
    from attnviz.render.progress import progress

    talk, options = values["talk"], values["options"]
    drawn = analysis.draws(options)
    kinds = (formats.FIGURE, formats.PAGE) if drawn else analysis.result.kinds()
    format = _asked_format(values["output"], values["listing"], formats.of(*kinds), drawn)
    try:
        if analysis.refuses is not None:
            analysis.refuses(options, _request(format, values))
        if analysis.maps == "table" and format in formats.of(formats.PAGE):
            _check_colours(values["colours"])
    except SelectionError as error:
        usage(str(error), error.hint)
    subject, command = SUBJECTS[analysis.subject], Command(analysis, options, values["output"], talk)
    source = subject.open(command, **{name: values[name] for name in subject.groups})
    with progress(analysis.progress_label, total=analysis.passes, quiet=talk.quiet) as advance:
        result = analysis.compute(source, options, advance)
    if kept := getattr(getattr(source, "model", None), "weights_kept", str)():
        talk.detail(kept)
    _give(result, analysis, format, values)
    if result.status:
        raise typer.Exit(result.status)


def _check_colours(colours: Colours) -> None:
    """Raise SelectionError for colours that were asked for, for a page that has its own."""
    from attnviz.show import OF_COLOURS, own_colours

    usual = Colours()
    for name in OF_COLOURS:
        if getattr(colours, name) != getattr(usual, name):
            raise own_colours(f"--{name}")


def _request(format: str, values: dict[str, Any]) -> Request:
    """The facts about a subject that its options state before it is opened."""
    from attnviz.analyses.base import Request

    head = values["heads"].head if "heads" in values else "all"
    saved = "saved" in values and values["saved"].saved is not None
    return Request(format, saved, None if head == "all" else head)


def _give(result: Result, analysis: Analysis, format: str, values: dict[str, Any]) -> None:
    """Print a result, or write it in the format that was asked for."""
    from attnviz import show

    stem = analysis.stem or analysis.name
    options = figure_options(*(values[name] for name in ("colours", "picture", "pace") if name in values))
    page = None if format or values["listing"].json else result.printed()
    shown = page.notes if page is not None and sys.stdout.isatty() else ()
    for message in result.messages:
        if message not in shown:
            values["talk"].note(message)
    if page is not None:
        from attnviz.render.printer import print_page

        print_page(page, options=options)
    elif (
        format and format not in formats.of(formats.PAGE) and "picture" not in values
    ):  # rows, of which there may be millions: one by one
        write(values["output"], format, lambda out: show.write_result(result, format, out), stem)
    elif format:
        file = io.BytesIO()  # errors in drawing come before a file is opened
        caption = show.write_result(result, format, file, options, command=str(values["line"]))
        write(values["output"], format, lambda out: out.write(file.getbuffer()), stem)
        if caption and "picture" in values and values["picture"].bare:
            values["talk"].note(caption)
    else:
        print_json(result.each_row())


def _asked_format(output: Output, listing: Json, formats: tuple[str, ...], drawn: str = "") -> str:
    """The format of the file that is wanted, '' for none: then the terminal gets the result.

    drawn: the flag that asks for a picture, '' for none.
    """
    if output.output is None and output.format is None and not drawn:
        return ""
    if listing.json:
        flags = f"-o and {drawn}" if drawn else "-o"
        usage(f"--json prints to standard output: leave out {flags}, or write a file that ends in .json")
    format = output.chosen(formats, next(name for name in formats if name != "html"))
    check_output(output, format)
    return format
