"""Who may import whom, held against the code's own import statements."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import attnviz

HOUSE = Path(attnviz.__file__).parent
VALUES = {"errors", "attention", "pick"}
DRAWING = VALUES | {"analysis", "views", "output", "texts"}

# Each room, and the other rooms that it may import. A name with a dot is one module of a room.
MAY_IMPORT = {
    "errors": set(),
    "strangers": {"errors"},
    "texts": {"errors", "strangers"},
    "output": {"errors"},
    "pick": {"errors"},
    "attention": {"errors", "pick"},
    "arrays": {"errors", "strangers"},
    "saved": VALUES | {"texts", "strangers", "arrays"},
    "tokens": VALUES | {"families", "strangers"},
    "engine": {"errors"},
    "mechanisms": {"errors", "engine"},
    "families": {"errors", "engine.spec"},
    "checkpoints": {"errors", "engine.spec", "strangers"},
    "inputs": {"errors", "families", "strangers"},
    "analysis": VALUES,
    "views": VALUES | {"analysis", "texts"},
    "render": DRAWING,
    "given": VALUES | {"engine", "mechanisms", "tokens"},
    "tensors": {"errors", "engine"},
    "model": VALUES | {"engine", "mechanisms", "checkpoints", "tokens", "sources", "given", "tensors"},
    "hub": {"errors", "checkpoints", "strangers"},
    "configs": {"errors", "families", "checkpoints", "engine", "strangers"},
    "describing": {"errors", "configs", "hub", "sources", "families", "checkpoints", "engine"},
    "sources": {"errors", "strangers", "configs", "hub", "engine", "families", "checkpoints", "tokens", "model"},
    "splitting": {"errors", "attention", "configs", "hub", "sources", "checkpoints", "tokens", "model"},
    "corpus": DRAWING | {"model", "render", "saved", "texts", "engine"},
    "steps": VALUES | {"analysis", "engine", "model"},
    "mixing": VALUES | {"analysis", "model"},
    "relatives": VALUES | {"analysis", "mechanisms", "model"},
    "sampled": VALUES | {"analysis", "engine", "model"},
    "passage": VALUES | {"analysis", "engine", "given", "model"},
    "heads": VALUES | {"analysis", "engine", "passage", "model"},
    "checking": {"attention", "analysis", "engine", "given", "model"},
    "generation": VALUES | {"strangers", "analysis", "engine", "model", "tensors", "checkpoints", "families"},
    "circuits": VALUES | {"analysis", "engine", "generation", "model", "tensors"},
    "cli": DRAWING
    | {"corpus", "render", "model", "tensors", "steps", "relatives", "sampled", "sources", "saved", "texts", "inputs"}
    | {"strangers"}
    | {
        "mechanisms",
        "families",
        "passage",
        "heads",
        "generation",
        "mixing",
        "circuits",
        "splitting",
        "checking",
        "describing",
    },
}
# Attention's methods that draw or save do so through these, imported inside the method.
INSIDE_METHODS = {("attention", "render"), ("attention", "views"), ("attention", "analysis")}
HEAVY = {"numpy", "matplotlib", "tokenizers", "rich", "PIL", "safetensors", "ml_dtypes"}


def imports(path):
    """(imported module, whether it is imported when the file is) for every import statement; annotations aside."""
    found = []

    def visit(node, top):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            found.extend((name.name, top) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.extend((f"{node.module}.{name.name}", top) for name in node.names)
        inner = top and not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        for child in ast.iter_child_nodes(node):
            visit(child, inner)

    visit(ast.parse(path.read_text(encoding="utf-8")), True)
    return found


def modules():
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        if parts not in (("__init__",), ("__main__",)):
            yield path, parts[0]


def broken_rules():
    for path, room in modules():
        for name, top in imports(path):
            if not name.startswith("attnviz."):
                continue
            parts = name.split(".")[1:]
            allowed = MAY_IMPORT[room]
            if parts[0] == room or parts[0] in allowed or ".".join(parts[:2]) in allowed or parts[0] == "__version__":
                continue
            if not top and (room, parts[0]) in INSIDE_METHODS:
                continue
            yield f"{path.relative_to(HOUSE)} imports {name}"


def test_every_room_is_in_the_table():
    assert {room for _, room in modules()} <= MAY_IMPORT.keys()


def test_rooms_import_only_what_they_may():
    assert list(broken_rules()) == []


def test_a_broken_rule_is_seen(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("from attnviz.engine import run\ndef f():\n    import numpy as np\n")
    assert imports(file) == [("attnviz.engine.run", True), ("numpy", False)]


def test_nothing_imports_the_command_line():
    importers = [
        str(path) for path, room in modules() if room != "cli" for name, _ in imports(path) if "attnviz.cli" in name
    ]
    assert importers == []


def test_cli_and_families_import_nothing_heavy_at_the_top():
    heavy = [
        f"{path.relative_to(HOUSE)}: {name}"
        for path, room in modules()
        if room in ("cli", "families")
        for name, top in imports(path)
        if top and name.split(".")[0] in HEAVY
    ]
    assert heavy == []


def named_in_code(path):
    """Every identifier and every string of a file, docstrings too, in lower case, as words: all but comments."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"[a-z0-9_]+", node.value.lower())
        for name in ("id", "attr", "arg", "name"):
            if isinstance(getattr(node, name, None), str):
                yield getattr(node, name).lower()


def test_no_family_name_in_the_engine():
    """What families do is data; a docstring cites the paper that a behaviour comes from, a comment may say whose."""
    names = {path.stem for path in (HOUSE / "families").glob("[a-z]*.py")}
    names |= {"deberta", "bigbird", "llama3", "gpt"}
    names -= {"clip", "npz"}  # np.clip, and a format
    assert {"bert", "gpt2", "llama"} <= names
    found = {
        path.name: sorted(names & set(named_in_code(path)))
        for path in (HOUSE / "engine").glob("*.py")
        if names & set(named_in_code(path))
    }
    assert found == {}
