"""Kill `attnviz corpus` at random moments, again and again, and compare the folder with one that was never disturbed.

    python scripts/kill_corpus.py --kills 200 --seed 1

Every run gets SIGKILL between 0 and --longest seconds after its start; sometimes one of its worker processes gets it
instead. After each, every finished part must be a whole Parquet file. At the end one run is left alone, and all files
must have the bytes of the undisturbed folder. Exit status 1 if not.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq

WORDS = "the a cat dog sat on under mat because it was too tired and street animal cross river bank money".split()


def main() -> int:
    """Compare, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--longest", type=float, default=3.0, help="seconds")
    parser.add_argument("-m", "--model", default="tiny")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lines = (" ".join(draw.choices(WORDS, k=draw.randint(1, 30))) for _ in range(options.texts))
        (folder / "texts.txt").write_text("\n".join(lines) + "\n")
        words = [
            sys.executable,
            "-m",
            "attnviz",
            "corpus",
            "texts.txt",
            "-m",
            options.model,
            "--part-texts",
            "50",
            "-q",
        ]
        subprocess.run([*words, "-o", "straight"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        ended = workers = 0
        for count in range(options.kills):
            process = subprocess.Popen([*words, "-o", "killed"], cwd=folder, stdout=subprocess.DEVNULL)
            time.sleep(draw.uniform(0.0, options.longest))
            ended += process.poll() is not None
            children = children_of(process.pid)
            if children and draw.random() < 0.25:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd(draw.choice(children)), signal.SIGKILL)
                    workers += 1
                time.sleep(draw.uniform(0.0, options.longest))
            process.kill()
            process.wait()
            parts = list((folder / "killed" / "rows").glob("part-*.parquet"))
            for each in parts:
                pq.read_table(each)
            print(f"\r{count + 1} of {options.kills}: {len(parts)} parts", end="", file=sys.stderr)
        subprocess.run([*words, "-o", "killed"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        one, other = (contents(folder / name) for name in ("straight", "killed"))
    same = one == other
    differ = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    print(
        f"\n{options.kills} runs killed ({ended} had ended before, {workers} lost a worker first), {len(one)} files: "
        + ("all have the same bytes" if same else f"these differ: {', '.join(differ[:10])}")
    )
    return int(not same)


def pidfd(process: int) -> int:
    """A handle of a process, which no other process can inherit by its number."""
    import os

    return os.pidfd_open(process)


def children_of(process: int) -> list[int]:
    """The worker processes of a run."""
    try:  # a process is the child of the thread that started it
        lists = [each.read_text() for each in Path(f"/proc/{process}/task").glob("*/children")]
    except OSError:
        return []
    return [int(word) for words in lists for word in words.split()]


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of every file in a folder."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


if __name__ == "__main__":
    sys.exit(main())
