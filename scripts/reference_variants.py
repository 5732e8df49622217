"""Variants of the families: other sizes, options, lengths, spellings. A table, and the program that makes them.

    python scripts/reference_variants.py FOLDER [NAME ...]            all, or the families and variants named
    python scripts/reference_variants.py FOLDER --mix 8 [FAMILY ...]  eight random mixtures a family instead

Each variant is a folder FAMILY__VARIANT of config.json, model.safetensors and expected.npz; INDEX.md says in one
line what is special about it, float64.json holds transformers' own float32-to-float64 difference.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from reference_families import FAMILIES
from variant import Variant
from variants_decoders import DECODERS
from variants_dense import DENSE
from variants_encoders import ENCODERS
from variants_experts import EXPERTS
from variants_others import OTHERS

VARIANTS: dict[str, list[Variant]] = {**ENCODERS, **DECODERS, **DENSE, **EXPERTS, **OTHERS}


def make_variant(folder: Path, family: str, variant: Variant, seed: int) -> tuple[float, float]:
    """Write one variant's folder; returns its float32-to-float64 difference and entropy."""
    from reference_core import build, make_inputs, write_case

    table = FAMILIES[family]
    model = build(table, seed, _architecture(table.model_type, variant.architecture), variant.gain, **variant.config)
    reads = variant.reads or table.reads
    length = variant.length if reads != "audio" or variant.length != 13 else 230
    inputs = make_inputs(reads, _input_config(model.config, reads), seed, length, variant.target)
    _adjust(inputs, variant.inputs, model.config, seed)
    return write_case(folder, model, inputs)


def _architecture(model_type: str, name: str) -> str:
    """`CAUSAL` is the family's own causal language model."""
    if name != "CAUSAL":
        return name
    import transformers

    return transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[model_type]


def _input_config(config: Any, reads: str) -> Any:
    """CLIP with both towers keeps each tower's configuration apart."""
    if not hasattr(config, "text_config"):
        return config
    return config.vision_config if reads == "image" else config.text_config


def _adjust(inputs: dict[str, np.ndarray], wanted: dict[str, Any], config: Any, seed: int) -> None:
    """Apply a variant's settings to its input."""
    ids = inputs.get("input_ids")
    if wanted.get("types") is False:
        inputs.pop("token_type_ids", None)
    if "cycle" in wanted:
        inputs["token_type_ids"] = np.arange(len(ids)) % wanted["cycle"]
    if wanted.get("halves"):
        inputs["token_type_ids"] = (np.arange(len(ids)) >= 5).astype(np.int64)
    if wanted.get("word_types"):
        inputs["token_type_ids"] = 20 + (np.arange(len(ids)) % 3)
    for place in wanted.get("pads", ()):
        ids[place] = config.pad_token_id
    for place, value in wanted.get("set", {}).items():
        ids[place] = value
    if "globals" in wanted:
        marks = np.zeros(len(ids), np.int64)
        marks[list(wanted["globals"])] = 1
        inputs["global_attention_mask"] = marks
    if "image" in wanted:
        shape = (config.num_channels, *wanted["image"])
        inputs["pixel_values"] = np.random.RandomState(seed).standard_normal(shape).astype(np.float32)
    if wanted.get("interpolate"):
        inputs["interpolate_pos_encoding"] = np.array(True)
    if "frames" in wanted:
        inputs["input_features"] = inputs["input_features"][:, : wanted["frames"]]


def mixtures(number: int) -> dict[str, list[Variant]]:
    """For each family, random mixtures of two or three variants; impossible ones fail when they are made."""
    mixed: dict[str, list[Variant]] = {}
    for family, variants in VARIANTS.items():
        random = np.random.RandomState(zlib.crc32(family.encode()))
        for index in range(number):
            chosen = [
                variants[i] for i in random.choice(len(variants), min(len(variants), random.randint(2, 4)), False)
            ]
            mixed.setdefault(family, []).append(_mixture(f"mix{index}", chosen))
    return mixed


def _mixture(name: str, chosen: list[Variant]) -> Variant:
    """One variant of several: later ones win; the longest text; the first input of its own kind."""
    config = {key: value for variant in chosen for key, value in variant.config.items()}
    inputs = {key: value for variant in chosen for key, value in variant.inputs.items()}
    return Variant(
        name,
        "a mixture of " + ", ".join(variant.name for variant in chosen),
        length=max(variant.length for variant in chosen),
        target=max(variant.target for variant in chosen),
        architecture=next((variant.architecture for variant in chosen if variant.architecture), ""),
        gain=min(variant.gain for variant in chosen),
        inputs=inputs,
        config=config,
        reads=next((variant.reads for variant in chosen if variant.reads), ""),
    )


def main() -> None:
    """Make the requested variants, and update the index after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="family, or family__variant; all when none is given")
    parser.add_argument("--missing", action="store_true", help="leave alone what is already there")
    parser.add_argument("--mix", type=int, default=0, metavar="N", help="N random mixtures of each family's variants")
    options = parser.parse_intermixed_args()
    failed = 0
    for family, variants in (mixtures(options.mix) if options.mix else VARIANTS).items():
        for variant in variants:
            name = f"{family}__{variant.name}"
            if options.names and not any(name == wish or family == wish for wish in options.names):
                continue
            if options.missing and (options.folder / name / "expected.npz").exists():
                continue
            failed += not _one(options.folder, name, family, variant, seed=zlib.crc32(name.encode()))
    sys.exit(1 if failed else 0)


def _one(root: Path, name: str, family: str, variant: Variant, seed: int) -> bool:
    """Make one variant and record it; False, with a line on standard error, if it cannot be made."""
    from reference_core import record

    folder = root / name
    try:
        shutil.rmtree(folder, ignore_errors=True)
        difference, share = make_variant(folder, family, variant, seed)
    except Exception as error:  # one impossible variant must not stop the rest
        shutil.rmtree(folder, ignore_errors=True)
        print(f"{name}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr)
        return False
    record(root / "float64.json", {name: difference})
    write_index(root, name, variant.note)
    warning = "" if share < 0.85 else "  (nearly uniform)"
    print(f"{name}: float32 to float64 {difference:.2g}, entropy {share:.0%} of uniform{warning}", flush=True)
    return True


def write_index(root: Path, name: str, note: str) -> None:
    """One line per case, sorted."""
    path = root / "INDEX.md"
    lines = path.read_text().splitlines() if path.exists() else []
    head = [line for line in lines if not line.startswith("- ")]
    cases = {line.split("`")[1]: line for line in lines if line.startswith("- ")}
    cases[name] = f"- `{name}` {note}"
    path.write_text("\n".join([*head, *(cases[key] for key in sorted(cases))]) + "\n")


if __name__ == "__main__":
    main()
