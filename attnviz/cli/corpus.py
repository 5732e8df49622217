"""`attnviz corpus`: many texts through one model, into a folder."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.cli import opening
from attnviz.cli.expand import command
from attnviz.cli.options import IN, OUT, Heads, Joined, Json, Talk, usage
from attnviz.cli.source import Source
from attnviz.errors import InputError
from attnviz.flags import argument, option, same

if TYPE_CHECKING:
    from attnviz.corpora.pool import Executor
    from attnviz.corpora.run import Plan, Progress, Texts
    from attnviz.corpora.suspects import Done

WORK = "Work"
EVERY = ("stats", "roles", "variability", "links")


@dataclass(frozen=True)
class Corpus:
    """Where the texts are."""

    inputs: tuple[str, ...] = argument(
        "Files of texts (.txt a text a line, .jsonl, .csv, .tsv, .parquet), folders of them (there a .txt file is one "
        "text), or '-' for lines of standard input.",
        metavar="INPUT",
        several=True,
    )
    field: str | None = option(None, "The field or column of the texts. Default: text.", metavar="NAME", panel=IN)
    read: str | None = option(
        None, "How files and standard input are read, whatever their names.",
        choices=("txt", "jsonl", "csv", "tsv", "parquet"), panel=IN,
    )  # fmt: skip

    def __post_init__(self) -> None:
        if not self.inputs:
            usage("wanted texts: a file, a folder or '-'", "as in attnviz corpus sentences.txt -o out")
        if self.inputs.count("-") > 1 or ("-" in self.inputs and len(self.inputs) > 1):
            usage("standard input cannot be read beside other texts")


@dataclass(frozen=True)
class Measured:
    """The numbers that each text gives."""

    analysis: tuple[str, ...] = option(
        (),
        "What is measured. Repeatable. Default: all but similar, which is slow.",
        metavar="NAME",
        choices=(*EVERY, "similar"),
    )
    links: int = option(10, "How many links of each head are kept.", metavar="N", low=1, high=1000, shown=True)
    no_special: bool = same(Joined, "no_special", False)
    stream: str | None = same(Heads, "stream")
    save_each: str | None = option(
        None, "A file of every text too, drawn or as numbers.", choices=("png", "svg", "pdf", "npz")
    )

    def __post_init__(self) -> None:
        Heads(stream=self.stream)


@dataclass(frozen=True)
class Work:
    """Processes, parts and the folder."""

    output: str | None = option(
        None,
        "The folder: new, empty, or of an earlier run, which continues.",
        "-o",
        "--output",
        metavar="DIR",
        panel=OUT,
    )
    workers: int | None = option(
        None, "Processes, of one thread each. Default: one for each core.", metavar="N", low=1, high=1024, panel=WORK
    )
    scheduler: str | None = option(
        None, "Work on the cluster of this Dask scheduler, as in tcp://host:8786.", metavar="ADDRESS", panel=WORK
    )
    scheduler_file: str | None = option(
        None, "The file into which a Dask scheduler wrote its address.", metavar="FILE", panel=WORK
    )
    part: str | None = option(
        None,
        "Only every N-th part, from the K-th on, for a job of an array; then `attnviz corpus merge DIR`.",
        metavar="K/N",
        panel=WORK,
    )
    part_texts: int = option(
        1000, "Texts to a part, which is what a failure costs.", metavar="N", low=1, high=1_000_000, shown=True,
        panel=WORK,
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.output in (None, "-"):
            usage("wanted a folder for the files: -o DIR")
        if self.scheduler is not None and self.scheduler_file is not None:
            usage("--scheduler and --scheduler-file both name a scheduler: give one")
        if self.workers is not None and (self.scheduler or self.scheduler_file) is not None:
            usage("--workers is for this machine: a cluster has the workers that were started for it")
        self.share()

    def share(self) -> tuple[int, int]:
        """`--part 7/100` -> (7, 100); (1, 1) without it."""
        found = re.fullmatch(r"(\d{1,7})/(\d{1,7})", self.part or "1/1")
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            usage(f"--part wants K/N with K from 1 to N, as in 7/100; got {self.part!r}")
        return int(found[1]), int(found[2])


@command
def run(*, texts: Corpus, source: Source, measured: Measured, work: Work, listing: Json, talk: Talk) -> None:
    """Measure every head in many texts: a file or a folder of them, on all cores.

    The folder gets the numbers of every text and head (rows/*.parquet), summaries of each head over all texts
    (summary.parquet), the strongest links, and a list of the texts that could not be used. A run that was stopped
    continues where it was: give the same command again. It needs pyarrow.

    attnviz corpus sample_inputs/mails.txt -o mails
    attnviz corpus reviews.jsonl --field review -m minilm -o reviews
    attnviz corpus sentences.txt --analysis stats --no-special -m minilm -o sentences
    attnviz corpus sentences.txt -m minilm -o sentences --part 7/100
    """
    from attnviz.corpora.job import Job
    from attnviz.corpora.run import run as run_corpus

    assert work.output is not None
    model = opening.load(source, talk)
    job = Job.of(
        model,
        measured.analysis or EVERY,
        stream=measured.stream,
        links=measured.links,
        no_special=measured.no_special,
        each=measured.save_each or "",
        texts=work.part_texts,
    )
    with _texts(texts) as again, _progress(talk.quiet) as progress:
        totals = run_corpus(job, again, work.output, _executor(work), part=work.share(), progress=progress)
    if listing.json:
        _print_summary(job, totals)
    else:
        print(work.output)
    if totals is not None:
        skipped = f", {len(totals.faults):,} could not be used (skipped.jsonl)" if totals.faults else ""
        talk.note(f"{totals.texts:,} texts, {totals.tokens:,} tokens{skipped}")
    else:
        talk.note(f"part {work.part} is done; when all are: attnviz corpus merge {work.output}")


def _executor(work: Work) -> Executor:
    if work.scheduler is not None or work.scheduler_file is not None:
        from attnviz.corpora.cluster import Cluster

        return Cluster(work.scheduler, work.scheduler_file)
    from attnviz.corpora.pool import Processes

    return Processes(work.workers)


@contextmanager
def _texts(texts: Corpus) -> Iterator[Texts]:
    """The texts, as often as asked; standard input lies on disk meanwhile."""
    from attnviz.corpora.run import kept
    from attnviz.corpora.texts import read_texts

    if "-" in texts.inputs:
        with kept(read_texts(texts.inputs, texts.field, texts.read, sys.stdin.buffer)) as again:
            yield again
    else:
        yield lambda: read_texts(texts.inputs, texts.field, texts.read)


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    """A bar with rate and time left in a terminal; in a log a line a minute."""
    from attnviz.render.counting import Counting

    counting: Counting | None = None

    def advance(plan: Plan, done: Done | None) -> None:
        nonlocal counting
        if counting is None:
            counting = Counting("texts", plan.mine, plan.done, quiet)
            if plan.done and not quiet:
                print(f"{plan.done:,} of {plan.mine:,} texts are done already", file=sys.stderr)
        if done is not None:
            counting.add(done.texts + done.skipped)

    try:
        yield advance
    finally:
        if counting is not None:
            counting.stop()


def _print_summary(job: Any, totals: Any) -> None:
    from attnviz.cli.writing import print_json
    from attnviz.corpora.measures import columns_of
    from attnviz.corpora.merge import summary_records

    if totals is None:
        raise InputError("one part has no summary yet", "leave out --json; attnviz corpus merge DIR --json prints it")
    print_json(summary_records(totals, columns_of(job.measures)))
