"""Compare attnviz with the reference on every case of a folder; needs neither torch nor transformers.

    python scripts/compare.py FOLDER...

Prints one line per wrong case: the largest difference to expected.npz by stream, or the error. The last line counts
cases. Exit status 1 if any case is wrong. A case may differ by the larger of 1e-5 and four times the reference's own
difference between float32 and float64 (float64.json).
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import attnviz

ARGUMENTS = {
    "input_ids": "ids",
    "token_type_ids": "token_types",
    "decoder_input_ids": "target_ids",
    "pixel_values": "pixel_values",
    "input_values": "input_values",
    "input_features": "input_features",
}
STREAMS = ("self", "encoder", "decoder", "cross", "own")  # own: per head, where `self` is the mean over heads


def given(stored: dict[str, np.ndarray]) -> dict[str, Any]:
    """The arrays of expected.npz as arguments of `Model.attend`."""
    found: dict[str, Any] = {ours: stored[theirs] for theirs, ours in ARGUMENTS.items() if theirs in stored}
    if "global_attention_mask" in stored:
        found["global_tokens"] = np.flatnonzero(stored["global_attention_mask"]).tolist()
    return found


def differences(folder: Path) -> dict[str, float]:
    """The largest difference of each stream; infinite if shapes differ."""
    with np.load(folder / "expected.npz") as file:
        stored = dict(file)
    model = attnviz.load(folder)
    found = {}
    for stream in (name for name in STREAMS if name in stored):
        own = {"own_heads": True} if stream == "own" else {"stream": stream}
        got = model.attend(**given(stored), **own).weights
        same = got.shape == stored[stream].shape
        found[stream] = float(np.abs(got.astype(np.float64) - stored[stream]).max()) if same else float("inf")
    return found


def main() -> int:
    """Compare every case of these folders."""
    warnings.simplefilter("ignore")  # a text beyond what a tiny case was configured for
    count = wrong = 0
    for top in map(Path, sys.argv[1:]):
        known = json.loads((top / "float64.json").read_text()) if (top / "float64.json").exists() else {}
        for folder in sorted(path.parent for path in top.glob("*/expected.npz")):
            count += 1
            allowed = max(1e-5, 4 * known.get(folder.name, 0.0))
            try:
                found = differences(folder)
            except attnviz.AttnvizError as error:
                print(f"{folder.name}: {error}")
                wrong += 1
                continue
            if not all(value <= allowed for value in found.values()):  # NaN counts as wrong
                print(f"{folder.name}: {', '.join(f'{name} {value:.2g}' for name, value in found.items())}")
                wrong += 1
    print(f"{count} cases, {wrong} wrong")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
