"""Maps of a page: what is stored, decoded as web/data.js does, against what they were."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from attnviz.render.html.blocks import Blocks
from attnviz.render.html.weights import COARSEST, SMALL, doublings, packed, ranges


def stored(maps, rests=(), end=0.1, share=1.0):
    """The JSON of maps, and their values as a browser reads them."""
    blocks = Blocks()
    about = packed(maps, rests, "all", end, blocks, share)
    raw = [zlib.decompress(base64.b64decode(text)) for text in blocks.texts()]
    assert [len(each) for each in raw] == blocks.sizes
    values = []
    for place, step, low, values_before in zip(about["at"], about["step"], about["low"], maps, strict=True):
        count = values_before.size
        codes = np.frombuffer(raw[place["block"]], np.uint8)[place["at"] : place["at"] + place["bytes"] * count]
        whole = codes[:count].astype(np.float64)
        if place["bytes"] == 2:
            whole = whole + 256.0 * codes[count:]
        values.append((low + step * whole).astype(np.float32).reshape(values_before.shape))
    return about, values


def peaked(n, n_key=None):
    weights = np.full((n, n_key or n), 1e-4, np.float32)
    weights[:, 0] = 0.9
    return weights


KNOWN = {
    "peaked": peaked(9),
    "uniform": np.full((7, 7), 1 / 7, np.float32),
    "zero": np.zeros((4, 6), np.float32),
    "one row": np.linspace(0, 1, 11, dtype=np.float32)[None],
    "one column": np.linspace(0, 1, 11, dtype=np.float32)[:, None],
    "one cell": np.ones((1, 1), np.float32),
    "signed": np.linspace(-0.3, 0.7, 30, dtype=np.float32).reshape(5, 6),
    "negative": -np.linspace(0.2, 0.7, 30, dtype=np.float32).reshape(5, 6),
    "small": np.full((3, 3), 1e-40, np.float32),
    "large": np.linspace(0, 3e38, 9, dtype=np.float32).reshape(3, 3),
}


@pytest.mark.parametrize("name", KNOWN)
def test_no_value_moves_by_more_than_a_500th_of_the_largest(name):
    values = KNOWN[name]
    about, (read,) = stored([values])
    largest = np.abs(values).max()
    assert np.abs(read.astype(np.float64) - values).max() <= largest / 500
    assert about["peak"] == [max(float(values.max()), 0.0)]
    assert (read[values == 0] == 0).all()


def test_what_is_no_number_is_stored_as_zero():
    values = KNOWN["signed"].copy()
    values[1, 2], values[0, 0], values[3, 3] = np.nan, np.inf, -np.inf
    _, (read,) = stored([values])
    finite = np.isfinite(values)
    assert (read[~finite] == 0).all()
    assert np.abs(read[finite] - values[finite]).max() <= 0.7 / 500


@settings(deadline=None, max_examples=60)
@given(
    arrays(
        np.float32,
        st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
        elements=st.floats(-1, 1, width=32) | st.just(0.0),
    ),
    st.sampled_from([1.0, 1e-6]),
)
def test_the_bound_holds_for_every_map_and_step(maps, share):
    about, read = stored(list(maps), share=share)
    for values, again, step in zip(maps, read, about["step"], strict=True):
        largest = float(np.abs(values).max())
        error = float(np.abs(again.astype(np.float64) - values).max())
        assert error <= largest / 500
        assert error <= 0.505 * step + 1e-7 * largest


def test_the_reach_leaves_resting_keys_out():
    found = ranges([peaked(9)], [0])
    assert found[0].peak == pytest.approx(0.9)
    assert found[0].reach == pytest.approx(1e-4)
    assert ranges([peaked(1, 1)], [0])[0].reach == pytest.approx(0.9), "there is no other key"


def test_the_step_is_halved_while_there_is_room():
    maps = [peaked(30) for _ in range(4)]
    found = ranges(maps, [])
    assert doublings(maps, found, 0.1) == 8
    assert doublings(maps, found, 0.1, share=1e-6) == 0
    signed = [KNOWN["signed"]]
    assert doublings(signed, ranges(signed, []), 0.1) == 7, "two bytes hold no more"
    assert stored(maps)[0]["step"] == [pytest.approx(0.9 / COARSEST / 256)] * 4


def test_a_large_page_is_as_fine_as_its_colours_and_no_finer():
    generator = np.random.default_rng(0)
    maps = [generator.random((800, 900), dtype=np.float32) for _ in range(2)]
    found = ranges(maps, [])
    assert maps[0].size * 4 / 3 > SMALL
    assert doublings(maps, found, 1.0) == 0
    assert doublings(maps, found, 0.2) == 3, "colours that end at a fifth of the largest value"


def pictures(numbers, blocks):
    raw = zlib.decompress(base64.b64decode(list(blocks.texts())[numbers["block"]]))
    return np.frombuffer(raw, np.uint8)[numbers["at"] :][: np.prod(numbers["shape"])].reshape(numbers["shape"])


def test_small_pictures_without_special_tokens_leave_them_out():
    weights = np.zeros((100, 100), np.float32)
    weights[99, 0], weights[50, 50], weights[0, 99] = 1.0, 0.5, 0.8
    blocks = Blocks()
    plain = range(1, 99), range(1, 99)
    thumbs = packed([weights], (0, 99), "all", 0.1, blocks, plain=plain)["thumbs"]
    whole, without = (pictures(thumbs[name], blocks)[0] for name in ("all", "plain"))
    assert sorted(whole[whole > 0].tolist()) == [128, 204, 255]
    at = [i for i, first in enumerate(np.linspace(0, 98, 48, endpoint=False).astype(int)) if first <= 49][-1]
    assert (without[at, at], without.sum()) == (128, 128)


def test_small_pictures_of_signed_maps_have_what_is_below_0():
    weights = np.zeros((100, 100), np.float32)
    weights[0, 0], weights[0, 1], weights[99, 99] = 0.2, -1.0, 0.5
    blocks = Blocks()
    thumbs = packed([weights], (), "all", 1.0, blocks)["thumbs"]
    picture = (pictures(thumbs["all"], blocks)[0].astype(int) - thumbs["zero"]) * thumbs["part"][0]
    assert picture[0, 0] == pytest.approx(-1.0)  # the largest by size of its cell
    assert picture[47, 47] == pytest.approx(0.5, abs=0.5 / 127)
    assert np.count_nonzero(picture) == 2


def test_maps_of_a_long_text_have_small_pictures():
    weights = np.zeros((100, 100), np.float32)
    weights[99, 0], weights[50, 50] = 1.0, 0.5
    blocks = Blocks()
    thumbs = packed([weights], (), "causal", 0.1, blocks)["thumbs"]
    picture = pictures(thumbs["all"], blocks)
    assert picture.shape == (1, 48, 48) and thumbs["plain"] is None
    assert (picture[0, 47, 0], picture[0, 24, 24], picture.sum()) == (255, 128, 383)
    assert (thumbs["zero"], thumbs["part"]) == (0, [1 / 255])
    assert stored([np.zeros((64, 64), np.float32)])[0]["thumbs"] is None
