"""Write tests/data/masked.npz: transformers' scores of masked-language heads for the tiny checkpoints.

    python scripts/make_masked_reference.py

tests/helpers/masked.py draws the heads. For each case: the scores [position, token] in float32, of the first positions,
and the largest difference of transformers' own float32 scores from its float64 ones. Needs torch and transformers,
which attnviz itself never imports.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import numpy as np
import torch
import transformers

HOUSE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOUSE / "tests"))
from helpers.masked import HEADS, with_head  # noqa: E402
from reference_core import honest_float64  # noqa: E402

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
POSITIONS = 3


def opened(name: str, place: Path) -> tuple[torch.nn.Module, torch.Tensor]:
    """transformers' model of one case, which must find all its tensors in the file, and its ids."""
    folder, ids = with_head(name, place)
    kind = getattr(transformers, HEADS[name].model)
    settings = {"attn_implementation": "eager", "dtype": torch.float32, "output_loading_info": True}
    model, info = kind.from_pretrained(folder, **settings)
    unused = [key for key in info["unexpected_keys"] if "pooler" not in key]
    assert not info["missing_keys"] and not unused and not info["mismatched_keys"], (name, info)
    return model.eval(), torch.tensor([ids])


def main() -> None:
    """Write the scores of all cases."""
    arrays: dict[str, np.ndarray] = {}
    for name in HEADS:
        with tempfile.TemporaryDirectory() as place, torch.no_grad():
            model, ids = opened(name, Path(place))
            single = model(input_ids=ids).logits[0].numpy()
            with honest_float64():
                double = model.double()(input_ids=ids).logits[0].numpy()
        arrays[name] = single[:POSITIONS]
        arrays[f"{name}.error"] = np.float64(np.abs(single - double).max())
        print(name, single.shape, f"{arrays[f'{name}.error']:.1e}", f"{np.abs(single).max():.1f}")
    np.savez_compressed(HOUSE / "tests" / "data" / "masked.npz", **arrays)


if __name__ == "__main__":
    main()
