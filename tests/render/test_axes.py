"""heatmap(ax=...): one map in a figure of somebody's own, in our colours, at the size that it has when it is drawn."""

from __future__ import annotations

import io
from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.errors import InputError, SelectionError
from attnviz.page.colour_limits import limits
from attnviz.render.theme import HIDDEN, TONES, colour


def attention(n=12, causal=False, **more):
    rng = np.random.default_rng(0)
    mask = np.tril(np.ones((1, n, n), bool)) if causal else None
    weights = rng.dirichlet(np.full(n, 0.3), (1, 1, n)).astype(np.float32)
    weights = weights if mask is None else weights * mask
    tokens = Tokens.plain([f"tok{i}" for i in range(n)])
    base = {"weights": weights, "layers": (3,), "heads": (1,), "model": "m"}
    return Attention(**{"mask": mask, "queries": tokens, "keys": tokens, **base, **more})


def drawn(figure):
    """Draw, so that what is settled only then is settled."""
    figure.savefig(io.BytesIO(), format="png")
    return figure


def shown_labels(axis):
    return [label for label in axis.get_ticklabels() if label.get_text()]


def numbers_in(figure):
    page = io.BytesIO()
    figure.savefig(page, format="svg")
    return page.getvalue().count(b"<!-- .")


@pytest.mark.parametrize("scale", ["linear", "sqrt", "log"])
@pytest.mark.parametrize("cmap", ["ink", "viridis_r"])
def test_cells_have_the_colours_of_our_pictures(scale, cmap):
    shown = attention()
    axes = Figure().add_subplot()
    assert shown.heatmap(ax=axes, scale=scale, cmap=cmap) is axes
    mesh = axes.collections[0]
    values = shown.weights[0, 0]
    extent, _ = limits(shown, scale, None, cmap)
    got = (mesh.to_rgba(mesh.get_array())[..., :3] * 255).round()
    assert np.array_equal(got.reshape(12, 12, 3), colour(extent.unit(values), cmap))


def test_rows_by_their_own_largest_and_signed_weights_too():
    axes = attention().heatmap(ax=Figure().add_subplot(), scale="row")
    rows = axes.collections[0].get_array().reshape(12, 12)
    assert np.allclose(rows.max(1), 1)
    signed = attention()
    signed.weights[0, 0, 0, 0] = -0.5
    norm = signed.heatmap(ax=Figure().add_subplot()).collections[0].norm
    assert (norm.vmin, norm.vmax) == (-norm.vmax, norm.vmax)


def test_cells_that_the_mask_forbids_are_grey():
    figure = Figure(figsize=(4, 4), dpi=100)
    attention(causal=True).heatmap(ax=figure.add_axes((0, 0, 1, 1)), colorbar=False)
    page = io.BytesIO()
    figure.savefig(page, format="png")
    pixels = np.asarray(Image.open(page).convert("RGB"))
    assert tuple(pixels[16, -16]) == HIDDEN and tuple(pixels[-16, 16]) != HIDDEN


def test_the_bar_inverts_its_scale():
    figure = Figure()
    axes = attention().heatmap(ax=figure.add_subplot(), scale="sqrt", vmax=0.5)
    norm = axes.collections[0].norm
    values = np.array([0.0, 0.02, 0.1, 0.5])
    assert np.allclose(norm.inverse(norm(values)), values, atol=1e-6)
    bar = drawn(figure).axes[1]
    texts = [label.get_text() for label in bar.get_yticklabels()]
    assert texts[0] == "0" and texts[-1] == "≥0.5"
    assert bar.get_ylabel() == "attention weight"


def test_queries_run_down_and_keys_across():
    axes = attention().heatmap(ax=Figure(figsize=(6, 6)).add_subplot(), marks=[(2, 5)])
    drawn(axes.figure)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("key", "query", "layer 3 · head 1")
    assert [label.get_text() for label in shown_labels(axes.yaxis)] == [f"tok{i}" for i in range(12)]
    assert axes.get_ylim() == (11.5, -0.5) and axes.get_xlim() == (-0.5, 11.5)
    mark = axes.patches[-1]
    assert (mark.get_xy(), mark.get_edgecolor()[:3]) == ((4.5, 1.5), pytest.approx(_parts(TONES["mark"])))


def _parts(code):
    return [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def test_labels_and_numbers_follow_the_size_that_the_figure_has_when_it_is_drawn():
    figure = Figure(figsize=(9, 9))
    attention().heatmap(ax=figure.add_subplot())
    wide = len(shown_labels(drawn(figure).axes[0].xaxis))
    assert numbers_in(figure) > 20
    figure.set_size_inches(1.8, 1.8)
    assert len(shown_labels(drawn(figure).axes[0].xaxis)) < wide == 12
    assert numbers_in(figure) == 0


@pytest.mark.parametrize(("layout", "count"), [("constrained", 6), ("constrained", 30), ("tight", 30)])
def test_in_subplots_no_labels_overlap(layout, count):
    figure = Figure(figsize=(9, 6), layout=layout)
    canvas = FigureCanvasAgg(figure)
    for i, axes in enumerate(figure.subplots(2, 3).flat):
        attention(count).heatmap(ax=axes, colorbar=i % 3 == 2)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = [
        (text.get_text(), text.get_window_extent(renderer))
        for axes in figure.axes
        for text in (
            *shown_labels(axes.xaxis),
            *shown_labels(axes.yaxis),
            axes.title,
            axes.xaxis.label,
            axes.yaxis.label,
        )
        if text.get_text()
    ]
    assert len(texts) > 60
    for (text, a), (neighbour, b) in combinations(texts, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(wide, high) < 1.0, (text, neighbour)


def test_options_of_title_size_and_bar():
    figure = Figure()
    axes = attention().heatmap(ax=figure.add_subplot(), title="50 $x$ & more", colorbar=False, font_size=5.0)
    assert axes.get_title() == "50 $x$ & more" and len(figure.axes) == 1
    assert {label.get_fontsize() for label in axes.get_xticklabels()} == {5.0}
    drawn(figure)  # no mathematics in a title
    assert attention().heatmap(ax=Figure().add_subplot(), title="").get_title() == ""


def test_several_maps_are_refused_with_how_to_choose_one():
    many = attention(weights=np.full((2, 3, 12, 12), 1 / 12, np.float32), layers=(4, 5), heads=(0, 1, 2))
    with pytest.raises(SelectionError, match="one map; this attention has 2 x 3 heads") as error:
        many.heatmap(ax=Figure().add_subplot())
    assert "select(layers=4, heads=0)" in error.value.hint
    with pytest.raises(SelectionError, match="has 2 heads") as error:
        many.select(heads=["5.1", "4.2"]).heatmap(ax=Figure().add_subplot())
    assert 'select(heads="5.1")' in error.value.hint
    many.mean("heads").mean("layers").heatmap(ax=Figure().add_subplot())


def test_values_that_cannot_be_are_refused():
    with pytest.raises(SelectionError, match="scale must be one of"):
        attention().heatmap(ax=Figure().add_subplot(), scale="cubic")
    with pytest.raises(TypeError, match="width"):
        attention().heatmap(ax=Figure().add_subplot(), width=3)
    broken = attention()
    broken.weights[0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="not finite"):
        broken.heatmap(ax=Figure().add_subplot())
