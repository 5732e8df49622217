"""The address remembers where the reader is; keys lead everywhere."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from helpers.browser import Opened, expect


def place(page) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(page.evaluate("location.hash.slice(1)")).items()}


def test_an_address_leads_to_its_place_and_stays_through_a_reload(opened, small):
    hash = "view=map&layer=1&head=2&token=8"
    page = opened(small, hash=hash)
    for _ in range(2):
        expect(page.locator(".explorer[data-view=map]")).to_be_visible()
        expect(page.locator("#tab-map")).to_have_attribute("aria-selected", "true")
        assert page.locator("#choose-layer option:checked").text_content() == "1"
        assert page.locator("#choose-head option:checked").text_content() == "2"
        page.reload()
        Opened.wait(page)
    page.keyboard.press("]")
    Opened.wait(page)
    assert place(page) == {"view": "map", "layer": "1", "head": "2", "token": "9"}


def test_choices_are_written_to_the_address(opened, small):
    page = opened(small)
    page.locator("#choose-layer").select_option(label="1")
    page.locator("#choose-head").select_option(label="2")
    page.locator("#choose-scale").select_option("log")
    page.locator("#choose-cmap").select_option("viridis")
    page.locator("#rests").uncheck()
    page.locator("#tab-lines").click()
    Opened.wait(page)
    wanted = {"view": "lines", "layer": "1", "head": "2", "scale": "log", "cmap": "viridis", "rests": "out"}
    assert place(page) == wanted
    page.reload()
    Opened.wait(page)
    assert not page.locator("#rests").is_checked()
    assert page.locator("#choose-scale").input_value() == "log"
    assert page.locator("#choose-cmap").input_value() == "viridis"


def test_the_address_changed_by_hand_is_followed(opened, small):
    page = opened(small)
    page.evaluate("location.hash = '#view=table&layer=1&head=0'")
    expect(page.locator(".explorer[data-view=table][data-ready=yes]")).to_be_visible()
    assert page.locator("#choose-layer option:checked").text_content() == "1"


@pytest.mark.parametrize(
    "hash", ["view=nothing&layer=99&token=-4", "cmap=toString&scale=__proto__", "%%%&&==", "x" * 5000]
)
def test_a_wrong_address_is_no_error(opened, small, hash):
    page = opened(small, hash=hash)
    expect(page.locator(".explorer[data-view=board]")).to_be_visible()


KEYS = [
    ("2", {"view": "map"}),
    ("3", {"view": "lines"}),
    ("4", {"view": "text"}),
    ("6", {"view": "table"}),
    ("1", {"view": None}),
    ("ArrowRight", {"layer": "0", "head": "1"}),
    ("ArrowLeft", {"layer": "0", "head": "0"}),
    ("ArrowLeft", {"layer": "1", "head": "2"}),
    ("ArrowUp", {"layer": "0", "head": "2"}),
    ("ArrowDown", {"layer": "1", "head": "2"}),
    ("ArrowDown", {"layer": "1", "head": "2"}),
    ("]", {"token": "0"}),
    ("[", {"token": "12"}),
    ("s", {"rests": "out"}),
    ("s", {"rests": None}),
    ("t", {"theme": "dark"}),
    ("Escape", {"token": None}),
]


def test_keys(opened, small):
    """One after the other; each leads where the list of keys says."""
    page = opened(small, hash="layer=0&head=0")
    for key, wanted in KEYS:
        page.keyboard.press(key)
        Opened.wait(page)
        found = place(page)
        assert {name: found.get(name) for name in wanted} == wanted, key


def test_escape_lets_go_of_the_token(opened, small):
    page = opened(small, hash="view=map&layer=0&head=1&token=3&key=2&window=1,1,5,5")
    page.keyboard.press("Escape")
    Opened.wait(page)
    assert place(page) == {"view": "map", "layer": "0", "head": "1"}


def test_the_list_of_keys_opens_and_closes(opened, small):
    page = opened(small)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    page.keyboard.press("2")  # a key while the list is open does not change the view
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.locator(".explorer").get_attribute("data-view") == "board"


def test_keys_with_a_modifier_are_the_browsers(opened, small):
    page = opened(small, hash="layer=0&head=0")
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Alt+2")
    assert place(page).get("view") is None and page.locator("#choose-head option:checked").text_content() == "0"


def test_every_control_has_the_focus_in_turn(opened, small):
    page = opened(small)
    names = []
    for _ in range(12):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.id || document.activeElement.ariaLabel || ''"))
    for wanted in (
        "tab-board",
        "choose-layer",
        "choose-head",
        "previous head",
        "next head",
        "rests",
        "choose-scale",
        "limit",
        "choose-cmap",
        "light or dark",
        "list of keys",
    ):
        assert wanted in names, wanted


def test_a_view_that_the_page_lacks_is_the_first_one(opened, small):
    page = opened(small, hash="view=neuron")
    assert page.locator("#tab-board").get_attribute("aria-selected") == "true"
    page.keyboard.press("?")
    assert page.locator("dialog.help").inner_text().count("neuron") == 0
