"""A page is the same bytes from every process."""

from __future__ import annotations

import os
import subprocess
import sys

WRITE = "import sys; from attnviz.cli import main; sys.exit(main(sys.argv[1:]))"


def test_two_processes_write_the_same_bytes(tmp_path):
    pages = []
    for seed in ("1", "2"):
        file = tmp_path / f"{seed}.html"
        words = ["html", "The cat sat on the mat", "-m", "seeded", "-o", str(file)]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": "UTC" if seed == "1" else "Asia/Tokyo"}
        subprocess.run([sys.executable, "-c", WRITE, *words], check=True, env=environment, capture_output=True)
        pages.append(file.read_bytes().replace(f"{seed}.html".encode(), b"x.html"))
    assert pages[0] == pages[1]
