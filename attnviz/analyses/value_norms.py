"""Each measure of `attnviz.measures.norms` on a model as an Attention, from one pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from attnviz.analyses.every_layer import MOST_KEPT
from attnviz.engine.collectors import one_mask
from attnviz.errors import InputError
from attnviz.measures.norms import MEASURES, OF_HEADS, Moved, shares

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Progress
    from attnviz.models.source import AttentionSource

WITH_RESIDUAL = ("residual", "alti", "zeroing")  # measures that have the residual stream in them
MOST_TOKENS = 512  # whose norms are measured: every pair has a vector of the model's width
MOST_ZEROED = 128  # tokens up to which value zeroing, a block for every pair, is done unless asked for


@dataclass(frozen=True, eq=False)
class ValueNorms:
    """Each measure of `attnviz.measures.norms`, as an Attention of the same layers and tokens.

    maps: weights [layer, 1, query, key] of all heads of a layer together, or [layer, head, query, key] of single ones.
    left_out: measures that this model or text cannot have, and why.
    """

    maps: dict[str, Attention]
    left_out: Mapping[str, str]

    def shares(self) -> dict[str, Attention]:
        """The maps with norms divided by the sums of their rows, so that all measures can be compared."""
        return {
            name: replace(attention, weights=shares(attention.weights)) if name in ("norm", "residual") else attention
            for name, attention in self.maps.items()
        }


def value_norms(
    source: AttentionSource,
    measures: Sequence[str] | None = None,
    layers: Sequence[int] | None = None,
    *,
    single: bool = False,
    progress: Progress | None = None,
) -> ValueNorms:
    """Norms of what heads add, ALTI, value zeroing and effective attention, beside the weights, in one pass.

    Args:
        source: of a model and its input, with the heads that are measured.
        measures: of `attnviz.measures.norms.MEASURES`; None for all that this model and text can have.
        layers: true indices; all of the source by default.
        single: whether its heads are measured one by one; all heads of a layer together otherwise.

    Raises:
        InputError: attention from a file, cross-attention, too many tokens, or a measure that cannot be had.
    """
    if source.opened is None:
        raise InputError(
            "norms need values and W_O, which attention alone does not hold", "give the model and its text instead"
        )
    model, model_input = source.opened
    spec, n = model_input.spec, len(model_input.keys)
    layers, heads = list(layers or source.layers), list(source.heads) if single else []
    reasons = _reasons(model_input)
    for name in measures or ():
        if name in reasons and not (name == "zeroing" and not spec.cross):
            raise InputError(reasons[name])
    wanted = [name for name in MEASURES if (name not in reasons if measures is None else name in measures)]
    if single:  # what only all heads together have is not measured
        wanted, reasons = [name for name in wanted if name in OF_HEADS], {}
    if (len(wanted) + len(OF_HEADS) * len(heads)) * len(layers) * n * n > MOST_KEPT:
        raise InputError(
            f"{len(layers)} layers of {len(heads)} heads and {n} x {n} tokens are more than can be held at once",
            "choose some with --layer and --head",
        )
    moved = Moved(layers, wanted, n, spec.n_heads, heads, model_input.global_tokens)
    model.observe(model_input, [moved], progress)
    mask = one_mask([moved.allowed[layer] for layer in layers])
    maps = {}
    for name, by_layer in (moved.by_head if single else moved.together).items():
        weights = np.stack([by_layer[layer] for layer in layers])
        weights = weights if single else weights[:, None]
        meta = {**model_input.meta, "measure": name, "together": name in ("norm", *WITH_RESIDUAL)}
        attention = model_input.attention(
            model.name, weights, mask, layers, heads or range(spec.n_heads), grid=None, meta=meta
        )
        maps[name] = attention.select(heads=source.pairs) if source.pairs else attention
    return ValueNorms(maps, {}) if measures is not None else _without_doubles(maps, reasons)


def _without_doubles(maps: dict[str, Attention], reasons: Mapping[str, str]) -> ValueNorms:
    """Effective attention left out where it is the weights themselves."""
    if np.abs(maps["effective"].weights - maps["weights"].weights).max() > 1e-6:
        return ValueNorms(maps, reasons)
    n = len(maps["weights"].keys)
    why = f"the values of these {n} tokens are independent, so that it is the weights themselves"
    others = {name: attention for name, attention in maps.items() if name != "effective"}
    return ValueNorms(others, {**reasons, "effective": why})


def _reasons(model_input: ModelInput) -> dict[str, str]:
    """Measures that cannot be had, and why. Raises InputError where none can."""
    n = len(model_input.keys)
    if model_input.stream == "cross":
        raise InputError(
            "norms are measured where a text attends to itself: in cross-attention nothing of the text is mixed in",
            "take --stream encoder or --stream decoder",
        )
    if n > MOST_TOKENS:
        raise InputError(
            f"norms of {n:,} tokens are too much work: every pair has a vector of {model_input.spec.d_model} numbers; "
            f"up to {MOST_TOKENS} tokens can be measured",
            "give a shorter text",
        )
    if model_input.spec.cross:
        return {"zeroing": "value zeroing runs a block again, which here continues with cross-attention"}
    if n > MOST_ZEROED:
        return {"zeroing": f"value zeroing runs every block {n * n:,} rows long: ask for it by name"}
    return {}
