"""Write docs/commands.md from the commands' own help, or check that it is up to date.

    python scripts/make_command_docs.py            write
    python scripts/make_command_docs.py --check    exit status 1 if the page differs from the help

The page comes from the options themselves, not from how a version of typer prints them.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from typing import Any

from generated_files import main

from attnviz.cli.app import COMMANDS, build

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commands.md"
HEAD = """# Commands

This page is written by `scripts/make_command_docs.py` from the help of the commands.

Exit status: 0 done; 1 the input, model or file cannot be used; 2 wrong usage; 130 interrupted. Results and the paths of
written files go to standard output; messages go to standard error.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(section(name) for name in COMMANDS)])


def section(name: str) -> str:
    """One command: its description, examples, and its options in the groups of its help."""
    command = build(name)
    first, *paragraphs = command.help.strip().split("\n\n")
    prose = [text for text in paragraphs if not text.startswith("\b")]
    argument = next((p for p in command.params if p.param_type_name == "argument"), None)
    lines = [f"## attnviz {name}{f' {argument.metavar}' if argument else ''}", "", first, ""]
    for text in prose:
        lines += [textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False), ""]
    lines += ["```sh", *command.examples, "```", ""]
    groups: dict[str, list[Any]] = {}
    for param in command.params:
        if param.param_type_name == "option":
            groups.setdefault(param.rich_help_panel, []).append(param)
    for group, options in groups.items():
        lines += [f"| {group} | |", "|---|---|", *map(row, options), ""]
    return "\n".join(lines)


def row(option: Any) -> str:
    """One option as a row of a table."""
    bar = r"\|"  # inside a table's cell
    metavar = f" {option.metavar}" if option.metavar else ""
    names = ", ".join(sorted(option.opts, key=len)) + metavar
    if option.secondary_opts:
        names += "".join(f" / {other}" for other in option.secondary_opts)
    said = option.help
    if option.show_default and option.default is not None and option.default is not False:
        said += f" Default: {option.default}."
    if option.envvar:
        said += f" Environment: {option.envvar}."
    return f"| `{names.replace('|', bar)}` | {said} |"


if __name__ == "__main__":
    sys.exit(main(PAGE, lambda text: page()))
