"""adapter_config.json: PEFT's settings of a LoRA adapter, all of which are used or refused.

A key is used, or known to change no number, or off; any other key is an error that names it.

Source: PEFT's LoraConfig, up to version 0.21, and `get_pattern_key` for how patterns name modules.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from attnviz.checkpoints.base import parse_json, shown
from attnviz.errors import ConfigError, passed_over
from attnviz.files.untrusted import read_file

T = TypeVar("T")
NAME = "adapter_config.json"
MAX_BYTES = 10_000_000
MAX_RANK = 1 << 20
MAX_NAME = 150  # longest module name that patterns are tried on

_USED = {
    "peft_type",
    "task_type",
    "r",
    "lora_alpha",
    "use_rslora",
    "rank_pattern",
    "alpha_pattern",
    "fan_in_fan_out",
    "bias",
    "use_dora",
    "modules_to_save",
    "init_lora_weights",
    "base_model_name_or_path",
}
# Keys without effect here: the tensors show which modules were trained; the rest is about training, memory or where
# files came from.
_NO_EFFECT = {
    "auto_mapping",
    "revision",
    "inference_mode",
    "lora_dropout",
    "target_modules",
    "exclude_modules",
    "layers_to_transform",
    "layers_pattern",
    "peft_version",
    "loftq_config",
    "eva_config",
    "corda_config",
    "lora_ga_config",
    "qalora_group_size",
    "megatron_core",
    "ensure_weight_tying",
    "runtime_config",
}
# Keys known to change the numbers in ways that are not read here.
_REFUSED = {
    "use_qalora",
    "layer_replication",
    "megatron_config",
    "trainable_token_indices",
    "alora_invocation_tokens",
    "lora_bias",
    "target_parameters",
    "use_bdlora",
    "arrow_config",
    "kasa_config",
    "monteclora_config",
    "velora_config",
}
# Other initialisations (pissa, olora, corda, loftq, lora_ga) change the model's own matrices before training.
_BEGINNINGS = (None, True, False, "true", "false", "gaussian", "eva", "orthogonal", "mica")
MERGE = "merge it with PEFT (merge_and_unload), save the model, and load that"
# Task heads that PEFT saves whole without naming them in modules_to_save.
_HEADS = {"SEQ_CLS": ("classifier", "score"), "TOKEN_CLS": ("classifier", "score"), "QUESTION_ANS": ("qa_outputs",)}
_EMBEDDINGS = ("embed_tokens", "lm_head")


@dataclass(frozen=True)
class Settings:
    """The settings that decide numbers. Patterns map regular expressions for the end of a module's name to values."""

    r: int
    alpha: float
    rslora: bool
    dora: bool
    fan_in_fan_out: bool
    saved: frozenset[str]
    ranks: tuple[tuple[re.Pattern[str], int], ...]
    alphas: tuple[tuple[re.Pattern[str], float], ...]
    base: str
    ignored: tuple[str, ...]

    def rank(self, module: str) -> int:
        """The rank of a module's pair."""
        return _first(self.ranks, module, self.r)

    def scaling(self, module: str) -> float:
        """The factor on a module's product."""
        return _first(self.alphas, module, self.alpha) / (
            math.sqrt(self.rank(module)) if self.rslora else self.rank(module)
        )

    def is_saved(self, tensor: str) -> bool:
        """Whether a tensor belongs to a module that is saved whole, which may be new in the adapter (a task head)."""
        return any(f"{module}." in tensor for module in self.saved)


def _first(patterns: tuple[tuple[re.Pattern[str], T], ...], module: str, other: T) -> T:
    """The value of the first pattern that fits a module's name."""
    if patterns and len(module) > MAX_NAME:
        raise _error(f"has patterns, and the module {shown(module, 60)} a name of more than {MAX_NAME} letters")
    return next((value for pattern, value in patterns if pattern.fullmatch(module)), other)


def read_settings(folder: Path, ignore_keys: Iterable[str] = ()) -> tuple[Settings, dict[str, Any]]:
    """Read the settings in a folder's adapter_config.json; returned with the whole object.

    Raises:
        ConfigError: it is missing, not of the method LoRA, or uses options that are not read here.
        CheckpointError: it is not an object in JSON.
    """
    path = folder / NAME
    if not path.is_file():
        raise ConfigError(f"{folder} has no {NAME}", "an adapter folder holds it beside adapter_model.safetensors")
    data = parse_json(path, read_file(path, MAX_BYTES, ConfigError, "a configuration"), "it")
    if data.get("peft_type") != "LORA":
        raise _error(f"peft_type must be LORA; got {shown(data.get('peft_type'), 40)}", MERGE)
    ignored = _check_keys(data, set(ignore_keys))
    return _settings(data, ignored), data


def _settings(data: Mapping[str, Any], ignored: tuple[str, ...]) -> Settings:
    bias, begun = data.get("bias", "none"), data.get("init_lora_weights", True)
    if bias != "none":
        raise _error(f"bias must be none; got {shown(bias, 40)}", MERGE)
    if begun not in _BEGINNINGS:
        raise _error(f"init_lora_weights {shown(begun, 40)!r} may have changed the model itself, not read here", MERGE)
    saved = [*_names(data, "modules_to_save"), *_HEADS.get(str(data.get("task_type")), ()), *_EMBEDDINGS]
    return Settings(
        r=_rank("r", data.get("r", 8)),
        alpha=_alpha("lora_alpha", data.get("lora_alpha", 8)),
        rslora=_flag(data, "use_rslora"),
        dora=_flag(data, "use_dora"),
        fan_in_fan_out=_flag(data, "fan_in_fan_out"),
        saved=frozenset(saved),
        ranks=_patterns(data, "rank_pattern", _rank),
        alphas=_patterns(data, "alpha_pattern", _alpha),
        base=str(data.get("base_model_name_or_path") or ""),
        ignored=ignored,
    )


def _check_keys(data: Mapping[str, Any], ignore_keys: set[str]) -> tuple[str, ...]:
    """Refuse unknown keys and keys that change numbers, unless they are off."""
    unknown = []
    for key, value in data.items():
        if key in _USED or key in _NO_EFFECT or value in (None, False, "") or value in ([], {}):
            continue
        if key in _REFUSED:
            raise _error(f"asks for {key}, which is not read here", MERGE)
        unknown.append(key)
    return tuple(passed_over(unknown, ignore_keys, _error, does="the numbers"))


def _patterns(
    data: Mapping[str, Any], key: str, checked: Callable[[str, Any], T]
) -> tuple[tuple[re.Pattern[str], T], ...]:
    """Compiled patterns and their values, in order: the first that fits a module counts."""
    patterns = data.get(key) or {}
    if not isinstance(patterns, dict):
        raise _error(f"{key} must be an object; got {type(patterns).__name__}")
    return tuple((_pattern(key, text), checked(f"{key}[{text}]", value)) for text, value in patterns.items())


def _pattern(key: str, text: str) -> re.Pattern[str]:
    """A pattern as PEFT reads it. Patterns that could take for ever to fail are refused, since files are untrusted."""
    if _is_involved(text):
        raise _error(f"{key}: the pattern {shown(text, 60)!r} is too involved to be read")
    try:
        return re.compile(rf"(.*\.)?({text})$")
    except (re.error, RecursionError, OverflowError):
        raise _error(f"{key}: {shown(text, 60)!r} is not a pattern") from None


def _is_involved(text: str) -> bool:
    """Whether failing to match could take more than some 10^7 steps, as it can read the same letters in many ways."""
    plain = text.replace("(?:", "(")
    repeats, choices = len(re.findall(r"[*+?{]", plain)), plain.count("|")
    strange = re.search(r"\)[*+?{]|\\[1-9]|\(\?", plain) is not None
    many = repeats > 2 or plain.count("(") > 2 or choices > (4 if repeats == 2 else 64)
    return len(text) > 500 or strange or many


def _rank(key: str, value: Any) -> int:
    if type(value) is not int or not 1 <= value <= MAX_RANK:
        raise _error(f"{shown(key, 80)} must be a whole number of 1 or more; got {shown(value, 40)}")
    return value


def _alpha(key: str, value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) < 1e30:
        raise _error(f"{shown(key, 80)} must be a number; got {shown(value, 40)}")
    return float(value)


def _flag(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key, False)
    if not isinstance(value, bool):
        raise _error(f"{key} must be true or false; got {shown(value, 40)}")
    return value


def _names(data: Mapping[str, Any], key: str) -> list[str]:
    value = data.get(key) or []
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise _error(f"{key} must be a list of names; got {shown(value, 40)}")
    return value


def _error(message: str, hint: str = "") -> ConfigError:
    return ConfigError(f"{NAME}: {message}", hint)
