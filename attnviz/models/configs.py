"""A configuration, read and understood: config.json or a GGUF file's metadata -> the family, its Spec and names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from attnviz.errors import CheckpointError, ConfigError, passed_over
from attnviz.files import untrusted

if TYPE_CHECKING:
    from types import ModuleType

    from attnviz.checkpoints.base import Checkpoint
    from attnviz.checkpoints.naming import Source
    from attnviz.engine.spec import Stacks
    from attnviz.families._config import Config

MAX_CONFIG = 10_000_000  # bytes of a config.json


class Understood(NamedTuple):
    """A configuration as its family understands it. ignored: keys that the user asked to ignore."""

    module: ModuleType
    config: Config
    spec: Stacks
    names: Mapping[str, Source]
    ignored: list[str]


def configuration(data: Mapping[str, Any], module: ModuleType) -> Config:
    """A configuration file's values, with what the reference does with keys that the family does not read."""
    from attnviz.families._config import Config
    from attnviz.families._keys import reference

    family = module.__name__.rpartition(".")[2]
    harmless, older = getattr(module, "HARMLESS", ()), getattr(module, "CLASSES", ())
    return Config(data, reference=reference(data, family, harmless, older))


def understand(data: Mapping[str, Any], ignore_keys: tuple[str, ...] = ()) -> Understood:
    """Let the family read a configuration. Raises ConfigError for a model that cannot be drawn."""
    from attnviz.checkpoints.quantised import without
    from attnviz.families import family, names_of

    model_type = data.get("model_type")
    if not isinstance(model_type, str):
        raise ConfigError("config.json has no model_type", "it says which family the model is of, such as bert")
    module = family(model_type)
    config = configuration(without(data, ignore_keys), module)
    spec = module.spec(config)
    if data.get("pruned_heads") and "pruned_heads" not in ignore_keys:
        raise config.error(
            "pruned_heads names heads that were cut out, which is not read", "use the model before pruning"
        )
    who = "only the checkpoint's own code says" if config.reference.foreign else "attnviz does not know"
    ignored = passed_over(config.unread(), ignore_keys, config.error, who=who)
    return Understood(module, config, spec, names_of(module, config), ignored)


def decoder_alone(data: Mapping[str, Any]) -> bool:
    """Whether the configuration of an encoder-decoder speaks of its decoder alone, as a language model."""
    classes = data.get("architectures")
    names = [name for name in classes if isinstance(name, str)] if isinstance(classes, list) else []
    return bool(names) and all(name.endswith("ForCausalLM") for name in names)


def encoder_alone(data: Mapping[str, Any]) -> bool:
    """Whether the configuration of an encoder-decoder speaks of its encoder alone."""
    classes = data.get("architectures")
    named = isinstance(classes, list) and any(isinstance(c, str) and c.endswith("EncoderModel") for c in classes)
    return named or (data.get("is_encoder_decoder") is False and not decoder_alone(data))


def understand_gguf(
    where: str, checkpoint: Checkpoint, ignore_keys: tuple[str, ...] = ()
) -> tuple[dict[str, Any], Stacks, Mapping[str, Source], list[str]]:
    """The configuration behind a GGUF file, what its family makes of it, its tensors' names, and keys ignored."""
    from attnviz.families import _gguf, family
    from attnviz.families._config import Config

    shapes = {name: stored.shape for name, stored in checkpoint.tensors.items()}
    reading = _gguf.read(checkpoint.config or {}, shapes, lambda name: checkpoint.read(name).tolist(), where)
    spec = reading.adjusted(family(reading.config["model_type"]).spec(Config(reading.config, where)))
    names = reading.names(spec)

    def wrong(message: str, hint: str) -> CheckpointError:
        return CheckpointError(f"{where}: {message}", hint)

    keys = reading.meta.keys
    ignored = passed_over(keys.unread(), ignore_keys, keys.error)
    ignored += passed_over(reading.left_over(names), ignore_keys, wrong, "tensor")
    return reading.config, spec, names, ignored


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a folder. Raises ConfigError if it is missing or is not an object in JSON."""
    file = folder / "config.json"
    if not file.is_file() and (folder / "adapter_config.json").is_file():
        raise ConfigError(
            f"{folder} is an adapter, not a model", "give it beside its model: --model BASE --adapter DIR"
        )
    if not file.is_file():
        whole = next((p.name for ending in ("gguf", "npz") for p in sorted(folder.glob(f"*.{ending}"))), "")
        hint = f"it has {whole}: name that file instead of the folder" if whole else ""
        raise ConfigError(
            f"{folder} has no config.json", hint or "a model folder holds config.json, weights and a tokenizer"
        )
    return read_json(file)


def read_json(file: Path) -> dict[str, Any]:
    """A configuration file. Raises ConfigError if it is too large or is not an object in JSON."""
    return untrusted.read_object(file, MAX_CONFIG, ConfigError)
