"""A browser for the tests of this folder: `opened` opens pages; a page that complains fails its test.

A page must not write errors or warnings to its console, raise, break its policy or ask for any address but its own.
The policy forbids `eval`, so tests wait for selectors, not for functions: `page.wait_for_selector`, `expect`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from helpers.browser import PATIENCE, Opened, Pages, expect, launched, missing
from helpers.web_pages import small_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    """One Chromium for all tests of a worker. Without it its tests are skipped, and the summary says so in red."""
    if reason := missing():
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        chromium = launched(playwright, tmp_path_factory.mktemp("browser"))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def pages(browser) -> Pages:
    """Pages that tests take and put back."""
    return Pages(browser)


@pytest.fixture
def opened(pages, tmp_path) -> Iterator[Opened]:
    """Call it with a file or its bytes: a page, ready (`helpers.browser.Opened`)."""
    opened = Opened(pages, tmp_path)
    yield opened
    opened.close()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """After a test: nothing that its pages said is left. Its pages are used again if it passed."""
    result = yield
    opened = pyfuncitem.funcargs.get("opened")
    if opened is not None:
        assert opened.problems == [], "a page complained"
        opened.passed = True
    return result


@pytest.fixture
def small() -> bytes:
    """A page of 2 x 3 heads over 13 words, two of them special."""
    return small_page()
