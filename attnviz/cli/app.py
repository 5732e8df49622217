"""The typer application: which commands there are. A command's own module is imported when it is called for."""

from __future__ import annotations

import inspect
import re
from functools import cache, partial
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

import attnviz
from attnviz.analyses import ANALYSES, LISTINGS, find

# The commands that are no analysis: name -> the first line of its help.
_OWN = {
    "heatmap": "Draw attention as a picture, one panel per head: PNG, SVG, PDF, PGF or GIF.",
    "table": "Print attention in the terminal, a table a head.",
    "html": "Write every head as a page for a browser: one file that needs no network.",
    "export": "Write attention as numbers: .npz, .json, .csv or .parquet.",
    "corpus": "Measure every head in many texts: a file or a folder of them, on all cores.",
    "corpus merge": "Sum up a corpus whose parts were measured apart, by `attnviz corpus --part K/N`.",
    "figures": "Draw all figures of a paper from one file, and only the ones that changed.",
}
# The groups of `attnviz --help`; a command that no group names is in the last one.
GROUPS = {
    "Look": ("heatmap", "html", "table", "lines", "steps", "tokens", "generate"),
    "Analyse": (
        *("stats", "roles", "links", "focus", "similar", "diff", "qk"),
        *("context", "circuits", "rollout", "flow", "norms", "ablate", "logits", "check"),
    ),
    "Corpora": ("corpus", "corpus merge", "corpus report", "series"),
    "Models": ("models", "describe", "inspect"),
    "More": ("export", "figures", "mechanisms"),
}
_NAMES = [name for names in GROUPS.values() for name in names]
_LINES = {name.replace("_", " "): line for name, line in {**ANALYSES, **LISTINGS, **_OWN}.items()}
COMMANDS = {name: _LINES[name] for name in dict.fromkeys([*_NAMES, *_LINES])}
EXAMPLE_WIDTH = 75  # columns of an example's line, besides a backslash and the margins
LAYERS_SAY = {"all": "all", "-1": "the last", "0": "the first"}
SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"]}


class Commands(TyperGroup):
    """Knows every command's name and first line; builds the one that is called with all its options."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if " ".join(args[:2]) in COMMANDS:  # `corpus merge`: a name of two words
            args = [" ".join(args[:2]), *args[2:]]
        if args and (args[0] in COMMANDS or _is_registered(args[0])):
            self.commands[args[0]] = build(args[0])
        return super().resolve_command(ctx, args)


@cache
def build(name: str) -> Any:
    """One command with all its options, which are read once in a process: it takes 10 ms."""
    app, module = typer.Typer(add_completion=False), module_of(name)
    app.command(name, context_settings=SETTINGS)(module.run)
    built = get_command(app)
    _say_what_is_its_own(built, module)
    built.help, built.examples = _prose_and_examples(built.help or "")  # type: ignore[attr-defined]
    _without_types_of_flags(built)
    _spare_pydantic(built)
    _several_values(built)
    return built


def _several_values(built: Any) -> None:
    """Let `--sources a b` mean `--sources a --sources b`: an option takes one value at a time otherwise."""
    repeatable = [param for param in built.params if getattr(param, "multiple", False)]
    flags = [flag for param in repeatable if (param.metavar or "").endswith("...") for flag in param.opts]
    if flags:
        from attnviz.cli.context import repeated

        parse = built.parse_args
        built.parse_args = lambda ctx, args: parse(ctx, repeated(args, flags))


def module_of(name: str) -> Any:
    """The module of a command's options and function `run`: its own, or one made from its analysis."""
    if name in _OWN:
        return import_module(f"attnviz.cli.{name.replace(' ', '_')}")
    return import_module("attnviz.cli.run").command_of(find(name.replace(" ", "_")))


def _is_registered(name: str) -> bool:
    """Whether somebody's own code has registered an analysis of this name."""
    from attnviz.analyses.base import REGISTERED

    return name in REGISTERED


def _say_what_is_its_own(built: Any, module: Any) -> None:
    """Fill in what an option that many commands share means in this one, from the constants that its code uses.

    LAYERS: which layers are used without --layer: all, last or first. HEADS_MEAN: what --head takes, where it is less
    than elsewhere. DPI: the dots per inch without --dpi, unless 200.
    """
    own = {
        "{layers}": LAYERS_SAY.get(getattr(module, "LAYERS", ""), ""),
        "{heads}": getattr(module, "HEADS_MEAN", ""),
        "{dpi}": getattr(module, "DPI", "200"),
    }
    for param in built.params:
        for mark, text in own.items():
            if mark in (getattr(param, "help", None) or ""):
                assert text or mark == "{heads}", f"{module.__name__} says nothing for {mark} of {param.opts[-1]}"
                param.help = param.help.replace(mark, text)


def _prose_and_examples(text: str) -> tuple[str, list[str]]:
    """The help with each paragraph in one line, for the window to break, and a list of examples at the end.

    The examples are returned whole, too. `\\b` tells typer to keep a paragraph's own lines.
    """
    paragraphs = inspect.cleandoc(text).split("\n\n")
    examples = [line for part in paragraphs if part.startswith("attnviz ") for line in part.splitlines()]
    prose = [part.replace("\n", " ") for part in paragraphs if not part.startswith("attnviz ")]
    shown = [line for example in examples for line in _broken(example)]
    listed = ["\n".join(["\b", "Examples:", *shown])] if examples else []
    return "\n\n".join([*prose, *listed]), examples


def _broken(example: str) -> list[str]:
    """An example in lines that fit 80 columns, broken as a shell allows; an option stays with its value."""
    units: list[str] = []
    for word in re.findall(r'(?:"[^"]*"|[^\s"])+', example):
        with_value = len(units) > 1 and re.fullmatch(r"-\S+", units[-1]) and not word.startswith("-")
        if with_value or units == ["attnviz"]:
            units[-1] += f" {word}"
        else:
            units.append(word)
    lines = [f"  {units[0]}"]
    for unit in units[1:]:
        if len(lines[-1]) + len(unit) + 1 > EXAMPLE_WIDTH:
            lines[-1] += " \\"
            lines.append(f"      {unit}")
        else:
            lines[-1] += f" {unit}"
    return lines


def _without_types_of_flags(built: Any) -> None:
    """typer writes `<bool>` behind an option that takes no value."""
    for param in built.get_params(typer.Context(built, **SETTINGS)):  # with --help among them
        if getattr(param, "is_flag", False):
            param.metavar = ""


def _version(wanted: bool) -> None:
    if wanted:
        print(f"attnviz {attnviz.__version__}")
        raise typer.Exit


def _top(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """Draw the attention of transformer models.

    attnviz heatmap "The animal didn't cross the street because it was too tired"

    Results go to standard output; messages go to standard error.
    Output that is higher than the terminal goes through ATTNVIZ_PAGER, PAGER or less.
    """


def application() -> Any:
    """The command `attnviz`, with the other commands by name only."""
    app = typer.Typer(cls=Commands, context_settings=SETTINGS, pretty_exceptions_enable=False)
    app.callback()(_top)
    built: Any = get_command(app)
    # Not app.command(): typer would read the signature of each.
    panels = {name: group for group, names in GROUPS.items() for name in names}
    built.commands = {
        name: TyperCommand(name, help=line, rich_help_panel=panels.get(name, "More")) for name, line in COMMANDS.items()
    }
    _without_types_of_flags(built)
    _spare_pydantic(built)
    return built


def _spare_pydantic(built: Any) -> None:
    """Convert values here: typer imports pydantic to convert even a string, which costs 0.1 s of CPU time.

    typer has no option for this. It asks `get_runtime_param` for the converter of a parameter, which each parameter
    overrides here; versions of typer without that method do not need pydantic.
    """
    from attnviz.cli.options import UsageError

    class Plain:
        def __init__(self, kind: Any, low: float | None) -> None:
            self.kind, self.low = kind, low

        def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
            if value is None:
                return () if param.multiple or param.nargs == -1 else None
            if self.kind not in (int, float):
                return value
            try:
                number = self.kind(value)
            except ValueError:
                raise UsageError(f"{param.opts[-1]} wants {_SAYS[self.kind]}; got {value!r}") from None
            if self.low is not None and number < self.low:
                raise UsageError(f"{param.opts[-1]} wants {_SAYS[self.kind]} from {self.low} on; got {value}")
            return number

    plain_kinds = (str, int, float, bool, list[str])
    for param in built.get_params(typer.Context(built, **SETTINGS)):  # with --help among them
        kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
        if hasattr(param, "get_runtime_param") and kind in plain_kinds:
            param.get_runtime_param = partial(Plain, kind, getattr(param, "min", None))


_SAYS = {int: "a whole number", float: "a number"}
