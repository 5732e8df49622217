"""Promise 7: `--help` within 1.3 times of a typer app with two empty commands, rich help included."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import measure

EMPTY = '''
import typer

app = typer.Typer()


@app.command()
def one() -> None:
    """One."""


@app.command()
def two() -> None:
    """Two."""


app()
'''


def main() -> None:
    args = measure.parser(__doc__).parse_args()
    print(measure.machine())
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "empty.py"
        script.write_text(EMPTY)
        commands = {
            "two empty typer commands --help": [sys.executable, str(script), "--help"],
            "attnviz --help": [sys.executable, "-m", "attnviz", "--help"],
            "attnviz --version": [sys.executable, "-m", "attnviz", "--version"],
            "attnviz tokens (minilm)": [sys.executable, "-m", "attnviz", "tokens", measure.TEXT, "-m", "minilm"],
        }
        found = measure.in_turn(commands, 3 * args.times)
    first = found["two empty typer commands --help"]
    rows: list[list[object]] = [["", "wall s", "CPU s", "of the empty app (CPU)"]]
    for name, runs in found.items():
        rows.append(
            [
                name,
                measure.median([r.wall for r in runs]),
                measure.median([r.cpu for r in runs]),
                measure.ratio(first, runs, "cpu"),
            ]
        )
    measure.table(rows)
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "attnviz", "tokens", measure.TEXT, "-m", "minilm"],
        capture_output=True,
        text=True,
    ).stderr
    for name in ("matplotlib", "numpy.linalg", "numpy.random", "numpy.fft"):
        print(f"attnviz tokens imports {name}: {'yes' if f' {name}' in loaded else 'no'}")


if __name__ == "__main__":
    main()
