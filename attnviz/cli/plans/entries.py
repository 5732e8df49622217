"""An entry of a plan: the options of a command by their long names, from the fields that its flags are made of."""

from __future__ import annotations

import datetime
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, fields
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from attnviz.cli.options import IN, Json, Output, Talk, usage
from attnviz.cli.plans import toml
from attnviz.errors import InputError, shown
from attnviz.flags import flags_of

# Keys of an entry that are no options; an entry's output is --output.
OWN = ("command", "output")
_LISTED = {"LAYERS", "HEADS", "101,2054,...", "0,5"}  # metavars of options that take several with commas between
_PATHS = {"PATH", "FILE", "DIR"}  # metavars of options that take a path, and nothing else
_MODELS = {"MODEL", "NAME"}  # and of options that take a name, too


@dataclass(frozen=True)
class Key:
    """One option of a command. name: its key. kind: the type of its value; tuple where it may be repeated."""

    name: str
    kind: type
    field: Field[Any]

    @property
    def is_argument(self) -> bool:
        return "argument" in self.field.metadata

    @property
    def metavars(self) -> set[str]:
        """`{"NAME", "PATH"}`: what it takes."""
        return set((self.field.metadata["metavar"] or "").strip("[].").split("|"))

    @property
    def takes_path(self) -> bool:
        """Whether a value is a path, and never a name."""
        return bool(self.metavars & _PATHS) and not self.metavars & _MODELS

    @property
    def takes_file(self) -> bool:
        """Whether a value may be a file, or the name of a model."""
        return bool(self.metavars & (_PATHS | {"MODEL"}))

    @property
    def takes_model(self) -> bool:
        return "MODEL" in self.metavars or self.name in ("model", "model-b")

    @property
    def reads_streams(self) -> bool:
        """Whether `-` means standard input."""
        return self.is_argument or (self.takes_path and self.field.metadata["panel"] == IN)

    def words(self, value: Any) -> list[str]:
        """A value as the command line has it. Raises InputError for a value of another type."""
        if self.kind is bool:
            if not isinstance(value, bool):
                raise self._wants("true or false", value)
            return self._flag(value)
        values = value if self.kind is tuple and isinstance(value, list) else [value]
        return [f"--{self.name}={self.text(each)}" for each in values]

    def text(self, value: Any) -> str:
        """A value of an option that takes one, as text. Raises InputError for a value of another type."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if self.kind in (int, float):
            if not number or (self.kind is int and isinstance(value, float)):
                raise self._wants("a whole number" if self.kind is int else "a number", value)
            return repr(value)
        if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
            return value.isoformat()
        if isinstance(value, list) and self.field.metadata["metavar"] in _LISTED:
            return ",".join(self._listed(each) for each in value)
        if "HEADS" in self.metavars or isinstance(value, bool) or not isinstance(value, str | int | float):
            return self._listed(value)
        if number and self.field.metadata["metavar"] == "TOKEN":  # an index; "3" may be the text of a token
            return f"#{value}"
        text = str(value)
        if "\0" in text:
            raise InputError(f"{self.name} holds a character that no text has: {shown(text)}")
        return text

    def _listed(self, value: Any) -> str:
        if isinstance(value, float):  # 3.10 would be 3.1
            raise InputError(f'{self.name} wants text for a pair, as in {self.name} = "{value}"; got {value}')
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self._wants("text", value)
        return str(value)

    def _flag(self, value: bool) -> list[str]:
        """A flag that is on or off; off is a word of its own where it is not the default."""
        on, _, off = next(flag for flag in flags_of(self.field) if flag.startswith("--")).partition("/")
        return [on] if value else [off] if off else []

    def _wants(self, what: str, value: Any) -> InputError:
        return InputError(f"{self.name} wants {what}; got {shown(value)}")


def keys_of(groups: Iterable[type]) -> dict[str, Key]:
    """The options that an entry may set, by every long name that they have; arguments by the names of their fields."""
    keys: dict[str, Key] = {}
    for group in groups:
        hints = get_type_hints(group)
        for each in fields(group) if group not in (Json, Talk) else ():
            if each.name in ("print_plan", "output"):
                continue
            kind = _kind(hints[each.name])
            if "argument" in each.metadata:
                keys[each.name] = Key(each.name, kind, each)
                continue
            longs = [flag.partition("/")[0] for flag in flags_of(each) if flag.startswith("--")]
            for long in longs:
                keys[long[2:]] = Key(longs[0][2:], kind, each)
    return keys


@cache
def keys_of_command(name: str) -> dict[str, Key]:
    """The keys of a command; {} for one that cannot be an entry.

    An entry writes one file and reads single files and models: the folder of a corpus, or the checkpoints of a training
    run, would have to be compared whole before every run.
    """
    from attnviz.cli.app import module_of

    groups = getattr(module_of(name).run, "groups", {}).values()
    keys = keys_of(groups) if any(issubclass(group, Output) for group in groups) else {}
    many = " " in name or any(key.is_argument and key.kind is tuple for key in keys.values())
    return {} if many else keys


def words_of(command: str, values: Mapping[str, Any], output: str) -> list[str]:
    """The command line of an entry. Raises InputError for an unknown key, or a value that its option cannot have."""
    keys = keys_of_command(command)
    options, arguments = list[str](), dict[str, str]()
    for name, value in values.items():
        key = keys.get(name.replace("_", "-")) or keys.get(name)
        if key is None:
            raise InputError(f"{command} has no option {shown(name)}", near(name, keys, f"attnviz {command} --help"))
        texts = [key.text(value)] if key.is_argument else key.words(value)
        if key.reads_streams and "-" in (text.partition("=")[2] if not key.is_argument else text for text in texts):
            raise InputError(f"{name} is '-': a plan cannot read standard input", "name a file, or write the text")
        if key.is_argument:
            arguments[key.name] = texts[0]
        else:
            options += texts
    order = [name for name, key in keys.items() if key.is_argument]
    given = [name for name in order if name in arguments]
    if given != order[: len(given)]:
        missing = next(name for name in order if name not in arguments)
        raise InputError(f"{given[-1]} comes after {missing}, which is not given")
    words = [command, *options, f"--output={output}"]
    return [*words, "--", *(arguments[name] for name in given)] if given else words


def near(name: str, known: Iterable[str], where: str = "") -> str:
    """A hint: the names that are spelled nearly like this one, or where all are listed."""
    found = difflib.get_close_matches(name.replace("_", "-"), list(dict.fromkeys(known)), 3, 0.6)
    return f"did you mean {' or '.join(found)}?" if found else f"{where} lists them" if where else ""


def print_entry(command: str, groups: Mapping[str, type], values: Mapping[str, Any]) -> None:
    """Print the entry of a plan that a command line stands for. Without -o, the output is named after the command."""
    import sys

    if not keys_of_command(command):
        usage(f"{command} reads a whole folder, and cannot be an entry of a plan: leave out --print-plan")
    entry: dict[str, Any] = {"command": command, "output": _output(command, values)}
    given = {key.name: key for key in keys_of(groups.values()).values()}
    for name, key in given.items():
        value = values[key.field.name]
        if value in (None, [], ()) or value == key.field.default:
            continue
        if key.reads_streams and "-" in (value if isinstance(value, list) else [value]):
            usage("--print-plan needs a text that can be written down: a plan cannot read standard input")
        entry[name] = _written(key, value)
    behind = getattr(sys.stdout, "behind", sys.stdout)  # it has no character that steers a terminal
    behind.write(toml.table("[[figure]]", entry))


def _output(command: str, values: Mapping[str, Any]) -> str:
    from attnviz.cli.app import module_of

    output = values["output"]
    if output == "-":
        usage("--print-plan needs a file: -o PATH instead of -o -")
    if output is not None:
        return _sound(str(output))
    module = module_of(command)
    ending = values["format"] or next((name for name in module.FORMATS if name != "html"), "html")
    return f"{getattr(module, 'STEM', 'attention')}.{ending}"


def _written(key: Key, value: Any) -> Any:
    """A value as an entry has it: a number where nothing is lost by it."""
    if isinstance(value, list | tuple):
        return [_sound(each) for each in value]
    if not isinstance(value, str):
        return value
    if key.metavars & {"LAYERS", "HEADS", "LENGTH", "X"}:
        if re.fullmatch(r"-?\d{1,9}", value) and str(int(value)) == value:
            return int(value)
        pair = "HEADS" in key.metavars  # 3.10 is no number
        if re.fullmatch(r"\d{1,9}\.\d{1,9}", value) and str(float(value)) == value and not pair:
            return float(value)
    return _sound(value)


def _sound(text: str) -> str:
    """Text from the command line, whose bytes beyond the locale's encoding arrive as lone surrogates."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError as error:
        raise InputError("the command line is not UTF-8: a plan cannot hold it") from error


def _kind(hint: Any) -> type:
    """The type of an option's values, from its field's type."""
    if get_origin(hint) is tuple:
        return tuple
    kinds = [kind for kind in get_args(hint) or (hint,) if kind is not type(None)]
    return kinds[0] if kinds[0] in (bool, int, float) else str
