"""`attnviz corpus merge`: sum up a corpus whose parts were measured apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from attnviz.cli.expand import command
from attnviz.cli.options import Json, Talk, usage
from attnviz.flags import argument


@dataclass(frozen=True)
class Folder:
    """The folder of a corpus."""

    folder: str | None = argument("The folder that `attnviz corpus` wrote.", metavar="DIR")

    def __post_init__(self) -> None:
        if self.folder is None:
            usage("missing argument 'DIR'")


@command
def run(*, where: Folder, listing: Json, talk: Talk) -> None:
    """Sum up a corpus whose parts were measured apart, by `attnviz corpus --part K/N`.

    No model is opened, and nothing is measured. It fails, naming them, while parts are missing.

    attnviz corpus merge sentences
    attnviz corpus merge sentences --json
    """
    from attnviz.corpora.measures import columns_of
    from attnviz.corpora.merge import summary_records, write_totals
    from attnviz.corpora.store import Store

    assert where.folder is not None
    store = Store(Path(where.folder))
    totals = write_totals(store)
    if listing.json:
        from attnviz.cli.writing import print_json

        print_json(summary_records(totals, columns_of(store.about()["measures"])))
    skipped = f", {len(totals.faults):,} could not be used" if totals.faults else ""
    talk.note(f"{totals.texts:,} texts, {totals.tokens:,} tokens{skipped}")
