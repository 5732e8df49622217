"""Analyses: one file each, with its options, its computation and its Result. docs/adding-an-analysis.md adds one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from attnviz.analyses.base import Analysis

NAMES = ("stats", "roles", "links", "focus")  # one module of this folder each


def find(name: str) -> Analysis:
    """The analysis of this name; its module is imported when it is first asked for."""
    from importlib import import_module

    from attnviz.analyses.base import REGISTERED

    if name not in REGISTERED:
        import_module(f"attnviz.analyses.{name}")
    return REGISTERED[name]
