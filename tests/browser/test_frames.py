"""Pages inside another page, as notebooks show them: in sandboxed frames, several in one document."""

from __future__ import annotations

import re

import pytest
from helpers.browser import PATIENCE, expect
from helpers.toy_attention import attention, words
from helpers.web_pages import small_attention


def notebook(*frames: str, policy: str = "") -> bytes:
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
    body = "\n".join(frame.replace(' loading="lazy"', "") for frame in frames)
    head = f'<head><meta charset="utf-8">{head}<title>a notebook</title></head>'
    return f'<!DOCTYPE html><html lang="en">{head}<body>{body}</body></html>'.encode("utf-8", "replace")


def test_several_pages_in_one_notebook(opened):
    frame = small_attention().html()._repr_html_()
    page = opened(notebook(frame, frame), ready=False)
    for at in (0, 1):
        inside = page.frame_locator("iframe").nth(at)
        expect(inside.locator(".explorer[data-ready=yes]")).to_be_visible()
    first, second = (page.frame_locator("iframe").nth(at) for at in (0, 1))
    first.locator("#tab-table").click()
    expect(first.locator(".explorer[data-view=table][data-ready=yes]")).to_be_visible()
    expect(second.locator(".explorer[data-view=board]")).to_be_visible()


def test_keys_belong_to_the_frame_that_has_the_focus(opened):
    frame = small_attention().html()._repr_html_()
    page = opened(notebook(frame, frame), ready=False)
    first, second = (page.frame_locator("iframe").nth(at) for at in (0, 1))
    for each in (first, second):
        expect(each.locator(".explorer[data-ready=yes]")).to_be_visible()
    first.locator("#tab-board").focus()
    page.keyboard.press("2")
    expect(first.locator(".explorer[data-view=map][data-ready=yes]")).to_be_visible()
    expect(second.locator(".explorer[data-view=board]")).to_be_visible()


@pytest.mark.parametrize("policy", ["", "worker-src 'none'"], ids=["workers", "no workers"])
def test_a_large_map_in_a_frame(opened, policy):
    """Where the notebook allows no workers, the page inflates its numbers by itself."""
    large = attention(1, 1, words(560), peak=3.0)
    frame = large.html()._repr_html_()
    blocks = re.findall(r"id=&quot;block-\d+&quot;&gt;([^&]*)&lt;", frame)
    assert max(map(len, blocks)) > 400_000, "a worker has nothing to do"
    page = opened(notebook(frame, policy=policy), ready=False)
    inside = page.frame_locator("iframe")
    expect(inside.locator(".explorer[data-ready=yes]")).to_be_visible(timeout=PATIENCE)
    if policy:
        assert all("worker" in problem.lower() for problem in opened.problems), opened.problems
        opened.problems.clear()
