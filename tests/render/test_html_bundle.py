"""The script and the style of a page: modules put together, without their comments."""

from __future__ import annotations

import re

import pytest
from helpers.node import ran

from attnviz.render.html import bundle
from attnviz.render.html.bundle import WEB


def words(text):
    """Everything but space, import lines and `export`."""
    text = re.sub(r'^import \{[^}]*\} from "[^"]+";\n', "", text, flags=re.M)
    text = re.sub(r"^export (?=async |function|class|const|let)", "", text, flags=re.M)
    return re.sub(r"\s+", "", re.sub(r"^\s*//.*\n|^\s*/\*([^*]|\*(?!/))*\*/[ ]*\n", "", text, flags=re.M))


def test_every_module_is_in_the_script_whole_and_once():
    script = re.sub(r"\s+", "", bundle.script())
    modules = sorted(WEB.rglob("*.js"))
    assert len(modules) > 30
    for path in modules:
        body = re.sub(r"^const\{[^}]*\}=\$\w+;", "", words(path.read_text("utf-8")))
        assert script.count(body) == 1, path.relative_to(WEB)


def test_the_script_is_sound_and_holds_nothing_that_ends_a_script_element(tmp_path):
    script = bundle.script()
    assert "</script" not in script.lower() and "<!--" not in script
    assert "</style" not in bundle.style().lower()
    (tmp_path / "page.js").write_text(script, "utf-8")
    ran("--check", tmp_path / "page.js")


def test_a_module_comes_after_the_modules_that_it_imports(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "WEB", tmp_path)
    (tmp_path / "page.js").write_text('import { b as c } from "./b.js";\n\nconsole.log(c());\n')
    (tmp_path / "b.js").write_text(
        "/** A comment\n * of two lines. */\nexport function b() {\n    // why\n    return 'http://x'; // kept\n}\n"
    )
    b = "const $b = (() => {\nfunction b() {\n\treturn 'http://x'; // kept\n}\nreturn { b };\n})();\n"
    page = "const $page = (() => {\nconst { b: c } = $b;\nconsole.log(c());\nreturn {  };\n})();\n"
    assert bundle.script.__wrapped__() == f'(() => {{\n"use strict";\n{b}\n{page}}})();\n'
    (tmp_path / "b.js").write_text('import { a } from "./page.js";\nexport const b = a;\n')
    with pytest.raises(ValueError, match=r"page.js imports itself by way of page.js, b.js"):
        bundle.script.__wrapped__()
