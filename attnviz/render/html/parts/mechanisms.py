"""Mechanisms side by side, their times and their list as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.page.groups import long_title
from attnviz.render.html.parts.maps import hidden
from attnviz.render.html.parts.values import number

if TYPE_CHECKING:
    from attnviz.page.parts import Cards, Catalogue, Timings
    from attnviz.render.html.blocks import Blocks


def cards(part: Cards, blocks: Blocks) -> dict[str, Any]:
    """A card per mechanism."""
    first = part.cards[0].attention
    shown = [
        {
            "name": card.name,
            "group": long_title(card.group),
            "formula": card.formula,
            "cost": card.cost,
            "measured": card.measured,
            "detail": card.detail,
            "signed": card.signed,
            "values": blocks.numbers(np.asarray(card.values, np.float32)),
            "hidden": hidden(card.hidden, blocks),
        }
        for card in part.cards
    ]
    tokens = {"queries": list(first.query_tokens), "keys": list(first.key_tokens)}
    return {"kind": "Cards", "grouped": part.grouped, "leftOut": list(part.left_out), **tokens, "cards": shown}


def timings(part: Timings, _: Blocks) -> dict[str, Any]:
    """Seconds over tokens, a curve per mechanism."""
    curves = [
        {
            "name": each.name,
            "group": each.group,
            "setting": each.setting,
            "cost": each.cost,
            "n": [int(n) for n in each.n],
            "seconds": [number(seconds) for seconds in each.seconds],
            "exponent": number(each.exponent),
        }
        for each in part.timings
    ]
    return {"kind": "Timings", "timings": curves}


def catalogue(part: Catalogue, _: Blocks) -> dict[str, Any]:
    """The mechanisms by groups, as a table."""
    header = ["name", "group", "formula", "source", "cost", "exact", "numbers"]
    rows = [
        [name, group, formula, source, cost, "yes" if exact else "approximate", numbers]
        for name, group, formula, source, cost, exact, numbers in part.entries
    ]
    return {"kind": "Table", "caption": "", "header": header, "align": "lllllll", "rows": rows, "folded": False}
