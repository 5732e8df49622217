"""`attnviz check`: is the attention of a model, or of a file, sane?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import Result, analysis, option
from attnviz.attention import Attention
from attnviz.engine.collectors import Dense
from attnviz.measures.check import BROKEN, SINK_OUTSIDE, About, Finding, against, future, judge, scores, verdict
from attnviz.measures.maps import Maps
from attnviz.measures.scores import Scores
from attnviz.models import transformers_reference as reference
from attnviz.models.source import ArrayTiles
from attnviz.models.trial_inputs import MOST_WEIGHTS, Trial
from attnviz.page.parts import Listing, Page, Sentence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model, Progress

STYLES = {"ok": "green", "healthy": "green", "suspicious": "yellow", "broken": "bold red"}
Size = tuple[int, int, int, int]


@dataclass(frozen=True)
class Options:
    """Whether the attention is compared with another implementation's."""

    reference: bool = option(
        True,
        "Compare with transformers where it and torch are installed. Default: yes.",
        "--reference/--no-reference",
    )


@dataclass(frozen=True)
class StreamHealth:
    """The findings on one stream of a model, or on a file. size: (layers, heads, queries, keys)."""

    model: str
    stream: str
    size: Size
    findings: tuple[Finding, ...]

    def title(self) -> str:
        n_layers, n_heads, n_query, n_key = self.size
        return f"{self.model} {self.stream}: {n_layers} x {n_heads} heads, {n_query} x {n_key} tokens"


@dataclass(frozen=True)
class Health(Result):
    """streams: what was checked, each with its findings."""

    streams: tuple[StreamHealth, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings on every stream, each with one of four words: ok, note, suspicious, broken."""
        return tuple(finding for stream in self.streams for finding in stream.findings)

    @property
    def word(self) -> str:
        """The verdict: healthy | suspicious | broken."""
        return verdict(self.findings)[0]

    @property
    def why(self) -> str:
        """One line: what is wrong, or what was found to hold."""
        return verdict(self.findings)[1]

    def title(self) -> str:
        return f"{self.streams[0].model}, {self.word}"

    @property
    def status(self) -> int:
        return int(self.word == BROKEN)

    def each_row(self) -> Iterator[dict[str, Any]]:
        for stream in self.streams:
            for finding in stream.findings:
                yield {"about": stream.title()} | vars(finding)
        yield {"about": "", "check": "verdict", "word": self.word, "value": None, "text": self.why}

    def printed(self) -> Page:
        pages = [Page(parts=(Sentence(stream.title()), _listing(stream.findings))) for stream in self.streams]
        verdict = Page(parts=(Sentence(self.why, self.word, STYLES[self.word]),))
        return replace(pages[0], following=(*pages[1:], verdict))


def _listing(findings: Sequence[Finding]) -> Listing:
    rows = [((finding.word, finding.check), finding.text) for finding in findings]
    return Listing((), rows, styles=[STYLES.get(finding.word, "") for finding in findings])


@analysis("check", Options, Health, subject="attention or model")
def check(
    subject: Attention | tuple[Model, Sequence[Trial]], options: Options, progress: Progress | None = None
) -> Health:
    """Say whether attention is sane: a model's on a text, or that in a file.

    Rows that sum to 1, nothing behind the mask, scores scaled as configured; heads that are dead (uniform), one-hot,
    given to a first or special token, or equal. Without a text a model gets a sentence; one without a tokenizer,
    random ids. The last line is the verdict: healthy, suspicious, or broken (exit status 1), and why.

    attnviz check minilm
    attnviz check path/to/folder "The cat sat on the mat"
    attnviz check attention.npz --json
    """
    if isinstance(subject, Attention):
        findings = tuple(examine(subject, bool(subject.meta.get("sinks"))))
        return Health((StreamHealth(subject.model, subject.stream, subject.weights.shape, findings),))
    model, trials = subject
    theirs = _reference(model) if options.reference and reference.installed() else None
    share: Progress | None = None if progress is None else lambda part: progress(part / len(trials))
    return Health(tuple(_examined(model, trial, theirs, share) for trial in trials))


# Attention that has been computed


def examine(attention: Attention, below_one: bool = False) -> list[Finding]:
    """Every check that needs only the weights.

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


def maps_of(attention: Attention) -> Maps:
    """Measure the maps of an Attention, pooled or not."""
    tiles = ArrayTiles(attention)
    maps = Maps(*tiles.size, len(attention.queries), len(attention.keys), np.array(attention.keys.special, bool))
    tiles.run([maps])
    return maps


# A model


def _examined(
    model: Model, trial: Trial, theirs: reference.Reference | str | None, progress: Progress | None
) -> StreamHealth:
    """One pass of a model; its maps are not kept, so that the length of a text costs time and not memory.

    theirs: the reference to compare with, why there is none, or None for no comparison.
    """
    model_input = trial.model_input
    spec = model_input.spec
    size = (spec.n_layers, spec.n_heads, len(model_input.queries), len(model_input.keys))
    findings = _of_model(model, model_input, progress)
    other = _with_another_end(model_input)
    if other is not None and size[2] > 1:
        findings.append(_before_the_end(model, model_input, other, size))
    if theirs is not None and trial.by_ids:
        findings.append(_compared(model, trial, theirs, size))
    return StreamHealth(model.name, model_input.stream, size, tuple(findings))


def _of_model(model: Model, model_input: ModelInput, progress: Progress | None) -> list[Finding]:
    """The checks of weights and scores, in one pass."""
    spec, n_query, n_key = model_input.spec, len(model_input.queries), len(model_input.keys)
    maps = Maps(spec.n_layers, spec.n_heads, n_query, n_key, np.array(model_input.keys.special, bool))
    measure = Scores(spec.n_layers, spec.n_heads)
    model.observe(model_input, [maps, measure], progress)
    about = About(
        model_input.stream,
        tuple(product(range(spec.n_layers), range(spec.n_heads))),
        less=SINK_OUTSIDE if spec.sinks else "",
        random=bool(model_input.meta.get("random")),
    )
    factors = [spec.scale / (layer + 1 if spec.scale_by_layer else 1) for layer in range(spec.n_layers)]
    return [*judge(maps, about), *scores(measure.result(), spec.d_head, factors)]


def _with_another_end(model_input: ModelInput) -> ModelInput | None:
    """Replace the last token of a causal stack's input; None where that cannot be done."""
    name = "decoder" if model_input.stream == "decoder" else "self"
    inputs, spec = model_input.inputs.get(name), model_input.spec
    if not spec.causal or model_input.stream == "cross" or inputs is None or inputs.ids is None:
        return None
    if spec.vocab < 2 or spec.by_word:
        return None
    ids = inputs.ids.copy()
    ids[-1] = (ids[-1] + spec.vocab // 2) % spec.vocab
    return replace(model_input, inputs={**model_input.inputs, name: replace(inputs, ids=ids)})


def _before_the_end(model: Model, model_input: ModelInput, other: ModelInput, size: Size) -> Finding:
    """Compare the rows before the last one, with the text's own end and with another; of a long text the last ones."""
    n_layers, n_heads, n_query, n_key = size
    most = max(1, MOST_WEIGHTS // (n_layers * n_heads * n_key))
    rows = range(max(0, n_query - 1 - most), n_query)

    def weights(model_input: ModelInput) -> NDArray[np.float32]:
        collector = Dense(range(n_layers), range(n_heads), rows, range(n_key))
        model.observe(model_input, [collector])
        return collector.result()

    return future(weights(model_input), weights(other))


# The reference


def _reference(model: Model) -> reference.Reference | str | None:
    """transformers' own model of the same folder, or why there is none; None for a model without files."""
    if model.checkpoint is None:
        return None
    if model.meta.get("adapter"):
        return "it would have to merge the adapter first"
    if model.mechanism is not None:
        return "it has another kind of attention"
    folder = model.folder if model.checkpoint.config is None else None
    try:
        return reference.Reference(model.checkpoint.path if folder is None else folder)
    except reference.NotComparedError as error:
        return str(error)


def _compared(model: Model, trial: Trial, theirs: reference.Reference | str, size: Size) -> Finding:
    stream, blocks = trial.model_input.stream, trial.model_input.spec.blocks
    try:
        if isinstance(theirs, str):
            raise reference.NotComparedError(theirs)
        if math.prod(size) > MOST_WEIGHTS:
            raise reference.NotComparedError("it would hold all maps of this text at once; give a shorter one")
        if blocks is not None and blocks.used(size[3]):
            raise reference.NotComparedError("it counts random blocks in another way")
        weights = theirs.attention(trial.by_ids, stream)
    except reference.NotComparedError as error:
        return against(None, None, reference.NAME, str(error))
    return against(model.attend(**trial.by_ids, stream=stream), weights, reference.NAME)
