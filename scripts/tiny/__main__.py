"""The small model that attnviz carries: fetch the texts, choose the vocabulary, label, train, export, evaluate.

    python scripts/tiny WORK --teacher FOLDER                     all steps; a second call continues
    python scripts/tiny WORK --teacher FOLDER --minutes 30        in stretches
    python scripts/tiny WORK --teacher FOLDER --evaluate attnviz/tiny/tiny.gguf       only measure this file

WORK: a folder for texts, labels (10 GB) and states; tiny.gguf, heads.json, report.json and
attention.npz are written there. FOLDER: all-MiniLM-L6-v2 as published. Needs torch, and apt-get and npm for the texts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

import export
from evaluate import Heads, Positions, means, measure
from labels import Labels, write
from nets import Bert
from pairs import PAIRS
from pieces import choose, corpus
from texts import SOURCES
from train import finished, rows, student, train, trained

TRAINED = [name for name, source in SOURCES.items() if source.use == "train"]
UNSEEN = [name for name, source in SOURCES.items() if source.use == "unseen"]
MOST = 100_000  # tokens per measurement
SHOWN = (  # texts for the test of the published file, as torch computes them
    "The animal didn't cross the street because it was too tired",
    "Seven grey seagulls stole my sister's sandwich.",
    "Is the unbelievably long train, which left Vladivostok on 3 May, late again?",
)


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
    asked.add_argument("--minutes", type=float, default=1e9, help="train no longer than this; the next call goes on")
    asked.add_argument("--threads", type=int, default=0)
    asked.add_argument("--evaluate", nargs="?", const="", metavar="FILE", help="only measure this file, or WORK's own")
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
    made = Path(args.evaluate) if args.evaluate else args.work / "tiny.gguf"
    if args.evaluate is None:
        same_as_before(args)
        if not finished(args.work, int(args.tokens)):
            learn(args, model, pieces, renamed)
        export.gguf(made, trained(args.work, len(pieces)), pieces)
    report(args.work, made, model, renamed, pieces, keep=not args.evaluate)


def same_as_before(args: argparse.Namespace) -> None:
    """Check that a folder is continued with the settings it was begun with; other labels and states would be wrong."""
    settings = {
        "teacher": hashlib.sha256((args.teacher / "model.safetensors").read_bytes()).hexdigest(),
        "heads": [list(heads) for heads in PAIRS.values()],
        "pieces": args.pieces,
        "tokens": int(args.tokens),
        "seed": args.seed,
    }
    file = args.work / "settings.json"
    if not file.exists():
        file.write_text(json.dumps(settings) + "\n")
    before = json.loads(file.read_text())
    other = [name for name in settings if settings[name] != before.get(name)]
    if other:
        sys.exit(f"{args.work} was begun with another {' and '.join(other)}: take an empty folder")


def learn(args: argparse.Namespace, model: Bert, pieces: list[str], renamed: np.ndarray) -> None:
    """Label and train, up to the number of minutes."""
    found = corpus(pieces, args.work / "texts", TRAINED, held=False)
    print(f"{found.tokens:,} tokens to learn from, {len(pieces):,} pieces", flush=True)
    write(args.work / "labels", found, lambda ids: rows(model, torch.from_numpy(renamed)[ids], PAIRS))
    labels = Labels(args.work / "labels", found, [len(heads) for heads in PAIRS.values()])
    if not train(args.work, found, labels, len(pieces), int(args.tokens), args.minutes, args.seed):
        sys.exit("not trained to the end: call it again to continue")


def report(work: Path, file: Path, model: Bert, renamed: np.ndarray, pieces: list[str], keep: bool) -> None:
    """Measure a published file, with position alone and random weights for comparison.

    keep: write the results to WORK.
    """
    random = student(len(pieces)).eval()
    read = cache(lambda names, held: corpus(pieces, work / "texts", names, held))  # some texts are measured three times
    shipped = export.reopened(file, student(len(pieces))).eval()
    places = Positions(model, renamed, read(tuple(TRAINED), True), MOST // 10)
    cases: list[tuple[str, Heads, list[str], bool | None]] = [("unseen", shipped, UNSEEN, None)]
    cases += [("unseen, by position alone", places, UNSEEN, None), ("unseen, random weights", random, UNSEEN, None)]
    cases += [(name, shipped, [name], None) for name in UNSEEN]
    cases += [("held out", shipped, TRAINED, True), *((name, shipped, [name], True) for name in TRAINED)]
    table = {}
    for what, heads, names, held in cases:
        numbers, tokens = measure(heads, model, renamed, read(tuple(names), held), MOST)
        js, top1 = means(numbers)
        table[what] = {"js": js, "top1": top1, "tokens": tokens}
        print(f"{what:<24}{tokens:>8,} tokens  js {js:.4f}  top1 {top1:.3f}", flush=True)
        if what == "unseen" and keep:
            export.heads(work / "heads.json", numbers)
            export.attention(work / "attention.npz", shipped, pieces, SHOWN)
    if keep:
        (work / "report.json").write_text(json.dumps(table, indent=1) + "\n")


main()
