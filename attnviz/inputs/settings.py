"""preprocessor_config.json: the steps that images and sound go through before a model reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attnviz.errors import ConfigError, passed_over
from attnviz.families._config import Config
from attnviz.files.untrusted import read_object

FILE, WHOLE = "preprocessor_config.json", "processor_config.json"
MAX_BYTES = 10_000_000

# Keys about the file's origin, the arrays that a framework returns, or labels.
NO_EFFECT = (
    "processor_class _processor_class image_processor_type feature_extractor_type auto_map _valid_processor_keys "
    "data_format input_data_format return_tensors device disable_grouping image_seq_length do_reduce_labels "
    "reduce_labels return_attention_mask pad_size size_divisor"
).split()


def settings(folder: Path | None, part: str) -> Config | None:
    """Read a folder's settings of `part` (image_processor | feature_extractor), None if there are none.

    The part in processor_config.json overrides preprocessor_config.json, as in the reference. Raises ConfigError.
    """
    if folder is None:
        return None
    whole = _read(Path(folder) / WHOLE)
    if whole is not None and part in whole:
        inner = whole[part]
        if not isinstance(inner, dict):
            raise ConfigError(f"{WHOLE}: {part} must be an object; got {inner!r:.60}")
        return Config(inner, f"{WHOLE}: {part}")
    data = _read(Path(folder) / FILE)
    return None if data is None else Config(data, FILE)


def kind_of(config: Config, keys: Iterable[str], endings: str, known: Mapping[str, Any], default: str) -> str:
    """The one of the `known` processors that a file is for: `ViTImageProcessorFast` is ViT. Raises ConfigError."""
    named = next((config.data[key] for key in keys if config.data.get(key) is not None), None)
    if named is None:
        return default
    name = re.sub(rf"({endings})(Fast|Pil)?$", "", str(named))
    if name not in known:
        raise config.error(
            f"nobody has said what a {named!s:.80} does; known: {', '.join(known)}",
            "give the array itself from Python: pixel_values=, input_values= or input_features=",
        )
    return name


def check_keys(config: Config, ignore: Iterable[str] = ()) -> None:
    """Refuse unknown keys, unless they are off (false, null)."""
    config.skip(*NO_EFFECT)
    on = [key for key in config.unread() if not (key.startswith("do_") and config.data[key] is False)]
    passed_over(on, ignore, config.error, does="the input")


def _read(file: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None if there is no file."""
    if not file.is_file():
        return None
    return read_object(file, MAX_BYTES, ConfigError)
