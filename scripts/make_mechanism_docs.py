"""Write the tables of docs/mechanisms.md from the mechanisms themselves, or check that they are up to date.

    python scripts/make_mechanism_docs.py            write
    python scripts/make_mechanism_docs.py --check    exit status 1 if the tables differ from the code

The text outside of the two marks is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from generated_files import between, main

from attnviz.page.groups import long_title
from attnviz.variants import GROUPS, MECHANISMS, Mechanism

PAGE = Path(__file__).resolve().parent.parent / "docs" / "mechanisms.md"
BEGIN, END = "<!-- tables: scripts/make_mechanism_docs.py -->", "<!-- end of tables -->"


def tables() -> str:
    """One table per group."""
    return "\n".join(line for group in GROUPS for line in table(group))


def table(group: str) -> Iterator[str]:
    yield from (f"### {long_title(group)}", "")
    yield from ("| name | formula | cost | source | simplified, chosen or added |", "|---|---|---|---|---|")
    yield from (row(one) for one in MECHANISMS.values() if one.group == group)
    yield ""


def row(one: Mechanism) -> str:
    numbers = ",".join(f"{parameter.name}={parameter.default}" for parameter in one.parameters)
    name = f"`{one.name}`" + (f"<br>{numbers}" if numbers else "")
    cost = one.cost + ("" if one.exact else ", approximate")
    cells = (name, one.formula, cost, f"{one.source}: {one.where}", one.simplified)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def page(text: str) -> str:
    """The page with tables from the code."""
    return between(text, BEGIN, END, tables())


if __name__ == "__main__":
    sys.exit(main(PAGE, page))
