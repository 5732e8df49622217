"""Random tokens that come twice: text of which nothing is known but that it repeats (Olsson et al. 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import InputError
from attnviz.models.source import AttentionSource

if TYPE_CHECKING:
    from attnviz.models.model import Model
    from attnviz.select import HeadChoice, LayerChoice


def repeated_tokens(
    model: Model,
    *,
    length: int = 50,
    seed: int = 0,
    stream: str | None = None,
    layers: LayerChoice = None,
    heads: HeadChoice = None,
) -> AttentionSource:
    """Random tokens, drawn evenly from the vocabulary, that come twice in the same order (Olsson et al. 2022).

    Only their repetition can be known, so that the weight of a head on copies, and on tokens after copies, is its own
    doing. The special tokens of a text are around them.

    Args:
        length: how many are drawn, fewer where a model has no places for twice as many. seed: of the draw.
        stream, layers, heads: as for `Model.attend`.

    Raises:
        InputError: the model has no tokenizer, or the stream is not one of a single text.
    """
    if model.tokenizer is None:
        raise InputError(f"{model.name} has no tokenizer: its vocabulary is not known")
    if stream not in (None, "self", "encoder"):
        raise InputError(f"repeated random tokens are for self-attention of one text, not for {stream} attention")
    around, spec = model.tokens("a"), model.stack(stream)
    first = next((i for i, special in enumerate(around.special) if not special), 0)
    last = next((i for i, special in enumerate(reversed(around.special)) if not special), 0)
    places = spec.max_positions or 2 * length + len(around)
    length = max(min(length, (places - first - last) // 2), 1)
    random = np.random.default_rng(seed)
    if min(around.ids) < 0 or spec.by_word:  # words instead of ids
        drawn = [f"w{i}" for i in random.integers(0, 10**6, length)]
        model_input = model.prepare(" ".join([*drawn, *drawn]), stream=stream)
    else:
        picked = _plain_ids(model, random, spec.vocab, length)
        whole = [*around.ids[:first], *picked, *picked, *around.ids[len(around) - last :]]
        model_input = model.prepare(ids=whole, stream=stream)
    return AttentionSource.of(model, model_input, layers=layers, heads=heads)


def _plain_ids(model: Model, random: np.random.Generator, vocab: int, count: int) -> list[int]:
    """Ids of tokens that are not special."""
    drawn = random.integers(0, vocab, 2 * count + 8).tolist()
    special = model.tokens(ids=drawn).special
    plain = [id for id, is_special in zip(drawn, special, strict=True) if not is_special]
    return plain[:count] if len(plain) >= count else drawn[:count]
