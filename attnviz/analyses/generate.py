"""`attnviz generate`: a model continues a text, and what its heads look at meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.analyses.base import Request, Result, analysis, option, top_option
from attnviz.attention import joined
from attnviz.errors import SelectionError
from attnviz.facts import dotted, facts_of, head_name, randomness
from attnviz.files.memory import bytes_of
from attnviz.measures.generated import Tally
from attnviz.measures.lift import strongest
from attnviz.models.generate import Continuation, continued
from attnviz.page.numbers import number
from attnviz.page.parts import Board, Boards, Details, Explorer, MapGrid, Page, Sentence, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.facts import SourceFacts
    from attnviz.models.model import Progress
    from attnviz.models.prompt import Prompt

COUNT = 12  # heads that are listed, and that a picture has where nobody chooses any
NUMBERS = ("", "npz", "json", "csv", "html")  # what is no picture
ANIMATIONS = ("gif", "apng")
SHOWS = ("head", "token", "map", "text")


@dataclass(frozen=True)
class Options:
    """The length of the new text, and which results are shown."""

    max_new: int = option(
        20, "New tokens at most; one that ends the text stops it before.", metavar="N", low=1, shown=True
    )
    by: str | None = option(
        None, "What is shown: numbers of each head, each new token and what it looked at, maps or the text alone.",
        choices=SHOWS,
    )  # fmt: skip
    top: int | None = top_option()
    keep_weights: str | None = option(
        None, "Memory for quantised weights unpacked once for all tokens, as in 4GB; default: half of what is free.",
        metavar="SIZE",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if self.keep_weights is not None:
            bytes_of(self.keep_weights)


@dataclass(frozen=True, eq=False, kw_only=True)
class GeneratedText(Continuation, Result):
    """A continuation, with what the attention of its new tokens says of the heads.

    retrieval, lookback: [layer, head] of all layers and heads, as `attnviz.measures.generated` defines them. copied:
    how many new tokens the prompt has too. shown: the attention as it is drawn and saved, in words if asked for.
    every: whether all layers and heads are kept.
    """

    facts: SourceFacts
    retrieval: NDArray[np.float64]
    lookback: NDArray[np.float64]
    copied: int
    shown: Attention
    every: bool
    options: Options
    animated = True

    @property
    def messages(self) -> Sequence[str]:  # type: ignore[override]
        settings = f"greedy: the model's own settings are ignored: {', '.join(self.ignored)}" if self.ignored else ""
        places = f"ended after {len(self.new)} tokens: the model has no more positions"
        return [*filter(None, [settings]), *([places] if self.ended == "positions" else [])]

    def rows(self) -> list[dict[str, Any]]:
        """One row per head, or per new token."""
        return self._tokens() if self.options.by == "token" else self._heads()[: self.options.top]

    def arrays(self) -> Attention:
        """The attention of the new tokens."""
        return self.shown

    def page(self) -> Page:
        if self.options.by != "head":
            return Page("", parts=(MapGrid(self._leading()),))
        boards = [Board(self._of_maps(self.retrieval), "share fetched", "retrieval", high=1.0)]
        notes = [f"{len(self.new)} new tokens, {self.copied} of them in the prompt"]
        notes.append("retrieval: the share of these that a head's strongest weight lay on (Wu 2024)")
        if self._looks_back:
            boards.append(Board(self._of_maps(self.lookback), "share of prompt", "lookback", high=1.0))
            notes.append("lookback: mean weight on the prompt against that on new tokens (Chuang 2024)")
        parts = (Boards(tuple(boards), **self.facts.axes()),)
        return Page(self.facts.model, randomness(self.facts.meta), parts, tuple(notes))

    def browser(self) -> Page:
        """The text, boards of both numbers, every head, and the new tokens."""
        boards = replace(self, options=replace(self.options, by="head")).page()
        whole = len(self.shown.queries) == len(self.new) and self.shown.stream != "cross"
        details = Details(generated=len(self.shown.keys) - len(self.new) + 1 if whole else None)
        text = [Sentence(line, "" if i else "new text") for i, line in enumerate(self.text.split("\n"))]
        explorer = Explorer((self.shown,), details=(details,), start={"view": "text"})
        return replace(
            boards,
            title=f"{self.facts.title()} · generated",
            subtitle=dotted(f"{len(self.new)} new tokens", boards.subtitle),
            parts=(*text, explorer, *boards.parts, *self._table_of_tokens().parts),
            notes=(*boards.notes[1:], *self.facts.remarks()),
        )

    def printed(self) -> Page:
        by = self.options.by or "head"
        if by == "map":
            return Page("", parts=(MapGrid(self.shown),))
        text = Page("", parts=tuple(Sentence("", line, "bold") for line in self.text.split("\n")))
        if by == "text":
            return text
        following = self._table_of_tokens() if by == "token" else self._table_of_heads()
        return replace(text, following=(following,))

    @property
    def _looks_back(self) -> bool:
        """Whether the prompt and new tokens are keys in the same rows."""
        return bool((self.lookback == self.lookback).any())

    def _of_maps(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """[layer, head] of the model -> of the layers and heads that were chosen."""
        layers, heads = zip(*self.attention.places, strict=True)
        return values[list(layers), list(heads)].reshape(self.facts.shape)

    def _heads(self) -> list[dict[str, Any]]:
        """One row per head, the head that fetches most first."""
        rows: list[dict[str, Any]] = [
            {"layer": i, "head": j, "retrieval": float(self.retrieval[i, j]), "lookback": float(self.lookback[i, j])}
            for i, j in self.attention.places
        ]

        def rank(row: dict[str, Any]) -> tuple[float, float, int, int]:
            first, second = (-value if value == value else 1.0 for value in (row["retrieval"], row["lookback"]))
            return first, second, row["layer"], row["head"]

        return sorted(rows, key=rank)

    def _leading(self) -> Attention:
        """The heads that lead the table, unless heads were selected; a note says so."""
        count = self.options.top or COUNT
        if not self.every or len(self.shown.places) <= count:
            return self.shown
        ranked = self._heads()
        fetching = [row for row in ranked if row["retrieval"] > 0]
        best = [head_name(row["layer"], row["head"]) for row in (fetching or ranked)[:count]]
        by = "retrieval" if fetching else "lookback" if self._looks_back else ""
        which = f"the ones with the highest {by}" if by else "the first"
        note = f"{len(best)} of {len(self.shown.places)} heads, {which}; -l all draws all"
        leading = self.shown.select(heads=best)
        return replace(leading, meta={**leading.meta, "notes": [*leading.meta["notes"], note]})

    def _tokens(self) -> list[dict[str, Any]]:
        """One row per new token, with the weight that stands out most in its rows."""
        rows = []
        for i, (token, id) in enumerate(zip(self.new.text, self.new.ids, strict=True)):
            best = strongest(self.attention, query=i)
            rows.append(
                {
                    "index": i,
                    "token": token,
                    "id": id,
                    "probability": self.probabilities[i],
                    "key": best.key,
                    "key_token": self.attention.key_tokens[best.key],
                    "layer": best.layer,
                    "head": best.head,
                    "weight": best.weight,
                    "lift": best.lift,
                }
            )
        return rows

    def _table_of_heads(self) -> Page:
        rows = [
            [str(row["layer"]), str(row["head"]), _share(row["retrieval"]), _share(row["lookback"])]
            for row in self._heads()[: self.options.top or COUNT]
        ]
        notes = [
            f"retrieval: of {self.copied} of {len(self.new)} new tokens that are in the prompt, the share it looked at "
            "most"
        ]
        if self._looks_back:
            notes.append("lookback: its mean weight on the prompt against that on new tokens, from 0 to 1")
        table = Table(("layer", "head", "retrieval", "lookback"), rows, "rrrr", bold=(2,))
        return Page("", parts=(table,), notes=tuple(notes))

    def _table_of_tokens(self) -> Page:
        names = ("index", "token", "id", "probability", "key_token", "key", "layer", "head", "weight", "lift")
        rows = [
            [_share(row[name]) if isinstance(row[name], float) else str(row[name]) for name in names]
            for row in self._tokens()
        ]
        header = ("", "token", "id", "p", "looked at", "at", "layer", "head", "weight", "lift")
        return Page("", parts=(Table(header, rows, "rlrrlrrrrr", bold=(1, 4)),))


def _share(value: float) -> str:
    return number(value, 2) if value == value else ""


def _refuse(options: Options, request: Request) -> None:
    if request.format not in NUMBERS and options.by in ("token", "text"):
        raise SelectionError(f"--by {options.by} has no picture", "--by map or --by head have")
    if request.format in ANIMATIONS and options.by == "head":
        raise SelectionError(f"a .{request.format} shows maps, token by token", "leave out --by head")


@analysis(
    "generate", Options, GeneratedText, subject="prompt", maps="grid", stem="generated", progress_label="new tokens",
    refuses=_refuse,
)  # fmt: skip
def generate(prompt: Prompt, options: Options, progress: Progress | None = None) -> GeneratedText:
    """Continue a text, token by token, and say what each head looked at meanwhile.

    The likeliest token is taken each time. Decoders continue TEXT; encoder-decoders answer it, and --target begins
    their answer. retrieval: the share of copied tokens that a head's strongest weight lay on (Wu 2024); lookback: how
    much it attends to the prompt rather than to new tokens (Chuang 2024). -o draws the attention of new tokens to all
    before them, of the 12 leading heads unless -l, -H or --top select heads, or with --by head boards of both numbers;
    .gif and .apng show it token by token, .npz holds it for --from. The seeded model chooses among its prompt's words.

    attnviz generate "The capital of France is" -m model.gguf --max-new 12
    attnviz generate "The capital of France is" -m model.gguf -l 12 -H 3 -o new.png
    attnviz generate "the cat saw the dog and" --max-new 8 -o new.gif
    attnviz generate "the cat saw the dog and" --by token
    attnviz generate "My cat is called Mimi. My cat is called" -m model.gguf --json
    """
    if options.keep_weights is not None:
        prompt.model.keep_weights(bytes_of(options.keep_weights))
    stream = "cross" if prompt.crosses else prompt.stream
    tally = Tally(prompt.context.ids, prompt.spec.n_layers, prompt.spec.n_heads, one_text=not prompt.crosses)
    continuation = continued(prompt, options.max_new, lambda step: tally.add(step.rows[stream], step.id), progress)
    shown = joined(continuation.attention, prompt.words, prompt.special)
    return GeneratedText(
        **vars(continuation),
        facts=facts_of(shown),
        retrieval=tally.retrieval(),
        lookback=tally.lookback(),
        copied=tally.copied,
        shown=shown,
        every=prompt.every,
        options=options,
    )
