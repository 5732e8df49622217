"""Every behaviour of a Spec matters: with it turned off in the slow reference alone, the two must part.

Agreement in test_spec_properties.py means something only because of this: a field that changed nothing there would not
be tested. The table below is compared with the fields of the dataclasses, so that it is complete.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from helpers.wide_tensors import Case, Keep
from oracles.slow_embedding import StackInput
from oracles.slow_reference import Slow

from attnviz.engine import spec as spec_module
from attnviz.engine.forward import run
from attnviz.engine.spec import (
    Alibi,
    Blocks,
    Buckets,
    Convolutions,
    Disentangled,
    DistanceVectors,
    ImageOffsets,
    Latent,
    Learned,
    Norm,
    Patches,
    PositionalConvolution,
    Rotary,
    RotaryScaling,
    Routing,
    Segmental,
    Sinusoidal,
    Spec,
)

N = 14
PLAIN = {"n_layers": 2, "n_heads": 4, "d_head": 6, "d_model": 12, "d_mlp": 20, "vocab": 19, "norm_before": True}
IDS = (4, 7, 0, 3, 3, 18, 2, 11, 2, 9, 16, 5, 13, 1)
TEXT = StackInput(ids=IDS, types=(0,) * 6 + (1,) * 8)
RMS = Norm("rms", bias=False)
HALF = {"scale": 0.3}  # Attention that is not one-hot, where a change is to move the largest scores only.
GATED = {"gated": True, "activation": "silu"}
EXPERTS = {"n_experts": 3, "top_k": 2}
SHARED = EXPERTS | {"d_shared": 6, "weighed_shared": True}
SIGMOID = Routing("sigmoid", normalised=True, times=2.5, corrected=True, groups=2, top_groups=1, group_by=2)
GROUPS = {"n_experts": 6, "top_k": 2, "routing": SIGMOID}
MIXER = EXPERTS | {"routing": Routing("mixer", near=0.6)}
LATENT = Latent(5, 7, 2)
COMPRESSED = {"latent": LATENT, "d_value": 5, "rotary": (Rotary(2, last=True),)}
GLOBAL = StackInput(ids=IDS, global_tokens=(0, 9))
ROTARY = Rotary(6, 100.0)


def scaled(kind: str, **more: Any) -> dict[str, Any]:
    return {"rotary": (Rotary(6, 100.0, False, RotaryScaling(kind, **more)),)}


DYNAMIC = {"factor": 4.0, "limit": 5}
WAVES = {"factor": 4.0, "original": 20, "low": 0.5, "high": 2.5}
YARN = {"factor": 4.0, "original": 40, "low": 0.7, "high": 4.0}
MSCALES = YARN | {"mscale": 3.0, "mscale_all_dim": 0.5}
LONG = {"factor": 4.0, "original": 8, "short_factor": (1.0, 1.5, 2.0), "long_factor": (4.0, 3.0, 2.0)}
T5 = Buckets(8, 13)
DEBERTA = Disentangled(span=4, buckets=4, max_relative=23)
# A text without positions, or with only the positions under test.
BY_PLACE = {"bias": None, "absolute": None}


def squares(layer: int, q: Any, k: Any, scale: float, causal: bool) -> tuple[Any, None]:
    """Weights without a softmax: the scaled product of query and key, squared, over its row's sum."""
    product = np.square(scale * q @ k.swapaxes(-1, -2))
    return product / product.sum(-1, keepdims=True), None


rng = np.random.default_rng(3)
PIXELS = StackInput(pixels=rng.standard_normal((2, 7, 9)).astype(np.float32).tolist())
PATCHES = Patches((2, 3), 2, (6, 9), ("class", "distillation"))
IMAGE = {"patches": PATCHES, "absolute": Learned(11)}
OTHER_GRID = {"patches": replace(PATCHES, image=(4, 6), interpolate=True), "absolute": Learned(6)}
BOTH = ImageOffsets((3, 3), shared=True)
OFFSETS = {"patches": PATCHES, "bias": ImageOffsets((3, 3))}
REGISTERS = {"patches": replace(PATCHES, registers=2)}
SMOOTH = {"patches": replace(OTHER_GRID["patches"], smooth=True)}
BY_PATCH = {"rotary": (Rotary(8, 100.0, by_patch=True),)}
SOUND = StackInput(sound=rng.standard_normal((2, 24)).astype(np.float32).tolist())
EAR = Convolutions((8, 12), (3, 2), (1, 2), channels=2)
HEARD = {"convolutions": EAR}
PLACED = PositionalConvolution(4, 2)

# field: (settings of both, the change in the slow reference alone, the input).
SPEC: dict[str, tuple[dict[str, Any], dict[str, Any]] | tuple[dict[str, Any], dict[str, Any], StackInput]] = {
    "n_layers": ({"scale_by_layer": True}, {"scale_by_layer": False}),  # its count is checked by shapes
    "n_kv_heads": ({"n_kv_heads": 2}, {"layer_source": (1, 0), "n_kv_heads": 2}),
    "d_mlp": ({}, {"d_mlp": 0}),
    "patches": (IMAGE, {"patches": replace(PATCHES, prefix=("distillation", "class"))}, PIXELS),
    "convolutions": (HEARD, {"convolutions": replace(EAR, activation="tanh")}, SOUND),
    "d_embed": ({"d_embed": 10, "embed_order": ("project",)}, {"project_bias": False}),
    "project_bias": ({"d_embed": 10, "embed_order": ("project",)}, {"project_bias": False}),
    "project_square": ({"embed_order": ("project",), "project_square": True}, {"project_square": False}),
    "n_tasks": ({"n_tasks": 2}, {"n_tasks": 0}),
    "n_types": ({"n_types": 2}, {"n_types": 0}),
    "types_are_tokens": ({"types_are_tokens": True}, {"types_are_tokens": False}),
    "embed_norm": ({"embed_norm": Norm()}, {"embed_norm": None}),
    "embed_order": ({"embed_norm": Norm(), "n_types": 2}, {"embed_order": ("norm", "add")}),
    "embed_scale": ({"embed_scale": 3.0}, {"embed_scale": 1.0}),
    "mask_dropout": ({"mask_dropout": 3}, {"mask_dropout": -1}),
    "absolute": ({"absolute": Learned(20)}, {"absolute": None}),
    "pad_positions": ({"absolute": Learned(20, 3), "pad_positions": 2}, {"pad_positions": -1}),
    "positional_convolution": (HEARD | {"positional_convolution": PLACED}, {"positional_convolution": None}, SOUND),
    "rotary": ({"rotary": (ROTARY, None)}, {"rotary": (ROTARY,)}),
    "rotary_values": ({"rotary": (ROTARY,), "rotary_values": True}, {"rotary_values": False}),
    "bias": ({"bias": T5}, {"bias": None}),
    "relative": ({"relative": Segmental()}, {"relative": None}),
    "causal": ({"causal": True}, {"causal": False}),
    "reach": ({"reach": (3, -1)}, {"reach": (3,)}),
    "global_tokens": ({"global_tokens": True, "reach": (2,)}, {"global_tokens": False}, GLOBAL),
    "blocks": ({"blocks": Blocks(2, 0)}, {"blocks": None}),
    "variant": ({"variant": (None, squares), "n_kv_heads": 2}, {"variant": ()}),
    "scale": ({"scale": 0.3}, {"scale": 0.35}),
    "scale_by_layer": ({"scale_by_layer": True}, {"scale_by_layer": False}),
    "softcap": ({"softcap": 2.0}, {"softcap": 0.0}),
    "q_bias": ({"q_bias": True}, {"q_bias": False}),
    "k_bias": ({"rotary": (ROTARY,)}, {"k_bias": False}),  # unturned, it would move all scores of a row alike
    "v_bias": ({"v_bias": True}, {"v_bias": False}),
    "o_bias": ({"o_bias": True}, {"o_bias": False}),
    "qkv_clip": ({"qkv_clip": 1.0}, {"qkv_clip": 0.0}),
    "clip_after_norm": ({"qkv_clip": 1.0, "qk_norm": RMS, "clip_after_norm": True}, {"clip_after_norm": False}),
    "latent": (COMPRESSED, {"latent": None}),
    "d_value": (COMPRESSED, {"d_value": 4}),
    "Latent.d_kv": (COMPRESSED, {"latent": None}),  # the widths are checked by shapes
    "Latent.d_q": (COMPRESSED | {"d_model": 7}, {"latent": replace(LATENT, d_q=0)}),
    "Latent.d_shared": (COMPRESSED, {"rotary": (Rotary(2),)}),
    "Latent.norm": (COMPRESSED, {"latent": replace(LATENT, norm=Norm("layer"))}),
    "Latent.bias": (COMPRESSED | {"latent": replace(LATENT, bias=True)}, {"latent": LATENT}),
    "qk_norm": ({"qk_norm": RMS}, {"qk_norm": None}),
    "qk_norm_over": ({"qk_norm": RMS, "qk_norm_over": "all"}, {"qk_norm_over": "heads"}),
    "qk_norm_turned": ({"qk_norm": RMS, "qk_norm_turned": True, "rotary": (ROTARY,)}, {"qk_norm_turned": False}),
    "output": ({"output": False, "o_bias": False, "d_head": 3}, {"output": True}),
    "sinks": ({"sinks": True}, {"sinks": False}),
    "norm": ({"norm": RMS}, {"norm": replace(RMS, kind="layer")}),
    "norm_before": ({}, {"norm_before": False, "norm_after": True}),
    "norm_after": ({"norm_before": False, "norm_after": True}, {"norm_after": False}),
    "norm_output": ({"norm_output": True}, {"norm_output": False}),
    "first_norm": ({"first_norm": False}, {"first_norm": True}),
    "parallel": ({"parallel": "shared"}, {"parallel": "separate"}),
    "residual_from_norm": ({"residual_from_norm": True}, {"residual_from_norm": False}),
    "sublayer_scale": ({"sublayer_scale": 0.4}, {"sublayer_scale": 1.0}),
    "layer_scale": ({"layer_scale": True}, {"layer_scale": False}),
    "convolution_after_first": ({"convolution_after_first": 3}, {"convolution_after_first": 0}),
    "convolution_activation": ({"convolution_after_first": 3}, {"convolution_activation": "relu"}),
    "convolution_groups": ({"convolution_after_first": 3, "convolution_groups": 2}, {"convolution_groups": 1}),
    "final_norm": ({"final_norm": Norm()}, {"final_norm": None}),
    "layer_source": ({"layer_source": (0, 0)}, {"layer_source": ()}),
    "activation": ({"activation": "gelu"}, {"activation": "gelu_quick"}),
    "gated": (GATED, {"gated": False}),
    "mlp_bias": ({"mlp_bias": True}, {"mlp_bias": False}),
    "n_experts": (EXPERTS, {"n_experts": 2}),
    "top_k": (EXPERTS, {"top_k": 1}),
    "router_bias": (EXPERTS | {"router_bias": True}, {"router_bias": False}),
    "routing": (EXPERTS | {"routing": Routing("softmax")}, {"routing": Routing()}),
    "expert_layers": (EXPERTS | {"expert_layers": (False, True)}, {"expert_layers": (True, False)}),
    "d_expert": (EXPERTS | {"d_expert": 5}, {"expert_layers": (False,)}),  # its width is checked by shapes
    "expert_bias": (EXPERTS | {"expert_bias": False}, {"expert_bias": True}),
    "d_shared": (SHARED, {"d_shared": 0}),
    "mixture_bias": (EXPERTS | {"mixture_bias": True}, {"mixture_bias": False}),
    "weighed_shared": (SHARED, {"weighed_shared": False}),
    "Routing.by": (EXPERTS | {"routing": Routing("sigmoid")}, {"routing": Routing("softmax")}),
    "Routing.normalised": (GROUPS, {"routing": replace(SIGMOID, normalised=False)}),
    "Routing.times": (GROUPS, {"routing": replace(SIGMOID, times=1.0)}),
    "Routing.corrected": (GROUPS, {"routing": replace(SIGMOID, corrected=False)}),
    "Routing.groups": (GROUPS, {"routing": replace(SIGMOID, groups=3)}),
    "Routing.top_groups": (GROUPS, {"routing": replace(SIGMOID, top_groups=2)}),
    "Routing.group_by": (
        GROUPS | {"routing": replace(SIGMOID, corrected=False)},
        {"routing": replace(SIGMOID, corrected=False, group_by=1)},
    ),
    "Routing.near": (MIXER, {"routing": Routing("mixer", near=0.05)}),
    "clamp": (GATED | {"clamp": 1.0}, {"clamp": 0.0}),
    "alpha": (GATED | {"clamp": 1.0, "alpha": 1.7}, {"alpha": 1.0}),
    # Norm
    "Norm.kind": ({"norm": Norm("rms")}, {"norm": Norm("layer")}),
    "Norm.eps": ({"norm": Norm(eps=0.1)}, {"norm": Norm(eps=0.05)}),
    "Norm.weight": ({"norm": Norm()}, {"norm": Norm(weight=False)}),
    "Norm.bias": ({"norm": Norm()}, {"norm": Norm(bias=False)}),
    "Norm.plus_one": ({"norm": Norm(plus_one=True)}, {"norm": Norm()}),
    # Positions
    "Learned.size": ({"absolute": Learned(20)}, {"absolute": Learned(20, 6)}),  # its length is checked by shapes
    "Learned.offset": ({"absolute": Learned(20, 2)}, {"absolute": Learned(20)}),
    "Learned.computed": ({"absolute": Learned(20, 0, Sinusoidal())}, {"absolute": None}),
    "Sinusoidal.interleaved": ({"absolute": Sinusoidal()}, {"absolute": Sinusoidal(False)}),
    "Sinusoidal.base": ({"absolute": Sinusoidal(base=50.0)}, {"absolute": Sinusoidal()}),
    "Sinusoidal.offset": ({"absolute": Sinusoidal(offset=2)}, {"absolute": Sinusoidal()}),
    "Sinusoidal.ends_at_base": (
        {"absolute": Sinusoidal(False, 50.0, ends_at_base=True)},
        {"absolute": Sinusoidal(False, 50.0)},
    ),
    "Sinusoidal.zero_row": ({"absolute": Sinusoidal(offset=1, zero_row=3)}, {"absolute": Sinusoidal(offset=1)}),
    "Rotary.dim": ({"rotary": (Rotary(4),)}, {"rotary": (Rotary(6),)}),
    "Rotary.base": ({"rotary": (ROTARY,)}, {"rotary": (Rotary(6),)}),
    "Rotary.interleaved": ({"rotary": (Rotary(6, 100.0, True),)}, {"rotary": (ROTARY,)}),
    "Rotary.last": ({"rotary": (Rotary(2, last=True),)}, {"rotary": (Rotary(2),)}),
    "Rotary.by_patch": (IMAGE | {"d_head": 8} | BY_PATCH, {"rotary": (Rotary(8, 100.0),)}, PIXELS),
    "Rotary.scaling": (scaled("linear", factor=2.0), {"rotary": (ROTARY,)}),
    "Rotary.stored": ({"rotary": (replace(ROTARY, stored=20),)}, {"rotary": (ROTARY,)}),
    "RotaryScaling.kind": (scaled("dynamic", **DYNAMIC), scaled("linear", factor=4.0)),
    "RotaryScaling.factor": (scaled("dynamic", **DYNAMIC), scaled("dynamic", **DYNAMIC | {"factor": 2.0})),
    "RotaryScaling.limit": (scaled("dynamic", **DYNAMIC), scaled("dynamic", **DYNAMIC | {"limit": 20})),
    "RotaryScaling.original": (scaled("wavelength", **WAVES), scaled("wavelength", **WAVES | {"original": 10})),
    "RotaryScaling.low": (scaled("wavelength", **WAVES), scaled("wavelength", **WAVES | {"low": 0.1})),
    "RotaryScaling.high": (scaled("wavelength", **WAVES), scaled("wavelength", **WAVES | {"high": 9.0})),
    "RotaryScaling.truncate": (scaled("yarn", **YARN), scaled("yarn", **YARN | {"truncate": False})),
    "RotaryScaling.attention_factor": (scaled("yarn", **YARN | {"attention_factor": 1.5}), scaled("yarn", **YARN)),
    "RotaryScaling.long_attention_factor": (
        scaled("longrope", **LONG | {"long_attention_factor": 0.4}),
        scaled("longrope", **LONG),
    ),
    "RotaryScaling.mscale": (scaled("yarn", **MSCALES), scaled("yarn", **YARN)),
    "RotaryScaling.mscale_all_dim": (scaled("yarn", **MSCALES), scaled("yarn", **MSCALES | {"mscale_all_dim": 2.0})),
    "RotaryScaling.long_factor": (scaled("longrope", **LONG), scaled("longrope", **LONG | {"original": 14})),
    "RotaryScaling.short_factor": (
        scaled("longrope", **LONG | {"original": 14}),
        scaled("longrope", **LONG | {"original": 14, "short_factor": (1.0, 1.0, 1.0)}),
    ),
    # Distances
    "Alibi.max_bias": ({"bias": Alibi()}, {"bias": Alibi(4.0)}),
    "Alibi.bfloat16": ({"bias": Alibi(7.3, bfloat16=True)}, {"bias": Alibi(7.3)}),
    "Alibi.before_scale": ({"bias": Alibi(before_scale=True)}, {"bias": Alibi()}),
    "Alibi.times": ({"bias": Alibi(times=0.5)}, {"bias": Alibi()}),
    "Buckets.n_buckets": ({"bias": Buckets(8, 13)}, {"bias": Buckets(6, 13, rows=8)}),
    "Buckets.max_distance": ({"bias": T5}, {"bias": Buckets(8, 40)}),
    "Buckets.gated": ({"bias": replace(T5, gated=True)}, {"bias": T5}),
    "ImageOffsets.grid": (OFFSETS, {"bias": ImageOffsets((2, 4))}, PIXELS),
    "ImageOffsets.shared": (OFFSETS | {"bias": BOTH}, OFFSETS, PIXELS),
    "ImageOffsets.own": (OFFSETS | {"bias": BOTH}, {"bias": replace(BOTH, own=False)}, PIXELS),
    "Buckets.bidirectional": ({"bias": T5}, {"bias": Buckets(8, 13, False)}),
    "Buckets.by_layer": ({"bias": replace(T5, by_layer=True)}, {"bias": T5}),
    "Segmental.clamp": ({"relative": Segmental(3)}, {"relative": Segmental()}),
    "Disentangled.span": ({"relative": Disentangled(5)}, {"relative": Disentangled(6)}),
    "Disentangled.buckets": ({"relative": DEBERTA}, {"relative": replace(DEBERTA, buckets=0)}),
    "Disentangled.max_relative": (
        {"relative": replace(DEBERTA, span=8, buckets=8)},
        {"relative": Disentangled(8, 8, 9)},
    ),
    "Disentangled.c2p": ({"relative": DEBERTA}, {"relative": replace(DEBERTA, c2p=False)}),
    "Disentangled.p2c": ({"relative": DEBERTA}, {"relative": replace(DEBERTA, p2c=False)}),
    "Disentangled.share_key": ({"relative": DEBERTA}, {"relative": replace(DEBERTA, share_key=False)}),
    "Disentangled.norm": ({"relative": replace(DEBERTA, norm=Norm())}, {"relative": DEBERTA}),
    "DistanceVectors.size": ({"relative": DistanceVectors(16)}, {"relative": None}),  # its length is checked by shapes
    "DistanceVectors.by_key": ({"relative": DistanceVectors(16, True)}, {"relative": DistanceVectors(16)}),
    "DistanceVectors.scaled": ({"relative": DistanceVectors(16)}, {"relative": DistanceVectors(16, scaled=False)}),
    "Blocks.size": ({"blocks": Blocks(2, 0)}, {"blocks": Blocks(1, 0)}),
    "Blocks.n_random": ({"blocks": Blocks(1, 1)}, {"blocks": Blocks(1, 0)}),
    # Images and sound
    "Patches.prefix": (IMAGE, {"patches": replace(PATCHES, prefix=("class", "class"))}, PIXELS),
    "Patches.bias": (IMAGE, {"patches": replace(PATCHES, bias=False)}, PIXELS),
    "Patches.registers": (IMAGE | REGISTERS, {"patches": replace(PATCHES, registers=1)}, PIXELS),
    "Patches.smooth": (OTHER_GRID | SMOOTH, OTHER_GRID, PIXELS),
    "Patches.interpolate": (OTHER_GRID, {"absolute": None}, PIXELS),
    "Convolutions.strides": (HEARD, {"convolutions": replace(EAR, strides=(2, 1), pad=1)}, SOUND),
    "Convolutions.pad": (HEARD | {"convolutions": replace(EAR, kernels=(3, 3), pad=1)}, HEARD, SOUND),
    "Convolutions.bias": (HEARD, {"convolutions": replace(EAR, bias=False)}, SOUND),
    "Convolutions.norm": (HEARD | {"convolutions": replace(EAR, norm="group")}, HEARD, SOUND),
    "Convolutions.eps": (
        HEARD | {"convolutions": replace(EAR, norm="layer", eps=0.1)},
        {"convolutions": replace(EAR, norm="layer")},
        SOUND,
    ),
    "Convolutions.activation": (HEARD, {"convolutions": replace(EAR, activation="relu")}, SOUND),
    "Convolutions.project": (
        {"convolutions": replace(EAR, project=True)},
        {"convolutions": EAR},
        SOUND,
    ),
    "Convolutions.project_norm": (
        {"convolutions": replace(EAR, project=True)},
        {"convolutions": replace(EAR, project=True, project_norm=False)},
        SOUND,
    ),
    "PositionalConvolution.stack": (
        HEARD | {"positional_convolution": replace(PLACED, stack=2)},
        {"positional_convolution": replace(PLACED, stack=1)},
        SOUND,
    ),
    "PositionalConvolution.batch_norm": (
        HEARD | {"positional_convolution": replace(PLACED, batch_norm=True)},
        {"positional_convolution": PLACED},
        SOUND,
    ),
    "PositionalConvolution.kernel": (
        HEARD | {"positional_convolution": PLACED},
        {"positional_convolution": replace(PLACED, kernel=3)},
        SOUND,
    ),
    "PositionalConvolution.groups": (
        HEARD | {"positional_convolution": PLACED},
        {"positional_convolution": replace(PLACED, groups=4)},
        SOUND,
    ),
    "PositionalConvolution.activation": (
        HEARD | {"positional_convolution": PLACED},
        {"positional_convolution": replace(PLACED, activation="relu")},
        SOUND,
    ),
}
# Sizes, checked by every shape, and what says nothing about the arithmetic.
UNTOUCHED = {
    *("Spec.n_heads", "Spec.d_model", "Spec.vocab", "Spec.d_head", "Spec.by_word", "Spec.trained_positions"),
    *("Patches.size", "Patches.channels", "Patches.image"),
    *("Convolutions.dims", "Convolutions.kernels", "Convolutions.channels", "Buckets.rows"),
    "Spec.no_padding",  # refuses a text: test_padding_that_would_hide_tokens_is_refused
    "Disentangled.key_bias",  # it moves all scores of a row alike
    "Alibi.odd_first",  # chooses the same slopes in another way
    *("Spec.cross", "EncoderDecoder", "Towers"),  # tests of their own: test_an_encoder_and_its_decoder
    "Spec.mean_of_heads",  # which weights are shown: tests/engine/test_collectors.py
    *("Unembed", "Transform"),  # what comes after attention: tests/models/test_generate.py, test_masked_heads.py
}


def parted(on: Spec, off: Spec, given: StackInput, absent: frozenset[str]) -> tuple[float, float]:
    """The largest difference between the engine and the slow reference, with a behaviour on in both, and off in one.

    Weights and outputs are compared; a different shape of either counts as a difference of 1.
    """
    case = Case(on, given, 0, absent)
    same = Slow(on, case.tensors(), given).run()
    n = len(same.output)
    keep = Keep(on.n_layers, range(on.n_heads), n, n)
    output = run(on, case.tensors(), case.inputs, {"self": [keep]}, whole=True)
    other = Slow(off, case.tensors(), given).run()

    def difference(found) -> float:
        pairs = [(keep.weights, np.array(found.weights)), (output, np.array(found.output))]
        return max(1.0 if a.shape != b.shape else float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)

    return difference(same), difference(other)


@pytest.mark.parametrize("name", SPEC)
def test_a_behaviour_that_is_off_in_one_is_seen(name: str) -> None:
    on, off, given = (*SPEC[name], TEXT)[:3]
    if given is TEXT and "types" not in name and not {"relative", "n_types"} & {*on}:
        given = StackInput(ids=IDS)
    absent = {"Learned.computed": frozenset({"embed.positions"})}.get(name, frozenset())
    sizes = PLAIN | {"activation": "silu"}
    same, other = parted(Spec(**sizes | on), Spec(**sizes | on | off), given, absent)
    assert same < 2e-5
    assert other > 2e-3


def test_no_field_is_forgotten() -> None:
    wanted = set()
    for kind in vars(spec_module).values():
        if is_dataclass(kind) and isinstance(kind, type):
            wanted |= {f"{kind.__name__}.{f.name}" for f in fields(kind)}
    done = {name if "." in name else f"Spec.{name}" for name in SPEC}
    left = {name for name in wanted - done if name not in UNTOUCHED and name.split(".")[0] not in UNTOUCHED}
    assert not left
    assert done <= wanted
