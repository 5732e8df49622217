"""`attnviz figures`: all figures of a paper, from one file."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from attnviz.cli.expand import command
from attnviz.cli.options import OUT, OUTPUT_HELP, Json, Output, Talk, usage
from attnviz.cli.source import Unchanged
from attnviz.cli.writing import check_output, print_json, write
from attnviz.errors import one_of
from attnviz.files.output import writing
from attnviz.flags import PICK, argument, option, same

if TYPE_CHECKING:
    from attnviz.cli.plans.contact import ContactSheet
    from attnviz.cli.plans.plan import Entry, Plan
    from attnviz.cli.plans.pool import Drawn
    from attnviz.cli.plans.state import Files, Lock

_SHEETS = ("png", "svg", "pdf", "pgf", "html")  # what a contact sheet can be written as


@dataclass(frozen=True)
class Which:
    """The plan, and which of its figures."""

    plan: str | None = argument("A file that lists figures; docs/figures.md describes it.", metavar="PLAN.toml")
    only: tuple[str, ...] = option(
        (), "Only this figure: its output, with or without folder and ending, or a pattern. Repeatable.", metavar="NAME"
    )
    force: bool = option(False, "Draw figures that are up to date, too.")
    list: bool = option(False, "Draw nothing: show what would be drawn, and why.", "--list", "--dry-run")
    workers: int | None = option(
        None, "Processes, of one thread each. Default: one for each core.", metavar="N", low=1, high=256
    )
    outside: bool = option(False, "Let the plan read and write files outside of its own folder.", panel=PICK)
    offline: bool = same(Unchanged, "offline", default=False)

    def __post_init__(self) -> None:
        if self.plan is None:
            usage("missing argument 'PLAN.toml'", "as in attnviz figures paper.toml")


@dataclass(frozen=True)
class Contact:
    """The contact sheet."""

    output: str | None = option(
        None,
        f"{OUTPUT_HELP} In this command: the contact sheet, .png, .svg, .pdf, .pgf or .html; none for no sheet. "
        "Default: PLAN.contact.png beside the plan, not with --only.",
        "-o",
        "--output",
        metavar="PATH|none",
        panel=OUT,
    )

    def __post_init__(self) -> None:
        if self.output not in (None, "none", "-") and self.format not in _SHEETS:
            usage(one_of("the extension of a contact sheet", self.format, _SHEETS))

    @property
    def format(self) -> str:
        """The format of the sheet."""
        return "png" if self.output in (None, "-") else Path(str(self.output)).suffix.lower().removeprefix(".")


@command
def run(*, which: Which, contact: Contact, listing: Json, talk: Talk) -> None:
    """Draw all figures of a paper from one file, and only the ones that changed.

    PLAN.toml has an entry for each figure: a command, its options by their long names, and the output. Any command
    prints its own with --print-plan. Figures are drawn side by side; one that fails does not stop the other figures,
    and the exit status is then 1. PLAN.lock.json, beside the plan, remembers what each figure was made of: its options,
    texts, model and version. A contact sheet shows all figures on one page.

    attnviz figures sample_inputs/paper.toml
    attnviz figures sample_inputs/paper.toml --only tired --force
    attnviz figures sample_inputs/paper.toml --list
    attnviz figures sample_inputs/paper.toml --workers 2 -o sheet.pdf
    attnviz heatmap "The cat sat on the mat" -H 0.1,2.0 -o cat.pdf --print-plan
    """
    from attnviz.cli.plans.plan import read_plan

    assert which.plan is not None
    if contact.output == "-" and (listing.json or which.list):
        usage("-o - and what --json and --list print exclude each other")
    place = Path(os.path.realpath(which.plan))
    own = [place.with_name(f"{place.stem}.lock.json"), place.with_name(f"{place.stem}.contact.png")]
    plan = read_plan(which.plan, which.outside, [*own, *([Path(contact.output)] if contact.output else [])])
    status = _Run(plan, which, contact, listing, talk).run()
    if status:
        raise typer.Exit(status)


class _Run:
    """One run over a plan. states: output -> `drawn`, `up to date` or `failed`; errors: of the failed ones."""

    def __init__(self, plan: Plan, which: Which, contact: Contact, listing: Json, talk: Talk) -> None:
        from attnviz.cli.plans.state import Files, Lock

        self.plan, self.which, self.listing, self.talk = plan, which, listing, talk
        self.files: Files = Files(plan.folder)
        self.lock: Lock = Lock.read(plan)
        self.chosen = plan.chosen(which.only)
        self.states: dict[str, str] = {}
        self.errors: dict[str, str] = {}
        self.sheet = self._sheet(contact)
        self.paths_printed = not listing.json and contact.output != "-"

    def _sheet(self, contact: Contact) -> ContactSheet | None:
        """The contact sheet that is wanted."""
        from attnviz.cli.plans.contact import ContactSheet

        if contact.output == "none" or (contact.output is None and self.which.only):
            return None
        place = ContactSheet.default_place(self.plan) if contact.output is None else Path(contact.output)
        if not self.which.list:
            check_output(Output(output=str(place)), contact.format)
        return ContactSheet(self.plan, self.chosen, self.lock, place, contact.format)

    def run(self) -> int:
        """Draw what has changed, then the sheet; the exit status."""
        reasons = self._reasons()
        if self.which.list:
            return self._list(reasons)
        todo = [entry for entry in self.chosen if reasons[entry.output]]
        self.states = {output: "up to date" for output, reason in reasons.items() if not reason}
        for output, reason in reasons.items():
            self.talk.detail(f"{output}: {reason or 'up to date'}")
        self._draw(todo)
        if self.listing.json:
            self._print_json()
        if self.sheet is not None and not self.sheet.is_current(self.errors):
            self._write(self.sheet)
        self.talk.note(self._summary())
        return int("failed" in self.states.values())

    def _reasons(self) -> dict[str, str]:
        """Why each figure has to be drawn, '' if it need not be."""
        from attnviz.cli.plans.state import made_of

        reasons = {
            entry.output: "asked for"
            if self.which.force
            else self.lock.reason(entry, made_of(entry, self.files), self.plan.folder)
            for entry in self.chosen
        }
        if self.sheet is not None and (any(reasons.values()) or not self.sheet.is_current({})):
            for entry in self.sheet.lacking():
                reasons[entry.output] = reasons[entry.output] or "for the contact sheet"
        return reasons

    def _write(self, sheet: ContactSheet) -> None:
        drawn = sheet.encoded(self.errors)
        if self.paths_printed:
            write(Output(output=os.path.relpath(sheet.path)), sheet.format, lambda file: file.write(drawn))
        elif self.listing.json:
            with writing(sheet.path) as file:
                file.write(drawn)
        else:
            write(Output(output="-"), sheet.format, lambda file: file.write(drawn))
        sheet.note(self.errors)

    def _list(self, reasons: dict[str, str]) -> int:
        rows = [
            {
                "figure": entry.output,
                "command": entry.command,
                "state": "to draw" if reasons[entry.output] else "up to date",
                "why": reasons[entry.output] or None,
            }
            for entry in self.chosen
        ]
        if self.listing.json:
            print_json(rows)
            return 0
        _print_columns([[str(value or "") for value in row.values()] for row in rows])
        return 0

    def _draw(self, todo: Sequence[Entry]) -> None:
        """Draw figures; print each path in the order of the plan, as soon as the ones before it are done."""
        from attnviz.cli.plans.pool import Task, default_workers, draw_all
        from attnviz.cli.plans.state import make_small_folder, small_place
        from attnviz.render.progress import progress

        if not todo:
            return
        make_small_folder(self.plan)
        for entry in todo:
            (self.plan.folder / entry.output).parent.mkdir(parents=True, exist_ok=True)
        tasks = [
            Task(each.words, str(small_place(self.plan, each)), str((self.plan.folder / each.output).parent))
            for each in todo
        ]
        before = [self._made_of(entry) for entry in todo]
        done: dict[int, Drawn] = {}
        told, count = 0, self.which.workers or default_workers()
        with progress("figures", total=len(todo), quiet=self.talk.quiet) as advance:
            for number, drawn in draw_all(tasks, self.plan.folder, count, offline=self.which.offline):
                advance(1)
                done[number] = drawn
                self._keep(todo[number], drawn, before[number])
                while told in done:
                    self._tell(todo[told], done[told])
                    told += 1

    def _made_of(self, entry: Entry) -> str:
        from attnviz.cli.plans.state import made_of

        return made_of(entry, self.files)

    def _keep(self, entry: Entry, drawn: Drawn, made_of: str) -> None:
        """Write down what a figure was made of, so that a run that is ended here continues after it."""
        from attnviz.cli.plans.state import digest_of, small_place

        self.states[entry.output] = "failed" if drawn.error else "drawn"
        if drawn.error:
            self.errors[entry.output] = drawn.error
            self.lock.figures.pop(entry.output, None)
        else:
            small = digest_of(small_place(self.plan, entry)) if drawn.small else ""
            file = digest_of(self.plan.folder / entry.output)
            # A model that was not here before the figure was drawn is here now.
            known = {"made_of": made_of or self._made_of(entry), "file": file, "small": small}
            self.lock.figures[entry.output] = known
        self.lock.keep(self.plan.entries)

    def _tell(self, entry: Entry, drawn: Drawn) -> None:
        """The path of a figure on standard output, or why it was not drawn."""
        from attnviz.cli import say_failure

        for note in drawn.notes:
            self.talk.note(f"{entry.output}: {note}")
        if drawn.error:
            say_failure(f"{entry.output}: {drawn.error}", drawn.hint)
        elif self.paths_printed:
            print(os.path.relpath(self.plan.folder / entry.output))
            sys.stdout.flush()

    def _print_json(self) -> None:
        print_json(
            {
                "figure": entry.output,
                "command": entry.command,
                "state": self.states[entry.output],
                "error": self.errors.get(entry.output),
            }
            for entry in self.chosen
        )

    def _summary(self) -> str:
        count = {state: list(self.states.values()).count(state) for state in ("drawn", "up to date", "failed")}
        return ", ".join(f"{number} {state}" for state, number in count.items())


def _print_columns(rows: Sequence[Sequence[str]]) -> None:
    """Rows of text in aligned columns."""
    from attnviz.render.terminal_screen import cells

    wide = [max(cells(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        padded = (text + " " * (width - cells(text)) for text, width in zip(row, wide, strict=True))
        print("  ".join(padded).rstrip())
