"""What the towers of CLIP and of its relatives share: the names of a layer's tensors."""

from __future__ import annotations

LAYER = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.out_proj",
    "norm1": "layer_norm1",
    "up": "mlp.fc1",
    "down": "mlp.fc2",
    "norm2": "layer_norm2",
}
