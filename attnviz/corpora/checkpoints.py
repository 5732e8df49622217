"""The checkpoints of a training run, in the order of their steps, from patterns of names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

from attnviz.errors import InputError
from attnviz.models.find import WEIGHT_ENDINGS
from attnviz.models.model import Model

_Entry = tuple[Path, str, Model | None]  # where it is; the name and the model of one that is open

MOST = 10_000  # checkpoints
# Words in front of a step, the ones that say most first: `step1000-epoch3` is step 1000.
_WORDS = (r"global[-_]?step|steps?", r"iter(?:ation)?s?|updates?", r"checkpoint|ckpt", r"epochs?|ep")
_NUMBER = r"(\d{1,15}(?:\.\d{1,6})?)([kKmM](?![A-Za-z]))?"
_TIMES = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """One checkpoint: where it is, its name, its step, and the model if it is open already."""

    place: Path
    name: str
    step: float
    model: Model | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """Checkpoints with rising steps.

    unit: what the steps are, `step` or `epoch`; `order` where names have none, and 1, 2, 3 stand for them. name: of the
    folder that holds them. left_out: names without a step, where most names that match have one.
    """

    checkpoints: tuple[Checkpoint, ...]
    unit: str
    name: str
    left_out: tuple[str, ...] = ()


def find_run(sources: Iterable[str | Path | Model]) -> Run:
    """The checkpoints that patterns, folders, weight files and open models name, each once.

    A pattern is that of a shell, as in `run/checkpoint-*`; of what it matches, folders and weight files count.

    Raises InputError: nothing matches, or two checkpoints have the same step.
    """
    found: dict[str, _Entry] = {}
    left_out = list[str]()
    for source in sources:
        if isinstance(source, Model):
            place = source.folder if source.checkpoint is None else source.checkpoint.path
            found[f"{source.name} {len(found)}"] = (place or Path(source.name), source.name, source)
            continue
        places, without = _places(str(source))
        left_out += without
        for place in places:
            found[str(place.absolute())] = (place, "", None)
    if not found:
        raise InputError("wanted checkpoints: a pattern, folders or weight files", "as in 'run/checkpoint-*'")
    if len(found) > MOST:
        raise InputError(f"{len(found):,} checkpoints are too many: at most {MOST:,}")
    entries = list(found.values())
    paths = [_path(entry) for entry in entries]
    steps, unit, level = _steps(paths)
    names = [path.parts[level] for path in paths]
    order = sorted(range(len(entries)), key=lambda i: (steps[i], natural(names[i])) if steps else natural(paths[i]))
    numbers = [steps[i] for i in order] if steps else [float(k + 1) for k in range(len(order))]
    for first, second, i, j in zip(numbers, numbers[1:], order, order[1:], strict=False):
        if first == second:
            raise InputError(f"two checkpoints have the {unit} {first:g}: {names[i]!r} and {names[j]!r}")
    checkpoints = [
        Checkpoint(entries[i][0], names[i], number, entries[i][2]) for i, number in zip(order, numbers, strict=True)
    ]
    holder = paths[order[0]].parts[:level]
    return Run(tuple(checkpoints), unit, holder[-1] if holder and holder[-1] != "/" else "", tuple(left_out))


def _path(entry: _Entry) -> Path:
    """Where an entry is; of an open model, its name."""
    return entry[0].absolute() if entry[2] is None else Path(entry[1])


def _places(source: str) -> tuple[list[Path], list[str]]:
    """The places that a pattern or a path names, and the names that a pattern leaves out. Raises InputError if none.

    Where most of what a pattern matches has a step, what has none is left out, such as `run/logs` in `run/*`.
    """
    place = Path(source).expanduser()
    if place.exists():
        return [place], []
    if not has_magic(source):
        raise InputError(f"no such checkpoint: {source!r}")
    matches = [Path(each) for each in glob(str(place), recursive=True)]  # noqa: PTH207  of an absolute pattern
    known = [each for each in matches if each.is_dir() or each.name.endswith(tuple(WEIGHT_ENDINGS))]
    if not known:
        more = f" among the {len(matches)} files that match it" if matches else ""
        raise InputError(f"no checkpoints match {source!r}: there is no folder and no weight file{more}")
    with_step = [each for each in known if step_of(each.name) is not None]
    if len(with_step) < 2 or 2 * len(with_step) < len(known):
        return known, []
    return with_step, sorted({each.name for each in known} - {each.name for each in with_step})


def natural(text: object) -> list[tuple[int, int, str]]:
    """A key by which names are sorted as people count: step2 before step10."""
    parts = re.split(r"(\d{1,300})", str(text))
    return [(1, int(part), "") if part.isdecimal() and part.isascii() else (0, 0, part) for part in parts]


def _steps(paths: Sequence[Path]) -> tuple[list[float], str, int]:
    """The step of each path, their unit, and the part of the path that has them.

    The last part in which the paths differ and all have a step, of one unit and no two the same. Without such a part:
    no steps, the unit `order`, and the last part in which the paths differ.
    """
    depth = min(len(path.parts) for path in paths)
    differ = [-k for k in range(1, depth + 1) if len({path.parts[-k] for path in paths}) > 1] or [-1]
    for level in differ:
        steps = [step_of(path.parts[level]) for path in paths]
        units = {step[0] for step in steps if step is not None}
        if len(units) == 1 and all(steps) and len({step[1] for step in steps if step}) == len(paths):
            return [step[1] for step in steps if step], units.pop(), level
    for level in differ:  # a step twice is an error of its own
        steps = [step_of(path.parts[level]) for path in paths]
        if all(steps) and len({step[0] for step in steps if step}) == 1:
            return [step[1] for step in steps if step], steps[0][0] if steps[0] else "", level
    return [], "order", differ[0]


def step_of(name: str) -> tuple[str, float] | None:
    """(`step` or `epoch`, the number) in a name: checkpoint-500, step_1000, global_step143000, epoch-3, step10k."""
    for word in _WORDS:
        matched = re.search(rf"(?:^|(?<![A-Za-z]))(?:{word})[-_=.]?{_NUMBER}", name, re.IGNORECASE)
        if matched:
            return "epoch" if word.startswith("ep") else "step", _value(*matched.groups())
    numbers = re.findall(_NUMBER, name)
    return ("step", _value(*numbers[-1])) if numbers else None


def _value(digits: str, times: str | None) -> float:
    return float(digits) * _TIMES[(times or "").lower()]
