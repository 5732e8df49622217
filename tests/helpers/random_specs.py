"""Random small Specs with every behaviour, each with an input that it can read, for Hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from helpers.wide_tensors import Case
from hypothesis import strategies as st
from oracles.slow_embedding import StackInput
from oracles.slow_formulas import ACTIVATIONS

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

VOCAB = 19

norms = st.builds(
    Norm,
    kind=st.sampled_from(["layer", "rms"]),
    eps=st.sampled_from([1e-5, 1e-12, 0.3]),
    weight=st.booleans(),
    bias=st.booleans(),
    plus_one=st.booleans(),
)
factors = st.sampled_from([1.0, 1.5, 2.0, 8.0])


@st.composite
def scalings(draw: Any, n_pairs: int) -> RotaryScaling:
    """One of each kind, with thresholds such that a small text has tokens on both sides."""
    kind = draw(st.sampled_from(["linear", "dynamic", "wavelength", "yarn", "longrope"]))
    if kind == "dynamic":
        return RotaryScaling(kind, draw(factors), limit=draw(st.integers(2, 20)))
    if kind == "wavelength":
        low = draw(st.sampled_from([0.5, 1.0]))
        return RotaryScaling(kind, draw(factors), draw(st.sampled_from([8, 64, 512])), low, low * 4)
    if kind == "yarn":
        return RotaryScaling(
            kind,
            draw(factors),
            draw(st.sampled_from([8, 64, 4096])),
            low=1.0,
            high=draw(st.sampled_from([4.0, 32.0])),
            attention_factor=draw(st.sampled_from([0.0, 0.0, 1.3])),
            mscale=draw(st.sampled_from([0.0, 0.7])),
            mscale_all_dim=draw(st.sampled_from([0.0, 1.2])),
            truncate=draw(st.booleans()),
        )
    if kind == "longrope":
        tables = [tuple(draw(st.lists(factors, min_size=n_pairs, max_size=n_pairs))) for _ in range(2)]
        attention = draw(st.sampled_from([0.0, 1.2]))
        original = draw(st.integers(2, 20))
        more = draw(st.sampled_from([0.0, 0.8]))
        return RotaryScaling(
            kind,
            draw(factors),
            original,
            attention_factor=attention,
            long_attention_factor=more,
            short_factor=tables[0],
            long_factor=tables[1],
        )
    return RotaryScaling(kind, draw(factors))


@st.composite
def rotaries(draw: Any, d_head: int) -> Rotary:
    pairs = draw(st.integers(1, d_head // 2))
    odd = draw(st.booleans()) and pairs > 1
    scaling = draw(scalings(pairs)) if pairs > 1 and not odd and draw(st.booleans()) else None
    stored = 24 if scaling is None and not odd and draw(st.booleans()) else 0
    base, last = draw(st.sampled_from([10000.0, 500.0, 10.0])), draw(st.booleans())
    return Rotary(2 * pairs - odd, base, draw(st.booleans()), scaling, stored, last)


alibis = st.builds(
    Alibi,
    max_bias=st.sampled_from([8.0, 4.0]),
    bfloat16=st.booleans(),
    odd_first=st.booleans(),
    before_scale=st.booleans(),
    times=st.sampled_from([1.0, 0.5]),
)


@st.composite
def buckets(draw: Any, gated: bool = False) -> Buckets:
    """gated: needs d_model to be a multiple of the number of heads."""
    n = draw(st.sampled_from([4, 6, 8, 12]))
    # Half of the farthest distance is never a power of 2 times the exact ones: no distance lies on an edge.
    farthest, both_ways = draw(st.sampled_from([11, 13, 23])), draw(st.booleans())
    return Buckets(n, farthest, both_ways, draw(st.sampled_from([0, n + 2])), draw(st.booleans()), gated)


@st.composite
def disentangled(draw: Any) -> Disentangled:
    n = draw(st.sampled_from([0, 4, 8]))
    farthest = draw(st.sampled_from([7, 14, 23]))
    c2p, p2c = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    norm, key_bias = draw(st.none() | norms), draw(st.booleans())
    return Disentangled(n or farthest, n, farthest, c2p, p2c, draw(st.booleans()), norm, key_bias)


def once_or_each(draw: Any, values: Any, n_layers: int) -> tuple[Any, ...]:
    """A setting for all layers, or one per layer."""
    return tuple(draw(values) for _ in range(draw(st.sampled_from([1, n_layers]))))


@st.composite
def sizes(draw: Any, whole_heads: bool = False) -> dict[str, Any]:
    """whole_heads: every head has its own keys."""
    n_kv, group = draw(st.integers(1, 3)), 1 if whole_heads else draw(st.integers(1, 3))
    return {
        "n_layers": draw(st.integers(1, 3)),
        "n_heads": n_kv * group,
        "n_kv_heads": n_kv,
        "d_head": draw(st.sampled_from([4, 6, 8])),
        "d_model": draw(st.sampled_from([8, 12, 16])),
        "d_mlp": draw(st.sampled_from([8, 20])),
    }


@st.composite
def blocks(draw: Any, n_layers: int) -> dict[str, Any]:
    """Draw the order of sublayers and norms, and the MLP."""
    fields: dict[str, Any] = {"norm": draw(norms)}
    before = draw(st.booleans())
    fields["norm_before"] = before
    if before:
        fields["parallel"] = draw(st.sampled_from(["", "", "shared", "separate"]))
        fields["first_norm"] = draw(st.booleans())
        fields["norm_output"] = draw(st.booleans())
        fields["residual_from_norm"] = not fields["parallel"] and draw(st.booleans())
    else:
        fields["norm_after"], fields["norm_output"] = draw(st.sampled_from([(True, False), (False, True)]))
    fields["layer_scale"] = draw(st.booleans())
    fields["sublayer_scale"] = draw(st.sampled_from([1.0, 1.0, 0.4]))
    fields["final_norm"] = draw(st.none() | norms)
    if draw(st.booleans()):
        fields["layer_source"] = tuple(draw(st.integers(0, 1)) for _ in range(n_layers))
    fields |= draw(mlps())
    if not fields.get("parallel") and not fields.get("n_experts") and draw(st.integers(0, 5)) == 0:
        fields["d_mlp"] = 0
    return fields


@st.composite
def mlps(draw: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "activation": draw(st.sampled_from(sorted(ACTIVATIONS))),
        "gated": draw(st.booleans()),
        "mlp_bias": draw(st.booleans()),
    }
    if fields["gated"] and draw(st.booleans()):
        fields |= {"clamp": draw(st.sampled_from([0.5, 7.0])), "alpha": draw(st.sampled_from([1.0, 1.702]))}
    if draw(st.integers(0, 2)) == 0:
        fields |= draw(experts())
    return fields


@st.composite
def experts(draw: Any) -> dict[str, Any]:
    """Mixtures of every kind of routing."""
    groups, size = draw(st.sampled_from([(1, 2), (1, 3), (1, 4), (2, 2), (2, 3), (3, 2)]))
    by = draw(st.sampled_from(["chosen", "softmax", "sigmoid", "mixer"]))
    top_groups = draw(st.integers(1, groups))
    whole = by in ("softmax", "sigmoid")
    routing = Routing(
        by=by,
        normalised=draw(st.booleans()),
        times=draw(st.sampled_from([1.0, 2.5])),
        corrected=draw(st.booleans()),
        groups=groups,
        top_groups=top_groups,
        group_by=draw(st.integers(1, 2)),
        near=draw(st.sampled_from([0.02, 0.5])),
    )
    return {
        "n_experts": groups * size,
        "top_k": draw(st.integers(1, top_groups * size if whole else groups * size)),
        "router_bias": draw(st.booleans()),
        "routing": routing,
        "expert_layers": draw(st.sampled_from([(), (True,), (False,)])),
        "d_expert": draw(st.sampled_from([0, 5])),
        "expert_bias": draw(st.sampled_from([None, False, True])),
        "d_shared": draw(st.sampled_from([0, 6])),
        "weighed_shared": draw(st.booleans()),
        "mixture_bias": draw(st.booleans()),
    }


@st.composite
def scores(draw: Any, d_head: int, relative: bool = False) -> dict[str, Any]:
    """Draw the steps between the input of attention and its softmax. relative: needs its q and k biases."""
    fields: dict[str, Any] = {f"{part}_bias": draw(st.booleans()) for part in "qkvo"}
    if relative:
        fields["q_bias"] = fields["k_bias"] = True
    fields["scale"] = draw(st.sampled_from([0.0, 0.7, 1.3])) * d_head**-0.5
    fields["scale_by_layer"] = draw(st.booleans())
    fields["softcap"] = draw(st.sampled_from([0.0, 0.0, 2.0]))
    fields["sinks"] = draw(st.booleans())
    fields["qkv_clip"] = draw(st.sampled_from([0.0, 0.0, 1.0]))
    fields["qk_norm"] = draw(st.none() | norms)
    fields["qk_norm_over"] = draw(st.sampled_from(["head", "heads", "all"]))
    fields["qk_norm_turned"] = draw(st.booleans())
    fields["clip_after_norm"] = fields["qk_norm"] is not None and draw(st.booleans())
    return fields


@st.composite
def compressed(draw: Any, d_head: int) -> dict[str, Any]:
    """Keys and values from a compressed vector, values of their own width, a part of the keys shared by all heads."""
    d_shared = draw(st.sampled_from([0, 2, 4]))
    norm = draw(norms)
    latent = Latent(
        draw(st.sampled_from([5, 8])), draw(st.sampled_from([0, 7])), d_shared % d_head, norm, draw(st.booleans())
    )
    return {"latent": latent, "d_value": draw(st.sampled_from([0, 3, 10])), "qk_norm": None, "clip_after_norm": False}


@st.composite
def token_inputs(draw: Any, spec: dict[str, Any], longest: int = 20, shortest: int = 1) -> StackInput:
    """Ids, and token types where the model reads them."""
    n = draw(st.integers(shortest, longest))
    ids = draw(st.lists(st.integers(0, VOCAB - 1), min_size=n, max_size=n))
    types = None
    if spec.get("n_types") or spec.get("types_are_tokens") or isinstance(spec.get("relative"), Segmental):
        types = draw(st.none() | st.lists(st.integers(0, 1), min_size=n, max_size=n))
    return StackInput(ids=ids, types=types)


@st.composite
def embeddings(draw: Any) -> dict[str, Any]:
    """Draw the steps on token embeddings before the first block."""
    fields: dict[str, Any] = {"vocab": VOCAB, "d_embed": draw(st.sampled_from([0, 10]))}
    orders = ["add norm project", "norm add project", "project add norm", "add project norm", "project norm add"]
    fields["embed_order"] = tuple(draw(st.sampled_from(orders)).split())
    fields["project_bias"] = draw(st.booleans())
    fields["project_square"] = draw(st.booleans())
    fields["n_tasks"] = draw(st.sampled_from([0, 0, 2]))
    fields["embed_norm"] = draw(st.none() | norms)
    fields["embed_scale"] = draw(st.sampled_from([1.0, 1.0, 2.5]))
    fields["n_types"] = draw(st.sampled_from([0, 2]))
    as_wide = not fields["d_embed"] or fields["embed_order"].index("add") < fields["embed_order"].index("project")
    fields["types_are_tokens"] = not fields["n_types"] and as_wide and draw(st.booleans())
    fields["mask_dropout"] = draw(st.sampled_from([-1, 3]))
    fields["absolute"] = draw(st.none() | learned() | sinusoids)
    fields["pad_positions"] = draw(st.sampled_from([-1, 2])) if fields["absolute"] is not None else -1
    return fields


sinusoids = st.builds(
    Sinusoidal,
    interleaved=st.booleans(),
    base=st.sampled_from([10000.0, 7.0]),
    offset=st.integers(0, 2),
    ends_at_base=st.booleans(),
    zero_row=st.sampled_from([-1, 1, 3]),
)


@st.composite
def learned(draw: Any) -> Learned:
    offset = draw(st.integers(1, 3))
    return Learned(24 + offset, offset, draw(st.none() | sinusoids))


@st.composite
def text_cases(draw: Any) -> Case:
    """Stacks that read tokens, with all behaviours that can be combined freely."""
    kinds = [Segmental(), Segmental(3), "disentangled", DistanceVectors(24), DistanceVectors(20, True, scaled=False)]
    relative = draw(st.sampled_from([None] * 3 + kinds))
    own = draw(sizes(whole_heads=isinstance(relative, Segmental) or relative == "disentangled"))
    relative = draw(disentangled()) if relative == "disentangled" else relative
    spec = own | draw(embeddings()) | draw(blocks(own["n_layers"]))
    spec |= draw(scores(own["d_head"], isinstance(relative, Disentangled)))
    spec["relative"] = relative
    if relative is None and own["n_kv_heads"] == own["n_heads"] and draw(st.integers(0, 2)) == 0:
        spec |= draw(compressed(own["d_head"])) | {"qkv_clip": 0.0}
    if relative is None and draw(st.booleans()):
        spec["rotary"] = once_or_each(draw, st.none() | rotaries(own["d_head"]), own["n_layers"])
        spec["rotary_values"] = "latent" not in spec and draw(st.booleans())
    spec["bias"] = draw(st.none() | alibis | buckets())
    spec["causal"] = draw(st.booleans())
    if draw(st.booleans()):
        spec["reach"] = once_or_each(draw, st.integers(-1, 12), own["n_layers"])
    if draw(st.integers(0, 3)) == 0:
        spec["convolution_after_first"] = draw(st.sampled_from([1, 3, 5]))
        spec["convolution_groups"] = draw(st.sampled_from([1, 2]))
        spec["convolution_activation"] = draw(st.sampled_from(["tanh", "gelu"]))
    if not spec["o_bias"] and own["n_heads"] * (spec.get("d_value") or own["d_head"]) == own["d_model"]:
        spec["output"] = draw(st.booleans())
    inputs = draw(token_inputs(spec))
    if not spec["types_are_tokens"] and draw(st.integers(0, 7)) == 0:
        spec |= {"by_word": True, "mask_dropout": -1, "pad_positions": -1}
        inputs.ids, inputs.words = (), [f"word{i}" for i in inputs.ids]
    if spec["mask_dropout"] in inputs.ids and len(set(inputs.ids)) == 1:
        inputs.ids = [0, *list(inputs.ids)[1:]]  # no embedding would be left to rescale
    absent = draw(st.sampled_from([frozenset(), frozenset({"embed.positions", "rotary.table"})]))
    if len({(turn.stored, turn.dim) for turn in spec.get("rotary", ()) if turn is not None and turn.stored}) > 1:
        absent |= {"rotary.table"}  # one table cannot be as wide as several rotations
    if isinstance(spec["absolute"], Learned) and spec["absolute"].computed is None:
        absent -= {"embed.positions"}
    return Case(Spec(**spec), inputs, draw(st.integers(0, 1 << 16)), absent)


@st.composite
def sparse_cases(draw: Any) -> Case:
    """Global tokens beside windows, and blocks of long texts, which need plain scores."""
    is_global = draw(st.booleans())
    own = draw(sizes())
    spec = own | {"vocab": VOCAB, "absolute": draw(st.none() | learned())} | draw(blocks(own["n_layers"]))
    spec |= {f"{part}_bias": draw(st.booleans()) for part in "qkvo"}
    spec["scale"] = draw(st.sampled_from([0.0, 0.4]))
    if is_global:
        inputs = draw(token_inputs(spec))
        spec["global_tokens"] = True
        spec["reach"] = once_or_each(draw, st.integers(0, 5), own["n_layers"])
        places = draw(st.sets(st.integers(0, len(inputs.ids) - 1), max_size=3))
        inputs.global_tokens = tuple(sorted(places))
    else:
        inputs = draw(token_inputs(spec, 24, 6))
        spec["blocks"] = Blocks(draw(st.integers(1, 4)), draw(st.integers(0, 2)))
    return Case(Spec(**spec), inputs, draw(st.integers(0, 1 << 16)))


numbers = st.integers(-20, 20).map(lambda v: v / 10)


@st.composite
def image_cases(draw: Any) -> Case:
    own = draw(sizes())
    size = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    grid = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    image = (size[0] * grid[0], size[1] * grid[1])
    prefix = draw(st.sampled_from([(), ("class",), ("class", "distillation")]))
    interpolate, registers = draw(st.booleans()), draw(st.sampled_from([0, 0, 2]))
    patches = Patches(
        size, draw(st.integers(1, 3)), image, prefix, draw(st.booleans()), interpolate, registers, draw(st.booleans())
    )
    pixels_at = image
    if interpolate:
        pixels_at = (size[0] * draw(st.integers(1, 4)), size[1] * draw(st.integers(1, 4)))
    # A margin at the right and below that fills no patch is cut off.
    pixels_at = (pixels_at[0] + draw(st.integers(0, size[0] - 1)), pixels_at[1] + draw(st.integers(0, size[1] - 1)))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    pixels = rng.standard_normal((patches.channels, *pixels_at)).astype(np.float32).tolist()
    places = Learned(grid[0] * grid[1] + len(prefix)) if draw(st.booleans()) else None
    spec = own | draw(blocks(own["n_layers"])) | {"patches": patches, "absolute": places, "embed_norm": draw(norms)}
    if draw(st.booleans()):
        shared, each = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
        spec["bias"] = ImageOffsets(grid, shared, each)
    if own["d_head"] % 4 == 0 and draw(st.booleans()):
        spec["rotary"] = (Rotary(own["d_head"], draw(st.sampled_from([100.0, 10.0])), by_patch=True),)
    return Case(Spec(**spec), StackInput(pixels=pixels), draw(st.integers(0, 1 << 16)))


@st.composite
def sound_cases(draw: Any) -> Case:
    own = draw(sizes())
    count = draw(st.integers(1, 2))
    project = draw(st.booleans())
    channels = draw(st.integers(1, 3))
    rule = Convolutions(
        dims=tuple(draw(st.sampled_from([4, 6])) for _ in range(count - 1)) + ((6,) if project else (own["d_model"],)),
        kernels=tuple(draw(st.integers(1, 4)) for _ in range(count)),
        strides=tuple(draw(st.integers(1, 2)) for _ in range(count)),
        pad=draw(st.integers(0, 1)),
        bias=draw(st.booleans()),
        norm=draw(st.sampled_from(["", "group", "layer"])),
        eps=draw(st.sampled_from([1e-5, 0.1])),
        activation=draw(st.sampled_from(["gelu", "relu"])),
        channels=channels,
        project=project,
        project_norm=draw(st.booleans()),
    )
    places = None
    if draw(st.booleans()):
        groups = draw(st.sampled_from([1, 2, 4]))
        stack, normed = draw(st.sampled_from([0, 0, 1, 2])), draw(st.booleans())
        act = draw(st.sampled_from(["gelu", "tanh"]))
        places = PositionalConvolution(draw(st.integers(1, 6)), groups, act, stack, normed)
    absolute = None if places else draw(st.none() | st.just(Learned(40)) | sinusoids)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    sound = rng.standard_normal((channels, draw(st.integers(12, 24)))).astype(np.float32).tolist()
    spec = own | draw(blocks(own["n_layers"])) | {"convolutions": rule, "positional_convolution": places}
    spec |= {"absolute": absolute, "embed_norm": draw(st.none() | norms)}
    if own["d_model"] % own["n_heads"] == 0:
        spec["bias"] = draw(st.none() | buckets(gated=True))
    absent = draw(st.sampled_from([frozenset(), frozenset({"embed.positions.weight"})]))
    return Case(Spec(**spec), StackInput(sound=sound), draw(st.integers(0, 1 << 16)), absent)


@st.composite
def pairs(draw: Any) -> tuple[Case, Case]:
    """An encoder and the decoder that reads it, equally wide, not equally deep."""
    cases = []
    for is_decoder in (False, True):
        own = draw(sizes()) | {"d_model": 12}
        spec = own | draw(embeddings()) | draw(blocks(own["n_layers"]))
        spec |= {f"{part}_bias": draw(st.booleans()) for part in "qkvo"} | {"types_are_tokens": False, "n_types": 0}
        spec |= {"scale": draw(st.sampled_from([0.0, 0.5])), "mask_dropout": -1}
        if is_decoder:
            spec |= {"cross": True, "causal": True, "parallel": ""}
        spec["bias"] = draw(st.none() | alibis | buckets())
        inputs = draw(token_inputs(spec, 14))
        cases.append(Case(Spec(**spec), inputs, draw(st.integers(0, 1 << 16))))
    return cases[0], cases[1]
