"""Settings of quantised weights in a configuration: some forms are read, every other one is refused by name.

    mxfp4               4-bit floats, 32 to a scale (gpt-oss)
    fp8, fbgemm_fp8     8-bit floats, a scale for the tensor, a row, or a block (DeepSeek-V3, Qwen3-FP8, Llama-3.1-405B)
    compressed-tensors  its forms of 8-bit floats: float-quantized, naive-quantized

Weights are decoded to float32. The models' own kernels round activations to 8 bits; they are not rounded here.

Source: OCP Microscaling Formats 1.0 (2023) section 5; DeepSeek-V3 (2024) section 3.3.2; compressed-tensors' config
groups as published models have them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from attnviz.errors import ConfigError, shown

# The second key is an older one of compressed-tensors, the third is MLX's.
KEYS = ("quantization_config", "compression_config", "quantization")
_HINT = "use the model as it was before, or a GGUF file of it"
_MAX_BLOCK = 1 << 20

# Settings of each method that are understood, or that do not concern how weights are stored.
_SETTINGS = {
    "mxfp4": "modules_to_not_convert dequantize",
    "fp8": (
        "activation_scheme weight_block_size fmt scale_fmt modules_to_not_convert ignored_layers kv_cache_scheme "
        "dequantize"
    ),
    "fbgemm_fp8": "activation_scale_ub modules_to_not_convert",
    "compressed-tensors": (
        "format config_groups ignore kv_cache_scheme global_compression_ratio quantization_status sparsity_config "
        "transform_config version run_compressed"
    ),
}
_FORMATS = ("float-quantized", "naive-quantized", "dense")
_WEIGHTS = (
    "num_bits type strategy symmetric dynamic group_size block_structure actorder observer observer_kwargs "
    "scale_dtype zp_dtype"
)
_STRATEGIES = ("tensor", "channel", "block", "group")


@dataclass(frozen=True)
class Quantised:
    """A form of quantised weights that is read.

    method: its name in the configuration. blocks: (rows, columns) that share a scale, each size that may occur.
    """

    method: str
    blocks: tuple[tuple[int, int], ...] = ()


def understood(config: Mapping[str, Any], ignored: Collection[str] = ()) -> Quantised | None:
    """Read the quantisation of a configuration, or of its part for a text model; None if weights are plain.

    ignored: keys to ignore.

    Raises:
        ConfigError: weights in a form that is not read, or with an unknown setting.
    """
    parts = (config, *_parts(config).values())
    settings = [(key, part[key]) for part in parts for key in KEYS if part.get(key) and key not in ignored]
    forms = [_read(key, value) for key, value in settings]
    if any(other != forms[0] for other in forms[1:]):
        raise ConfigError("config.json: its parts are quantised in several ways, which is not read", _HINT)
    return forms[0] if forms else None


def without(config: Mapping[str, Any], kept: Collection[str] = ()) -> dict[str, Any]:
    """A copy of the configuration without its quantisation settings, for families; keys in `kept` stay."""
    inner = {key: without(value, kept) for key, value in _parts(config).items()}
    return {key: inner.get(key, value) for key, value in config.items() if key not in KEYS or key in kept}


def _parts(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The nested configurations, such as that of a text model."""
    return {
        key: value
        for key, value in config.items()
        if key.endswith("_config") and key not in KEYS and isinstance(value, dict)
    }


def _read(key: str, value: object) -> Quantised:
    if not isinstance(value, dict):
        raise ConfigError(f"config.json: {key} must be an object; got {shown(value)}")
    method = _method(value)
    if not isinstance(method, str) or method not in _SETTINGS:
        raise ConfigError(f"config.json: weights quantised by {_called(method, value)} are not read", _HINT)
    known = {"quant_method", *_SETTINGS[method].split()}
    odd = next((name for name, setting in value.items() if name not in known and setting not in (None, False)), None)
    if odd is not None:
        raise ConfigError(f"config.json: {key} of {method} has the setting {shown(odd)}, which is not read", _HINT)
    if method == "compressed-tensors":
        return Quantised(method, _groups(value))
    return Quantised(method, _fp8(value) if method == "fp8" else ())


def _method(value: Mapping[str, Any]) -> object:
    """The name of the method, which is inferred in older configurations."""
    if value.get("quant_method") is not None:
        return value["quant_method"]
    if any("load_in_" in key for key in value):
        return "bitsandbytes"
    if "bits" in value and "group_size" in value:
        return "MLX"
    return "compressed-tensors" if "config_groups" in value else None


def _called(method: object, value: Mapping[str, Any]) -> str:
    """The method and its bits, for a message."""
    bits = next((value[key] for key in ("bits", "num_bits", "w_bit") if isinstance(value.get(key), int)), 0)
    bits = bits or (4 if value.get("load_in_4bit") else 8 if value.get("load_in_8bit") else 0)
    name = method if isinstance(method, str) else "an unnamed method"
    return f"{shown(name)[1:-1]} ({bits} bits)" if bits else shown(name)[1:-1]


def _fp8(value: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """The block sizes of DeepSeek's form; () if scales are for tensors or rows."""
    for key, allowed in (("fmt", ("e4m3", "float8_e4m3fn", "e5m2")), ("scale_fmt", ("float", "ue8m0"))):
        if value.get(key) not in (None, *allowed):
            raise ConfigError(f"config.json: {key} {shown(value[key])} of fp8 weights is not read", _HINT)
    block = value.get("weight_block_size")
    return () if block is None else (_block("weight_block_size", block),)


def _groups(value: Mapping[str, Any]) -> tuple[tuple[int, int], ...]:
    """The block sizes of all groups of compressed-tensors, each of which must be 8-bit floats."""
    for key in ("sparsity_config", "transform_config"):
        setting = value.get(key) or {}
        if not isinstance(setting, dict) or setting.get("format", "dense") != "dense" or setting.get("config_groups"):
            raise ConfigError(f"config.json: {key} {shown(setting)} of compressed-tensors is not read", _HINT)
    groups = value.get("config_groups") or {}
    if not isinstance(groups, dict) or not all(isinstance(group, dict) for group in groups.values()):
        raise ConfigError(f"config.json: config_groups must be objects; got {shown(groups)}")
    formats = [value.get("format"), *(group.get("format") for group in groups.values())]
    mixed = "mixed-precision" if groups and all(group.get("format") for group in groups.values()) else None
    odd = next((form for form in formats if form not in (None, mixed, *_FORMATS)), None)
    if odd is not None:
        raise ConfigError(f"config.json: compressed-tensors of the format {shown(odd)} are not read", _HINT)
    blocks = [_weights(group["weights"]) for group in groups.values() if group.get("weights")]
    return tuple(dict.fromkeys(block for block in blocks if block is not None))


def _weights(settings: object) -> tuple[int, int] | None:
    """The block size of one group's weights, None if a scale is for a row or the whole tensor."""
    if not isinstance(settings, dict):
        raise ConfigError(f"config.json: weights of a config group must be an object; got {shown(settings)}")
    kind, bits = settings.get("type", "int"), settings.get("num_bits", 8)
    if kind != "float" or bits != 8:
        raise ConfigError(
            f"config.json: compressed-tensors of {shown(bits)}-bit {_plain(kind)} weights are not read", _HINT
        )
    odd = next((key for key in settings if key not in _WEIGHTS.split()), None)
    for key in ("actorder", "dynamic"):
        odd = odd or (key if settings.get(key) else None)
    odd = "symmetric" if settings.get("symmetric", True) is not True else odd
    if odd is not None:
        raise ConfigError(
            f"config.json: {shown(odd)[1:-1]} {shown(settings[odd])} of a config group is not read", _HINT
        )
    strategy = settings.get("strategy") or ("group" if settings.get("group_size") else "tensor")
    if strategy not in _STRATEGIES:
        raise ConfigError(f"config.json: the strategy {shown(strategy)} of a config group is not read", _HINT)
    if strategy == "block":
        return _block("block_structure", settings.get("block_structure"))
    return _block("group_size", [1, settings.get("group_size")]) if strategy == "group" else None


def _plain(word: object) -> str:
    return shown(word).strip("'")


def _block(key: str, value: object) -> tuple[int, int]:
    if isinstance(value, str):  # older files write "128x128"
        value = [int(part) if part.isdecimal() and len(part) < 8 else part for part in value.split("x")]
    whole = isinstance(value, list) and len(value) == 2 and all(type(n) is int and 0 < n <= _MAX_BLOCK for n in value)
    if not isinstance(value, list) or not whole:
        raise ConfigError(f"config.json: {key} must be two whole numbers of 1 or more; got {shown(value)}")
    return value[0], value[1]
