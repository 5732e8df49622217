"""Every mechanism by name: what it computes, who described it, what it costs, and the numbers that may be set.

q_i and k_j are the query of token i and the key of token j, d their width, n the number of tokens. Nothing here
imports NumPy: the list is printed, and a wrong name refused, before anything is loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches

from attnviz.errors import SelectionError

GROUPS = ("scoring", "keys", "approximation", "state space", "positions", "input")


@dataclass(frozen=True)
class Parameter:
    """A whole number that may be set: its default, its least and most, and what it means in words."""

    name: str
    default: int
    low: int
    says: str
    plain: str | None = None  # words for the default value; None: as for any other value
    high: int = 10**9

    def words(self, value: int) -> str:
        """`3 tokens to each side`; '' for a value without words."""
        if self.plain is not None and value == self.default:
            return self.plain
        return re.sub(r"^1 (\w+)s\b", r"1 \1", self.says.format(value))


@dataclass(frozen=True)
class Mechanism:
    """One kind of attention.

    formula: what differs from softmax(q_i . k_j / sqrt(d)) over all j. source: authors, year, model. where: section or
    equation in it. cost: time for n tokens, a factor d aside. exact: False for an approximation of the softmax over the
    same keys. simplified: differences from the paper, and choices where the paper learns. needs: seeded (weights that
    only a random model can have) | any | pair | image. crosses: works between two texts.
    """

    name: str
    group: str
    formula: str
    source: str
    where: str
    cost: str
    exact: bool = True
    simplified: str = ""
    parameters: tuple[Parameter, ...] = ()
    needs: str = "any"
    crosses: bool = False


@dataclass(frozen=True)
class VariantSpec:
    """A mechanism with its numbers: `window:3`."""

    mechanism: Mechanism
    values: tuple[int, ...] = ()

    def __getitem__(self, name: str) -> int:
        """The value of a parameter."""
        return self.values[[parameter.name for parameter in self.mechanism.parameters].index(name)]

    @property
    def name(self) -> str:
        """As it is typed: the numbers that differ from the defaults, `window`, `window:3`, `lsh:4,rounds=2`."""
        pairs = list(zip(self.mechanism.parameters, self.values, strict=True))
        numbers = [
            str(value) if i == 0 else f"{parameter.name}={value}"
            for i, (parameter, value) in enumerate(pairs)
            if value != parameter.default
        ]
        return self.mechanism.name + (":" + ",".join(numbers) if numbers else "")

    @property
    def signed(self) -> bool:
        """Whether its weights may be negative."""
        name = self.mechanism.name
        return name == "mamba" or (name == "linformer" and self["drawn"] > 0)

    @property
    def described(self) -> str:
        """Its numbers in words: `2 tokens to each side`."""
        pairs = zip(self.mechanism.parameters, self.values, strict=True)
        return ", ".join(filter(None, (parameter.words(value) for parameter, value in pairs)))


_REACH = Parameter("reach", 2, 1, "{} tokens to each side")
_DRAWN = "its weights are drawn so that its scores spread like scaled-dot scores"
_HALF = "the number is the reach to one side, where the paper's w counts both"
_V17, _LONGFORMER, _XL = "Vaswani 2017", "Beltagy 2020, Longformer", "Dai 2019, Transformer-XL"

_ALL = (
    # How well a query and a key fit.
    Mechanism("scaled-dot", "scoring", "softmaxⱼ(qᵢ·kⱼ / √d)", _V17, "section 3.2.1, eq. 1", "n²", crosses=True),
    Mechanism("dot", "scoring", "softmaxⱼ(qᵢ·kⱼ)", "Luong 2015, dot", "section 3.1, eq. 7", "n²", crosses=True),
    Mechanism(
        "general", "scoring", "softmaxⱼ(qᵢᵀ W kⱼ)", "Luong 2015, general", "section 3.1, eq. 7", "n²",
        simplified=_DRAWN, needs="seeded", crosses=True,
    ),
    Mechanism(
        "concat", "scoring", "softmaxⱼ(vᵀ tanh(W [qᵢ; kⱼ]))", "Luong 2015, concat", "section 3.1, eq. 7", "n²",
        simplified=_DRAWN, needs="seeded", crosses=True,
    ),
    Mechanism(
        "additive", "scoring", "softmaxⱼ(vᵀ tanh(W qᵢ + U kⱼ))", "Bahdanau 2014", "appendix A.1.2", "n²",
        simplified="the query stands for the decoder's last state; " + _DRAWN, needs="seeded", crosses=True,
    ),
    # Which keys a query sees.
    Mechanism("full", "keys", "every j", _V17, "section 3.2.1", "n²", crosses=True),
    Mechanism("causal", "keys", "j ≤ i", _V17, "section 3.2.3", "n²"),
    Mechanism(
        "local-m", "keys", "|i − j| ≤ D", "Luong 2015, local-m", "section 3.2", "n·D",
        simplified="both texts are one, so that the centre of token i is i", parameters=(_REACH,),
    ),
    Mechanism(
        "local-p", "keys", "|j − pᵢ| ≤ D, × exp(−2(j − pᵢ)²/D²), pᵢ = n·σ(vᵀ tanh(W qᵢ))",
        "Luong 2015, local-p", "section 3.2, eq. 9-10", "n·D", parameters=(_REACH,), needs="seeded", crosses=True,
        simplified="W and v are drawn; in a causal model n is the number of tokens so far; as in the paper, rows are "
        "not renormalised after the Gaussian",
    ),
    Mechanism(
        "window", "keys", "|i − j| ≤ w", _LONGFORMER, "section 3.1, sliding window", "n·w", parameters=(_REACH,),
        simplified=_HALF,
    ),
    Mechanism(
        "dilated", "keys", "|i − j| = 0, g, 2g, … w·g", _LONGFORMER, "section 3.1, dilated sliding window", "n·w",
        parameters=(_REACH, Parameter("gap", 2, 1, "steps of {}")),
        simplified=_HALF + "; the gap is the same in all heads",
    ),
    Mechanism(
        "global", "keys", "|i − j| ≤ w, or i or j is global", _LONGFORMER, "section 3.1, global attention", "n·(w + g)",
        parameters=(_REACH, Parameter("tokens", 1, 1, "the first {} global", "the first global")), needs="seeded",
        simplified=_HALF + "; the first tokens are global; their rows have projections of their own, as in the paper",
    ),
    Mechanism(
        "bigbird", "keys", "blocks: first and last, own and neighbours, r at random", "Zaheer 2020, BigBird",
        "section 2 and appendix D", "n·b·(5 + r)",
        parameters=(Parameter("block", 1, 1, "blocks of {}"), Parameter("random", 1, 0, "{} random")),
        simplified="global blocks are the first and the last of the text itself; short texts have blocks too",
    ),
    Mechanism(
        "lsh", "keys", "h(qᵢ) = h(kⱼ), h(x) = argmax[xR; −xR]", "Kitaev 2020, Reformer", "section 2", "n·log n",
        parameters=(
            Parameter("buckets", 4, 1, "{} buckets"),
            Parameter("rounds", 1, 1, "{} rounds", "", high=64),
        ),
        simplified="queries and keys stay apart, a token always sees itself, buckets are not cut into chunks; n²/b for "
        "b buckets, n·log n where more of them keep their size",
    ),
    Mechanism(
        "permutation", "keys", "z(j) ≤ z(i), z a random order", "Yang 2019, XLNet", "sections 2.2 and 2.3", "n²",
        parameters=(Parameter("order", 1, 0, "random order {}"),),
        simplified="the content stream, which sees itself; positions are the model's own; order 0 is left to right",
    ),
    Mechanism(
        "adaptive-span", "keys", "m(|i − j|)·eˢ / Σ, m(x) = clip((R + z − x) / R, 0, 1)",
        "Sukhbaatar 2019, adaptive span", "section 2.2", "n·z",
        parameters=(Parameter("span", 0, 0, "span {}", "spans by head"), Parameter("ramp", 2, 1, "ramp {}")),
        simplified="spans rise from head to head where the paper learns them, unless one is named; a token sees "
        "itself; both ways in a model that sees both ways",
    ),
    Mechanism(
        "memory", "keys", "j ≤ i, j in i's segment or at most m before it", _XL, "section 3.2", "n·(s + m)",
        parameters=(Parameter("segment", 4, 1, "segments of {}"), Parameter("memory", 2, 0, "memory {}")),
        simplified="positions stay as they are; its own are transformer-xl",
    ),
    Mechanism(
        "compressed-memory", "keys", "as memory; older keys as means of c", "Rae 2019, Compressive Transformer",
        "section 3.1", "n·(s + m + n/c)",
        parameters=(
            Parameter("segment", 4, 1, "segments of {}"),
            Parameter("memory", 2, 0, "memory {}"),
            Parameter("rate", 2, 1, "older {} to one"),
        ),
        simplified="compressed by mean pooling, one of its functions, from the text's start on, so that the newest "
        "slot may hold fewer; nothing is ever forgotten",
    ),
    # Cheaper stand-ins.
    Mechanism(
        "linformer", "approximation", "softmax(q (E k)ᵀ / √d) E", "Wang 2020, Linformer", "section 4, eq. 7", "n·r",
        exact=False,
        parameters=(
            Parameter("rank", 4, 1, "rank {}"),
            Parameter("drawn", 0, 0, "projection drawn, no. {}", "means of neighbours"),
        ),
        simplified="E takes means of neighbours, one of its projections; drawn=1 draws it, which makes signed weights",
    ),
    Mechanism(
        "performer", "approximation", "φ(qᵢ)·φ(kⱼ) / Σ, φ(x) = exp(Ωx − |x|²/2) / √m", "Choromanski 2021, Performer",
        "section 2, lemma 1 and theorem 2", "n·m", exact=False,
        parameters=(Parameter("features", 64, 1, "{} features", high=4096),), crosses=True,
        simplified="positive orthogonal features; x is q or k over the fourth root of d",
    ),
    Mechanism(
        "linear", "approximation", "φ(qᵢ)·φ(kⱼ) / Σ, φ(x) = elu(x) + 1", "Katharopoulos 2020, Linear Transformer",
        "section 3.2, eq. 4-7", "n·d", exact=False, crosses=True,
    ),
    # Not attention, but it implies a matrix.
    Mechanism(
        "mamba", "state space", "Cᵢ exp(A Σ Δₜ) Δⱼ Bⱼ, sum over j < t ≤ i", "Gu & Dao 2023, Mamba",
        "section 3.2; the matrix: Ali 2024, section 3.1", "n·d", needs="seeded",
        simplified="C is q and B is k / √d; one channel a head, its step size drawn; without convolution, gate and "
        "skip; signed, rows sum to anything",
    ),
    # Where tokens are.
    Mechanism("no-positions", "positions", "xᵢ = eᵢ", _V17, "section 3.5, without it", "n²", needs="seeded"),
    Mechanism(
        "sinusoidal", "positions", "xᵢ = eᵢ + sin, cos(i / 10000^(2t/d))", _V17, "section 3.5", "n²", needs="seeded"
    ),
    Mechanism(
        "learned", "positions", "xᵢ = eᵢ + pᵢ", "Gehring 2017", "section 3.1", "n²", needs="seeded",
        simplified="the table is drawn",
    ),
    Mechanism(
        "rotary", "positions", "(Rᵢ qᵢ)·(Rⱼ kⱼ) / √d, R turns by angles θₜ·i", "Su 2021, rotary", "section 3.2.2",
        "n²", needs="seeded",
    ),
    Mechanism(
        "alibi", "positions", "qᵢ·kⱼ / √d − mₕ (i − j), j ≤ i", "Press 2021, ALiBi", "section 3", "n²", needs="seeded",
        simplified="causal, as in the paper",
    ),
    Mechanism(
        "t5", "positions", "qᵢ·kⱼ / √d + b[bucket(j − i)]", "Raffel 2020, T5", "section 2.1", "n²", needs="seeded",
        simplified="scores stay scaled; the biases are drawn",
    ),
    Mechanism(
        "transformer-xl", "positions", "((qᵢ + u)·kⱼ + (qᵢ + v)·W r(i − j)) / √d", _XL, "section 3.3", "n²",
        needs="seeded", simplified="u, v and W are drawn; both ways in a model that sees both ways",
    ),
    # What is attended to.
    Mechanism(
        "cross", "input", "qᵢ of the text, kⱼ of the pair", _V17, "section 3.2.3", "n·n′", needs="pair", crosses=True,
        simplified="both texts go through layers of the same weights, and see themselves both ways, unless the model "
        "is causal",
    ),
    Mechanism(
        "patches", "input", "tokens are squares of an image", "Dosovitskiy 2021, ViT", "section 3.1, eq. 1", "n²",
        needs="image", simplified="positions are sinusoidal over the patches in reading order, where the paper learns "
        "them",
    ),
)  # fmt: skip
MECHANISMS: dict[str, Mechanism] = {mechanism.name: mechanism for mechanism in _ALL}


def parse(text: str) -> VariantSpec:
    """`window`, `window:3`, `lsh:8,2`, `lsh:8,rounds=2` -> the mechanism with its numbers.

    Numbers without a name belong to the parameters in their order. Raises SelectionError for an unknown name, a
    parameter that it does not have or that is given twice, or a value that is too small or too large.
    """
    name, colon, rest = text.strip().partition(":")
    mechanism = MECHANISMS.get(name)
    if mechanism is None:
        near = get_close_matches(name, MECHANISMS, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "attnviz mechanisms lists them"
        raise SelectionError(f"there is no mechanism {name!r}", hint)
    numbers: dict[str, int] = {}
    for place, word in enumerate(rest.split(",") if colon else ()):
        parameter, number = _named(mechanism, place, word)
        if parameter.name in numbers:
            raise SelectionError(f"{parameter.name} of {name} is given twice")
        numbers[parameter.name] = _number(mechanism, parameter, number.strip())
    values = (numbers.get(parameter.name, parameter.default) for parameter in mechanism.parameters)
    return VariantSpec(mechanism, tuple(values))


def check_mechanism(text: str) -> None:
    """Raise SelectionError, with the flag in it, for what `--mechanism` cannot take."""
    try:
        parse(text)
    except SelectionError as error:
        hint = error.hint or "attnviz mechanisms lists them, with their numbers"
        raise SelectionError(f"--mechanism {text}: {error}", hint) from None


def _named(mechanism: Mechanism, place: int, word: str) -> tuple[Parameter, str]:
    """The parameter that `3` or `reach=3` sets, and the number as it was written."""
    key, equals, number = word.partition("=")
    for i, parameter in enumerate(mechanism.parameters):
        if (equals and key.strip() == parameter.name) or (not equals and i == place):
            return parameter, number if equals else word
    names = [parameter.name for parameter in mechanism.parameters]
    takes = f"it takes {', '.join(names)}" if names else "it takes none"
    wrong = f"{mechanism.name} has no parameter {key.strip()!r}" if equals else f"{mechanism.name}: one number too many"
    raise SelectionError(f"{wrong}; {takes}", f"as in {mechanism.name}:{_example(mechanism)}" if names else "")


def _number(mechanism: Mechanism, parameter: Parameter, written: str) -> int:
    low, high = parameter.low, parameter.high
    if written.isdecimal() and len(written) <= 10 and low <= int(written) <= high:
        return int(written)
    span = f"from {low} to {high}" if high < 10**9 else f"from {low}"
    raise SelectionError(f"{parameter.name} of {mechanism.name} must be a whole number {span}; got {written!r}")


def _example(mechanism: Mechanism) -> str:
    first, *others = mechanism.parameters
    return ",".join([str(first.default), *(f"{other.name}={other.default}" for other in others)])
