"""A page in a notebook: `attention.html()`."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from helpers.sentences import TIRED

import attnviz
from attnviz.errors import OutputError


class Frames(HTMLParser):
    """Collects the attributes of every frame."""

    def __init__(self):
        super().__init__()
        self.frames = []

    def handle_starttag(self, tag, attrs):
        assert tag == "iframe", tag
        self.frames.append(dict(attrs))


@pytest.fixture(scope="module")
def attention():
    return attnviz.load("seeded", n_layers=2, n_heads=2).attend(TIRED)


def test_a_notebook_gets_the_whole_page_in_a_frame_that_cannot_reach_out(attention):
    page, parser = attention.html(), Frames()
    parser.feed(page._repr_html_() * 2)
    assert len(parser.frames) == 2
    for frame in parser.frames:
        assert frame["srcdoc"] == page.text
        assert set(frame["sandbox"].split()) == {"allow-scripts", "allow-downloads"}  # no origin of the notebook's
        assert "src" not in frame and frame["title"] == page.title


def test_the_page_is_the_file_that_save_writes(attention, tmp_path):
    attention.save(tmp_path / "a.html")
    assert attention.html().save(tmp_path / "b.html") == str(tmp_path / "b.html")
    assert (tmp_path / "a.html").read_text("utf-8") == (tmp_path / "b.html").read_text("utf-8")
    with pytest.raises(OutputError):
        attention.html().save(tmp_path / "none" / "c.html")


def test_a_result_shows_itself_in_a_notebook_as_the_page_that_it_saves(attention, tmp_path):
    result, parser = attnviz.stats(attention), Frames()
    parser.feed(result._repr_html_())
    path = result.save(tmp_path / "stats.html")
    assert parser.frames[0]["srcdoc"] == result.html().text == (tmp_path / "stats.html").read_text("utf-8"), path


def test_a_title_is_text_in_a_frame_too(attention):
    from dataclasses import replace

    evil = replace(attention, model='"><script>alert(1)</script>')
    parser = Frames()
    parser.feed(evil.html()._repr_html_())
    assert len(parser.frames) == 1 and parser.frames[0]["title"].startswith(evil.model)
