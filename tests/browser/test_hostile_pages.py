"""Texts of a user are shown as they are, and a page's policy lets nothing in and nothing out."""

from __future__ import annotations

import html5lib
from helpers.browser import Opened, expect
from helpers.toy_attention import attention
from helpers.web_pages import explorer_page, small_page

EVIL = (
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]>",
    '"><svg onload=alert(1)>',
    "&lt;b&gt;",
    "{{1}}${1}",
    "\u2028\u2029\u202e\ufeff",
    "\\u003c/script>",
    "__proto__",
    "\ud800",
)
VIEWS = ("board", "map", "lines", "text", "table")


def evil_page() -> bytes:
    return explorer_page(attention(2, 2, EVIL, model=EVIL[0]), title=EVIL[0])


def test_hostile_texts_are_text(opened):
    page = opened(evil_page(), hash="token=0&key=0")
    expect(page.get_by_role("heading", level=1)).to_have_text(EVIL[0])
    assert page.title() == EVIL[0]
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        Opened.wait(page)
        assert page.locator("img, iframe, object, embed, [onerror], [onload], .explorer script").count() == 0
        if view == "text":
            expect(page.locator(".stage").get_by_text(EVIL[0]).first).to_be_visible()


def test_hostile_pages_are_whole(opened):
    """The whole of the document ends where it should: nothing of a token is left outside of its script."""
    html5lib.HTMLParser(strict=True).parse(evil_page().decode("utf-8"))


def test_html_is_valid():
    html5lib.HTMLParser(strict=True).parse(small_page().decode("utf-8"))


def test_the_policy_is_the_first_word(small):
    text = small.decode("utf-8")
    policy = text.index("Content-Security-Policy")
    assert policy < text.index("<title>") < text.index("<style>") < text.index("<script")
    assert "default-src 'none'" in text and "unsafe" not in text[policy : text.index("<title>")]


INJECTIONS = {
    "script": "() => { const s = document.createElement('script'); s.textContent = 'window.taken = 1'; "
    "document.body.append(s); }",
    "handler": "() => { const b = document.createElement('b'); b.setAttribute('onclick', 'window.taken = 1'); "
    "document.body.append(b); b.click(); }",
    "eval": "() => { setTimeout(() => window.eval('window.taken = 1')); }",
    "markup": "() => { document.body.insertAdjacentHTML('beforeend', '<img src=data:, onerror=\"window.taken = 1\">'); "
    "}",
    "address": "() => { const f = document.createElement('iframe'); f.src = 'javascript:parent.taken=1'; "
    "document.body.append(f); }",
}


def test_a_script_of_others_is_refused(opened, small):
    page = opened(small)
    for name, injection in INJECTIONS.items():
        page.evaluate(injection)
        refused(opened, page, name)
        assert page.evaluate("window.taken === undefined"), name


def refused(opened, page, name: str) -> None:
    """The page's policy complained, no request left the page, and the page still works."""
    for view in ("table", "board"):
        page.locator(f"#tab-{view}").click()
        expect(page.locator(f".explorer[data-view={view}][data-ready=yes]")).to_be_visible()
    assert any("Content Security Policy" in problem for problem in opened.problems), name
    assert [problem for problem in opened.problems if problem.startswith("request")] == [], name
    opened.problems.clear()


REQUESTS = {
    "fetch": "() => fetch('https://example.org/a').then(() => 'sent', () => 'refused')",
    "image": "() => new Promise((done) => { const i = new Image(); i.onload = () => done('sent'); "
    "i.onerror = () => done('refused'); i.src = 'https://example.org/b.png'; })",
    "beacon": "() => { navigator.sendBeacon('https://example.org/c', 'x'); return 'refused'; }",
    "socket": "() => new Promise((done) => { try { const s = new WebSocket('wss://example.org/d'); "
    "s.onopen = () => done('sent'); s.onerror = () => done('refused'); } catch { done('refused'); } })",
    "style": "() => new Promise((done) => { const l = document.createElement('link'); l.rel = 'stylesheet'; "
    "l.onload = () => done('sent'); l.onerror = () => done('refused'); l.href = 'https://example.org/e.css'; "
    "document.head.append(l); })",
}


def test_no_request_leaves_the_page(opened, small):
    page = opened(small)
    for name, request in REQUESTS.items():
        assert page.evaluate(request) == "refused", name
        refused(opened, page, name)
