"""From the place where a model lies to a Model: configuration, weights, tokenizer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import CheckpointError, ModelError, SelectionError
from attnviz.files.untrusted import read_object
from attnviz.models import configs
from attnviz.models.find import DEFAULT, TINY, Place, find, here

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.checkpoints.base import Checkpoint
    from attnviz.checkpoints.lora import Adapter
    from attnviz.checkpoints.naming import Source
    from attnviz.checkpoints.quantised import Quantised
    from attnviz.checkpoints.seeded import SeededWeights
    from attnviz.checkpoints.weights import Weights
    from attnviz.engine.spec import Stacks
    from attnviz.models.model import Model

BEYOND = "use a shorter text, or another model: -m minilm reads 512 tokens, -m seeded any number"
IMITATES = "31 of its 48 heads imitate all-MiniLM-L6-v2: attnviz inspect tiny"


@dataclass(frozen=True)
class Opening:
    """Where a model was opened, so that another process can open it again instead of being sent its weights.

    place: an absolute path, and the model's own name, by which it is found where the path is another one. adapter: the
    folder of a LoRA adapter, '' for none.
    """

    place: Place
    ignore_keys: tuple[str, ...] = ()
    adapter: str = ""

    def open(self) -> Model:
        """The model as its files have it, without a mechanism."""
        return from_place(here(self.place), self.ignore_keys, lora(self.adapter or None, self.ignore_keys))

    def restored(self, fields: Mapping[str, Any]) -> Model:
        """A pickled Model: `fields` as they were, numbers and tokenizer read again from where it was opened.

        Raises ModelError if the files have changed since, as far as their digests tell.
        """
        model = self.open()
        for name in ("digest", "adapter_digest"):
            if model.meta.get(name) != fields["meta"].get(name):
                raise ModelError(f"{fields['name']} has changed on disk since it was opened", "run the command again")
        return replace(model, **fields)


def _absolute(folder: str | Path | None) -> str:
    return "" if folder is None else str(Path(folder).expanduser().absolute())


def load(
    source: str | Path | None = None,
    *,
    seed: int | None = None,
    n_layers: int | None = None,
    n_heads: int | None = None,
    d_model: int | None = None,
    causal: bool | None = None,
    name: str | None = None,
    offline: bool = False,
    quiet: bool = False,
    adapter: str | Path | None = None,
    ignore_keys: Iterable[str] = (),
    mechanism: str | None = None,
) -> Model:
    """Open a model; nothing is read but its configuration and the headers of its weights.

    Args:
        source: "tiny", the learned model inside the package; "seeded", random weights; an alias ("minilm"); a folder
            with config.json and weights, a weight file, or org/name. None: tiny, or seeded if one of the next five or a
            mechanism is given.
        seed, n_layers, n_heads, d_model, causal: the seeded model's weights and sizes; 0, 2, 4, 64 and False. Only the
            seed may be given for another model, to no effect.
        name: what pictures call the model instead of its own name.
        offline: never touch the network.
        quiet: no progress bars while a model is fetched from the Hub.
        adapter: a folder with a PEFT LoRA adapter, merged into the weights as they are read.
        ignore_keys: configuration keys to ignore although nobody knows what they do to attention.
        mechanism: another kind of attention instead of the model's own, as in "window:3"; see `with_mechanism`.

    Raises:
        ModelError: it cannot be found, or its files cannot be used.
        SelectionError: there is no such mechanism, or this model cannot have it; or sizes are given for a model that
            has its own.
    """

    own: dict[str, Any] = {"seed": seed, "n_layers": n_layers, "n_heads": n_heads, "d_model": d_model, "causal": causal}
    asked = {key: value for key, value in own.items() if value is not None}
    if source is None:
        if not causal:  # tiny sees all tokens, as the seeded model does unless told otherwise
            asked.pop("causal", None)
        source = "seeded" if asked or mechanism is not None else DEFAULT
    if str(source) == "seeded":
        if adapter is not None:
            raise no_adapter("seeded")
        model = seeded(**asked)
    else:
        sizes = [key for key in asked if key != "seed"]
        if sizes:
            raise SelectionError(f"{sizes[0]} is for the seeded model; {source} has its own", "leave it out")
        ignored = tuple(ignore_keys)
        change = lora(adapter, ignored)
        place = find(source, offline, quiet, ignore_keys=ignored)
        opening = Opening(place._replace(path=place.path.absolute()), ignored, _absolute(adapter))
        model = replace(from_place(place, ignored, change), opening=opening)
    if mechanism is not None:
        model = model.with_mechanism(mechanism)
    return replace(model, name=name) if name else model


def seeded(seed: int = 0, n_layers: int = 2, n_heads: int = 4, d_model: int = 64, causal: bool = False) -> Model:
    """The model of random weights."""
    from attnviz.checkpoints.seeded import PATCHES, SeededWeights, seeded_spec
    from attnviz.models.model import Model
    from attnviz.tokens import SeededTokenizer

    spec = seeded_spec(n_layers, n_heads, d_model, causal)
    weights = SeededWeights(seed, spec)
    config = {"n_layers": n_layers, "n_heads": n_heads, "d_model": d_model, "causal": causal, "seed": seed}
    meta = {"random": True, "seed": seed}
    pictures = replace(spec, vocab=0, by_word=False, patches=PATCHES)
    return Model("seeded", spec, weights, SeededTokenizer(), config, meta, pictures=pictures, two_texts=True)


def from_place(place: Place, ignore_keys: tuple[str, ...] = (), adapter: Adapter | None = None) -> Model:
    """The model in a folder or a file, as the adapter changes it."""
    from attnviz.checkpoints import open_checkpoint
    from attnviz.checkpoints.quantised import understood

    path = place.path
    folder = path if path.is_dir() else path.parent

    @cache
    def beside() -> tuple[dict[str, Any], Quantised | None]:
        data = configs.read_config(folder)
        return data, understood(data, ignore_keys)

    if path.is_dir():
        beside()  # errors in a configuration come before errors in weights
    checkpoint = open_checkpoint(path, lambda: beside()[1])
    if checkpoint.config is None:
        return _assembled(place, folder, *beside(), checkpoint, ignore_keys, adapter)
    if path.is_dir():
        file = checkpoint.path.name
        raise CheckpointError(f"{file} is a GGUF file or an .npz, a model by itself", "name it, not the folder")
    if adapter is not None:
        raise no_adapter(path.name)
    if checkpoint.config.get("model_type") == "npz":
        return _from_npz(place, checkpoint)
    model = _from_gguf(place, checkpoint, ignore_keys)
    if path != TINY:
        return model
    return replace(model, beyond=BEYOND, meta={**model.meta, "notes": [IMITATES]})


def lora(folder: str | Path | None, ignore_keys: tuple[str, ...] = ()) -> Adapter | None:
    """The LoRA adapter in a folder, if one is named."""
    if folder is None:
        return None
    from attnviz.checkpoints.lora import open_adapter

    return open_adapter(Path(folder), ignore_keys)


def no_adapter(name: str) -> ModelError:
    """An adapter for what cannot take one."""
    return ModelError(
        f"{name} takes no adapter", "an adapter wants the model it was trained on, in safetensors or PyTorch form"
    )


def _assembled(
    place: Place,
    folder: Path,
    data: dict[str, Any],
    quantised: Quantised | None,
    checkpoint: Checkpoint,
    ignore_keys: tuple[str, ...],
    adapter: Adapter | None,
) -> Model:
    """A Model from a configuration, what that says of quantised weights, a checkpoint, and the tokenizer beside."""
    from attnviz.checkpoints.weights import Weights
    from attnviz.models.model import Model
    from attnviz.tokens import load_tokenizer

    _, config, spec, names, ignored = configs.understand({**_start_token(folder), **data}, ignore_keys)
    meta: dict[str, Any] = {"digest": digest(data, checkpoint)}
    if quantised is not None:
        meta["quantised"] = quantised.method
    if config.ignored():
        meta["unread_keys"] = config.ignored()
    if place.revision:
        meta["revision"] = place.revision
    name = place.name
    if adapter is not None:
        checkpoint = adapter.applied(checkpoint, names)
        name = f"{name} + {adapter.name}"
        meta |= {"adapter": adapter.name, "adapter_digest": adapter.digest}
        ignored += adapter.settings.ignored
    weights = Weights(checkpoint, names, spec.generator.spec)
    spec, weights, alone = _one_of_two(data, spec, names, weights)
    if ignored:
        meta["ignored_keys"] = ignored
    tokenizer = load_tokenizer(folder, data)
    return Model(name, spec, weights, tokenizer, data, meta, checkpoint, folder, alone)


def _from_gguf(place: Place, checkpoint: Checkpoint, ignore_keys: tuple[str, ...]) -> Model:
    """A file that holds configuration, weights and tokenizer."""
    from attnviz.checkpoints.weights import Weights
    from attnviz.models.model import Model
    from attnviz.tokens.gguf import load_gguf_tokenizer

    metadata = checkpoint.config or {}
    config, spec, names, ignored = configs.understand_gguf(place.path.name, checkpoint, ignore_keys)
    meta: dict[str, Any] = {"digest": checkpoint.digest()}
    if ignored:
        meta["ignored_keys"] = ignored
    weights = Weights(checkpoint, names, spec.generator.spec, exact=True)
    spec, weights, alone = _one_of_two(config, spec, names, weights)
    tokenizer = load_gguf_tokenizer(metadata, place.path.name)
    return Model(place.name, spec, weights, tokenizer, config, meta, checkpoint, alone=alone)


def _one_of_two(
    data: dict[str, Any], spec: Stacks, names: Mapping[str, Source], weights: Weights
) -> tuple[Stacks, Weights, str]:
    """One of two stacks that was saved without the other: what it does, its tensors, what its attention is called.

    An encoder alone is a checkpoint without a decoder's tensors, or a configuration that says so; a decoder alone has
    no encoder's tensors and a configuration that says so.
    """
    if not spec.reads_target:
        return spec, weights, "self"
    has = {stack: weights.has(f"{stack}.layers.0.q.weight") for stack in ("encoder", "decoder")}

    def alone(stack: str) -> tuple[Stacks, Weights]:
        own, front = spec.alone(stack), spec.stacks[stack].prefix
        names_left = {n.removeprefix(front): s for n, s in names.items() if n.startswith(front)}
        return own, weights.renamed(names_left, own)

    if has["encoder"] and (not has["decoder"] or configs.encoder_alone(data)):
        return *alone("encoder"), "encoder"
    if has["decoder"] and not has["encoder"] and configs.decoder_alone(data):
        return *alone("decoder"), "self"
    return spec, weights, "self"


def _start_token(folder: Path) -> dict[str, Any]:
    """The token that begins a decoder's text, where generation_config.json alone says so."""
    file = folder / "generation_config.json"
    if not file.is_file():
        return {}
    try:
        settings = read_object(file, configs.MAX_CONFIG, ModelError)
    except ModelError:
        return {}  # reported if new text is asked for
    start = settings.get("decoder_start_token_id")
    return {"decoder_start_token_id": start} if type(start) is int else {}


def digest(data: dict[str, Any], checkpoint: Checkpoint) -> str:
    """16 hex digits over the configuration and the headers of the weights; no number is read for it."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{text}\n{checkpoint.digest()}".encode()).hexdigest()[:16]


class _Lesson:
    """An .npz's tensors; words that have no embedding in it get seeded ones."""

    def __init__(self, weights: Any, words: SeededWeights | None) -> None:
        self.weights, self.words, self.canonical = weights, words, weights.canonical

    def get(self, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
        return self.weights.get(name, shape)

    def matrix(self, name: str, shape: tuple[int, int]) -> Any:
        return self.weights.matrix(name, shape)

    def has(self, name: str) -> bool:
        return self.weights.has(name)

    def rows(self, name: str, ids: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        if name == "embed.tokens" and self.words is not None:
            return self.words.rows(name, ids, shape)
        return self.weights.rows(name, ids, shape)


def _from_npz(place: Place, checkpoint: Checkpoint) -> Model:
    """Weights made by hand or elsewhere, as docs/models.md lays them out."""
    from attnviz.checkpoints.seeded import SeededWeights
    from attnviz.checkpoints.weights import Weights
    from attnviz.families import npz
    from attnviz.families._config import Config
    from attnviz.models.model import Model
    from attnviz.tokens.seeded import SeededTokenizer
    from attnviz.tokens.vocabulary import VocabularyTokenizer

    settings, tensors = dict(checkpoint.config or {}), checkpoint.tensors
    tokens = settings.pop("tokens", None)
    for part, key in (("embedding", "n_tokens"), ("positions", "n_positions")):
        if part in tensors:
            if len(tensors[part].shape) != 2:
                raise CheckpointError(f"{place.path.name}: {part} must be [row, d_model]")
            settings[key] = tensors[part].shape[0]
    settings |= {"width": tensors["W_Q"].shape[1], "has": sorted(tensors)}
    spec = npz.spec(Config(settings, place.path.name))
    weights = Weights(checkpoint, npz.NAMES, spec)
    words = SeededWeights(0, spec) if spec.by_word else None
    tokenizer = SeededTokenizer() if spec.by_word else VocabularyTokenizer(tokens) if tokens else None
    meta = {"digest": checkpoint.digest(), **({"random": "embeddings", "seed": 0} if words else {})}
    config = {k: v for k, v in settings.items() if k != "has"}
    return Model(place.name, spec, _Lesson(weights, words), tokenizer, config, meta, checkpoint)
