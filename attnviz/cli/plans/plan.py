"""A plan: one TOML file that lists figures, read and checked before anything is drawn.

The file may be somebody else's: it can write and read only in its own folder, unless the user says otherwise. Models
and fonts may be anywhere, because they are opened as nothing else.
"""

from __future__ import annotations

import fnmatch
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attnviz.cli.options import UsageError
from attnviz.cli.plans.entries import OWN, keys_of_command, near, words_of
from attnviz.errors import InputError, one_of, shown
from attnviz.files.untrusted import read_file

LARGEST = 4 << 20  # bytes of a plan
MOST = 5000  # figures
_INPUTS = ("text", "question", "file", "ids", "image", "audio", "from")  # an entry's own replaces a default


@dataclass(frozen=True)
class Entry:
    """One figure. output: as the plan has it, which is also its name. words: the command line after `attnviz`.

    options: values other than the defaults, by the names of their fields. files: the values among them that
    may be files; models: that name a model, a file or not.
    """

    output: str
    command: str
    words: tuple[str, ...]
    options: Mapping[str, Any]
    files: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The figures of one file. folder: where it lies, in which all its paths begin."""

    path: Path
    entries: tuple[Entry, ...] = field(default=())

    @property
    def folder(self) -> Path:
        return self.path.parent

    def chosen(self, names: Sequence[str]) -> tuple[Entry, ...]:
        """The figures of these names, all without any. Raises InputError for a name that none has."""
        entries = self.entries
        for name in names:
            if not any(_is_called(entry, name) for entry in entries):
                hint = near(name, [entry.output for entry in entries]) or "attnviz figures PLAN.toml --list shows all"
                raise InputError(f"{self.path.name} has no figure {shown(name)}", hint)
        return tuple(entry for entry in entries if not names or any(_is_called(entry, name) for name in names))


def _is_called(entry: Entry, name: str) -> bool:
    """Whether a figure is meant by its path, the last part of it with or without its extension, or a pattern."""
    place = Path(entry.output)
    return any(fnmatch.fnmatchcase(each, name) for each in (entry.output, place.name, place.stem))


def read_plan(path: str, outside: bool = False, reserved: Iterable[Path] = ()) -> Plan:
    """Read and check a plan.

    Args:
        outside: whether its paths may leave its folder.
        reserved: files that no figure may replace.

    Raises:
        InputError: it is no TOML, or a figure of it cannot be drawn as it is written.
    """
    place = Path(os.path.realpath(path))
    table = _parsed(read_file(path, LARGEST, InputError, "a plan"), Path(path).name)
    defaults, figures = table.get("defaults", {}), table.get("figure", [])
    _check_shape(Path(path).name, table, defaults, figures)
    plan, taken, used = Plan(place), {os.path.realpath(each) for each in (place, *reserved)}, set[str]()
    entries = []
    for number, values in enumerate(figures, 1):
        output = values.get("output")
        name = f"figure {number}" + (f" ({output})" if isinstance(output, str) else "")
        try:
            entry = _entry({**_defaults(defaults, values, used), **values}, plan.folder, outside)
            entries.append(entry)
            _claim(entry, plan.folder, taken)
        except InputError as error:
            raise InputError(f"{place.name}: {name}: {error}", error.hint) from None
    _check_defaults(place.name, defaults, used, entries)
    _check_inputs(place.name, plan.folder, entries)
    return Plan(place, tuple(entries))


def _parsed(data: bytes, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError(f"{name} is not UTF-8") from None
    except RecursionError:
        raise InputError(f"{name} is nested too deeply") from None
    except ValueError as error:  # tomllib.TOMLDecodeError, and whole numbers of thousands of digits
        raise InputError(f"{name} is not TOML: {str(error)[:200]}") from None


def _check_shape(name: str, table: dict[str, Any], defaults: Any, figures: Any) -> None:
    for key in table:
        if key not in ("defaults", "figure"):
            raise InputError(f"{name}: {one_of('a heading', key, ('[defaults]', '[[figure]]'))}")
    if not isinstance(defaults, dict):
        raise InputError(f"{name}: defaults must be a table, [defaults]")
    if not isinstance(figures, list) or not all(isinstance(each, dict) for each in figures):
        raise InputError(f"{name}: wanted each figure under a heading of its own, [[figure]]")
    if not figures:
        hint = 'attnviz heatmap "The cat sat" -o cat.pdf --print-plan prints one'
        raise InputError(f"{name} lists no figure: wanted [[figure]] and its options below", hint)
    if len(figures) > MOST:
        raise InputError(f"{name} lists {len(figures):,} figures; at most {MOST:,} are drawn")


def _entry(values: dict[str, Any], folder: Path, outside: bool) -> Entry:
    """One figure, with the defaults of its plan. Raises InputError."""
    from attnviz.cli.app import COMMANDS

    command, output = (values.pop(name, None) for name in OWN)
    drawing = [name for name in COMMANDS if keys_of_command(name)] if command is None else ()
    if not isinstance(command, str) or not (command in COMMANDS and keys_of_command(command)):
        what = "needs a command" if command is None else f"{shown(command)} is no command that writes a file"
        known = drawing or [name for name in COMMANDS if keys_of_command(name)]
        raise InputError(what, near(str(command), known) or f"commands are {', '.join(known)}")
    if not isinstance(output, str) or not output:
        raise InputError("needs an output", 'as in output = "figures/one.pdf"')
    if not outside:
        inside(folder, output, "its output")
    for name, value in values.items():
        key = keys_of_command(command).get(name.replace("_", "-"))
        if key is not None and key.takes_path and not outside:
            for each in value if isinstance(value, list) else [value]:
                inside(folder, str(each), name)
    return _checked(command, tuple(words_of(command, values, output)), output)


def _checked(command: str, words: tuple[str, ...], output: str) -> Entry:
    """An entry whose options are what the command takes. Raises InputError."""
    from attnviz.cli.app import build, module_of

    run, keys = module_of(command).run, {key.field.name: key for key in keys_of_command(command).values()}
    try:
        values = build(command).make_context(command, list(words[1:])).params
        run.fill(values)
    except UsageError as error:
        raise InputError(str(error), error.hint) from None
    set_ = {name: value for name, value in values.items() if name in keys and _differs(value, keys[name].field.default)}
    models = [str(value) for name, value in set_.items() if keys[name].takes_model]
    named = [value for name, value in set_.items() if keys[name].takes_file and not keys[name].takes_model]
    files = [str(each) for value in named for each in (value if isinstance(value, list | tuple) else [value])]
    return Entry(output, command, words, set_, tuple(files), tuple(models))


def _differs(value: Any, default: Any) -> bool:
    return value not in (None, [], ()) and value != default


def inside(folder: Path, path: str, what: str) -> Path:
    """The place of a path in a folder. Raises InputError if it leaves the folder, by a link as well."""
    try:
        place = Path(os.path.realpath(folder / path))
    except (OSError, ValueError) as error:
        raise InputError(f"{what} {shown(path)} is no path: {error}") from None
    if place == folder or folder not in place.parents:
        raise InputError(
            f"{what} {shown(path)} is not in the folder of the plan",
            "a plan may come from somebody else: --outside lets it read and write elsewhere",
        )
    return place


def _defaults(defaults: dict[str, Any], values: dict[str, Any], used: set[str]) -> dict[str, Any]:
    """The defaults that mean something for a figure: options of its command, and no second input."""
    command = values.get("command", defaults.get("command"))
    keys = keys_of_command(command) if isinstance(command, str) and _is_command(command) else {}
    own = {name.replace("_", "-") for name in values}
    kept = {}
    for name, value in defaults.items():
        spelled = name.replace("_", "-")
        if spelled not in keys and name not in ("command", *keys):
            continue
        used.add(name)
        if spelled in own or (spelled in _INPUTS and own & set(_INPUTS)):
            continue
        kept[name] = value
    return kept


def _is_command(name: str) -> bool:
    from attnviz.cli.app import COMMANDS

    return name in COMMANDS


def _check_defaults(name: str, defaults: dict[str, Any], used: set[str], entries: Sequence[Entry]) -> None:
    """Raise InputError for a default that no figure of the plan can use."""
    for key in defaults:
        if key == "output":
            raise InputError(f"{name}: defaults: every figure needs an output of its own")
        if key not in used and key != "command":
            known = [each for entry in entries for each in keys_of_command(entry.command)]
            raise InputError(f"{name}: defaults: no command of this plan has an option {shown(key)}", near(key, known))


def _claim(entry: Entry, folder: Path, taken: set[str]) -> None:
    """Raise InputError for an output that two figures have, or that is no file to be replaced."""
    place = os.path.realpath(folder / entry.output)
    if place in taken:
        raise InputError("its output is written already, by another figure or as a file of the plan itself")
    if Path(place).exists() and not Path(place).is_file():
        raise InputError(f"its output {shown(entry.output)} is there and no file")
    taken.add(place)


def _check_inputs(name: str, folder: Path, entries: Sequence[Entry]) -> None:
    """Raise InputError for an output that replaces what a figure reads."""
    read = {
        os.path.realpath(folder / file)
        for entry in entries
        for file in (*entry.files, *entry.models)
        if "\0" not in file
    }
    for entry in entries:
        if os.path.realpath(folder / entry.output) in read:
            raise InputError(f"{name}: {entry.output} is read by a figure of this plan, and would be replaced")
