"""A lock file beside the plan holds a digest of all that a figure was made of, which tells what has changed since.

It has no clock and no path of this machine, so that it may lie beside the plan in a repository. A model's digest is of
its files' contents; of a model in the Hub's cache, the commit.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import attnviz
from attnviz.cli.plans.plan import Entry, Plan, inside
from attnviz.errors import AttnvizError, InputError
from attnviz.files.output import json_text, writing
from attnviz.files.untrusted import open_file, read_object

FORMAT = 1
LARGEST = 16 << 20  # bytes of a lock file
SMALL = ".attnviz_cache"  # the folder of small pictures, beside the plan
_SETTINGS = ("config.json", "adapter_config.json", "generation_config.json")


@dataclass(frozen=True)
class Files:
    """The contents of files and models, each read once. folder: where paths begin."""

    folder: Path
    known: dict[str, str] = field(default_factory=dict)

    def digest(self, name: str) -> str:
        """A digest of a file, of a model's files, or ''; a model that is not on this machine has none yet."""
        if not self.known.get(name):
            self.known[name] = self._digest(name)
        return self.known[name]

    def _digest(self, name: str) -> str:
        with suppress(OSError, ValueError):
            place = self.folder / Path(name).expanduser()
            if place.is_file() or ("/" in name and place.is_dir()):
                return _of_path(place)
        from attnviz.models.find import find

        with suppress(AttnvizError, OSError):
            at = find(name, offline=True, quiet=True)
            return at.revision or _of_path(at.path)
        return ""


def _of_path(place: Path) -> str:
    """A digest of a file and of what a model of it reads beside it, or of the files of a model's folder."""
    from attnviz.models.find import WEIGHT_ENDINGS
    from attnviz.models.hub.files import READERS

    is_folder = place.is_dir()
    folder = place if is_folder else place.parent
    names = {*_SETTINGS, *READERS} if is_folder or place.suffix in WEIGHT_ENDINGS else set()
    files = {folder / name for name in names if (folder / name).is_file()}
    if is_folder:
        files |= {path for path in folder.iterdir() if path.suffix in WEIGHT_ENDINGS or path.match("*.index.json")}
    else:
        files.add(place)
    whole = hashlib.sha256()
    for path in sorted(files):
        whole.update(f"{path.name}\0{digest_of(path)}\n".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()


def digest_of(path: Path) -> str:
    """A digest of a file's contents, '' if it is not there."""
    try:
        whole = hashlib.sha256()
        with open_file(path) as file:
            while piece := file.read(1 << 20):
                whole.update(piece)
        return whole.hexdigest()
    except (AttnvizError, OSError):
        return ""


def made_of(entry: Entry, files: Files) -> str:
    """A digest of everything that an entry's file depends on; '' while it is not known."""
    if not all(files.digest(name) or name == "seeded" for name in entry.models):
        return ""
    digests = {name: files.digest(name) for name in (*entry.files, *entry.models)}
    parts = {
        "attnviz": attnviz.__version__,
        "command": entry.command,
        "options": dict(entry.options),
        "output": Path(entry.output).name,
        "files": digests,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass
class Lock:
    """The figures that were drawn, as one small file. figures: output -> made_of, file, small (digests)."""

    path: Path
    figures: dict[str, dict[str, str]]
    contact: dict[str, str]

    @classmethod
    def read(cls, plan: Plan) -> Lock:
        """The lock of a plan; an empty one where there is none, or none that can be used."""
        path = inside(plan.folder, f"{plan.path.stem}.lock.json", "its lock")
        with suppress(InputError):
            data = read_object(path, LARGEST, InputError, "a lock")
            if data.get("format") == FORMAT:
                figures = _texts(data.get("figures"), nested=True)
                return cls(path, figures, _texts(data.get("contact")))
        return cls(path, {}, {})

    def reason(self, entry: Entry, made_of: str, folder: Path) -> str:
        """Why a figure has to be drawn, '' if it is up to date."""
        known = self.figures.get(entry.output)
        if known is None:
            return "new"
        if not made_of or known.get("made_of") != made_of:
            return "changed"
        file = digest_of(folder / entry.output)
        return "" if file and file == known.get("file") else "file changed" if file else "file gone"

    def keep(self, entries: Iterable[Entry]) -> None:
        """Forget figures that the plan no longer lists, and write the file."""
        listed = {entry.output for entry in entries}
        self.figures = {name: values for name, values in self.figures.items() if name in listed}
        data = {"format": FORMAT, "contact": self.contact, "figures": self.figures}
        with writing(self.path) as file:
            file.write(json_text(data, sort_keys=True, indent=1).encode("utf-8", "replace") + b"\n")


def _texts(value: Any, nested: bool = False) -> dict[str, Any]:
    """The texts of a value by name, everything else left out."""
    items = value.items() if isinstance(value, dict) else ()
    if nested:
        return {name: _texts(each) for name, each in items if isinstance(each, dict)}
    return {name: each for name, each in items if isinstance(each, str)}


def small_place(plan: Plan, entry: Entry) -> Path:
    """The small picture of a figure, for contact sheets."""
    name = hashlib.sha256(entry.output.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return small_folder(plan) / f"{name}.png"


def small_folder(plan: Plan) -> Path:
    """The folder of small pictures of a plan."""
    return inside(plan.folder, f"{SMALL}/{plan.path.stem}", "its cache")


def make_small_folder(plan: Plan) -> None:
    """Make that folder, which no repository takes in."""
    folder = small_folder(plan)
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder.parent / ".gitignore"
    if not os.path.lexists(ignore):
        ignore.write_text("*\n", "utf-8")


def drop_small(plan: Plan) -> None:
    """Remove the small pictures of figures that the plan no longer lists."""
    listed = {small_place(plan, entry) for entry in plan.entries}
    folder = small_folder(plan)
    for path in folder.glob("*.png") if folder.is_dir() else ():
        if path not in listed and re.fullmatch("[0-9a-f]{16}", path.stem):
            with suppress(OSError):
                path.unlink()
