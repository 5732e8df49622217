"""What the line of GPT shares: the names of a layer's tensors, whose matrices are stored [in, out]."""

from __future__ import annotations

from attnviz.families._names import Source

LAYER: dict[str, Source] = {
    **{f"layers.{{i}}.{p}.weight": ("h.{i}.attn.c_attn.weight", "transpose", f"{p}_of_qkv") for p in "qkv"},
    **{f"layers.{{i}}.{p}.bias": ("h.{i}.attn.c_attn.bias", f"{p}_of_qkv") for p in "qkv"},
    "layers.{i}.o.weight": ("h.{i}.attn.c_proj.weight", "transpose"),
    "layers.{i}.o.bias": "h.{i}.attn.c_proj.bias",
    "layers.{i}.up.weight": ("h.{i}.mlp.c_fc.weight", "transpose"),
    "layers.{i}.up.bias": "h.{i}.mlp.c_fc.bias",
    "layers.{i}.down.weight": ("h.{i}.mlp.c_proj.weight", "transpose"),
    "layers.{i}.down.bias": "h.{i}.mlp.c_proj.bias",
    "layers.{i}.norm1.weight": "h.{i}.ln_1.weight",
    "layers.{i}.norm1.bias": "h.{i}.ln_1.bias",
    "layers.{i}.norm2.weight": "h.{i}.ln_2.weight",
    "layers.{i}.norm2.bias": "h.{i}.ln_2.bias",
}
