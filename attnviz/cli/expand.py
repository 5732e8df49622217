"""From a function whose parameters are groups of options to one that typer understands.

    @command
    def run(*, input: Input, source: Source, talk: Talk) -> None: ...

`command` gives `run` the signature that typer reads, with every field of every dataclass as a parameter of its own,
and calls it with the dataclasses filled in. A `Line` parameter receives the command line as it would be typed again.
The result keeps `groups`, the dataclasses by name, and `fill`, which checks values and fills the dataclasses in.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import Field, fields, is_dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import typer

from attnviz.cli.options import UsageError, usage
from attnviz.errors import AttnvizError
from attnviz.flags import check, choices_of, flags_of

NAME = "attnviz"


class Line(str):
    """The command line that would do the same again, paths reduced to their last component."""

    __slots__ = ()


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Expand the dataclass parameters of a command into single options; see the module's docstring."""
    hints = get_type_hints(function)
    line = next((name for name, hint in hints.items() if hint is Line), None)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    parameters = [parameter for group in groups.values() for parameter in _expanded(group)]

    def fill(values: dict[str, Any]) -> dict[str, Any]:
        return {
            name: _filled(group, {field.name: values[field.name] for field in fields(group)})
            for name, group in groups.items()
        }

    @wraps(function)
    def run(**values: Any) -> None:
        filled = fill(values)
        if values.get("print_plan"):
            from attnviz.cli.plans.entries import print_entry

            return print_entry(_name(function), groups, values)
        function(**filled, **({line: _line(function, parameters, values)} if line else {}))

    del run.__wrapped__  # typer would read the signature behind it
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    run.groups, run.fill = groups, fill  # type: ignore[attr-defined]
    return run


def _expanded(group: type) -> Iterator[inspect.Parameter]:
    """The parameters that typer reads, from fields as `attnviz.flags.option` makes them."""
    hints = get_type_hints(group)
    for each in fields(group):
        default = None if each.default == () else each.default
        hint = list[str] if get_origin(hints[each.name]) is tuple else hints[each.name]
        annotation: Any = Annotated[hint, _info(each)]
        yield inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _info(option: Field[Any]) -> Any:
    """typer's own description of a field."""
    about, choices = option.metadata, choices_of(option)
    if "argument" in about:
        return typer.Argument(metavar=about["metavar"], help=about["help"], show_default=False)
    flags = flags_of(option)
    return typer.Option(
        *flags,
        help=about["help"] + (f" {_either(choices)}." if choices else ""),
        metavar=about["metavar"] or ("NAME" if choices else None),
        min=about["low"],
        max=about["high"],
        show_default=about["shown"],
        envvar=about["envvar"] or None,
        rich_help_panel=about["panel"],
        autocompletion=_completion(flags, choices),
    )


# Values that a shell completes where an option does not list them: the option -> the values, or where they stand.
COMPLETED: dict[str, tuple[str, ...] | str] = {
    "--model": "attnviz.models.find:NAMES",
    "--scale": "attnviz.page.scale:SCALES",
    "--cmap": "attnviz.page.scale:SEQUENTIAL",
    "--mechanism": "attnviz.variants.table:MECHANISMS",
    "--stream": ("self", "encoder", "decoder", "cross"),
    "--pool": ("max", "mean"),
    "--mean": ("heads", "layers"),
    "--svg-text": ("keep", "paths"),
}


def _completion(flags: Sequence[str], choices: Sequence[str]) -> Callable[[str], list[str]] | None:
    """The function that completes a value; where nothing fits, the shell completes files."""
    values = choices or next((COMPLETED[flag] for flag in flags if flag in COMPLETED), ())
    if not values:
        return None

    def complete(incomplete: str) -> list[str]:
        known = values
        if isinstance(known, str):
            module, _, constant = known.partition(":")
            known = tuple(getattr(import_module(module), constant))
        return [value for value in known if value.startswith(incomplete)]

    return complete


def _either(choices: Sequence[str]) -> str:
    """`One of entropy, span or distance`."""
    return f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]


def _filled(group: Any, values: dict[str, Any]) -> Any:
    """A group of options with its values, checked as they are from Python; what is wrong is wrong usage."""
    repeated = {field.name for field in fields(group) if isinstance(field.default, tuple)}
    try:
        options = group(**{name: tuple(value or ()) if name in repeated else value for name, value in values.items()})
        check(options)
    except UsageError:
        raise
    except AttnvizError as error:
        usage(str(error), error.hint)
    return options


_PATHS = {"PATH", "FILE", "DIR", "MODEL"}  # metavars of options that take a path
_NAMES = {"NAME", "MODEL", "TEXT"}  # metavars of options that take a name or a text, perhaps instead of a path
_SILENT = {"quiet", "verbose", "json"}  # they change nothing in a file


def _line(function: Callable[..., None], parameters: list[inspect.Parameter], values: dict[str, Any]) -> Line:
    """`attnviz heatmap 'The cat' --layer 3 -o cat.png`, from what differs from the defaults, in the order declared."""
    words, first = list[str](), list[str]()
    for parameter in parameters:
        value: Any = values[parameter.name]
        if parameter.name in _SILENT or value in (parameter.default, None, []):
            continue
        info = parameter.annotation.__metadata__[0]
        several = isinstance(value, (list, tuple))
        value = [_without_folders(info, item) for item in value] if several else _without_folders(info, value)
        if isinstance(info, type(typer.Argument())):
            places = value if several else [value]
            dashed = any(each.startswith("-") and each != "-" for each in places)
            first += ["--", *places] if dashed else places
        elif isinstance(value, bool):
            words.append(_long(info, value))
        else:
            for item in value if several else [value]:
                words += [_long(info, True), str(item)]
    first = [*words, *first] if "--" in first else [*first, *words]
    return Line(" ".join([NAME, _name(function), *map(_quoted, first)]))


def _name(function: Callable[..., None]) -> str:
    """The command's name: its module is called so."""
    return function.__module__.rpartition(".")[2].replace("_", " ")


def _quoted(word: str) -> str:
    """A word as a shell would take it; in double quotes where they are easier to read."""
    plain = shlex.quote(word)
    return f'"{word}"' if plain != word and not set(word) & set('"$`\\!\n') else plain


def _without_folders(info: Any, value: Any) -> Any:
    """A path's last component, because where a file lies is nobody else's business; any other value as it is."""
    kinds = set((info.metavar or "").strip("[].").split("|"))
    if not isinstance(value, str) or not kinds & _PATHS or (kinds & _NAMES and not _is_path(value)):
        return value
    return value.rstrip("/").rpartition("/")[2] or value


def _is_path(value: str) -> bool:
    return value.startswith((".", "/", "~")) or Path(value).exists()


def _long(info: Any, on: bool) -> str:
    """The long name of an option: typer keeps the first name apart from the rest."""
    names = [name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
    name = next(name for name in names if name.startswith("--"))
    return name.partition("/")[0] if on else name.partition("/")[2]
