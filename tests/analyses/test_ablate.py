"""`attnviz ablate`: a model whose one head copies a fact, what is printed and drawn, and input that cannot be used."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import command_line
from helpers.masked import with_head
from helpers.paths import REFERENCE

import attnviz
from attnviz.engine.spec import Spec
from attnviz.errors import AttnvizError, InputError, SelectionError
from attnviz.models.model import Model
from attnviz.page.parts import TokenBars
from attnviz.tokens import SeededTokenizer

run = command_line.run  # a fixture

TEXT = "the cat saw the dog and the cat"
SEEDED = ("-m", "seeded", "--causal")


# --- a model in which one head alone knows the answer -----------------------------------------------------------------

WORDS = ("box", "lamp", "pad", "red", "blue", "ask")
COPIES = (1, 2)  # the head that copies a colour to the token "ask"
N = len(WORDS)


class Colours:
    """Tensors of a model of two layers with three heads: no norms, no MLP, no positions.

    A token's vector is one-hot in the first six dimensions; the other six are the scores of the next token. Head 1.2
    looks from "ask" for a colour and copies it there, eight times; elsewhere it rests on "pad", whose value is 0. The
    other heads are small random numbers.
    """

    def get(self, name, shape):
        values = np.random.default_rng([7, len(name), *name.encode()]).standard_normal(shape).astype(np.float32) * 0.05
        head = slice(2 * N, 3 * N)
        if name == "layers.1.q.weight":
            values[head] = 0
            values[2 * N, WORDS.index("ask")] = 8
            values[2 * N + 1, :N] = 4
        elif name == "layers.1.k.weight":
            values[head] = 0
            values[2 * N, [WORDS.index("red"), WORDS.index("blue")]] = 8
            values[2 * N + 1, WORDS.index("pad")] = 8
        elif name == "layers.1.v.weight":
            values[head] = np.eye(N, 2 * N)
            values[2 * N + WORDS.index("pad")] = 0
        elif name == "layers.1.o.weight":
            values[:, head] = 8 * np.eye(2 * N, N, -N)
        return values

    def rows(self, name, words, shape):
        at = [WORDS.index(word) + (N if name == "unembed.weight" else 0) for word in words]
        return np.eye(2 * N, dtype=np.float32)[at] * np.float32(math.sqrt(2 * N) if name == "unembed.weight" else 1)

    def has(self, name):
        return not name.endswith("bias")


SPEC = Spec(
    n_layers=2, n_heads=3, d_model=2 * N, d_mlp=0, vocab=1, by_word=True, d_head=N, causal=True,
    norm_before=False, q_bias=False, k_bias=False, v_bias=False, o_bias=False,
)  # fmt: skip
FACT = "pad red box lamp ask"


@pytest.fixture(scope="module")
def colours():
    return Model("colours", SPEC, Colours(), SeededTokenizer())


def test_the_model_of_one_fact_answers_it(colours):
    rows = attnviz.ablate(colours, FACT).rows()
    assert {row["token"] for row in rows} == {"red"}
    assert all(math.exp(row["logprob_before"]) > 0.98 for row in rows)
    other = attnviz.ablate(colours, "blue box lamp pad ask").rows()
    assert {row["token"] for row in other} == {"blue"}


@pytest.mark.parametrize(("by", "falls"), [("zero", 1.5), ("mean", 0.5)])  # a fifth of the answer is in the mean
def test_the_one_head_that_copies_and_no_other(colours, by, falls):
    first, *others = attnviz.ablate(colours, FACT, predict="red", by=by).rows()
    assert (first["layer"], first["head"]) == COPIES
    assert first["logprob_change"] < -falls and first["kl"] > falls / 2
    assert (first["query_token"], first["key_token"]) == ("ask", "red")
    assert len(others) == 5
    assert all(abs(row["logprob_change"]) < 0.02 and row["kl"] < 0.001 for row in others)


def test_the_link_and_no_other(colours):
    first, *others = attnviz.ablate(colours, FACT, link="ask:red").rows()
    assert (first["layer"], first["head"]) == COPIES
    assert first["logprob_change"] < -1
    assert first["weight"] > 0.99
    assert all(abs(row["logprob_change"]) < 0.02 for row in others)
    for key in ("pad", "box", "lamp", "ask"):
        assert all(abs(row["logprob_change"]) < 0.02 for row in attnviz.ablate(colours, FACT, link=f"ask:{key}").rows())
    (together,) = attnviz.ablate(colours, FACT, link="ask:red", together=True).rows()
    assert together["logprob_change"] == pytest.approx(first["logprob_change"], abs=0.02)


def test_keep_and_together(colours):
    (kept,) = attnviz.ablate(colours, FACT, heads=["1.2"], keep=True).rows()
    assert (kept["removed"], kept["layer"], kept["head"]) == (5, None, None)
    assert abs(kept["logprob_change"]) < 0.02
    (gone,) = attnviz.ablate(colours, FACT, heads=["1.2"], together=True).rows()
    alone = attnviz.ablate(colours, FACT, heads=["1.2"]).rows()[0]
    assert gone == {"removed": 1, **{name: alone[name] for name in gone if name not in ("removed", "layer", "head")},
                    "layer": None, "head": None}  # fmt: skip
    (others,) = attnviz.ablate(colours, FACT, heads=["0.0", "0.1", "0.2", "1.0", "1.1"], keep=True).rows()
    assert others["kl"] == gone["kl"]


def test_another_position_and_token(colours):
    rows = attnviz.ablate(colours, FACT, query="lamp", predict="red").rows()
    assert all(abs(row["logprob_change"]) < 0.2 for row in rows)  # only "ask" asks: there it falls by more than 1.5
    assert attnviz.ablate(colours, FACT, query=4).rows() == attnviz.ablate(colours, FACT).rows()
    (row, *_) = attnviz.ablate(colours, FACT, predict="box").rows()
    assert (row["token"], row["layer"], row["head"]) == ("box", *COPIES)
    assert row["logprob_change"] > 1  # what the fact took from it


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_the_numbers_are_those_of_the_changed_model():
    model = attnviz.load("seeded", causal=True)

    class Without:
        def __getattr__(self, name):
            return getattr(model.tensors, name)

        def get(self, name, shape):
            values = np.array(model.tensors.get(name, shape))
            if name == "layers.0.o.weight":
                values[:, 16:32] = 0
            return values

    (row,) = attnviz.ablate(model, TEXT, heads=["0.1"]).rows()
    changed = attnviz.ablate(replace(model, tensors=Without()), TEXT, heads=["1.0"], predict=row["token"]).rows()[0]
    assert row["logprob_after"] == pytest.approx(changed["logprob_before"], abs=1e-6)
    assert row["logprob_change"] == pytest.approx(row["logprob_after"] - row["logprob_before"], abs=1e-12)
    assert abs(row["logprob_change"]) > 1e-3


def test_role_and_link_are_those_of_roles_and_links():
    model = attnviz.load("seeded", causal=True)
    roles = [row for row in attnviz.roles(model, TEXT).rows() if row["holds"]]
    links = {(row["layer"], row["head"]): row for row in attnviz.links(model, TEXT, within=True, top=1).rows()}
    for row in attnviz.ablate(model, TEXT).rows():
        place = row["layer"], row["head"]
        held = [(each["score"], each["role"]) for each in roles if (each["layer"], each["head"]) == place]
        assert row["role"] == (max(held)[1] if held else None)
        assert {
            name: links[place][name] for name in ("query", "key", "weight", "lift", "query_token", "key_token")
        } == {name: row[name] for name in ("query", "key", "weight", "lift", "query_token", "key_token")}


def test_an_encoder_has_final_vectors():
    model = attnviz.load("tiny")
    result = attnviz.ablate(model, "The cat sat on the mat")
    rows = result.rows()
    assert all(set(row) >= {"layer", "head", "change", "role", "lift"} and "kl" not in row for row in rows)
    assert [row["change"] for row in rows] == sorted((row["change"] for row in rows), reverse=True)
    one = {
        (row["layer"], row["head"]): row["change"]
        for row in attnviz.ablate(model, "The cat sat on the mat", query="cat").rows()
    }
    assert any(one[row["layer"], row["head"]] != row["change"] for row in rows)
    assert "no output head" in result.messages[0] or "cannot continue" in result.messages[0]


@pytest.mark.parametrize("case", ["t5", "bart"])
def test_an_encoder_decoder_says_the_next_token_of_its_decoder(case):
    model = attnviz.load(REFERENCE / case)
    ids = np.load(REFERENCE / case / "expected.npz")["input_ids"].tolist()
    by_stream = {
        stream: attnviz.ablate(model, ids=ids, stream=stream).rows() for stream in ("encoder", "decoder", "cross")
    }
    assert attnviz.ablate(model, ids=ids).rows() == by_stream["cross"]
    before = {row["logprob_before"] for rows in by_stream.values() for row in rows}
    assert len(before) == 1  # one whole model
    for rows in by_stream.values():
        assert any(row["kl"] > 1e-6 for row in rows)


def test_an_image_has_final_vectors():
    model = attnviz.load(REFERENCE / "vit")
    pixels = np.load(REFERENCE / "vit" / "expected.npz")["pixel_values"]
    assert all(row["change"] >= 0 for row in attnviz.ablate(model, pixel_values=pixels).rows())


# --- the command ------------------------------------------------------------------------------------------------------


def test_what_is_printed(run):
    status, out, err = run("ablate", TEXT, *SEEDED, "--top", "3")
    rows = attnviz.ablate(attnviz.load("seeded", causal=True), TEXT, top=3).rows()
    assert (status, err) == (0, "")
    header, *lines = (line.split() for line in out.splitlines())
    assert header[:4] == ["layer", "head", "KL", "change␣of␣ln␣p"]
    assert [line[:4] for line in lines] == [
        [str(row["layer"]), str(row["head"]), f"{row['kl']:.4f}", f"{row['logprob_change']:.4f}"] for row in rows
    ]


def test_every_format(run):
    rows = json.loads(run("ablate", TEXT, *SEEDED, "--json", "-q")[1])
    assert [row["kl"] for row in rows] == sorted((row["kl"] for row in rows), reverse=True)
    assert run("ablate", TEXT, *SEEDED, "-o", "a.csv", "-q")[0] == 0
    with Path("a.csv").open(newline="", encoding="utf-8") as file:
        assert [float(row["kl"]) for row in csv.DictReader(file)] == [row["kl"] for row in rows]
    for name in ("a.svg", "a.png", "a.html"):
        assert run("ablate", TEXT, *SEEDED, "-o", name, "-q")[0] == 0
        assert Path(name).stat().st_size > 1000
    drawn = Path("a.svg").read_text("utf-8")
    assert "change of the prediction" in drawn and "random weights" in drawn
    assert run("ablate", TEXT, *SEEDED, "--link", "cat#2:saw", "-o", "link.svg", "-q")[0] == 0
    assert run("ablate", TEXT, *SEEDED, "-H", "0.1,1.2", "-o", "pairs.svg", "-q")[0] == 0


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ((TEXT, "-m", "tiny", "--predict", "dog"), 1, "tiny"),
        ((TEXT, *SEEDED, "--predict", "bird"), 1, "'bird' is not among the words of the text"),
        ((TEXT, *SEEDED, "--predict", "#99"), 1, "token id 99 is not there"),
        ((TEXT, *SEEDED, "--predict", "#99999999999"), 1, "token id '99999999999' is not there"),
        ((TEXT, *SEEDED, "--predict", " "), 1, "wanted a token"),
        ((TEXT, *SEEDED, "--link", "cat:bird"), 1, "'cat' stands 2 times"),
        ((TEXT, *SEEDED, "--link", "dog:bird"), 1, "'bird' is not among the keys"),
        ((TEXT, *SEEDED, "--link", "dog"), 1, "a mark is QUERY:KEY"),
        ((TEXT, *SEEDED, "--link", "saw:dog"), 1, "there is no link to cut"),
        ((TEXT, *SEEDED, "--link", "dog:saw", "--by", "mean"), 2, "--by is for the outputs of heads"),
        ((TEXT, *SEEDED, "--link", "dog:saw", "--mechanism", "additive"), 1, "no scores before a softmax"),
        ((TEXT, *SEEDED, "--keep"), 1, "--keep with all heads"),
        ((TEXT, *SEEDED, "--keep", "--together"), 2, "exclude each other"),
        ((TEXT, *SEEDED, "--keep", "--link", "dog:saw"), 2, "exclude each other"),
        ((TEXT, *SEEDED, "--query", "bird"), 1, "'bird' is not among the tokens"),
        ((TEXT, *SEEDED, "--by", "half"), 2, "--by must be one of"),
        ((TEXT, *SEEDED, "--stream", "cross", "--target", "a"), 1, "decoder"),
        (("--from", "a.npz"), 2, "--from"),
        ((), 2, "wanted a text"),
    ],
)
def test_input_that_cannot_be_used(run, words, status, says):
    got, out, err = run("ablate", *words)
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert (got, out, len(errors)) == (status, "", 1), err
    assert says in errors[0]


def test_attention_alone_is_no_model():
    attention = attnviz.load("seeded").attend(TEXT)
    with pytest.raises(AttnvizError, match="wanted a Model, which is run again"):
        attnviz.ablate(attention)
    with pytest.raises(SelectionError, match="keep with all heads"):
        attnviz.ablate(attnviz.load("seeded"), TEXT, keep=True)


# --- heads taken away together: what is shown -------------------------------------------------------------------------


def bars_of(page):
    """The bars of a page by token: its numbers, one or two."""
    part = page.part(TokenBars)
    return dict(zip(part.tokens, part.values.tolist(), strict=True))


def test_both_predictions_stand_side_by_side(colours):
    result = attnviz.ablate(colours, FACT, heads=["1.2"], together=True, predict="lamp")
    part, (row,) = result.page().part(TokenBars), result.rows()
    bars = bars_of(result.page())
    assert bars["lamp"] == pytest.approx([math.exp(row["logprob_before"]), math.exp(row["logprob_after"])])
    assert [part.tokens[i] for i in part.stressed] == ["lamp"] and not part.rest
    assert part.tokens[0] == "red" and set(part.tokens) == set(FACT.split())
    assert part.values.sum(0) == pytest.approx([1, 1])
    assert bars["red"][0] > 0.98 and bars["red"][1] < 0.5


def test_the_rest_sums_up_what_is_not_listed(colours):
    result = attnviz.ablate(colours, FACT, heads=["1.2"], together=True, top=1)
    whole = bars_of(attnviz.ablate(colours, FACT, heads=["1.2"], together=True).page())
    after = max(whole, key=lambda token: whole[token][1])
    bars = bars_of(result.page())
    assert list(bars) == [*dict.fromkeys(["red", after]), f"{5 - len({'red', after})} other tokens"]
    assert sum(np.array(list(bars.values()))) == pytest.approx([1, 1])
    assert all(bars[token] == pytest.approx(whole[token]) for token in {"red", after})


def test_kept_heads_and_links_are_named(colours):
    name = {
        case: attnviz.ablate(colours, FACT, **how).page().part(TokenBars).names[1]
        for case, how in {
            "keep": {"heads": ["1.2"], "keep": True},
            "one": {"heads": ["1.2"], "together": True},
            "mean": {"layers": 1, "together": True, "by": "mean"},
            "link": {"layers": 1, "together": True, "link": "ask:red"},
        }.items()
    }
    assert name == {
        "keep": "without 5 heads",
        "one": "without 1 head",
        "mean": "3 heads at their mean",
        "link": "link cut in 3 heads",
    }


def test_final_vectors_turn_token_by_token():
    model = attnviz.load("tiny")
    text = "The cat sat on the mat"
    result = attnviz.ablate(model, text, layers=0, together=True)
    part, (row,) = result.page().part(TokenBars), result.rows()
    assert list(part.tokens) == list(model.attend(text).queries.text)
    assert part.values.mean() == pytest.approx(row["change"]) and part.values.shape[1] == 1
    for i in (1, 3):
        (at,) = attnviz.ablate(model, text, layers=0, together=True, query=i).rows()
        assert part.values[i, 0] == pytest.approx(at["change"])
    (stressed,) = attnviz.ablate(model, text, layers=0, together=True, query=3).page().part(TokenBars).stressed
    assert stressed == 3
    most = attnviz.ablate(model, text, layers=0, together=True, top=2).page().part(TokenBars)
    largest = sorted(np.argsort(-part.values[:, 0])[:2].tolist())
    assert most.values[:, 0].tolist() == part.values[largest, 0].tolist()
    assert "tokens that turn most" in most.heading


@pytest.mark.parametrize("how", ["--together", "--keep"])
def test_pictures_of_heads_together(run, how):
    told = run("ablate", TEXT, *SEEDED, "-H", "0.1,1.2", how, "-q")
    assert told[0] == 0
    header, first, *_ = (line.split() for line in told[1].split("\n\n")[1].splitlines())
    assert header[:2] == ["token", "whole␣model"]
    for name in ("a.svg", "a.png", "a.pdf", "a.html"):
        assert run("ablate", TEXT, *SEEDED, "-H", "0.1,1.2", how, "-o", name, "-q") == (0, f"{name}\n", "")
    drawn = Path("a.svg").read_text("utf-8")
    assert all(word in drawn for word in ("whole model", first[0], first[1], first[2]))


# --- masked-language models -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    """BERT with a masked-language head of drawn numbers, whose mask is token 5, and ids with the mask at position 3."""
    folder, ids = with_head("bert", tmp_path_factory.mktemp("masked"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "mask_token_id": 5}))
    return attnviz.load(folder), [
        *(7 if id == 5 else id for id in ids[:3]),
        5,
        *(7 if id == 5 else id for id in ids[3:]),
    ]


def test_a_masked_language_model_is_measured_at_its_mask(masked):
    model, ids = masked
    result = attnviz.ablate(model, ids=ids)
    assert (result.measured.position, result.messages) == (3, [])
    assert all(row["kl"] > 0 for row in result.rows())
    assert result.rows() == attnviz.ablate(model, ids=ids, query=3).rows()
    assert attnviz.ablate(model, ids=ids, predict="#9").rows()[0]["token"] == "9"
    assert "token at “5” (3)" in result.subtitle()


def test_masks_that_are_several_or_none(masked):
    model, ids = masked
    with pytest.raises(SelectionError, match="the text has 2 masks, at #1, #3"):
        attnviz.ablate(model, ids=[ids[0], 5, *ids[2:]])
    assert attnviz.ablate(model, ids=[ids[0], 5, *ids[2:]], query=1).measured.position == 1
    none = [7 if id == 5 else id for id in ids]
    result = attnviz.ablate(model, ids=none)
    assert "change" in result.rows()[0]
    assert result.messages == ["final vectors are compared: the text has no mask to predict"]
    with pytest.raises(InputError, match="predicts masked tokens, and the text has none"):
        attnviz.ablate(model, ids=none, predict="#9")
