"""`attnviz describe`: what attnviz would make of a model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from attnviz.cli.expand import command
from attnviz.cli.options import Json, Talk
from attnviz.cli.source import Unchanged as ModelOptions
from attnviz.flags import same


@command
def run(
    *,
    which: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|CONFIG",
            help="org/name on the Hub, a folder, a GGUF file, or a config.json.",
            show_default=False,
        ),
    ],
    ignore_key: list[str] | None = same(ModelOptions, "ignore_key"),
    offline: bool = same(ModelOptions, "offline", default=False),
    output: Json,
    talk: Talk,
) -> None:
    """Say what attnviz would make of a model, without its weights; or why it cannot be drawn.

    Of a model on the Hub only config.json is fetched. A model that cannot be drawn ends in one line and exit status 1.

    attnviz describe org/name
    attnviz describe path/to/config.json --json
    """
    import attnviz

    start = time.perf_counter()
    found = attnviz.describe(which, ignore_keys=tuple(ignore_key or ()), offline=offline, quiet=talk.quiet)
    talk.detail(f"{found['model']}: its configuration, read in {time.perf_counter() - start:.2f} s")
    if output.json:
        from attnviz.cli import work

        work.print_json([found])
        return

    from attnviz.render.terminal_tensors import print_facts

    print_facts(list(_facts(found)))


def _facts(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The answer, a line a fact."""
    yield "model", found["model"]
    yield "model_type", found["model_type"]
    yield "family", f"{found['family']}: {found['title']}"
    for name in ("reads", "streams", "positions", "masks"):
        yield name, ", ".join(found[name])
    for name, one in found["stacks"].items():
        kv = "" if one["kv_heads"] == one["heads"] else f", {one['kv_heads']} of keys and values"
        size = f"{one['layers']} layers x {one['heads']} heads of {one['d_head']}{kv}; width {one['d_model']}"
        yield name if name != "self" else "attention", size
    if found["quantised"]:
        yield "weights", f"quantised: {found['quantised']}"
    yield "ignored keys", ", ".join(found["ignored"]) or "none"
