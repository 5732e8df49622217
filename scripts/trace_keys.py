"""Compare the table of keys with what transformers reads while it runs.

    reference/bin/python scripts/trace_keys.py tests/reference [FAMILY...]

Every case is built and run with the installed transformers, and each attribute that is read from a configuration is
noted. A key that was read must be in attnviz/families/_read_keys.json, in the base configuration, or in `NO_EFFECT`;
any other is printed, and the exit status is 1. The table is made from sources, where reads in unused code count too, so
that it has more keys than are traced here.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import AutoConfig, AutoModel
from transformers.configuration_utils import PretrainedConfig

sys.path.insert(0, str(Path(__file__).parent.parent))
from attnviz.families import _keys

INPUTS = (
    "input_ids token_type_ids decoder_input_ids pixel_values input_values input_features global_attention_mask"
).split()
# Functions that read every key of a configuration, to find nested configurations or to write files.
GENERIC = (
    "_attn_implementation _from_config _autoset_attn_implementation to_dict to_diff_dict "
    "_get_non_default_generation_parameters"
).split()

_read: set[str] = set()
_plain = PretrainedConfig.__getattribute__


def _noted(self: PretrainedConfig, name: str) -> Any:
    if not name.startswith("__") and sys._getframe(1).f_code.co_name not in GENERIC:
        _read.add(name)
    return _plain(self, name)


def traced(folder: Path) -> set[str]:
    """The keys of a case's configuration that are read while the model is made and run."""
    data = json.loads((folder / "config.json").read_text())
    config = AutoConfig.for_model(data.pop("model_type"), **data)
    keys = set(config.to_dict())
    expected = np.load(folder / "expected.npz")
    inputs = {name: torch.tensor(expected[name])[None] for name in expected.files if name in INPUTS}
    _read.clear()
    PretrainedConfig.__getattribute__ = _noted
    try:
        model = AutoModel.from_config(config, attn_implementation="eager").eval()
        with torch.no_grad():
            model(**inputs, output_attentions=True)
    finally:
        PretrainedConfig.__getattribute__ = _plain
    return _read & keys


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("cases", type=Path)
    parser.add_argument("families", nargs="*")
    asked = parser.parse_args()
    missed = n_cases = 0
    for file in sorted(asked.cases.glob("*/config.json")):
        if asked.families and file.parent.name not in asked.families:
            continue
        reference = _keys.reference({"model_type": json.loads(file.read_text())["model_type"]})
        if reference.reads is None:
            print(f"{file.parent.name}: not in the table")
            continue
        try:
            read = traced(file.parent)
        except (ValueError, KeyError, AttributeError, ImportError, RuntimeError, TypeError) as error:
            print(f"{file.parent.name}: not traced ({str(error)[:80]})")
            continue
        n_cases += 1
        # None is no key's default, so that a key of the base configuration is judged by its name.
        lacking = sorted(key for key in read if reference.place(key, None) == "ignored")
        missed += len(lacking)
        if lacking:
            print(f"{file.parent.name}: {', '.join(lacking)}")
    print(f"transformers {transformers.__version__}: {n_cases} cases, {missed} keys are read and not in the table")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
