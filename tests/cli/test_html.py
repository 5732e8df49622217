"""`attnviz html`: what is in the file."""

from __future__ import annotations

import base64
import json
import re
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers.command_line import run as run
from helpers.paths import REFERENCE
from PIL import Image

import attnviz

TEXT = "the cat saw the dog and the dog ran"


def document(path):
    """The JSON of a page and its blocks."""
    text = path.read_text("utf-8")
    found = re.search(r'<script type="application/json" id="document">(.*?)</script>', text, re.S)
    blocks = re.findall(r'<script type="application/octet-stream" id="block-\d+">(.*?)</script>', text)
    return json.loads(found[1]), [zlib.decompress(base64.b64decode(block)) for block in blocks]


def sources(path):
    page, _ = document(path)
    (part,) = page["parts"]
    return part["sources"]


def values(source, blocks, index):
    """The values of a map, as a browser reads them."""
    maps, count = source["maps"], len(source["queries"]["text"]) * len(source["keys"]["text"])
    at = maps["at"][index]
    codes = np.frombuffer(blocks[at["block"]], np.uint8)[at["at"] : at["at"] + at["bytes"] * count].astype(np.float64)
    whole = codes if at["bytes"] == 1 else codes[:count] + 256 * codes[count:]
    return (maps["low"][index] + maps["step"][index] * whole).reshape(len(source["queries"]["text"]), -1)


@pytest.mark.parametrize("option", [("--cmap", "magma"), ("--scale", "log"), ("--vmax", "0.5")])
@pytest.mark.parametrize("command", [("norms", "the cat sat", "-m", "tiny"), ("mechanisms", "the cat sat")])
def test_pages_with_colours_of_their_own_refuse_those_of_maps(run, tmp_path, command, option):
    status, out, err = run(*command, *option, "-o", "x.html")
    assert (status, out, err.count("error:")) == (2, "", 1)
    assert f"error: {option[0]} changes nothing on a page of several numbers" in err
    assert not Path("x.html").exists()


def test_without_o_the_page_is_attention_html(run, tmp_path):
    assert run("html", TEXT) == (0, "attention.html\n", "")
    assert run("html", TEXT) == (0, "attention-2.html\n", "")
    assert (tmp_path / "attention.html").read_bytes()[:15] == b"<!DOCTYPE html>"


def test_the_page_has_the_attention_of_every_head(run, tmp_path):
    run("html", TEXT, "-o", "x.html")
    page, blocks = document(tmp_path / "x.html")
    (source,) = page["parts"][0]["sources"]
    attention = attnviz.load("seeded").attend(TEXT)
    assert source["places"] == [list(place) for place in attention.places]
    assert source["queries"]["text"] == list(attention.query_tokens)
    for index, (weights, _) in enumerate(attention.maps()):
        assert np.abs(values(source, blocks, index) - weights).max() <= weights.max() / 500
    named = {each["name"]: each["values"] for each in source["statistics"]}
    rows = {(row["layer"], row["head"]): row for row in attnviz.stats(attention).rows()}
    assert {"entropy", "previous", "confidence", "first", "lift"} <= named.keys()
    for place, value in zip(attention.places, named["entropy"], strict=True):
        assert value == pytest.approx(rows[place]["entropy"], rel=1e-3)


def test_heads_of_different_layers_and_the_start(run, tmp_path):
    words = (
        "-H",
        "1.3,0.2",
        "--query",
        "dog#2",
        "--view",
        "text",
        "--cmap",
        "viridis",
        "--vmax",
        "0.5",
        "--title",
        "T",
    )
    assert run("html", TEXT, *words, "-o", "x.html")[0] == 0
    page, _ = document(tmp_path / "x.html")
    (part,) = page["parts"]
    assert page["title"] == "T"
    assert part["sources"][0]["places"] == [[1, 3], [0, 2]]
    token = [i for i, text in enumerate(part["sources"][0]["queries"]["text"]) if text == "dog"][1]
    assert part["start"] == {"token": token, "view": "text", "high": 0.5, "cmap": "viridis"}


def test_words_means_and_tokens(run, tmp_path):
    assert run("html", TEXT, "--mean", "heads", "--tokens", "1-3", "--words", "-o", "x.html")[0] == 0
    (source,) = sources(tmp_path / "x.html")
    assert source["places"] == [[0, None], [1, None]]
    assert source["queries"]["text"] == ["cat", "saw", "the"]


def test_a_saved_file_makes_the_same_maps(run, tmp_path):
    attnviz.load("seeded").attend(TEXT).save(tmp_path / "a.npz")
    assert run("html", "--from", "a.npz", "-o", "b.html")[0] == 0
    run("html", TEXT, "-o", "c.html")
    assert sources(tmp_path / "b.html")[0]["maps"] == sources(tmp_path / "c.html")[0]["maps"]
    assert document(tmp_path / "b.html")[1] == document(tmp_path / "c.html")[1]


@pytest.fixture
def translator(tmp_path):
    """A small encoder-decoder that reads words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    shutil.copytree(REFERENCE / "bart", tmp_path / "bart")
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate("? dogs like bones too".split())}, "?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "bart" / "tokenizer.json"))
    return tmp_path / "bart"


def test_an_encoder_decoder_has_its_three_streams(run, translator, tmp_path):
    given = ("dogs like bones too", "-m", translator)
    assert run("html", *given, "--target", "like dogs", "-o", "x.html") == (0, "x.html\n", "")
    found = sources(tmp_path / "x.html")
    assert [source["name"] for source in found] == ["encoder", "decoder", "cross"]
    assert [(len(each["queries"]["text"]), len(each["keys"]["text"])) for each in found] == [(4, 4), (3, 3), (3, 4)]
    page, blocks = document(tmp_path / "x.html")
    weights = attnviz.load(translator).attend("dogs like bones too", target="like dogs", stream="cross").weights
    assert np.abs(values(found[2], blocks, 0) - weights[0, 0]).max() < 2e-3
    assert page["title"] == "bart · 3 streams"
    assert run("html", *given, "--target", "like dogs", "--stream", "cross", "-o", "y.html")[0] == 0
    assert [source["name"] for source in sources(tmp_path / "y.html")] == ["cross"]
    assert run("html", *given, "-o", "z.html")[0] == 0
    assert [source["name"] for source in sources(tmp_path / "z.html")] == ["encoder"]
    status, _, err = run("html", *given, "--target", "like dogs", "--query", "dogs", "-o", "w.html")
    assert status == 2
    assert "--query means the tokens of one stream" in err


def test_a_long_text_is_cells_with_exact_links(run, tmp_path):
    words = " ".join(f"{'the cat saw a dog'.split()[i % 5]}" for i in range(90))
    assert run("html", words, "--no-causal", "--cells", "10", "-o", "x.html")[0] == 0
    (source,) = sources(tmp_path / "x.html")
    attention = attnviz.load("seeded", causal=False).attend(words)
    n = len(attention.keys)
    assert source["cell"] == -(-n // 10)
    assert len(source["queries"]["text"]) <= 10
    assert source["tokens"]["queries"] == list(attention.query_tokens)
    assert source["tokens"]["keys"] == list(attention.key_tokens)
    assert source["tokens"]["spaced"] == {side: [0] + [1] * (n - 1) for side in ("queries", "keys")}
    for links, (weights, _) in zip(source["links"], attention.maps(), strict=True):
        assert len(links) == 100
        for query, key, weight in links:
            assert weight == pytest.approx(float(weights[query, key]), rel=1e-4)
        linked = weights[:, 1:] if not any(attention.key_special) else weights[:, ~np.array(attention.key_special)]
        assert links[0][2] == pytest.approx(float(linked.max()), rel=1e-4)
        assert links[99][2] == pytest.approx(float(np.sort(linked, axis=None)[-100]), rel=1e-4)
    named = {each["name"]: each["values"] for each in source["statistics"]}
    assert named["entropy"] == pytest.approx([row["entropy"] for row in attnviz.stats(attention).rows()], rel=1e-3)


def test_queries_and_keys_give_the_weights(run, tmp_path):
    assert run("html", TEXT, "--neuron", "--view", "neuron", "-o", "x.html")[0] == 0
    page, blocks = document(tmp_path / "x.html")
    (source,) = page["parts"][0]["sources"]
    vectors, n = source["vectors"], len(source["queries"]["text"])
    assert vectors["note"] == ""
    for index, (weights, _) in enumerate(attnviz.load("seeded").attend(TEXT).maps()):
        q = matrix(vectors["queries"], blocks, index, n, vectors["width"])
        k = matrix(vectors["keys"], blocks, vectors["of"][index], n, vectors["width"])
        scores = np.exp(q @ k.T * vectors["scaling"][index])
        np.testing.assert_allclose(scores / scores.sum(-1, keepdims=True), weights, atol=1e-3)


def matrix(matrices, blocks, index, count, width):
    """[token, width] of one head, as a browser reads it."""
    at, size = matrices["at"][index], count * width
    codes = np.frombuffer(blocks[at["block"]], np.uint8)[at["at"] : at["at"] + 2 * size].astype(np.float64)
    whole = codes[:size] + 256 * codes[size:]
    return (matrices["low"][index] + matrices["step"][index] * whole).reshape(count, width)


def test_an_image_comes_with_its_picture(run, tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "photo.png")
    assert run("html", "--image", "photo.png", "-o", "x.html")[0] == 0
    page, blocks = document(tmp_path / "x.html")
    (source,) = page["parts"][0]["sources"]
    image = source["image"]
    assert image["first"] + image["rows"] * image["columns"] == len(source["keys"]["text"])
    height, width, colours = image["picture"]["shape"]
    assert colours == 3
    assert max(height, width) <= 300
    assert len(blocks[image["picture"]["block"]]) >= height * width * 3


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ([], 2, "wanted a text"),
        ([TEXT, "-o", "x.png"], 2, "wanted .html"),
        ([TEXT, "--neuron", "--words"], 2, "--neuron shows single tokens and heads: leave out --words"),
        ([TEXT, "--view", "neuron"], 2, "--view neuron needs --neuron"),
        ([TEXT, "--view", "bord"], 2, "board"),
        (["--from", "a.npz", "--neuron"], 2, "--neuron needs a model"),
        ([TEXT, "--neuron", "--mechanism", "additive"], 1, "no scores q . k before a softmax"),
        ([TEXT, "-l", "7"], 1, "layer 7 is not there"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(run, words, status, says, tmp_path):
    got, _, err = run("html", *words)
    assert got == status
    assert says in err
    assert not list(tmp_path.glob("*.html"))


def explorer_of(path):
    page, _ = document(path)
    (part,) = [part for part in page["parts"] if part["kind"] == "Explorer"]
    return part


def test_generate_shows_what_each_new_token_looked_at(run, tmp_path):
    assert run("generate", "the cat saw the dog", "--max-new", "4", "-q", "-o", "x.html")[0] == 0
    part = explorer_of(tmp_path / "x.html")
    (source,) = part["sources"]
    assert len(source["queries"]["text"]) == 4
    keys, first = source["keys"]["text"], source["generated"]
    assert keys[first:] == source["queries"]["text"][:-1]
    assert [text for text in keys[:first] if not text.startswith("[")] == "the cat saw the dog".split()


def test_diff_has_both_sides_abreast(run, tmp_path):
    assert run("diff", "the cat sat", "the dog sat", "-o", "x.html")[0] == 0
    part = explorer_of(tmp_path / "x.html")
    assert part["compared"]
    assert [source["name"] for source in part["sources"]] == ["before", "after"]
    assert ["cat" in source["keys"]["text"] for source in part["sources"]] == [True, False]
