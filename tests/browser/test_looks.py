"""Both themes, every width, paper, and readers who want little motion."""

from __future__ import annotations

import pytest
from helpers.browser import Opened, expect
from helpers.toy_attention import attention, words
from helpers.web_pages import explorer_page

VIEWS = ("board", "map", "lines", "text", "table")
SIZES = [(360, 740), (1280, 900), (2560, 1300)]
LONG = (
    "[CLS]",
    *"Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft ist ein".split(),
    "[SEP]",
)

# Pairs of controls that lie over each other by more than a pixel, and what is wider than the window.
OVERLAPS = """() => {
    const shown = [...document.querySelectorAll('button, select, input, output, [role=slider], summary')]
        .filter((each) => each.checkVisibility() && !each.closest('dialog') && !each.closest('[data-overlay]'));
    const boxes = shown.map((each) => [each, each.getBoundingClientRect()]).filter(([, box]) => box.width * box.height);
    const found = [];
    for (const [one, a] of boxes) for (const [other, b] of boxes) {
        if (one === other || one.contains(other) || other.contains(one)) continue;
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 1 && high > 1) found.push(`${one.id || one.textContent} over ${other.id || other.textContent}`);
    }
    return found;
}"""
BEYOND = """() => {
    const root = document.documentElement;
    return root.scrollWidth > root.clientWidth
        ? [...document.querySelectorAll('body *')].filter((each) => each.checkVisibility()
            && each.getBoundingClientRect().right > root.clientWidth + 1).map((each) => each.outerHTML.slice(0, 80))
        : [];
}"""


def misfits(page) -> dict[str, list[str]]:
    """In each view: what is wider than the window, and controls that lie over each other."""
    found = {}
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        Opened.wait(page)
        found[view] = page.evaluate(BEYOND) + page.evaluate(OVERLAPS)
    return {view: misfit for view, misfit in found.items() if misfit}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}")
def test_a_page_fits_into_its_window(opened, small, size):
    assert misfits(opened(small, size=size, hash="layer=1&head=1&token=3")) == {}


def test_long_words_and_titles_fit_into_a_phone(opened):
    assert misfits(opened(explorer_page(attention(2, 2, LONG), title=LONG[1] * 2), size=(360, 740))) == {}


def test_a_long_text_fits_into_a_phone(opened):
    assert misfits(opened(explorer_page(attention(2, 2, words(150), peak=0.1)), size=(360, 740))) == {}


def test_a_page_fits_after_its_window_is_turned(opened, small):
    page = opened(small, size=(740, 360), hash="view=map")
    page.set_viewport_size({"width": 360, "height": 740})
    Opened.wait(page)
    assert page.evaluate(BEYOND) == []


GROUND = "getComputedStyle(document.body).backgroundColor"


def bright(colour: str) -> bool:
    return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")) > 3 * 128


@pytest.mark.parametrize("dark", [False, True])
def test_the_theme_is_the_systems_until_the_reader_turns_it(opened, small, dark):
    page = opened(small, dark=dark)
    assert bright(page.evaluate(GROUND)) is not dark
    page.get_by_role("button", name="light or dark").click()
    Opened.wait(page)
    assert bright(page.evaluate(GROUND)) is dark
    page.reload()
    Opened.wait(page)
    assert bright(page.evaluate(GROUND)) is dark


def test_the_theme_follows_the_system_while_the_page_is_open(opened, small):
    page = opened(small)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html[data-theme=dark]")).to_be_attached()


def test_a_page_is_printed_without_its_controls(opened, small):
    page = opened(small, dark=True, hash="token=3")
    for view in VIEWS:
        page.emulate_media(media="screen")
        page.locator(f"#tab-{view}").click()
        Opened.wait(page)
        page.emulate_media(media="print")
        assert not page.locator(".bar").is_visible()
        assert page.locator(".stage").is_visible() and page.locator("footer").is_visible()
        assert page.pdf().startswith(b"%PDF")


def test_little_motion(opened, small):
    """Nothing moves by itself where the system asks for little motion."""
    page = opened(small, reduced=True)
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        Opened.wait(page)
        assert page.evaluate("document.getAnimations().filter((each) => each.playState === 'running').length") == 0


def test_a_wide_table_scrolls_by_itself(opened):
    page = opened(explorer_page(attention(2, 2, words(60), peak=0.1)), size=(1280, 900), hash="view=table")
    root = "document.documentElement"
    assert page.evaluate(f"{root}.scrollWidth - {root}.clientWidth") == 0
    assert page.evaluate("(box => box.scrollWidth - box.clientWidth)(document.querySelector('.table .scroll'))") > 100
