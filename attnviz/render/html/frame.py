"""A page inside another page: a notebook's cell shows it in a frame that can do nothing but run its own script."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

HEIGHT = 680  # CSS pixels: a board of 12 layers, or a map with its labels, under the bar


@dataclass(frozen=True)
class HtmlPage:
    """A page for a browser, which a notebook shows below its cell.

    text: the file as text. title: for a screen reader. height: of the frame in CSS pixels.
    """

    text: str
    title: str
    height: int = HEIGHT

    def save(self, path: str | PathLike[str]) -> str:
        """Write the page to a file, whole or not at all; return the path."""
        from attnviz.files.output import writing

        with writing(str(path)) as file:
            file.write(self.text.encode())
        return str(path)

    def __repr__(self) -> str:
        return f"<HtmlPage: {self.title}; {len(self.text):,} characters, .save(path)>"

    def _repr_html_(self) -> str:
        """A frame with an origin of its own: scripts and downloads are allowed, the notebook is out of reach."""
        size = f'width="100%" height="{self.height}" style="border: 0" loading="lazy"'
        page = escape(self.text, quote=True)
        sandbox = 'sandbox="allow-scripts allow-downloads"'
        return f'<iframe title="{escape(self.title, quote=True)}" {sandbox} {size} srcdoc="{page}"></iframe>'
