"""The text with which a model continues a prompt: greedily, token by token.

prompt = Prompt.of(attnviz.load("model.gguf"), "The capital of France is")
continuation = continued(prompt, max_new=12)
continuation.text, continuation.attention
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.axis import Tokens
from attnviz.engine.collectors import one_mask
from attnviz.engine.decode import Choice, Step, greedy
from attnviz.engine.inputs import Inputs
from attnviz.errors import InputError, ModelError, SelectionError
from attnviz.files.untrusted import read_object

if TYPE_CHECKING:
    from attnviz.attention import Attention
    from attnviz.models.model import Model, Progress
    from attnviz.models.prompt import Prompt

MAX_SETTINGS = 10_000_000  # bytes of a generation_config.json
MOST_WEIGHTS = 1 << 28  # numbers of new tokens' attention that are held: 1 GB
# Settings of a model's makers that greedy decoding does not follow, and the values at which they do nothing.
_IGNORED: Mapping[str, tuple[Any, ...]] = {
    "num_beams": (1,),
    "no_repeat_ngram_size": (0,),
    "repetition_penalty": (1.0, 1),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "do_sample": (False,),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Continuation:
    """A model's continuation of a prompt.

    prompt, new: the tokens that it read, and the tokens that it added, the one that ended the text among them.
    text: what the new ones spell. probabilities: of each new token when it was chosen.
    ended: end (a token ended the text) | count (as many as were asked for) | positions (no more places for tokens).
    attention: float32 [layer, head, new token, all tokens so far]: the row that each was chosen from, which is that of
    the token before it. With stream "cross" the keys are the text that the encoder read.
    ignored: what the model's own settings ask for beyond greedy decoding.
    """

    prompt: Tokens
    new: Tokens
    text: str
    probabilities: tuple[float, ...]
    ended: str
    attention: Attention
    ignored: tuple[str, ...] = ()


def continued(
    prompt: Prompt,
    max_new: int = 20,
    observe: Callable[[Step], object] | None = None,
    progress: Progress | None = None,
) -> Continuation:
    """Continue a prompt greedily: the likeliest token, again and again.

    Args:
        max_new: new tokens at most; a token that ends the text stops it before.
        observe: called with every step; its rows are of all layers and heads.
        progress: called with shares of the work, which sum to 1.

    Raises:
        SelectionError: no whole number of tokens. InputError: no room for a token, or attention too large to hold.
    """
    if isinstance(max_new, bool) or not isinstance(max_new, (int, np.integer)) or max_new < 1:
        raise SelectionError(f"max_new must be a whole number from 1; got {max_new!r}")
    choice, ignored = settings(prompt.model)
    begun = len(prompt.model_input.queries)
    if prompt.crosses and begun > 1:
        choice = replace(choice, first=None)  # the decoder's text has begun already
    places = prompt.spec.max_positions
    if places is not None and begun > places:
        raise InputError(
            f"{prompt.model.name} has no place for a token after these {begun}: its positions end at {places}"
        )
    most = int(max_new) if places is None else min(int(max_new), places - begun + 1)
    _check_size(prompt, most)
    taken: list[Step] = []
    for step in _steps(prompt, most, choice):
        taken.append(_narrowed(step, prompt))
        if observe is not None:
            observe(step)
        if progress is not None:
            progress(1 / most)
    if progress is not None:
        progress(1 - len(taken) / most)
    ended = "end" if taken[-1].id in choice.stop else "count" if len(taken) == max_new else "positions"
    ids = [step.id for step in taken]
    new = Tokens.plain([prompt.names[i] for i in ids], ids) if prompt.names else _described(prompt.model, ids)
    return Continuation(
        prompt=prompt.read,
        new=new,
        text=_spelled(prompt.model, new),
        probabilities=tuple(step.probability for step in taken),
        ended=ended,
        attention=_attention(prompt, taken, new),
        ignored=ignored,
    )


def _steps(prompt: Prompt, most: int, choice: Choice) -> Iterator[Step]:
    """The engine's steps; an encoder reads its text once."""
    model, model_input, names = prompt.model, prompt.model_input, prompt.names

    def read_words(ids: Sequence[int], first: int) -> Inputs:
        return Inputs(np.array(ids, np.intp), words=tuple(names[i] for i in ids), first=first)

    start = tuple(map(names.index, model_input.queries.text)) if names else model_input.queries.ids
    read = read_words if names else _read
    stack, memory = model.spec.generator, model.memory(model_input)
    yield from greedy(
        prompt.spec,
        model.tensors_of(stack),
        read,
        prompt.vocabulary,
        start,
        most,
        choice,
        stream=stack.stream,
        memory=memory,
    )


def _read(ids: Sequence[int], first: int) -> Inputs:
    return Inputs(np.array(ids, np.intp), first=first)


def _check_size(prompt: Prompt, most: int) -> None:
    """Raise InputError if the attention that is kept would not fit in memory."""
    size = len(prompt.chosen.layers) * len(prompt.chosen.heads) * most * (len(prompt.read) + most)
    if size > MOST_WEIGHTS:
        raise InputError(
            f"attention of {most} new tokens to {len(prompt.read)} and more is too much to hold: {size:,} numbers",
            "choose fewer layers or heads (-l, -H), or fewer new tokens",
        )


def _narrowed(step: Step, prompt: Prompt) -> Step:
    """The rows that are kept: of one stream, and of the layers and heads that were chosen."""
    stream, at = prompt.stream, prompt.chosen
    rows = step.rows[stream][np.ix_(at.layers, at.heads)]
    return replace(step, rows={stream: rows}, allowed={stream: step.allowed[stream][at.layers]})


def _attention(prompt: Prompt, taken: Sequence[Step], new: Tokens) -> Attention:
    """The rows of all steps together; rows of earlier tokens end with zeros."""
    stream, at, model_input = prompt.stream, prompt.chosen, prompt.model_input
    n_key = taken[-1].rows[stream].shape[-1]
    weights = np.zeros((len(at.layers), len(at.heads), len(taken), n_key), np.float32)
    mask = np.zeros((len(at.layers), len(taken), n_key), bool)
    for i, step in enumerate(taken):
        row = step.rows[stream]
        weights[:, :, i, : row.shape[-1]] = row
        mask[:, i, : row.shape[-1]] = step.allowed[stream]
    note = "each row is that of the token before, from which the token was chosen"
    meta = {**model_input.meta, "notes": [*model_input.meta.get("notes", ()), note], "generated": len(new)}
    keys = prompt.read if stream == "cross" else _behind(prompt.read, new.take(range(len(new) - 1)))
    fields = {"queries": new, "keys": keys, "stream": stream, "grid": None, "meta": meta}
    attention = model_input.attention(prompt.model.name, weights, one_mask(mask), at.layers, at.heads, **fields)
    return attention.select(heads=at.pairs) if at.pairs else attention


def _described(model: Model, ids: Sequence[int]) -> Tokens:
    if model.tokenizer is None:
        return Tokens.plain([str(i) for i in ids], ids)
    return model.tokenizer.describe(ids)


def _spelled(model: Model, new: Tokens) -> str:
    spelled = getattr(model.tokenizer, "spelled", None)
    return str(spelled(new.ids)) if spelled is not None else " ".join(new.text)


def _behind(first: Tokens, rest: Tokens) -> Tokens:
    """The tokens of one text and of its continuation; words are counted on."""
    start = max(first.words, default=-1) + 1
    return Tokens(
        text=first.text + rest.text,
        ids=first.ids + rest.ids,
        words=first.words + tuple(word + start if word >= 0 else -1 for word in rest.words),
        special=first.special + rest.special,
        segments=first.segments + (first.segments[-1],) * len(rest),
    )


# What the makers of a model ask for


def settings(model: Model) -> tuple[Choice, tuple[str, ...]]:
    """Which tokens end a text and which are not chosen, as the model's files say; and what greedy decoding ignores.

    generation_config.json goes before config.json; a GGUF file names its ends in its metadata.
    """
    wanted = {**model.config, **_generation_config(model)}
    metadata = (model.checkpoint.config if model.checkpoint is not None else None) or {}
    stop = _ids(wanted.get("eos_token_id"))
    for name in ("eos", "eot"):
        stop += _ids(metadata.get(f"tokenizer.ggml.{name}_token_id"))
    bad = wanted.get("bad_words_ids")
    bad = bad if isinstance(bad, list) else []
    never = _ids(wanted.get("suppress_tokens")) + [id for word in bad if len(_ids(word)) == 1 for id in _ids(word)]
    first = _ids(wanted.get("forced_bos_token_id")) if model.spec.reads_target else []
    ignored = [
        f"{name} {wanted[name]}"
        for name, nothing in _IGNORED.items()
        if wanted.get(name) is not None and wanted[name] not in nothing
    ]
    choice = Choice(
        stop=tuple(dict.fromkeys(stop)),
        never=tuple(dict.fromkeys(never)),
        never_first=tuple(_ids(wanted.get("begin_suppress_tokens"))),
        first=first[0] if first else None,
    )
    return choice, tuple(ignored)


def _ids(value: Any) -> list[int]:
    """One id or a list of them; nothing for anything else."""
    values = value if isinstance(value, (list, tuple)) else [value]
    ids = [int(id) for id in values if isinstance(id, (int, np.integer)) and not isinstance(id, bool)]
    return [id for id in ids if id >= 0] if len(ids) == len(values) else []


def _generation_config(model: Model) -> dict[str, Any]:
    file = None if model.folder is None else model.folder / "generation_config.json"
    if file is None or not file.is_file():
        return {}
    return read_object(file, MAX_SETTINGS, ModelError)
