"""Rotary positions in a configuration, as transformers 4 and 5 write them.

Version 5 keeps everything in `rope_parameters`; version 4 has `rope_theta` and `partial_rotary_factor` beside
`rope_scaling`, whose kind is called `rope_type` or, earlier, `type`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attnviz.engine.spec import Rotary, RotaryScaling
from attnviz.families._config import Config

KINDS = ("default", "linear", "dynamic", "llama3", "yarn", "longrope")
# Older names. Multimodal models have three positions per token; in a text the three are equal, which is plain rotation.
OLD = {"su": "longrope", "mrope": "default"}


def rotary(
    config: Config,
    d_head: int,
    theta: float = 10000.0,
    part: float | None = None,
    max_positions: int = 1 << 20,
    interleaved: bool = False,
) -> Rotary:
    """The rotary positions of a whole model. theta, part, max_positions: values of keys left out.

    part: the share of a head that turns; None for a family that turns whole heads whatever its configuration says.
    """
    old = {"rope_theta": config.raw("rope_theta"), "partial_rotary_factor": config.raw("partial_rotary_factor")}
    # If both are there, the reference uses the older spelling.
    new = config.sub("rope_scaling") or config.sub("rope_parameters") or Config({}, config.where)
    config.skip("rope_parameters")
    filled = Config({**{k: v for k, v in old.items() if v is not None}, **new.data}, new.where, new.reference)
    return one_rotary(config, filled, d_head, theta, part, max_positions, interleaved)


def one_rotary(
    config: Config,
    rope: Config,
    d_head: int,
    theta: float = 10000.0,
    part: float | None = None,
    max_positions: int = 1 << 20,
    interleaved: bool = False,
) -> Rotary:
    """One set of rotary positions from its own keys; `config` is the model's."""
    kind = rope.choice("rope_type", rope.choice("type", "default", (*KINDS, *OLD)), (*KINDS, *OLD))
    kind = OLD.get(kind, kind)
    if kind == "default":
        rope.skip("mrope_section")
    base = rope.float("rope_theta", theta, low=1e-3)
    share = rope.float("partial_rotary_factor", part or 1.0, low=0, high=1)
    if part is None and share != 1 and kind != "default":
        raise rope.error(f"partial_rotary_factor {share:g} with {kind} scaling is not handled in this family")
    dim = d_head if part is None else int(d_head * share)
    if not 1 <= dim <= dim + dim % 2 <= d_head:
        raise rope.error(f"rotary positions turn pairs of a head's {d_head} dimensions; got {dim}")
    limit = config.int("max_position_embeddings", max_positions)
    scaling = None if kind == "default" else _scaling(config, rope, kind, limit, dim)
    config.inside(rope)
    return Rotary(dim, base, interleaved, scaling)


def _scaling(config: Config, rope: Config, kind: str, limit: int, dim: int) -> RotaryScaling:
    own = config.int("original_max_position_embeddings", rope.int("original_max_position_embeddings", limit))
    if kind == "linear":
        rope.skip("original_max_position_embeddings")
        return RotaryScaling(kind, rope.float("factor", low=1e-6))
    if kind == "dynamic":
        if dim == 2:
            raise rope.error("dynamic scaling needs more than 2 rotary dimensions")
        return RotaryScaling(kind, rope.float("factor", low=1e-6), limit=limit)
    if kind == "llama3":
        low, high = rope.float("low_freq_factor"), rope.float("high_freq_factor")
        if low == high:
            raise rope.error("low_freq_factor and high_freq_factor must differ")
        return RotaryScaling("wavelength", rope.float("factor", low=1e-6), own, low, high)
    factor = rope.float("factor", limit / own, low=1e-6)
    attention = rope.float("attention_factor", 0.0)
    if kind == "yarn":
        rope.skip("finetuned")  # the authors' code asks for it in dynamic scaling alone
        if dim % 2:
            raise rope.error(f"yarn scaling needs an even number of rotary dimensions; got {dim}")
        return RotaryScaling(
            kind,
            factor,
            own,
            low=rope.float("beta_slow", 1.0, low=1e-6),
            high=rope.float("beta_fast", 32.0, low=1e-6),
            attention_factor=attention,
            mscale=rope.float("mscale", 0.0),
            mscale_all_dim=rope.float("mscale_all_dim", 0.0),
            truncate=rope.bool("truncate", True),
        )
    tables = [_table(rope, key, (dim + 1) // 2) for key in ("short_factor", "long_factor")]
    # A stated factor counts, as in transformers since 5.0; earlier versions used the ratio of the lengths if the
    # configuration itself, not its rope_scaling, had the original length.
    return RotaryScaling(kind, factor, own, attention_factor=attention, short_factor=tables[0], long_factor=tables[1])


def _table(rope: Config, key: str, length: int) -> tuple[float, ...]:
    values = rope.raw(key)
    if (
        not isinstance(values, list)
        or len(values) != length
        or not all(isinstance(v, (int, float)) and v for v in values)
    ):
        raise rope.error(f"{key} must be a list of {length} numbers other than 0")
    return tuple(map(float, values))


def by_layer_type(
    config: Config,
    kinds: tuple[str, ...],
    thetas: Mapping[str, tuple[str, float]],
    d_head: int,
    max_positions: int,
    scaled: str = "",
) -> tuple[Rotary, ...]:
    """Rotary positions for each layer, in models whose kinds of layers differ in them.

    thetas: for each kind, the key of its base in version 4, and that key's value if left out. In version 5
    `rope_parameters` holds an object per kind; in version 4 `rope_scaling` is for the kind `scaled` alone.
    """
    new, old = config.sub("rope_parameters"), config.raw("rope_scaling")
    by_kind = {}
    for kind, (key, theta) in thetas.items():
        theta = config.float(key, theta, low=1e-3)
        data: dict[str, Any] = {}
        if new is not None and isinstance(new.raw(kind), dict):
            data = new.raw(kind)
        elif kind == scaled and isinstance(old, dict):
            data = old
        turns = config.nested(f"rope_parameters: {kind}", data)
        by_kind[kind] = one_rotary(config, turns, d_head, theta, max_positions=max_positions)
    if new is not None:
        config.inside(new)
    return tuple(by_kind[kind] for kind in kinds)
