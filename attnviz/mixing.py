"""How tokens mix in a model: rollout, the means over heads that flow is made of, and what attention moves.

attnviz.mixing.rollout(attnviz.load("minilm"), "The cat sat on the mat").weights   # [layer, 1, query, key]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.attention import Attention
from attnviz.engine.collectors import one_mask
from attnviz.errors import InputError, SelectionError, one_of
from attnviz.measures.norms import MEASURES, OF_HEADS, Moved, shares
from attnviz.measures.rollout import Rollout, chained, check_kind, check_residual, named
from attnviz.select import chosen, chosen_heads

if TYPE_CHECKING:
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model, Progress

WITH_RESIDUAL = ("residual", "alti", "zeroing")  # measures in which it is already
MOST_KEPT = 200_000_000  # numbers that are held at once
MOST_TOKENS = 512  # whose norms are measured: every pair has a vector of the model's width
MOST_ZEROED = 128  # tokens up to which value zeroing, a block for every pair, is not waited for unless asked for


def rollout(
    model: Model,
    text: str | None = None,
    pair: str | None = None,
    *,
    layers: Iterable[int] | int | None = None,
    heads: Iterable[int] | int | None = None,
    residual: float = 0.5,
    progress: Progress | None = None,
    **inputs: Any,
) -> Attention:
    """Rollout of a text through a model, in one pass; no layer's maps are kept, so that long texts can be followed.

    Args:
        text, pair, inputs: as for `Model.attend`.
        layers: whose rollouts to keep, all by default. heads: which are averaged in each layer, all by default.
        residual: share of the residual stream in each layer, 0 to 1 (`analysis.rollout.with_residual`).

    Returns:
        An Attention with weights [layer, 1, query, key]; see `analysis.rollout.rollout`.

    Raises:
        As `Model.attend`; InputError for cross-attention and for more numbers than can be kept.
    """
    return rollout_of(model, model.prepare(text, pair, **inputs), layers, heads, residual, progress)


def rollout_of(
    model: Model,
    given: ModelInput,
    layers: Iterable[int] | int | None = None,
    heads: Iterable[int] | int | None = None,
    residual: float = 0.5,
    progress: Progress | None = None,
) -> Attention:
    """The same for a prepared input."""
    check_kind(given.stream)
    check_residual(residual)
    at_layers = chosen("layer", layers, given.spec.n_layers)
    at_heads = chosen("head", heads, given.spec.n_heads)
    keep = _kept(model, given, at_layers, at_heads, residual, progress)
    share = "" if residual == 0.5 else f", residual {residual:g}"
    return _attention(model, given, keep, at_layers, at_heads, f"rollout{share}")


def means(
    model: Model,
    given: ModelInput,
    last: int,
    heads: Iterable[int] | int | None = None,
    progress: Progress | None = None,
) -> Attention:
    """The mean over heads of layers 0 to `last`, of a prepared input; no head's map is kept."""
    check_kind(given.stream)
    at_heads = chosen("head", heads, given.spec.n_heads)
    at_layers = list(range(last + 1))
    keep = _kept(model, given, at_layers, at_heads, None, progress)
    return _attention(model, given, keep, at_layers, at_heads, "")


def _kept(
    model: Model,
    given: ModelInput,
    layers: Sequence[int],
    heads: Sequence[int],
    residual: float | None,
    progress: Progress | None,
) -> Rollout:
    """What a pass leaves in a Rollout: of rollouts or, without a residual, of means."""
    n = len(given.keys)
    if len(layers) * n * n > MOST_KEPT:
        raise InputError(
            f"{len(layers)} layers of {n:,} x {n:,} tokens are more than can be held at once",
            "choose some with --layer, as in --layer -1",
        )
    keep = Rollout(layers, heads, n, residual)
    model.observe(given, [keep], progress)
    return keep


def _attention(
    model: Model, given: ModelInput, keep: Rollout, layers: Sequence[int], heads: Sequence[int], measure: str
) -> Attention:
    weights = keep.result()[:, None]
    return given.attention(
        model.name,
        weights,
        keep.mask,
        layers,
        heads,
        grid=None,
        reduced=f"mean over {len(heads)} heads" if len(heads) > 1 else "",
        meta={**given.meta, **({"measure": measure} if measure else {})},
    )


@dataclass(frozen=True, eq=False)
class Moves:
    """What attention moves, by measure (`analysis.norms`): each an Attention of the same layers and tokens.

    maps: of all heads together, weights [layer, 1, query, key]. by_head: of single heads, [layer, head, query, key].
    left_out: measures that this model or text cannot have, and why.
    """

    maps: dict[str, Attention]
    by_head: dict[str, Attention] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def shares(self) -> Moves:
        """The same with norms divided by the sums of their rows, so that all measures can be compared."""

        def whole(name: str, one: Attention) -> Attention:
            return replace(one, weights=shares(one.weights)) if name in ("norm", "residual") else one

        maps, by_head = ({name: whole(name, one) for name, one in of.items()} for of in (self.maps, self.by_head))
        return Moves(maps, by_head, self.left_out)


def norms(
    model: Model,
    text: str | None = None,
    pair: str | None = None,
    *,
    measures: Sequence[str] | None = None,
    layers: Iterable[int] | int | None = None,
    heads: Iterable[int | str] | int | str | None = (),
    progress: Progress | None = None,
    **inputs: Any,
) -> Moves:
    """What attention moves: norms of what heads add, ALTI, value zeroing and effective attention, beside the weights.

    Args:
        text, pair, inputs: as for `Model.attend`.
        measures: of `analysis.norms.MEASURES`; by default all that this model and text can have.
        layers: all by default. heads: single ones, also of different layers as for `Model.attend`; then only measures
            that single heads have are found. By default none, and all measures of all heads together.

    Raises:
        As `Model.attend`; SelectionError: no such measure. InputError: cross-attention, too many tokens, or a measure
        that was asked for and cannot be had.
    """
    return norms_of(model, model.prepare(text, pair, **inputs), measures, layers, heads, progress)


def norms_of(
    model: Model,
    given: ModelInput,
    measures: Sequence[str] | None = None,
    layers: Iterable[int] | int | None = None,
    heads: Iterable[int | str] | int | str | None = (),
    progress: Progress | None = None,
) -> Moves:
    """The same for a prepared input."""
    for name in measures or ():
        if name not in MEASURES:
            raise SelectionError(one_of("measure", name, MEASURES))
    n = len(given.keys)
    reasons = _reasons(given)
    for name in measures or ():
        if name in reasons and not (name == "zeroing" and n <= MOST_TOKENS and not given.spec.cross):
            raise InputError(reasons[name])
    some = not isinstance(heads, tuple) or bool(heads)
    at = chosen_heads(layers, heads if some else None, given.spec.n_layers, given.spec.n_heads)
    at_layers, at_heads = at.layers, at.heads if some else []
    wanted = [name for name in MEASURES if name in (measures if measures is not None else MEASURES)]
    if measures is None:
        wanted = [name for name in wanted if name not in reasons]
    if at_heads:  # single heads were asked for: what only all together have is not waited for
        wanted = [name for name in wanted if name in OF_HEADS]
        reasons = {}
    if (len(wanted) + len(OF_HEADS) * len(at_heads)) * len(at_layers) * n * n > MOST_KEPT:
        raise InputError(
            f"{len(at_layers)} layers of {len(at_heads)} heads and {n} x {n} tokens are more than can be held at once",
            "choose some with --layer and --head",
        )
    keep = Moved(at_layers, wanted, n, given.spec.n_heads, at_heads, given.global_tokens)
    model.observe(given, [keep], progress)
    mask = one_mask([keep.allowed[layer] for layer in at_layers])

    def made(found: dict[int, Any], name: str, of: Sequence[int]) -> Attention:
        weights = np.stack([found[layer] for layer in at_layers])
        meta = {**given.meta, "measure": name, "together": name in ("norm", *WITH_RESIDUAL)}
        weights = weights if weights.ndim == 4 else weights[:, None]
        return given.attention(model.name, weights, mask, at_layers, of, grid=None, meta=meta)

    every = range(given.spec.n_heads)
    maps = {name: made(found, name, every) for name, found in keep.found.items()}
    by_head = {name: made(found, name, at_heads) for name, found in keep.by_head.items()}
    if at.pairs:
        by_head = {name: one.select(heads=at.pairs) for name, one in by_head.items()}
    found = Moves(maps, by_head, {} if measures is not None else reasons)
    return found if measures is not None else _without_doubles(found)


def rollout_by(
    model: Model,
    given: ModelInput,
    measure: str,
    layers: Iterable[int] | int | None = None,
    progress: Progress | None = None,
) -> Attention:
    """Rollout of a measure that has the residual stream in it: residual, alti or zeroing, multiplied up from layer 0.

    Rows of each layer are divided by their sums. Weights [layer, 1, query, key]; errors as for `norms`.

    Source: Ferrando 2022, section 3.3; Mohebbi 2023, section 5.
    """
    if measure not in WITH_RESIDUAL:
        raise SelectionError(one_of("measure", measure, WITH_RESIDUAL))
    at_layers = chosen("layer", layers, given.spec.n_layers)
    one = norms_of(model, given, [measure], range(max(at_layers) + 1), (), progress).shares().maps[measure]
    mixed = np.stack(chained(list(one.weights[:, 0])))[:, None].astype(np.float32)
    return named(one, mixed, f"rollout of {measure}", 0.5).select(layers=at_layers)


def _without_doubles(found: Moves) -> Moves:
    """Effective attention left out where it is the weights themselves."""
    pairs = [
        (of["effective"].weights, of["weights"].weights) for of in (found.maps, found.by_head) if "effective" in of
    ]
    if not pairs or any(np.abs(one - other).max() > 1e-6 for one, other in pairs):
        return found
    n = len(next(iter(found.maps.values())).keys)
    why = f"the values of these {n} tokens are independent, so that it is the weights themselves"
    maps, by_head = ({k: v for k, v in of.items() if k != "effective"} for of in (found.maps, found.by_head))
    return Moves(maps, by_head, {**found.left_out, "effective": why})


def _reasons(given: ModelInput) -> dict[str, str]:
    """Measures that cannot be had, and why. Raises InputError where none can."""
    n = len(given.keys)
    if given.stream == "cross":
        raise InputError(
            "norms are measured where a text attends to itself: in cross-attention nothing of the text is mixed in",
            "take --stream encoder or --stream decoder",
        )
    if n > MOST_TOKENS:
        raise InputError(
            f"norms of {n:,} tokens are too much work: every pair has a vector of {given.spec.d_model} numbers; up to "
            f"{MOST_TOKENS} tokens can be measured",
            "give a shorter text",
        )
    if given.spec.cross:
        return {"zeroing": "value zeroing runs a block again, which here goes on with cross-attention"}
    if n > MOST_ZEROED:
        return {"zeroing": f"value zeroing runs every block {n * n:,} rows long: ask for it by name"}
    return {}
