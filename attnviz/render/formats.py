"""The file formats, in one table: what each can hold, and the function that writes it.

A format's name is its file ending. A command says what its result can be shown as (a Figure, rows of a table, ...) and
`of` answers with the formats that hold it. Nothing heavy is imported before something is written.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any

from attnviz.errors import SelectionError, one_of

# What a format can hold: one Figure; several Figures of one size, shown one after the other; an Attention; rows of a
# table (dictionaries with the same keys); arrays by name; a Figure that draws a running text; a Page.
FIGURE, FRAMES, ATTENTION, ROWS, ARRAYS, TEXT, PAGE = KINDS = (
    *("figure", "frames", "attention", "rows", "arrays", "text"),
    "page",
)


@dataclass(frozen=True)
class Format:
    """One way to write one kind of thing.

    name: the file ending, without the dot. holds: one of KINDS. writer: "module:function", called as
    function(thing, file, **how). plain: it is text, which a terminal may print.
    """

    name: str
    holds: str
    writer: str
    plain: bool = False

    def write(self, thing: Any, file: IO[bytes], **how: Any) -> None:
        """Write the thing to an open binary file; how: the writer's own options."""
        module, _, function = self.writer.partition(":")
        getattr(import_module(module), function)(thing, file, **how)


FORMATS = (
    Format("png", FIGURE, "attnviz.render.image:write_png"),
    Format("svg", FIGURE, "attnviz.render.image:write_svg", plain=True),
    Format("pdf", FIGURE, "attnviz.render.image:write_pdf"),
    Format("pgf", FIGURE, "attnviz.render.pgf:write_pgf", plain=True),
    Format("html", PAGE, "attnviz.render.html.document:write_html", plain=True),
    Format("gif", FRAMES, "attnviz.render.animation:write_gif"),
    Format("apng", FRAMES, "attnviz.render.animation:write_apng"),
    Format("npz", ATTENTION, "attnviz.io.data:write_npz"),
    Format("npz", ARRAYS, "attnviz.render.formats:write_arrays"),
    Format("json", ARRAYS, "attnviz.render.formats:write_nested_arrays", plain=True),
    Format("json", ATTENTION, "attnviz.io.data:write_json", plain=True),
    Format("json", ROWS, "attnviz.render.rows:write_json", plain=True),
    Format("csv", ATTENTION, "attnviz.io.data:write_csv", plain=True),
    Format("csv", ROWS, "attnviz.render.rows:write_csv", plain=True),
    Format("parquet", ATTENTION, "attnviz.io.data:write_parquet"),
    Format("tex", TEXT, "attnviz.render.running_text:write_tex", plain=True),
    Format("typ", TEXT, "attnviz.render.running_text:write_typst", plain=True),
)
PLAIN = frozenset(form.name for form in FORMATS if form.plain)
WATCHERS: list[Callable[[Any], None]] = []  # called with every thing that is written, as a contact sheet does


def of(*kinds: str) -> tuple[str, ...]:
    """The names of all formats that hold one of these KINDS, in the order of the table, each once."""
    return tuple(dict.fromkeys(form.name for form in FORMATS if form.holds in kinds))


def write(name: str, thing: Any, file: IO[bytes], **how: Any) -> None:
    """Write a thing in the format of this name; how: options of its writer, such as `made_by` for an Attention.

    Raises SelectionError: there is no such format.
    """
    forms = {form.holds: form for form in FORMATS if form.name == name}
    if not forms:
        raise SelectionError(one_of("format", name, of(*KINDS)))
    for watch in WATCHERS:
        watch(thing)
    form = forms[_kind(thing)] if len(forms) > 1 else next(iter(forms.values()))
    form.write(thing, file, **how)


def encode(name: str, thing: Any, **how: Any) -> bytes:
    """The bytes that `write` writes."""
    file = io.BytesIO()
    write(name, thing, file, **how)
    return file.getvalue()


def write_arrays(arrays: Mapping[str, Any], file: IO[bytes]) -> None:
    """An .npz of arrays by name; `meta`, a dictionary of what made them, is JSON text in it."""
    import json

    import numpy as np

    from attnviz.io.data import write_arrays

    if isinstance(arrays.get("meta"), Mapping):
        arrays = {**arrays, "meta": np.array(json.dumps(arrays["meta"], sort_keys=True, ensure_ascii=False))}
    write_arrays(file, arrays)


def write_nested_arrays(arrays: Mapping[str, Any], file: IO[bytes]) -> None:
    """One JSON object: the entries of `meta`, then the arrays as nested lists; null for a number that is not finite."""
    from attnviz.files.output import json_text

    nested = {name: _nested(values) for name, values in arrays.items() if name != "meta"}
    file.write(json_text({**arrays["meta"], **nested}).encode("utf-8", "replace") + b"\n")


def _nested(values: Any) -> Any:
    """An array as lists of numbers with the fewest digits that bring the same number back; None if not finite."""
    import numpy as np

    if values.dtype.kind != "f":
        return values.tolist()
    if values.ndim:
        return [_nested(part) for part in values]
    return float(str(values)) if np.isfinite(values) else None


def _kind(thing: Any) -> str:
    """The kind of a thing, among the kinds that share a format."""
    from attnviz.attention import Attention

    if isinstance(thing, Attention):
        return ATTENTION
    return ARRAYS if isinstance(thing, Mapping) else ROWS
