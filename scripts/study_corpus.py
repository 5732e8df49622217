"""Print the numbers of the study in docs/corpora.md, out of a folder that `attnviz corpus` wrote.

    python scripts/corpus_texts.py TEXTS
    attnviz corpus TEXTS/bible.txt TEXTS/fortunes.txt TEXTS/novel.txt TEXTS/speeches.txt TEXTS/wordnet.txt \\
        -m minilm -o FOLDER
    python scripts/study_corpus.py FOLDER [SHORT LONG]

SHORT and LONG are corpora of 1,000 sentences of some words, whose variability is compared:

    cat TEXTS/{novel,bible,speeches}.txt | awk 'NF >= 8 && NF <= 9' | head -1000 > short.txt
    cat TEXTS/{novel,bible,speeches}.txt | awk 'NF >= 30' | head -1000 > long.txt
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

import attnviz

NUMBERS = ("entropy", "distance", "confidence", "first", "special")
LENGTHS = ((5, 10), (11, 20), (21, 40), (41, 200))  # tokens
ALIKE = (18, 26)  # tokens of texts that are compared between sources


def main(folder: Path) -> None:
    """Print all tables."""
    columns = ["text", "where", "tokens", "layer", "head", *NUMBERS]
    table = pq.read_table(folder / "rows", columns=columns)
    tokens, where = table["tokens"].to_numpy(), np.array(table["where"].to_pylist())
    n_heads = int(table["head"].to_numpy().max()) + 1
    n_layers = int(table["layer"].to_numpy().max()) + 1
    shape = (-1, n_layers * n_heads)
    tokens = tokens.reshape(shape)[:, 0]
    source = np.array([name.partition(".")[0] for name in where.reshape(shape)[:, 0]])
    values = {name: table[name].to_numpy().reshape(shape).astype(float) for name in NUMBERS}
    names = [f"{i}.{j}" for i in range(n_layers) for j in range(n_heads)]
    print(f"{len(tokens):,} texts, {tokens.sum():,} tokens; median {np.median(tokens):.0f}, most {tokens.max()}")
    rests(values, tokens, names)
    variability(folder, values, names)
    lengths(values, tokens, names)
    sources(values, tokens, source, names)


def rests(values: dict[str, np.ndarray], tokens: np.ndarray, names: list[str]) -> None:
    """The weight on the first token and on the last one, which is special too."""
    last = (values["special"] - values["first"]).mean(0)
    even = (1 / tokens).mean()
    order = np.argsort(-last)[:3]
    print(f"weight on [CLS] {values['first'].mean():.2f}, on [SEP] {last.mean():.3f}; even weights {even:.3f}")
    print("most on [SEP]:", ", ".join(f"{names[i]} {last[i]:.2f}" for i in order), f"; {sum(last > even)} above even")


def variability(folder: Path, values: dict[str, np.ndarray], names: list[str]) -> None:
    """The least variable heads, beside their weight on the first token."""
    report = attnviz.corpus_report(folder)
    found = report.corpus.result("variability")
    flat, first = found["variability"].ravel(), values["first"].mean(0)
    order = np.argsort(flat)
    print("least variable:", ", ".join(f"{names[i]} {flat[i]:.2f} (first {first[i]:.2f})" for i in order[:11]))
    print("most variable:", ", ".join(f"{names[i]} {flat[i]:.2f}" for i in order[::-1][:5]))
    print(f"too small by at most {found['short'].max():.3f}")


def lengths(values: dict[str, np.ndarray], tokens: np.ndarray, names: list[str]) -> None:
    """The share of the variance over texts that the logarithm of their length explains, and means by length."""
    length = np.log(tokens)
    for name, all_heads in values.items():
        share = [np.corrcoef(length, each)[0, 1] ** 2 for each in all_heads.T]
        low, high = int(np.argmin(share)), int(np.argmax(share))
        print(
            f"{name}: length explains {np.median(share):.2f} of the variance (median of heads; "
            f"{names[low]} {share[low]:.2f}, {names[high]} {share[high]:.2f})"
        )
    head = names.index("5.0")
    for low, high in LENGTHS:
        some = (tokens >= low) & (tokens <= high)
        means = ", ".join(f"{name} {values[name][some][:, head].mean():.2f}" for name in ("entropy", "first"))
        print(f"{low} to {high} tokens, {some.sum():,} texts: 5.0 {means}")


def sources(values: dict[str, np.ndarray], tokens: np.ndarray, source: np.ndarray, names: list[str]) -> None:
    """Means of the sources: of all texts, and of texts of about one length."""
    alike = (tokens >= ALIKE[0]) & (tokens <= ALIKE[1])
    for what, some in (("all", tokens > 0), (f"{ALIKE[0]} to {ALIKE[1]} tokens", alike)):
        for name, head in (("entropy", "5.0"), ("first", "4.5"), ("first", "1.2")):
            column = values[name][:, names.index(head)]
            means = {each: column[some & (source == each)].mean() for each in sorted(set(source))}
            print(f"{what}, {name} of {head}:", ", ".join(f"{each} {mean:.2f}" for each, mean in means.items()))
        print({each: round(float(tokens[some & (source == each)].mean()), 1) for each in sorted(set(source))})
    spread = values["entropy"][:, names.index("5.0")]
    print(f"standard error of the mean entropy of 5.0: {spread.std(ddof=1) / np.sqrt(len(spread)):.4f}")


def short_and_long(folders: list[str]) -> None:
    """The variability of heads in two corpora."""
    first, second = (attnviz.corpus_report(each).corpus.result("variability")["variability"] for each in folders)
    alike = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    print(f"variability: {first.mean():.2f} and {second.mean():.2f}, correlation over heads {alike:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    if len(sys.argv) == 4:
        short_and_long(sys.argv[2:])
