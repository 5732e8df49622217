"""Weights in an .npz, for teaching: attention and the residual stream alone, without norms and MLPs.

Each layer adds its heads' output to what it read; without W_O the heads' outputs are concatenated (Elhage 2021 calls
such a model attention-only). Matrices are stored [in, out], layer i's under a name that ends in `.i`, layer 0's without
it.
"""

from __future__ import annotations

from attnviz.engine.spec import Learned, Norm, Spec
from attnviz.families._config import Config
from attnviz.families._unembed import Unembedding

_PARTS = {"q": "Q", "k": "K", "v": "V", "o": "O"}
NAMES = {
    "embed.tokens": "embedding",
    "embed.positions": "positions",
    **{f"layers.0.{ours}.weight": (f"W_{theirs}", "transpose") for ours, theirs in _PARTS.items()},
    **{f"layers.0.{ours}.bias": f"b_{theirs}" for ours, theirs in _PARTS.items()},
    **{f"layers.{{i}}.{ours}.weight": (f"W_{theirs}.{{i}}", "transpose") for ours, theirs in _PARTS.items()},
    **{f"layers.{{i}}.{ours}.bias": f"b_{theirs}.{{i}}" for ours, theirs in _PARTS.items()},
}

TYPICAL = {"d_model": 64, "n_heads": 4, "width": 64, "n_layers": 1, "has": ["W_O"]}
UNEMBED = Unembedding(tied=True)


def spec(config: Config) -> Spec:
    """The Spec of the arrays in an .npz; `width` is n_heads * d_head, `has` the names of the arrays that are there."""
    d_model, n_heads, width = config.int("d_model"), config.heads("n_heads"), config.int("width")
    present = set(config.raw("has"))
    if "W_O" not in present and width != d_model and config.int("n_layers") > 1:
        raise config.error(f"without W_O the heads' width {width} must be d_model {d_model}")
    return Spec(
        n_layers=config.layers("n_layers"),
        n_heads=n_heads,
        d_model=d_model,
        d_head=width // n_heads,
        d_mlp=0,
        vocab=config.int("n_tokens", 1),
        by_word="embedding" not in present,
        absolute=Learned(config.int("n_positions")) if "positions" in present else None,
        norm=Norm(),
        causal=config.bool("causal"),
        output="W_O" in present,
        q_bias="b_Q" in present,
        k_bias="b_K" in present,
        v_bias="b_V" in present,
        o_bias="b_O" in present,
    )
