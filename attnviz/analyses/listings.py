"""`attnviz models`, `describe` and `tokens`: lists of facts that need no attention.

Python has the same as `attnviz.describe` and `attnviz.tokenize`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.analyses.base import Result, analysis
from attnviz.page.parts import Facts, Listing, Page, TokenTable

if TYPE_CHECKING:
    from attnviz.axis import Tokens
    from attnviz.models.model import Progress
    from attnviz.page.parts import Part


@dataclass(frozen=True)
class NoOptions:
    """These commands have none of their own."""


@dataclass(frozen=True, eq=False)
class Listed(Result):
    """table: the rows. part: how a terminal shows them. named: what they are, the title of a page."""

    table: Sequence[dict[str, Any]]
    part: Part
    named: str

    def title(self) -> str:
        return self.named

    def rows(self) -> list[dict[str, Any]]:
        return list(self.table)

    def printed(self) -> Page:
        return Page(parts=(self.part,))


@analysis("models", NoOptions, Listed, subject="nothing")
def models(subject: None, options: NoOptions, progress: Progress | None = None) -> Listed:
    """List the families that attnviz knows, with their streams and positions.

    A configuration names its family as `model_type`, with - or _. The table shows the meaning of a configuration that
    leaves its keys out: mask `all` sees both ways, `causal` what came before, `window` only what is near and
    `some-windows` that in some layers, `blocks` only some blocks of a long text, `global-tokens` lets some tokens see
    all and be seen by all.

    attnviz models
    attnviz models --json
    """
    from attnviz.families._listing import descriptions

    table, rows = [], []
    for each in descriptions():
        lists = {name: list(getattr(each, name)) for name in ("reads", "streams", "positions", "mask")}
        table.append({"model_type": each.model_type, "family": each.family, "title": each.title, **lists})
        served_by = "" if each.family == each.model_type else f"{each.family}: "
        rows.append(((each.model_type, *map(",".join, lists.values())), served_by + each.title))
    return Listed(
        table,
        Listing(("model_type", "reads", "streams", "positions", "mask", "what it is"), rows),
        "Families of models",
    )


@analysis("describe", NoOptions, Listed, subject="configuration")
def describe(description: dict[str, Any], options: NoOptions, progress: Progress | None = None) -> Listed:
    """Say what attnviz would make of a model, without its weights; or why it cannot be drawn.

    Only config.json of a model on the Hub is fetched. A model that cannot be drawn ends in one line and exit status 1.

    attnviz describe org/name
    attnviz describe path/to/config.json --json
    """
    return Listed([description], Facts(list(_facts(description))), description["model"])


def _facts(description: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "model", description["model"]
    yield "model_type", description["model_type"]
    yield "family", f"{description['family']}: {description['title']}"
    for name in ("reads", "streams", "positions", "masks"):
        yield name, ", ".join(description[name])
    for name, stack in description["stacks"].items():
        kv = "" if stack["kv_heads"] == stack["heads"] else f", {stack['kv_heads']} of keys and values"
        size = f"{stack['layers']} layers x {stack['heads']} heads of {stack['d_head']}{kv}; width {stack['d_model']}"
        yield name if name != "self" else "attention", size
    if description["quantised"]:
        yield "weights", f"quantised: {description['quantised']}"
    yield "ignored keys", ", ".join(description["ignored"]) or "none"


@analysis("tokens", NoOptions, Listed, subject="tokens")
def tokens(tokens: Tokens, options: NoOptions, progress: Progress | None = None) -> Listed:
    """Show how the text is split: index, token, id, characters.

    The indices are the ones that --query, --mark and --tokens take, with the same --words and --no-special. A folder
    with tokenizer files is enough: neither weights nor config.json are needed.

    attnviz tokens "The animal didn't cross the street"
    attnviz tokens "unbelievable" -m minilm --json
    """
    spans = tokens.spans or ((None, None),) * len(tokens)
    axes = (range(len(tokens)), tokens.text, tokens.ids, tokens.words, tokens.special, tokens.segments)
    names = ("index", "token", "id", "word", "special", "segment", "start", "end")
    rows = [dict(zip(names, (*row, *span), strict=True)) for *row, span in zip(*axes, spans, strict=True)]
    return Listed(rows, TokenTable(tokens), f"{len(tokens)} token{'s' if len(tokens) != 1 else ''}")
