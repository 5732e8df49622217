"""`attnviz models`: the families that are known."""

from __future__ import annotations

from attnviz.cli.expand import command
from attnviz.cli.options import Json

HEADER = ("model_type", "reads", "streams", "positions", "mask", "what it is")


@command
def run(*, output: Json) -> None:
    """List the families that attnviz knows, with their streams and positions.

    A configuration names its family as `model_type`, with - or _. What stands here is what a configuration means where
    it leaves its keys out: mask `all` sees both ways, `causal` what came before, `window` only what is near and
    `some-windows` that in some layers, `blocks` only some blocks of a long text, `global-tokens` lets some tokens see
    all and be seen by all.

    attnviz models
    attnviz models --json
    """
    from attnviz.families._listing import descriptions

    if output.json:
        from attnviz.cli import work

        names = ("model_type", "family", "title", "reads", "streams", "positions", "mask")
        work.print_json({name: getattr(found, name) for name in names} for found in descriptions())
        return

    from attnviz.render.terminal_listing import print_listing

    rows = []
    for found in descriptions():
        words = (",".join(part) for part in (found.reads, found.streams, found.positions, found.mask))
        same = "" if found.family == found.model_type else f"{found.family}: "
        rows.append(((found.model_type, *words), same + found.title))
    print_listing(rows, HEADER)
