"""`attnviz qk`: a head's queries and keys in one plane, and one pair of them number by number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from attnviz.cli.analyses import TOP, asked_format, write_rows
from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Sheet
from attnviz.cli.options import ONE_HEAD, Input, Json, Output, Selection, Talk, one_head, usage
from attnviz.cli.source import Source
from attnviz.flags import option, same
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.measures.lift import Pair
    from attnviz.measures.qk import Neurons, Plane
    from attnviz.models.inputs import ModelInput
    from attnviz.models.model import Model

FORMATS = (*formats.of(formats.FIGURE), "json", "npz")
LAYERS = "-1"  # without --layer
HEADS_MEAN = ONE_HEAD


@dataclass(frozen=True)
class One:
    """One layer, one head, one pair."""

    layer: str | None = same(Selection, "layer", default=None)
    head: str | None = same(Selection, "head", default=None)
    stream: str | None = same(Selection, "stream", default=None)
    pair_of: str | None = option(
        None, "The pair to look at, as in it:animal, each token by its text, text#2 or its index.", metavar="QUERY:KEY"
    )

    def __post_init__(self) -> None:
        self.at()
        Selection(stream=self.stream)

    def at(self) -> tuple[str | None, str | None]:
        """Layer and head, as they were asked for."""
        return one_head(self.layer, self.head, "qk shows one {}")


@command
def run(
    *,
    given: Input,
    source: Source,
    one: One,
    top: Annotated[int | None, TOP] = None,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """Show a head's queries and keys in one plane, and one pair of them number by number.

    The plane: queries and keys centred, made equally wide and projected together (AttentionViz). The pair: q, k, their
    products dimension by dimension, and each step from their sum to the score before the softmax. Without --head and
    --pair-of the pair of the highest lift in the layer, which is the last by default.

    attnviz qk "The cat sat on the mat"
    attnviz qk "The animal was too tired, so it slept" -m minilm -l 3 -H 1 --pair-of it:animal
    attnviz qk "The animal was too tired" -m minilm -l 3 -o plane.pdf
    """
    from attnviz.analyses.steps import walk
    from attnviz.cli import work
    from attnviz.measures.qk import neurons, plane
    from attnviz.render.progress import progress

    if one.pair_of is None and re.fullmatch(r"[^\s:]+:[^\s:]+", given.pair or ""):
        usage(f"--pair {given.pair} would be a second text", f"for a query and a key write --pair-of {given.pair}")
    format = asked_format(output, listing, FORMATS)
    model, ready = work.prepared(given, source, one.stream, talk)
    found = _chosen(model, ready, one, talk)
    with progress("attention", total=1, quiet=talk.quiet) as advance:
        recorded = walk(model, ready, found.layer, found.head, found.query, advance)
    pair, flat = neurons(recorded, found.key), plane(recorded.used("q"), recorded.used("k"))
    if listing.json:
        work.print_json(rows(flat, pair))
    elif format == "json":
        write_rows(output, format, list(rows(flat, pair)), "qk")
    elif format:
        made = work.facts(line, recorded.facts.model, recorded.facts.meta)
        if format == "npz":
            work.write(output, format, lambda file: _write_npz(flat, pair, file, made), "qk")
            return
        drawn = _drawn(flat, pair, format, sheet, made, talk)
        work.write(output, format, lambda file: file.write(drawn), "qk")
    else:
        from attnviz.render.terminal_qk import print_qk

        print_qk(flat, pair, top or 10)


def rows(flat: Plane, pair: Neurons) -> Iterator[dict[str, Any]]:
    """One object a number or place, all with the same keys, null where they mean nothing.

    part: plane (side, index, token, x, y), pair (index is the dimension; q, k and their product as value), score
    (name is the operation; value after it, and what it added), weight.
    """
    steps = pair.steps
    blank = dict.fromkeys(("part", "name", "side", "index", "token", "x", "y", "q", "k", "value", "added"))
    for side, tokens, places in (("query", steps.queries, flat.queries), ("key", steps.keys, flat.keys)):
        for i, (text, (x, y)) in enumerate(zip(tokens.text, places.tolist(), strict=True)):
            yield blank | {"part": "plane", "side": side, "index": i, "token": text, "x": x, "y": y}
    for i, value in enumerate(pair.product.tolist()):
        yield blank | {"part": "pair", "index": i, "q": float(pair.q[i]), "k": float(pair.k[i]), "value": value}
    for stage in pair.stages:
        value = stage.value if abs(stage.value) != float("inf") else None
        yield blank | {"part": "score", "name": stage.name, "value": value, "added": stage.added}
    yield blank | {"part": "weight", "value": pair.weight}


def _chosen(model: Model, ready: ModelInput, one: One, talk: Talk) -> Pair:
    """Layer, head and pair: those that are named, and of the others the highest lift, said on standard error."""
    from attnviz.measures.lift import Pair, strongest
    from attnviz.models.source import affordable_rows, attend_rows
    from attnviz.select import Chosen, evenly, find_mark, resolve_indices

    asked = one.at()
    (layer,) = resolve_indices("layer", asked[0] or LAYERS, range(ready.spec.n_layers))
    heads = resolve_indices("head", asked[1] or "all", range(ready.spec.n_heads))
    named = None if one.pair_of is None else find_mark(ready.queries, ready.keys, one.pair_of)
    if named is not None and len(heads) == 1:
        return Pair(layer, heads[0], *named, 0.0, 0.0)
    rows = evenly(ready.queries, affordable_rows(len(heads), len(ready.keys)))
    if named is not None and named[0] not in rows:
        rows = sorted([*rows, named[0]])
    attention = attend_rows(model, ready, Chosen([layer], heads), rows)
    query, key = (None, None) if named is None else (rows.index(named[0]), named[1])
    found = strongest(attention, query=query, key=key)
    found = Pair(layer, found.head, rows[found.query], found.key, found.weight, found.lift)
    pair = f"{ready.queries.text[found.query]} → {ready.keys.text[found.key]}"
    said = [f"head {found.head}"] if len(heads) > 1 else []
    said += [pair] if named is None else []
    options = [name for name, missing in (("--head", len(heads) > 1), ("--pair-of", named is None)) if missing]
    of = f", of {len(rows)} queries" if len(rows) < len(ready.queries) else ""
    choose = "chooses another" if len(options) == 1 else "choose others"
    talk.note(
        f"{', '.join(said)}: the highest lift in layer {layer}{of} (weight {found.weight:.2f}, lift {found.lift:.2f}); "
        f"{' and '.join(options)} {choose}"
    )
    return found


def _write_npz(flat: Plane, pair: Neurons, file: Any, made: dict[str, str]) -> None:
    """q [query, d], k [key, d] as they are multiplied, queries and keys [token, 2], product [d], and meta."""
    import json

    import numpy as np

    from attnviz.io.data import write_arrays

    steps = pair.steps
    write_arrays(
        file,
        {
            "q": steps.used("q"),
            "k": steps.used("k"),
            "queries": flat.queries,
            "keys": flat.keys,
            "product": pair.product,
            "pair": np.array([steps.query, pair.key], np.int64),
            "query_tokens": np.array(steps.queries.text, np.str_),
            "key_tokens": np.array(steps.keys.text, np.str_),
            "meta": np.array(json.dumps(made, sort_keys=True, ensure_ascii=False)),
        },
    )


def _drawn(flat: Plane, pair: Neurons, format: str, sheet: Sheet, made: dict[str, str], talk: Talk) -> bytes:
    from attnviz.page.qk import figure
    from attnviz.render.image import to_bytes

    drawn = sheet.draw(
        figure,
        flat,
        pair,
        meta=made,
        talk=talk,
    )
    return to_bytes(drawn, format)
