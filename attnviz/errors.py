"""Every error that attnviz raises on purpose.

    AttnvizError (a ValueError)
    ├── InputError        the text, ids, image or saved attention cannot be used
    ├── SelectionError    a layer, head, token, stream or option value that is not there
    ├── ModelError        a model that cannot be found or understood
    │   ├── ConfigError       its configuration
    │   └── CheckpointError   its weight or tokenizer files
    └── OutputError       a file that cannot be written

A message is one line, however long the names in it, and says what was wanted and what was got; `hint` says what to do
next. The command line prints both and ends with exit status 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from reprlib import Repr

MOST_CHARACTERS = 1000  # of a message


def one_line(text: str) -> str:
    """A message on one line, cut in the middle where it is endless: names out of files may hold anything."""
    if len(text) > MOST_CHARACTERS:
        text = f"{text[: MOST_CHARACTERS - 300]} ... {text[-290:]}"
    return text if text.isprintable() else " ".join(text.split())


class AttnvizError(ValueError):
    """Something the user can mend. `hint` is one line on how, or empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(one_line(message))
        self.hint = one_line(hint)


class InputError(AttnvizError):
    """The text, ids, image or saved attention cannot be used."""


class SelectionError(AttnvizError):
    """A layer, head, token, stream or option value that is not there."""


class ModelError(AttnvizError):
    """A model that cannot be found or understood."""


class ConfigError(ModelError):
    """A configuration that is incomplete, contradicts itself, or asks for something unknown."""


class CheckpointError(ModelError):
    """A weight or tokenizer file that is missing, damaged or does not fit the configuration."""


class OutputError(AttnvizError):
    """A file that cannot be written."""


def no_tokenizer(name: str) -> InputError:
    """A text for a model that has nothing to split it with."""
    return InputError(
        f"{name} has no tokenizer, so it cannot read a text",
        "give token ids instead: --ids 101,2054,102 (ids=[...] in Python)",
    )


class AttnvizWarning(UserWarning):
    """Something that does not stop the work but should be known; the command line shows it as `warning: ...`."""


_short = Repr()
_short.maxstring = _short.maxother = 80
_short.maxlevel = 3


def shown(value: object) -> str:
    """A value as a message quotes it: cut where it is long or deep, since untrusted files hold anything."""
    return _short.repr(value)


MOST_NAMED = 8  # in one line


def passed_over(
    names: Iterable[str],
    ignored: Iterable[str],
    error: Callable[[str, str], Exception],
    what: str = "key",
    does: str = "attention",
    who: str = "nobody has said",
) -> list[str]:
    """Names that nobody has accounted for, all of which the user asked to ignore; any other is refused.

    error: makes the error of a message and a hint. who, what, does: "`who` what the `what` does to `does`".
    """
    names, ignored = list(names), set(ignored)
    unknown = [shown(name) for name in names if name not in ignored]
    if not unknown:
        return names
    named = unknown[:MOST_NAMED]
    options = " ".join(f"--ignore-key {name[1:-1]}" for name in named)
    if len(unknown) == 1:
        raise error(
            f"{who} what the {what} {named[0]} does to {does}",
            f"if it does nothing, ignore it with {options}",
        )
    more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
    raise error(
        f"{who} what the {what}s {', '.join(named)}{more} do to {does}",
        f"if they do nothing, ignore them with {options}{' ...' if more else ''}",
    )


def one_of(what: str, got: object, allowed: Iterable[object]) -> str:
    """The one wording for "must be one of": `scale must be one of linear, sqrt, log, row; got 'cube'`."""
    return f"{what} must be one of {', '.join(map(str, allowed))}; got {shown(got)}"
