"""`attnviz html`: every head in a browser, in one file."""

from __future__ import annotations

from attnviz.cli import opening
from attnviz.cli.expand import Line, command
from attnviz.cli.options import Input, Output, Saved, Selection, Talk
from attnviz.cli.source import Source
from attnviz.cli.writing import check_output, write
from attnviz.render import formats

FORMATS = formats.of(formats.PAGE)
LAYERS = "all"  # without --layer


@command
def run(
    *, input: Input, saved: Saved, source: Source, chosen: Selection, output: Output, talk: Talk, line: Line
) -> None:
    """Write every head as a page for a browser: one file that needs no network.

    attnviz html "The cat sat on the mat" -o cat.html
    """
    format = output.chosen(FORMATS, "html")
    check_output(output, format)
    attention = opening.narrowed_rows(opening.attention(input, saved, source, chosen, talk, LAYERS), chosen)

    from attnviz.facts import facts_of, made_by
    from attnviz.page.parts import Explorer, Page

    facts = facts_of(attention)
    page = Page(facts.title(), facts.subtitle(), (Explorer((attention,)),), tuple(facts.remarks()))
    meta = made_by(line, attention.model, attention.meta)
    drawn = formats.encode(format, page, made_by=meta)
    write(output, format, lambda file: file.write(drawn))
