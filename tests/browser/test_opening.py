"""A page opens in a browser: from a file, in both themes, at every width, and has nothing to complain about."""

from __future__ import annotations

from helpers.browser import expect

VIEWS = ("board", "map", "lines", "text", "table")


def test_a_page_opens(opened, small):
    page = opened(small)
    expect(page.get_by_role("heading", level=1)).to_have_text("A page of a test")
    expect(page.locator(".subtitle")).to_have_text("and its subtitle")
    expect(page.locator(".notes li")).to_have_text("a note")
    expect(page.locator(".made dd")).to_have_text("attnviz html")
    assert page.title() == "A page of a test"


def test_every_view_can_be_chosen(opened, small):
    page = opened(small)
    for view in (*VIEWS, VIEWS[0]):
        tab = page.locator(f"#tab-{view}")
        tab.click()
        expect(page.locator(f".explorer[data-view={view}][data-ready=yes]")).to_be_visible()
        expect(tab).to_have_attribute("aria-selected", "true")
        assert page.locator(".tab[aria-selected=true]").count() == 1
