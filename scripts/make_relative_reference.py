"""Make tests/reference_encoders: BERT-like models whose positions are distances, as transformers 4 runs them.

    python scripts/make_relative_reference.py tests/reference_encoders

Needs torch and transformers 4.46 to 4.57: version 5 no longer reads `position_embedding_type`. The cases have the form
that reference_core.py describes. `nomic_bert_published` is not made here: it comes from the published model's own code.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import reference_core
import torch
import transformers
from reference_variants import make_variant
from variant import v

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 24,
}
CASES = {
    "bert_relative_key_query": ("bert", "relative_key_query", {}),
    "roberta_relative_key": ("roberta", "relative_key", {}),
    "albert_relative_key_query": ("albert", "relative_key_query", {"embedding_size": 16}),
    "bert_generation_relative_key": ("bert_generation", "relative_key", {"is_decoder": True}),
}


def open_case(folder: Path) -> torch.nn.Module:
    """The model of a case's folder, with transformers 4's keys."""
    config = json.loads((folder / "config.json").read_text())
    kind = getattr(transformers, config["architectures"][0])
    return kind.from_pretrained(folder, attn_implementation="eager", torch_dtype=torch.float32).eval()


def main() -> None:
    """Write every case into the folder."""
    if not transformers.__version__.startswith("4."):
        sys.exit("this needs transformers 4.46 to 4.57")
    reference_core.open_case = open_case
    for name, (family, places, more) in CASES.items():
        options = {**SMALL, "position_embedding_type": places, **more}
        variant = v(name, "positions are distances", length=9, **options)
        difference, share = make_variant(Path(sys.argv[1]) / name, family, variant, zlib.crc32(name.encode()))
        print(f"{name}: float32 to float64 {difference:.2g}, entropy {share:.0%} of uniform")


if __name__ == "__main__":
    main()
