"""Promise 1: the picture is drawn before another tool has imported its framework.

all-MiniLM-L6-v2, 12 heads of layer 5, one labelled PNG: whole processes, ours and transformers + matplotlib, in turn;
then our very first run (no font cache) and one with a home that cannot be written.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import measure


def main() -> None:
    args = measure.parser(__doc__).parse_args()
    print(measure.machine())
    with tempfile.TemporaryDirectory() as folder:
        ours = [
            sys.executable, "-m", "attnviz", "heatmap", measure.TEXT, "-m", str(measure.minilm()), "-l", "5",
            "-o", f"{folder}/ours.png",
        ]  # fmt: skip
        commands = {"attnviz": ours}
        peer = measure.peer_python(args)
        if peer:
            script = Path(__file__).with_name("peer_figure.py")
            commands["transformers + matplotlib"] = [
                peer, str(script), str(measure.minilm()), measure.TEXT, f"{folder}/peer.png", "5",
            ]  # fmt: skip
        found = measure.in_turn(commands, args.times)
        rows: list[list[object]] = [["", "wall s", "CPU s", "peak MiB", "times ours (wall)", "of ours (memory)"]]
        for name, runs in found.items():
            rows.append(
                [
                    name,
                    measure.median([r.wall for r in runs]),
                    measure.median([r.cpu for r in runs]),
                    measure.median([r.peak for r in runs]),
                    measure.ratio(found["attnviz"], runs, "wall"),
                    measure.ratio(found["attnviz"], runs, "peak"),
                ]
            )
        for name, env in (("first run, no font cache", True), ("home cannot be written", False)):
            runs = [first_run(ours, empty=env) for _ in range(args.times)]
            rows.append(
                [
                    f"attnviz, {name}",
                    measure.median([r.wall for r in runs]),
                    measure.median([r.cpu for r in runs]),
                    measure.median([r.peak for r in runs]),
                    "",
                    "",
                ]
            )
        measure.table(rows)


def first_run(command: list[str], empty: bool) -> measure.Run:
    """The environment with an empty home, or with one that cannot be written to."""
    with tempfile.TemporaryDirectory() as home:
        if not empty:
            Path(home).chmod(0o500)
        place = home if empty else "/proc/none"  # root may write to a read-only folder, but not to this one
        env = {"HOME": place, "MPLCONFIGDIR": f"{place}/mpl", "XDG_CACHE_HOME": place, "XDG_CONFIG_HOME": place}
        return measure.run(command, {**env, "TMPDIR": os.environ.get("TMPDIR", "/tmp")})


if __name__ == "__main__":
    main()
