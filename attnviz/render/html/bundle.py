"""The modules of `web/` as one script, and its style sheets as one style.

A page is one file, and modules of one file cannot import each other. So each module becomes a function that is called
once, after the modules that it imports, and returns what it exports; its import lines take names from their results.
Comments on lines of their own and most of the indentation are left out, which is a third of the text; people read
the modules.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

WEB = Path(__file__).parent / "web"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[^"]+)";\n', re.M)
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*(?:(?!\*/)[\s\S])*\*/)[ \t]*\n", re.M)  # that fills its lines
_INDENT = re.compile(r"^(?: {4})+", re.M)
_EXPORT = re.compile(r"^export ((?:async )?function|class|const|let) (\w+)", re.M)


@cache
def script() -> str:
    """All modules that `page.js` needs, in one strict function."""
    ordered: dict[Path, str] = {}
    _collect(WEB / "page.js", ordered, ())
    return '(() => {\n"use strict";\n' + "\n".join(ordered.values()) + "})();\n"


@cache
def style() -> str:
    """page.css, then the style sheets of views and parts by name."""
    sheets = [WEB / "page.css", *sorted((WEB / "views").glob("*.css")), *sorted((WEB / "parts").glob("*.css"))]
    return _shorter("\n".join(sheet.read_text("utf-8") for sheet in sheets))


def _collect(path: Path, ordered: dict[Path, str], above: tuple[Path, ...]) -> None:
    """Add a module after what it imports. above: the modules that led here, none of which it may import."""
    if path in ordered:
        return
    if path in above:
        raise ValueError(f"{path.name} imports itself by way of {', '.join(each.name for each in above)}")
    text = path.read_text("utf-8")
    for _, name in _IMPORT.findall(text):
        _collect((path.parent / name).resolve(), ordered, (*above, path))

    def imported(match: re.Match[str]) -> str:
        names = " ".join(match[1].replace(" as ", ": ").split())
        return f"const {{ {names.rstrip(',')} }} = {_variable((path.parent / match[2]).resolve())};\n"

    exported = ", ".join(name for _, name in _EXPORT.findall(text))
    body = _EXPORT.sub(r"\1 \2", _IMPORT.sub(imported, text))
    ordered[path] = f"const {_variable(path)} = (() => {{\n{_shorter(body)}return {{ {exported} }};\n}})();\n"


def _shorter(text: str) -> str:
    """Without comments, with a tab for each four spaces of indentation, and without empty lines."""
    text = _INDENT.sub(lambda match: "\t" * (len(match[0]) // 4), _COMMENT.sub("", text))
    return re.sub(r"\n{2,}", "\n", text)


def _variable(path: Path) -> str:
    """views/map.js -> $views_map."""
    return "$" + re.sub(r"\W", "_", path.relative_to(WEB).with_suffix("").as_posix())
