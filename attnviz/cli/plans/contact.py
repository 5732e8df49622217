"""The contact sheet of a plan: which small pictures it shows, and whether it shows them already."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import attnviz
from attnviz.cli.plans.plan import Entry, Plan, inside
from attnviz.cli.plans.sheet import Small, picture_of, write_sheet
from attnviz.cli.plans.state import Lock, digest_of, drop_small, small_place

_READABLE = (".png", ".gif", ".apng")  # outputs that are pictures themselves


@dataclass(frozen=True)
class ContactSheet:
    """The sheet of some figures of a plan. path: where it goes; format: how it is written."""

    plan: Plan
    entries: Sequence[Entry]
    lock: Lock
    path: Path
    format: str

    @classmethod
    def default_place(cls, plan: Plan) -> Path:
        return inside(plan.folder, f"{plan.path.stem}.contact.png", "its contact sheet")

    def is_current(self, failed: Mapping[str, str]) -> bool:
        """Whether the sheet is there and shows these figures. failed: output -> error."""
        known = self.lock.contact
        return known == self._described(failed) and bool(known.get("file"))

    def lacking(self) -> list[Entry]:
        """Figures that are up to date, but of which there is no small picture."""
        return [
            entry
            for entry in self.entries
            if self._small_digest(entry) not in ("", digest_of(small_place(self.plan, entry)))
            and not entry.output.lower().endswith(_READABLE)
        ]

    def encoded(self, failed: Mapping[str, str]) -> bytes:
        """The sheet as a file of its format."""
        file = io.BytesIO()
        smalls = [self._small(entry, entry.output in failed) for entry in self.entries]
        write_sheet(self.format, self.plan.path.stem, smalls, file)
        return file.getvalue()

    def note(self, failed: Mapping[str, str]) -> None:
        """Note in the lock what the written sheet shows."""
        self.lock.contact = self._described(failed)
        self.lock.keep(self.plan.entries)
        drop_small(self.plan)

    def _described(self, failed: Mapping[str, str]) -> dict[str, str]:
        """The entry of the lock: a digest of the figures that the sheet shows, and of its file."""
        figures = self.lock.figures
        shown = [
            [entry.output, entry.command, entry.output in failed, figures.get(entry.output, {}).get("file", "")]
            for entry in self.entries
        ]
        text = json.dumps([attnviz.__version__, self.format, self.plan.path.stem, shown])
        digest = hashlib.sha256(text.encode()).hexdigest()
        return {"name": self.path.name, "made_of": digest, "file": digest_of(self.path)}

    def _small_digest(self, entry: Entry) -> str:
        return self.lock.figures.get(entry.output, {}).get("small", "")

    def _small(self, entry: Entry, failed: bool) -> Small:
        ending = Path(entry.output).suffix.removeprefix(".").upper() or "FILE"
        picture = None
        if not failed:
            place = small_place(self.plan, entry)
            if self._small_digest(entry) and digest_of(place) == self._small_digest(entry):
                picture = picture_of(place)
            elif entry.output.lower().endswith(_READABLE):
                picture = picture_of(self.plan.folder / entry.output)
        link = Path(os.path.relpath(self.plan.folder / entry.output, self.path.parent)).as_posix()
        return Small(entry.output, entry.command, picture, "not drawn" if failed else ending, failed, link)
