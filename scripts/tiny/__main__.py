"""The small model that attnviz carries: fetch the texts, choose the vocabulary, label, train, evaluate, export.

    python scripts/tiny WORK --teacher FOLDER                     all of it; call it again and it goes on
    python scripts/tiny WORK --teacher FOLDER --minutes 30        in stretches
    python scripts/tiny WORK --teacher FOLDER --evaluate          only measure what is there

WORK: a folder for texts, labels (10 GB) and states. FOLDER: all-MiniLM-L6-v2 as published. Needs torch, and apt-get and npm for the
texts.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

from evaluate import means, measure
from labels import Labels, write
from nets import Bert
from pieces import choose, corpus
from texts import SOURCES
from train import PAIRS, rows, student, train


def teacher(folder: Path) -> tuple[Bert, dict[str, int]]:
    """all-MiniLM-L6-v2 and its vocabulary."""
    from attnviz.checkpoints import open_checkpoint

    config = json.loads((folder / "config.json").read_text())
    names = "vocab_size max_position_embeddings num_hidden_layers hidden_size num_attention_heads intermediate_size"
    file = open_checkpoint(folder)
    made = Bert(*(config[name] for name in names.split()))
    made.fill({name: torch.from_numpy(np.array(file.read(name), np.float32)) for name in made.stored()})
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    return made.eval(), vocabulary


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("work", type=Path)
    asked.add_argument("--teacher", type=Path, required=True)
    asked.add_argument("--pieces", type=int, default=12_000)
    asked.add_argument("--tokens", type=float, default=18e6, help="to be seen in all")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--minutes", type=float, default=1e9, help="stop after so many; the next call goes on")
    asked.add_argument("--threads", type=int, default=0)
    asked.add_argument("--evaluate", action="store_true")
    args = asked.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    model, vocabulary = teacher(args.teacher)
    file, texts = args.work / "vocab.txt", args.work / "texts"
    if not file.exists():
        file.write_text("\n".join(choose(vocabulary, texts, args.pieces)) + "\n", "utf-8")
    pieces = file.read_text("utf-8").split("\n")[:-1]
    renamed = np.array([vocabulary[piece] for piece in pieces])
    sources = {use: [name for name, s in SOURCES.items() if s.use == use] for use in ("train", "unseen")}
    done = True
    if not args.evaluate:
        found = corpus(pieces, texts, sources["train"], held=False)
        print(f"{found.tokens:,} tokens to learn from, {len(pieces):,} pieces", flush=True)
        write(args.work / "labels", found, lambda ids: rows(model, torch.from_numpy(renamed)[ids], PAIRS))
        labels = Labels(args.work / "labels", found, [len(heads) for heads in PAIRS.values()])
        done = train(args.work, found, labels, len(pieces), int(args.tokens), args.minutes, args.seed)
    made = student(len(pieces))
    made.load_state_dict(torch.load(args.work / "state.pt", weights_only=True)["model"])
    for what, some, held in (("held out", sources["train"], True), ("unseen", sources["unseen"], None)):
        numbers = measure(made.eval(), model, renamed, corpus(pieces, texts, some, held), 200_000)
        for (layer, head), one in numbers.items():
            print(f"  {layer}.{head:<3} js {one['js']:.4f}  top1 {one['top1']:.3f}")
        js, top1 = means(numbers)
        print(f"{what}: mean js {js:.4f}, top1 {top1:.3f}", "" if done else "(not trained to the end)", flush=True)


main()
