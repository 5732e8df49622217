"""A known answer for every mechanism, computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import attnviz
from attnviz.engine.collectors import Dense
from attnviz.engine.forward import run
from attnviz.engine.inputs import Inputs
from attnviz.engine.spec import Sinusoidal, Spec
from attnviz.variants import MECHANISMS, parse
from attnviz.variants.applied import applied, kind
from attnviz.variants.base import VariantInput

LN2, LN3, E = math.log(2), math.log(3), math.e
EYE = [[1.0, 0.0], [0.0, 1.0]]


def drawn(**values):
    """The numbers that a mechanism draws, by the last part of the tensor's name; zeros by default."""

    def draw(name, shape):
        return np.broadcast_to(np.array(values.get(name.split(".")[-1], 0.0), np.float32), shape).copy()

    return draw


def weighs(asked, q, k, scale=1.0, causal=False, draw=None):
    """The matrix of a mechanism for one head's q and k, [n, d] or [n]."""
    made = kind(parse(asked), draw or drawn())
    assert made is not None
    q, k = (np.array(x, np.float32).reshape(1, len(x), -1) for x in (q, k))
    return made.weights(VariantInput(0, q, k, scale, causal))[0][0]


def nothing(asked, n, causal=False, draw=None):
    """The matrix where all scores are 0: what is seen is seen evenly."""
    return weighs(asked, np.zeros(n), np.zeros(n), causal=causal, draw=draw)


def engine(asked, tokens, tensors, n_heads=1, global_tokens=(), **spec):
    """The matrix of the engine's first head, with no norm and no bias: q = W_q x, k = x.

    tokens: embeddings [n, d]. tensors: by name; what is not named is an identity if it is square, else 0.
    """
    x = np.array(tokens, np.float32)

    class Tensors:
        def get(self, name, shape):
            square = len(shape) == 2 and shape[0] == shape[1]
            return np.array(tensors.get(name, np.eye(shape[0]) if square else np.zeros(shape)), np.float32)

        def rows(self, name, ids, shape):
            return self.get(name, shape)[ids] if name != "embed.tokens" else x[ids]

        def has(self, name):
            return True

    plain = {
        "q_bias": False,
        "k_bias": False,
        "v_bias": False,
        "o_bias": False,
        "norm_before": True,
        "first_norm": False,
    }
    base = Spec(1, n_heads, x.shape[1], 0, vocab=len(x), **plain | spec)
    dense = Dense([0], range(n_heads), range(len(x)), range(len(x)))
    inputs = Inputs(ids=np.arange(len(x)), global_tokens=global_tokens)
    run(applied(base, parse(asked), drawn()), Tensors(), inputs, {"self": [dense]})
    return dense.weights[0]


def queries(by):
    """W_q that makes a token's product with itself so large."""
    return {"layers.0.q.weight": by * np.eye(2)}


def near(found, want):
    np.testing.assert_allclose(found, np.array(want), atol=2e-6)


def scaled_dot():
    """q . k = sqrt(2) ln 3 on the diagonal, over sqrt(2)."""
    near(engine("scaled-dot", EYE, queries(math.sqrt(2) * LN3))[0], [[0.75, 0.25], [0.25, 0.75]])
    near(engine("scaled-dot", EYE, queries(math.sqrt(2) * LN3), scale=9.0)[0], [[0.75, 0.25], [0.25, 0.75]])


def plain_dot():
    near(engine("dot", EYE, queries(LN3))[0], [[0.75, 0.25], [0.25, 0.75]])


def general():
    """W = [[ln 3, 0], [ln 2, 0]]: drawn as it is over scale / sqrt(d), which is 1 / sqrt(2) here."""
    matrix = np.array([[LN3, 0], [LN2, 0]]) * math.sqrt(2)
    draw = lambda name, shape: matrix.astype(np.float32)  # noqa: E731
    near(weighs("general", EYE, EYE, draw=draw), [[0.75, 0.25], [2 / 3, 1 / 3]])


def one_hidden(asked, **parts):
    """q = 0, ln 2 and k = 0, ln 2, of one dimension; the scores are (5/3) ln 3 tanh(q - k), and tanh(ln 2) = 3/5.

    Drawn matrices are divided by sqrt(2), the drawn vector is multiplied by 2.5 / 0.65.
    """
    found = weighs(asked, [0, LN2], [0, LN2], draw=drawn(out=5 / 3 * LN3 * 0.65 / 2.5, **parts))
    near(found, [[0.75, 0.25], [0.75, 0.25]])


def concat():
    one_hidden("concat", both=[[math.sqrt(2), -math.sqrt(2)]])


def additive():
    one_hidden("additive", query=math.sqrt(2), key=-math.sqrt(2))


def full():
    near(engine("full", EYE, queries(math.sqrt(2) * LN3), causal=True)[0], [[0.75, 0.25], [0.25, 0.75]])


def causal():
    near(engine("causal", EYE, queries(math.sqrt(2) * LN3))[0], [[1, 0], [0.25, 0.75]])


def window(name="window"):
    third = 1 / 3
    want = [[0.5, 0.5, 0, 0], [third, third, third, 0], [0, third, third, third], [0, 0, 0.5, 0.5]]
    near(engine(f"{name}:1", np.zeros((4, 2)), {})[0], want)


def local_m():
    window("local-m")


def local_p():
    """Nothing drawn: every centre is 4 sigmoid(0) = 2; sigma is 2 / 2 = 1; the share of each of 4 keys is 1/4."""
    row = [0.25 * math.exp(-2), 0.25 * math.exp(-0.5), 0.25, 0.25 * math.exp(-0.5)]
    near(nothing("local-p:2", 4), [row] * 4)
    # Causal: the centre of token 1 is 2 / 2 = 1.
    near(nothing("local-p:2", 4, causal=True)[1], [0.5 * math.exp(-0.5), 0.5, 0, 0])


def dilated():
    third = 1 / 3
    want = [[0.5, 0, 0.5, 0, 0], [0, 0.5, 0, 0.5, 0], [third, 0, third, 0, third]]
    near(nothing("dilated:1,gap=2", 5)[:3], want)


def global_attention():
    """Token 0 is global: its own row has the global query, ln 3 times token 1; other tokens see it and their window."""
    tensors = {"layers.0.global_q.weight": np.array([[0, 0], [math.sqrt(2) * LN3, 0]])}
    tokens = [[1, 0], [0, 1], [0, 0], [0, 0]]
    # The other rows: q = 0, so that all that they see is alike.
    tensors |= queries(0)
    found = engine("global:1", tokens, tensors, global_tokens=(0,))[0]
    third = 1 / 3
    near(found, [[1 / 6, 0.5, 1 / 6, 1 / 6], [third] * 3 + [0], [0.25] * 4, [third, 0, third, third]])


def bigbird():
    """7 blocks of one token: the middle one sees the ends, itself and its neighbours, and what is drawn: the block with
    the smallest number, of the keys that it would not see."""
    fifth, sixth = 1 / 5, 1 / 6
    near(nothing("bigbird:1,random=0", 7)[3], [fifth, 0, fifth, fifth, fifth, 0, fifth])
    draw = lambda name, shape: np.arange(shape[0], 0, -1).astype(np.float32)  # noqa: E731
    near(nothing("bigbird:1,random=1", 7, draw=draw)[3], [sixth, 0, *[sixth] * 5])
    near(nothing("bigbird:1,random=0", 7)[0], [1 / 7] * 7)
    # 10 tokens in blocks of two: token 4 sees blocks 0, 1, 2, 3 and 4.
    near(nothing("bigbird:2,random=0", 10)[4], [0.1] * 10)
    near(nothing("bigbird:2,random=0", 10)[2], [1 / 8] * 6 + [0, 0] + [1 / 8] * 2)


def lsh():
    """R = 1: a token goes to the axis, or its opposite, that it is nearest to. Token 3 sees itself alone."""
    x = [[2, 1], [1, 3], [3, -1], [-4, 1]]
    found = weighs("lsh:4", x, x, scale=0.0, draw=lambda name, shape: np.eye(2, dtype=np.float32))
    near(found, [[0.5, 0, 0.5, 0], [0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 0, 0, 1]])
    # A key in another bucket than its own query's: the token sees it all the same.
    q, k = [[1, 0]] * 4, [[1, 0], *[[0, 1]] * 3]
    found = weighs("lsh:4", q, k, scale=0.0, draw=lambda name, shape: np.eye(2, dtype=np.float32))
    near(found[:2], [[1, 0, 0, 0], [0.5, 0.5, 0, 0]])


def permutation():
    """The order drawn is 1, 0, 2."""
    draw = lambda name, shape: np.array([0.5, -1, 2], np.float32)  # noqa: E731
    near(nothing("permutation:3", 3, draw=draw), [[0.5, 0.5, 0], [0, 1, 0], [1 / 3, 1 / 3, 1 / 3]])


def adaptive_span():
    """m = 1, 1, 1/2, 0 for distances from 0."""
    near(nothing("adaptive-span:1,ramp=2", 5)[0], [0.4, 0.4, 0.2, 0, 0])
    near(nothing("adaptive-span:1,ramp=2", 5, causal=True)[3], [0, 0.2, 0.4, 0.4, 0])


def memory():
    third = 1 / 3
    want = [[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0], [0, 0.5, 0.5, 0, 0], [0, third, third, third, 0], [0, 0, 0, 0.5, 0.5]]
    near(nothing("memory:2,memory=1", 5), want)


def compressed_memory():
    """Two slots and itself: 1/3 each, a slot's over its two tokens."""
    sixth = 1 / 6
    near(nothing("compressed-memory:2,memory=0,rate=2", 5)[4], [sixth, sixth, sixth, sixth, 2 * sixth])
    # The mean of the keys of a slot is what the query meets: (0 + 2 ln 2) / 2.
    found = weighs("compressed-memory:2,memory=0,rate=2", [1] * 3, [0, 2 * LN2, 0])
    near(found[2], [1 / 3, 1 / 3, 1 / 3])


def linformer():
    """Slots of means: keys (0 + 2 ln 3) / 2 and 0, so 3/4 and 1/4, each over two tokens."""
    near(weighs("linformer:2", [1] * 4, [0, 2 * LN3, 0, 0]), [[3 / 8, 3 / 8, 1 / 8, 1 / 8]] * 4)


def performer():
    """One feature, Omega = 1: exp(k - k^2 / 2) is 1, sqrt(e), 1 for keys 0, 1, 2."""
    draw = lambda name, shape: np.ones(shape, np.float32)  # noqa: E731
    total = 2 + math.sqrt(E)
    near(weighs("performer:1", [5, -3, 0], [0, 1, 2], draw=draw), [[1 / total, math.sqrt(E) / total, 1 / total]] * 3)


def linear():
    """elu + 1 of 2 is 3, of -ln 2 is 1/2."""
    near(weighs("linear", [1, -7], [2, -LN2]), [[6 / 7, 1 / 7]] * 2)


def mamba():
    """Steps softplus(-2) = ln(1 + e^-2); so each step keeps 1 / (1 + e^-2)."""
    step, kept = math.log(1 + math.exp(-2)), 1 / (1 + math.exp(-2))
    want = [
        [2 * step * 5, 0, 0],
        [3 * kept * step * 5, 3 * step * 7, 0],
        [-(kept**2) * step * 5, -kept * step * 7, -step],
    ]
    near(weighs("mamba", [2, 3, -1], [5, 7, 1]), want)


def no_positions():
    near(engine("no-positions", [[3, 1]] * 3, queries(5), absolute=Sinusoidal())[0], np.full((3, 3), 1 / 3))


def sinusoidal():
    """Empty tokens: sin and cos of i and of j, multiplied, give cos(i - j)."""
    found = engine("sinusoidal", np.zeros((2, 2)), queries(math.sqrt(2)))[0]
    near(found[0], [E / (E + math.exp(math.cos(1))), math.exp(math.cos(1)) / (E + math.exp(math.cos(1)))])


def learned():
    table = np.zeros((512, 2))
    table[:2] = EYE
    found = engine("learned", np.zeros((2, 2)), {"embed.positions": table} | queries(math.sqrt(2) * LN3))[0]
    near(found, [[0.75, 0.25], [0.25, 0.75]])


def rotary():
    """Equal tokens, one pair of dimensions, turned by i: their product is cos(i - j)."""
    found = engine("rotary", [[1, 0]] * 3, queries(math.sqrt(2)), absolute=Sinusoidal())[0]
    terms = [math.exp(math.cos(j)) for j in range(3)]
    near(found[0], [term / sum(terms) for term in terms])


def alibi():
    """Two heads: slopes 2^-4 and 2^-8; empty tokens, so that only the penalty is left."""
    found = engine("alibi", np.zeros((3, 2)), {}, n_heads=2, absolute=Sinusoidal())
    for head, slope in enumerate((2**-4, 2**-8)):
        terms = [math.exp(-2 * slope), math.exp(-slope), 1]
        near(found[head][2], [term / sum(terms) for term in terms])
        near(found[head][0], [1, 0, 0])


def t5():
    """Buckets 0 for itself, 1 for the key before, 17 for the key after."""
    table = np.zeros((32, 1))
    table[17], table[1] = LN2, LN3
    found = engine("t5", np.zeros((2, 2)), {"bias.table": table}, absolute=Sinusoidal())[0]
    near(found, [[1 / 3, 2 / 3], [0.75, 0.25]])


def transformer_xl():
    """q = 0. u . k is sqrt(2) ln 3 for key 0; v . r(i - j) is sqrt(2) sin(i - j), r = (sin, cos)."""
    root = math.sqrt(2)
    tensors = {"layers.0.content_bias": [[root * LN3, 0]], "layers.0.position_bias": [[root, 0]]} | queries(0)
    found = engine("transformer-xl", EYE, tensors, absolute=Sinusoidal())[0]
    after, before = math.exp(math.sin(-1)), math.exp(math.sin(1))
    near(found, [[3 / (3 + after), after / (3 + after)], [3 * before / (3 * before + 1), 1 / (3 * before + 1)]])


def cross():
    """A pair of one word takes all; of two words without positions it is q . k as anywhere."""
    found = attnviz.load("seeded", mechanism="cross").attend("one two three", "uno")
    assert (found.stream, found.query_tokens, found.key_tokens) == ("cross", ("one", "two", "three"), ("uno",))
    near(found.weights, np.ones((2, 4, 3, 1)))


def patches():
    """A picture of two squares has three tokens; the class token's map is [1, 2] of them."""
    pixels = np.zeros((3, 224, 224), np.float32)
    found = attnviz.load("seeded", mechanism="patches").attend(pixel_values=pixels[:, :16, :32])
    assert (found.query_tokens, found.grid) == (("[class]", "0,0", "0,1"), (1, 2))
    # Without positions empty squares are all alike.
    model = attnviz.load("seeded", mechanism="no-positions")
    found = model.attend(pixel_values=pixels, layers=0).weights[0, :, 1:, 1:]
    near(found / found.sum(-1, keepdims=True), np.full(found.shape, 1 / 196))


KNOWN = {
    "scaled-dot": scaled_dot,
    "dot": plain_dot,
    "global": global_attention,
    **{
        name.__name__.replace("_", "-"): name
        for name in (
            *(general, concat, additive, full, causal, local_m, local_p, window, dilated, bigbird, lsh, permutation),
            *(adaptive_span, memory, compressed_memory, linformer, performer, linear, mamba),
            *(no_positions, sinusoidal, learned, rotary, alibi, t5, transformer_xl, cross, patches),
        )
    },
}


@pytest.mark.parametrize("name", MECHANISMS)
def test_known_answer(name) -> None:
    KNOWN[name]()


def test_no_known_answer_is_of_something_else() -> None:
    assert set(KNOWN) == set(MECHANISMS)
