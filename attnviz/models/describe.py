"""A model's description from its configuration alone: whether it can be drawn costs no download."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import ModelError
from attnviz.models import configs
from attnviz.models.find import Place, called, find

if TYPE_CHECKING:
    from attnviz.engine.spec import Spec, Stacks


def describe(
    config: Mapping[str, Any] | str | Path,
    *,
    ignore_keys: Iterable[str] = (),
    offline: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Describe a model from its configuration, without weights.

    Args:
        config: the parsed JSON, a path to config.json, to a folder or to a GGUF file, or a name as for `load`. From
            the Hub only config.json is fetched, unless it is in the cache.
        ignore_keys: configuration keys to ignore although nobody knows what they do to attention.
        offline: never touch the network. quiet: no progress bars.

    Returns:
        model: what it is called ("" for a dict). family, title: the family and a line on it. reads: text, image, sound.
        streams: self, or encoder, decoder, cross. layers, heads, d_model: numbers; of two stacks a dict by stack
        (encoder and decoder, text and image). quantised: the form of its weights, None for plain ones.
        positions: how it knows where things are. masks: who may see whom. ignored: keys that do nothing, and the
        `ignore_keys`. stacks: for each stack, by name, its layers, heads, kv_heads (of keys and values), d_head,
        d_model, d_mlp, vocab and longest (tokens, None: any number).

    Raises:
        ConfigError: attnviz cannot draw it; the message is one line.
        ModelError: there is no such model.
    """
    ignored = tuple(ignore_keys)
    if isinstance(config, Mapping):
        return _of_config("", config, ignored)
    if str(config) == "seeded":
        raise ModelError("seeded is made of options and has no configuration", "attnviz inspect seeded")
    place = find(config, offline, quiet, _configuration_of)
    if place.path.suffix == ".gguf":
        return _of_gguf(place, ignored)
    if place.path.suffix == ".npz":
        raise ModelError(f"{place.path.name} has no configuration: it is weights by themselves", "attnviz inspect FILE")
    if place.path.suffix == ".json":
        name = called(place.path.parent if place.path.name == "config.json" else place.path)
        return _of_config(name, configs.read_json(place.path), ignored)
    folder = place.path if place.path.is_dir() else place.path.parent
    return _of_config(place.name, configs.read_config(folder), ignored)


def _configuration_of(name: str, revision: str, offline: bool, quiet: bool) -> Path:
    """The folder of a model's config.json, which is all that is fetched from the Hub."""
    from attnviz.models.hub import config_of

    return config_of(name, revision, offline, quiet).parent


def _of_config(name: str, data: Mapping[str, Any], ignore_keys: tuple[str, ...]) -> dict[str, Any]:
    from attnviz.checkpoints.quantised import understood

    understood_config = configs.understand(data, ignore_keys)
    quantised = understood(data, ignore_keys)
    ignored = [*understood_config.config.ignored(), *understood_config.ignored]
    spec = understood_config.spec
    if spec.reads_target and configs.decoder_alone(data):
        spec = spec.alone("decoder")
    description = _said(name, data["model_type"], spec, ignored, configs.encoder_alone(data))
    return description if quantised is None else {**description, "quantised": quantised.method}


def _of_gguf(place: Place, ignore_keys: tuple[str, ...]) -> dict[str, Any]:
    from attnviz.checkpoints import open_checkpoint

    checkpoint = open_checkpoint(place.path)
    config, spec, _, ignored = configs.understand_gguf(place.path.name, checkpoint, ignore_keys)
    return _said(place.name, config["model_type"], spec, ignored, configs.encoder_alone(config))


def _said(name: str, model_type: str, spec: Stacks, ignored: list[str], alone: bool = False) -> dict[str, Any]:
    """The answer. alone: of an encoder-decoder there is the encoder alone."""
    from attnviz.families import family
    from attnviz.families._listing import described

    alone = alone and spec.reads_target
    if alone:
        spec = spec.alone("encoder")
    about = described(model_type, family(model_type), spec)
    parts = {name: _numbers(stack.spec) for name, stack in spec.stacks.items()}
    whole = {key: [part[key] for part in parts.values()] for key in ("layers", "heads", "d_model")}
    return {
        "model": name,
        "model_type": model_type,
        "family": about.family,
        "title": about.title,
        "reads": list(about.reads),
        "streams": ["encoder"] if alone else list(about.streams),
        **{k: v[0] if len(v) == 1 else dict(zip(parts, v, strict=True)) for k, v in whole.items()},
        "positions": list(about.positions),
        "masks": list(about.mask),
        "ignored": ignored,
        "quantised": None,
        "stacks": {"encoder" if alone else name: part for name, part in parts.items()},
    }


def _numbers(stack: Spec) -> dict[str, int | None]:
    return {
        "layers": stack.n_layers,
        "heads": stack.n_heads,
        "kv_heads": stack.n_kv_heads,
        "d_head": stack.d_head,
        "d_model": stack.d_model,
        "d_mlp": stack.d_mlp,
        "vocab": stack.vocab,
        "longest": stack.max_positions,
    }
