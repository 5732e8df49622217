"""An option as a dataclass field: its default, its help, its flags, and what it may be.

The groups of options that commands share and the options of every analysis are frozen dataclasses of such fields. The
command line makes its flags from them (`cli/expand.py`), Python its keywords, docs and help their tables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, field, fields
from numbers import Integral, Real
from typing import Any

from attnviz.errors import SelectionError, one_of

Choices = Sequence[str] | Callable[[], Sequence[str]]
PICK = "What to show"


def option(
    default: Any,
    help: str,
    *flags: str,
    metavar: str = "",
    choices: Choices = (),
    low: float | None = None,
    high: float | None = None,
    shown: bool = False,
    panel: str = PICK,
    envvar: str = "",
) -> Any:
    """One field of a group of options, and the flag that sets it.

    Args:
        default: its value where it is not given.
        help: one line for `--help`.
        flags: how the command line spells it, the documented spelling first; default: `--name-of-the-field`. From
            Python every spelling is a keyword.
        metavar: what stands for its value in `--help`; PATH, FILE, DIR and MODEL name paths, whose folders no picture
            carries.
        choices: the only values that it may have, or a function that lists them.
        low, high: the least and the largest number that it may be.
        shown: whether `--help` shows the default. panel: the heading above it there.
        envvar: an environment variable that sets it, too.
    """
    about = {"help": help, "flags": flags, "metavar": metavar, "choices": choices, "low": low, "high": high}
    return field(default=default, metadata={**about, "shown": shown, "panel": panel, "envvar": envvar})


def argument(help: str, metavar: str, several: bool = False) -> Any:
    """A field that is set by its place on the command line, None without it. several: a tuple of values, () without."""
    about = {"help": help, "metavar": metavar, "argument": True, "flags": ()}
    return field(default=() if several else None, metadata=about)


def same(group: type, name: str, default: Any = None) -> Any:
    """The option of another group, which means the same here, perhaps with another default."""
    there = next(each for each in fields(group) if each.name == name)
    return field(default=default, metadata=there.metadata)


QUERY_HELP = "Only this query's row: its text, text#2 for the second of that text, or its index."


def query_option(default: str = "", *flags: str) -> Any:
    """`--query`, which means the same in every command that has it. default: what happens without it."""
    text = f"{QUERY_HELP} Default: {default}." if default else QUERY_HELP
    return option(None, text, "--query", *flags, metavar="TOKEN")


KEY_HELP = "Only what attends to this token."


def key_option(default: str = "", *flags: str) -> Any:
    """`--key-token`, which means the same in every command that has it; `--key` names an array of a file."""
    text = f"{KEY_HELP} Default: {default}." if default else KEY_HELP
    return option(None, text, "--key-token", *flags, metavar="TOKEN")


def mechanism_option(default: Any = None) -> Any:
    """`--mechanism`; default () where it may be repeated."""
    text = "Another kind of attention from the list of `attnviz mechanisms`: additive, window:3, lsh:8,rounds=2."
    return option(default, text, metavar="NAME[:N]", panel="Model")


def top_option() -> Any:
    """`--top`, which means the same in every command that has it."""
    return option(None, "How many to show. Default: as many as are easily read.", metavar="N", low=1)


def flags_of(option: Field[Any]) -> tuple[str, ...]:
    """`("--query", "--token")`: how the command line spells a field; the first is the documented spelling.

    A flag that is on unless it is turned off has both spellings in one, `--reference/--no-reference`.
    """
    return tuple(option.metadata["flags"]) or (f"--{option.name.replace('_', '-')}",)


def choices_of(option: Field[Any]) -> tuple[str, ...]:
    """The values that an option may have; () where it may have any."""
    choices = option.metadata.get("choices", ())
    return tuple(choices() if callable(choices) else choices)


def check(options: Any) -> None:
    """Raise SelectionError, with the flag in it, for a value that is not among the choices or outside its limits."""
    for option in fields(options):
        choices, low, high = choices_of(option), option.metadata.get("low"), option.metadata.get("high")
        value = getattr(options, option.name)
        for each in value if isinstance(option.default, tuple) else [value]:
            if each is None or each == option.default:
                continue
            if choices and each not in choices:
                raise SelectionError(one_of(flags_of(option)[0], each, choices))
            if (low is not None and each < low) or (high is not None and each > high):
                wanted = f"from {low:g} on" if high is None else f"from {low:g} to {high:g}"
                raise SelectionError(f"{flags_of(option)[0]} wants a number {wanted}; got {each}")


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "bool": ((bool,), "True or False"),
    "int": ((Integral,), "a whole number"),
    "float": ((Real,), "a number"),
    "str": ((str, Integral), "text"),
}


def of_kinds(group: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values from Python as the options hold them: an index of a token as text, one text of several in a tuple.

    Raises SelectionError for a value of another type than its option has.
    """
    wanted = dict(values)
    for each in fields(group):
        value, hint = values.get(each.name), str(each.type).partition(" ")[0]
        if isinstance(each.default, tuple) and isinstance(value, str):
            wanted[each.name] = (value,)
        if value is None or hint not in _KINDS:
            continue
        kinds, words = _KINDS[hint]
        if not isinstance(value, kinds) or (isinstance(value, bool) and hint != "bool"):
            raise SelectionError(f"{each.name} wants {words}; got {value!r}")
        if hint == "str" and not isinstance(value, str):  # `#3` is always an index; `3` may be the text of a token
            wanted[each.name] = f"#{value}" if each.metadata["metavar"] == "TOKEN" else str(value)
    return wanted
