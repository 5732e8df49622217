"""An analysis: its options, what it computes, and the result that every output format reads.

    @dataclass(frozen=True)
    class Options:
        by: str | None = option(None, "The number that orders the list", choices=names)

    @analysis("stats", Options, HeadStatistics)
    def stats(source: AttentionSource, options: Options, progress: Progress | None = None) -> HeadStatistics: ...

The command's flags, help and checks come from `Options`, its `--help` text from the function's docstring, and
`attnviz.stats(...)` is the decorated function. docs/adding-an-analysis.md adds one from beginning to end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

from attnviz.errors import SelectionError, one_of
from attnviz.flags import check, flags_of, of_kinds
from attnviz.flags import key_option as key_option
from attnviz.flags import option as option
from attnviz.flags import query_option as query_option
from attnviz.flags import top_option as top_option

if TYPE_CHECKING:
    from os import PathLike

    from attnviz.attention import Attention
    from attnviz.facts import SourceFacts
    from attnviz.page.parts import Page, Part
    from attnviz.show import HtmlPage

CELLS = 100  # tokens that stand one below the other; of a longer text neighbours are pooled


class Result:
    """The answer of an analysis: a plain value, the same for every output format.

    facts: what every result states about its source. messages: what a user should know about how it was computed;
    the command line prints them on standard error unless the notes of a terminal's page have them.
    """

    facts: Any
    messages: Sequence[str] = ()
    animated = False  # whether its maps can be shown query by query, in .gif and .apng

    @classmethod
    def kinds(cls) -> tuple[str, ...]:
        """The kinds of output that it has: names of kinds in `attnviz.render.formats`."""
        own = {"figure": cls.page is not Result.page, "frames": cls.animated}
        own |= {"arrays": cls.arrays is not Result.arrays, "rows": True, "page": True}
        return tuple(kind for kind, has in own.items() if has)

    @classmethod
    def shows_maps(cls, *kinds: str) -> bool:
        """Whether it shows maps whose colours and digits can be chosen: `maps` of its analysis, or one of the kinds."""
        own = {each.maps for each in REGISTERED.values() if each.maps and issubclass(cls, each.result)}
        return bool(own.intersection(kinds) if kinds else own)

    def title(self) -> str:
        """The subject, in a few words."""
        return self.printed().title or type(self).__name__

    @property
    def status(self) -> int:
        """The exit status of the command: 1 for an answer that a script has to notice."""
        return 0

    def rows(self) -> list[dict[str, Any]]:
        """The numbers, one flat dict per line: `--json`, .json and .csv. A result defines this or `each_row`."""
        if type(self).each_row is Result.each_row:
            raise NotImplementedError
        return list(self.each_row())

    def each_row(self) -> Iterable[dict[str, Any]]:
        """The rows one by one, as files are written: a result of millions of rows never holds them all."""
        return self.rows()

    def page(self) -> Page:
        """The content of a picture; a result that is a table alone has `printed` instead."""
        raise NotImplementedError

    def printed(self) -> Page:
        """The content of a terminal; a picture's parts unless a result says otherwise."""
        return self.page()

    def browser(self) -> Page:
        """The content of a page for a browser, without the rows: a picture's parts, else a terminal's.

        A result defines this where a browser can show more than paper.
        """
        from dataclasses import replace

        page = self.page() if "figure" in self.kinds() else self.printed()
        return page if page.title else replace(page, title=self.title())

    def arrays(self) -> Any:
        """The numbers for .npz: arrays by name, or an Attention, which `attnviz.open` reads again."""
        raise NotImplementedError

    def about(self) -> dict[str, Any]:
        """Facts that a file of arrays states, besides the command and model that made it."""
        return {}

    def save(self, path: str | PathLike[str], **figure_options: Any) -> str:
        """Write the result to a file whose extension names the format, whole or not at all; return the path.

        Args:
            path: ends in .png, .svg, .pdf, .html, .json or .csv, or in another format of this analysis.
            figure_options: of a picture: width, dpi, font, title, ... (`attnviz.page.figure_options.FigureOptions`).

        Raises:
            SelectionError: no such figure option, or one that would change nothing: all of them for numbers,
                `frame_ms` without frames, and colours and digits of maps for a result without maps.
            OutputError: no such format, or the file cannot be written.
        """
        from attnviz.show import save_result

        return save_result(self, path, figure_options)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows as an Arrow stream (PyCapsule interface), which pandas, polars, DuckDB and pyarrow read.

        Types are the same in all batches; not-a-number is null. Raises OutputError if pyarrow is not installed.
        """
        from attnviz.show import arrow_of_result

        return arrow_of_result(self, requested_schema)

    def __init_subclass__(cls) -> None:
        """Results are dataclasses, whose own repr would print whole arrays."""
        cls.__repr__ = Result.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.title()}; .rows(), .save(path), print() for the table>"

    def __str__(self) -> str:
        """Plain aligned columns, as the command prints them into a pipe."""
        from attnviz.show import text_of

        return text_of(self)

    def html(self) -> HtmlPage:
        """The page for a browser that `save("x.html")` writes."""
        from attnviz.show import html_of_result

        return html_of_result(self)

    def _repr_html_(self) -> str:
        """The page in a frame, for a notebook."""
        return self.html()._repr_html_()

    def _repr_png_(self) -> bytes | None:
        """The picture, for a notebook; None for a result that is a table alone."""
        if "figure" not in self.kinds():
            return None
        from attnviz.show import encode_result

        return encode_result(self, "png")


class AttentionResult(Result):
    """A result about attention: its pages share a title, a subtitle and notes, which its facts give by default."""

    def title(self) -> str:
        facts: SourceFacts = self.facts
        return facts.title()

    def subtitle(self) -> str:
        """The line below the title."""
        facts: SourceFacts = self.facts
        return facts.subtitle()

    def notes(self) -> Sequence[str]:
        """One line each, below everything."""
        facts: SourceFacts = self.facts
        return facts.remarks()

    def sheet(self, *parts: Part, title: str = "", subtitle: str = "", notes: Sequence[str] = (), **more: Any) -> Page:
        """A page of these parts.

        Args:
            title, subtitle: instead of its own. notes: in front of its own. more: other fields of a Page.
        """
        from attnviz.page.parts import Page

        return Page(title or self.title(), subtitle or self.subtitle(), parts, (*notes, *self.notes()), **more)


@dataclass(frozen=True, eq=False)
class SelectedMaps:
    """Whole maps of some layers, heads and tokens.

    query: the position of the one query that was asked for; None for all. chosen: whether layers or
    heads were selected.
    """

    attention: Attention
    query: int | None = None
    chosen: bool = False


class Request(NamedTuple):
    """Facts that are known before a subject is opened.

    format: of the file that is wanted, '' for none. from_file: attention that has been computed already, not a
    model's. heads: as they were named, None where nobody did; heads of different layers are text such as `3.1,5.11`.
    """

    format: str = ""
    from_file: bool = False
    heads: Any = None


@dataclass(frozen=True)
class Analysis:
    """One command: its options, what it computes, and what it says about itself.

    Attributes:
        name: of the command and of the function in `attnviz`.
        options: a frozen dataclass; its fields are the flags (see `option`).
        compute: from a source and options to a Result.
        help: the text of `--help`: a first line, paragraphs, and examples that begin with `attnviz `.
        subject: what it looks at: `attention` (a model's or a file's), `model`, or another name in `cli.subjects`.
        layers: what `-l` means where it is not given: `all`, `-1` or `0`.
        heads: what `-H` means: `any` heads, or heads of all layers whose `mean` is followed.
        maps: the maps that it shows, whose colours and digits can be chosen: `grid` (one panel per map), `table`
            (maps of several numbers side by side); '' for none.
        result: the class of its Result, whose methods say which formats it has.
        passes: how often the source is read, for the progress bar; progress_label: what the bar says.
        stem: the name of a file without -o PATH; default: the command's name.
        draws: from options to the flag that asks for a picture, which is then drawn also without -o; '' for none.
        refuses: called with the options and a Request before any work; raises SelectionError for what cannot be.
    """

    name: str
    options: type
    compute: Callable[[Any, Any, Any], Result]
    help: str
    subject: str = "attention"
    result: type[Result] = Result
    layers: str = "all"
    heads: str = "any"
    maps: str = ""
    passes: int = 1
    stem: str = ""
    progress_label: str = "attention"
    draws: Callable[[Any], str] = lambda options: ""
    refuses: Callable[[Any, Request], None] | None = None

    def __call__(self, source: Any, *inputs: Any, **named: Any) -> Any:
        """Run it from Python: see `attnviz.analyses.front`."""
        from attnviz.analyses.front import call

        return call(self, source, inputs, named)

    def spellings(self) -> dict[str, str]:
        """Its options by every spelling: keyword -> field."""
        return {
            flag.partition("/")[0].removeprefix("--").replace("-", "_"): each.name
            for each in fields(self.options)
            for flag in (f"--{each.name}", *flags_of(each))
        }

    def opened(self, more: Iterable[str] = (), /, **named: Any) -> Any:
        """Its options from keywords, by any of their spellings, checked. Raises SelectionError for unknown ones.

        more: keywords that its subject takes besides, for the error to name.
        """
        spelled = self.spellings()
        unknown = sorted(named.keys() - spelled.keys())
        if unknown:
            known = sorted({*spelled, *more})
            if not known:
                raise SelectionError(f"{self.name} has no options of its own; got {unknown[0]!r}")
            from difflib import get_close_matches

            near = get_close_matches(unknown[0], known, n=1)
            raise SelectionError(one_of("option", unknown[0], dict.fromkeys([*near, *known])))
        values: dict[str, Any] = {}
        for name, value in named.items():
            if spelled[name] in values:
                raise SelectionError(f"{name} is another spelling of an option that is given already")
            values[spelled[name]] = value
        options = self.options(**of_kinds(self.options, values))
        check(options)
        return options


REGISTERED: dict[str, Analysis] = {}


def analysis(
    name: str, options: type, result: type[Result], **more: Any
) -> Callable[[Callable[[Any, Any, Any], Any]], Analysis]:
    """Register a function as the analysis `name`; its docstring is the command's help. more: fields of `Analysis`."""

    def register(compute: Callable[[Any, Any, Any], Any]) -> Analysis:
        REGISTERED[name] = Analysis(name, options, compute, compute.__doc__ or "", result=result, **more)
        return REGISTERED[name]

    return register


def ranked(rows: Iterable[dict[str, Any]], by: str | None) -> Iterator[dict[str, Any]]:
    """Rows with the largest number first; not-a-number last; in their own order where `by` is None."""
    if by is None:
        yield from rows
        return
    yield from sorted(rows, key=lambda row: -row[by] if row[by] == row[by] else float("inf"))
