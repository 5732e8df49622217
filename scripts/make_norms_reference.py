"""Store what attention moves in all-MiniLM-L6-v2, computed with transformers' own layers.

    python scripts/make_norms_reference.py MODEL_FOLDER [OUTPUT]      default: tests/data/norms_minilm.npz

norm, residual, alti, zeroing [layer, query, key]; head [head, query, key], the norms of layer 3's single heads. All in
float64, stored as float32. Value zeroing runs the layer's own modules again with a token's value set to 0.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

TEXT = "The animal didn't cross the street because it was too tired"
HEAD_LAYER = 3


def measured(layer, x, weights, output):
    """{name: matrix} of one layer; x [n, d_model] its input, weights [head, n, n], output [n, d_model]."""
    attention, (n, width), n_heads = layer.attention, x.shape, len(weights)
    values = attention.self.value(x).view(n, n_heads, -1).permute(1, 0, 2)
    dense, norm = attention.output.dense, attention.output.LayerNorm
    by_head = dense.weight.T.reshape(n_heads, width // n_heads, width)
    moved = torch.einsum("hjd,hde->hje", values, by_head)
    parts = torch.einsum("hij,hje->ije", weights, moved)
    total = parts.sum(1) + dense.bias + x
    with_x = parts.clone()
    with_x[range(n), range(n)] += x
    size = torch.sqrt(total.var(-1, unbiased=False) + norm.eps)[:, None, None]
    closed = (with_x - with_x.mean(-1, keepdim=True)) / size * norm.weight
    whole = norm(total)
    near = (whole.abs().sum(-1, keepdim=True) - (whole[:, None] - closed).abs().sum(-1)).clamp(min=0)
    turned = torch.zeros(n, n, dtype=x.dtype)
    for j in range(n):
        without = values.clone()
        without[:, j] = 0
        context = (weights @ without).permute(1, 0, 2).reshape(n, -1)
        added = attention.output(context, x)
        turned[:, j] = 1 - torch.cosine_similarity(layer.output(layer.intermediate(added), added), output, dim=-1)
    return {
        "norm": parts.norm(dim=-1),
        "residual": closed.norm(dim=-1),
        "alti": near / near.sum(-1, keepdim=True),
        "zeroing": turned / turned.sum(-1, keepdim=True),
        "head": weights * moved.norm(dim=-1)[:, None],
    }


def main() -> None:
    folder, *rest = sys.argv[1:]
    place = Path(rest[0]) if rest else Path(__file__).parent.parent / "tests" / "data" / "norms_minilm.npz"
    model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval().double()
    tokens = AutoTokenizer.from_pretrained(folder)(TEXT, return_tensors="pt")
    with torch.no_grad():
        made = model(**tokens, output_attentions=True, output_hidden_states=True)
        found = [
            measured(layer, made.hidden_states[i][0], made.attentions[i][0], made.hidden_states[i + 1][0])
            for i, layer in enumerate(model.encoder.layer)
        ]
    arrays = {name: torch.stack([one[name] for one in found]).numpy() for name in found[0]}
    arrays["head"] = arrays["head"][HEAD_LAYER]
    np.savez_compressed(place, **{name: values.astype(np.float32) for name, values in arrays.items()})


if __name__ == "__main__":
    main()
