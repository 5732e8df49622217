"""Short forms of name tables: a weight and a bias for every pair."""

from __future__ import annotations

from collections.abc import Mapping

Source = str | tuple[str, ...] | list["str | tuple[str, ...]"]


def pairs(table: Mapping[str, str], ours: str = "", theirs: str = "", *layouts: str) -> dict[str, Source]:
    """`{"q": "attn.q_proj"}` -> weight and bias: ours + "q" at theirs + "attn.q_proj", through the layouts."""
    return {
        f"{ours}{name}.{kind}": (f"{theirs}{stored}.{kind}", *layouts) if layouts else f"{theirs}{stored}.{kind}"
        for name, stored in table.items()
        for kind in ("weight", "bias")
    }


def fused(stored: str, ours: str = "layers.{i}.", how: str = "qkv", transposed: bool = False) -> dict[str, Source]:
    """q, k and v from one stored matrix; how: suffix of the functions in checkpoints.layouts that take it apart."""
    turn = ("transpose",) if transposed else ()
    return {
        f"{ours}{part}.{kind}": (f"{stored}.{kind}", *(turn if kind == "weight" else ()), f"{part}_of_{how}")
        for part in "qkv"
        for kind in ("weight", "bias")
    }
