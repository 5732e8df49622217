"""From a function whose parameters are groups of options to one that typer understands.

    @command
    def run(*, given: Input, source: Source, talk: Talk) -> None: ...

`command` gives `run` the signature that typer reads, with every field of every dataclass as a parameter of its own,
and calls it with the dataclasses filled in. A `Line` parameter receives the command line as it would be typed again.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import Field, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import typer

from attnviz.errors import AttnvizError

NAME = "attnviz"


class Line(str):
    """The command line that would do the same again, paths reduced to their last component."""

    __slots__ = ()


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Expand the dataclass parameters of a command into single options; see the module's docstring."""
    hints = get_type_hints(function, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    line = next((name for name, hint in hints.items() if hint is Line), None)
    parameters = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in groups:
            parameters += list(_expanded(groups[parameter.name]))
        elif parameter.name != line:
            hint = hints[parameter.name]
            parameters.append(parameter.replace(annotation=hint, kind=inspect.Parameter.KEYWORD_ONLY))

    @wraps(function)
    def run(**values: Any) -> None:
        made: dict[str, Any] = {line: _line(function, parameters, values)} if line else {}
        for name, group in groups.items():
            made[name] = _made(group, {field.name: values.pop(field.name) for field in fields(group)})
        function(**made, **values)

    del run.__wrapped__  # typer would read the signature behind it
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _expanded(group: type) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        annotation = _flag(field, hints[field.name]) if field.metadata else hints[field.name]
        default = None if field.default == () else field.default
        yield inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _flag(field: Field[Any], hint: Any) -> Any:
    """The typer option of one field of an analysis' options (see `attnviz.analyses.base.option`)."""
    from attnviz.analyses.base import choices_of, flags_of

    choices = choices_of(field)
    metavar = field.metadata["metavar"] or ("NAME" if choices else "")
    text = field.metadata["help"] + (f" {_either(choices)}." if choices else "")
    return Annotated[
        list[str] if get_origin(hint) is tuple else hint,
        typer.Option(
            *flags_of(field),
            help=text,
            metavar=metavar or None,
            min=field.metadata["low"],
            show_default=field.metadata["shown"],
            rich_help_panel="What to show",
            autocompletion=(lambda: list(choices)) if choices else None,
        ),
    ]


def _either(choices: Sequence[str]) -> str:
    """`One of entropy, span or distance`."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]


def _made(group: Any, values: dict[str, Any]) -> Any:
    """A group of options with its values; an analysis' own options are checked as they are from Python."""
    if not any(field.metadata for field in fields(group)):
        return group(**values)
    from attnviz.analyses.base import check
    from attnviz.cli.options import usage

    repeated = {field.name for field in fields(group) if isinstance(field.default, tuple)}
    try:
        options = group(**{name: tuple(value or ()) if name in repeated else value for name, value in values.items()})
        check(options)
    except AttnvizError as error:
        usage(str(error), error.hint)
    return options


_PATHS = {"PATH", "FILE", "DIR", "MODEL"}  # metavars of options that take a path
_NAMES = {"NAME", "MODEL"}  # metavars of options that take a name, perhaps instead of a path
_SILENT = {"quiet", "verbose", "json"}  # they change nothing in a file


def _line(function: Callable[..., None], parameters: list[inspect.Parameter], values: dict[str, Any]) -> Line:
    """`attnviz heatmap 'The cat' --layer 3 -o cat.png`, from what differs from the defaults, in the order declared."""
    words, first = [], []
    for parameter in parameters:
        value = values[parameter.name]
        if parameter.name in _SILENT or value in (parameter.default, None, []):
            continue
        info = parameter.annotation.__metadata__[0]
        value = _without_folders(info, value)
        if isinstance(info, type(typer.Argument())):
            first += ["--", value] if value.startswith("-") and value != "-" else [value]
        elif isinstance(value, bool):
            words.append(_long(info, value))
        else:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                words += [_long(info, True), str(one)]
    first = [*words, *first] if "--" in first else [*first, *words]
    return Line(" ".join(map(_quoted, [NAME, function.__module__.rpartition(".")[2], *first])))


def _quoted(word: str) -> str:
    """A word as a shell would take it; in double quotes where they are easier to read."""
    plain = shlex.quote(word)
    return f'"{word}"' if plain != word and not set(word) & set('"$`\\!\n') else plain


def _without_folders(info: Any, value: Any) -> Any:
    """A path's last component, because where a file lies is nobody else's business; any other value as it is."""
    kinds = set((info.metavar or "").strip("[]").split("|"))
    if not isinstance(value, str) or not kinds & _PATHS or (kinds & _NAMES and not _is_path(value)):
        return value
    return value.rstrip("/").rpartition("/")[2] or value


def _is_path(value: str) -> bool:
    return value.startswith((".", "/", "~")) or Path(value).exists()


def _long(info: Any, on: bool) -> str:
    """The long name of an option: typer keeps the first name apart from the others."""
    names = [name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
    name = next(name for name in names if name.startswith("--"))
    return name.partition("/")[0] if on else name.partition("/")[2]
