"""Names of the groups of mechanisms, in a picture and in a terminal."""

from __future__ import annotations

TITLES = {
    "scoring": "Scoring: how well a query and a key fit",
    "keys": "Keys: which of them a query sees",
    "approximation": "Approximations: the matrix that they imply",
    "state space": "State space: the matrix that it implies",
    "positions": "Positions: how a model knows where tokens are",
    "input": "Input: what is attended to",
}


def long_title(group: str) -> str:
    """`Keys: which of them a query sees`."""
    return TITLES.get(group, group)


def short_title(group: str) -> str:
    """`Keys`."""
    return long_title(group).partition(":")[0]
