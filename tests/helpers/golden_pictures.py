"""Pictures of panel interiors without text, kept in tests/golden.

`cd tests && python -m helpers.golden_pictures` draws them again.
"""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from helpers.paths import GOLDEN, ROOT
from PIL import Image

import attnviz
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.page.figure_options import FigureOptions
from attnviz.page.heatmap import heatmap
from attnviz.page.parts import Card, Cards, Page
from attnviz.page.place import place
from attnviz.render.image import to_bytes


def attention(n, n_heads=1, causal=False):
    """Weights by a formula, so that the pictures depend on no random numbers: a band, a column and a slope."""
    at = np.arange(n)
    near = np.exp(-np.abs(np.subtract.outer(at, at)) / 1.5)
    heads = [near * (1 + head) + (at == head) * 2.0 + at / (n * (2.0 + head)) for head in range(n_heads)]
    weights = np.stack(heads)[None]
    mask = np.tri(n, dtype=bool)[None] if causal else None
    weights = weights if mask is None else weights * mask
    weights = (weights / weights.sum(-1, keepdims=True)).astype(np.float32)
    tokens = Tokens.plain([f"w{i}" for i in range(n)])
    return Attention(weights, mask, tokens, tokens, (0,), tuple(range(n_heads)), model="golden")


def titled():
    """A Figure of two heads with a title that XML must escape."""
    meta = {"command": "attnviz heatmap x", "digest": "0123abcd"}
    return heatmap(attention(5, n_heads=2), meta=meta, title="Größe & <Maß>")


def cards():
    """Kinds of attention by formulas: all keys, near ones, and one with signs."""
    own, at = attention(6), np.arange(6)
    near = np.abs(np.subtract.outer(at, at)) <= 1
    windowed = own.weights * near / (own.weights * near).sum(-1, keepdims=True)
    signs = np.where(np.add.outer(at, at) % 3 == 1, -1, 1)
    of = {
        "own": own,
        "near": replace(own, weights=windowed.astype(np.float32), mask=near[None]),
        "signed": replace(own, weights=(own.weights * signs).astype(np.float32)),
    }
    return [Card(name, "keys", "", "n²", 0.5, attention) for name, attention in of.items()]


PICTURES = {
    "few_keys": (attention(8, n_heads=2), {}),
    "many_keys": (attention(30, n_heads=2, causal=True), {}),
    "causal": (attention(7, causal=True), {"marks": [(4, 2)]}),
    "two_heads_log": (attention(5, n_heads=2), {"scale": "log", "cmap": "cividis"}),
    "rows_greys": (attention(6), {"scale": "row", "cmap": "Greys"}),
    "chosen_limit": (attention(90), {"cmap": "magma"}),
    "mechanisms": (cards(), {"scale": "sqrt"}),
}


def interiors(name):
    """The panels of a picture without anything around them, one above the other: uint8 [y, x, 3]."""
    found, options = PICTURES[name]
    if isinstance(found, list):
        figure = place(Page("", parts=(Cards(tuple(found)),)), FigureOptions(**options, dpi=50, decimals=0))
    else:
        figure = heatmap(found, **options, dpi=50, decimals=0, bare=True)
    page = np.asarray(Image.open(io.BytesIO(to_bytes(figure, "png"))).convert("RGB"))
    scale = figure.dpi / 72
    cut = []
    for panel in figure.panels:
        x, y, wide, high = (
            round(side * scale) for side in (panel.box.x, panel.box.y, panel.box.width, panel.box.height)
        )
        cut.append(page[y : y + high, x : x + wide])
    return np.concatenate(cut)


def diagram():
    """The diagrams of the worked example without their letters: uint8 [y, x, 3]."""
    options = {"query": "like", "diagram": True, "decimals": 0}
    page = attnviz.steps(attnviz.load(ROOT / "sample_inputs" / "by_hand.npz"), "I like tea", **options).page()
    figure = replace(place(page, FigureOptions(dpi=60)), labels=())
    return np.asarray(Image.open(io.BytesIO(to_bytes(figure, "png"))).convert("RGB"))


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in PICTURES:
        Image.fromarray(interiors(name)).save(GOLDEN / f"{name}.png", optimize=True)
    Image.fromarray(diagram()).save(GOLDEN / "diagram.png", optimize=True)
