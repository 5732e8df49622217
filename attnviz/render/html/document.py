"""A Page as one HTML file that needs nothing else: no network, no server, no other file.

The file is a small head with a Content-Security-Policy that forbids every connection and every script but its own
(named by its digest), the script, the style, the page as JSON, and blocks of numbers. Texts of a user (tokens, titles,
names) are only in the JSON and in the title, both escaped; the script makes text nodes of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import IO, TYPE_CHECKING, Any

from attnviz.render.html import bundle
from attnviz.render.html.blocks import Blocks
from attnviz.render.html.parts import part_values

if TYPE_CHECKING:
    from attnviz.page.parts import Page

COLOURS = ("ink", "viridis", "cividis", "magma", "Greys")


def write_html(page: Page, file: IO[bytes], made_by: Mapping[str, str] | None = None) -> None:
    """Write a page. made_by: what made it, for the file to carry."""
    blocks = Blocks()
    values: dict[str, Any] = {
        "title": page.title,
        "subtitle": page.subtitle,
        "notes": list(page.notes),
        "madeBy": dict(made_by or {}),
        "parts": part_values(page, blocks),
        "colours": colour_tables(),
    }
    texts = list(blocks.texts())
    values["blocks"] = blocks.sizes
    for piece in _pieces(page.title or "attention", values, texts):
        file.write(piece.encode("utf-8", "replace"))


def _pieces(title: str, values: dict[str, Any], texts: list[str]) -> list[str]:
    script, style = bundle.script(), bundle.style()
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src 'sha256-{_digest(script)}'",
            f"style-src 'sha256-{_digest(style)}'",
            "worker-src blob:",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    head = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="attnviz">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        "<noscript>This page draws attention by a script of its own; scripts are off in this browser.</noscript>\n"
    )
    data = f'<script type="application/json" id="document">{json_in_script(values)}</script>\n'
    blocks = [
        f'<script type="application/octet-stream" id="block-{i}">{text}</script>\n' for i, text in enumerate(texts)
    ]
    return [head, data, *blocks, f"<script>{script}</script>\n</body>\n</html>\n"]


def json_in_script(values: Any) -> str:
    """JSON for the inside of a script element: nothing in it ends the element or begins a comment."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def colour_tables() -> dict[str, str]:
    """The colour maps that a reader may choose, and their twins for dark pages and numbers with signs."""
    import numpy as np

    from attnviz.render import ink, theme

    dark = 8.0  # L* of the page's own dark ground
    night, ember = ink.colours(ink.NIGHT, dark), ink.colours(ink.NIGHT, dark, 128)[::-1]
    tables = {name: theme.table(name) for name in (*COLOURS, "inks")}
    tables |= {"night": night, "ember": np.concatenate([ember, ink.colours(ink.EMBER, dark, 128)])}
    return {name: base64.b64encode(table.tobytes()).decode("ascii") for name, table in tables.items()}


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
