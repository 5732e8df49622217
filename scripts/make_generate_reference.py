"""Write tests/data/generated.json: transformers' greedy continuations for the tiny checkpoints in tests/reference.

    python scripts/make_generate_reference.py [FAMILY ...]

A checkpoint without its own head gets a random one, which tests/models/test_generate.py draws again. Needs torch and
transformers, which attnviz itself never imports.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
import transformers
from transformers.models.auto import modeling_auto

HOUSE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOUSE / "tests"))
from helpers.headed import FAMILIES, MOST, headed  # noqa: E402

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
_NOT_PLAIN = {"eos_token_id": None, "forced_eos_token_id": None, "forced_bos_token_id": None, "bad_words_ids": None}
_NOT_PLAIN |= {"suppress_tokens": None, "begin_suppress_tokens": None, "forced_decoder_ids": None}


def architecture(model_type: str, decoder_only: bool) -> Any:
    """transformers' class with a head."""
    kind = {"openai_gpt": "openai-gpt", "blenderbot_small": "blenderbot-small"}.get(model_type, model_type)
    if decoder_only:
        return getattr(transformers, modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[kind])
    names = modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
    return getattr(transformers, names.get(kind, "WhisperForConditionalGeneration"))


def reference(family: str) -> dict[str, Any]:
    """New tokens, and the logits from which each was chosen."""
    with tempfile.TemporaryDirectory() as place:
        folder, inputs = headed(family, Path(place))
        decoder_only = "decoder_input_ids" not in inputs and "input_features" not in inputs
        kind = architecture(family, decoder_only)
        model = kind.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
        for name, value in _NOT_PLAIN.items():
            setattr(model.generation_config, name, value)
        batch = {n: torch.from_numpy(np.asarray(a)[None]) for n, a in inputs.items()}
        made = model.generate(
            **batch, max_new_tokens=MOST, do_sample=False, num_beams=1, output_scores=True, return_dict_in_generate=True
        )
    ids = made.sequences[0].tolist()[-len(made.scores) :]
    scores = torch.stack(made.scores)[:, 0].log_softmax(-1).numpy()
    margin = np.sort(scores, -1)
    return {
        "ids": ids[:MOST],
        "log_probabilities": [round(float(row[i]), 6) for row, i in zip(scores, ids, strict=False)],
        "margin": round(float((margin[:, -1] - margin[:, -2]).min()), 6),
    }


def main() -> None:
    """Write the continuations of all families, or of the named ones; existing ones stay."""
    file = HOUSE / "tests" / "data" / "generated.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    for family in sys.argv[1:] or FAMILIES:
        found[family] = reference(family)
        print(family, found[family])
    found = dict(sorted(found.items()))
    file.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
