"""Write the sentences that docs/corpora.md measures: one file for each source of scripts/tiny, a sentence a line.

    python scripts/corpus_texts.py FOLDER [--each 5000]

Sentences come in the order of the digests of their texts, so that they are spread over each source, and are the same
on every machine. The packages are downloaded as scripts/tiny/texts.py says.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "tiny"))

from texts import SOURCES, paragraphs, sentences

LEAST = 3  # words of a sentence


def main() -> None:
    """Write FOLDER/bible.txt and the files of the other sources, and print how many sentences each has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--each", type=int, default=5000, help="sentences of each source at most")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    for name, source in SOURCES.items():
        if source.kind == "own":
            continue
        found = {
            sentence
            for paragraph in paragraphs(name, asked.folder / "packages")
            for sentence in sentences(paragraph)
            if len(sentence.split()) >= LEAST
        }
        chosen = sorted(found, key=lambda text: hashlib.sha256(text.encode()).digest())[: asked.each]
        (asked.folder / f"{name}.txt").write_text("".join(f"{text}\n" for text in chosen), "utf-8")
        print(f"{name}: {len(chosen):,} of {len(found):,} sentences ({source.what})")


if __name__ == "__main__":
    main()
