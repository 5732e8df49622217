"""Pages opened in Chromium, driven by Playwright; any of the two may be missing."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    from playwright.sync_api import expect
except ImportError:  # tests that need a browser are skipped
    expect = None

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

UNTESTED = re.compile("the page was NOT tested .*")  # such a reason of skipped tests is repeated in red at the end
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 90_000  # milliseconds until a page is ready: machines that run tests are busy
OWN = ("file:", "blob:", "data:", "about:")  # addresses that need no network


def chromium() -> str | None:
    """Path of Chromium: the variable CHROMIUM, or what PATH has."""
    given = os.environ.get("CHROMIUM")
    return given if given else next((path for name in NAMES if (path := shutil.which(name))), None)


def missing() -> str:
    """Say which of the two is missing and how to get it; empty if both are there."""
    if expect is None:
        return "the page was NOT tested in a browser: pip install playwright"
    if chromium() is None:
        return "the page was NOT tested in a browser: apt-get install chromium, or set CHROMIUM to its path"
    return ""


def launched(playwright: Any, home: Path) -> Browser:
    """A Chromium without a window, which writes into `home` alone."""
    environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    flags = ["--force-color-profile=srgb", "--disable-dev-shm-usage"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")
    browser: Browser = playwright.chromium.launch(
        executable_path=chromium(), args=flags, env=environment, timeout=PATIENCE
    )
    return browser


class Opened:
    """Opens pages for one test. `problems` lists what no page should say or do; a test may clear what it provoked."""

    def __init__(self, browser: Browser, folder: Path) -> None:
        self.browser = browser
        self.folder = folder
        self.problems: list[str] = []
        self._contexts: list[BrowserContext] = []

    def __call__(
        self,
        page: bytes | Path,
        *,
        size: tuple[int, int] = (1280, 900),
        hash: str = "",
        dark: bool = False,
        reduced: bool = False,
        touch: bool = False,
        bypass_policy: bool = False,
        ready: bool = True,
    ) -> Page:
        """Open a file or its bytes, and wait until all explorers have drawn their view.

        size: width and height in pixels. hash: the address after #. dark, reduced: what the reader's system prefers.
        bypass_policy: switch the page's Content-Security-Policy off, so that the test can add scripts. ready: wait.
        """
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if reduced else "no-preference",
            has_touch=touch,
            bypass_csp=bypass_policy,
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.on("request", self._asked)
        context.on("requestfailed", self._refused)
        context.on("console", self._said)
        context.on("weberror", lambda error: self.problems.append(f"error: {error.error}"))
        opened = context.new_page()
        opened.goto(self.file(page).as_uri() + (f"#{hash.removeprefix('#')}" if hash else ""))
        if ready:
            self.wait(opened)
        return opened

    def file(self, page: bytes | Path) -> Path:
        """The file of a page."""
        if isinstance(page, Path):
            return page
        path = self.folder / f"page-{len(list(self.folder.glob('page-*')))}.html"
        path.write_bytes(page)
        return path

    @staticmethod
    def wait(page: Page) -> Page:
        """Wait until the page is put together and its explorers have drawn."""
        page.wait_for_selector("body[data-open=yes]")
        if page.locator(".explorer").count():
            page.wait_for_selector("body:not(:has(.explorer:not([data-ready=yes])))")
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(OWN):
            self.problems.append(f"request: {request.url}")

    def _refused(self, request: Any) -> None:
        """A request that the page's own policy stopped did not leave the page."""
        if request.failure == "csp":
            self.problems.remove(f"request: {request.url}")

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")
