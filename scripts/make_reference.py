"""Make and check the reference cases: tiny checkpoints and transformers' attention for them.

    python scripts/make_reference.py make FAMILY... --into FOLDER [--seed 0] [--set key=json]... [--length 13]
    python scripts/make_reference.py check FOLDER            every case in it: recompute, compare with what is stored
    python scripts/make_reference.py float64 FOLDER          write FOLDER/float64.json: float32 against float64

FAMILY is a line of reference_families.FAMILIES. Needs torch and transformers; see README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from reference_core import (
    build,
    largest_difference,
    make_inputs,
    measured_difference,
    open_case,
    read_expected,
    record,
    run,
    write_case,
)
from reference_families import FAMILIES

SAMPLES = 230  # samples of audio: 22 frames with the tiny convolutions


def make(options: argparse.Namespace) -> int:
    """Make one folder per family."""
    changes = {key: json.loads(value) for key, _, value in (item.partition("=") for item in options.set)}
    for name in options.families:
        family = FAMILIES[name]
        model = build(family, options.seed, options.architecture, **changes)
        length = options.length or (SAMPLES if family.reads == "audio" else 13)
        inputs = make_inputs(family.reads, model.config, options.seed, length)
        difference, share = write_case(options.into / name, model, inputs)
        record(options.into / "float64.json", {name: difference})
        print(f"{name}: float32 to float64 {difference:.2g}, entropy {share:.0%} of uniform")
        if share > 0.85:
            print(f"{name}: attention is nearly uniform; a wrong scale or mask may not show", file=sys.stderr)
    return 0


def cases_in(folder: Path) -> list[Path]:
    """The folders that hold a case, sorted."""
    return sorted(path.parent for path in folder.glob("*/expected.npz") if (path.parent / "config.json").exists())


def check(options: argparse.Namespace) -> int:
    """Recompute every case.

    Returns 1 if one differs by more than the larger of 1e-5 and four times its own difference.
    """
    path = options.folder / "float64.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    wrong = 0
    for folder in cases_in(options.folder):
        inputs, expected = read_expected(folder)
        difference = largest_difference(run(open_case(folder), inputs), expected)
        allowed = max(1e-5, 4 * known.get(folder.name, 0.0))
        wrong += difference > allowed
        print(f"{folder.name}: {difference:.2g} {'' if difference <= allowed else 'WRONG'}".rstrip())
    return 1 if wrong else 0


def float64(options: argparse.Namespace) -> int:
    """Measure float32 against float64 for every case of a folder."""
    measured = {folder.name: measured_difference(folder) for folder in cases_in(options.folder)}
    record(options.folder / "float64.json", measured)
    for name, difference in measured.items():
        print(f"{name}: {difference:.2g}")
    return 0


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("make")
    making.add_argument("families", nargs="+", choices=sorted(FAMILIES), metavar="FAMILY")
    making.add_argument("--into", type=Path, required=True)
    making.add_argument("--seed", type=int, default=0)
    making.add_argument("--length", type=int)
    making.add_argument("--architecture", default="", help="a class of transformers, such as BertForMaskedLM")
    making.add_argument("--set", action="append", default=[], metavar="KEY=JSON", help="a configuration key")
    making.set_defaults(action=make)
    for action in (check, float64):
        command = commands.add_parser(action.__name__)
        command.add_argument("folder", type=Path)
        command.set_defaults(action=action)
    options = parser.parse_args()
    sys.exit(options.action(options))


if __name__ == "__main__":
    main()
