"""`attnviz heatmap`: attention as a picture."""

from __future__ import annotations

from attnviz.cli.expand import Line, command
from attnviz.cli.options import Input, Output, Page, Saved, Selection, Shade, Source, Talk

FORMATS = ("png", "svg", "pdf")


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    chosen: Selection,
    shade: Shade,
    page: Page,
    output: Output,
    talk: Talk,
    line: Line,
) -> None:
    """Draw attention as a picture, one panel a head: PNG, SVG or PDF.

    Without -o the picture is attention.png, or attention-2.png and so on where that is taken.
    The path is printed on standard output.

    attnviz heatmap "The animal didn't cross the street because it was too tired"
    attnviz heatmap "It is a bank" -m minilm -l 3 -H 1 --mark it:bank -o bank.pdf
    attnviz heatmap --from attention.npy --labels tokens.txt --words -o map.svg
    """
    from attnviz.cli import work

    format = output.chosen(FORMATS, "png")
    work.check_output(output, format)
    found = work.attention(given, saved, source, chosen, talk, layers="-1")
    found, row, marks = work.narrowed(found, chosen, page.mark)

    from attnviz.render.image import to_bytes
    from attnviz.views.heatmap import heatmap

    figure = heatmap(
        found,
        scale=shade.scale,
        vmax=shade.limit(),
        cmap=shade.cmap,
        width=page.width,
        height=page.height,
        font=page.font,
        font_size=page.font_size,
        title=page.title,
        marks=marks,
        bare=page.bare,
        decimals=shade.decimals,
        dpi=page.dpi,
        svg_text=page.svg_text,
        query=row,
        meta=work.made(line, found),
    )
    picture = to_bytes(figure, format)
    work.write(output, format, lambda file: file.write(picture))
    if page.bare:
        talk.note(figure.caption)
