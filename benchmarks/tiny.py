"""The learned model is small, and the first picture with it takes at most 1.1 times one with random weights.

Compared with the seeded model's 4 heads, and with as many seeded heads as tiny draws.
"""

from __future__ import annotations

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import measure


def main() -> None:
    args = measure.parser(__doc__).parse_args()
    print(measure.machine())
    found_spec = find_spec("attnviz")
    assert found_spec is not None and found_spec.origin is not None
    for file in sorted((Path(found_spec.origin).parent / "tiny").iterdir()):
        print(f"{file.name}: {file.stat().st_size:,} bytes")
    with tempfile.TemporaryDirectory() as folder:
        draw = [sys.executable, "-m", "attnviz", "heatmap", measure.TEXT, "-o", f"{folder}/a.png"]
        commands = {
            "seeded, its 4 heads": [*draw, "-m", "seeded"],
            "seeded, 8 heads": [*draw, "-m", "seeded", "--n-heads", "8"],
            "tiny, its 8 heads": [*draw, "-m", "tiny"],
        }
        found = measure.in_turn(commands, 3 * args.times)
    rows: list[list[object]] = [["a picture, whole process", "wall s", "CPU s", "of seeded, 8 heads (wall)", "(CPU)"]]
    for name, runs in found.items():
        numbers = [measure.median([getattr(r, what) for r in runs]) for what in ("wall", "cpu")]
        ratios = [measure.ratio(found["seeded, 8 heads"], runs, what) for what in ("wall", "cpu")]
        rows.append([name, *numbers, *ratios])
    measure.table(rows)


if __name__ == "__main__":
    main()
