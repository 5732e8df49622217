"""Options that several commands share, each group declared once as a dataclass; `expand.command` hands them over.

A group checks its own values: what is wrong by itself ends with exit status 2 before any work.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from attnviz.errors import AttnvizError, InputError, one_of
from attnviz.flags import PICK, QUERY_HELP, argument, option, same

if TYPE_CHECKING:
    from attnviz.select import Chosen


class UsageError(AttnvizError):
    """The command line itself is wrong: exit status 2."""


IN, MODEL, SHADE, PAGE, OUT, TALK = "Input", "Model", "Colours and numbers", "Page", "Output", "Messages"
_TEXT_HELP = "The text; '-' reads standard input. A text that begins with '-' goes after '--'."
OUTPUT_HELP = "Output file; the extension selects the format. '-' is standard output."
_COMMA = "all, 3, -1, 0-3 or 0,2,5, counted from 0."
# What --head takes, and where it means less.
HEADS = f"{_COMMA} 3.1,5.11: heads of different layers, head 1 of layer 3, then head 11 of layer 5."
HEADS_OF_ALL = " In this command: heads of all layers, whose mean is followed."
ONE_HEAD = " In this command: one head, 1 or 3.1."


@dataclass(frozen=True)
class Input:
    """The model's input: one of text, file, ids, image and sound."""

    text: str | None = argument(_TEXT_HELP, metavar="TEXT")
    file: str | None = option(None, "Read the text from a file: all of it is one text.", metavar="PATH", panel=IN)
    pair: str | None = option(None, "A second text, as for entailment.", metavar="TEXT", panel=IN)
    target: str | None = option(None, "The decoder's text, in an encoder-decoder.", metavar="TEXT", panel=IN)
    ids: str | None = option(None, "Token ids instead of a text, used as they are.", metavar="101,2054,...", panel=IN)
    image: str | None = option(None, "A picture, for a model that reads images.", metavar="FILE", panel=IN)
    audio: str | None = option(None, "A WAV file, for a model that reads sound.", metavar="FILE", panel=IN)
    chat: bool = option(False, "Read the text as a user's turn, in the model's own chat template.", panel=IN)
    chat_date: str | None = option(
        None, "With --chat: the day that the template may write.", metavar="YYYY-MM-DD", panel=IN
    )
    global_tokens: str | None = option(
        None,
        "Tokens that see all and are seen by all, by index (Longformer, LED). Default: the first of a text.",
        metavar="0,5",
        panel=IN,
    )

    def ways(self) -> list[str]:
        """The ways in which an input was given."""
        names = [name for name in ("text", "file", "ids", "image", "audio") if getattr(self, name) is not None]
        return ["TEXT" if name == "text" else f"--{name}" for name in names]

    def __post_init__(self) -> None:
        if len(self.ways()) > 1:
            usage(f"{' and '.join(self.ways())}: wanted one of them")
        for name, value in (("--ids", self.ids), ("--image", self.image), ("--audio", self.audio)):
            if value is not None and self.pair is not None:
                usage(f"--pair needs a text, not {name}")
            if value is not None and self.chat:
                usage(f"--chat needs a text, not {name}")
        if self.chat_date is not None and not self.chat:
            usage("--chat-date needs --chat")
        if self.chat and self.pair is not None:
            usage("--chat and --pair exclude each other: a turn is one text")
        self.numbers()
        self.everywhere()

    def numbers(self) -> list[int] | None:
        """--ids as numbers."""
        return _numbers("--ids", self.ids, "101,2054,102")

    def everywhere(self) -> list[int] | None:
        """--global-tokens as numbers."""
        return _numbers("--global-tokens", self.global_tokens, "0,5")

    def read(self) -> str | None:
        """The text, wherever it stands. Raises InputError if it is not UTF-8 or cannot be read."""
        from attnviz.files.text import read_stream, read_text

        if self.file not in (None, "-"):
            place = Path(str(self.file))
            if place.is_dir() or not place.exists():
                raise InputError(f"no such text file: {str(place)!r}")
            return read_text(place)
        if "-" in (self.text, self.file):
            return read_stream(sys.stdin.buffer, "standard input")
        return None if self.text is None else _sound(self.text)


@dataclass(frozen=True)
class Saved:
    """Attention from a file instead of a model."""

    saved: str | None = option(
        None,
        "Attention saved earlier as .npz, or .npy, .npz, .pt or .safetensors of another program. "
        ".json and .csv are not read.",
        "--from",
        metavar="FILE",
        panel=IN,
    )
    key: str | None = option(None, "Which array, if a file has several.", metavar="NAME", panel=IN)
    labels: str | None = option(None, "Tokens for --from, one a line.", metavar="FILE", panel=IN)
    key_labels: str | None = option(None, "The keys' tokens, where they differ.", metavar="FILE", panel=IN)

    def __post_init__(self) -> None:
        for name, value in (("--key", self.key), ("--labels", self.labels), ("--key-labels", self.key_labels)):
            if value is not None and self.saved is None:
                usage(f"{name} needs --from")


@dataclass(frozen=True)
class Joined:
    """Tokens or words, with or without the special ones."""

    words: bool = option(False, "Words instead of pieces: keys summed, queries averaged.")
    no_special: bool = option(False, "Without the special tokens.")


@dataclass(frozen=True)
class HeadsOfModel:
    """Which layers and heads of which stack."""

    layer: str | None = option(None, f"{_COMMA} Default: {{layers}}.", "-l", "--layer", metavar="LAYERS")
    head: str = option("all", f"{HEADS}{{heads}}", "-H", "--head", metavar="HEADS", shown=True)
    stream: str | None = option(
        None, "self, encoder, decoder or cross. Default: what the input suggests.", metavar="NAME"
    )

    def __post_init__(self) -> None:
        from attnviz.select import of_pairs, parse_heads, parse_indices

        _parsed("--layer", self.layer, parse_indices)
        _parsed("--head", self.head, parse_heads)
        if self.layer is not None and of_pairs(self.head):
            usage(f"--head {self.head} names the layers of its heads: leave out --layer {self.layer}")
        streams = ("self", "encoder", "decoder", "cross")
        if self.stream is not None and self.stream not in streams:
            usage(one_of("--stream", self.stream, streams))

    def among(self, n_layers: int, n_heads: int, layers: str = "all") -> Chosen:
        """The layers and heads of a model of that size. layers: which layers, if none is named."""
        from attnviz.select import chosen_heads, of_pairs

        return chosen_heads(None if of_pairs(self.head) else self.layer or layers, self.head, n_layers, n_heads)


@dataclass(frozen=True)
class Heads(HeadsOfModel, Joined):
    """Which layers and heads, of tokens or of words."""


@dataclass(frozen=True)
class Selection(Heads):
    """Which layers, heads and tokens. Token indices count what --words and --no-special leave, from 0."""

    query: str | None = option(None, QUERY_HELP, metavar="TOKEN", panel=PICK)
    tokens: str | None = option(None, "Only these tokens, by index, on both axes.", metavar="3-9")
    rows: str | None = option(None, "Only these queries of a long text, by index.", metavar="40-60")
    cols: str | None = option(None, "Only these keys of a long text, by index.", metavar="40-60")
    cells: int | None = option(
        None,
        "Pool a longer text to at most N x N cells a head, as it is computed. "
        "Default: 512 for heatmap, 256 for table, none for export.",
        metavar="N",
        low=1,
        panel=PICK,
    )
    pool: str = option("max", "What a cell keeps: max or mean.", metavar="HOW", shown=True)
    mean: str | None = option(
        None, "heads or layers: the mean over the ones that are chosen, in one map.", metavar="AXIS"
    )

    own_heads: bool = option(False, "Each head's own weights where the reference gives their mean (WavLM).")

    def __post_init__(self) -> None:
        from attnviz.select import parse_range

        if self.pool not in ("max", "mean"):
            usage(one_of("--pool", self.pool, ("max", "mean")))
        super().__post_init__()
        for name in ("tokens", "rows", "cols"):
            _parsed(f"--{name}", getattr(self, name), parse_range)

    def window(self, which: str) -> tuple[int, int] | None:
        """`--rows 40-60` -> (40, 61), or None. which: rows or cols."""
        from attnviz.select import parse_range

        text = getattr(self, which)
        if text is None:
            return None
        first, last = parse_range(text)
        return first, last + 1

    def pooled(self, default: int | None) -> int | None:
        """The number of cells to pool to: --cells, else the default unless single tokens are asked for."""
        single = (self.words, self.no_special, self.query, self.tokens, self.rows, self.cols)
        return self.cells if self.cells is not None or any(single) else default


@dataclass(frozen=True)
class Head:
    """One layer and one head."""

    layer: str | None = same(HeadsOfModel, "layer")
    head: str | None = same(HeadsOfModel, "head")
    stream: str | None = same(HeadsOfModel, "stream")

    def __post_init__(self) -> None:
        HeadsOfModel(stream=self.stream)

    def indices(self, why: str) -> tuple[str | None, str | None]:
        """--layer and --head as single indices; -H 3.1 is -l 3 -H 1.

        why: what the command shows of one, as in "qk shows one {}".
        """
        layer, head = self.layer, self.head
        both = re.fullmatch(r"(-?\d{1,8})\.(-?\d{1,8})", head or "")
        if both and layer is not None:
            usage(f"--head {head} names the layer of its head: leave out --layer {layer}")
        layer, head = both.groups() if both else (layer, head)
        for name, value in (("--layer", layer), ("--head", head)):
            if value is not None and (not value.removeprefix("-").isdecimal() or len(value) > 9):
                pair = re.match(r"\d{1,8}\.\d{1,8}", value) if name == "--head" else None
                example = f"{name} 0, or one layer.head, as in {name} {pair[0]}" if pair else f"{name} 0"
                usage(f"{name} wants one index, as in {example}: {why.format(name[2:])}; got {value!r}")
        return layer, head


@dataclass(frozen=True)
class Output:
    """Where a file goes."""

    output: str | None = option(
        None,
        OUTPUT_HELP,
        "-o",
        "--output",
        metavar="PATH",
        panel=OUT,
    )
    format: str | None = option(None, "Output format when there is no extension.", metavar="NAME", panel=OUT)
    print_plan: bool = option(
        False, "Print this command as an entry of a plan, for attnviz figures; nothing else is done.", panel=OUT
    )

    def chosen(self, formats: tuple[str, ...], default: str) -> str:
        """The format, by --format or by the extension. Raises UsageError for one that is not among `formats`."""
        wanted = self.format.lower().removeprefix(".") if self.format is not None else None
        if wanted is not None and wanted not in formats:
            usage(one_of("--format", self.format, formats))
        if self.output is None or self.output == "-" or self.output.startswith("/dev/"):
            return wanted or default
        ending = Path(self.output).suffix.lower().removeprefix(".")
        if wanted is None and ending not in formats:
            got = f"ends in '.{ending}'" if ending else "has no extension"
            pgf = ending == "tex" and "pgf" in formats
            hint = "for TeX write a .pgf, which \\input reads" if pgf else "or say which with --format"
            usage(f"{self.output!r} {got}; wanted .{', .'.join(formats)}", hint)
        if wanted is not None and ending in formats and ending != wanted:
            usage(f"--format {wanted} and the extension of {self.output!r} disagree")
        return wanted or ending


@dataclass(frozen=True)
class Json:
    """Machine-readable output."""

    json: bool = option(False, "A flat list of JSON objects.", panel=OUT)


@dataclass(frozen=True)
class Talk:
    """Messages about results, all on standard error."""

    quiet: bool = option(False, "Only errors.", "-q", "--quiet", panel=TALK)
    verbose: bool = option(False, "What was read, and how long it took.", "-v", "--verbose", panel=TALK)

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            usage("--quiet and --verbose exclude each other")
        if self.quiet:
            import warnings

            warnings.simplefilter("ignore")  # until `main` puts the filters back

    def note(self, text: str) -> None:
        """Say something that the user will want to know."""
        if not self.quiet:
            print(text, file=sys.stderr)

    def warn(self, text: str) -> None:
        """Say that a result is not what it may seem."""
        self.note(f"warning: {text}")

    def detail(self, text: str) -> None:
        """Say something that only --verbose shows."""
        if self.verbose:
            print(text, file=sys.stderr)


def usage(message: str, hint: str = "") -> NoReturn:
    """End with exit status 2."""
    raise UsageError(message, hint)


def _parsed(name: str, value: str | None, parse: Callable[[str], object]) -> None:
    """Check that a value can be read, if there is one; what `parse` finds wrong is wrong usage."""
    if value is not None:
        try:
            parse(value)
        except AttnvizError as error:
            usage(f"{name}: {error}", error.hint)


def _numbers(name: str, value: str | None, example: str) -> list[int] | None:
    """An option's comma-separated numbers, None where it was not given."""
    if value is None:
        return None
    words = value.replace(",", " ").split()
    if not words or not all(word.isdecimal() and len(word) < 12 for word in words):
        usage(f"{name} wants numbers such as {example}; got {value!r}")
    return [int(word) for word in words]


def _sound(text: str) -> str:
    """Text from the command line. Bytes that the locale's encoding lacks arrive as lone surrogates.

    In the locale C that is every byte of UTF-8 beyond ASCII. Raises InputError for bytes that are not UTF-8.
    """
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        pass
    try:
        return os.fsencode(text).decode("utf-8")
    except UnicodeError as error:
        raise InputError("the text is not UTF-8") from error
