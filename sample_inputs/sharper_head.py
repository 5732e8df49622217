"""Make a LoRA adapter that does one known thing: one head's queries become twice as large, and so do its scores.

    python sample_inputs/sharper_head.py sharper        # layer 3, head 1 of all-MiniLM-L6-v2, into the folder sharper

It replaces a fine-tuned model whose change is known: docs/analysis/diff.md looks for it. (Biases are unchanged.)
"""

import json
import sys
from pathlib import Path

import numpy as np

import attnviz

LAYER, HEAD = 3, 1


def write(folder: Path, layer: int = LAYER, head: int = HEAD) -> None:
    """Write adapter_config.json and adapter_model.safetensors in PEFT's form."""
    model = attnviz.load("minilm")
    spec = model.stack()
    rows = slice(head * spec.d_head, (head + 1) * spec.d_head)
    weight = model.tensors.get(f"layers.{layer}.q.weight", (spec.n_heads * spec.d_head, spec.d_model))
    up = np.zeros((len(weight), spec.d_head), np.float32)
    up[rows] = np.eye(spec.d_head)  # W + up @ down is W with this head's rows twice
    place = f"base_model.model.encoder.layer.{layer}.attention.self.query"
    tensors = {f"{place}.lora_A.weight": np.ascontiguousarray(weight[rows]), f"{place}.lora_B.weight": up}
    folder.mkdir(exist_ok=True)
    settings = {"peft_type": "LORA", "r": spec.d_head, "lora_alpha": spec.d_head, "bias": "none"}
    settings["target_modules"] = ["query"]
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    (folder / "adapter_model.safetensors").write_bytes(safetensors(tensors))


def safetensors(tensors: dict[str, np.ndarray]) -> bytes:
    """The file format: the length of a JSON header, the header, then the numbers."""
    header, data = {}, b""
    for name, array in tensors.items():
        numbers = array.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [len(data), len(data) + len(numbers)]}
        data += numbers
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "sharper"))
