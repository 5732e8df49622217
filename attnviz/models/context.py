"""A prompt with sources, a question and an answer: which token belongs to which, and passes with a source cut off.

asked = Asked(model, "What does Bob drive?", ("Ann keeps bees.", "Bob drives a bus."), answer="a bus")
prompt = asked.opened()
prompt.observe([collector])
prompt.knockout(1)  # the fall of the answer's log-probability without the second source, in nats
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.cache import Cache
from attnviz.engine.decode import Vocabulary, why_not
from attnviz.engine.edits import LinksCut
from attnviz.engine.forward import run
from attnviz.errors import InputError, ModelError, no_tokenizer, shown
from attnviz.models.generate import continued
from attnviz.models.passages import Layout, joined, plain, sent, turn
from attnviz.models.prompt import Prompt
from attnviz.models.vocabulary import vocabulary_of, vocabulary_of_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens
    from attnviz.engine.observer import Collector
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model, Progress

    Array = NDArray[np.float32]
    Numbers = NDArray[np.float64]

MAX_NEW = 40


@dataclass(frozen=True, eq=False)
class ContextPrompt:
    """Sources, question and answer as one input of a model, ready to be observed.

    model_input: everything, the answer included. tokens: of the context and what follows it; in an encoder-decoder of
    the encoder's text. source: the source of each of these tokens, -1 for none. layout: the text and its parts.
    begin: the first token after the context, c in the formulas. question: places of the question's own tokens that
    come after the context. answer: places of the answer's tokens, counted in the decoder's text where there is one.
    answer_text: what the answer spells. generated: whether the model wrote the answer.
    """

    model: Model
    model_input: ModelInput
    tokens: Tokens
    source: tuple[int, ...]
    layout: Layout
    begin: int
    question: tuple[int, ...]
    answer: tuple[int, ...]
    answer_text: str
    generated: bool
    _kept: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def crosses(self) -> bool:
        """Whether the answer is a decoder's, which reads the sources through cross-attention."""
        return self.model.spec.reads_target

    @property
    def n(self) -> int:
        """Rows of the attention: tokens of the whole text, or of the decoder's text."""
        return len(self.model_input.queries)

    def observe(
        self, collectors: Sequence[Collector], *, checked: bool = False, progress: Progress | None = None
    ) -> None:
        """One pass over everything. checked: `knockout` follows, so that keys, values and outputs are kept.

        Kept are the keys and values of all tokens: 8 * n_layers * n_kv_heads * d_head bytes for each.
        """
        stack = self.model.spec.generator
        cache = Cache() if checked and not self.crosses and not why_not(stack.spec) else None
        if self.crosses and "memory" not in self._kept:
            self._kept["memory"] = self.model.memory(self.model_input)
        x = self._run(collectors, whole=checked, cache=cache, progress=progress)
        if checked:
            self._kept.update(cache=cache, known=self._logprobs(x, 0))

    def logprobs(self) -> Numbers:
        """The log-probability of each of the answer's tokens, in nats: float64 [answer token].

        Raises ModelError: the model has no output head.
        """
        if "known" not in self._kept:
            self.observe([], checked=True)
        known: Numbers = self._kept["known"]
        return known

    def knockout(self, source: int, *, progress: Progress | None = None) -> float:
        """The fall of the answer's log-probability, in nats, if no row after the context attends to a source.

        See `knocked_out`.
        """
        return float((self.logprobs() - self.knocked_out(source, progress=progress)).sum())

    def knocked_out(self, source: int, *, progress: Progress | None = None) -> Numbers:
        """The log-probability of each of the answer's tokens if no row after the context attends to a source.

        The links are cut in all layers and heads (attention knockout, Geva 2023, section 3); for an encoder-decoder
        in cross-attention. The first token of the text is never cut off: heads rest on it, whatever it is (Xiao
        2023, section 3.1). Only the rows after the context are computed again, from the keys and values of the context;
        everything where the model's vectors of a text change with what follows.

        Raises ModelError: the model has no output head.
        """
        self.logprobs()
        keys = frozenset(i for i, own in enumerate(self.source) if own == source and (i or self.crosses))
        cache: Cache | None = self._kept["cache"]
        if self.crosses:
            cut, first = LinksCut(frozenset(range(self.n)), keys, "cross"), 0
        elif cache is None:
            cut, first = LinksCut(frozenset(range(self.begin, self.n)), keys), 0
        else:
            cache.shorten(self.begin)
            cut, first = LinksCut(frozenset(range(self.n - self.begin)), keys), self.begin
        x = self._run([], whole=True, cache=cache, edit=cut, first=first, progress=progress)
        return self._logprobs(x, first)

    def _run(self, collectors: Sequence[Collector], first: int = 0, **how: Any) -> Array | None:
        """A pass over the rows from `first` on."""
        stack = self.model.spec.generator
        inputs = self.model_input.inputs[stack.stream]
        if first and inputs.ids is not None:
            inputs = replace(inputs, ids=inputs.ids[first:], words=inputs.words[first:], first=first)
        stream = "cross" if self.crosses else stack.stream
        return run(
            stack.spec,
            self.model.tensors_of(stack),
            inputs,
            {stream: list(collectors)},
            stream=stack.stream,
            memory=self._kept.get("memory"),
            **how,
        )

    def _logprobs(self, x: Array | None, first: int) -> Numbers:
        """The log-probability of each of the answer's tokens. x: the stack's output [row, d_model] from `first` on."""
        assert x is not None
        queries, logprobs = self.model_input.queries, np.zeros(len(self.answer))
        for k, place in enumerate(self.answer):
            scores = self._vocabulary.scores(x[place - 1 - first]).astype(np.float64)
            top = scores.max()
            token = self._names.index(queries.text[place]) if self._names else queries.ids[place]
            logprobs[k] = scores[token] - top - np.log(np.exp(scores - top).sum())
        return logprobs

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """The words among which a model of whole words chooses; () for a model with a vocabulary."""
        return tuple(dict.fromkeys(self.model_input.queries.text)) if self.model.spec.generator.spec.by_word else ()

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        spec = self.model.spec.generator.spec
        return vocabulary_of_words(self.model, spec, self._names) if self._names else vocabulary_of(self.model)


@dataclass(frozen=True)
class Asked:
    """A question for a model: sources and a question, or a prompt as it was sent, and perhaps an answer.

    question: None if it is part of `prompt`. sources: texts; names: what messages call them. split: how texts are
    cut (passages.SPLITS), None: not at all; a prompt by its turns, or by sentences. answer: None if the model is to
    write one of at most max_new tokens. chat: sources and question become a user's turn in the model's chat template;
    date: the day that it may write.
    """

    model: Model
    question: str | None = None
    sources: Sequence[str] = ()
    prompt: str | None = None
    split: str | None = None
    answer: str | None = None
    max_new: int = MAX_NEW
    chat: bool = False
    date: str | None = None
    names: Sequence[str] = ()

    def opened(self, progress: Progress | None = None) -> ContextPrompt:
        """Lay the text out, let the model answer if no answer is given, and find each token's part.

        progress: called with shares of the work of an answer that is generated, which sum to 1.

        Raises:
            ModelError: the model cannot answer. InputError: there is no question, no source or no answer, one of them
                is empty, or everything is longer than the model reads.
        """
        _check(self.model)
        if self.answer is not None and not str(self.answer).strip():
            raise InputError("the answer is empty: it has no tokens", "leave it out to let the model answer")
        layout, tokens = self._laid_out()
        if self.model.spec.reads_target:
            return self._crossing(layout, tokens, progress)
        answer, before = self.answer, len(tokens)
        if answer is None:
            answer, ids = _written(self, layout, tokens, progress)
            whole, text = _behind(self.model, tokens, ids, layout, answer)
        else:
            text = layout.text + layout.joint + answer.strip()
            whole = self._split_up(text)
            start = len(text) - len(answer.strip())
            before = next((i for i, (_, last) in enumerate(whole.spans) if last > start), len(whole))
        places = tuple(i for i in range(before, len(whole)) if not whole.special[i])
        if not places:
            raise InputError("the answer has no tokens of its own", "write it as the model would")
        _check_length(self.model, len(whole))
        model_input = _prepared(self.model, whole, text)
        source = _sources_of(whole, layout, before)
        begin = max(i for i, own in enumerate(source) if own >= 0) + 1
        question = tuple(i for i in _inside(whole, layout.question, before) if i >= begin)
        return ContextPrompt(
            self.model, model_input, whole, source, layout, begin, question, places, answer.strip(), self.answer is None
        )

    def _laid_out(self) -> tuple[Layout, Tokens]:
        """The text and its parts, and its tokens."""
        question = None if self.question is None else self.question.strip()
        if question == "" or (question is None and self.prompt is None):
            raise InputError("wanted a question", 'as in attnviz context "What does Bob drive?" --sources FILE')
        if self.prompt is not None:
            if self.sources:
                raise InputError("--prompt and --sources exclude each other: a prompt holds its sources")
            marks, written = self._marks(self.prompt)
            text = self.prompt if marks else self.prompt.rstrip("\r\n")
            layout = sent(text, marks, self.split, question)
            return layout, written or self._split_up(layout.text)
        assert question is not None
        names = self.names or [f"source {i}" for i in range(len(self.sources))]
        context, spans = joined(self.sources, names, self.split or "file")
        if not self.chat:
            layout = plain(context, spans, question)
            return layout, self._split_up(layout.text)
        from attnviz.tokens.chat import chat_written

        model = self.model
        metadata = model.checkpoint.config if model.checkpoint is not None else None
        at = (model.tokenizer, metadata, model.folder, model.name, self.date)
        layout = turn(context, spans, question, lambda text: chat_written(text, *at))
        return layout, self._split_up(layout.text)

    def _marks(self, text: str) -> tuple[list[tuple[int, int]], Tokens | None]:
        """Spans of special tokens that are written out in a prompt, and its tokens if there are any."""
        written = getattr(self.model.tokenizer, "tokens_as_written", None)
        if written is None:
            return [], None
        tokens = written(text)
        marks = [span for span, special in zip(tokens.spans, tokens.special, strict=True) if special]
        return marks, tokens if marks else None

    def _split_up(self, text: str) -> Tokens:
        """The tokens of a text; special tokens are written out in a template or a prompt, else the model adds them."""
        tokenizer = self.model.tokenizer
        if tokenizer is None:
            raise no_tokenizer(self.model.name)
        if self.chat or (self.prompt is not None and self._marks(self.prompt)[0]):
            return tokenizer.tokens_as_written(text)  # type: ignore[attr-defined]
        return tokenizer.encode(text).tokens

    def _crossing(self, layout: Layout, tokens: Tokens, progress: Progress | None) -> ContextPrompt:
        """An encoder-decoder: sources and question are the encoder's text, the answer is the decoder's."""
        _check_length(self.model, len(tokens))
        model, answer = self.model, self.answer
        if answer is None:
            answer, new = _written(self, layout, tokens, progress)
            start = Prompt.of(model, ids=tokens.ids).model_input.queries.ids
            model_input = model.prepare(ids=tokens.ids, target_ids=[*start, *new], stream="cross")
        else:
            model_input = model.prepare(ids=tokens.ids, target=answer.strip(), stream="cross")
        queries = model_input.queries
        places = tuple(i for i in range(1, len(queries)) if not queries.special[i])
        if not places:
            raise InputError("the answer has no tokens of its own", "write it as the model would")
        source = _sources_of(tokens, layout, len(tokens))
        begin = max(i for i, own in enumerate(source) if own >= 0) + 1
        return ContextPrompt(
            model, model_input, tokens, source, layout, begin, (), places, answer.strip(), self.answer is None
        )


def _check(model: Model) -> None:
    """Raise ModelError for a model that cannot answer."""
    if not model.spec.generator.spec.causal:
        raise ModelError(
            f"{model.name} cannot answer a question: its tokens attend to later tokens",
            "a decoder (gpt2, llama, ...) or an encoder-decoder (t5, bart, ...) can",
        )


def _check_length(model: Model, n: int) -> None:
    """Raise InputError for more tokens than the model has positions for."""
    reads = model.spec.stacks["encoder"] if model.spec.reads_target else model.spec.generator
    most = reads.spec.max_positions
    if most is not None and n > most:
        raise InputError(
            f"sources, question and answer have {n:,} tokens; {model.name} reads {most:,}",
            "leave sources out, or cut them shorter",
        )


def _written(asked: Asked, layout: Layout, tokens: Tokens, progress: Progress | None) -> tuple[str, list[int]]:
    """The model's own answer and its ids, without the token that ends it. Raises InputError for an empty one.

    In the plain shape an answer ends with its line: models of plain text write another question next.
    """
    model = asked.model
    by_word = model.spec.generator.spec.by_word
    _check_length(model, len(tokens) + 1)
    text, read = (layout.text, None) if by_word else (None, tokens.ids)
    prompt = Prompt.of(model, text, ids=read, layers=[0], heads=[0])
    continuation = continued(prompt, asked.max_new, progress=progress)
    ids = list(continuation.new.ids)
    if continuation.ended == "end":
        ids.pop()
    if by_word:
        return " ".join(continuation.new.text), ids
    spelled: Callable[[list[int]], str] = getattr(
        model.tokenizer, "spelled", lambda ids: " ".join(model.tokens(ids=ids).text)
    )
    if not asked.chat and asked.prompt is None:
        line = next((i for i in range(1, len(ids) + 1) if "\n" in spelled(ids[:i]).lstrip()), None)
        ids = ids if line is None else ids[: line - 1]
    if not ids or not spelled(ids).strip():
        raise InputError("the model's answer is empty: it has no tokens", "give the answer yourself: --answer TEXT")
    return spelled(ids), ids


def _behind(model: Model, tokens: Tokens, ids: list[int], layout: Layout, answer: str) -> tuple[Tokens, str]:
    """The prompt's tokens and the new ones, and the text of both."""
    text = f"{layout.text} {answer}"
    if model.spec.generator.spec.by_word:
        return model.tokens(text), text
    new = model.tokens(ids=ids)
    none = ((len(text), len(text)),) * len(new)
    words = tuple(word + max(tokens.words, default=-1) + 1 if word >= 0 else -1 for word in new.words)
    parts = ("text", "ids", "special")
    both = {name: getattr(tokens, name) + getattr(new, name) for name in parts}
    segments = tokens.segments + (tokens.segments[-1],) * len(new)
    return replace(tokens, **both, words=tokens.words + words, segments=segments, spans=tokens.spans + none), text


def _prepared(model: Model, tokens: Tokens, text: str) -> ModelInput:
    """The whole text as the engine takes it."""
    if model.spec.generator.spec.by_word:
        return model.prepare(text)
    return replace(model.prepare(ids=tokens.ids), queries=tokens, keys=tokens)


def _sources_of(tokens: Tokens, layout: Layout, stop: int) -> tuple[int, ...]:
    """The source of each token before `stop`: the one that holds most of its characters, the first of equal ones.

    Special tokens, white space between sources and tokens from `stop` on belong to none: -1. Raises InputError for a
    source that no token belongs to.
    """
    source, at = [-1] * len(tokens), 0
    for i, (first, last) in enumerate(tokens.spans[:stop]):
        if tokens.special[i] or last <= first:
            continue
        while at < len(layout.sources) and layout.sources[at][1] <= first:
            at += 1
        near = [(k, min(last, b) - max(first, a)) for k, (a, b) in enumerate(layout.sources[at : at + 3], at)]
        best, overlap = max(near, key=lambda each: each[1], default=(-1, 0))
        if overlap > 0:
            source[i] = best
    missing = set(range(len(layout.sources))) - set(source)
    if missing:
        which = f"source {min(missing)} ({shown(layout.source_texts()[min(missing)])})"
        raise InputError(f"{which} has no tokens of its own", "cut the text in another way: --split")
    return tuple(source)


def _inside(tokens: Tokens, span: tuple[int, int] | None, stop: int) -> list[int]:
    """The tokens before `stop` with characters inside a span."""
    if span is None:
        return []
    each = enumerate(tokens.spans[:stop])
    return [i for i, (first, last) in each if min(last, span[1]) > max(first, span[0]) and not tokens.special[i]]
