"""`attnviz export`: attention as numbers."""

from __future__ import annotations

from dataclasses import dataclass

from attnviz.cli import opening
from attnviz.cli.expand import Line, command
from attnviz.cli.options import OUT, Input, Output, Saved, Selection, Talk, usage
from attnviz.cli.source import Source
from attnviz.cli.writing import check_output, write
from attnviz.flags import option
from attnviz.render import formats

FORMATS = formats.of(formats.ATTENTION)
LAYERS = "all"  # without --layer


@dataclass(frozen=True)
class Numbers(Output):
    """Where a file of numbers goes."""

    half: bool = option(False, "float16 in .npz: half the size.", panel=OUT)


@command
def run(
    *, input: Input, saved: Saved, source: Source, chosen: Selection, output: Numbers, talk: Talk, line: Line
) -> None:
    """Write attention as numbers: .npz, .json, .csv or .parquet.

    .npz is read again by --from, by attnviz.open and by NumPy. JSON is one object with nested lists.
    CSV and Parquet have a line for every pair of tokens that the mask allows; Parquet needs pyarrow.

    attnviz export "The cat sat on the mat" -o cat.npz
    attnviz export "The cat sat on the mat" -m minilm -l 3 -o cat.csv
    attnviz export "The cat sat on the mat" -o - --format json
    """
    format = output.chosen(FORMATS, "npz")
    if output.half and format != "npz":
        usage(f"--half is for .npz, not for .{format}")
    check_output(output, format)
    attention = opening.narrowed_rows(opening.attention(input, saved, source, chosen, talk, LAYERS), chosen)

    from attnviz.facts import made_by

    meta = made_by(line, attention.model, attention.meta)
    more = {"dtype": "float16"} if output.half else {}
    write(output, format, lambda file: formats.write(format, attention, file, made_by=meta, **more))
