"""The trained model as a file that attnviz reads, GGUF: matrices in Q8_0, the tokenizer inside; and heads.json.

Source: the format's description in ggml (docs/gguf.md); the names of keys and tensors follow BERT in llama.cpp.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nets import Bert
from numpy.typing import NDArray
from pairs import D_MLP, D_MODEL, DOES, N_HEADS, N_LAYERS, PAIRS, TITLES
from pieces import LONGEST, SPECIAL, tokenizer

ALIGN = 32
U32, F32, BOOL, TEXT, LIST, I32 = 4, 6, 7, 8, 9, 5
NAMES = (  # names in training -> names in GGUF's BERT
    ("layers.", "blk."),
    (".q.", ".attn_q."),
    (".k.", ".attn_k."),
    (".v.", ".attn_v."),
    (".o.", ".attn_output."),
    (".norm1.", ".attn_output_norm."),
    (".norm2.", ".layer_output_norm."),
    (".up.", ".ffn_up."),
    (".down.", ".ffn_down."),
    ("tokens.", "token_embd."),
    ("positions.", "position_embd."),
    ("types.", "token_types."),
    ("norm.", "token_embd_norm."),
)


def gguf(file: Path, model: Bert, pieces: Sequence[str]) -> None:
    """Write the model and its tokenizer."""
    tensors = {_named(name): values.numpy().astype(np.float32) for name, values in model.state_dict().items()}
    # Training never saw the second of two texts: it gets the type of the first.
    tensors["token_types.weight"][1] = tensors["token_types.weight"][0]
    head = bytearray(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(_keys(pieces))))
    for key, (kind, value) in _keys(pieces).items():
        head += _text(key) + struct.pack("<I", kind) + _value(kind, value)
    data = bytearray()
    for name, values in tensors.items():
        matrix = values.ndim > 1 and name != "token_types.weight"
        head += _text(name) + struct.pack("<I", values.ndim) + struct.pack(f"<{values.ndim}Q", *values.shape[::-1])
        head += struct.pack("<IQ", 8 if matrix else 0, len(data))
        data += q8_0(values) if matrix else values.tobytes()
        data += bytes(-len(data) % ALIGN)
    head += bytes(-len(head) % ALIGN)
    file.write_bytes(bytes(head + data))


def reopened(file: Path, model: Bert) -> Bert:
    """Load a file's weights, as attnviz reads them, into `model`."""
    from attnviz.checkpoints import open_checkpoint

    held = open_checkpoint(file)
    own = {name: torch.from_numpy(np.array(held.read(_named(name)), np.float32)) for name in model.state_dict()}
    model.load_state_dict(own)
    return model


def attention(file: Path, model: Bert, pieces: Sequence[str], texts: Sequence[str]) -> None:
    """Write what this model, a reopened one, attends to in some texts: pieces and weights [layer, head, query, key]."""
    found: dict[str, Any] = {}
    for i, text in enumerate(texts):
        ids = [2, *tokenizer(list(pieces)).encode(text, add_special_tokens=False).ids, 3]  # [CLS] and [SEP]
        with torch.no_grad():
            weights = torch.cat(list(model(torch.tensor([ids])))).exp()
        found |= {f"{i}.text": text, f"{i}.pieces": [pieces[one] for one in ids], f"{i}.weights": weights.numpy()}
    np.savez_compressed(file, **found)


def q8_0(values: NDArray[np.float32]) -> bytes:
    """Blocks of 32: a float16 step and 32 whole numbers from -127 to 127."""
    blocks = values.reshape(-1, 32)
    step = (np.abs(blocks).max(1, keepdims=True) / 127).astype(np.float16)
    whole = np.round(blocks / np.maximum(step.astype(np.float32), 1e-12)).clip(-127, 127).astype(np.int8)
    return np.concatenate([step.view(np.int8), whole], 1).tobytes()


def heads(file: Path, numbers: Mapping[tuple[int, int], Mapping[str, float]]) -> None:
    """Write which head imitates which, what the teacher's does, and the distance (`evaluate.measure`, unseen text)."""
    rows = [
        {
            "layer": layer,
            "head": head,
            "teacher_layer": layer,
            "teacher_head": teacher,
            "does": DOES[layer, teacher],
            "js": round(float(numbers[layer, teacher]["js"]), 4),
            "top1": round(float(numbers[layer, teacher]["top1"]), 3),
            **({"title": TITLES[layer, head]} if (layer, head) in TITLES else {}),
        }
        for layer, teachers in PAIRS.items()
        for head, teacher in enumerate(teachers)
    ]
    file.write_text("[\n" + ",\n".join(f" {json.dumps(row)}" for row in rows) + "\n]\n", "utf-8")


def _named(name: str) -> str:
    for ours, theirs in NAMES:
        name = name.replace(ours, theirs) if name.startswith(ours) or ours.startswith(".") else name
    return name


def _keys(pieces: Sequence[str]) -> dict[str, tuple[int, Any]]:
    """The metadata: key -> (type, value). Words are stored with a mark in front instead of ## inside them."""
    stored = [p if p in SPECIAL else p[2:] if p.startswith("##") and len(p) > 2 else f"▁{p}" for p in pieces]
    special = {"padding": "[PAD]", "unknown": "[UNK]", "bos": "[CLS]", "seperator": "[SEP]", "mask": "[MASK]"}
    return {
        "general.architecture": (TEXT, "bert"),
        "general.name": (TEXT, "attnviz tiny"),
        "general.version": (TEXT, "1"),
        "general.quantization_version": (U32, 2),
        "general.license": (TEXT, "apache-2.0"),
        "bert.block_count": (U32, N_LAYERS),
        "bert.context_length": (U32, LONGEST),
        "bert.embedding_length": (U32, D_MODEL),
        "bert.feed_forward_length": (U32, D_MLP),
        "bert.attention.head_count": (U32, N_HEADS),
        "bert.attention.layer_norm_epsilon": (F32, 1e-12),
        "bert.attention.causal": (BOOL, False),
        "tokenizer.ggml.model": (TEXT, "bert"),
        "tokenizer.ggml.tokens": (LIST, (TEXT, stored)),
        "tokenizer.ggml.token_type": (LIST, (I32, [3 if p in SPECIAL else 1 for p in pieces])),
        "tokenizer.ggml.token_type_count": (U32, 2),
        **{f"tokenizer.ggml.{name}_token_id": (U32, pieces.index(piece)) for name, piece in special.items()},
    }


def _value(kind: int, value: Any) -> bytes:
    if kind == TEXT:
        return _text(value)
    if kind == LIST:
        inner, values = value
        return struct.pack("<IQ", inner, len(values)) + b"".join(_value(inner, one) for one in values)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], value)


def _text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw
