"""Promise 8: every head in a browser, in a file that opens at once.

Writes pages with `attnviz html`, opens them in headless Chromium (navigation until the first view is drawn) and moves
the pointer over a map and over lines. Then, for the same arrays, BertViz's head view and model view. BertViz's pages
ask a server for three libraries; this program hands them over from --libraries (`npm install --prefix LIBRARIES
d3@5.7.0 jquery@2.2.4 requirejs@2.3.6`), so that they open without a network. Needs playwright and chromium.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import measure
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers.browser import chromium, launched, missing

MOVES = 60  # of the pointer, over each view
SHORT = (30, 64, 128)  # tokens of the pages that BertViz writes too
LIBRARIES = {"d3": "d3/dist/d3.min.js", "jquery": "jquery/dist/jquery.min.js", "require": "requirejs/require.js"}
PATIENT = 120_000  # milliseconds until a page counts as one that does not open


def cases() -> dict[str, list[str]]:
    """The words behind `attnviz html` by the row's name."""

    def ids(count: int, beyond: int) -> str:
        return ",".join(map(str, np.random.default_rng(0).integers(1000, beyond, count)))

    seeded = ["-m", "seeded", "--n-layers", "12", "--n-heads", "12", "--d-model", "768"]
    smollm2 = ["-m", str(measure.smollm2())]
    return {
        "seeded, 144 heads x 512": ["--ids", ids(512, 20000), *seeded],
        "SmolLM2, its first 144 heads x 512": ["--ids", ids(512, 40000), *smollm2, "-l", "0-15"],
        "SmolLM2, 270 heads x 30": ["--ids", ids(30, 40000), *smollm2],
        "SmolLM2, 270 heads x 8,192": ["--ids", ids(8192, 40000), *smollm2],
    }


class Chromium:
    """A browser that opens pages and measures them."""

    def __init__(self, browser: Any, libraries: Path | None) -> None:
        self.browser = browser
        self.libraries = libraries

    def opened(self, file: Path, hash: str, ready: str) -> tuple[Any, float]:
        """A page that has drawn, and the seconds since its navigation began. ready: a selector of what is drawn."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENT)
        page = context.new_page()
        page.route(re.compile("https?:"), self._library)
        page.goto(file.as_uri() + hash, wait_until="commit")
        page.wait_for_selector(ready, state="attached")
        seconds = page.evaluate("new Promise((done) => requestAnimationFrame(() => done(performance.now() / 1000)))")
        return page, seconds

    def seconds(self, file: Path, hash: str, ready: str, times: int) -> float | str:
        """The median of several openings."""
        found = []
        for _ in range(times):
            try:
                page, seconds = self.opened(file, hash, ready)
            except Exception as error:
                return f"over {PATIENT // 1000}" if "Timeout" in str(error) else "crashed"
            page.context.close()
            found.append(seconds)
        return measure.median(found)

    def _library(self, route: Any) -> None:
        """Answer a page that asks for a library; without the library the request fails."""
        name = next((name for name in LIBRARIES if name in route.request.url.rsplit("/", 1)[-1]), None)
        if name is None or self.libraries is None:
            route.abort()
        else:
            route.fulfill(path=self.libraries / "node_modules" / LIBRARIES[name], content_type="text/javascript")


def counters(session: Any) -> dict[str, float]:
    """Chromium's own account of a page: seconds of script and of all tasks, bytes of its heap, ..."""
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


def hovering(browser: Chromium, file: Path, view: str, within: str) -> tuple[float, float]:
    """Milliseconds of script, and of all work, per move of the pointer over part of a view."""
    page, _ = browser.opened(file, f"#view={view}&layer=3&head=1", f".explorer[data-view={view}][data-ready=yes]")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.wait_for_timeout(500)
    box = page.locator(within).first.bounding_box()
    wide, high = min(box["width"], 1270 - box["x"]), min(box["height"], 890 - box["y"])
    places = [
        (box["x"] + wide * (0.2 + 0.7 * i / MOVES), box["y"] + high * (0.2 + 0.7 * i / MOVES)) for i in range(MOVES)
    ]
    page.mouse.move(*places[0])
    before = counters(session)
    for place in places:
        page.mouse.move(*place)
        page.evaluate("new Promise((done) => requestAnimationFrame(() => done()))")
    after = counters(session)
    page.context.close()
    return tuple(1000 * (after[name] - before[name]) / MOVES for name in ("ScriptDuration", "TaskDuration"))


def heap(browser: Chromium, file: Path) -> float:
    """MiB of the script's heap after the first view is drawn; typed arrays and text of the file are in it."""
    page, _ = browser.opened(file, "", ".explorer[data-ready=yes]")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")
    page.context.close()
    return (used["usedSize"] + used.get("backingStorageSize", 0)) / 2**20


def ours(browser: Chromium, folder: Path, times: int, chosen: list[str]) -> None:
    """One row a case."""
    rows: list[list[object]] = [
        ["page", "MB", "write s", "peak MiB", "open s", "map s", "heap MiB", "map ms", "lines ms"]
    ]
    for number, (name, words) in enumerate(cases().items()):
        if chosen and not any(word in name for word in chosen):
            continue
        file = folder / f"{number}.html"
        run = measure.run([sys.executable, "-m", "attnviz", "html", *words, "-o", str(file)])
        if run.status:
            rows.append([name, "failed", *[""] * 7])
            continue
        ready = ".explorer[data-ready=yes]"
        row: list[object] = [name, file.stat().st_size / 1e6, run.wall, run.peak]
        row += [browser.seconds(file, hash, ready, times) for hash in ("", "#view=map&layer=3&head=1")]
        row.append(heap(browser, file))
        row += [hovering(browser, file, "map", ".frame")[0], hovering(browser, file, "lines", ".lines-stage")[0]]
        rows.append(row)
    if len(rows) > 1:
        measure.table(rows)


def beside(browser: Chromium, folder: Path, peer: str | None, times: int) -> None:
    """Pages of the same arrays by both."""
    rows: list[list[object]] = [["144 heads, same arrays", "MB", "write s", "open s"]]
    for tokens in SHORT:
        array = folder / f"{tokens}.npy"
        np.save(array, real(tokens))
        file = folder / f"{tokens}.html"
        run = measure.run([sys.executable, "-m", "attnviz", "html", "--from", str(array), "-o", str(file)])
        opened = browser.seconds(file, "", ".explorer[data-ready=yes]", times)
        rows.append([f"attnviz, {tokens} tokens", file.stat().st_size / 1e6, run.wall, opened])
        if peer is None:
            continue
        command = [peer, str(Path(__file__).with_name("peer_page.py")), str(array), str(folder)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for name, (size, seconds) in found.items():
            opened = browser.seconds(folder / f"{name}.html", "", "svg line, svg path", times)
            rows.append([f"BertViz {name}, {tokens} tokens", size / 1e6, seconds, opened])
    measure.table(rows)


def real(tokens: int) -> Any:
    """Attention of the first 144 heads of SmolLM2 as [12, 12, tokens, tokens]."""
    import attnviz

    ids = np.random.default_rng(0).integers(1000, 20000, tokens)
    weights = attnviz.load(str(measure.smollm2())).attend(ids=[int(i) for i in ids]).weights
    return np.ascontiguousarray(weights.reshape(-1, tokens, tokens)[:144].reshape(12, 12, tokens, tokens))


def peer_with_bertviz(named: str | None, libraries: Path | None) -> str | None:
    """An interpreter that has bertviz, or None, with a message."""
    python = named or sys.executable
    if subprocess.run([python, "-c", "import bertviz"], capture_output=True).returncode:
        print("peer: bertviz is not installed; only our own numbers follow (--peer PYTHON names one)")
        return None
    if libraries is None:
        print("peer: --libraries names no folder with d3, jquery and requirejs; BertViz's pages would not open")
        return None
    return python


def main() -> None:
    made = measure.parser(__doc__ or "")
    made.add_argument("--libraries", type=Path, help="folder whose node_modules holds d3, jquery and requirejs")
    made.add_argument("--only", action="append", default=[], help="only rows with this in their name, or BertViz")
    args: argparse.Namespace = made.parse_args()
    if reason := missing():
        sys.exit(reason)
    print(measure.machine(), chromium(), sep="\n")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = Chromium(launched(playwright, folder), args.libraries)
        print("Chromium", browser.browser.version)
        ours(browser, folder, args.times, args.only)
        if not args.only or "BertViz" in args.only:
            beside(browser, folder, peer_with_bertviz(args.peer, args.libraries), args.times)
        browser.browser.close()


if __name__ == "__main__":
    main()
