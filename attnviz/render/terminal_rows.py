"""Tables, listings, facts, tokens, boards of words and sentences in a terminal; plain columns in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from attnviz.page.numbers import number
from attnviz.render.terminal_layout import GAP, columns, rich_table, widest, widths
from attnviz.render.terminal_screen import Screen, cells, clean, fit

if TYPE_CHECKING:
    from attnviz.page.figure_options import FigureOptions
    from attnviz.page.parts import Facts, Listing, Sentence, Table, TokenTable, WordBoard

WORD, LEAST = 9, 5  # columns of a word on a board: the most it may take, and the fewest
LEAST_SENTENCE = 30  # columns: in a narrower window the sentence goes below its words


def print_table(table: Table, screen: Screen, options: FigureOptions) -> None:
    """Print rows of short texts; a narrow window has narrower gaps, then folds texts. In a pipe '' is `-`."""
    rows = table.texts(options.decimals, piped=screen.plain)
    if screen.plain:
        screen.print(*columns([[text or "-" for text in row] for row in rows], table.header, table.align))
        return
    shown = [[clean(text) for text in row] for row in rows]
    needed = sum(widths(table.header, *shown))
    gap = next((gap for gap in (3, 2) if needed + gap * (len(table.header) - 1) <= screen.width), 1)
    grid = rich_table("dim", gap)
    for i, (name, side) in enumerate(zip(table.header, table.align, strict=True)):
        style, right = "bold" if i in table.bold else "", side == "r"
        grid.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold", style=style)
    for row in shown:
        grid.add_row(*map(Text, row))
    screen.console.print(grid, width=screen.width)


def print_tokens(part: TokenTable, screen: Screen, _: FigureOptions) -> None:
    """Print how a text was split: index, token, id, characters (first:last plus one), word, and what is special.

    In a pipe: `index token id start end word special`, with `-` for what is unknown, and the segment as an eighth
    column if there are two texts.
    """
    tokens = part.tokens
    paired = any(tokens.segments)
    spans = [(start, end) if end > start else ("-", "-") for start, end in tokens.spans or ((0, 0),) * len(tokens)]
    ids, words = ([value if value >= 0 else "-" for value in values] for values in (tokens.ids, tokens.words))
    if screen.plain:
        header = ["index", "token", "id", "start", "end", "word", "special"] + ["segment"] * paired
        marks = ["special" if special else "-" for special in tokens.special]
        rows = zip(range(len(tokens)), tokens.text, ids, *zip(*spans, strict=True), words, marks, strict=True)
        lines = [(*row, *(tokens.segments[i : i + 1] if paired else ())) for i, row in enumerate(rows)]
        screen.print(*columns(lines, header, "rlrrrrlr"))
        return
    table = rich_table("bold", GAP if screen.width >= 60 else 1)
    for name in ("index", "token", "id", "chars", "word"):
        whole = name != "token"
        table.add_column(name, justify="right" if whole else "left", no_wrap=whole, overflow="fold")
    if paired:
        table.add_column("text", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for i, ((start, end), special) in enumerate(zip(spans, tokens.special, strict=True)):
        chars = f"{start}:{end}" if start != "-" else "-"
        segment = [str(tokens.segments[i])] if paired else []
        row = [str(i), tokens.text[i], str(ids[i]), chars, str(words[i]), *segment, "special" if special else ""]
        table.add_row(*(Text(clean(text)) for text in row), style="dim" if special else "")
    screen.console.print(table, width=screen.width)


def print_facts(facts: Facts, screen: Screen, _: FigureOptions) -> None:
    """Print names and values, one pair per line. In a pipe `name  value`, names padded to one width."""
    if screen.plain:
        screen.print(*plain_pairs(facts.pairs))
        return
    table = rich_table()
    table.add_column(style="dim", no_wrap=screen.width >= 40)
    table.add_column(overflow="fold")
    for name, value in facts.pairs:
        table.add_row(Text(clean(name)), Text(clean(value)))
    if facts.pairs:
        screen.console.print(table, width=screen.width)


def plain_pairs(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Lines for a pipe: each name padded to the width of the widest, and its value."""
    shown = [(clean(name), " ".join(clean(value).split())) for name, value in pairs]
    width = widest(name for name, _ in shown)
    return [f"{fit(name, width)}  {value}".rstrip() for name, value in shown]


def print_sentence(sentence: Sentence, screen: Screen, _: FigureOptions) -> None:
    """Print a sentence, after its leading words if it has any: wrapped at a terminal, on one line in a pipe."""
    lead, text = clean(sentence.lead), clean(sentence.text)
    line = Text.assemble((lead, sentence.style), ": " if lead and text else "", text)
    if screen.plain:
        screen.print(line)
    else:
        screen.print_wrapped(line)


def print_listing(listing: Listing, screen: Screen, _: FigureOptions) -> None:
    """Print rows of short words, each with its sentence beside it, or below it where the window is narrow.

    In a pipe the words are in plain aligned columns, and the sentence, whose spaces stay, ends the line.
    """
    rows, header, between = listing.rows, listing.header, listing.between
    if screen.plain:
        screen.print(*_plain_listing(rows, header))
        return
    words = [[clean(word) for word in row] for row, _ in rows]
    sentences = [clean(_folded(sentence, between, listing.fold)) for _, sentence in rows]
    styles = listing.styles or [""] * len(rows)
    room = screen.width - sum(width + GAP for width in widths(*words, *([header[:-1]] if header else [])))
    if room < LEAST_SENTENCE:
        for row, sentence, style in zip(words, sentences, styles, strict=True):
            line = Text((" " * GAP).join(filter(None, row)))
            line.stylize(style, 0, len(row[0]))
            screen.print_wrapped(line)
            screen.print(*screen.wrapped(Text(sentence, "dim"), GAP))
        return
    table = rich_table("bold" if header else None)
    for name in header[:-1] if header else [""] * len(words[0] if words else ()):
        table.add_column(name, no_wrap=True, overflow="fold")
    table.add_column(header[-1] if header else "", overflow="fold")
    for row, sentence, style in zip(words, sentences, styles, strict=True):
        sentence = _in_whole_items(sentence, between, room) if between else sentence
        table.add_row(Text(row[0], style), *map(Text, row[1:]), Text(sentence))
    screen.console.print(table, width=screen.width)


def _folded(sentence: str, between: str, most: int | None) -> str:
    """A list with its first items, and how many more there are. most: None for all."""
    items = sentence.split(between) if most is not None else []
    more = [f"and {len(items[most:])} more"] if items[most:] else []
    return between.join([*items[:most], *more]) if more else sentence


def _in_whole_items(sentence: str, between: str, width: int) -> str:
    """A list in lines that break between items."""
    lines: list[str] = []
    for item in sentence.split(between):
        joined = f"{lines[-1]}{between}{item}" if lines else item
        if lines and cells(joined + between) > width:
            lines[-1] += between.rstrip()
            lines.append(item)
        else:
            lines[-1:] = [joined]
    return "\n".join(lines)


def _plain_listing(rows: Sequence[tuple[Sequence[str], str]], header: Sequence[str]) -> list[str]:
    """Columns of words, then the sentences, which all begin in the same column."""
    lines = columns([[word or "-" for word in words] for words, _ in rows], header[:-1])
    sentences = [*header[-1:], *(" ".join(clean(sentence).split()) for _, sentence in rows)]
    width = widest(lines)
    return [f"{fit(line, width + GAP)}{sentence}".rstrip() for line, sentence in zip(lines, sentences, strict=True)]


def print_board(board: WordBoard, screen: Screen, _: FigureOptions) -> None:
    """Print a word for every head, shortened to fit; larger numbers are bold. In a pipe a line per head.

    A board of one row may leave the name of the row and of its axis empty.
    """
    rows, cols, axes, values = board.rows, board.cols, board.axes, board.values
    if screen.plain:
        lines = [
            [*([row] if axes[0] else []), col, board.words[i][j], number(float(values[i, j]), 2)]
            for i, row in enumerate(rows)
            for j, col in enumerate(cols)
        ]
        header = [*filter(None, axes), "word", "value"]
        screen.print("", *columns(lines, header, "rrlr"[-len(header) :]))
        return
    words = [[clean(word) for word in row] for row in board.words]
    if board.numbered:
        digits = [[number(float(value), 2) for value in row] for row in values]
        words = [[" ".join(pair) for pair in zip(*rows, strict=True)] for rows in zip(digits, words, strict=True)]
    first, longest = widest(rows) + 2, max(map(widest, words))
    room = screen.width - first
    abreast = max(room // (max(min(longest, WORD), LEAST) + 1), 1)
    if len(cols) > abreast and room // len(cols) > LEAST:
        abreast = len(cols)
    width = min(room // min(abreast, len(cols)) - 1, max(longest, LEAST))
    shares = abs(values).astype(float) / max(float(abs(values).max()), 1e-9)
    screen.print("")
    screen.print_wrapped(f"{board.heading}, down {axes[0]}s, along {axes[1]}s" if axes[0] else board.heading, "dim")
    for start in range(0, len(cols), abreast):
        part = range(start, min(start + abreast, len(cols)))
        line = fit("", first) + " ".join(fit(cols[j], width) for j in part)
        screen.print(*([""] if start else []), Text(line.rstrip(), "dim"))
        for row, name, share in zip(words, rows, shares, strict=True):
            shown = Text(fit(name, first), "dim")
            for j in part:
                shown.append(fit(row[j], width) + " ", "bold" if share[j] >= 0.5 else "" if share[j] >= 0.15 else "dim")
            shown.rstrip()
            screen.print(shown)
