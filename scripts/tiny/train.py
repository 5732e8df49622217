"""Attention distillation: each chosen head of the teacher is imitated by one head of the student in the same layer.

Loss, for a teacher's row p and the student's row q over the same keys: KL(p || q), and once more over the keys that are
not special tokens, both rows scaled to sum to 1 there, weighed by the teacher's mass on them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from labels import Labels
from nets import Bert
from pairs import D_MLP, D_MODEL, N_HEADS, N_LAYERS, PAIRS
from pieces import LONGEST, Corpus
from torch import Tensor

# Weights of the teacher's heads in the loss: the hardest and most important heads get more, heads that fill the last
# layer less.
MORE = {(3, 1): 1.5, (3, 7): 1.5, (4, 11): 1.5, (5, 1): 0.6, (5, 7): 0.6, (5, 9): 0.6, (5, 10): 0.6, (5, 5): 0.6}
RATE, WARM = 1.2e-3, 200


def student(vocab: int) -> Bert:
    return Bert(vocab, LONGEST, N_LAYERS, D_MODEL, N_HEADS, D_MLP)


def finished(place: Path, wanted: int) -> bool:
    """Whether training in `place` has seen the wanted number of tokens."""
    file = place / "state.pt"
    return file.exists() and torch.load(file, weights_only=True)["seen"] >= wanted


def trained(place: Path, vocab: int) -> Bert:
    """The student as saved by training in `place`."""
    model = student(vocab)
    model.load_state_dict(torch.load(place / "state.pt", weights_only=True)["model"])
    return model


def rows(model: Callable[[Tensor], Iterable[Tensor]], ids: Tensor, heads: dict[int, tuple[int, ...]]) -> list[Tensor]:
    """Log weights of these heads, one layer at a time: [sequence, head, query, key]."""
    return [logs[:, list(heads[i])] for i, logs in enumerate(model(ids))]


def divergence(target: list[Tensor], made: list[Tensor]) -> Tensor:
    """The loss, a mean over rows and heads."""
    total, count = torch.zeros(()), 0
    for layer, (p_log, q_log) in enumerate(zip(target, made, strict=True)):
        p = p_log.exp()
        whole = (p * (p_log - q_log)).sum(-1)
        inner_p, inner_q = p_log[..., 1:-1], q_log[..., 1:-1]  # [CLS] is first and [SEP] last
        mass_p, mass_q = inner_p.logsumexp(-1), inner_q.logsumexp(-1)
        share = (inner_p - mass_p[..., None]).exp()
        inner = (share * (inner_p - inner_q)).sum(-1) - mass_p + mass_q
        losses = (whole + mass_p.exp() * inner).mean((0, 2))
        more = torch.tensor([MORE.get((layer, head), 1.0) for head in PAIRS[layer]])
        total, count = total + (losses * more).sum(), count + len(losses)
    return total / count


def rate(step: int, done: float) -> float:
    """The learning rate: a short rise, then a cosine down to a fiftieth. done: share of all tokens, 0 to 1."""
    return RATE * min(1, (step + 1) / WARM) * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)


def train(place: Path, corpus: Corpus, labels: Labels, vocab: int, wanted: int, minutes: float, seed: int) -> bool:
    """Continue from `place`/state.pt until `wanted` tokens have been seen or the minutes are over; True when done."""
    torch.manual_seed(seed)
    model = student(vocab)
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.01},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98))
    seen = step = epoch = skip = 0
    file = place / "state.pt"
    if file.exists():
        state = torch.load(file, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        seen, step, epoch, skip = (state[name] for name in ("seen", "step", "epoch", "batch"))
    start, mean = time.monotonic(), None
    kept = start
    same = {layer: tuple(range(len(heads))) for layer, heads in PAIRS.items()}

    def keep(batch: int) -> None:
        states = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
        partial = file.with_suffix(".partial")
        torch.save({**states, "seen": seen, "step": step, "epoch": epoch, "batch": batch}, partial)
        partial.replace(file)

    while seen < wanted:
        for i, (length, order) in enumerate(corpus.batches(1000 * seed + epoch)):
            if i < skip:
                continue
            ids = torch.from_numpy(corpus.ids(length, order)).long()
            loss = divergence(labels.rows(length, order), rows(model, ids, same))
            for group in optimiser.param_groups:
                group["lr"] = rate(step, seen / wanted)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            seen, step = seen + ids.numel(), step + 1
            mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
            if step % 100 == 0:
                took = time.monotonic() - start
                print(f"step {step}  seen {seen / 1e6:.2f}M  loss {mean:.4f}  {took:.0f} s", flush=True)
            over = time.monotonic() - start > 60 * minutes
            if over or seen >= wanted or time.monotonic() - kept > 120:
                keep(i + 1)
                kept = time.monotonic()
            if over or seen >= wanted:
                return seen >= wanted
        epoch, skip = epoch + 1, 0
    return True
