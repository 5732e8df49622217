"""`attnviz ablate`: what changes in a model's answer when a head, or one link, is taken away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attnviz.analyses.base import analysis
from attnviz.analyses.head_effects import Ablation, Effect, HeadEffects, JointEffect, Measured, Options
from attnviz.errors import InputError, ModelError, SelectionError
from attnviz.measures.ablation import log_probabilities
from attnviz.measures.pairs_of_tokens import strongest_pairs
from attnviz.measures.roles import role_scores
from attnviz.models.edited import EditedModel
from attnviz.models.next_token import NextToken
from attnviz.select import find_mark, find_token

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from attnviz.analyses.head_effects import Numbers
    from attnviz.measures.lift import Pair
    from attnviz.models.edited import Rereading
    from attnviz.models.model import Progress

BEFORE = 0.1  # of the work: the whole model, roles and links


@analysis("ablate", Options, Ablation, subject="rereading")
def ablate(reading: Rereading, options: Options, progress: Progress | None = None) -> Ablation:
    """Take heads away one by one, or one link, and say what changes in the model's answer.

    A head's output is set to zero before W_O, or to its mean over the text; everything above is computed again. For a
    model with an output head: the divergence of its prediction at the last position, and the change of one token's
    log-probability. For an encoder without one: how far the final vectors turn. Beside each effect stand the head's
    main role and its highest lift: what a head attends to, and whether that matters, are two questions. --link cuts one
    link: its score becomes -inf before the softmax. In an encoder-decoder --stream says whose heads, cross by
    default, and the prediction is the decoder's. With -o boards of the effects, the strongest outlined, and the list;
    with --together or --keep the likeliest tokens before and after, or how far each final vector turns.

    attnviz ablate "The animal didn't cross the street because it was too tired" -m minilm
    attnviz ablate "The capital of France is" -m model.gguf --predict Paris -l 23
    attnviz ablate "The capital of France is" -m model.gguf --predict Paris -l 12 --together
    attnviz ablate "The capital of France is" -m model.gguf -l 23 --link is:France --json
    attnviz ablate "the cat saw the dog and the cat" -m seeded --causal -o ablate.png
    """
    model, source = EditedModel(reading), reading.source
    link = None if options.link is None else find_mark(source.queries, source.keys, options.link)
    groups, measured = _groups(reading, options), _measured(model, options)
    if link is not None:
        _check_seen(reading, link)
    about: dict[str, Any] = {"facts": source.facts, "measured": measured, "tokens": reading.tokens.text}
    about["options"] = options
    if options.together or options.keep:
        ((_, (output,)),) = _passes(model, groups, link, options, progress)
        (numbers,) = measured.effects(output[None])
        return JointEffect(**about, numbers=numbers, removed=len(groups[0]), each=measured.each(output))
    beside = _beside(reading, link, progress)
    all_numbers: dict[int, Numbers] = {}
    for some, outputs in _passes(model, groups, link, options, _rest(progress)):
        all_numbers |= zip(some, measured.effects(outputs), strict=True)
    effects = tuple(Effect(all_numbers[i], at, place, *beside[at]) for i, (at, place) in enumerate(source.facts.named))
    return HeadEffects(**about, effects=effects)


def _passes(
    model: EditedModel,
    groups: Sequence[Sequence[tuple[int, int]]],
    link: tuple[int, int] | None,
    options: Options,
    progress: Progress | None,
) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """Indices of groups, and the outputs [group, n, d_model] without the heads of these groups, or without the link."""
    if link is None:
        return model.without(groups, options.by == "mean", progress)
    return model.cut(groups, *link, progress)


def _groups(reading: Rereading, options: Options) -> list[list[tuple[int, int]]]:
    """The heads that are removed in each pass."""
    chosen = [(int(layer or 0), int(head or 0)) for layer, head in reading.source.places]
    if not (options.keep or options.together):
        return [[place] for place in chosen]
    if options.together:
        return [chosen]
    n_layers, n_heads = reading.source.size
    others = [(i, j) for i in range(n_layers) for j in range(n_heads) if (i, j) not in set(chosen)]
    if not others:
        raise SelectionError("--keep with all heads leaves nothing to remove", "choose the heads to keep: -l 3 -H 1")
    return [others]


def _measured(model: EditedModel, options: Options) -> Measured:
    """The measurement, with the whole model's numbers."""
    reading = model.reading
    try:
        head = NextToken.of(reading.model, reading.model_input)
    except ModelError as error:
        if options.predict is not None:
            raise
        at = None if options.query is None else find_token(reading.tokens, options.query, "tokens")
        return Measured(model.whole, at, why=str(error))
    token = None if options.predict is None else head.find(options.predict)
    position = head.position(reading.tokens, options.query)
    if position is None:
        if token is not None:
            raise InputError(
                f"{reading.model.name} predicts masked tokens, and the text has none", "write [MASK] into it"
            )
        return Measured(model.whole, None, why="the text has no mask to predict")
    before = log_probabilities(head.scores(model.whole[position : position + 1]))[0]
    return Measured(model.whole, position, head, int(before.argmax()) if token is None else token, before)


def _beside(
    reading: Rereading, link: tuple[int, int] | None, progress: Progress | None
) -> Mapping[tuple[int, int], tuple[str | None, Pair | None]]:
    """The main role of each head, and its strongest link or the one that is cut, by its position on a board."""
    source, share = reading.source, None if progress is None else lambda part: progress(part * BEFORE / 3)
    scores = role_scores([source], share)
    query, key = link or (None, None)
    pairs = strongest_pairs(source, 1, query=query, key=key, special=False, progress=share)
    links = {(pair.layer, pair.head): pair for pair in pairs}
    beside: dict[tuple[int, int], tuple[str | None, Pair | None]] = {}
    for at, (layer, head) in source.facts.named:
        held = {name: each.score[at] for name, each in scores.items() if each.score[at] >= each.threshold[at]}
        beside[at] = max(held, key=held.__getitem__, default=None), links.get((layer or 0, head or 0))
    return beside


def _check_seen(reading: Rereading, link: tuple[int, int]) -> None:
    """Raise SelectionError for a link that no chosen head can have."""
    pairs = strongest_pairs(reading.source, 1, query=link[0], key=link[1])
    if not pairs:
        query, key = reading.source.queries.text[link[0]], reading.source.keys.text[link[1]]
        raise SelectionError(f"there is no link to cut: {query!r} ({link[0]}) cannot attend to {key!r} ({link[1]})")


def _rest(progress: Progress | None) -> Progress | None:
    """Progress of the passes after the first ones."""
    return None if progress is None else lambda part: progress(part * (1 - BEFORE))
