"""Shared by the reference scripts: draw weights, run transformers, lay out and compare attention.

Needs torch and transformers, which attnviz itself never imports. A case is a folder:

    config.json, model.safetensors   a small checkpoint, as transformers saves it
    expected.npz                     the input, and float32 attention [layer, head, query, key] by stream

and in `float64.json` beside the cases, keyed by folder name, the largest difference between transformers' own float32
and float64 attention, from which the tolerance of comparisons follows.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
import transformers
from reference_families import FIRST_PLAIN_ID, Family

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
Arrays = dict[str, np.ndarray]
INPUTS = (
    "input_ids",
    "token_type_ids",
    "decoder_input_ids",
    "pixel_values",
    "input_values",
    "input_features",
    "global_attention_mask",
    "position_ids",
    "interpolate_pos_encoding",
)
STREAMS = ("self", "encoder", "decoder", "cross", "raw", "own")


def draw_weights(model: torch.nn.Module, seed: int, gain: float = 1.6) -> None:
    """Overwrite every parameter with normal numbers of large variance, so that attention is peaked and mistakes show.

    Matrices get standard deviation gain / sqrt(fan-in), embeddings 0.7, biases 0.2, scales of norms their
    initial value plus 0.1. Each tensor has its own random stream, seeded by a digest of the seed and its name.
    """
    owners = dict(model.named_modules())
    for name, parameter in model.named_parameters():
        owner = owners[name.rpartition(".")[0]]
        digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
        normal = np.random.RandomState(np.frombuffer(digest[:16], np.uint32)).standard_normal(tuple(parameter.shape))
        mean, std = _shape_of_draw(name, parameter, owner, gain)
        with torch.no_grad():
            parameter.copy_(mean + std * torch.from_numpy(normal).to(parameter.dtype))
    for name, buffer in model.named_buffers():
        if name.endswith("e_score_correction_bias"):  # learned, though it is no parameter
            digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
            random = np.random.RandomState(np.frombuffer(digest[:16], np.uint32))
            buffer.copy_(0.2 * torch.from_numpy(random.standard_normal(tuple(buffer.shape))).to(buffer.dtype))
    _draw_statistics(model, seed)


def _draw_statistics(model: torch.nn.Module, seed: int) -> None:
    """Means of batch norms as wide as 0.5, variances between 0.5 and 2."""
    random = np.random.RandomState(seed % (1 << 32))
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.from_numpy(0.5 * random.standard_normal(tuple(buffer.shape))))
        elif name.endswith("running_var"):
            buffer.copy_(torch.from_numpy(random.uniform(0.5, 2, tuple(buffer.shape))))


def _shape_of_draw(
    name: str, parameter: torch.Tensor, owner: torch.nn.Module, gain: float
) -> tuple[torch.Tensor | float, float]:
    """Mean and standard deviation for one parameter."""
    leaf = name.rpartition(".")[2]
    kind = type(owner).__name__
    if any(word in name for word in ("q_norm", "k_norm", "q_layernorm", "k_layernorm", "q_ln", "k_ln")):
        return parameter.detach() + (0.8 if leaf == "weight" else 0.0), 0.3  # normed queries need help to be peaked
    if "Norm" in kind or "lambda" in leaf or "layer_norm" in name.lower():
        return parameter.detach().clone(), 0.1
    if leaf == "original0":  # the length of a weight-normalised kernel
        return parameter.detach().abs().clone(), 0.05
    if isinstance(owner, torch.nn.Embedding) or any(word in leaf for word in ("embed", "token")):
        return 0.0, 0.7
    if "bias" in leaf or parameter.ndim < 2:
        return 0.0, 0.2
    if kind == "Conv1D":
        return 0.0, gain / math.sqrt(parameter.shape[0])
    if parameter.ndim == 3 and "expert" in name:
        return 0.0, gain / math.sqrt(min(parameter.shape[1:]))
    return 0.0, gain / math.sqrt(math.prod(parameter.shape[1:]))


@contextlib.contextmanager
def honest_float64() -> Iterator[None]:
    """Turn the casts to float32 inside transformers (softmax, norms, rotary tables) into casts to float64."""
    single, alias, cast = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double  # type: ignore[method-assign]
    torch.set_default_dtype(torch.float64)  # numbers that a model computes itself are compared with its own
    try:
        yield
    finally:
        torch.set_default_dtype(single)
        torch.float32, torch.float = single, alias
        torch.Tensor.float = cast  # type: ignore[method-assign]


def batched(inputs: Arrays, dtype: torch.dtype) -> dict[str, Any]:
    """Inputs with a batch axis, floats in `dtype`."""
    out: dict[str, Any] = {}
    for name, array in inputs.items():
        if name == "interpolate_pos_encoding":
            out[name] = bool(array)
            continue
        tensor = torch.from_numpy(np.asarray(array)[None])
        out[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
    return out


def run(model: torch.nn.Module, inputs: Arrays, dtype: torch.dtype = torch.float32) -> Arrays:
    """Attention by stream, [layer, head, query, key]."""
    model.eval()
    _settle_big_bird(model, inputs)
    _settle_pre_norm(model)
    with torch.no_grad():
        if type(model).__name__ in ("CLIPModel", "SiglipModel"):
            return _run_clip(model, inputs, dtype)
        if model.config.model_type == "wavlm":
            return _run_wavlm(model, inputs, dtype)
        out = model(**batched(inputs, dtype), output_attentions=True, **_no_cache(model))
    if model.config.model_type == "led":
        both = {"decoder": out.decoder_attentions, "cross": out.cross_attentions}
        square = longformer_square(model.config, inputs, out.encoder_attentions, out.encoder_global_attentions)
        return {"encoder": square, **{name: _stack(layers) for name, layers in both.items()}}
    if getattr(out, "encoder_attentions", None) is not None:
        named = {"encoder": out.encoder_attentions, "decoder": out.decoder_attentions, "cross": out.cross_attentions}
        found = {name: _stack(layers) for name, layers in named.items()}
        if _is_sparse(model):
            found["encoder"] = _big_bird_mass(model.config, found["encoder"], len(inputs["input_ids"]))["self"]
        return found
    if model.config.model_type == "longformer":
        return {"self": longformer_square(model.config, inputs, out.attentions, out.global_attentions)}
    if model.config.model_type in ("t5", "mt5", "umt5"):
        return {"encoder": _stack(out.attentions)}
    if isinstance(out.attentions[0], tuple):  # XLNet with two streams
        return {"self": _stack([pair[0] for pair in out.attentions])}
    if _is_sparse(model):
        return _big_bird_mass(model.config, _stack(out.attentions), len(inputs["input_ids"]))
    return {"self": _stack(out.attentions)}


def _in_blocks(model: torch.nn.Module) -> Any:
    """The part of BigBird, or of BigBird-Pegasus, that attends in blocks; None of any other model."""
    if model.config.model_type == "big_bird":
        return getattr(model, "bert", model)
    return getattr(getattr(model, "model", model), "encoder", None) if "bigbird" in model.config.model_type else None


def _is_sparse(model: torch.nn.Module) -> bool:
    part = _in_blocks(model)
    return part is not None and part.attention_type == "block_sparse"


def _settle_big_bird(model: torch.nn.Module, inputs: Arrays) -> None:
    """Switch BigBird to full attention before a short text, because its own switch loses the weights."""
    if _is_sparse(model):
        config = model.config
        if len(inputs["input_ids"]) <= (5 + 2 * config.num_random_blocks) * config.block_size:
            _in_blocks(model).set_attention_type("original_full")


class _NoCache:
    """A cache of nothing for every layer."""

    def __getitem__(self, layer: int) -> None:
        return None

    def get_seq_length(self) -> int:
        return 0


def _has_pre_norm(model: torch.nn.Module) -> bool:
    return model.config.model_type == "flaubert" and model.config.pre_norm


def _settle_pre_norm(model: torch.nn.Module) -> None:
    """FlauBERT with norms in front runs in no release, since it does not request weights from its attention.

    The rest is its own code.
    """
    if _has_pre_norm(model):
        for attention in getattr(model, "transformer", model).attentions:
            own = type(attention).forward
            attention.forward = lambda x, mask, cache, own=own, it=attention: own(it, x, mask, None, cache, True)


def _big_bird_mass(config: Any, raw: np.ndarray, n: int) -> Arrays:
    """BigBird's block-sparse attention as the mass that each key truly gets.

    In eval mode transformers draws no random blocks: each of them is block 0, which is global already. Its keys occur 1
    + num_random_blocks times in the softmax (all but the first and the last block of queries, which see every key
    once), but the weights returned hold one copy, so that those rows do not sum to 1. `self` counts the copies; `raw`
    is what transformers returns.
    """
    block = config.block_size
    true = raw.copy()
    true[:, :, block:-block, :block] *= 1 + config.num_random_blocks
    assert np.allclose(true.sum(-1)[:, :, :n], 1, atol=1e-5)
    return {"self": true[:, :, :n, :n], "raw": raw[:, :, :n, :n]}


def _no_cache(model: torch.nn.Module) -> dict[str, Any]:
    if _has_pre_norm(model):
        return {"cache": _NoCache()}
    return {"use_cache": False} if getattr(model.config, "use_cache", None) else {}


def _run_clip(model: torch.nn.Module, inputs: Arrays, dtype: torch.dtype) -> Arrays:
    tower = model.text_model if "input_ids" in inputs else model.vision_model
    return {"self": _stack(tower(**batched(inputs, dtype), output_attentions=True).attentions)}


def _run_wavlm(model: torch.nn.Module, inputs: Arrays, dtype: torch.dtype) -> Arrays:
    """WavLM's returned weights, the mean over heads for each head, as `self`; each head's own weights as `own`."""
    functional, own = torch.nn.functional, []
    attention = functional.multi_head_attention_forward

    def kept(*arguments: Any, **named: Any) -> tuple[torch.Tensor, torch.Tensor]:
        output, weights = attention(*arguments, **named, average_attn_weights=False)
        own.append(weights)
        return output, weights.mean(1)

    functional.multi_head_attention_forward = kept
    try:
        out = model(**batched(inputs, dtype), output_attentions=True)
    finally:
        functional.multi_head_attention_forward = attention
    return {"self": _stack(out.attentions), "own": _stack(own)}


def _stack(layers: Any) -> np.ndarray:
    return np.stack([layer[0].detach().cpu().numpy() for layer in layers])


def longformer_square(config: Any, inputs: Arrays, bands: Any, global_bands: Any) -> np.ndarray:
    """Longformer's band, [query, offset], laid out as [query, key], with the rows of global tokens filled in.

    transformers gives for each query the weights of the global keys (in order) and then of the window
    q - w/2 .. q + w/2; rows of global queries are in `global_attentions`, [key, global token].
    """
    n = len(inputs["input_ids"])
    marked = inputs.get("global_attention_mask", np.zeros(n, np.int64))
    chosen = np.flatnonzero(marked)
    windows = config.attention_window
    layers = []
    for index, band in enumerate(bands):
        half = (windows[index] if isinstance(windows, (list, tuple)) else windows) // 2
        band = band[0].numpy()
        square = np.zeros((band.shape[0], n, n), band.dtype)
        for query in range(n):
            for offset in range(-half, half + 1):
                if 0 <= query + offset < n:
                    square[:, query, query + offset] += band[:, query, len(chosen) + half + offset]
            square[:, query, chosen] += band[:, query, : len(chosen)]
        for place, query in enumerate(chosen):
            square[:, query, :] = global_bands[index][0].numpy()[:, :n, place]
        layers.append(square)
    return np.stack(layers)


def open_case(folder: Path) -> torch.nn.Module:
    """The model of a case's folder, in float32 with eager attention."""
    config = json.loads((folder / "config.json").read_text())
    kind = getattr(transformers, (config.get("architectures") or ["AutoModel"])[0])
    return kind.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def read_expected(folder: Path) -> tuple[Arrays, Arrays]:
    """Inputs and attention of a case's expected.npz."""
    with np.load(folder / "expected.npz") as stored:
        arrays = dict(stored)
    return (
        {name: array for name, array in arrays.items() if name not in STREAMS},
        {name: array for name, array in arrays.items() if name in STREAMS},
    )


def both(make: Callable[[], torch.nn.Module], inputs: Arrays) -> tuple[Arrays, Arrays]:
    """float32 and float64 attention; `make()` returns a new float32 model.

    The float64 model keeps the float32 tables (rotary frequencies among them): they are part of its definition.
    """
    single = run(make(), inputs)
    model = make().double()
    if hasattr(model, "set_experts_implementation"):
        model.config._experts_implementation = "eager"  # the fused product of experts does not support float64
    with honest_float64():
        double = run(model, inputs, torch.float64)
    return single, double


def largest_difference(left: Arrays, right: Arrays) -> float:
    """Largest absolute difference over the streams; infinite where shapes or streams differ."""
    if left.keys() != right.keys() or any(left[key].shape != right[key].shape for key in left):
        return math.inf
    return max(float(np.abs(left[key].astype(np.float64) - right[key]).max()) for key in left)


def measured_difference(folder: Path) -> float:
    """transformers' float32 against its float64 for a stored case, both for today's and for the stored float32."""
    inputs, expected = read_expected(folder)
    single, double = both(lambda: open_case(folder), inputs)
    return max(largest_difference(single, double), largest_difference(expected, double))


def peakedness(attention: Arrays) -> float:
    """Mean entropy of the rows as a share of the uniform row's, over rows with two or more keys."""
    shares = []
    for array in (array for name, array in attention.items() if name != "raw"):
        allowed = (array > 0).sum(-1)
        entropy = -(array * np.log(np.maximum(array, 1e-30))).sum(-1)
        many = allowed > 1
        shares.extend((entropy[many] / np.log(allowed[many])).tolist())
    return float(np.mean(shares)) if shares else 0.0


def rounded(array: np.ndarray, bits: int) -> np.ndarray:
    """float32 of an array rounded to multiples of 2^-bits: zero low bits compress well."""
    return (np.round(array * 2.0**bits) / 2.0**bits).astype(np.float32)


def save_expected(folder: Path, inputs: Arrays, attention: Arrays) -> None:
    """Write expected.npz, compressed, float32."""
    arrays = {name: array.astype(np.float32) for name, array in attention.items()}
    np.savez_compressed(folder / "expected.npz", **arrays, **inputs)


def record(path: Path, values: dict[str, float]) -> None:
    """Add to a JSON file of numbers keyed by case, sorted."""
    known = json.loads(path.read_text()) if path.exists() else {}
    known.update({name: float(f"{value:.2g}") for name, value in values.items()})
    path.write_text(json.dumps(dict(sorted(known.items())), indent=0) + "\n")


def make_inputs(reads: str, config: Any, seed: int, length: int = 13, target: int = 7) -> Arrays:
    """An input of a family's kind: ids other than special ones, noise for images and sound.

    `length` is tokens, samples for audio, frames for log-mel; images have the configured size.
    """
    random = np.random.RandomState(seed)
    vocabulary = getattr(config, "vocab_size", None) or 67

    def ids(n: int, top: int = vocabulary) -> np.ndarray:
        return random.randint(FIRST_PLAIN_ID, top - 2, n).astype(np.int64)

    def noise(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    if reads == "image":
        size = config.image_size
        height, width = (size, size) if isinstance(size, int) else size
        return {"pixel_values": noise(config.num_channels, height, width)}
    if reads == "audio":
        return {"input_values": noise(length)}
    if reads == "mel":
        frames = noise(config.num_mel_bins, 2 * config.max_source_positions)
        return {"input_features": frames, "decoder_input_ids": ids(target)}
    inputs = {"input_ids": ids(length)}
    if reads == "types":
        inputs["token_type_ids"] = (np.arange(length) >= (length + 1) // 2).astype(np.int64) % config.type_vocab_size
    if reads == "pair":
        inputs["decoder_input_ids"] = ids(target, getattr(config, "decoder_vocab_size", None) or vocabulary)
    return inputs


def build(family: Family, seed: int, architecture: str = "", gain: float = 1.6, **changes: Any) -> torch.nn.Module:
    """A tiny model of the family with drawn weights, eager attention, in float32."""
    config = transformers.AutoConfig.for_model(family.model_type, **{**family.config, **changes})
    config._attn_implementation = "eager"
    # One tower of a pair has no auto class.
    plain = architecture or ("" if type(config) in transformers.MODEL_MAPPING else f"{type(config).__name__[:-6]}Model")
    kind = getattr(transformers, plain) if plain else transformers.MODEL_MAPPING[type(config)]
    model = kind(config).eval()
    draw_weights(model, seed, gain)
    return model


def write_case(folder: Path, model: torch.nn.Module, inputs: Arrays) -> tuple[float, float]:
    """Save model, inputs and attention. The model is read back first, so that the stored model is the one that was run.

    Returns the float32-to-float64 difference and the mean entropy as a share of uniform.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    for extra in ("generation_config.json", "training_args.bin"):
        (folder / extra).unlink(missing_ok=True)
    single, double = both(lambda: open_case(folder), inputs)
    save_expected(folder, inputs, single)
    return largest_difference(single, double), peakedness(single)
