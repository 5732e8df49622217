"""Texts a second over a corpus: one process, several, and a script with transformers on the same texts and model.

    python benchmarks/corpus.py MODEL --texts 10000 --python path/to/python/with/transformers

The peer computes the entropy of every head in batches of 32, sorted by length, padded, on all cores: what people write
by hand. Rates are of the whole command, reading and opening included; each is measured in turn, --times times, and the
median is printed. CPU is the processor time of all processes.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = (
    "the of and to in a is that it was for on are as with his they at be this have from or one had by word but not "
    "what all were we when your can said there use an each which she do how their if will up other about out many "
    "then them these so some her would make like him into time has look two more write go see number no way could "
    "people my than first water been call who oil its now find long down day did get come made may part river bank"
).split()

PEER = """
import sys, torch
from transformers import AutoModel, AutoTokenizer
folder, place, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
texts = [line.rstrip("\\n") for line in open(place, encoding="utf-8")][:count]
texts.sort(key=len)
total = 0.0
with torch.inference_mode():
    for start in range(0, len(texts), 32):
        batch = tokenizer(texts[start : start + 32], padding=True, return_tensors="pt")
        mask = batch["attention_mask"].bool()
        for layer in model(**batch, output_attentions=True).attentions:
            entropy = torch.special.entr(layer).sum(-1)
            total += float((entropy * mask[:, None]).sum())
print(total)
"""


def sentences(count: int, seed: int = 0) -> list[str]:
    """Sentences of 3 to 40 words."""
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=draw.randint(3, 40))) for _ in range(count)]


def timed(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """Wall and CPU seconds of a command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, cpu


def main() -> None:
    """Measure in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a folder with config.json, weights and tokenizer")
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--python", help="a Python with torch and transformers, for the peer")
    options = parser.parse_args()
    cores = os.cpu_count() or 1
    one = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}
    plain = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "texts.txt"
        place.write_text("\n".join(sentences(options.texts)) + "\n")
        base = [sys.executable, "-m", "attnviz", "corpus", str(place), "-m", options.model, "-o", f"{folder}/out", "-q"]
        ways = {
            "stats, 1 process": ([*base, "--analysis", "stats", "--workers", "1"], one),
            f"stats, {cores} processes": ([*base, "--analysis", "stats", "--workers", str(cores)], one),
            f"all measures, {cores} processes": ([*base, "--workers", str(cores)], one),
        }
        if options.python:
            peer = [options.python, "-c", PEER, options.model, str(place), str(options.texts)]
            ways["transformers, entropy"] = (peer, plain)
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(options.times):
            for name, (words, environment) in ways.items():
                times[name].append(timed(words, environment))
                shutil.rmtree(f"{folder}/out", ignore_errors=True)
    print(f"{options.texts:,} sentences of 3 to 40 words, {cores} cores, median of {options.times}")
    for name, pairs in times.items():
        wall, cpu = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"{name:32} {options.texts / wall:7.1f} texts/s {wall:8.1f} s, {cpu:8.1f} s of CPU")


if __name__ == "__main__":
    main()
