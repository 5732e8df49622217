"""`attnviz mechanisms`: attention's relatives, listed, side by side on one text, or measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attnviz.cli.expand import Line, command
from attnviz.cli.looks import Shade, Sheet
from attnviz.cli.options import ONE_HEAD, Input, Joined, Json, Output, Selection, Talk, one_head, usage
from attnviz.cli.source import Drawn, known_mechanisms, mechanism_option
from attnviz.flags import same
from attnviz.render import formats

if TYPE_CHECKING:
    from attnviz.page.figure import Figure
    from attnviz.page.mechanisms import Card
    from attnviz.relatives import Relative
    from attnviz.variants.scaling import Measured

FORMATS = formats.of(formats.FIGURE)
LAYERS = "0"  # without --layer
HEADS_MEAN = ONE_HEAD


@dataclass(frozen=True)
class Place:
    """One layer and one head."""

    layer: str | None = same(Selection, "layer", default=None)
    head: str | None = same(Selection, "head", default=None)
    stream: str | None = same(Selection, "stream", default=None)

    def __post_init__(self) -> None:
        from attnviz.errors import one_of

        self.at()
        streams = ("self", "encoder", "decoder", "cross")
        if self.stream is not None and self.stream not in streams:
            usage(one_of("--stream", self.stream, streams))

    def at(self) -> tuple[int, int]:
        """Layer and head, the first of each unless asked for."""
        layer, head = one_head(self.layer, self.head, "mechanisms stand side by side in one {}")
        return int(layer or LAYERS), int(head or "0")


@command
def run(
    *,
    given: Input,
    source: Drawn,
    mechanism: list[str] | None = mechanism_option(),
    place: Place,
    joined: Joined,
    scaling: Annotated[
        bool,
        typer.Option(
            "--scaling",
            help="Without TEXT: measure how long each takes on this machine as texts grow.",
            rich_help_panel="What to show",
        ),
    ] = False,
    shade: Shade,
    sheet: Sheet,
    output: Output,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    """List attention's relatives; with a text, show them side by side.

    Without TEXT: every mechanism with its formula, source and cost. With TEXT: what each one does in one layer and one
    head, with the same queries and keys where that makes sense, and how far it is from the model's own attention; as a
    table, or with -o as a picture. --mechanism, which may be repeated, chooses some, or whole groups: scoring, keys,
    approximation, 'state space', positions. --scaling prints times and, with -o, draws them.

    attnviz mechanisms
    attnviz mechanisms "The animal didn't cross the street because it was too tired" -o relatives.png
    attnviz mechanisms "The cat sat on the mat" --mechanism window:1 --mechanism lsh:2 --mechanism performer
    attnviz mechanisms --scaling -o scaling.svg
    attnviz mechanisms --json
    """
    from attnviz.cli import work
    from attnviz.variants import GROUPS

    asked = list(mechanism or ())
    known_mechanisms(asked, GROUPS)
    drawn = output.output is not None or output.format is not None
    format = output.chosen(FORMATS, "png") if drawn else ""
    if drawn and listing.json:
        usage("--json prints to standard output: leave out -o")
    if scaling and given.given():
        usage(f"--scaling measures without a text; got {given.given()[0]}")
    if drawn and not scaling and not given.given():
        usage(
            "wanted a text to draw: TEXT or --file PATH", 'as in attnviz mechanisms "The cat sat on the mat" -o a.png'
        )
    if drawn:
        work.check_output(output, format)
    if scaling:
        _measure(asked, source, sheet, output, format, listing, talk, line)
    elif given.given():
        found, left_out = _relatives(asked, given, source, place, joined, talk)
        if listing.json:
            work.print_json(map(_object, found))
        elif not format:
            _print(found, left_out, asked, joined, shade)
        else:
            figure = _drawn(found, left_out, asked, joined, shade, sheet, talk, line)
            _write(figure, output, format, "mechanisms")
    else:
        _list(asked, listing)


# --- the list -------------------------------------------------------------------------------------------------------


def _list(asked: Sequence[str], listing: Json) -> None:
    from attnviz.variants import MECHANISMS, parse

    wanted = {name if name in _groups() else parse(name).mechanism.name for name in asked}
    found = [one for one in MECHANISMS.values() if not wanted or {one.name, one.group} & wanted]
    numbers = [",".join(f"{p.name}={p.default}" for p in one.parameters) for one in found]
    if listing.json:
        from attnviz.cli import work

        keys = ("name", "group", "formula", "source", "cost", "exact", "where", "simplified", "needs")
        rows = ({key: getattr(one, key) for key in keys} for one in found)
        work.print_json(row | {"numbers": said} for row, said in zip(rows, numbers, strict=True))
        return
    from attnviz.render.terminal_mechanisms import Entry, print_mechanisms

    print_mechanisms(
        [
            Entry(one.name, one.group, one.formula, one.source, one.cost, one.exact, said)
            for one, said in zip(found, numbers, strict=True)
        ]
    )


def _groups() -> tuple[str, ...]:
    from attnviz.variants import GROUPS

    return GROUPS


# --- side by side ---------------------------------------------------------------------------------------------------


def _print(
    found: Sequence[Relative], left_out: Mapping[str, str], asked: Sequence[str], joined: Joined, shade: Shade
) -> None:
    from attnviz.page.mechanisms import DISTANCE, heading, subtitle
    from attnviz.render.terminal_relatives import print_comparison

    cards = [_card(relative) for relative in found]
    first = cards[0].attention
    notes = [DISTANCE, "keys: that a query sees, on average", *_said(joined)]
    notes += [f"left out: {reason}" for reason in left_out.values()] if len(left_out) <= 3 else []
    notes += [f"left out: {', '.join(left_out)}"] if len(left_out) > 3 else []
    print_comparison(
        cards,
        heading(first),
        subtitle(first).replace("every panel: rows are queries, columns are keys, ", ""),
        notes,
        decimals=max(shade.decimals, 1),
        grouped=_grouped(asked),
    )


def _drawn(
    found: Sequence[Relative],
    left_out: Mapping[str, str],
    asked: Sequence[str],
    joined: Joined,
    shade: Shade,
    sheet: Sheet,
    talk: Talk,
    line: Line,
) -> Figure:
    from attnviz.cli import work
    from attnviz.page.mechanisms import figure

    first = found[0].attention
    own = first.model.rpartition(", ")[0]  # without the mechanism
    return sheet.draw(
        figure,
        [_card(relative) for relative in found],
        scale=shade.scale,
        vmax=shade.limit(),
        cmap=shade.cmap,
        decimals=shade.decimals,
        grouped=_grouped(asked),
        left_out=list(left_out),
        notes=_said(joined),
        meta=work.facts(line, own, first.meta),
        talk=talk,
    )


def _grouped(asked: Sequence[str]) -> bool:
    """Groups, and all of them, stand under their titles; names in the order in which they were asked for."""
    return all(name in _groups() for name in asked)


def _said(joined: Joined) -> list[str]:
    return ["distances are those of all tokens"] if joined.words or joined.no_special else []


def _write(figure: Figure, output: Output, format: str, stem: str) -> None:
    from attnviz.cli import work
    from attnviz.render.image import to_bytes

    data = to_bytes(figure, format)
    work.write(output, format, lambda file: file.write(data), stem)


def _relatives(
    asked: Sequence[str], given: Input, source: Drawn, place: Place, joined: Joined, talk: Talk
) -> tuple[list[Relative], dict[str, str]]:
    from attnviz.cli import work
    from attnviz.errors import SelectionError
    from attnviz.relatives import compare
    from attnviz.render.progress import progress

    text = work.text_of(given)
    model = work.load(source, talk)
    text, ids = work.turn(given, model, text)
    arrays, _ = work.image_and_sound(given, model, source)
    inputs = {"pair": given.pair, "target": given.target, "ids": ids, "stream": place.stream, **arrays}
    inputs |= {"global_tokens": given.everywhere()}
    inputs = {name: value for name, value in inputs.items() if value is not None}
    layer, head = place.at()
    with progress("mechanisms", total=1, quiet=talk.quiet) as advance:
        found, left_out = compare(
            model, text, layer=layer, head=head, mechanisms=_with_own(asked), progress=advance, **inputs
        )
    if not found:
        raise SelectionError(next(iter(left_out.values())), "the seeded model can have them all")
    return [replace(one, attention=work.joined(one.attention, joined)) for one in found], left_out


def _with_own(asked: Sequence[str]) -> list[str]:
    """Mechanisms asked for by name stand beside the model's own attention."""
    own = ("scaled-dot", "scoring")
    return list(asked) if _grouped(asked) or set(own) & set(asked) else ["scaled-dot", *asked]


def _card(relative: Relative) -> Card:
    from attnviz.page.mechanisms import Card

    one = relative.asked.mechanism
    return Card(
        relative.asked.name,
        one.group,
        one.formula,
        one.cost,
        relative.distance,
        relative.attention,
        relative.asked.described,
        one.exact,
    )


def _object(relative: Relative) -> dict[str, Any]:
    """A relative as `--json` prints it."""
    one, card = relative.asked.mechanism, _card(relative)
    return {
        "name": card.name,
        "group": one.group,
        "formula": one.formula,
        "source": one.source,
        "cost": one.cost,
        "exact": one.exact,
        "numbers": card.detail,
        "layer": relative.attention.layers[0],
        "head": relative.attention.heads[0],
        "keys": card.keys,
        "distance": relative.distance,
    }


# --- how long they take ---------------------------------------------------------------------------------------------


def _measure(
    asked: Sequence[str],
    source: Drawn,
    sheet: Sheet,
    output: Output,
    format: str,
    listing: Json,
    talk: Talk,
    line: Line,
) -> None:
    import sys

    import attnviz
    from attnviz.cli import work

    if source.asked():
        usage(f"--scaling draws queries and keys by itself: leave out --model {source.model}")
    names = list(_measured(asked))
    seed = source.seed or 0
    found = _timed(names, seed, talk)
    if listing.json:
        work.print_json(_times(found))
        return
    from attnviz.render.terminal_relatives import print_scaling

    if not (format and talk.quiet):
        print_scaling(found, sys.stderr if format else None)
    if not format:
        return
    from attnviz.page.scaling import Curve, figure

    settings = [one.setting for one in found if one.setting != one.name]
    drawn = sheet.draw(
        figure,
        [Curve(o.name, o.group, o.setting, o.cost, o.n, o.seconds, o.exponent) for o in found],
        notes=[f"at the longest text: {' '.join(settings)}"] if settings else [],
        meta={"command": str(line), "seed": str(seed), "version": attnviz.__version__},
        talk=talk,
    )
    _write(drawn, output, format, "scaling")


def _measured(asked: Sequence[str]) -> Iterator[str]:
    """The mechanisms to be measured, full attention among them."""
    from attnviz.variants import MECHANISMS, parse
    from attnviz.variants.scaling import measured_names

    known = measured_names()
    for name in asked:
        if name in _groups():
            if not any(MECHANISMS[one].group == name for one in known):
                usage(f"--scaling measures none of {name}: they cost what full attention does")
        elif parse(name).mechanism.name not in known:
            usage(f"--scaling does not measure {name}: it costs what full attention or window does")
        elif name not in known:
            usage(f"--scaling sets the numbers by itself: leave those of {name} away")
    yield from (one for one in known if not asked or one == "full" or {one, MECHANISMS[one].group} & set(asked))


def _timed(names: Sequence[str], seed: int, talk: Talk) -> list[Measured]:
    from attnviz.models.load import load
    from attnviz.render.progress import progress
    from attnviz.variants.scaling import measure

    draw = load("seeded", seed=seed).tensors.normal  # type: ignore[attr-defined]
    found = []
    with progress("measuring", total=len(names), quiet=talk.quiet) as advance:
        for name in names:
            found.append(measure(name, draw))
            advance(1)
    return found


def _times(found: Sequence[Measured]) -> Iterator[dict[str, Any]]:
    """What was measured as `--json` prints it: an object a mechanism and number of tokens."""
    for one in found:
        for n, seconds in zip(one.n, one.seconds, strict=True):
            yield {
                "name": one.name,
                "group": one.group,
                "setting": one.setting,
                "cost": one.cost,
                "n": n,
                "seconds": seconds,
                "exponent": one.exponent,
            }
