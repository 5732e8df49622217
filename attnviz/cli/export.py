"""`attnviz export`: attention as numbers."""

from __future__ import annotations

from attnviz.cli.expand import Line, command
from attnviz.cli.options import OUT, Input, Output, Saved, Selection, Talk, usage
from attnviz.cli.source import Source
from attnviz.flags import option
from attnviz.render import formats

FORMATS = formats.of(formats.ATTENTION)
LAYERS = "all"  # without --layer


@command
def run(
    *,
    given: Input,
    saved: Saved,
    source: Source,
    chosen: Selection,
    output: Output,
    half: bool = option(False, "float16 in .npz: half the size.", panel=OUT),
    talk: Talk,
    line: Line,
) -> None:
    """Write attention as numbers: .npz, .json, .csv or .parquet.

    .npz is read again by --from, by attnviz.open and by NumPy. JSON is one object with nested lists.
    CSV and Parquet have a line for every pair of tokens that the mask allows; Parquet needs pyarrow.

    attnviz export "The cat sat on the mat" -o cat.npz
    attnviz export "The cat sat on the mat" -m minilm -l 3 -o cat.csv
    attnviz export "The cat sat on the mat" -o - --format json
    """
    from attnviz.cli import work

    format = output.chosen(FORMATS, "npz")
    if half and format != "npz":
        usage(f"--half is for .npz, not for .{format}")
    work.check_output(output, format)
    found = work.attention(given, saved, source, chosen, talk, layers=LAYERS)
    found, row, _ = work.narrowed(found, chosen)
    found = work.only(found, row)

    more = {"dtype": "float16"} if half else {}
    work.write(output, format, lambda file: formats.write(format, found, file, made=work.made(line, found), **more))
