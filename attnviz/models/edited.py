"""A model that reads one input again and again, each time with heads removed or links cut.

Layers below the first one that an edit touches are computed once: the residual stream as it enters each layer is
kept, and every further pass begins there. Heads of about the same layer pass together where a model's texts can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.engine.edits import HeadsRemoved, LinksCut
from attnviz.engine.forward import run
from attnviz.engine.observer import Collector, Need
from attnviz.engine.texts import together
from attnviz.engine.threads import SHARED_ROWS
from attnviz.engine.tiles import WHOLE_LAYER
from attnviz.errors import ModelError
from attnviz.models.source import AttentionSource

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.axis import Tokens
    from attnviz.engine.edits import Edit
    from attnviz.engine.spec import Stack
    from attnviz.engine.tile import Tile
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model, Progress
    from attnviz.select import HeadChoice, LayerChoice

    Array = NDArray[np.float32]
    Group = Collection[tuple[int, int]]

MOST_ENTRIES = 1 << 26  # numbers of the residual stream that are kept: 256 MB


@dataclass(frozen=True, eq=False)
class Rereading:
    """A model, an input, and the heads whose effect is asked for.

    model_input: what is run; of an encoder-decoder both stacks' input, whatever the stream. source: the attention of
    the heads that were chosen.
    """

    model: Model
    model_input: ModelInput
    source: AttentionSource

    @classmethod
    def of(
        cls,
        model: Model,
        inputs: Mapping[str, Any],
        *,
        stream: str | None = None,
        layers: LayerChoice = None,
        heads: HeadChoice = None,
    ) -> Rereading:
        """Open an input; nothing is computed yet.

        Args:
            inputs: the arguments of `Model.prepare` besides the stream. The decoder of an encoder-decoder reads the
                target, or without one its start token.
            stream: whose heads; for an encoder-decoder cross (default), decoder or encoder.
            layers, heads: which of them, as for `Model.attend`; all by default.

        Raises:
            ModelError: no target, and the model does not say which token begins one. InputError, SelectionError: as for
                `Model.prepare`.
        """
        given = {name: value for name, value in inputs.items() if value is not None}
        if not model.spec.reads_target:
            model_input = read = model.prepare(**given, stream=stream)
        else:
            if not given.keys() & {"target", "target_ids"}:
                given["target_ids"] = _beginning(model)
            model_input = model.prepare(**given, stream="cross")
            if stream == "encoder":
                given = {name: value for name, value in given.items() if name not in ("target", "target_ids")}
            read = model_input if stream in (None, "cross") else model.prepare(**given, stream=stream)
        return cls(model, model_input, AttentionSource.of(model, read, layers=layers, heads=heads))

    @property
    def edited(self) -> str:
        """The stream whose heads are edited."""
        return self.source.stream

    @property
    def tokens(self) -> Tokens:
        """The tokens of the output: the decoder's, or the only stack's."""
        return self.model_input.queries


def _beginning(model: Model) -> list[int]:
    if model.spec.start_id is None:
        raise ModelError(
            f"{model.name} does not say which token begins an answer",
            "begin it yourself: --target TEXT (target_ids=[2])",
        )
    return [model.spec.start_id]


class Entries(Collector):
    """Keeps the residual stream as it enters some layers, [n, d_model] each."""

    needs: frozenset[Need] = frozenset({"vectors"})

    def __init__(self, layers: Collection[int]) -> None:
        self._layers = frozenset(layers)
        self.kept: dict[int, Array] = {}

    def wants(self, layer: int, head: int) -> bool:
        return False

    def take(self, tile: Tile) -> None:
        """No tiles are wanted."""

    def see(self, layer: int, name: str, values: Array) -> None:
        if name == "input" and layer in self._layers and layer not in self.kept:
            self.kept[layer] = values.copy()


@dataclass(frozen=True, eq=False)
class _Part:
    """One stack's pass over its input. stack: which; memory: what its cross-attention reads, None without any."""

    model: Model
    stack: Stack
    model_input: ModelInput
    memory: Array | None = None

    @property
    def n_layers(self) -> int:
        return self.stack.spec.n_layers

    def run(
        self,
        edit: Edit | None = None,
        begin: tuple[int, Array] | None = None,
        entries: Entries | None = None,
        progress: Progress | None = None,
    ) -> Array:
        """The stack's output after its final norm: [n, d_model], or [text, n, d_model] if `begin` has texts."""
        stream, source = self.stack.stream, self.model_input.inputs[self.stack.stream]
        watching = {} if entries is None else {stream: [entries]}
        how: dict[str, Any] = {"memory": self.memory, "edit": edit, "begin": begin, "progress": progress}
        tensors = self.model.tensors_of(self.stack)
        output = run(self.stack.spec, tensors, source, watching, stream=stream, whole=True, **how)
        assert output is not None
        return output


@dataclass(frozen=True, eq=False)
class EditedModel:
    """The output of a model for one input, whole and with edits.

    reading: the model and its input. The output is the last stack's, after its final norm.
    """

    reading: Rereading
    _entries: dict[int, Array] = field(default_factory=dict)

    @cached_property
    def whole(self) -> Array:
        """The output [n, d_model] without an edit."""
        entries = Entries(self._kept_layers())
        output = self._edited.run(entries=entries)
        self._entries.update(entries.kept)
        return self._finished(output)

    def without(
        self, groups: Sequence[Group], mean: bool = False, progress: Progress | None = None
    ) -> Iterator[tuple[list[int], Array]]:
        """The outputs without some heads.

        Args:
            groups: the (layer, head) that are removed, in each output. mean: a head gives its mean over the text's
                positions instead of zeros.
            progress: called with shares of the work, which sum to 1.

        Yields:
            Indices into `groups`, and the outputs [group, n, d_model] of the indexed groups, by layer.
        """
        stream = self.reading.edited
        return self._outputs(groups, lambda some: HeadsRemoved(some, stream, mean), self._at_once(), progress)

    def cut(
        self, groups: Sequence[Group], query: int, key: int, progress: Progress | None = None
    ) -> Iterator[tuple[list[int], Array]]:
        """The outputs without the link from one query to one key, in the heads of each group; see `without`."""
        links, stream = (frozenset([query]), frozenset([key])), self.reading.edited

        def edit(groups: Sequence[Group]) -> LinksCut:
            (group,) = groups
            by_layer = {layer: frozenset(head for at, head in group if at == layer) for layer, _ in group}
            return LinksCut(*links, stream, by_layer)

        return self._outputs(groups, edit, 1, progress)

    def _outputs(
        self, groups: Sequence[Group], edit: Callable[[Sequence[Group]], Edit], most: int, progress: Progress | None
    ) -> Iterator[tuple[list[int], Array]]:
        whole = self.whole  # keeps the entries
        first = [min((layer for layer, _ in group), default=0) for group in groups]
        order = sorted(range(len(groups)), key=first.__getitem__)
        left = sum(self._edited.n_layers - layer for layer in first)
        for start in range(0, len(order), most):
            some = order[start : start + most]
            begin = self._entry(first[some[0]])
            x = begin[1] if len(some) == 1 else np.stack([begin[1]] * len(some))
            texts = self._edited.run(edit([groups[i] for i in some]), (begin[0], x))
            texts = texts.reshape(len(some), *texts.shape[-2:])
            yield some, np.stack([self._finished(text) for text in texts])
            if progress is not None:
                progress(sum(self._edited.n_layers - first[i] for i in some) / left)
        assert whole is self.whole

    def _finished(self, output: Array) -> Array:
        """The edited stack's output through the stack that reads it, if there is one."""
        if self._following is None:
            return output
        return _Part(self.reading.model, self._following, self.reading.model_input, output).run()

    @cached_property
    def _stacks(self) -> tuple[Stack, ...]:
        model_input = self.reading.model_input
        return self.reading.model.spec.passes(model_input.stream, model_input.image)

    @property
    def _following(self) -> Stack | None:
        """The decoder, if the encoder is edited."""
        encoder_alone = self.reading.edited == "encoder" and len(self._stacks) == 2
        return self._stacks[1] if encoder_alone else None

    @cached_property
    def _edited(self) -> _Part:
        """The stack whose heads are edited."""
        model, model_input = self.reading.model, self.reading.model_input
        if self._following is not None:
            return _Part(model, self._stacks[0], model_input)
        return _Part(model, self._stacks[-1], model_input, model.memory(model_input))

    def _kept_layers(self) -> range:
        """The layers whose inputs are kept: all, or of a long text so many as fit."""
        part = self._edited
        size = len(self._tokens_of_part()) * part.stack.spec.d_model * part.n_layers
        return range(0, part.n_layers, max(1, -(-size // MOST_ENTRIES)))

    def _tokens_of_part(self) -> Tokens:
        model_input = self.reading.model_input
        return model_input.keys if self._following is not None else model_input.queries

    def _entry(self, layer: int) -> tuple[int, Array]:
        """The nearest layer at or below this one whose input is kept, and that input."""
        at = max(kept for kept in self._entries if kept <= layer)
        return at, self._entries[at]

    def _at_once(self) -> int:
        """The number of edits in one pass: what is worth sharing over the cores, and fits a tile."""
        part, n = self._edited, len(self._tokens_of_part())
        if part.memory is not None or not together(part.stack.spec):
            return 1
        return max(1, min(WHOLE_LAYER // (part.stack.spec.n_heads * n * n), -(-SHARED_ROWS // n)))
