"""The walk through one head's attention: numbers computed by hand, the same numbers everywhere, exact text."""

from __future__ import annotations

import io
import json
import re
import runpy
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.paths import REFERENCE, ROOT
from rich.console import Console

import attnviz
from attnviz.analyses.steps import find_query
from attnviz.cli import main
from attnviz.engine.collectors import Dense
from attnviz.engine.tile import Tile
from attnviz.errors import InputError, OutputError, SelectionError
from attnviz.measures.steps import entropy, softmax
from attnviz.measures.steps_recorder import WHOLE
from attnviz.page.figure_options import FigureOptions
from attnviz.page.label_bounds import bounds
from attnviz.page.place import place
from attnviz.render.cell_marks import strokes
from attnviz.render.image import to_bytes
from attnviz.render.printer import print_page
from attnviz.show import encode_result

CASES = sorted(p.name for p in REFERENCE.iterdir() if p.is_dir())
INPUTS = {"input_ids": "ids", "token_type_ids": "token_types", "decoder_input_ids": "target_ids"}
ARRAYS = ("pixel_values", "input_values", "input_features")
HAND = ROOT / "sample_inputs" / "by_hand.npz"
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def hand():
    return attnviz.load(HAND)


pytestmark = pytest.mark.usefixtures("no_settings")


def figure(found, **options):
    return place(found.page(), FigureOptions(**options))


def case(name):
    """A reference model and what it reads."""
    expected = np.load(REFERENCE / name / "expected.npz")
    given = {ours: expected[theirs].tolist() for theirs, ours in INPUTS.items() if theirs in expected}
    return attnviz.load(REFERENCE / name), given | {key: expected[key] for key in ARRAYS if key in expected}


# ---- computed by hand


def test_the_example_is_what_its_script_makes():
    made = runpy.run_path(str(HAND.with_suffix(".py")))["ARRAYS"]
    stored = np.load(HAND)
    assert set(stored) == set(made)
    for name, values in made.items():
        np.testing.assert_array_equal(stored[name], values)


def test_vectors_by_hand(hand):
    found = attnviz.steps(hand, "I like tea")
    assert (found.query, found.facts.layer, found.facts.head) == (2, 0, 0)
    expected = {
        "embedding": [[1, -1], [-1, 1], [1, 0]],
        "positions": [[0, 0], [1, 0], [0, 1]],
        "embedded": [[1, -1], [0, 1], [1, 1]],
        "q": [[1, -1, 1, -1], [0, 1, 0, 1], [1, 1, 1, 1]],
        "k": [[1, -2, 1, 0], [0, 2, 0, 0], [1, 2, 1, 0]],
        "v": [[1, -1, 0, -2], [0, 1, 1, 2], [1, 1, 2, 2]],
    }
    assert {v.name: v.values.tolist() for v in found.vectors} == expected
    assert found.matrices["W_Q"].tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]
    assert found.matrices["W_O"].tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]


def test_scores_by_hand(hand):
    found = attnviz.steps(hand, "I like tea", query="tea")
    assert [s.name for s in found.scores] == ["raw", "scaled", "masked"]
    assert [s.row.tolist() for s in found.scores] == [[0, 2, 4], [0, 1, 2], [0, 1, 2]]
    total = 1 + np.e + np.e**2
    np.testing.assert_allclose(found.weights, [1 / total, np.e / total, np.e**2 / total], rtol=1e-6)
    before = attnviz.steps(hand, "I like tea", query="like")
    assert before.score("raw").row.tolist() == [-2, 2, 2]
    assert before.score("masked").row.tolist() == [-1, 1, -np.inf]
    assert before.allowed.tolist() == [True, True, False]
    np.testing.assert_allclose(before.weights, [1 / (1 + np.e**2), np.e**2 / (1 + np.e**2), 0], rtol=1e-6)


def test_outputs_by_hand(hand):
    a = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    b = np.exp([-2, 1, 0]) / np.exp([-2, 1, 0]).sum()
    first = a @ [[1, -1, 0, -2], [0, 1, 1, 2], [1, 1, 2, 2]]
    second = b @ [[2, -1, 0, 1], [0, 1, 0, 0], [2, 1, 0, 1]]
    parts = [[first[0] + first[2], first[1] + first[3]], [second[1] + second[3], second[0] - second[3]]]
    for head, output in ((0, first), (1, second)):
        found = attnviz.steps(hand, "I like tea", head=head)
        np.testing.assert_allclose(found.output, output, rtol=1e-6)
        np.testing.assert_allclose(found.heads, [first, second], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(found.parts, parts, rtol=1e-6)
        np.testing.assert_allclose(found.projected, np.sum(parts, 0), rtol=1e-6)
    lengths = np.linalg.norm(parts, axis=-1)
    np.testing.assert_allclose(found.head_share, lengths / lengths.sum(), rtol=1e-6)


def test_shares_by_hand(hand):
    found = attnviz.steps(hand, "I like tea")
    a = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    v = np.array([[1, -1, 0, -2], [0, 1, 1, 2], [1, 1, 2, 2]])
    lengths = a * np.sqrt([6, 6, 10])
    np.testing.assert_allclose(found.norm_share, lengths / lengths.sum(), rtol=1e-6)
    o = a @ v
    np.testing.assert_allclose(found.output_share, [a[j] * (v[j] @ o) / (o @ o) for j in range(3)], rtol=1e-6)
    assert found.output_share[0] < 0  # "I" pulls the other way


def test_scaling_by_hand(hand):
    found = attnviz.steps(hand, "I like tea").scaling
    steep = np.exp([0, 2, 4]) / np.exp([0, 2, 4]).sum()
    np.testing.assert_allclose(found.without, steep, rtol=1e-6)
    assert found.entropy_without == pytest.approx(-(steep * np.log(steep)).sum())
    assert found.most == pytest.approx(np.log(3))
    assert found.entropy_without < found.entropy_scaled < found.most


def test_entropy_and_softmax():
    assert entropy([0.25] * 4) == pytest.approx(np.log(4))
    assert entropy([1.0, 0, 0]) == 0
    allowed = np.array([True, True, False])
    np.testing.assert_allclose(softmax(np.array([0, np.log(3), 99]), allowed), [0.25, 0.75, 0])
    np.testing.assert_allclose(softmax(np.array([0, 0, 0]), allowed, sink=np.log(2)), [0.25, 0.25, 0])
    assert softmax(np.zeros(3), np.zeros(3, bool)).tolist() == [0, 0, 0]
    assert softmax(np.array([9000.0, 9000, 0]), allowed).tolist() == [0.5, 0.5, 0]


# ---- the same numbers everywhere


@pytest.mark.parametrize("name", CASES)
def test_every_step_follows_from_the_one_before(name):
    model, given = case(name)
    for stream in model.streams:
        if stream in ("decoder", "cross") and "target_ids" not in given:
            continue
        whole = model.attend(**given, stream=stream, own_heads=True).weights
        n_layers, n_heads, n_query, _ = whole.shape
        for layer in range(n_layers):
            for head, query in ((0, n_query - 1), (n_heads - 1, n_query // 2)):
                found = attnviz.steps(model, **given, stream=stream, layer=layer, head=head, query=query)
                np.testing.assert_allclose(found.weights, whole[layer, head, query], atol=2e-6)
                np.testing.assert_allclose(found.weight_matrix, whole[layer, head], atol=2e-6)
                check(found)


def check(found):
    """Each step from the numbers of the step before it, as a reader would."""
    facts, i = found.facts, found.query
    close = {"rtol": 2e-4, "atol": 2e-4}
    if "W_C" in found.matrices:
        check_compressed(found, close)
    elif not facts.spec.qkv_clip:
        q = found.read[i] @ found.matrices["W_Q"] + found.matrices.get("b_Q", 0)
        np.testing.assert_allclose(q, found.vector("q").values[i], **close)
        source = found.read if facts.stream != "cross" else found.vector("memory").values
        v = source @ found.matrices["W_V"] + found.matrices.get("b_V", 0)
        np.testing.assert_allclose(v, found.used("v"), **close)
    if facts.rotary and "stretched" not in facts.rotary and "stores" not in facts.rotary:
        for which in "qk":
            before = found.vector(f"{which}_normed") or found.vector(which)
            after = found.vector(f"{which}_turned") or found.vector(f"{which}_used")
            lengths = np.linalg.norm(before.values, axis=-1)
            np.testing.assert_allclose(np.linalg.norm(after.values, axis=-1), lengths, **close)
    row = found.used("k") @ found.used("q")[i]
    for scores in found.scores:
        if scores.name in ("relative", "before_scale", "biased", "counted"):
            row = row + scores.added
        elif scores.name == "scaled":
            row = row * facts.scale
        elif scores.name == "capped":
            row = facts.softcap * np.tanh(row / facts.softcap)
        elif scores.name == "masked":
            row = np.where(found.allowed, row, -np.inf)
        np.testing.assert_allclose(scores.row, row, **close, err_msg=scores.name)
        np.testing.assert_array_equal(scores.matrix[i], scores.row)
    weights = softmax(found.scores[-1].row, found.allowed, found.sink)
    np.testing.assert_allclose(found.weights, weights, atol=1e-5)
    np.testing.assert_allclose(found.weights @ found.used("v"), found.output, **close)
    np.testing.assert_allclose(found.heads[facts.head], found.output, **close)
    if found.parts is None:
        np.testing.assert_array_equal(found.projected, found.heads.reshape(-1))
    else:
        np.testing.assert_allclose(found.output @ found.matrices["W_O"], found.parts[facts.head], **close)
        projected = found.parts.sum(0) + found.matrices.get("b_O", 0)
        np.testing.assert_allclose(projected, found.projected, **close)
    assert found.norm_share.sum() == pytest.approx(1)
    assert found.output_share.sum() == pytest.approx(1)
    assert [step.label for step in found.steps if step.label.isdecimal()] == list("1234567")


def check_compressed(found, close):
    """Keys and values from their compressed vector; the rest of a key from the stream, and the same in every head."""
    asks = found.vector("compressed_q").values if found.vector("compressed_q") else found.read
    np.testing.assert_allclose(asks @ found.matrices["W_Q"], found.vector("q").values, **close)
    kept = found.vector("compressed").values
    shared = found.read @ found.matrices["W_S"] + found.matrices.get("b_S", 0)
    key = np.concatenate([kept @ found.matrices["W_K"], shared], 1)
    np.testing.assert_allclose(key, found.vector("k").values, **close)
    np.testing.assert_allclose(kept @ found.matrices["W_V"], found.used("v"), **close)


SEVEN = ["inputs", "raw", "scaled", "masked", "softmax", "summed", "joined"]
MORE = {
    "bert": [],
    "llama": ["grouped", "rotary"],
    "gemma2": ["grouped", "rotary", "capped"],
    "qwen3": ["grouped", "qk_norm", "rotary"],
    "bloom": ["biased"],
    "t5": ["biased"],
    "xlnet": ["content_bias", "relative"],
    "deberta_v2": ["relative"],
    "gpt_oss": ["grouped", "rotary", "sink"],
    "hunyuan_v1_dense": ["grouped", "rotary", "qk_norm"],
    "cohere2": ["grouped"],
}


@pytest.mark.parametrize("name", MORE)
def test_a_model_has_the_steps_that_are_its_own(name):
    model, given = case(name)
    found = attnviz.steps(model, **given, **({"stream": "encoder"} if name == "t5" else {}))
    assert sorted(step.name for step in found.steps) == sorted(SEVEN + MORE[name])


def test_a_norm_after_rotary_positions_is_what_scores_are_made_of():
    model, given = case("hunyuan_v1_dense")
    found = attnviz.steps(model, **given)
    order = [step.name for step in found.steps]
    assert order.index("rotary") < order.index("qk_norm")
    turned, used = found.vector("q_turned").values, found.used("q")
    weight = model.tensors.get(f"layers.{found.facts.layer}.q_norm.weight", (found.facts.spec.d_head,))
    normed = turned / np.sqrt((turned**2).mean(-1, keepdims=True) + 1e-5) * weight
    np.testing.assert_allclose(used, normed, atol=1e-5)


def test_alibi_is_its_slope_times_the_distance():
    model, given = case("bloom")
    found = attnviz.steps(model, **given, head=1, query=3)
    assert found.facts.slope == 1 / 16
    distance = np.arange(len(found.keys)) - 3
    np.testing.assert_allclose(found.score("biased").added, distance / 16, atol=1e-6)


def test_a_sink_takes_what_the_keys_do_not_get():
    model, given = case("gpt_oss")
    found = attnviz.steps(model, **given, query=1)
    masked = found.scores[-1].row[found.allowed].astype(float)
    share = np.exp(found.sink) / (np.exp(found.sink) + np.exp(masked).sum())
    assert found.sink_weight == pytest.approx(share, abs=1e-6)
    assert found.weights.sum() == pytest.approx(1 - share, abs=1e-6)


def test_t5_does_not_scale():
    model, given = case("t5")
    found = attnviz.steps(model, **given, stream="encoder")
    compared = found.scaling
    assert not found.facts.scales
    assert compared.factor == found.facts.spec.d_head**-0.5
    np.testing.assert_array_equal(found.score("raw").row, found.score("scaled").row)
    assert "does not scale" in found.step("scaled").lines[0][0]


@pytest.mark.parametrize("query", [0, 2, 5])
def test_global_tokens_have_projections_of_their_own(query):
    model, given = case("longformer")
    given["global_tokens"] = [2]
    found = attnviz.steps(model, **given, query=query)
    np.testing.assert_allclose(found.weights, model.attend(**given).weights[-1, 0, query], atol=2e-6)
    check(found)
    assert any(step.name == "global" for step in found.steps) == (query == 2)


@pytest.mark.parametrize("causal", [False, True])
def test_a_long_text_keeps_the_row_alone(causal):
    model = attnviz.load("seeded", n_layers=1, causal=causal)
    text = "the cat sat on the mat " * 100
    found = attnviz.steps(model, text, query=300, head=2)
    whole = model.attend(text, rows=(300, 301)).weights[0, 2, 0]
    assert len(found.keys) ** 2 > WHOLE
    assert found.weight_matrix is None and found.score("raw").matrix is None
    np.testing.assert_allclose(found.weights, whole, atol=2e-6)
    seen = np.isfinite(found.score("raw").row)
    assert found.allowed[seen].sum() == found.allowed.sum() == (301 if causal else 600)
    np.testing.assert_allclose((found.used("k") @ found.used("q")[300])[seen], found.score("raw").row[seen], atol=1e-4)
    np.testing.assert_allclose(found.weights @ found.used("v"), found.output, atol=1e-5)
    assert figure(found).panels
    json.dumps(list(found.rows()), allow_nan=False)


def test_layers_heads_and_queries(hand):
    model = attnviz.load("seeded")
    assert attnviz.steps(model, "a b c").facts.layer == 1
    found = attnviz.steps(model, "a b c", layer=-2, head=-1, query=-1)
    assert (found.facts.layer, found.facts.head, found.query) == (0, 3, 2)
    for wrong in ({"layer": 2}, {"head": 4}, {"query": 3}, {"query": "d"}):
        with pytest.raises(SelectionError):
            attnviz.steps(model, "a b c", **wrong)


def test_the_default_query_is_the_last_that_is_not_special(minilm):
    model = attnviz.load(minilm)
    tokens = model.tokens("The cat sat")
    assert tokens.text[find_query(tokens)] == "sat"
    assert tokens.text[-1] == "[SEP]"


def test_nobody_gets_stages_without_asking():
    seen: list[Tile] = []

    class Looks(Dense):
        def take(self, tile):
            seen.append(tile)
            super().take(tile)

    model = attnviz.load("seeded")
    given = model.prepare("a b c")
    model.observe(given, [Looks([1], [0], range(3), range(3))])
    assert seen and all(tile.stages is None for tile in seen)


# ---- what is printed

EIGHTY = """
by_hand · layer 0, the only one · head 0 of 0–1
query i = 1, “like”, and 3 keys

1  Embeddings, queries, keys and values
   x_i = token + position   [3 x 2]
   q_i = x_i W_Q            [2] [2 x 4] → [4]
   k_j = x_j W_K            [2] [2 x 4] → [4]
   v_j = x_j W_V            [2] [2 x 4] → [4]

   i   query   embedding   position    x_i
   0   I            1 -1        0 0   1 -1
   1   like        -1  1        1 0   0  1
   2   tea          1  0        0 1   1  1

   W_Q       W_K       W_V
   1 0 1 0   1 0 1 0   1 0 1 0
   0 1 0 1   0 2 0 0   0 1 1 2

   i   query         q_i        k_j         v_j
   0   I       1 -1 1 -1   1 -2 1 0   1 -1 0 -2
   1   like    0  1 0  1   0  2 0 0   0  1 1  2
   2   tea     1  1 1  1   1  2 1 0   1  1 2  2

2  Raw scores
   e_ij = q_i · k_j   [4] [4 x 3] → [3]
   e_1,1 = 0·0 + 1·2 + 0·0 + 1·0 = 2

3  Scaling
   s_ij = e_ij / √d_k = e_ij / √4 = e_ij / 2   [3]
   s_1,1 = 2 / 2 = 1
   the softmax over these scores alone:
                             entropy (nats)   largest weight
   without scaling                     0.09             0.98
   with scaling                        0.37             0.88
   equal weights on 2 keys             0.69             0.50

4  Mask
   s_ij ← −∞ where j > i (causal)   [3]
   query 1 sees 2 of 3 keys

5  Softmax
   a_ij = exp(s_ij) / Σ_k exp(s_ik)   [3] → [3]
   a_1,1 = exp(1) / (exp(-1) + exp(1)) = 2.718 / 3.086 = 0.881

   j   key    e_ij   s_ij   masked   unscaled   a_ij
   0   I        -2     -1       -1       0.02   0.12   ██▉
   1   like      2      1        1       0.98   0.88   █████████████████████▏
   2   tea       2      1       -∞       0.00   0.00
   unscaled: what the softmax would give without the scaling of step 3

6  Weighted sum of the values
   o_i = Σ_j a_ij v_j   [3] [3 x 4] → [4]

   j   key    a_ij   a_ij v_j                ‖v_j‖   by norm   along o_i
   0   I      0.12   0.12 -0.12 0.00 -0.24    2.45      0.12       -0.12
   1   like   0.88   0.00  0.88 0.88  1.76    2.45      0.88        1.12
   2   tea    0.00   0.00  0.00 0.00  0.00    3.16      0.00        0.00
   o_1 = 0.12 0.76 0.88 1.52
   by norm: a_ij ‖v_j‖ / Σ_k a_ik ‖v_k‖; along o_i: (a_ij v_j · o_i) / ‖o_i‖²;
   each sums to 1

7  Heads side by side, projected
   y_i = [o_i^0 o_i^1] W_O   [8] [8 x 2] → [2]

   head   o_i                   o_i W_O     by norm
      0   0.12 0.76 0.88 1.52   1.00 2.28      0.76
      1   0.54 0.46 0.00 0.27   0.73 0.27      0.24

   W_O, rows 0 to 3 (head 0)
   1 0
   0 1
   1 0
   0 1
   y_1 = 1.73 2.55
   by norm: ‖o_i W_O‖ of a head / their sum over heads
"""

WIDE = """
gemma3_text · layer 1 of 0–1 · head 0 of 0–3
query i = 3, “9”, and 4 keys

1  Embeddings, queries, keys and values
   x_i = the embedding of token i   [4 x 32]
   x_i ← the stream after layer 0   [4 x 32]
   x_i ← RMS norm(x_i)
   q_i = x_i W_Q                    [32] [32 x 16] → [16]
   k_j = x_j W_K                    [32] [32 x 16] → [16]
   v_j = x_j W_V                    [32] [32 x 16] → [16]

   i = 3         ‖ ‖   numbers
   embedding   18.28   -1.69 3.17 -0.51 1.57 1.71 -4.10 -2.44 5.81 …
   stream      21.02   -4.16 2.42 1.37 0.84 1.43 -4.51 -3.83 3.95 …
   normed       5.38   -0.96 0.71 0.32 0.18 0.37 -1.22 -0.97 1.01 …
   q_i          6.45   0.07 -1.76 0.52 3.30 1.45 -0.27 2.10 0.20 …

   j   key   k_j                                             v_j
   0   5      3.59 2.33 2.35 -0.56  0.41 1.65 2.31 -3.00 …   -3.53 0.18 -1.01 -0.85 -0.13 -1.93 -2.56  0.35 …
   1   9      2.39 1.60 1.75  0.44  2.28 0.83 2.46 -0.79 …    2.36 0.41 -0.87 -0.46  0.32 -0.60  1.46 -0.91 …
   2   11    -0.04 1.24 1.19 -0.10 -1.42 1.70 1.48  1.61 …   -0.07 1.69  1.87  0.22  2.73  3.04  1.46  1.07 …
   3   9      2.30 1.55 1.75  0.34  2.03 0.86 2.33 -0.93 …    2.39 0.70 -0.93 -0.29  0.29 -0.43  1.62 -0.87 …

1b Grouped heads
   heads 0 and 1 share one set of keys and values, number 0 of 0–1 (Ainslie 2023)

1c Norm of queries and keys
   q_i ← norm(q_i), k_j ← norm(k_j)   [16] → [16]
              ‖ ‖   numbers
   q_3       6.45   0.07 -1.76 0.52 3.30 1.45 -0.27 2.10  0.20 …
     after   4.14   0.05 -0.93 0.34 2.18 0.87 -0.16 1.45  0.14 …
   k_1       6.13   2.39  1.60 1.75 0.44 2.28  0.83 2.46 -0.79 …
     after   3.89   1.62  0.98 1.27 0.35 1.44  0.49 1.29 -0.48 …

1d Rotary positions
   q_i ← R(i) q_i, k_j ← R(j) k_j   [16] → [16]
   8 pairs (halves), each turned by its place times an angle, base 10000 (Su 2021)
              ‖ ‖   numbers
   q_3       4.14   0.05 -0.93 0.34 2.18 0.87 -0.16 1.45  0.14 …
     after   4.14   0.06 -0.62 0.08 2.01 0.81 -0.16 1.45  0.14 …
   k_1       3.89   1.62  0.98 1.27 0.35 1.44  0.49 1.29 -0.48 …
     after   3.89   1.13  1.51 1.18 0.34 1.44  0.49 1.29 -0.48 …

2  Raw scores
   e_ij = q_i · k_j   [16] [16 x 4] → [4]
   e_3,1 = 0.06·1.13 + (-0.62)·1.51 + 0.08·1.18 + 2.01·0.34 + … (16 products) = 6.95

3  Scaling
   s_ij = e_ij / √d_k = e_ij / √16 = e_ij / 4   [4]
   s_3,1 = 6.95 / 4 = 1.74
   the softmax over these scores alone:
                             entropy (nats)   largest weight
   without scaling                     0.38             0.88
   with scaling                        1.03             0.54
   equal weights on 4 keys             1.39             0.25

4  Mask
   s_ij ← −∞ where j > i (causal) or j is more than 4 tokens away (a sliding window)   [4]
   query 3 sees all 4 keys

5  Softmax
   a_ij = exp(s_ij) / Σ_k exp(s_ik)   [4] → [4]
   a_3,1 = exp(1.74) / (exp(-0.10) + exp(1.74) + exp(-0.95) + exp(1.25)) = 5.687 / 10.465 = 0.543

   j   key    e_ij    s_ij   unscaled   a_ij
   0   5     -0.42   -0.10       0.00   0.09   ██▏
   1   9      6.95    1.74       0.88   0.54   █████████████
   2   11    -3.79   -0.95       0.00   0.04   ▉
   3   9      5.00    1.25       0.12   0.33   ████████
   unscaled: what the softmax would give without the scaling of step 3

6  Weighted sum of the values
   o_i = Σ_j a_ij v_j   [4] [4 x 16] → [16]

   j   key   a_ij   a_ij v_j                                           ‖v_j‖   by norm   along o_i
   0   5     0.09   -0.30 0.02 -0.09 -0.07 -0.01 -0.17 -0.22  0.03 …    5.97      0.08       -0.01
   1   9     0.54    1.28 0.22 -0.47 -0.25  0.17 -0.33  0.80 -0.49 …    6.60      0.54        0.62
   2   11    0.04    0.00 0.06  0.07  0.01  0.10  0.11  0.05  0.04 …    7.81      0.04        0.00
   3   9     0.33    0.80 0.23 -0.31 -0.10  0.10 -0.14  0.54 -0.29 …    6.65      0.34        0.38
   o_3 = 1.77 0.53 -0.80 -0.41 0.36 -0.52 1.17 -0.71 …
   by norm: a_ij ‖v_j‖ / Σ_k a_ik ‖v_k‖; along o_i: (a_ij v_j · o_i) / ‖o_i‖²; each sums to 1

7  Heads side by side, projected
   y_i = [o_i^0 … o_i^3] W_O   [64] [64 x 32] → [32]

   head   o_i                                                o_i W_O                                             by norm
      0    1.77  0.53 -0.80 -0.41  0.36 -0.52 1.17 -0.71 …    0.32 -1.03 -0.42 -0.73  0.48  2.14 -0.11  1.98 …      0.32
      1    1.09  0.95  0.05 -0.18  1.11  0.63 1.22 -0.11 …   -0.84  0.73 -0.43 -2.03 -0.49 -0.59 -1.34 -1.32 …      0.28
      2   -1.86  0.32 -0.08 -0.35  0.20  0.34 0.65  0.48 …    0.14 -0.41  0.32 -1.13  1.54 -0.44  1.15 -0.23 …      0.20
      3   -1.53 -0.80 -0.68 -0.96 -0.25  0.20 0.99 -0.10 …    1.78  0.47  1.44  0.73 -0.30 -0.98  0.03  0.13 …      0.20
   y_3 = 1.40 -0.24 0.90 -3.16 1.23 0.13 -0.28 0.56 …
   by norm: ‖o_i W_O‖ of a head / their sum over heads
"""


def printed(found, width=None, encoding=None):
    out = io.StringIO()
    if width is None:
        print_page(found.printed(), out)
    else:
        print_page(found.printed(), Console(file=out, width=width, force_terminal=True, color_system=None, _environ={}))
    return "\n".join(line.rstrip() for line in ESCAPE.sub("", out.getvalue()).splitlines())


def test_at_80_columns(hand):
    assert printed(attnviz.steps(hand, "I like tea", query="like"), 80) == EIGHTY.strip("\n")


def test_at_120_columns():
    model, _ = case("gemma3_text")
    assert printed(attnviz.steps(model, ids=[5, 9, 11, 9]), 120) == WIDE.strip("\n")


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("name", ["bert", "xlnet", "gpt_oss", "t5"])
def test_no_line_is_wider_than_the_window(name, width):
    model, given = case(name)
    found = attnviz.steps(model, **given, **({"stream": "encoder"} if name == "t5" else {}))
    assert max(map(len, printed(found, width).splitlines())) <= width


def test_a_pipe_has_no_escape_codes_and_all_keys(hand):
    model = attnviz.load("seeded", n_layers=1)
    found = attnviz.steps(model, "word " * 50 + "\x1b[31m end")
    text = printed(found)
    assert "\x1b" not in text and "█" not in text
    table = text.split("\n5  ")[1].split("unscaled: ")[0]
    assert len(re.findall(r"^ +\d+   \S+ ", table, re.M)) == len(found.keys) == 54
    short = printed(found, 80)
    assert len(re.findall(r"^ +\d+   \S+ ", short.split("\n5  ")[1].split(" more: ")[0], re.M)) == 20


def test_without_unicode_the_signs_are_words(hand):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    print_page(attnviz.steps(hand, "I like tea", query="like").printed(), out)
    out.flush()
    text = raw.getvalue().decode()
    assert "e_ij / sqrt d_k" in text and "-inf" in text and "sum_k" in text


def test_the_terminal_shows_colours_and_bars():
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True, color_system="truecolor", _environ={})
    print_page(attnviz.steps(attnviz.load("seeded"), "The cat sat").printed(), console)
    assert "\x1b[" in out.getvalue() and "█" in out.getvalue()


# ---- what is written


def test_json_rows_are_flat_and_hold_the_walk(hand):
    found = list(attnviz.steps(hand, "I like tea", query="like").rows())
    keys = {"step", "name", "layer", "head", "query", "query_token", "key", "key_token", "dim", "value"}
    assert all(set(row) == keys for row in found)
    assert all(not isinstance(value, (list, dict)) for row in found for value in row.values())
    by_name = {name: [r["value"] for r in found if r["name"] == name] for name in {r["name"] for r in found}}
    assert by_name["raw"] == [-2, 2, 2]
    assert by_name["masked"] == [-1, 1, None]
    assert by_name["k"] == [1, -2, 1, 0, 0, 2, 0, 0, 1, 2, 1, 0]
    assert [r["key_token"] for r in found if r["name"] == "weight"] == ["I", "like", "tea"]
    assert {r["head"] for r in found if r["name"] == "head_share"} == {0, 1}
    order = [r["step"] for r in found]
    assert order == sorted(order)


def test_the_arrays_recompute_each_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["steps", "I like tea", "-m", str(HAND), "-q", "-o", "x.npz"]) == 0
    got = np.load("x.npz")
    q, k, v = ((got["embedded"] @ got[f"W_{name}"]) for name in "QKV")
    e = q @ k.T
    np.testing.assert_array_equal(got["raw"], e)
    s = np.where(got["mask"], e / 2, -np.inf)
    np.testing.assert_array_equal(got["masked"], s)
    a = np.exp(s) / np.exp(s).sum(-1, keepdims=True)
    np.testing.assert_allclose(got["weights"], a, atol=1e-6)
    np.testing.assert_allclose((a @ v)[2], got["output"], atol=1e-6)
    np.testing.assert_allclose(got["output"] @ got["W_O"], got["parts"][0], atol=1e-6)
    meta = json.loads(str(got["meta"]))
    assert meta["model"] == "by_hand" and meta["command"].startswith('attnviz steps "I like tea"')
    assert [step["step"] for step in meta["steps"]] == list("1234567")
    first = Path("x.npz").read_bytes()
    assert main(["steps", "I like tea", "-m", str(HAND), "-q", "-o", "x.npz"]) == 0
    assert Path("x.npz").read_bytes() == first


def test_the_json_file_holds_the_same_arrays(tmp_path, hand):
    place = tmp_path / "x.json"
    assert main(["steps", "I like tea", "-m", str(HAND), "-q", "--query", "like", "-o", str(place)]) == 0
    got = json.loads(place.read_text(encoding="utf-8"))
    wanted = attnviz.steps(hand, "I like tea", query="like").arrays()
    assert set(wanted) <= set(got)
    assert got["query_masked"] == [-1, 1, None]
    np.testing.assert_allclose(got["weights"], wanted["weights"], rtol=1e-7)


@pytest.mark.parametrize("name", ["x.pdf", "x.npz", "x.json", "x.svg"])
def test_a_result_is_saved_by_its_ending(hand, tmp_path, name):
    result = attnviz.steps(hand, "I like tea", query=1, head=1)
    assert result.messages == [] and result.query == 1
    assert Path(result.save(tmp_path / name)).read_bytes() == encode_result(result, name[2:])
    with pytest.raises(OutputError, match=r"the extension of .* must be one of"):
        result.save(tmp_path / "x.csv")


def test_only_a_model_can_be_watched(hand):
    attention = hand.attend("I like tea")
    with pytest.raises(InputError, match="wanted a Model, whose pass is watched; got Attention"):
        attnviz.steps(attention)


# ---- the page

PAGES = {
    "seeded": {},
    "gemma3_text": {},
    "xlnet": {},
    "bart": {"stream": "cross"},
    "gpt_oss": {},
    "vit": {},
}


@pytest.mark.parametrize("name", PAGES)
def test_everything_is_on_the_page_and_no_maps_overlap(name):
    if name == "seeded":
        found = attnviz.steps(attnviz.load("seeded", causal=True), "The animal didn't cross the street")
    else:
        model, given = case(name)
        found = attnviz.steps(model, **given, **PAGES[name])
    drawn = figure(found)
    for label in drawn.labels:
        left, top, right, bottom = bounds(label, drawn.face)
        assert 0 <= left <= right <= drawn.width + 0.5, label
        assert 0 <= top <= bottom <= drawn.height, label
    boxes = [panel.box for panel in drawn.panels]
    for i, a in enumerate(boxes):
        assert a.x >= 0 and a.x + a.width <= drawn.width and a.y + a.height <= drawn.height
        for b in boxes[:i]:
            apart = a.x >= b.x + b.width or b.x >= a.x + a.width or a.y >= b.y + b.height or b.y >= a.y + a.height
            assert apart, (a, b)
    texts = [label.text for label in drawn.labels]
    assert all(step.label in texts for step in found.steps)


def test_the_page_shows_the_numbers_of_the_walk(hand):
    drawn = figure(attnviz.steps(hand, "I like tea", query="like"))
    numbers = [panel.cell_text for panel in drawn.panels]
    assert (("4", "−2", "0"), ("−2", "2", "2"), ("0", "2", "4")) in numbers
    assert (("1.00", "", ""), ("0.12", "0.88", ""), ("0.09", "0.24", "0.67")) in numbers
    assert (("−1", "1", ""),) in numbers
    assert "grey: hidden by the mask" in drawn.notes


def test_numbers_of_narrow_cells_stand_apart_and_small_weights_are_left_out():
    walked = attnviz.steps(attnviz.load("seeded"), ids=list(range(20, 34)))
    drawn = figure(walked)
    softmax = next(p for p in drawn.panels if p.values.shape == (14, 14) and p.scale.low == 0)
    texts = np.array(softmax.cell_text)
    np.testing.assert_array_equal(texts != "", walked.weight_matrix >= 0.05)
    assert "numbers below 0.05 left out of the map of weights" in drawn.notes
    for panel in drawn.panels:
        widest = max((drawn.face.width(text, panel.cell_size) for row in panel.cell_text for text in row), default=0.0)
        gap = panel.box.width / panel.values.shape[1] - widest
        assert not panel.cell_text or gap >= 0.29 * panel.cell_size


def test_a_dash_is_explained_where_one_is_drawn(hand):
    note = "a dash in a cell marks a negative number"
    few = figure(attnviz.steps(hand, "I like tea"))
    many = figure(attnviz.steps(attnviz.load("seeded"), "The cat sat"))
    for drawn in (few, many):
        assert (note in drawn.notes) == any(line.y0 == line.y1 for line in set(strokes(drawn)) - set(drawn.lines))
    assert note in many.notes and note not in few.notes


def test_a_width_scales_the_whole_page(hand):
    found = attnviz.steps(hand, "I like tea")
    plain, small = figure(found), figure(found, width=6.5)
    assert small.width == 6.5 * 72
    pixel = 72 / 200  # heights are whole pixels of the finished picture, rounded up
    assert small.height % pixel == pytest.approx(0, abs=1e-6) or small.height % pixel == pytest.approx(pixel)
    assert abs(small.height - plain.height * small.width / plain.width) <= pixel
    assert small.panels[3].box.x / plain.panels[3].box.x == pytest.approx(small.width / plain.width)


@pytest.mark.parametrize("kind, start", [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pages_are_drawn_and_the_same_each_time(hand, kind, start):
    found = attnviz.steps(hand, "I like tea")
    page = to_bytes(figure(found, title="Tea & <steps>"), kind)
    assert page.startswith(start)
    assert page == to_bytes(figure(found, title="Tea & <steps>"), kind)
    if kind == "svg":
        assert "a_ij = exp(s_ij) / Σ_k exp(s_ik)" in page.decode() and "Tea &amp; &lt;steps&gt;" in page.decode()


# ---- the command


def test_the_command_prints_the_walk_and_says_what_it_chose(capsys):
    assert main(["steps", "I like tea", "-m", str(HAND)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("by_hand · layer 0, the only one · head 0 of 0–1\nquery i = 2, “tea”, and 3 keys\n")
    assert err == "head 0 of 0-1: --head chooses another\nquery 2 of 0-2: --query chooses another\n"
    assert main(["steps", "I like tea", "-m", str(HAND), "-H", "1", "--query", "like"]) == 0
    out, err = capsys.readouterr()
    assert "head 1 of 0–1" in out and err == ""


@pytest.mark.parametrize(
    "words, status, said",
    [
        (["-H", "0-3"], 2, "--head wants one index"),
        (["-H", "all"], 2, "--head wants one index"),
        (["-l", "x"], 2, "--layer wants one index"),
        (["-H", "7"], 1, "head 7 is not there; heads 0-1 are"),
        (["-l", "1"], 1, "layer 1 is not there; layer 0 is the only one"),
        (["--query", "coffee"], 1, "'coffee' is not among the queries"),
        (["--stream", "cross"], 1, "by_hand has no cross attention"),
        (["--stream", "up"], 2, "--stream must be one of"),
        (["--json", "-o", "x.json"], 2, "--json prints to standard output"),
        (["-o", "x.csv"], 2, "ends in '.csv'"),
        (["-o", "nowhere/x.png"], 1, "there is no folder"),
        (["--width", "1cm"], 2, "--width wants 0.5 to 100 inches"),
        (["--dpi", "2400", "-o", "x.png"], 1, "pixels is too large"),
        (["--font", "No Such Font", "-o", "x.svg"], 1, "No Such Font"),
        (["--decimals", "8"], 2, "--decimals wants a number from 0 to 7"),
    ],
)
def test_errors_are_one_line(words, status, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["steps", "I like tea", "-m", str(HAND), "-q", *words]) == status
    out, err = capsys.readouterr()
    assert out == "" and said in err
    lines = err.splitlines()
    assert lines[0].startswith("error: ") and len(lines) <= 2
    assert not list(tmp_path.iterdir())


def test_the_docs_show_what_the_command_prints(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "steps.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```text\n\$ (attnviz steps [^\n]*)\n(.*?)\n```", page, re.S)
    assert len(blocks) == 3
    for command, shown in blocks:
        assert main([*shlex.split(command)[1:], "-q"]) == 0
        assert shown + "\n" in capsys.readouterr().out, command


@pytest.mark.parametrize("scales", [True, False])
def test_both_softmaxes_have_one_name_in_pictures_and_terminals(scales):
    """A model that does not scale, as T5, is compared with the usual factor."""
    result = attnviz.steps(attnviz.load("seeded"), "the cat sat")
    if not scales:
        facts = replace(result.facts, spec=replace(result.facts.spec, scale=1.0))
        result = replace(result, facts=facts)
    without, scaled = result.scaling_words
    assert (without, scaled) == (
        ("without scaling", "with scaling") if scales else ("without scaling, as here", f"times {16**-0.5:.4g}")
    )
    labels = " ".join(label.text for label in place(result.page(), FigureOptions()).labels)
    assert f" nats {without}, " in labels and f" {scaled}; equal weights: " in labels
    assert without in str(result) and scaled in str(result)
