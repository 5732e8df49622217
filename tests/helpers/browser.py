"""Pages opened in Chromium, driven by Playwright; any of the two may be missing."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

try:
    from playwright.sync_api import Error, expect
except ImportError:  # tests that need a browser are skipped
    expect = None

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

UNTESTED = re.compile("the page was NOT tested .*")  # such a reason of skipped tests is repeated in red at the end
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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


class Pages:
    """Pages of one browser, taken for a test and put back after it.

    A new page has a process of its own, which takes three times as long as loading what the tests look at. A page that
    is put back has an empty document, no storage and no pointer over it. Tests let go of keys and buttons they hold.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self._free: dict[tuple[bool, bool], list[Page]] = {}
        self._kinds: dict[Page, tuple[bool, bool]] = {}

    def take(self, *, touch: bool, bypass_policy: bool) -> Page:
        """An empty page, alone in its context. touch: it has a touch screen. bypass_policy: see `Opened`."""
        kind = touch, bypass_policy
        if free := self._free.get(kind):
            return free.pop()
        context = self.browser.new_context(has_touch=touch, bypass_csp=bypass_policy)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        self._kinds[page] = kind
        return page

    def put_back(self, page: Page) -> None:
        """Make it an empty page again; one that has opened a window, or that fails to, is closed."""
        try:
            if page.context.pages != [page]:
                raise Error("a window was opened")
            page.evaluate("localStorage.clear(), sessionStorage.clear()")
            page.context.clear_cookies()
            page.mouse.move(-1, -1)
            page.goto("about:blank")
        except Error:
            self.close(page)
        else:
            self._free.setdefault(self._kinds[page], []).append(page)

    def close(self, page: Page) -> None:
        """Close it and its context."""
        del self._kinds[page]
        page.context.close()


class Opened:
    """Opens pages for one test. `problems` lists what no page should say or do; a test may clear what it provoked.

    passed: the test passed, so later tests may use its pages.
    """

    def __init__(self, pages: Pages, folder: Path) -> None:
        self.pages = pages
        self.folder = folder
        self.passed = False
        self.problems: list[str] = []
        self._taken: list[Page] = []
        self._heard = {
            "request": self._asked,
            "requestfailed": self._refused,
            "console": self._said,
            "weberror": self._raised,
        }

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
        opened = self.pages.take(touch=touch, bypass_policy=bypass_policy)
        self._taken.append(opened)
        for event, hear in self._heard.items():
            opened.context.on(event, hear)
        opened.set_viewport_size({"width": size[0], "height": size[1]})
        opened.emulate_media(
            media="null",
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce" if reduced else "no-preference",
        )
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
        """Put the pages back; of a test that failed, close them."""
        for page in self._taken:
            for event, hear in self._heard.items():
                page.context.remove_listener(event, hear)
            if self.passed:
                self.pages.put_back(page)
            else:
                self.pages.close(page)

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

    def _raised(self, error: Any) -> None:
        self.problems.append(f"error: {error.error}")
