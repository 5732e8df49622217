"""Write attnviz/__init__.pyi, the types of what `import attnviz` gives, or check that it is up to date.

    python scripts/make_stub.py            write
    python scripts/make_stub.py --check    exit status 1 if the stub differs from the code

The names load on first use, which a type checker cannot see; the analyses' parameters come from their options.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generated_files import main

import attnviz
from attnviz.analyses import ANALYSES, find
from attnviz.analyses.front import signature

STUB = Path(attnviz.__file__).with_suffix(".pyi")
HEAD = """# Written by scripts/make_stub.py.
from collections.abc import Iterable
from os import PathLike

from numpy.typing import ArrayLike

"""


def stub() -> str:
    """The whole file."""
    names = attnviz._HOMES.items()
    results = [(find(name).result.__name__, find(name).result.__module__) for name in ANALYSES]
    lines = [f"from {home} import {name} as {name}" for name, home in sorted({*names, *results}, key=lambda x: x[::-1])]
    body = [f"def {name}{_text(signature(find(name)))}: ..." for name in sorted(ANALYSES)]
    return HEAD + "\n".join([*lines, "", "__version__: str\n", *body, ""])


def _text(one: object) -> str:
    """A signature without quotes around its types, defaults as `...`."""
    import inspect

    assert isinstance(one, inspect.Signature)
    parts, star = [], False
    for each in one.parameters.values():
        if each.kind is inspect.Parameter.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        star_name = "*" if each.kind is inspect.Parameter.VAR_POSITIONAL else ""
        star = star or bool(star_name)
        default = "" if each.default is inspect.Parameter.empty else " = ..."
        parts.append(f"{star_name}{each.name}: {each.annotation}{default}")
        if each.kind is inspect.Parameter.POSITIONAL_ONLY:
            parts.append("/")
    return "(\n    " + ",\n    ".join(parts) + f",\n) -> {one.return_annotation}"


if __name__ == "__main__":
    sys.exit(main(STUB, lambda text: stub()))
