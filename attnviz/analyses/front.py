"""Analyses from Python: `attnviz.focus(model, text, query="it")` opens what it is given as the command line would."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from attnviz.analyses.base import Request
from attnviz.analyses.subjects import INPUTS, SUBJECTS
from attnviz.attention import Attention
from attnviz.errors import AttnvizError
from attnviz.models.source import AttentionSource
from attnviz.select import asked_heads

if TYPE_CHECKING:
    from attnviz.analyses.base import Analysis, Result

_SHORT = {"l": "layer", "H": "head"}  # flags of one letter that errors name


def call(analysis: Analysis, subject: Any, inputs: Sequence[Any], named: Mapping[str, Any]) -> Result:
    """Run an analysis on an Attention, an AttentionSource, or a Model and what `Model.attend` takes.

    Args:
        subject: what is analysed. inputs: of a model, its text and a second text.
        named: `layers`, `heads`, `stream`, `words`, `no_special`; other inputs of `Model.attend`; and the command's
            options by their names.

    Raises:
        InputError: an input that the subject cannot have. SelectionError: no such option, value, layer or head.
    """
    rest = dict(named)
    try:
        source = SUBJECTS[analysis.subject].open(subject, inputs, rest)
        takes = SUBJECTS[analysis.subject].takes
        options = analysis.opened([name for name in takes if name not in INPUTS and name[0] != "*"], **rest)
        if analysis.refuses is not None:
            computed = isinstance(subject, Attention) or (isinstance(subject, AttentionSource) and not subject.opened)
            analysis.refuses(options, Request(from_file=computed, heads=asked_heads(named.get("heads"))))
        return analysis.compute(source, options, None)
    except AttnvizError as error:
        names = {*signature(analysis).parameters, *analysis.spellings()}
        error.args, error.hint = (_by_argument(str(error), names),), _by_argument(error.hint, names)
        raise


def _by_argument(text: str, names: Collection[str]) -> str:
    """A message that names arguments instead of flags: `by` for `--by`, `heads` for `--head` and `-H`."""

    def argument(flag: re.Match[str]) -> str:
        name = _SHORT.get(flag[1], flag[1].replace("-", "_"))
        return next((each for each in (name, f"{name}s") if each in names), flag[0])

    return re.sub(r"(?<![\w-])--?([A-Za-z][\w-]*)", argument, text)


def signature(analysis: Analysis) -> inspect.Signature:
    """The arguments of the analysis in Python: its subject, an input, layers and heads, and its options."""
    kind, named, _ = SUBJECTS.get(analysis.subject, ("Any", {}, None))
    default: Any = None if "None" in kind else inspect.Parameter.empty
    parameters = [inspect.Parameter("source", inspect.Parameter.POSITIONAL_ONLY, default=default, annotation=kind)]
    for name, hint in named.items():
        if name.startswith("*"):
            parameters.append(inspect.Parameter(name[1:], inspect.Parameter.VAR_POSITIONAL, annotation=hint))
            continue
        positional = name == "question" or (name in ("text", "pair") and "text" in named)
        place = inspect.Parameter.POSITIONAL_OR_KEYWORD if positional else inspect.Parameter.KEYWORD_ONLY
        default = False if hint == "bool" else None
        parameters.append(inspect.Parameter(name, place, default=default, annotation=hint))
    for each in fields(analysis.options):
        hint = each.type if isinstance(each.type, str) else each.type.__name__
        hint = "str | int | None" if each.metadata["metavar"] == "TOKEN" else hint
        parameters.append(
            inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=each.default, annotation=hint)
        )
    return inspect.Signature(parameters, return_annotation=analysis.result.__name__)


def function(analysis: Analysis) -> Callable[..., Any]:
    """The analysis as a plain function with a signature and a docstring of its own: what `attnviz.NAME` is."""

    def run(source: Any = None, /, *inputs: Any, **named: Any) -> Any:
        return call(analysis, source, inputs, named)

    about, *_ = analysis.help.strip().split("\n\n")
    command = analysis.name.replace("_", " ")
    options = [f"    {each.name}: {each.metadata['help']}" for each in fields(analysis.options)]
    run.__name__ = run.__qualname__ = analysis.name
    run.__module__ = "attnviz"
    run.__doc__ = "\n".join(
        [
            f"{' '.join(about.split())}",
            "",
            "If the first argument is a model, pass the inputs of `Model.attend` after it; the rest are the options of",
            f"`attnviz {command} --help`. Returns a Result: `.rows()`, `.page()`, `.save(path)`.",
            *(["", "Args:", *options] if options else []),
        ]
    )
    run.__signature__ = signature(analysis)  # type: ignore[attr-defined]
    return run
