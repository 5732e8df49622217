"""Make LoRA adapters for a few reference cases with PEFT, and the attention of PEFT and transformers with them.

    python scripts/make_adapter_reference.py [CASES [FOLDER]]      default: tests/reference tests/reference_adapters

Needs peft beside torch and transformers. A case is a folder with adapter_config.json and adapter_model.safetensors, as
PEFT saves them, and expected.npz: `base` (the name of the case that it changes), the inputs, the attention of the
merged model by stream [layer, head, query, key] in float64, and `float32_difference`, the largest difference of
transformers' own float32. The product of the two matrices is drawn as wide as the model's own, so that a wrong scale or
a tensor left out shows. Prints these differences, that between the merged and the unmerged model, and how far the
adapter moves the attention.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
import transformers
from reference_core import both, largest_difference, read_expected, rounded, run

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()


@dataclass(frozen=True)
class Case:
    """An adapter: the base case, the class that it is trained with, and LoraConfig's options."""

    base: str
    kind: str
    options: dict[str, Any]


ALL_LLAMA = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
CASES = {
    "plain": Case("bert", "BertModel", {"r": 4, "lora_alpha": 6, "target_modules": ["query", "key", "value", "dense"]}),
    "patterns": Case(
        "bert",
        "BertModel",
        {
            "r": 3,
            "lora_alpha": 5,
            "use_rslora": True,
            "target_modules": ["query", "key", "value"],
            "rank_pattern": {"layer.0.attention.self.query": 2, r"layer\.1\..*\.value": 5, "key": 1},
            "alpha_pattern": {r"self\.(query|key)": 3, "encoder.layer.1.attention.self.value": 9},
        },
    ),
    "decoder": Case("llama", "LlamaForCausalLM", {"r": 2, "lora_alpha": 3, "target_modules": ALL_LLAMA}),
    "dora": Case("llama", "LlamaModel", {"r": 2, "lora_alpha": 4, "target_modules": ALL_LLAMA, "use_dora": True}),
    "conv1d": Case("gpt2", "GPT2Model", {"r": 3, "lora_alpha": 3, "target_modules": ["c_attn", "c_proj", "c_fc"]}),
    "conv1d_dora": Case(
        "gpt2", "GPT2Model", {"r": 2, "lora_alpha": 3, "target_modules": ["c_attn", "c_proj"], "use_dora": True}
    ),
    "saved": Case(
        "bert",
        "BertForSequenceClassification",
        {
            "r": 2,
            "lora_alpha": 4,
            "target_modules": ["query"],
            "task_type": "SEQ_CLS",
            "modules_to_save": ["classifier", "position_embeddings", "LayerNorm"],
        },
    ),
    "two_stacks": Case(
        "t5", "T5ForConditionalGeneration", {"r": 2, "lora_alpha": 3, "target_modules": ["q", "k", "o"]}
    ),
}


def main() -> None:
    """Make every case."""
    cases = Path(sys.argv[1] if len(sys.argv) > 1 else "tests/reference")
    into = Path(sys.argv[2] if len(sys.argv) > 2 else "tests/reference_adapters")
    for name, case in CASES.items():
        make(cases / case.base, case, into / name)


def make(base: Path, case: Case, folder: Path) -> None:
    """Make one adapter and the attention with it."""
    model = peft.get_peft_model(opened(base, case), peft.LoraConfig(**case.options))
    draw(model)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    tidy(folder / "adapter_config.json", case.base)

    def wrapped() -> Any:
        return peft.PeftModel.from_pretrained(opened(base, case), folder)

    inputs, without = read_expected(base)
    single, double = both(lambda: wrapped().merge_and_unload(), inputs)
    apart = run(wrapped().get_base_model(), inputs)
    arrays = {stream: rounded(array, 22) for stream, array in double.items()}
    worst = largest_difference(single, double)
    np.savez_compressed(
        folder / "expected.npz", base=np.array(case.base), float32_difference=np.array(worst), **arrays, **inputs
    )
    for file in folder.iterdir():
        file.chmod(0o644)
    size = sum(file.stat().st_size for file in folder.iterdir()) / 1e3
    moved = largest_difference(single, without)
    print(
        f"{folder.name}: {size:.0f} kB, float32 to float64 {worst:.1g}, "
        f"merged to unmerged {largest_difference(single, apart):.1g}, moves attention by {moved:.2f}"
    )


def opened(base: Path, case: Case) -> torch.nn.Module:
    """The base model; a missing task head gets some numbers, which attention does not depend on."""
    kind = getattr(transformers, case.kind)
    torch.manual_seed(0)
    return kind.from_pretrained(base, attn_implementation="eager", dtype=torch.float32).eval()


def draw(model: torch.nn.Module) -> None:
    """Numbers of large variance for all tensors of the adapter, seeded by a digest of each name."""
    for name, parameter in model.named_parameters():
        seed = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], np.uint32)
        normal = torch.from_numpy(np.random.RandomState(seed).standard_normal(tuple(parameter.shape))).float()
        with torch.no_grad():
            if "lora_A" in name:
                parameter.copy_(normal / parameter.shape[1] ** 0.5)
            elif "lora_B" in name:
                parameter.copy_(normal)
            elif "magnitude" in name or "modules_to_save" in name:
                parameter.copy_(parameter * (1 + 0.4 * normal) + 0.1 * normal)


def tidy(path: Path, base: str) -> None:
    """A configuration without the folder that it was made from, its sets of names in order."""
    config = json.loads(path.read_text()) | {"base_model_name_or_path": base}
    for key in ("target_modules", "modules_to_save"):
        config[key] = sorted(set(config[key])) if config[key] else None
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
