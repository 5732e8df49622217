"""Page: what a result looks like before it is a picture: a list of parts that knows nothing of points or pixels.

`page.place` places the parts for PNG, SVG and PDF; `render.printer` prints them in a terminal. A new kind of part
needs an entry in both, a new analysis in neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from attnviz.attention import Attention
    from attnviz.axis import Tokens
    from attnviz.measures.steps import Steps
    from attnviz.measures.tensors import TensorRow

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Board:
    """One number per head, rows are layers from top to bottom, columns are heads.

    values: [layer, head]; NaN is drawn grey. heading: above the board. label: beside the colour bar. signed: colours
    diverge from 0. low, high: ends of the colours; by default 0 and a round number above all values. marks: (row,
    column) of cells to outline. cell_text: texts [row][column] for the cells; None for the numbers where they fit,
    () for none. least: [layer, head], what a head must reach; the number of one that does not is cut where rounding
    would reach it.
    """

    values: NDArray[Any]
    label: str = "weight"
    heading: str = ""
    signed: bool = False
    low: float = 0.0
    high: float | None = None
    marks: tuple[tuple[int, int], ...] = ()
    cell_text: Sequence[Sequence[str]] | None = None
    least: NDArray[Any] | None = None


@dataclass(frozen=True, eq=False)
class Boards:
    """Boards of the same layers and heads. layers, heads: names of rows and columns; axes: what these are."""

    boards: tuple[Board, ...]
    layers: Sequence[str]
    heads: Sequence[str]
    axes: tuple[str, str] = ("layer", "head")
    abreast: int | None = None


@dataclass(frozen=True, eq=False)
class Depth:
    """One number per head against the layer, with a line through the layers' means. values: [layer, head]."""

    values: NDArray[Any]
    layers: Sequence[str]
    label: str


@dataclass(frozen=True)
class Entry:
    """One line of `Bars`: what is ranked, the head where it stands out most, its weight there and its lift."""

    text: str
    head: str
    weight: float
    lift: float


@dataclass(frozen=True)
class Bars:
    """A ranked list with two bars a line: the weight in pale blue, the lift in dark blue over it."""

    heading: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, eq=False)
class SignedMap:
    """One matrix of `SignedMaps`. values: [row, column]; hidden: True where no attending was allowed; None: nowhere.

    name: of what it is a map; remark: a number or a few words beside the name.
    """

    name: str
    values: NDArray[Any]
    hidden: NDArray[Any] | None = None
    remark: str = ""


@dataclass(frozen=True, eq=False)
class SignedMaps:
    """Maps of the same rows and columns, on one scale that diverges from 0.

    rows, cols: names of the tokens; label: what the colours show. legend: remarks on colours and names.
    """

    maps: tuple[SignedMap, ...]
    rows: Sequence[str]
    cols: Sequence[str]
    label: str
    legend: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Distances:
    """How far things are apart: a matrix in the order of the dendrogram that stands above it.

    values: [thing, thing], symmetric. names: of the things. order: their positions from one end of the dendrogram to
    the other. joins: (first, second, height); things are 0 to n-1, then joins are n, n+1, ... unit: what a thing is.
    """

    values: NDArray[Any]
    names: Sequence[str]
    order: Sequence[int]
    joins: Sequence[tuple[int, int, float]]
    unit: str


@dataclass(frozen=True, eq=False)
class Scatter:
    """Points in a plane, both axes on one scale, coloured by group.

    points: [point, 2]; names: beside them where they fit. groups: a number per point; group: what the number is, such
    as the layer, or the names of groups 0 and 1. axes: what the axes show. stressed: points whose names always stand.
    links: (point, point, weight) of lines as thick as the weight, which is at most 1; link: what they show.
    """

    points: NDArray[Any]
    names: Sequence[str]
    groups: Sequence[int]
    group: str | tuple[str, str]
    axes: Sequence[str] = ("", "")
    stressed: tuple[int, ...] = ()
    links: Sequence[tuple[int, int, float]] = ()
    link: str = ""


@dataclass(frozen=True, eq=False)
class DotProduct:
    """Two vectors, their products dimension by dimension, and what follows from the sum of the products.

    names: of the vectors, such as q and k; tokens: whose they are. steps: (operation, number), from the sum on.
    summary: all of it in one line, for a caption.
    """

    names: tuple[str, str]
    tokens: tuple[str, str]
    vectors: tuple[NDArray[Any], NDArray[Any]]
    steps: Sequence[tuple[str, str]]
    summary: str = ""

    @property
    def products(self) -> NDArray[Any]:
        """float64, one per dimension."""
        first, second = self.vectors
        return first.astype(float) * second.astype(float)


@dataclass(frozen=True)
class Link:
    """One line, from the query at `row` to the key at `col`. strand: which of the panel's heads it belongs to."""

    row: int
    col: int
    value: float
    strand: int = 0


@dataclass(frozen=True, eq=False)
class LinesPanel:
    """One panel of `LinesOfWeight`.

    links: in the order in which they are drawn: those to resting places, then the weakest first. strands: names of
    the heads whose lines they are, at: (layer, head) of each by name.
    """

    title: str
    links: tuple[Link, ...]
    strands: tuple[str, ...]
    at: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class LinesOfWeight:
    """A text twice, queries at the left and keys at the right, with lines between that are as thick as their weight.

    rows, cols: the tokens; breaks: the positions among both at which another text begins. high: the weight of the
    thickest line; clipped: how many lines have more. label: what a line shows. row: the one query whose lines are
    shown. rests: keys to which lines are grey. overlay: heads lie over each other, in colours of their own. per_layer:
    how many maps make up a layer.
    """

    panels: tuple[LinesPanel, ...]
    rows: tuple[str, ...]
    cols: tuple[str, ...]
    high: float
    label: str = "weight"
    row: int | None = None
    rests: frozenset[int] = frozenset()
    clipped: int = 0
    overlay: bool = False
    per_layer: int = 1
    breaks: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())


@dataclass(frozen=True)
class Paragraph:
    """The words of a `RunningText` shaded by one head. at: its layer and head by name; values: a number per word."""

    title: str
    values: tuple[float, ...]
    at: tuple[str, str]


@dataclass(frozen=True)
class RunningText:
    """A text in lines, a paragraph per head, shaded by what one token gives to each word.

    spaced: which word has a space before it. high: the number of the darkest shade; label: what it is. chosen: the
    position of that token, None where it is not in this text.
    """

    paragraphs: tuple[Paragraph, ...]
    words: tuple[str, ...]
    spaced: tuple[bool, ...]
    high: float
    label: str = "weight"
    chosen: int | None = None


@dataclass(frozen=True)
class Table:
    """Rows of short texts under a header. align: a letter per column, `l` or `r`. bold: columns to stress.

    A float among the texts is printed with the digits that are asked for. piped: the rows that a pipe gets where they
    are others: all of them, in their own order.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str | float]]
    align: str
    bold: Sequence[int] = ()
    piped: Sequence[Sequence[str]] | None = None

    def texts(self, decimals: int = 2, *, piped: bool = False) -> list[list[str]]:
        """The rows as they are shown, or as a pipe gets them."""
        rows = self.piped if piped and self.piped is not None else self.rows
        return [[cell if isinstance(cell, str) else f"{cell:.{decimals}f}" for cell in row] for row in rows]


@dataclass(frozen=True)
class Sentence:
    """A line of words. lead: words in front of it, in `style`, and a colon where both are there."""

    text: str
    lead: str = ""
    style: str = ""


@dataclass(frozen=True)
class Facts:
    """Names and values, one pair per line."""

    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class TokenTable:
    """How a text was split: the index, text, id, characters and word of each token."""

    tokens: Tokens


@dataclass(frozen=True)
class TensorTable:
    """The tensors of a model with their statistics, and their total."""

    tensors: Sequence[TensorRow]


@dataclass(frozen=True, eq=False)
class TensorValues:
    """One tensor: its statistics, a map and a histogram.

    stored, ours: its name in the file and in attnviz. dtype: as the file calls it. values: of any shape and any number
    type that converts to float64.
    """

    stored: str
    ours: str
    dtype: str
    values: NDArray[Any]


@dataclass(frozen=True)
class Listing:
    """Rows of short words, each with a sentence.

    between: what separates the sentence's items, where it is a list. fold: how many items a window shows; None: all.
    """

    header: Sequence[str]
    rows: Sequence[tuple[Sequence[str], str]]
    between: str = ""
    fold: int | None = None
    styles: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class WordBoard:
    """A word and a number per head. words, values: [row][column]; rows, cols: their names; axes: what these are."""

    heading: str
    words: Sequence[Sequence[str]]
    values: NDArray[Any]
    rows: Sequence[str]
    cols: Sequence[str]
    axes: tuple[str, str] = ("layer", "head")


DIAGRAMS = ("qkv", "scores", "heads")


@dataclass(frozen=True, eq=False)
class Walk:
    """One query's way through one head, step by step: formulas with shapes, and the numbers of each step.

    decimals: digits after the point; in a picture 0 means no numbers.
    """

    steps: Steps
    decimals: int = 2


@dataclass(frozen=True, eq=False)
class Diagrams:
    """The same way as diagrams. parts: of DIAGRAMS: a token through W_Q, W_K and W_V; its scores; heads into W_O."""

    steps: Steps
    parts: Sequence[str] = DIAGRAMS
    decimals: int = 2


@dataclass(frozen=True, eq=False)
class MapGrid:
    """Every map of an Attention, a panel each. It words its own title, subtitle and notes: the page may leave them ''.

    query: the index of the one query whose row is shown; None for all. marks: (query, key) of cells to outline.
    """

    attention: Attention
    query: int | None = None
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, eq=False)
class MapTable:
    """Maps of several numbers side by side, on one colour scale but for those with signs.

    columns: by heading, each an Attention of the same layers, heads and tokens. rows: names of its maps, in order;
    by: what they are, layer or head. label: beside the colour bar.
    """

    columns: Mapping[str, Attention]
    rows: Sequence[str]
    by: str
    label: str


@dataclass(frozen=True, eq=False)
class Plot:
    """One small plot. curves: numbers from 0 to 1 against their rank, [n] each. remark: below it."""

    heading: str
    curves: tuple[NDArray[Any], ...]
    remark: str = ""


@dataclass(frozen=True)
class Plots:
    """Small plots side by side. curves: the names of the curves of each, in order."""

    plots: tuple[Plot, ...]
    curves: tuple[str, ...]


DISTANCE = (
    "distance, error: mean over queries of half the summed absolute difference from the model's own attention, which "
    "is total variation where rows sum to 1"
)


@dataclass(frozen=True, eq=False)
class Card:
    """One mechanism: its attention in one layer and one head.

    detail: its numbers in words. distance: from the model's own attention. exact: not an approximation.
    """

    name: str
    group: str
    formula: str
    cost: str
    distance: float
    attention: Attention
    detail: str = ""
    exact: bool = True

    @property
    def values(self) -> NDArray[Any]:
        return self.attention.weights[0, 0]

    @property
    def hidden(self) -> NDArray[Any] | None:
        mask = self.attention.mask
        return None if mask is None or mask.all() else ~mask[0]

    @property
    def signed(self) -> bool:
        """Whether some weights are below 0, rounding aside."""
        return bool(self.values.min(initial=0.0) < -1e-6)

    @property
    def keys(self) -> float:
        """How many keys a query sees, on average."""
        mask = self.attention.mask
        return float(self.values.shape[1]) if mask is None else float(mask[0].sum(-1).mean())

    @property
    def said(self) -> str:
        """`distance 0.61`, `error 0.43`."""
        value = f"{self.distance:.2f}" if self.distance > 1e-6 else "0"
        return f"{'distance' if self.exact else 'error'} {value}"


@dataclass(frozen=True, eq=False)
class Cards:
    """Kinds of attention on one text, a card with a map each. grouped: those of one group stand under its name.

    left_out: names of kinds that this model or text cannot have.
    """

    cards: tuple[Card, ...]
    grouped: bool = True
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timing:
    """Seconds of one mechanism for n tokens, and the exponent of its fit. setting: its name with its numbers."""

    name: str
    group: str
    setting: str
    cost: str
    n: tuple[int, ...]
    seconds: tuple[float, ...]
    exponent: float


@dataclass(frozen=True)
class Timings:
    """Seconds over tokens, a curve per mechanism; both axes logarithmic, so that n^p is a line of slope p."""

    timings: tuple[Timing, ...]


@dataclass(frozen=True)
class Catalogue:
    """Mechanisms by groups: (name, group, formula, source, cost, whether exact, its numbers as they are typed)."""

    entries: tuple[tuple[str, str, str, str, str, bool, str], ...]


Part = (
    Boards
    | Depth
    | Bars
    | SignedMaps
    | Distances
    | Scatter
    | DotProduct
    | LinesOfWeight
    | RunningText
    | Table
    | Listing
    | Sentence
    | Facts
    | TokenTable
    | TensorTable
    | TensorValues
    | WordBoard
    | Walk
    | Diagrams
    | MapGrid
    | MapTable
    | Plots
    | Cards
    | Timings
    | Catalogue
)


@dataclass(frozen=True, eq=False)
class Page:
    """What is shown, from top to bottom.

    notes: one-line remarks below everything. shading: those of the notes that speak of colours alone, left out where a
    terminal has none. following: pages with titles of their own, which a terminal prints next.
    """

    title: str = ""
    subtitle: str = ""
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    following: tuple[Page, ...] = ()
    shading: tuple[str, ...] = ()

    def part(self, kind: type[T]) -> T:
        """The first part of a kind."""
        return next(part for part in self.parts if isinstance(part, kind))
