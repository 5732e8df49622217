"""Train an attention-only model of two layers on sequences that repeat, and save its checkpoints: a run for a picture.

    python scripts/train_induction.py FOLDER          torch and safetensors; some minutes on one core

A sequence is random tokens, of which a stretch comes again, and the loss is taken where it does. It falls when heads
that copy appear: one in layer 0 that looks at the token before, one in layer 1 that looks at what followed the token's
last copy (Olsson et al. 2022). Checkpoints are GPT-2's files, one folder per step.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn import functional

VOCAB, LENGTH, WIDTH, HEADS, LAYERS = 32, 32, 64, 4, 2
STEPS, BATCH, RATE = 2500, 64, 3e-3
CONFIG = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "vocab_size": VOCAB,
    "n_positions": LENGTH,
    "n_embd": WIDTH,
    "n_layer": LAYERS,
    "n_head": HEADS,
    "n_inner": 4 * WIDTH,
    "activation_function": "gelu_new",
    "layer_norm_epsilon": 1e-5,
    "tie_word_embeddings": True,
}
WORDS = "abcdefghijklmnopqrstuvwxyz012345"  # one for each token
TOKENIZER = {
    "version": "1.0",
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {word: id for id, word in enumerate(WORDS)}, "unk_token": "[UNK]"},
}


def parameters(seed: int) -> dict[str, torch.Tensor]:
    """Random weights under GPT-2's names."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 0.02) -> torch.Tensor:
        return scale * torch.randn(*shape, generator=random)

    weights = {"wte.weight": normal(VOCAB, WIDTH, scale=0.1), "wpe.weight": normal(LENGTH, WIDTH, scale=0.02)}
    for layer in range(LAYERS):
        name = f"h.{layer}."
        for norm in ("ln_1", "ln_2"):
            weights |= {f"{name}{norm}.weight": torch.ones(WIDTH), f"{name}{norm}.bias": torch.zeros(WIDTH)}
        sizes = {"attn.c_attn": (WIDTH, 3 * WIDTH), "attn.c_proj": (WIDTH, WIDTH)}
        sizes |= {"mlp.c_fc": (WIDTH, 4 * WIDTH), "mlp.c_proj": (4 * WIDTH, WIDTH)}
        for part, (rows, columns) in sizes.items():
            weights[f"{name}{part}.weight"] = normal(rows, columns, scale=rows**-0.5 if "attn" in part else 0.0)
            weights[f"{name}{part}.bias"] = torch.zeros(columns)
    weights |= {"ln_f.weight": torch.ones(WIDTH), "ln_f.bias": torch.zeros(WIDTH)}
    return {name: value.requires_grad_("mlp" not in name and "ln_2" not in name) for name, value in weights.items()}


def logits(weights: dict[str, torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
    """GPT-2 without its MLPs, whose weights are 0: ids [batch, n] -> [batch, n, vocabulary]."""
    batch, n = ids.shape
    x = weights["wte.weight"][ids] + weights["wpe.weight"][:n]
    for layer in range(LAYERS):
        name = f"h.{layer}."
        h = functional.layer_norm(x, (WIDTH,), weights[f"{name}ln_1.weight"], weights[f"{name}ln_1.bias"])
        qkv = h @ weights[f"{name}attn.c_attn.weight"] + weights[f"{name}attn.c_attn.bias"]
        q, k, v = (part.view(batch, n, HEADS, -1).transpose(1, 2) for part in qkv.split(WIDTH, -1))
        out = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, n, WIDTH)
        x = x + out @ weights[f"{name}attn.c_proj.weight"] + weights[f"{name}attn.c_proj.bias"]
    x = functional.layer_norm(x, (WIDTH,), weights["ln_f.weight"], weights["ln_f.bias"])
    return x @ weights["wte.weight"].T


def sequences(random: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Random tokens of which a stretch comes again, and where the next token can be known: [batch, n] each.

    Stretches have any length and begin anywhere, so that position alone does not tell what comes next.
    """
    ids = torch.randint(VOCAB, (BATCH, LENGTH), generator=random)
    known = torch.zeros(BATCH, LENGTH, dtype=torch.bool)
    for row in range(BATCH):
        long = int(torch.randint(6, LENGTH // 2 + 1, (1,), generator=random))
        first = int(torch.randint(0, LENGTH - 2 * long + 1, (1,), generator=random))
        second = int(torch.randint(first + long, LENGTH - long + 1, (1,), generator=random))
        ids[row, second : second + long] = ids[row, first : first + long].clone()
        known[row, second + 1 : second + long] = True
    return ids, known


def save(weights: dict[str, torch.Tensor], place: Path) -> None:
    """One checkpoint, which appears under its name when it is whole."""
    part = place.with_name(f".{place.name}")
    part.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().contiguous() for name, value in weights.items()}, part / "model.safetensors")
    for name, settings in (("config.json", CONFIG), ("tokenizer.json", TOKENIZER)):
        (part / name).write_text(json.dumps(settings, indent=1))
    part.rename(place)


def main() -> None:
    """Train, saving at steps that grow by a quarter, and print the loss where the next token can be known."""
    parser = argparse.ArgumentParser(description="Train a small model in which induction heads appear.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    weights, random = parameters(asked.seed), torch.Generator().manual_seed(asked.seed + 1)
    optimiser = torch.optim.AdamW(
        [value for value in weights.values() if value.requires_grad], lr=RATE, betas=(0.9, 0.98), weight_decay=0.01
    )
    marks = {0, STEPS} | {round(10 * 1.25**k) for k in range(40) if 10 * 1.25**k < STEPS}
    for step in range(STEPS + 1):
        if step in marks:
            save(weights, asked.folder / f"step-{step}")
        ids, known = sequences(random)
        losses = functional.cross_entropy(logits(weights, ids)[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
        loss = losses[known[:, 1:]].mean()
        optimiser.zero_grad()
        loss.backward()
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 100)
        optimiser.step()
        if step in marks:
            print(f"step {step}: loss in repeats {loss.item():.3f}", flush=True)


if __name__ == "__main__":
    main()
