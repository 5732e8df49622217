"""Value norms: known answers, slow loops, the engine run again, transformers' own layers; and the command."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import DATA
from helpers.random_specs import sparse_cases, text_cases
from helpers.sentences import TIRED
from helpers.wide_tensors import Case
from hypothesis import HealthCheck, assume, given, settings
from oracles.slow_embedding import StackInput

import attnviz
from attnviz.engine.forward import run as run_engine
from attnviz.engine.project import Heads, Projector
from attnviz.engine.spec import Spec
from attnviz.errors import InputError, SelectionError
from attnviz.measures.norms import MEASURES, Moved, alti, effective, lengths, moved, shares, summary, summed, unlike
from attnviz.page.figure_options import FigureOptions
from attnviz.page.place import place

NORMS = DATA / "norms_minilm.npz"
calm = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


# --- known answers ----------------------------------------------------------------------------------------------------


def test_a_huge_weight_on_a_zero_value_moves_nothing():
    """Two keys: 0.99 on a value of 0, 0.01 on (3, 4).

    The output has the length 0.01 * 5, all of it from the second key.
    """
    values = np.array([[[0.0, 0.0], [3.0, 4.0]]])
    weights = np.array([[[0.99, 0.01], [0.5, 0.5]]])
    found = lengths(weights, moved(values, None, 1))
    np.testing.assert_allclose(found, [[[0.0, 0.05], [0.0, 2.5]]])
    np.testing.assert_allclose(shares(found[0]), [[0.0, 1.0], [0.0, 1.0]])


def test_heads_that_undo_each_other_move_nothing_together():
    values, output = np.array([[[1.0], [2.0]], [[1.0], [2.0]]]), np.array([[1.0, -1.0]])  # f_0 = v, f_1 = -v
    weights = np.array([[[0.5, 0.5]], [[0.5, 0.25]]])
    together = np.linalg.norm(summed(weights, moved(values, output, 2)), axis=-1)
    np.testing.assert_allclose(lengths(weights, moved(values, output, 2))[:, 0], [[0.5, 1.0], [0.5, 0.5]])
    np.testing.assert_allclose(together, [[0.0, 0.5]])


def test_alti_by_hand():
    """y = (3, 1), |y| = 4. (3, 0) lacks 1: 3 is left; (0, 1) lacks 3: 1 is left; (-3, 0) is farther than 0."""
    parts = np.array([[[3.0, 0.0], [0.0, 1.0], [-3.0, 0.0]]])
    np.testing.assert_allclose(alti(parts, np.array([[3.0, 1.0]])), [[0.75, 0.25, 0.0]])
    assert not alti(parts[:, 2:], np.array([[3.0, 1.0]])).any()


def test_unlike_is_one_less_the_cosine():
    np.testing.assert_allclose(
        unlike(np.array([[1.0, 0.0]] * 4), [[2.0, 0], [0, 5.0], [-1.0, 0], [0, 0]]), [0, 1, 2, 0]
    )


def test_effective_attention_of_twins_is_shared_evenly():
    """Keys 0 and 1 have one value: how a row is split between them cannot be seen, so they get the same."""
    values = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = effective(np.array([[0.9, 0.0, 0.1], [0.0, 0.2, 0.8]]), values)
    np.testing.assert_allclose(found, [[0.45, 0.45, 0.1], [0.1, 0.1, 0.8]], atol=1e-12)


def test_effective_attention_stays_behind_the_mask():
    values = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    weights = np.array([[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.6, 0.2, 0.2]])
    found = effective(weights, values, np.tri(3, dtype=bool))
    np.testing.assert_allclose(found, [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.4, 0.4, 0.2]], atol=1e-12)


@pytest.mark.parametrize(("n", "width", "same"), [(6, 8, True), (8, 8, True), (12, 8, False)])
@pytest.mark.parametrize("causal", [False, True])
def test_effective_attention_is_the_weights_where_values_are_independent(n, width, same, causal):
    random = np.random.default_rng(n)
    allowed = np.tri(n, dtype=bool) if causal else np.ones((n, n), bool)
    weights = np.where(allowed, random.random((n, n)), 0)
    values = random.standard_normal((n, width)) @ random.standard_normal((width, 20))
    found = effective(weights, values, allowed)
    np.testing.assert_allclose(found @ values, weights @ values, atol=1e-9)
    assert not found[~allowed].any()
    assert np.allclose(found, weights) == same
    for row in range(n):  # against the projection written as the paper has it: less what lies in the null space
        seen = np.flatnonzero(allowed[row])
        left, singular, _ = np.linalg.svd(values[seen])
        null = left[:, int((singular > 1e-9).sum()) :]
        np.testing.assert_allclose(found[row, seen], weights[row, seen] - weights[row, seen] @ null @ null.T, atol=1e-9)


def test_summary_in_three_numbers():
    weights, one = np.array([[0.5, 0.5], [1.0, 0.0]]), np.array([[0.25, 0.75], [1.0, 0.0]])
    assert summary(one, weights, (False, True)).result() == pytest.approx((0.375, 0.125, 0.125))


# --- the engine -------------------------------------------------------------------------------------------------------


class Ask:
    """Keeps what a layer's block is behind its heads, and the heads."""

    needs = frozenset({"v", "vectors", "after_attention"})

    def __init__(self):
        self.blocks, self.seen = {}, {}

    def wants(self, layer, head):
        return True

    def take(self, tile):
        pass

    def see(self, layer, name, values):
        self.seen[layer, name] = values.copy()

    def after_attention(self, layer, block):
        everywhere = np.arange(len(block.residual))
        out = self.seen[layer, "output"]
        random = np.random.default_rng(0).standard_normal((len(out), len(out) + 1, out.shape[1])).astype(np.float32)
        parts = random - random.mean(1, keepdims=True) + out[:, None] / (len(out) + 1)
        self.blocks[layer] = (block.added, block.parts(parts, everywhere), block.finish)
        self.finished = block.finish(self.seen[layer, "heads"], everywhere)


def one_layer(spec):
    return replace(
        spec,
        n_layers=1,
        layer_source=spec.layer_source[:1],
        rotary=spec.rotary[:1],
        reach=spec.reach[:1],
        final_norm=None,
        convolution_after_first=0,
    )


@calm
@given(text_cases())
def test_parts_make_up_the_sublayer_of_every_kind_of_block(case):
    spec = replace(one_layer(case.spec), norm=replace(case.spec.norm, bias=False))
    ask = Ask()
    run_engine(spec, case.tensors(), case.inputs, {"self": [ask]})
    added, parts, _ = ask.blocks[0]
    np.testing.assert_allclose(parts.sum(1), added, atol=2e-4 * max(1.0, np.abs(parts).max()))


def test_the_residual_stream_may_be_what_was_read():
    spec = Spec(n_layers=1, n_heads=2, d_model=8, d_mlp=12, vocab=9, norm_before=True, residual_from_norm=True)
    case, ask = Case(spec, StackInput(ids=[3, 1, 4, 1, 5]), 0), Ask()
    run_engine(spec, case.tensors(), case.inputs, {"self": [ask]})
    np.testing.assert_allclose(ask.blocks[0][0], ask.seen[0, "read"] + ask.seen[0, "output"], atol=1e-6)


@calm
@given(text_cases())
def test_without_an_mlp_the_sublayer_is_the_block(case):
    spec = replace(one_layer(case.spec), parallel="", d_mlp=0, n_experts=0)
    ask = Ask()
    whole = run_engine(spec, case.tensors(), case.inputs, {"self": [ask]}, whole=True)
    np.testing.assert_allclose(ask.blocks[0][0], whole, atol=1e-5 * max(1.0, np.abs(whole).max()))


@calm
@given(text_cases())
def test_a_block_finished_with_its_own_heads_is_the_block(case):
    spec = one_layer(case.spec)
    ask = Ask()
    whole = run_engine(spec, case.tensors(), case.inputs, {"self": [ask]}, whole=True)
    np.testing.assert_allclose(ask.finished, whole, atol=1e-5 * max(1.0, np.abs(whole).max()))


@calm
@given(text_cases() | sparse_cases())
def test_value_zeroing_is_the_engine_run_again_without_a_value(case):
    spec = one_layer(case.spec)
    assume(not spec.n_experts)  # whose choice of an expert may hang on rounding
    n = len(case.stack_input.ids) or len(case.stack_input.words)
    assume(1 < n <= 12)
    keep = Moved([0], MEASURES, n, spec.n_heads, range(spec.n_heads), case.inputs.global_tokens)
    whole = run_engine(spec, case.tensors(), case.inputs, {"self": [keep]}, whole=True)
    wanted = np.zeros((n, n))
    project = Projector.project
    for j in range(n):

        def without(*arguments, j=j, **more):
            made = project(*arguments, **more)
            v = made.v.copy()
            v[:, j] = 0
            return Heads(made.q, made.k, v)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Projector, "project", without)
            wanted[:, j] = unlike(whole, run_engine(spec, case.tensors(), case.inputs, {}, whole=True))
    for row in range(n):
        if wanted[row].sum() > 1e-3:
            np.testing.assert_allclose(keep.together["zeroing"][0][row], wanted[row] / wanted[row].sum(), atol=2e-3)


@calm
@given(text_cases() | sparse_cases())
def test_norms_equal_slow_loops(case):
    spec = one_layer(case.spec)
    n = len(case.stack_input.ids) or len(case.stack_input.words)
    assume(n <= 8)
    keep = Moved([0], ("weights", "norm"), n, spec.n_heads, range(spec.n_heads), case.inputs.global_tokens)
    ask = Ask()
    run_engine(spec, case.tensors(), case.inputs, {"self": [keep, ask]})
    width, group = spec.d_value, spec.n_heads // spec.n_kv_heads
    output = ask.seen.get((0, "o.weight"), np.eye(spec.n_heads * width, dtype=np.float32))
    for i in range(n):
        v = ask.seen[0, "global_v" if i in case.inputs.global_tokens else "v"]
        for j in range(n):
            total = np.zeros(len(output))
            for h in range(spec.n_heads):
                f = output[:, h * width : (h + 1) * width] @ v[h // group, j]
                part = keep.by_head["weights"][0][h, i, j] * f
                assert keep.by_head["norm"][0][h, i, j] == pytest.approx(np.linalg.norm(part), rel=1e-4, abs=1e-5)
                total += part
            assert keep.together["norm"][0][i, j] == pytest.approx(np.linalg.norm(total), rel=1e-3, abs=1e-4)


# --- models -----------------------------------------------------------------------------------------------------------


def test_the_published_model_agrees_with_transformers_own_layers(minilm):
    stored = np.load(NORMS)
    model = attnviz.load(minilm)
    found = attnviz.norms(model, TIRED, measure=["weights", "norm", "residual", "alti", "zeroing"])
    for name in ("norm", "residual", "alti", "zeroing"):
        difference = np.abs(found.absolute[name].weights[:, 0] - stored[name]).max()
        assert difference < 1e-5 * max(1.0, stored[name].max()), name
    single = attnviz.norms(model, TIRED, layers=3, heads=range(12)).absolute["norm"]
    assert np.abs(single.weights[0] - stored["head"]).max() < 1e-5


def test_special_tokens_get_weight_and_move_little(minilm):
    """The finding of Kobayashi 2020, section 4."""
    found = attnviz.norms(attnviz.load(minilm), TIRED, measure=["weights", "norm"]).shares
    special = {name: one.weights[2, 0][:, [0, -1]].sum(-1).mean() for name, one in found.items()}
    assert special["weights"] == pytest.approx(0.61, abs=0.005)
    assert special["norm"] == pytest.approx(0.16, abs=0.005)


def test_a_later_layer_alone_is_that_of_all():
    model = attnviz.load("seeded", n_layers=3, causal=True)
    whole, one = (attnviz.norms(model, "a b c d", layers=layers, heads=range(4)) for layers in (None, -1))
    for name, found in one.absolute.items():
        np.testing.assert_array_equal(found.weights[0], whole.absolute[name].weights[2])
    every, last = attnviz.norms(model, "a b c d"), attnviz.norms(model, "a b c d", layers=[2])
    for name, found in last.absolute.items():
        np.testing.assert_allclose(found.weights[0], every.absolute[name].weights[2], atol=1e-6)
        assert not found.weights[0, 0][~np.tri(4, dtype=bool)].any()


def test_effective_attention_is_left_out_where_it_is_the_weights():
    found = attnviz.norms(attnviz.load("seeded"), "a b c")
    assert "effective" not in found.absolute
    assert found.messages[0].startswith("left out: effective: the values of these 3 tokens are independent")
    longer = attnviz.norms(attnviz.load("seeded"), " ".join(f"w{i}" for i in range(24)))  # heads are 16 wide
    assert np.abs(longer.absolute["effective"].weights - longer.absolute["weights"].weights).max() > 0.01


def test_mechanisms_that_weigh_in_another_way_have_norms_too():
    model = attnviz.load("seeded").with_mechanism("additive")
    found = attnviz.norms(model, "a b c d")
    np.testing.assert_allclose(
        found.absolute["weights"].weights[:, 0], model.attend("a b c d").weights.mean(1), atol=1e-6
    )
    assert found.absolute["norm"].weights.min() > 0


def test_rollout_of_alti_is_the_product_of_its_layers():
    model = attnviz.load("seeded", n_layers=3)
    layers = attnviz.norms(model, "a b c d", measure=["alti"]).absolute["alti"].weights[:, 0].astype(np.float64)
    found = attnviz.rollout(model, "a b c d", of="alti", layers=[2]).attention
    np.testing.assert_allclose(found.weights[0, 0], layers[2] @ layers[1] @ layers[0], atol=1e-6)
    np.testing.assert_allclose(found.weights.sum(-1), 1, atol=1e-5)
    assert found.meta["measure"] == "rollout of alti"


def test_what_cannot_be_measured_says_so():
    model = attnviz.load("seeded")
    with pytest.raises(InputError, match="in cross-attention nothing of the text is mixed in"):
        attnviz.norms(model, "a b", "c d", stream="cross")
    with pytest.raises(InputError, match=r"norms of 600 tokens are too much work.*up to 512"):
        attnviz.norms(model, " ".join("abcdef" for _ in range(600)))
    with pytest.raises(SelectionError, match="measure"):
        attnviz.norms(model, "a b", measure=["size"])
    long = attnviz.norms(model, " ".join(f"w{i}" for i in range(130)), layers=0)
    assert "zeroing" not in long.absolute
    assert any("zeroing" in message and "ask for it by name" in message for message in long.messages)


# --- the command ------------------------------------------------------------------------------------------------------


def test_json_has_a_number_for_every_measure(run):
    code, out, err = run("norms", "a b c", "--json")
    rows = json.loads(out)
    names = ["layer", "query", "query_token", "key", "key_token", "weight", "norm", "norm_share"]
    assert (code, list(rows[0])) == (0, [*names, "residual", "residual_share", "alti", "zeroing"])
    assert len(rows) == 2 * 9
    assert err == (
        "left out: effective: the values of these 3 tokens are independent, so that it is the weights themselves\n"
    )
    for name in ("weight", "norm_share", "residual_share", "alti", "zeroing"):
        assert sum(row[name] for row in rows if (row["layer"], row["query"]) == (1, 2)) == pytest.approx(1, abs=1e-5)


def test_single_heads_have_the_measures_of_heads(run):
    _, out, _ = run("norms", "a b c", "-H", "1,3", "-l", "0", "--measure", "norm", "--query", "b", "--json")
    rows = json.loads(out)
    assert [(row["head"], row["key_token"]) for row in rows] == [(h, k) for h in (1, 3) for k in "abc"]
    wanted = attnviz.norms(attnviz.load("seeded"), "a b c", layers=0, heads=[1, 3]).absolute["norm"].weights[0, :, 1]
    np.testing.assert_allclose([row["norm"] for row in rows], wanted.ravel(), rtol=1e-6)


def test_a_summary_in_a_pipe(run, minilm):
    _, out, _ = run("norms", TIRED, "-m", str(minilm), "-l", "3", "-q")
    assert out.splitlines() == [
        "layer  measure   special  self  unlike",
        "    3  weights      0.55  0.10    0.00",
        "    3  norm         0.13  0.08    0.45",
        "    3  residual     0.14  0.62    0.52",
        "    3  alti         0.12  0.80    0.71",
        "    3  zeroing      0.13  0.11    0.49",
    ]


def test_one_query_in_a_pipe(run, minilm):
    _, out, _ = run("norms", TIRED, "-m", str(minilm), "-l", "3", "--query", "it", "-q")
    lines = out.splitlines()
    assert lines[0].split() == ["layer", "key", "token", "weights", "norm", "residual", "alti", "zeroing"]
    assert lines[1].split() == ["3", "0", "[CLS]", "0.37", "0.02", "0.01", "0.00", "0.00"]
    assert lines[3].split() == ["3", "2", "animal", "0.10", "0.18", "0.09", "0.06", "0.42"]


def test_a_picture_has_a_column_a_measure(run):
    code, out, _ = run("norms", "a b c", "--causal", "-o", "n.svg")
    drawn = Path("n.svg").read_text(encoding="utf-8")
    assert (code, out) == (0, "n.svg\n")
    for text in ("weights", "norm", "norm, residual", "ALTI", "value zeroing", "layer 0", "share of the row"):
        assert f">{text}<" in drawn
    assert "seeded · what attention moves · layers 0, 1 · 4 heads together" in drawn
    assert "grey: later tokens, not allowed" in drawn


def test_a_signed_measure_has_a_scale_of_its_own():
    found = attnviz.norms(
        attnviz.load("seeded"), " ".join(f"w{i}" for i in range(24)), measure=["weights", "effective"]
    )
    drawn = place(found.page(), FigureOptions())
    maps = [panel for panel in drawn.panels if "bar" not in panel.title]
    assert [panel.title for panel in maps[:2]] == ["layer 0  weights", "layer 0  effective"]
    assert maps[0].scale.low == 0
    assert maps[1].scale.low == -maps[1].scale.high
    assert "red above 0, blue below, on a scale of its own" in drawn.notes


def test_numbers_in_a_file(run):
    assert run("norms", "a b c", "--measure", "alti", "-o", "n.csv")[1] == "n.csv\n"
    rows = list(csv.DictReader(Path("n.csv").read_text(encoding="utf-8").splitlines()))
    assert list(rows[0]) == ["layer", "query", "query_token", "key", "key_token", "weight", "alti"]
    assert len(rows) == 18


def test_from_python_the_numbers_are_those_of_the_command(run):
    _, out, _ = run("norms", "a b c", "-H", "1.3,0.0", "--query", "b", "--json")
    result = attnviz.norms(attnviz.load("seeded"), "a b c", heads=["1.3", "0.0"], query="b")
    assert list(result.rows()) == json.loads(out)
    with pytest.raises(attnviz.AttnvizError, match="attention alone does not hold"):
        attnviz.norms(attnviz.load("seeded").attend("a b c"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("norms", "a b", "--measure", "size"), 2, "size"),
        (("norms", "--from", "x.npz"), 2, "norms need values and W_O, which attention alone does not hold"),
        (("norms", "a b", "-H", "0", "--measure", "alti"), 1, "alti is of all heads together"),
        (("norms", "a b", "--pair", "c", "--stream", "cross"), 1, "in cross-attention nothing of the text is mixed"),
        (("rollout", "a b", "--of", "norm"), 2, "norm"),
        (("rollout", "a b", "--of", "alti", "-H", "0"), 2, "alti is of all heads together"),
        (("rollout", "--from", "x.npz", "--of", "alti"), 2, "--of alti needs values and W_O"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(run, arguments, code, message):
    found, out, err = run(*arguments)
    assert found == code
    assert not out
    assert message in err
    assert err.startswith("error: ")
