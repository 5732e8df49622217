"""OneHead: the subject of an analysis of a single head: a model, its input, and which head of which layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.select import resolve_indices

if TYPE_CHECKING:
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model


@dataclass(frozen=True, eq=False)
class OneHead:
    """layer: a true index. head: a true index, None if none was given."""

    model: Model
    model_input: ModelInput
    layer: int
    head: int | None

    @classmethod
    def of(cls, model: Model, model_input: ModelInput, layer: int | str, head: int | str | None) -> OneHead:
        """From indices, of which a negative one counts from the end. Raises SelectionError for what is not there."""
        spec = model_input.spec
        (true_layer,) = resolve_indices("layer", str(layer), range(spec.n_layers))
        true_head = None if head is None else resolve_indices("head", str(head), range(spec.n_heads))[0]
        return cls(model, model_input, true_layer, true_head)
