"""Map our names to a file's names.

A family's table gives, for each of our dotted names, where a file keeps it: `"layers.{i}.q.weight"` ->
`"encoder.layer.{i}.attention.self.query.weight"`, perhaps with layout functions, perhaps several alternatives. Files
differ from a table in one more way: a model saved with a task head has a prefix in front of every name (`bert.`,
`model.`, `transformer.`), or lacks the prefix that the table has. This difference is found once per file, by counting.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Source = str | tuple[str, ...] | list["str | tuple[str, ...]"]

_MOST_HEADS = 256  # prefixes that are tried for one suffix: a published file has a handful
_PLACE = re.compile(r"\{(\w+)\}")
# Names of a layer norm's weight and bias in checkpoints converted from TensorFlow.
_OLD_SPELLING = {"weight": "gamma", "bias": "beta"}
_NEW_SPELLING = {old: new for new, old in _OLD_SPELLING.items()}


def alternatives(source: Source) -> list[tuple[str, tuple[str, ...]]]:
    """A table entry as (stored pattern, layout names) for each form that a file may have."""
    forms = source if isinstance(source, list) else [source]
    return [(form, ()) if isinstance(form, str) else (form[0], form[1:]) for form in forms]


def fill(pattern: str, indices: Mapping[str, int]) -> str:
    """`("layers.{i}.q", {"i": 3})` -> "layers.3.q"."""
    return _PLACE.sub(lambda m: str(indices[m[1]]), pattern)


def matcher(pattern: str) -> re.Pattern[str]:
    """A regular expression for a pattern, with a group for each placeholder."""
    seen: set[str] = set()
    parts = []
    for i, part in enumerate(_PLACE.split(pattern)):
        if i % 2 == 0:
            parts.append(re.escape(part))
        else:
            parts.append(f"(?P={part})" if part in seen else rf"(?P<{part}>\d{{1,6}})")
            seen.add(part)
    return re.compile("".join(parts))


def any_of(patterns: Iterable[re.Pattern[str]]) -> re.Pattern[str]:
    """One expression that matches at least what any matcher does; repeated placeholders may differ."""
    loose = (re.sub(r"\(\?P=\w+\)|\(\?P<\w+>(.*?)\)", r"\\d{1,6}", pattern.pattern) for pattern in patterns)
    return re.compile("|".join(dict.fromkeys(loose)) or r"(?!)")


@dataclass(frozen=True)
class Prefix:
    """A difference in prefixes: where the table's names begin with `table`, the file's begin with `stored`."""

    table: str = ""
    stored: str = ""

    def forms(self, name: str) -> Iterator[str]:
        """The names that a table's `name` may have in a file, the likeliest first."""
        if name.startswith(self.table):
            yield self.stored + name[len(self.table) :]
        if self.table or self.stored:
            yield name
        if self.table and self.stored:
            yield self.stored + name

    def find(self, name: str, present: Mapping[str, object] | set[str]) -> str | None:
        """The stored name for a table's `name`, or None."""
        for form in self.forms(name):
            if form in present:
                return form
            old = old_spelling(form)
            if old in present:
                return old
        return None


def old_spelling(name: str) -> str:
    """`x.LayerNorm.weight` -> `x.LayerNorm.gamma`; other names are unchanged."""
    head, dot, last = name.rpartition(".")
    return head + dot + _OLD_SPELLING[last] if last in _OLD_SPELLING and "norm" in head.lower() else name


def new_spelling(name: str) -> str:
    """`x.gamma` -> `x.weight`, `x.beta` -> `x.bias`; other names are unchanged."""
    head, dot, last = name.rpartition(".")
    return head + dot + _NEW_SPELLING[last] if dot and last in _NEW_SPELLING else name


def find_prefix(table: Mapping[str, Source], stored: Iterable[str]) -> Prefix:
    """The difference under which `table` finds most of the `stored` names; no difference if none finds more."""
    entries = [[_general(pattern) for pattern, _ in alternatives(source)] for source in table.values()]
    present = {_general(name) for name in stored}
    candidates = [Prefix(), *_candidates({name for entry in entries for name in entry}, present)]

    def score(prefix: Prefix) -> tuple[int, int]:
        # Stored names count once, so that a prefix cannot map the tensors of one stack to another stack that is
        # missing.
        matched = {next(filter(None, (prefix.find(name, present) for name in entry)), None) for entry in entries}
        return len(matched - {None}), -len(prefix.table) - len(prefix.stored)

    return max(candidates, key=score)


def _general(name: str) -> str:
    """A name with every index, or placeholder for one, as '#'."""
    return ".".join(["#" if part.isdigit() or part[:1] == "{" else part for part in name.split(".")])


def _candidates(wanted: set[str], present: set[str], at_most: int = 24) -> list[Prefix]:
    """The differences suggested by most pairs of names."""
    endings: dict[str, set[str]] = {}
    for name in present:
        for head, rest in _splits(name, 4):
            heads = endings.setdefault(rest, set())
            if len(heads) < _MOST_HEADS:
                heads.add(head)
    votes: Counter[Prefix] = Counter()
    for name in wanted:
        for cut, rest in _splits(name, 2):
            # A last part alone ("weight") is the end of too many names to suggest a prefix.
            if "." in rest or not cut:
                votes.update(Prefix(cut, head) for head in endings.get(rest, ()))
    return [prefix for prefix, _ in votes.most_common(at_most)]


def _splits(name: str, deepest: int) -> Iterator[tuple[str, str]]:
    """("", "a.b.c"), ("a.", "b.c"), ... up to `deepest` leading parts; an index is never part of a prefix."""
    parts = name.split(".")
    for cut in range(min(deepest, len(parts) - 1) + 1):
        if "#" in parts[:cut]:
            return
        head = ".".join(parts[:cut]) + "." if cut else ""
        yield head, ".".join(parts[cut:])
