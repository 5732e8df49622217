"""Read mutants of real files with every reader and with the commands.

A mutant that is neither read nor refused in one line is a finding. SECURITY.md lists the promises.

    scripts/fuzz.py --per-reader 20000 --seed 1            # all readers, and commands
    scripts/fuzz.py --reader gguf --first 4711 --per-reader 1 --seed 1 --keep here    # one mutant again, kept as files

Each mutant is read in a process with a limit on memory and time, under an audit hook that sees files written or read
elsewhere, the network and other programs. Reader, number and seed determine the mutant.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import Random

# This repository's attnviz, not an installed one.
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
from fuzzing import commands, worker  # noqa: E402
from fuzzing.readers import READERS  # noqa: E402

NAMES = (*READERS, "commands")


def campaign(name: str, first: int, count: int, seed: int) -> list[tuple[int, str]]:
    """Try `count` mutants for a reader. Returns the findings: (number of the mutant, fault)."""
    return list(worker.findings(trial_of(name), name, first, count, seed))


def trial_of(name: str) -> worker.Trial:
    """The function that makes one mutant for a reader and reads it."""
    if name == "commands":
        return commands.trial({one: READERS[one].begin() for one in commands.LINES})
    reader = READERS[name]
    folders = reader.begin()

    def trial(rng: Random, folder: Path) -> str:
        for file, data in reader.mutant(folders, rng).items():
            (folder / file).write_bytes(data)
        reader.read(folder)
        return ""

    return trial


def kept(name: str, number: int, seed: int, place: Path) -> None:
    """The files of one mutant, for a closer look."""
    place.mkdir(parents=True, exist_ok=True)
    rng = Random(f"{name} {number} {seed}")
    for file, data in READERS[name].mutant(READERS[name].begin(), rng).items():
        (place / file).write_bytes(data)


def main() -> int:
    """Return 0 if there are no findings."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--per-reader", type=int, default=1000, metavar="N")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--first", type=int, default=0, metavar="N", help="number of the first mutant")
    asked.add_argument("--reader", action="append", choices=NAMES)
    asked.add_argument("--keep", type=Path, metavar="FOLDER", help="write the mutant --first there, and read nothing")
    given = asked.parse_args()
    chosen = given.reader or NAMES
    if given.keep is not None:
        kept(chosen[0], given.first, given.seed, given.keep)
        return 0
    total = 0
    for name in chosen:
        start = time.monotonic()
        found = campaign(name, given.first, given.per_reader, given.seed)
        total += len(found)
        print(
            f"{name}: {given.per_reader} mutants, {len(found)} findings, {time.monotonic() - start:.0f} s", flush=True
        )
        for number, what in found:
            print(f"  {name} {number} (seed {given.seed}): {what}", flush=True)
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
