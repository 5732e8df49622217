"""`attnviz check`: what it says of attention that is sane, and of attention that was broken on purpose."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.paths import REFERENCE

import attnviz
from attnviz.analyses import check as analysis
from attnviz.analyses.check import examine, maps_of
from attnviz.attention import Attention
from attnviz.axis import Tokens
from attnviz.cli import main
from attnviz.engine import tiles as engine
from attnviz.engine.masks import Mask
from attnviz.measures.check import (
    BROKEN,
    NOTE,
    OK,
    SUSPICIOUS,
    Finding,
    against,
    future,
    scores,
    verdict,
)
from attnviz.measures.maps import Maps
from attnviz.measures.scores import Scores

CASES = sorted(path.name for path in REFERENCE.iterdir() if path.is_dir())


def softmax(scores):
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def attention(weights, mask=None, **more):
    n_layers, n_heads, n_query, n_key = weights.shape
    queries, keys = (Tokens.plain([str(i) for i in range(n)]) for n in (n_query, n_key))
    if mask is not None:
        mask = np.broadcast_to(mask, (1, n_query, n_key))
    return Attention(weights, mask, queries, keys, tuple(range(n_layers)), tuple(range(n_heads)), **more)


@pytest.fixture
def sane():
    """Two layers of three heads over eight tokens, causal."""
    values = np.random.default_rng(0).normal(0, 2, (2, 3, 8, 8))
    seen = np.tri(8, dtype=bool)
    return attention(softmax(np.where(seen, values, -np.inf)), seen)


def said(found, check):
    (one,) = (f for f in found if f.check == check)
    return one.word, one.text


def bad(found):
    """{check: word} of all that is suspicious or broken."""
    return {f.check: f.word for f in found if f.word in (SUSPICIOUS, BROKEN)}


def test_a_sane_map_is_healthy(sane):
    found = examine(sane)
    assert {f.check: f.word for f in found} == {
        "numbers": OK,
        "rows": OK,
        "mask": OK,
        "collapsed": OK,
        "dead": OK,
        "one-hot": OK,
        "sinks": NOTE if maps_of(sane).head_facts().sink.max() > 0.5 else OK,
        "equal": OK,
    }
    assert verdict(found) == ("healthy", "rows sum to what they should, the mask holds")


# ---- what cannot be attention


def test_rows_that_do_not_sum_to_one(sane):
    weights = sane.weights.copy()
    weights[1, 2, 5] *= 0.9
    found = examine(replace(sane, weights=weights))
    assert bad(found) == {"rows": BROKEN}
    assert said(found, "rows")[1] == "1 of 48 rows do not sum to 1, but to 0.9 to 1"
    assert verdict(found) == ("broken", "rows: 1 of 48 rows do not sum to 1, but to 0.9 to 1")


def test_half_precision_is_not_a_fault(sane):
    rounded = sane.weights.astype(np.float16).astype(np.float32)
    assert np.abs(rounded.sum(-1) - 1).max() > 1e-5
    assert bad(examine(replace(sane, weights=rounded))) == {}


def test_a_learned_sink_may_take_a_share_but_not_give_one(sane):
    assert bad(examine(replace(sane, weights=sane.weights * 0.4))) == {"rows": BROKEN}
    found = examine(replace(sane, weights=sane.weights * 0.4), below_one=True)
    assert said(found, "rows") == (OK, "sum to 0.4 to 0.4: a learned sink takes the rest")
    over = sane.weights.copy()
    over[1, 2, 5] *= 1.05
    assert bad(examine(replace(sane, weights=over), below_one=True)) == {"rows": BROKEN}


def test_rows_are_not_judged_after_special_tokens_went(sane):
    special = replace(sane.queries, special=(True, *(False,) * 7))
    less = replace(sane, queries=special, keys=special).without_special()
    assert bad(examine(less)) == {}


def test_swapped_axes_are_named():
    weights = softmax(np.random.default_rng(1).normal(0, 2, (1, 2, 6, 6)))
    found = examine(attention(np.ascontiguousarray(weights.swapaxes(-1, -2))))
    assert said(found, "rows")[0] == BROKEN
    assert said(found, "rows")[1].endswith("the columns do: are queries and keys swapped?")


def test_mass_behind_the_mask(sane):
    weights = sane.weights.copy()
    weights[0, 1, 2] = [0.3, 0.3, 0.25, 0, 0, 0.15, 0, 0]
    found = examine(replace(sane, weights=weights))
    assert bad(found) == {"mask": BROKEN}
    assert said(found, "mask")[1] == "a weight of 0.15 where attending is not allowed"


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none(sane, odd):
    weights = sane.weights.copy()
    weights[1, 0, 3, 2] = odd
    found = examine(replace(sane, weights=weights))
    assert bad(found) == {"numbers": BROKEN}
    assert said(found, "numbers")[1] == "1 of 384 weights are NaN or infinite, the first in layer 1, head 0"


def test_scores_instead_of_weights():
    found = examine(attention(np.random.default_rng(2).normal(0, 2, (1, 1, 5, 5)).astype(np.float32)))
    assert "are these scores" in said(found, "numbers")[1]
    assert verdict(found)[0] == "broken"


def test_nothing_at_all():
    assert said(examine(attention(np.zeros((1, 1, 5, 5), np.float32))), "rows") == (BROKEN, "every weight is 0")


# ---- what is seldom meant


def test_all_uniform(sane):
    flat = np.where(np.tri(8, dtype=bool), 1.0, 0.0)
    flat /= flat.sum(-1, keepdims=True)
    found = examine(replace(sane, weights=np.broadcast_to(flat, (2, 3, 8, 8)).astype(np.float32)))
    assert bad(found) == {"dead": SUSPICIOUS}
    word, why = verdict(found)
    assert word == "suspicious"
    assert why.startswith("dead: 6 of 6 heads are nearly uniform: scores too small")


def test_one_dead_head_is_a_note(sane):
    weights = sane.weights.copy()
    weights[0, 0] = np.tri(8) / np.arange(1, 9)[:, None]
    found = examine(replace(sane, weights=weights))
    assert said(found, "dead") == (NOTE, "1 of 6 heads is nearly uniform")
    assert verdict(found)[0] == "healthy"


def test_all_one_hot():
    places = np.random.default_rng(3).integers(0, 8, (2, 3, 8))
    found = examine(attention(np.eye(8, dtype=np.float32)[places]))
    assert bad(found) == {"one-hot": SUSPICIOUS}
    assert "1 / sqrt(d_head)" in verdict(found)[1]


def test_every_head_on_the_first_token():
    weights = np.zeros((2, 3, 8, 8), np.float32)
    weights[..., 0] = 1
    assert bad(examine(attention(weights))) == {"sinks": SUSPICIOUS}
    # Most heads so is what trained decoders look like.
    weights[0] = softmax(np.random.default_rng(4).normal(0, 2, (3, 8, 8)))
    found = examine(attention(weights))
    assert bad(found) == {}
    assert said(found, "sinks")[1].startswith("3 of 6 heads are given mostly to the first or a special token")


def test_a_head_whose_every_row_is_on_one_token(sane):
    weights = sane.weights.copy()
    weights[1, 2] = 0
    weights[1, 2, :, 1] = 1
    found = examine(attention(weights))
    assert bad(found)["collapsed"] == SUSPICIOUS
    assert said(found, "collapsed")[1] == (
        "1 of 6 heads is given to the same token, whatever the query, the first is 1.2"
    )
    alone = np.zeros((1, 1, 6, 6), np.float32)
    alone[..., 2] = 1
    assert verdict(examine(attention(alone)))[0] == "suspicious"


def test_heads_over_the_same_two_tokens():
    weights = np.zeros((2, 4, 8, 8), np.float32)
    share = np.random.default_rng(6).uniform(0.3, 0.7, (2, 4, 8))
    weights[..., 2], weights[..., 5] = share, 1 - share
    found = examine(attention(weights))
    assert bad(found) == {"collapsed": SUSPICIOUS}
    assert said(found, "collapsed")[1].startswith("8 of 8 heads are given to the same 2 tokens, whatever the query")
    # One such head among many is a note: a short text can look like that.
    weights = np.concatenate([weights[:, :1], softmax(np.random.default_rng(7).normal(0, 2, (2, 19, 8, 8)))], 1)
    assert said(examine(attention(weights)), "collapsed")[0] == NOTE


def test_four_heads_that_are_the_same():
    one = softmax(np.random.default_rng(8).normal(0, 2, (1, 1, 8, 8)))
    assert said(examine(attention(one.repeat(4, 1))), "equal") == (SUSPICIOUS, "3 of 4 heads are the same as another")
    one[...] = 0
    one[..., 3] = 1
    found = examine(attention(one.repeat(4, 1)))
    assert bad(found) == {"collapsed": SUSPICIOUS, "equal": SUSPICIOUS}
    assert said(found, "equal")[1] == "3 of 4 heads are the same as another"


def test_a_sink_is_a_special_token_wherever_it_stands():
    weights = np.full((1, 1, 8, 8), 0.3 / 7, np.float32)
    weights[..., 5] = 0.7
    plain = attention(weights)
    marked = replace(plain, keys=replace(plain.keys, special=tuple(i == 5 for i in range(8))))
    assert maps_of(plain).head_facts().sink[0, 0] == pytest.approx(0.3 / 7)
    assert maps_of(marked).head_facts().sink[0, 0] == pytest.approx(0.3 / 7 + 0.7)


def test_equal_heads(sane):
    weights = np.concatenate([sane.weights, sane.weights], 1)
    assert maps_of(replace(sane, weights=weights, heads=tuple(range(6)))).twins() == 6
    found = examine(replace(sane, weights=weights, heads=tuple(range(6))))
    assert bad(found) == {"equal": SUSPICIOUS}
    weights[:, 3:] = np.roll(weights[:, 3:], 1, axis=1)
    assert maps_of(replace(sane, weights=weights, heads=tuple(range(6)))).twins() == 6
    assert maps_of(sane).twins() == 0


def test_a_causal_map_without_its_mask(sane):
    assert said(examine(replace(sane, mask=None)), "mask") == (OK, "nothing on later tokens: causal")
    leaky = sane.weights.copy()
    leaky[0, 0, 3] = [0.3, 0.3, 0.2, 0.19, 0.01, 0, 0, 0]
    found = examine(replace(sane, weights=leaky, mask=None))
    assert said(found, "mask")[0] == SUSPICIOUS
    assert "a mask that leaks?" in said(found, "mask")[1]


def test_padding_without_a_mask(sane):
    weights = sane.weights.copy()
    weights[:, :, 6:] = 0
    found = examine(replace(sane, weights=weights, mask=None))
    assert said(found, "rows") == (NOTE, "12 of 48 rows hold nothing: padding? leave it out")
    weights[:, 0, 5] = 0
    assert said(examine(replace(sane, weights=weights, mask=None)), "rows")[0] == SUSPICIOUS


def test_a_text_of_three_tokens_is_too_short_for_heads():
    weights = np.full((1, 2, 3, 3), 1 / 3, np.float32)
    found = examine(attention(weights))
    assert said(found, "heads") == (NOTE, "not judged: no row sees 4 keys; give a longer text")
    assert bad(found) == {}


def test_heads_of_a_short_causal_text_are_not_judged():
    """Only the last rows of a causal map see four keys, and two rows always agree on few tokens."""
    found = examine(attention(np.eye(5, dtype=np.float32)[None, None]))
    assert said(found, "heads") == (NOTE, "not judged: fewer than 4 rows see 4 keys; give a longer text")
    assert bad(found) == {}


# ---- what needs the model


class Tile:
    """The engine's input to a collector, as far as Scores reads it."""

    def __init__(self, q, k, factor, hidden=None, bias=0.0):
        self.layer, self.heads, self.q, self.k = 0, range(len(q)), q, k
        group = len(q) // len(k)
        self.scores = np.stack([factor * q[h] @ k[h // group].T + bias for h in range(len(q))])
        if hidden is not None:
            self.scores = np.where(hidden, -np.inf, self.scores)


def measured(**how):
    random = np.random.default_rng(5)
    collector = Scores(1, 4)
    tile = Tile(random.normal(size=(4, 6, 16)), random.normal(size=(2, 6, 16)), **how)
    collector.take(tile)
    return tile, collector.result()


def test_the_factor_is_found_from_q_and_k():
    _, facts = measured(factor=0.25, hidden=~np.tri(6, dtype=bool))
    np.testing.assert_allclose(facts.factor, 0.25, rtol=1e-12)
    np.testing.assert_allclose(facts.linear, 1, rtol=1e-12)
    assert [(f.check, f.word) for f in scores(facts, 16, [0.25])] == [("scores", OK), ("scale", OK)]
    # a row's constant does not matter to a softmax, and not here
    _, shifted = measured(factor=0.25, bias=np.arange(6)[:, None])
    np.testing.assert_allclose(shifted.factor, 0.25, rtol=1e-12)


def test_spread_and_largest_are_those_of_the_allowed_scores():
    tile, facts = measured(factor=1.0, hidden=~np.tri(6, dtype=bool))
    rows = [tile.scores[1, i, : i + 1] for i in range(6)]
    assert facts.spread[0, 1] == pytest.approx(np.mean([row.std() for row in rows[1:]]))
    assert facts.largest[0, 1] == pytest.approx(max(np.abs(row).max() for row in rows))


def test_an_unscaled_model_is_seen():
    _, facts = measured(factor=1.0)
    (_, scale) = scores(facts, 16, [0.25])
    assert (scale.word, scale.text) == (BROKEN, "q . k times 1, where the configuration asks for 0.25")
    (_, meant) = scores(facts, 16, [1.0])
    assert (meant.word, meant.value) == (NOTE, pytest.approx(1.0))


def test_a_bias_hides_the_factor():
    _, facts = measured(factor=0.25, bias=np.random.default_rng(6).normal(size=(6, 6)))
    assert scores(facts, 16, [0.25])[1].word == NOTE


def test_future(sane):
    other = sane.weights.copy()
    other[:, :, -1] = other[:, :, -1, ::-1]
    assert future(sane.weights, other).word == OK
    other[0, 0, 2, 0] += 0.01
    found = future(sane.weights, other)
    assert (found.word, found.value) == (BROKEN, pytest.approx(0.01, rel=1e-3))


def test_against_a_reference(sane):
    assert against(sane, sane.weights + np.float32(1e-6), "X").word == OK
    assert against(sane, sane.weights + np.float32(0.01), "X").text == "differs from X by up to 0.01"
    assert against(sane, sane.weights[:1], "X").word == NOTE
    assert against(sane, np.full_like(sane.weights, np.nan), "X").word == BROKEN
    assert against(sane, None, "X", "it is out").text == "not compared with X: it is out"


def test_the_worst_word_wins():
    fine, odd, wrong = Finding("a", OK, 0, "x"), Finding("b", SUSPICIOUS, 0, "y"), Finding("c", BROKEN, 0, "z")
    assert verdict([fine, odd, wrong, wrong]) == ("broken", "c: z")
    assert verdict([fine, odd]) == ("suspicious", "b: y")
    assert verdict([fine])[0] == "healthy"


# ---- the command


def check(capsys, *words):
    status = main(["check", *map(str, words), "--no-reference"])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("case", CASES)
def test_every_reference_case_is_healthy(case, capsys):
    status, out, err = check(capsys, REFERENCE / case, "--json")
    rows = json.loads(out)
    assert (status, err) == (0, "")
    assert rows[-1]["check"] == "verdict"
    assert rows[-1]["word"] == "healthy", rows
    streams = {row["about"] for row in rows[:-1]}
    spec = json.loads((REFERENCE / case / "config.json").read_text())
    assert len(streams) == (3 if spec.get("is_encoder_decoder") else 1)
    assert {row["check"] for row in rows} >= {"numbers", "rows", "mask", "scores", "scale", "dead", "one-hot"}


def test_the_sentence_of_a_model_that_reads(capsys, minilm):
    status, out, _ = check(capsys, minilm, "The cat sat on the mat")
    assert status == 0
    assert "6 x 12 heads, 8 x 8 tokens" in out
    assert out.splitlines()[-1] == "healthy: rows sum to what they should, the mask holds"


def test_random_weights_are_said(capsys):
    assert "random: these maps say nothing about language" in check(capsys, "seeded")[1]


@pytest.mark.parametrize("case", ["bert", "gpt2", "mistral", "longformer", "gpt_oss"])
def test_maps_that_pass_in_tiles_say_what_whole_ones_say(case, monkeypatch):
    model, ids = attnviz.load(REFERENCE / case), list(range(10, 50))
    whole = maps_of(model.attend(ids=ids))
    monkeypatch.setattr(engine, "WHOLE_LAYER", 0)
    monkeypatch.setattr(engine, "TILE", 100)
    passing = Maps(2, 4, 40, 40, np.zeros(40, bool))
    model.observe(model.prepare(ids=ids), [passing])
    for name in ("odd", "behind", "limited", "row_seen"):
        np.testing.assert_array_equal(getattr(passing, name), getattr(whole, name), name)
    for name in ("least", "most", "row_sums", "column_sums", "later"):
        np.testing.assert_allclose(getattr(passing, name), getattr(whole, name), atol=1e-4)
    for name in ("uniform", "top", "sink", "focus", "rows"):
        got, wanted = (getattr(maps.head_facts(), name) for maps in (passing, whole))
        np.testing.assert_allclose(got, wanted, atol=1e-4)
    assert passing.twins() == whole.twins() == 0


def test_of_a_long_text_the_last_rows_are_compared(capsys, monkeypatch):
    """No whole map is held: what fits is the rows before the last, where a mask that lets it through is seen."""
    monkeypatch.setattr("attnviz.analyses.check.MOST_WEIGHTS", 2 * 4 * 30 * 5)
    asked = []
    keep = analysis.Dense
    monkeypatch.setattr(analysis, "Dense", lambda *axes: (asked.append(axes[2]), keep(*axes))[1])
    ids = ",".join(map(str, range(10, 40)))
    rows = json.loads(check(capsys, REFERENCE / "gpt2", "--ids", ids, "--json")[1])
    assert [row["word"] for row in rows if row["check"] == "future"] == [OK]
    assert asked == [range(24, 30)] * 2
    leaky = replace(attnviz.load(REFERENCE / "gpt2"), name="leaky")
    monkeypatch.setattr("attnviz.cli.opening.load", lambda *_: leaky)
    monkeypatch.setattr("attnviz.engine.forward.Mask", lambda n, m, causal=False, *rest, **more: Mask(n, m, False, 1))
    rows = json.loads(check(capsys, REFERENCE / "gpt2", "--ids", ids, "--json")[1])
    assert [row["word"] for row in rows if row["check"] == "future"] == [BROKEN]


def test_a_decoder_is_asked_with_another_end(capsys):
    rows = json.loads(check(capsys, REFERENCE / "gpt2", "--json")[1])
    assert [row["word"] for row in rows if row["check"] == "future"] == [OK]
    rows = json.loads(check(capsys, REFERENCE / "bert", "--json")[1])
    assert [row for row in rows if row["check"] == "future"] == []


def test_files_of_attention(capsys, tmp_path, sane):
    np.save(tmp_path / "a.npy", sane.weights)
    assert check(capsys, tmp_path / "a.npy")[0] == 0
    broken = sane.weights.copy()
    broken[0, 0, 0, 0] = np.nan
    np.save(tmp_path / "nan.npy", broken)
    status, out, err = check(capsys, tmp_path / "nan.npy")
    assert (status, err) == (1, "")
    assert out.splitlines()[-1] == (
        "broken: numbers: 1 of 384 weights are NaN or infinite, the first in layer 0, head 0"
    )
    np.savez(tmp_path / "two.npz", one=sane.weights, two=sane.weights * 0.5)
    assert check(capsys, tmp_path / "two.npz")[0] == 1  # which of them?
    assert check(capsys, tmp_path / "two.npz", "--key", "one")[0] == 0
    status, out, _ = check(capsys, tmp_path / "two.npz", "--key", "two")
    assert (status, out.splitlines()[-1][:13]) == (1, "broken: rows:")


def test_a_file_that_attnviz_saved_remembers_its_sink(capsys, tmp_path):
    found = attnviz.load(REFERENCE / "gpt_oss").attend(ids=list(range(10, 30)))
    found.save(tmp_path / "a.npz")
    status, out, _ = check(capsys, tmp_path / "a.npz")
    assert status == 0
    assert "a learned sink takes the rest" in out


def test_wrong_usage(capsys, tmp_path, sane):
    np.save(tmp_path / "a.npy", sane.weights)
    assert check(capsys, tmp_path / "a.npy", "a text")[0] == 2
    assert check(capsys, "seeded", "--key", "x")[0] == 2
    assert check(capsys, "seeded", "-m", "minilm")[0] == 2
    status, out, err = check(capsys, tmp_path / "none.npy")
    assert (status, out) == (1, "")
    assert err.startswith("error: no such file")


# ---- from Python


def test_a_model_is_checked_from_python():
    model = attnviz.load("seeded", causal=True)
    checked = attnviz.check(model, "The cat sat on the mat and the dog ran away", reference=False)
    assert [(stream.stream, stream.size) for stream in checked.streams] == [("self", (2, 4, 11, 11))]
    assert (checked.word, checked.status) == ("healthy", 0)
    assert {"rows", "mask", "scores", "scale"} <= {f.check for f in checked.findings}
    assert attnviz.check(model.attend("The cat sat on the mat")).word == "healthy"


def test_a_causal_model_from_ids_is_tried_with_another_end():
    ids = list(range(10, 22))
    found = {f.check: f for f in attnviz.check(attnviz.load(REFERENCE / "llama"), ids=ids, reference=False).findings}
    assert found["future"].word == OK
    findings = attnviz.check(attnviz.load(REFERENCE / "bert"), ids=ids, reference=False).findings
    assert "future" not in {f.check for f in findings}


def test_python_checks_what_the_command_checks(capsys):
    """Without an input a model is tried with one made up, in every stream; one stream where it is named."""
    folder = REFERENCE / "t5"
    checked = attnviz.check(attnviz.load(folder), reference=False)
    rows = json.loads(check(capsys, folder, "--json")[1])
    assert list(checked.rows()) == rows
    assert [stream.stream for stream in checked.streams] == ["encoder", "decoder", "cross"]
    alone = attnviz.check(attnviz.load(folder), stream="cross", reference=False)
    assert alone.streams == checked.streams[2:]


def test_a_result_is_written_as_rows(capsys, tmp_path, sane):
    """A file gets the numbers that --json prints, and the exit status is the verdict's."""
    weights = sane.weights.copy()
    weights[1, 2, 5] *= 0.9
    np.save(tmp_path / "a.npy", weights)
    status, out, _ = check(capsys, tmp_path / "a.npy", "--json")
    assert check(capsys, tmp_path / "a.npy", "-o", tmp_path / "a.json")[0] == status == 1
    assert json.loads((tmp_path / "a.json").read_text()) == json.loads(out)
    assert check(capsys, tmp_path / "a.npy", "-o", tmp_path / "a.png")[0] == 2
    assert attnviz.check(replace(sane, weights=weights)).status == 1
    with pytest.raises(attnviz.AttnvizError, match="takes no text"):
        attnviz.check(sane, "a text")


def test_an_input_of_another_kind_is_refused(capsys):
    """A text for a model of images was once ignored, and noise checked instead."""
    status, out, err = check(capsys, REFERENCE / "vit", "a text")
    assert (status, out) == (1, "")
    assert "reads images" in err
