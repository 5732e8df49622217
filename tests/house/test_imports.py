"""The rules about imports between rooms, compared with the code's own import statements."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import attnviz

HOUSE = Path(attnviz.__file__).parent
VALUES = {"errors", "axis", "select", "attention", "facts"}
READING = {"engine", "families", "variants", "checkpoints", "tokens", "inputs"}

# Each room from the lowest to the highest, and the rooms below it that it may import. A name with a dot is one module.
MAY_IMPORT = {
    "errors": set(),
    "axis": set(),
    "flags": {"errors"},
    "select": {"errors", "axis"},
    "files": {"errors"},
    "attention": {"errors", "axis", "select"},
    "facts": {"axis", "attention"},
    "engine": {"errors"},
    "families": {"errors", "engine.spec"},
    "variants": {"errors", "engine"},
    "checkpoints": {"errors", "files", "engine.spec"},
    "io": VALUES | {"files", "checkpoints"},
    "tokens": VALUES | {"files", "families"},
    "inputs": {"errors", "files", "families"},
    "models": VALUES | READING | {"files"},
    "measures": VALUES | {"engine"},
    "corpora": VALUES | {"files", "io", "engine", "models", "measures"},
    "page": VALUES | {"files", "measures"},
    "analyses": VALUES
    | {"flags", "files", "families", "engine", "variants", "models", "measures", "corpora"}
    | {"io.data", "page.parts", "page.numbers"},
    "render": VALUES | {"files", "io", "measures", "page"},
    "show": VALUES | {"files", "analyses", "page", "render"},
    "cli": VALUES
    | {"files", "io", "families", "variants", "inputs", "models", "measures", "corpora", "page", "render"}
    | {"flags", "show", "analyses"},
}
# Imports that break the order: a file, and the room above it that it imports.
CLIMBS: set[tuple[str, str]] = set()
# Front doors: methods of a value that draw or save it import these rooms, inside the method. The only other one is
# `attnviz/__init__.py`, whose names load when they are asked for.
FRONT_DOORS = {
    ("attention", "show"),
    ("analyses/base", "show"),
    ("analyses/base", "analyses/front"),
}
HEAVY = {"numpy", "matplotlib", "tokenizers", "rich", "PIL", "safetensors", "ml_dtypes"}


@cache
def imports(path):
    """(imported module, whether it is imported when the file is) for every import statement, type hints' too."""
    found = []

    def visit(node, top):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            top = False
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
            if not top and (path.relative_to(HOUSE).with_suffix("").as_posix(), parts[0]) in FRONT_DOORS:
                continue
            if (path.relative_to(HOUSE).as_posix(), parts[0]) in CLIMBS:
                continue
            yield f"{path.relative_to(HOUSE)} imports {name}"


def test_every_room_is_in_the_table():
    assert {room for _, room in modules()} <= MAY_IMPORT.keys()


def test_rooms_import_only_what_they_may():
    assert list(broken_rules()) == []


def test_no_room_may_import_one_above_it():
    rooms = list(MAY_IMPORT)
    above = {room: {name.split(".")[0] for name in MAY_IMPORT[room]} - set(rooms[:i]) for i, room in enumerate(rooms)}
    assert {room: names for room, names in above.items() if names} == {}


def test_every_arrow_that_climbs_is_still_there():
    """Exceptions that no longer exist are removed from the list."""
    files = {path.relative_to(HOUSE).as_posix(): path for path, _ in modules()}
    there = {(file, name.split(".")[1]) for file, _ in CLIMBS for name, _ in imports(files[file]) if "attnviz." in name}
    assert there >= CLIMBS


def test_no_module_needs_one_that_needs_it():
    """No circle of imports, including type hints, except through the front doors."""
    names = {
        path.relative_to(HOUSE).with_suffix("").as_posix().removesuffix("/__init__"): path for path, _ in modules()
    }
    needs = {}
    for name, path in names.items():
        parts = [imported.split(".")[1:] for imported, _ in imports(path) if imported.startswith("attnviz.")]
        wanted = {next(("/".join(p[:n]) for n in (3, 2, 1) if "/".join(p[:n]) in names), "") for p in parts}
        doors = {door for file, door in FRONT_DOORS if file == name}
        needs[name] = {other for other in wanted - {name, ""} if not {other, other.split("/")[0]} & doors}
    while free := [name for name, others in needs.items() if not others & needs.keys()]:
        for name in free:
            del needs[name]
    assert needs == {}


def test_private_names_stay_in_their_room():
    """In families/, an underscore marks a file that is no family, and other rooms may import it."""
    private = [
        f"{path.relative_to(HOUSE)} imports {name}"
        for path, room in modules()
        for name, _ in imports(path)
        if name.startswith("attnviz.") and name.split(".")[1] not in (room, "families", "__version__")
        if any(part.startswith("_") for part in name.split("."))
    ]
    assert private == []


def test_a_broken_rule_is_seen(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("from attnviz.engine import forward\ndef f():\n    import numpy as np\n")
    assert imports(file) == [("attnviz.engine.forward", True), ("numpy", False)]


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
    """Every identifier and every string of a file, docstrings too, in lower case, as words, without comments."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"[a-z0-9_]+", node.value.lower())
        for name in ("id", "attr", "arg", "name"):
            if isinstance(getattr(node, name, None), str):
                yield getattr(node, name).lower()


def test_no_family_name_in_the_engine():
    """Behaviour of families is data; a docstring cites the paper of a behaviour, a comment may name a family."""
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
