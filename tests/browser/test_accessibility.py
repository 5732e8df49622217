"""axe-core finds no serious fault in any view, in either theme."""

from __future__ import annotations

import pytest
from helpers.browser import Opened
from helpers.paths import ROOT
from helpers.toy_attention import attention
from helpers.web_pages import WORDS, explorer_page, small_attention

import attnviz
from attnviz.analyses.every_head import Wish, every_head
from attnviz.page.parts import Explorer, Page
from attnviz.render.formats import encode
from attnviz.select import chosen_heads
from attnviz.show import encode_result

AXE = ROOT / "scripts" / "web" / "node_modules" / "axe-core" / "axe.min.js"
VIEWS = ("board", "map", "lines", "text", "table")
FAULTS = """async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes: [first, ...more] }) =>
        `${id}: ${1 + more.length} x ${first.html.slice(0, 160)} ${first.any[0]?.message ?? ''}`)"""


def faults(page) -> dict[str, list[str]]:
    """Serious faults that axe finds in each view."""
    page.add_script_tag(path=AXE)
    found = {}
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        Opened.wait(page)
        page.mouse.move(0, 0)
        found[view] = page.evaluate(FAULTS)
    return {view: each for view, each in found.items() if each}


@pytest.fixture(autouse=True)
def installed(browser):
    if not AXE.is_file():
        pytest.skip("the page was NOT tested by axe-core: npm --prefix scripts/web install")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_serious_fault(opened, small, dark):
    assert faults(opened(small, dark=dark, bypass_policy=True, hash="token=3&key=2")) == {}


def test_no_serious_fault_of_two_abreast(opened):
    page = explorer_page(small_attention(), attention(2, 3, WORDS, seed=9), names=("before", "after"), compared=True)
    assert faults(opened(page, bypass_policy=True)) == {}


def test_no_serious_fault_on_a_phone(opened, small):
    assert faults(opened(small, size=(360, 740), bypass_policy=True)) == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("chosen", ["", "&key=2"])
def test_no_serious_fault_of_queries_and_keys(opened, dark, chosen):
    model = attnviz.load("seeded")
    at = chosen_heads(None, "all", *model.size("self"))
    drawn, details = every_head(model, {"text": "the cat saw the dog"}, "self", at, Wish(vectors=True))
    file = encode("html", Page("a page", "", (Explorer((drawn,), details=(details,)),), ()))
    page = opened(file, dark=dark, bypass_policy=True, hash=f"view=neuron&token=4{chosen}")
    page.add_script_tag(path=AXE)
    assert page.locator(".neuron tbody tr").count() and page.evaluate(FAULTS) == []


@pytest.mark.parametrize("analysis", ["stats", "focus", "lines", "similar", "qk", "steps", "circuits", "norms"])
def test_no_serious_fault_of_an_analysis(opened, analysis):
    text = () if analysis == "circuits" else ("The cat sat on the mat because it was tired",)
    result = getattr(attnviz, analysis)(attnviz.load("tiny"), *text)
    page = opened(encode_result(result, "html"), bypass_policy=True)
    page.add_script_tag(path=AXE)
    assert page.evaluate(FAULTS) == []


def test_help_has_no_serious_fault(opened, small):
    page = opened(small, bypass_policy=True)
    page.add_script_tag(path=AXE)
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    assert page.evaluate(FAULTS) == []
