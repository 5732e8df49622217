"""Job: what is done with every text of a corpus, by which model; Part: a run of texts that is one file when it is done.

Both have fingerprints. A part's names its files, so that a part of another model, of other options, of other texts or
of another version can never be taken for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz import __version__
from attnviz.corpora.texts import Text
from attnviz.errors import ModelError, SelectionError, one_of

if TYPE_CHECKING:
    from attnviz.models.model import Model

LAYOUT = 2  # of the files: raise it when they change
TEXTS, BYTES = 1000, 4 << 20  # of a part: the work of some seconds, which is what is lost if it fails
EACH = ("png", "svg", "pdf", "npz")  # a file of each text, on request
SAMPLE, SAMPLES = 1 << 20, 64  # bytes of a sample of a large file, and how many samples are hashed


@dataclass(frozen=True, eq=False)
class Job:
    """The numbers wanted of every text, and the model that gives them.

    model: pickled as the place where it was opened. contents: a hash over its files (`contents_of`). stream: self |
    encoder. measures: names in measures.MEASURES. links: how many links of each head. no_special: special tokens left
    out. each: the format of a file of each text, '' for none. texts: of one part.
    """

    model: Model
    contents: str
    stream: str
    measures: tuple[str, ...]
    links: int
    no_special: bool
    each: str
    texts: int

    @classmethod
    def of(
        cls,
        model: Model,
        measures: Iterable[str],
        *,
        stream: str | None = None,
        links: int = 10,
        no_special: bool = False,
        each: str = "",
        texts: int = TEXTS,
    ) -> Job:
        """The job of these options. Raises SelectionError."""
        from attnviz.corpora.measures import MEASURES

        wanted = tuple(dict.fromkeys(measures))
        for name in wanted:
            if name not in MEASURES:
                raise SelectionError(one_of("measure", name, MEASURES))
        if not wanted:
            raise SelectionError("nothing to measure", f"name one of {', '.join(MEASURES)}")
        if each and each not in EACH:
            raise SelectionError(one_of("each", each, EACH))
        stream = stream or model.streams[0]
        if stream not in model.streams or stream in ("decoder", "cross"):
            one = [name for name in model.streams if name not in ("decoder", "cross")]
            raise SelectionError(
                f"a corpus has one text at a time: {model.name} can be asked for {', '.join(one)} here"
            )
        return cls(model, contents_of(model), stream, wanted, links, no_special, each, texts)

    @cached_property
    def about(self) -> dict[str, Any]:
        """The facts that the fingerprint is made of, plain values."""
        meta = {name: self.model.meta.get(name) for name in ("digest", "adapter_digest", "seed", "mechanism")}
        return {
            "attnviz": __version__,
            "layout": LAYOUT,
            "model": self.model.name,
            **{name: value for name, value in meta.items() if value is not None},
            "contents": self.contents,
            "sizes": list(self.model.size(self.stream)),
            "stream": self.stream,
            "measures": list(self.measures),
            "links": self.links,
            "no_special": self.no_special,
            "each": self.each,
            "texts": self.texts,
        }

    @property
    def fingerprint(self) -> str:
        """16 hex digits."""
        return _hash(json.dumps(self.about, sort_keys=True))

    def check(self) -> None:
        """Raise ModelError unless this process has the same version of attnviz and the same files of the model."""
        if self.about["attnviz"] != __version__:
            raise ModelError(f"attnviz {__version__} is here, the run has {self.about['attnviz']}", "install the same")
        here = contents_of(self.model)
        if here != self.contents:
            raise ModelError(
                f"{self.model.name} has other contents here: {here}, not {self.contents}", "copy the model again"
            )


@dataclass(frozen=True, eq=False)
class Part:
    """Some texts of a corpus, one after the other. index: of the part. job: the fingerprint of the job."""

    index: int
    texts: tuple[Text, ...]
    job: str

    @cached_property
    def name(self) -> str:
        """`part-000012-3f0c...`: the name of its files, without extension."""
        digest = hashlib.sha256(self.job.encode())
        for text in self.texts:
            line = json.dumps([text.number, text.where, text.text, text.fault])
            digest.update(line.encode("utf-8", "surrogatepass"))
        return f"part-{self.index:06d}-{digest.hexdigest()[:16]}"

    def without(self, killers: dict[int, str]) -> Part:
        """The part with some texts marked as unusable, under its own name. killers: number -> what happened."""
        texts = (
            replace(text, text="", fault=killers[text.number]) if text.number in killers else text
            for text in self.texts
        )
        part = Part(self.index, tuple(texts), self.job)
        part.__dict__["name"] = self.name
        return part


def parts(texts: Iterable[Text], job: Job) -> Iterator[Part]:
    """The parts of a corpus: `job.texts` texts each, fewer where they are long. They depend on the texts alone."""
    fingerprint, index, size = job.fingerprint, 0, 0
    some: list[Text] = []
    for text in texts:
        if some and (len(some) == job.texts or size + len(text.text) > BYTES):
            yield Part(index, tuple(some), fingerprint)
            index, size, some = index + 1, 0, []
        some.append(text)
        size += len(text.text)
    if some:
        yield Part(index, tuple(some), fingerprint)


def contents_of(model: Model) -> str:
    """16 hex digits over the files of a model: configuration, tokenizer and weights; of large files, samples."""
    folder = model.folder
    if folder is not None and folder.is_dir():
        files = sorted(each for each in folder.iterdir() if each.is_file() and not each.name.startswith("."))
        files = [each for each in files if each.suffix in _ENDINGS]
    elif model.checkpoint is not None:
        files = [model.checkpoint.path]
    else:
        files = []
    return contents_of_files(files)


def contents_of_files(files: Iterable[Path]) -> str:
    """16 hex digits over the names and contents of files; of large ones, samples."""
    return _hash("\n".join(f"{file.name} {_hash_of_file(file)}" for file in files))


_ENDINGS = {".json", ".txt", ".model", ".safetensors", ".bin", ".pt", ".pth", ".npz", ".jinja", ".vocab"}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _hash_of_file(place: Path) -> str:
    """Over all bytes of a file up to 64 MB, else over its size and samples at equal distances."""
    size = place.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with place.open("rb") as file:
        if size <= SAMPLE * SAMPLES:
            while piece := file.read(SAMPLE):
                digest.update(piece)
        else:
            for i in range(SAMPLES):
                file.seek((size - SAMPLE) * i // (SAMPLES - 1))
                digest.update(file.read(SAMPLE))
    return digest.hexdigest()[:16]
