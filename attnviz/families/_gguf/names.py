"""Tensor names in GGUF files: one table for all architectures, made from what the model does.

Since an entry is made only for what the Spec says is there, a stored tensor that no entry names is one that the model
would ignore, such as a bias that its configuration does not mention: `left_over` finds it.

Source: the tensor names of llama.cpp's gguf-py (constants.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from attnviz.engine.spec import Buckets, Latent, Spec
from attnviz.families._names import Source

_USUAL = {
    "o": "attn_output",
    "norm1": "attn_norm",
    "norm2": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
    "q_norm": "attn_q_norm",
    "k_norm": "attn_k_norm",
    "router": "ffn_gate_inp",
}
# Task heads, tables that the configuration was made from, image towers, and leftovers of old converters.
_NO_EFFECT = re.compile(
    r"(output|cls|cls\.output|cls\.norm|rope_\w+)\.(weight|bias)|(v|mm)\..*"
    r"|blk\.#\.nextn\..*|blk\.#\.attn_rot_embd|dec\.blk\.#\.cross_attn_rel_b\.weight"
)


def table(
    spec: Spec,
    named: Mapping[str, str],
    turned: bool = False,
    gate_up: bool = False,
    ours: str = "",
    theirs: str = "",
) -> dict[str, Source]:
    """Our names -> stored ones, with layout functions.

    named: our part of a name -> the stored part, if it is not the usual one; `a|b` is a, or b if there is no a. turned:
    queries and keys have neighbouring rotary pairs. gate_up: one tensor holds both. ours, theirs: prefix of a stack's
    names.
    """
    words = {**_USUAL, **named}
    block = {**_projections(spec, words, turned), **_norms(spec, words), **_mlp(spec, words, gate_up)}
    whole = {f"{ours}{name}": f"{theirs}{stored}" for name, stored in _around(spec).items()}
    whole[f"{ours}embed.tokens"] = "token_embd.weight"
    return {
        **whole,
        **{f"{ours}layers.{{i}}.{name}": _behind(f"{theirs}blk.{{i}}.", source) for name, source in block.items()},
    }


def _entries(name: str, stored: str, weight: bool, bias: bool) -> dict[str, Source]:
    """Weight and bias of one part, each if it is there."""
    kinds = ["weight"] * weight + ["bias"] * bias
    return {f"{name}.{kind}": [f"{word}.{kind}" for word in stored.split("|")] for kind in kinds}


def _projections(spec: Spec, words: Mapping[str, str], turned: bool) -> dict[str, Source]:
    """Queries, keys and values, apart or in one tensor, and the output projection."""
    entries = _entries("o", words["o"], True, spec.o_bias)
    if spec.latent is not None:
        return entries | _compressed(spec.latent)
    for part, bias in (("q", spec.q_bias), ("k", spec.k_bias), ("v", spec.v_bias)):
        turn = ("unpermute_rope",) if turned and part != "v" else ()
        for kind in ("weight", "bias") if bias else ("weight",):
            entries[f"{part}.{kind}"] = [(f"attn_{part}.{kind}", *turn), (f"attn_qkv.{kind}", f"{part}_of_qkv", *turn)]
    if spec.cross:
        for part in "qkvo":
            entries |= _entries(f"cross_{part}", f"cross_attn_{part}", True, False)
    if isinstance(spec.bias, Buckets) and spec.bias.by_layer:
        entries["bias.table"] = "attn_rel_b.weight"
    if spec.sinks:
        entries["sinks"] = "attn_sinks.weight"
    return entries


def _compressed(rule: Latent) -> dict[str, Source]:
    """Queries, keys and values through a compressed vector; older files have keys and values in one tensor."""
    entries: dict[str, Source] = {
        **_entries("kv_down", "attn_kv_a_mqa", True, rule.bias),
        **_entries("kv_norm", "attn_kv_a_norm", rule.norm.weight, rule.norm.bias),
        "q.weight": "attn_q_b.weight" if rule.d_q else "attn_q.weight",
        "k.weight": [("attn_k_b.weight", "k_by_head_turned"), ("attn_kv_b.weight", "k_of_kv_by_head")],
        "v.weight": [("attn_v_b.weight", "join_heads"), ("attn_kv_b.weight", "v_of_kv_by_head")],
    }
    if rule.d_q:
        entries |= _entries("q_down", "attn_q_a", True, rule.bias)
        entries |= _entries("q_down_norm", "attn_q_a_norm", rule.norm.weight, rule.norm.bias)
    return entries


def _norms(spec: Spec, words: Mapping[str, str]) -> dict[str, Source]:
    """The norms of a block."""
    names: list[str] = []
    if spec.norm_before or spec.norm_after:
        names += ["norm1"] if spec.parallel == "shared" else ["norm1", "norm2"]
    if spec.norm_output:
        names += ["norm1_out", "norm2_out"]
    if spec.cross:
        names.append("norm_cross")
    entries: dict[str, Source] = {}
    for name in names:
        entries |= _entries(name, words[name], spec.norm.weight, spec.norm.bias)
    if spec.qk_norm is None:
        return entries
    for name in ("q_norm", "k_norm"):
        if spec.qk_norm_over == "heads":  # one row per head
            entries[f"{name}.{{e}}.weight"] = (f"{words[name]}.weight", "expert")
        else:
            entries |= _entries(name, words[name], spec.qk_norm.weight, spec.qk_norm.bias)
    return entries


def _mlp(spec: Spec, words: Mapping[str, str], gate_up: bool) -> dict[str, Source]:
    """The MLPs of dense layers, and the experts of all other layers."""
    parts = ("gate", "up", "down") if spec.gated else ("up", "down")
    mixed = [spec.has_experts(i) for i in range(spec.n_layers)]
    entries: dict[str, Source] = {}
    if not all(mixed):
        for part in parts:
            entries |= _entries(part, words[part], True, spec.mlp_bias)
            if gate_up and part != "down":
                entries[f"{part}.weight"] = ("ffn_up.weight", f"{part}_of_gate_up")
    return entries | (_experts(spec, words, parts) if any(mixed) else {})


def _experts(spec: Spec, words: Mapping[str, str], parts: Sequence[str]) -> dict[str, Source]:
    """A router, the experts that it chooses from, and the expert that every token is sent to."""
    entries = _entries("router", words["router"], True, spec.router_bias)
    if spec.routing.corrected:
        entries["router.correction"] = ["exp_probs_b.bias", "exp_probs_b"]
    has_bias = spec.mlp_bias if spec.expert_bias is None else spec.expert_bias
    for part in parts:
        for kind in ("weight", "bias") if has_bias else ("weight",):
            entries[f"experts.{{e}}.{part}.{kind}"] = [
                (f"ffn_{part}_exps.{kind}", "expert"),
                f"ffn_{part}.{{e}}.{kind}",
            ]
        if spec.d_shared:
            entries |= _entries(f"shared.{part}", f"ffn_{part}_shexp", True, spec.mlp_bias)
    if spec.d_shared and spec.weighed_shared:
        entries["shared.weigh.weight"] = ("ffn_gate_inp_shexp.weight", "row")
    return entries


def _around(spec: Spec) -> dict[str, str]:
    """Tensors outside the blocks: embeddings and norms around the stack."""
    entries: dict[str, str] = {}
    if spec.n_types and not spec.types_are_tokens:
        entries["embed.types"] = "token_types.weight"
    if spec.absolute is not None:
        entries["embed.positions"] = "position_embd.weight"
    if isinstance(spec.bias, Buckets) and not spec.bias.by_layer:
        entries["bias.table"] = "blk.0.attn_rel_b.weight"
    for name, stored, norm in (
        ("embed.norm", "token_embd_norm", spec.embed_norm),
        ("final_norm", "output_norm", spec.final_norm),
    ):
        if norm is not None and norm.weight:
            entries[f"{name}.weight"] = f"{stored}.weight"
        if norm is not None and norm.bias:
            entries[f"{name}.bias"] = f"{stored}.bias"
    return entries


def _behind(front: str, source: Source) -> Source:
    """Every stored name of an entry with `front` before it."""
    if isinstance(source, str):
        return front + source
    if isinstance(source, tuple):
        return (front + source[0], *source[1:])
    return [front + form if isinstance(form, str) else (front + form[0], *form[1:]) for form in source]


def left_over(names: Mapping[str, Source], stored: Iterable[str]) -> list[str]:
    """Stored tensors that no entry of a table names, except tensors that have no part in attention."""
    forms = (form for source in names.values() for form in (source if isinstance(source, list) else [source]))
    known = {_general(form if isinstance(form, str) else form[0]) for form in forms}
    return [name for name in stored if (form := _general(name)) not in known and not _NO_EFFECT.fullmatch(form)]


def _general(name: str) -> str:
    """A name with every index, or placeholder for one, as '#'."""
    return ".".join("#" if part.isdigit() or part.startswith("{") else part for part in name.split("."))
