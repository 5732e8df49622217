"""Shared by mixtures of experts: where files keep the experts, which layers have them, how DeepSeek's models route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attnviz.engine.spec import Routing
from attnviz.families._config import Config
from attnviz.families._names import Source, pairs

FUSED = (("mlp.experts.gate_up_proj", "mlp.experts.down_proj"),)


def stored(
    block: str = "mlp",
    parts: tuple[str, str, str] = ("gate_proj", "up_proj", "down_proj"),
    fused: Sequence[tuple[str, str]] = FUSED,
) -> dict[str, Source]:
    """Gate, up and down of each expert, in every form in which files store them.

    block, parts: names of experts stored one by one, `block`.experts.3.gate_proj.weight. fused: names of experts stored
    together, [expert, gate | up, d_model] and [expert, d_model, d_inner], or each with its last two axes swapped.
    """

    def forms(part: str, which: int, *layouts: str) -> Source:
        together: list[str | tuple[str, ...]] = [(f"layers.{{i}}.{pair[which]}", "expert", *layouts) for pair in fused]
        return [f"layers.{{i}}.{block}.experts.{{e}}.{part}.weight", *together]

    gate, up, down = parts
    return {
        "layers.{i}.experts.{e}.gate.weight": forms(gate, 0, "d_model_last", "gate_of_gate_up"),
        "layers.{i}.experts.{e}.up.weight": forms(up, 0, "d_model_last", "up_of_gate_up"),
        "layers.{i}.experts.{e}.down.weight": forms(down, 1, "d_model_first"),
    }


def shared(block: str) -> dict[str, Source]:
    """The expert that every token is sent to."""
    parts = {"shared.gate": "gate_proj", "shared.up": "up_proj", "shared.down": "down_proj"}
    front = "layers.{i}." + block + "."
    return dict(pairs(parts, "layers.{i}.", front))


def after_first(config: Config, n_layers: int, default: int) -> tuple[bool, ...]:
    """Which layers have experts: all except the first `first_k_dense_replace`."""
    first = config.int("first_k_dense_replace", default, low=0)
    return tuple(i >= first for i in range(n_layers))


def by_step(config: Config, n_layers: int) -> tuple[bool, ...]:
    """Which layers have experts: every `decoder_sparse_step`-th, except layers in `mlp_only_layers`."""
    step, plain = config.int("decoder_sparse_step", 1), config.ints("mlp_only_layers", ())
    return tuple(i not in plain and (i + 1) % step == 0 for i in range(n_layers))


def chosen(config: Config, n_experts: int, default: int | None) -> int:
    """The number of experts that a token is sent to; in a model without experts any number is accepted."""
    return config.int("num_experts_per_tok", default, high=n_experts or 1 << 24)


def n_shared(config: Config, default: int) -> int:
    """The number of experts that every token is sent to; null means none, as in the authors' own code."""
    left_out = 0 if "n_shared_experts" in config.data else default
    return config.int("n_shared_experts", left_out, low=0, high=1024)


def grouped(config: Config, n_experts: int, top_k: int, groups: int, top_groups: int) -> dict[str, Any]:
    """Experts in groups, where only the best groups are chosen from; groups, top_groups: values of keys left out."""
    n_group = config.int("n_group", groups, high=n_experts)
    config.divides("n_group", n_group, "n_routed_experts", n_experts)
    best = config.int("topk_group", top_groups, high=n_group)
    if top_k > best * (n_experts // n_group):
        raise config.error(
            f"num_experts_per_tok {top_k} is more than the {best * (n_experts // n_group)} experts of {best} groups"
        )
    return {"groups": n_group, "top_groups": best}


def sigmoid(config: Config, layers: tuple[bool, ...], defaults: dict[str, Any]) -> dict[str, Any]:
    """The mixtures of DeepSeek-V3 and GLM-4.5: sigmoid scores, corrected for the choice. defaults: of keys."""
    n_experts = config.int("n_routed_experts", defaults["n_experts"])
    top_k = chosen(config, n_experts, 8)
    groups = grouped(config, n_experts, top_k, *defaults["groups"])
    if groups["groups"] == n_experts > 1:
        raise config.error("a group must have two experts or more, for its best two say how good it is")
    d_expert = config.int("moe_intermediate_size", defaults["d_expert"])
    return {
        "n_experts": n_experts,
        "top_k": top_k,
        "d_expert": d_expert,
        "d_shared": d_expert * n_shared(config, 1),
        "expert_layers": layers,
        "routing": Routing(
            by="sigmoid",
            normalised=config.bool("norm_topk_prob", True),
            times=config.float("routed_scaling_factor", defaults["times"]),
            corrected=True,
            group_by=2,
            **groups,
        ),
    }
