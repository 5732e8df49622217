"""`attnviz logits`: the predictions of every layer, and what each head and MLP adds to a token's logit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import CELLS, Request, Result, analysis, option, query_option, top_option
from attnviz.engine.forward import run
from attnviz.errors import ModelError, SelectionError
from attnviz.facts import ModelFacts, attention_notes, dotted, randomness
from attnviz.measures.logits import Attribution, Lens, why_not
from attnviz.models.next_token import NextToken
from attnviz.page.numbers import number
from attnviz.page.parts import Bars, Board, Boards, Entry, Page, Table, WordBoard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens
    from attnviz.measures.logits import Parts
    from attnviz.models.edited import Rereading
    from attnviz.models.model import Progress

TOP = 5  # tokens per layer and position
COUNT = 20  # parts that are listed
PRINTED = 12  # positions of the board in a terminal
EVERY = "all"


@dataclass(frozen=True)
class Options:
    """The position that predicts, and the token whose logit is split."""

    query: str | None = query_option("the mask, else the last token; all for the rows of every position")
    top: int | None = top_option()
    predict: str | None = option(
        None,
        "A token to predict: a text whose first token counts, or #ID. Default: none. Its logit is split into what "
        "embeddings, heads and MLPs add.",
        metavar="TOKEN",
    )
    against: str | None = option(None, "Split the lead of --predict over this token.", metavar="TOKEN")

    @property
    def tokens(self) -> int:
        """The number of tokens per layer and position."""
        return self.top or TOP

    @property
    def parts(self) -> int:
        """The number of parts that are listed."""
        return self.top or COUNT


@dataclass(frozen=True, eq=False, kw_only=True)
class Logits(Result):
    """A model's predictions on a text, by layer or by part.

    tokens: of the text. position: the one that predicts, None for all. masked: whether the token at a position is
    predicted, not the one that follows it.
    """

    facts: ModelFacts
    tokens: Tokens
    position: int | None
    masked: bool
    options: Options
    messages: Sequence[str] = ()

    def subtitle(self) -> str:
        """The line below the title."""
        return dotted(f"{len(self.tokens)} tokens", randomness(self.facts.meta))

    def sheet(self, *parts: Any, notes: Sequence[str] = ()) -> Page:
        """A page of these parts."""
        return Page(self.title(), self.subtitle(), parts, (*notes, *attention_notes(self.facts.meta)))

    def page(self) -> Page:
        """The content of a picture."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False, kw_only=True)
class LensLogits(Logits):
    """The likeliest tokens after every layer.

    positions: the ones computed. ids, logprobs: [layer, position, rank], layer 0 the embeddings. words: tokens by id.
    """

    positions: Sequence[int]
    ids: NDArray[np.intp]
    logprobs: NDArray[np.float64]
    words: Mapping[int, str]

    def rows(self) -> list[dict[str, Any]]:
        """One row per layer, position and token, the likeliest token first."""
        return [
            {
                "layer": layer,
                "position": self.positions[at],
                "rank": rank,
                "id": int(self.ids[layer, at, rank]),
                "token": self.words[int(self.ids[layer, at, rank])],
                "logprob": float(self.logprobs[layer, at, rank]),
            }
            for layer in range(len(self.ids))
            for at in self._asked()
            for rank in range(self.ids.shape[-1])
        ]

    def page(self) -> Page:
        at = range(max(0, len(self.positions) - CELLS), len(self.positions))
        values, words = np.exp(self.logprobs[:, at, 0]), self._words(at)
        marks = tuple((len(self.ids) - 1, i - at.start) for i in self._asked() if self.position is not None)
        board = Board(values, "probability", high=1.0, cell_text=words, marks=marks)
        names = [self.tokens.text[self.positions[i]] for i in at]
        boards = Boards((board,), layers=self._layers(), heads=names, axes=("layer", "token"))
        return self.sheet(boards, notes=self._notes(at))

    def printed(self) -> Page:
        last = len(self.positions)
        at = range(last) if self.position is None else range(max(0, last - PRINTED), last)
        values, words = np.exp(self.logprobs[:, at, 0]), self._words(at)
        names = [self.tokens.text[self.positions[i]] for i in at]
        board = WordBoard(
            "the likeliest token", words, values, self._layers(), names, ("layer", "position"), numbered=True
        )
        tables = [] if self.position is None else [self._table()]
        return self.sheet(*tables, board, notes=self._notes(at))

    def _table(self) -> Table:
        """The likeliest tokens of one position, a line per layer."""
        (at,), top = self._asked(), self.ids.shape[-1]
        header = ["layer", "p", "likeliest", *(name for rank in range(1, top) for name in ("p", f"{rank + 1}."))]
        rows = []
        for layer in range(len(self.ids)):
            row = [str(layer)]
            for id, logprob in zip(self.ids[layer, at, :top].tolist(), self.logprobs[layer, at], strict=False):
                row += [number(float(np.exp(logprob)), 2), self.words[id]]
            rows.append(row)
        return Table(header, rows, "r" + "rl" * top, bold=(2,))

    def _asked(self) -> list[int]:
        """Places among the positions computed that rows are of."""
        places = range(len(self.positions))
        return [i for i in places if self.position in (None, self.positions[i])]

    def _words(self, at: range) -> list[list[str]]:
        return [[self.words[id] for id in row] for row in self.ids[:, at, 0].tolist()]

    def _layers(self) -> list[str]:
        return [str(layer) for layer in range(len(self.ids))]

    def _notes(self, at: range) -> list[str]:
        what = "the token at each position" if self.masked else "the token after each position"
        notes = [f"{what}, predicted from the residual stream by the final norm and the output head (logit lens)"]
        notes.append(f"layer 0: the embeddings; {len(self.ids) - 1}: after the last layer, the model's own prediction")
        if len(at) < len(self.tokens):
            notes.append(f"{len(at)} of {len(self.tokens)} positions: up to {self.positions[at[-1]]}")
        return notes

    def title(self) -> str:
        where = "" if self.position is None else f"at “{self.tokens.text[self.position]}” ({self.position})"
        return dotted(self.facts.model, "logit lens", where)


@dataclass(frozen=True, eq=False, kw_only=True)
class PartsLogits(Logits):
    """A logit as a sum of parts. token, against: labels."""

    parts: Parts
    token: str
    against: str

    def rows(self) -> list[dict[str, Any]]:
        """One row per part; layer is None for the embeddings and for the biases of the final norm and the head."""
        return [{"layer": layer, "head": part, "contribution": value} for layer, part, value in self.parts]

    def page(self) -> Page:
        columns = self._columns()
        values = np.stack([values for _, values in columns], axis=1)
        board = Board(values, "contribution", signed=True)
        layers = [str(layer) for layer in range(len(values))]
        boards = Boards((board,), layers=layers, heads=[name for name, _ in columns], axes=("layer", "part"))
        entries = [
            Entry(_kind(part), _name(layer, part), max(value, 0.0), max(-value, 0.0))
            for layer, part, value in self._largest()
        ]
        bars = Bars("the largest contributions", tuple(entries), ("layer.part", "for", "against"))
        return self.sheet(boards, bars, notes=self._notes())

    def _columns(self) -> list[tuple[str, NDArray[np.float64]]]:
        """The name of each part of a layer, and its contributions [layer]; biases only where there are any."""
        parts = self.parts
        columns = [(str(head), parts.heads[:, head]) for head in range(parts.heads.shape[1])]
        if parts.cross is not None:
            columns += [(f"cross {head}", parts.cross[:, head]) for head in range(parts.cross.shape[1])]
        if parts.mlp is not None:
            columns.append(("mlp", parts.mlp))
        return [*columns, ("bias", parts.bias)] if parts.bias.any() else columns

    def printed(self) -> Page:
        rows = [[_name(layer, part), number(value, 3)] for layer, part, value in self._largest()]
        largest = Table(["layer.part", "contribution"], rows, "lr", bold=(1,))
        sums = [("heads", self.parts.heads.sum(1))]
        sums += [] if self.parts.cross is None else [("cross", self.parts.cross.sum(1))]
        sums += [(name, values) for name, values in self._columns() if name in ("mlp", "bias")]
        header = ["layer", *(name for name, _ in sums)]
        lines = [[str(i), *(number(float(values[i]), 3) for _, values in sums)] for i in range(len(self.parts.bias))]
        return self.sheet(largest, Table(header, lines, "r" * len(header)), notes=self._notes())

    def _largest(self) -> list[tuple[int | None, int | str, float]]:
        return sorted(self.parts, key=lambda part: -abs(part[2]))[: self.options.parts]

    def _notes(self) -> list[str]:
        what = "lead" if self.against else "logit"
        outside = f"embedding {number(self.parts.embedding, 3)}, biases of the output {number(self.parts.head_bias, 3)}"
        return [
            f"{outside}; all parts sum to {number(self.parts.total(), 3)}, the model's {what} is "
            f"{number(self.parts.logit, 3)}",
            "direct contributions: what a part writes for the output head, not what later layers make of it",
        ]

    def title(self) -> str:
        assert self.position is not None
        against = f" against “{self.against}”" if self.against else ""
        where = f"“{self.token}”{against} at “{self.tokens.text[self.position]}” ({self.position})"
        return dotted(self.facts.model, f"what adds to {where}")


def _name(layer: int | None, part: int | str) -> str:
    """`18.6`, `18.mlp`, `embedding`; `output.bias` for the biases of the final norm and the head."""
    if layer is None:
        return "output.bias" if part == "bias" else str(part)
    return f"{layer}.{str(part).replace(' ', '.')}"


def _kind(part: int | str) -> str:
    return "head" if isinstance(part, int) else str(part).partition(" ")[0]


def _refuse(options: Options, request: Request) -> None:
    if options.against is not None and options.predict is None:
        raise SelectionError("--against needs --predict, the token whose lead is split")
    if options.predict is not None and options.query == EVERY:
        raise SelectionError("--predict splits a logit at one position; got --query all", "name one with --query")


@analysis("logits", Options, Logits, subject="output", refuses=_refuse)
def logits(reading: Rereading, options: Options, progress: Progress | None = None) -> Logits:
    """Show what every layer would predict, or what each head and MLP adds to a token's logit.

    The logit lens sends the residual stream after each layer through the final norm and the output head
    (Nostalgebraist 2020): the likeliest tokens, layer by layer, with their probabilities. --predict splits the logit of
    one token, or with --against its lead over another, into what the embeddings, each head and each MLP write for it
    (Elhage 2021); the parts sum to the model's logit. Decoders, decoders of encoder-decoders, and encoders with a
    masked-language head, which have the lens alone.

    attnviz logits "The capital of France is" -m model.gguf
    attnviz logits "The capital of France is" -m model.gguf --query all -o lens.pdf
    attnviz logits "The capital of France is" -m model.gguf --predict Paris
    attnviz logits "The capital of France is" -m model.gguf --predict Paris --against Rome -o parts.png
    """
    model, model_input = reading.model, reading.model_input
    head = NextToken.of(model, model_input)
    tokens, every = model_input.queries, options.query == EVERY
    position = None if every else _position(head, tokens, options.query)
    facts = ModelFacts(model.name, model_input.meta)
    about: dict[str, Any] = {"facts": facts, "tokens": tokens, "position": position, "masked": head.masked}
    about["options"] = options
    if options.predict is None:
        positions = range(len(tokens)) if position is None else range(max(0, position + 1 - CELLS), position + 1)
        if position is not None and len(tokens) <= CELLS:
            positions = range(len(tokens))
        return _lens(reading, head, positions, about, progress)
    assert position is not None
    return _parts(reading, head, position, about, progress)


def _position(head: NextToken, tokens: Tokens, query: str | None) -> int:
    """The position that predicts: the one that is named, else the mask, else the last that is not special."""
    position = head.position(tokens, query)
    if position is not None:
        return position
    plain = [i for i, special in enumerate(tokens.special) if not special]
    return plain[-1] if plain else len(tokens) - 1


def _output(reading: Rereading, watching: Mapping[str, Any], progress: Progress | None) -> NDArray[np.float32]:
    """The output [n, d_model] of the stack that the head follows, in a pass that collectors watch."""
    model, model_input = reading.model, reading.model_input
    stack = model.spec.passes(model_input.stream, model_input.image)[-1]
    memory = model.memory(model_input, progress)
    half = None if progress is None else lambda share: progress(share * (0.5 if memory is not None else 1.0))
    tensors, source = model.tensors_of(stack), model_input.inputs[stack.stream]
    output = run(
        model_input.spec, tensors, source, watching, stream=stack.stream, memory=memory, whole=True, progress=half
    )  # fmt: skip
    assert output is not None
    return output


def _stack(reading: Rereading) -> tuple[Any, str]:
    """The tensors of the stack that the head follows, and the name of its self-attention."""
    stack = reading.model.spec.passes(reading.model_input.stream, reading.model_input.image)[-1]
    return reading.model.tensors_of(stack), stack.stream


def _lens(
    reading: Rereading, head: NextToken, positions: Sequence[int], about: dict[str, Any], progress: Progress | None
) -> LensLogits:
    tensors, stream = _stack(reading)
    lens = Lens(reading.model_input.spec, tensors, head.vocabulary, positions, about["options"].tokens)
    lens.finish(_output(reading, {stream: [lens]}, progress))
    words = {id: head.label(id) for id in np.unique(lens.ids).tolist()}
    return LensLogits(**about, positions=positions, ids=lens.ids, logprobs=lens.logprobs, words=words)


def _parts(
    reading: Rereading, head: NextToken, position: int, about: dict[str, Any], progress: Progress | None
) -> PartsLogits:
    spec, options = reading.model_input.spec, about["options"]
    if reason := why_not(spec, head.vocabulary):
        raise ModelError(
            f"{reading.model.name}: a logit is no sum of parts, since {reason}",
            "leave out --predict: the logit lens needs no sum",
        )
    token, against = head.find(options.predict), None if options.against is None else head.find(options.against)
    if token == against:
        raise SelectionError(f"--predict and --against name one token, {head.label(token)!r}")
    tensors, stream = _stack(reading)
    attribution = Attribution(spec, tensors, position)
    output = _output(reading, attribution.watching(stream), progress)
    parts = attribution.parts(output, head.vocabulary, token, against)
    asked = [(options.predict, token), *([] if against is None else [(options.against, against)])]
    messages = [message for name, id in asked for message in _of_pieces(name, head.label(id))]
    label = "" if against is None else head.label(against)
    return PartsLogits(**about, parts=parts, token=head.label(token), against=label, messages=messages)


def _of_pieces(asked: str, label: str) -> list[str]:
    """Say that a text is several pieces, of which the first counts."""
    if asked.startswith("#") or asked.isdecimal() or asked.strip() == label.strip():
        return []
    return [f"{asked!r} is several tokens, of which the first counts: {label!r}"]
