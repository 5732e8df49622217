"""Is the attention of a model, or of a saved map, sane?

check = attnviz.checking.check(attnviz.load("minilm"), "The cat sat on the mat")
check.word, check.why       # "healthy", "rows sum to what they should, the mask holds"
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention import Attention
from attnviz.engine.collectors import Dense
from attnviz.measures.check import SINK_OUTSIDE, About, Finding, future, judge, scores, verdict
from attnviz.measures.maps import Maps
from attnviz.measures.scores import Scores
from attnviz.models.source import ArrayTiles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model, Progress

MOST_WEIGHTS = 100_000_000  # that are held at once


@dataclass(frozen=True)
class Check:
    """What was found, and what it amounts to.

    findings: every check, with one of four words: ok, note, suspicious, broken. stream: the stream that was looked at.
    size: (layers, heads, queries, keys).
    """

    findings: tuple[Finding, ...]
    stream: str
    size: tuple[int, int, int, int]

    @property
    def word(self) -> str:
        """healthy | suspicious | broken."""
        return verdict(self.findings)[0]

    @property
    def why(self) -> str:
        """One line: what is wrong, or what was found to hold."""
        return verdict(self.findings)[1]


def check(
    source: Attention | Model, text: str | None = None, *, progress: Progress | None = None, **inputs: Any
) -> Check:
    """Whether attention is sane: rows, mask, scores, and heads that are collapsed, uniform, one-hot or equal.

    Args:
        source: an Attention, of which only the weights are judged; or a Model, whose scores are judged too. A model's
            maps are not kept, so that the length of a text costs time and not memory.
        text, inputs: for a Model, what `Model.attend` takes: pair, target, ids, pixel_values, stream ...
        progress: called with shares of the work, which sum to 1.

    Raises:
        InputError, SelectionError: as `Model.attend`.
    """
    if isinstance(source, Attention):
        findings = examine(source, bool(source.meta.get("sinks")))
        return Check(tuple(findings), source.stream, source.weights.shape)
    given = source.prepare(text, **inputs)
    findings = _of_model(source, given, progress)
    size = (given.spec.n_layers, given.spec.n_heads, len(given.queries), len(given.keys))
    other = _with_another_end(given)
    if other is not None and size[2] > 1:
        findings.append(_before_the_end(source, given, other, size))
    return Check(tuple(findings), given.stream, size)


def maps_of(attention: Attention) -> Maps:
    """What the maps of an Attention are like, pooled or not."""
    tiles = ArrayTiles(attention)
    maps = Maps(*tiles.size, len(attention.queries), len(attention.keys), np.array(attention.keys.special, bool))
    tiles.run([maps])
    return maps


def examine(attention: Attention, below_one: bool = False) -> list[Finding]:
    """Every check that needs nothing but the weights.

    below_one: a learned sink outside the text takes a share of each row, so that rows may sum to less than 1.
    """
    cut = "left out" in attention.reduced or "tokens" in attention.reduced or "window" in attention.meta
    about = About(
        attention.stream,
        attention.places,
        attention.mask is not None,
        attention.cell,
        SINK_OUTSIDE if below_one else "some keys were left out" if cut else "",
        bool(attention.meta.get("random")),
    )
    return judge(maps_of(attention), about)


def _of_model(model: Model, given: ModelInput, progress: Progress | None) -> list[Finding]:
    """One pass, whose maps and scores are measured and let go."""
    spec, n_query, n_key = given.spec, len(given.queries), len(given.keys)
    maps = Maps(spec.n_layers, spec.n_heads, n_query, n_key, np.array(given.keys.special, bool))
    measure = Scores(spec.n_layers, spec.n_heads)
    model.observe(given, [maps, measure], progress)
    about = About(
        given.stream,
        tuple(product(range(spec.n_layers), range(spec.n_heads))),
        less=SINK_OUTSIDE if spec.sinks else "",
        random=bool(given.meta.get("random")),
    )
    factors = [spec.scale / (layer + 1 if spec.scale_by_layer else 1) for layer in range(spec.n_layers)]
    return [*judge(maps, about), *scores(measure.result(), spec.d_head, factors)]


def _with_another_end(given: ModelInput) -> ModelInput | None:
    """The same input of a causal stack with another last token; None where there is no such input."""
    name = "decoder" if given.stream == "decoder" else "self"
    source = given.inputs.get(name)
    if not given.spec.causal or given.stream == "cross" or source is None or source.ids is None:
        return None
    if given.spec.vocab < 2 or given.spec.by_word:
        return None
    ids = source.ids.copy()
    ids[-1] = (ids[-1] + given.spec.vocab // 2) % given.spec.vocab
    return replace(given, inputs={**given.inputs, name: replace(source, ids=ids)})


def _before_the_end(model: Model, given: ModelInput, other: ModelInput, size: tuple[int, int, int, int]) -> Finding:
    """The rows before the last one, with the text's own end and with another; of a long text the last of them."""
    n_layers, n_heads, n_query, n_key = size
    most = max(1, MOST_WEIGHTS // (n_layers * n_heads * n_key))
    rows = range(max(0, n_query - 1 - most), n_query)

    def weights(given: ModelInput) -> NDArray[np.float32]:
        keep = Dense(range(n_layers), range(n_heads), rows, range(n_key))
        model.observe(given, [keep])
        return keep.result()

    return future(weights(given), weights(other))
