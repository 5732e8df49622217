// What a page's file holds, and what its modules hand to each other. Read by `tsc --checkJs` alone; nothing of it ships.

/** Numbers of the file's binary part: `count` numbers of a type, from a byte of a block on. `shape` multiplies to count. */
interface Numbers {
    block: number;
    at: number;
    type: "f4" | "u1" | "u2" | "i4";
    shape: number[];
}

/** The tokens along one axis; lists of indices are sorted. */
interface Axis {
    text: string[];
    special: number[];
    /** Word of each token, -1 for none; empty where each token is its own word. */
    words: number[];
    /** 0 for the first text, 1 for the pair; empty where there is one text. */
    segments: number[];
    /** Whether a space is written before a token, where the text is known; empty where unknown. */
    spaced: number[];
    /** Where attention rests: special tokens, or the first key. A view can leave these out. */
    rests: number[];
}

/**
 * All maps [query, key] of one source, in the order of its places. A stored number is a whole multiple of the map's
 * step, counted from its low end: value = low + code * step; no value moves by more than step / 2.
 */
interface Maps {
    /** Where the codes of each map are: u1, or u2 with all low bytes before all high bytes. */
    at: { block: number; at: number; bytes: 1 | 2 }[];
    step: number[];
    low: number[];
    /** Largest value of each map, before it was stored. */
    peak: number[];
    /** Largest value to keys that are no resting place. */
    reach: number[];
    /** Bits, row by row, 1 where attending was allowed: [1 or maps, query, key] rounded up to bytes; or a word for it. */
    mask: "all" | "causal" | { bits: Numbers; which: number[] };
    /** Null: maps are small. */
    thumbs: SmallPictures | null;
}

/**
 * Small pictures [map, row, column], u1: the largest value of each cell, by size where values have signs, as
 * (code - zero) * part of the map. plain: without special tokens and resting places; null where there are none.
 */
interface SmallPictures { all: Numbers; plain: Numbers | null; zero: number; part: number[]; }

interface Statistic {
    name: string;
    label: string;
    meaning: string;
    /** One number a place; null where it means nothing. */
    values: (number | null)[];
}

/** The strongest links of pooled attention, exact: [query, key, weight], tokens by index, strongest first. */
type ExactLinks = [number, number, number][];

/** Matrices [token, width], two bytes a number: value = low + code * step. */
interface Matrices { at: { block: number; at: number; bytes: 2 }[]; low: number[]; step: number[]; }

/**
 * Queries of each place and keys of each key-value head, `of` says which of these a place reads. The score is
 * q . k * scaling of the place, and what the note says: what the model adds before the softmax, "" for nothing.
 */
interface Vectors { queries: Matrices; keys: Matrices; of: number[]; width: number; scaling: number[]; note: string; }

interface Source {
    /** What tells it from the others of its page: "self", "cross", "before". */
    name: string;
    title: string;
    /** "" where it is not known. */
    model: string;
    stream: "self" | "encoder" | "decoder" | "cross";
    queries: Axis;
    keys: Axis;
    /** (layer, head) of each map; null where an axis was averaged. */
    places: [number | null, number | null][];
    /** Names of a board's rows and columns, row after row: places.length = layers.length * heads.length. */
    layers: string[];
    heads: string[];
    axes: [string, string];
    /** Queries and keys are the same tokens in one order. */
    ordered: boolean;
    /** Some values are below 0. */
    signed: boolean;
    /** Tokens to a cell; 1 unless pooled. */
    cell: number;
    /** What the numbers are: "attention weight". */
    label: string;
    maps: Maps;
    /** The scale of pictures: its kind and its end. */
    scale: { kind: "linear" | "sqrt"; high: number };
    statistics: Statistic[];
    /** Of pooled attention: all tokens, and links of each place. */
    tokens: { queries: string[]; keys: string[]; spaced: { queries: number[]; keys: number[] } } | null;
    links: ExactLinks[] | null;
    /** Rows and columns of an image's patches along the keys, from key `first` on, and the picture. */
    image: { rows: number; columns: number; first: number; picture: Numbers | null } | null;
    /** Key index of the first generated token; queries are then the new tokens, from `first - 1` on. Null: none. */
    generated: number | null;
    vectors: Vectors | null;
}

interface Explorer {
    kind: "Explorer";
    sources: Source[];
    /** Sources are two sides of one comparison: shown side by side. */
    compared: boolean;
    /** Where the reader starts; the address goes before. */
    start: Partial<State>;
}

interface BoardPart {
    values: (number | null)[][];
    label: string;
    heading: string;
    signed: boolean;
    low: number;
    high: number;
    marks: [number, number][];
    texts: string[][] | null;
}
interface BoardsPart { kind: "Boards"; boards: BoardPart[]; layers: string[]; heads: string[]; axes: [string, string]; }
interface DepthPart { kind: "Depth"; values: (number | null)[][]; layers: string[]; label: string; }
/** columns: what `head`, `weight` and `lift` are called; "" for a head that is only shown. */
interface BarsPart {
    kind: "Bars"; heading: string; columns: [string, string, string];
    entries: { text: string; head: string; weight: number; lift: number }[];
}
/** One or two bars a token, [token][bar]. rest: the last row sums up all other tokens. */
interface TokenBarsPart {
    kind: "TokenBars"; heading: string; tokens: string[]; values: (number | null)[][]; names: string[]; label: string;
    stressed: number[]; rest: boolean;
}
/** values: 5, 25, 50, 75 and 95 % of each line, [line][quantile]. */
interface RangesPart {
    kind: "Ranges"; heading: string; names: string[]; values: (number | null)[][]; means: (number | null)[]; label: string;
    low: number; high: number;
}
interface WordBoardPart {
    kind: "WordBoard"; heading: string; words: string[][]; values: (number | null)[][]; rows: string[]; cols: string[];
    axes: [string, string];
}
interface LinesPart {
    kind: "LinesOfWeight"; rows: string[]; cols: string[]; high: number; label: string; row: number | null; rests: number[];
    panels: { title: string; strands: string[]; links: { row: number; col: number; value: number; strand: number }[] }[];
}
interface RunningTextPart {
    kind: "RunningText"; words: string[]; spaced: boolean[]; high: number; label: string; chosen: number | null;
    paragraphs: { title: string; values: number[] }[]; /** The first word and the label of each. */ passages: [number, string][];
}
interface SignedMapsPart {
    kind: "SignedMaps"; rows: string[]; cols: string[]; label: string; legend: string[]; high: number;
    maps: { name: string; remark: string; values: Numbers; hidden: Numbers | null }[];
}
interface MapTablePart {
    kind: "MapTable"; rows: string[]; by: string; label: string; columns: string[]; queries: string[]; keys: string[];
    signed: boolean[]; high: number; /** [row][column] */ maps: Numbers[][]; hidden: Numbers | null;
}
interface DistancesPart {
    kind: "Distances"; values: Numbers; names: string[]; order: number[]; joins: [number, number, number][]; unit: string;
}
interface ScatterPart {
    kind: "Scatter"; points: [number, number][]; names: string[]; groups: number[]; group: string | [string, string];
    axes: string[]; stressed: number[]; links: [number, number, number][]; link: string;
}
interface DotProductPart {
    kind: "DotProduct"; names: [string, string]; tokens: [string, string]; vectors: [number[], number[]];
    steps: [string, string][]; summary: string;
}
interface PlotsPart { kind: "Plots"; plots: { heading: string; curves: number[][]; remark: string }[]; curves: string[]; }
interface CardsPart {
    kind: "Cards"; grouped: boolean; leftOut: string[]; queries: string[]; keys: string[];
    cards: {
        name: string; group: string; formula: string; cost: string; measured: string; detail: string; signed: boolean;
        values: Numbers; hidden: Numbers | null;
    }[];
}
interface TimingsPart {
    kind: "Timings";
    timings: { name: string; group: string; setting: string; cost: string; n: number[]; seconds: number[]; exponent: number }[];
}
/** A number of each head over steps, each at its place from 0 to 1. */
interface CurvesPart {
    kind: "Curves"; steps: number[]; places: number[]; values: (number | null)[][]; names: string[]; layers: number[];
    label: string; unit: string; stressed: number[]; threshold: number | null;
}
/** Rows under a header; numbers are sorted as numbers. align: a letter a column, l or r. */
interface TablePart {
    kind: "Table"; caption: string; header: string[]; align: string; rows: (string | number | null)[][];
    /** The rows are behind the caption until it is pressed. */
    folded: boolean;
}
interface SentencePart { kind: "Sentence"; text: string; lead: string; }
interface FactsPart { kind: "Facts"; pairs: [string, string][]; }
interface ListingPart { kind: "Listing"; header: string[]; rows: { words: string[]; text: string }[]; }
interface HeadingPart { kind: "Heading"; title: string; subtitle: string; }
interface NotesPart { kind: "Notes"; notes: string[]; }
/** A matrix of numbers under a name, such as one step of a walk. */
interface MatrixPart {
    kind: "Matrix"; name: string; shape: string; values: Numbers; hidden: Numbers | null; rows: string[]; cols: string[];
    /** The row that is looked at, with an outline. */
    chosen: number | null; signed: boolean; high: number; remark: string;
}
/** One step of a walk: its formulas with their shapes, and the matrices that it makes. */
interface StepPart { kind: "Step"; label: string; title: string; lines: [string, string][]; matrices: MatrixPart[]; }
interface HistogramPart { kind: "Histogram"; label: string; bars: { from: number; to: number; count: number }[]; }

type AnyPart =
    | Explorer | BoardsPart | DepthPart | BarsPart | RangesPart | WordBoardPart | LinesPart | RunningTextPart | SignedMapsPart
    | MapTablePart | DistancesPart | ScatterPart | DotProductPart | PlotsPart | CurvesPart | CardsPart | TimingsPart
    | TablePart | SentencePart | FactsPart | ListingPart | HeadingPart | NotesPart | MatrixPart | StepPart
    | HistogramPart;

interface PageDocument {
    title: string;
    subtitle: string;
    notes: string[];
    /** Command, model, version, digest, seed. */
    madeBy: Record<string, string>;
    /** Raw size of each block in bytes. */
    blocks: number[];
    /** Colour maps by name, 256 colours of 3 bytes each, base64. "ink" and "inks" have the twins "night" and "ember". */
    colours: Record<string, string>;
    parts: AnyPart[];
}

type ViewName = "board" | "map" | "lines" | "text" | "neuron" | "table";

/** Where the reader is; kept in the address. Tokens are indices of cells along their axis. */
interface State {
    view: ViewName;
    /** Index of the source. */
    source: number;
    /** Index of the map among the source's places. */
    map: number;
    /** The chosen query, and key; null for none. */
    token: number | null;
    key: number | null;
    /** Several queries as one: their rows' mean. Empty unless more than one is chosen. */
    together: number[];
    /** Maps whose lines lie over each other, in colours; empty: `map` alone. */
    heads: number[];
    /** What a token attends to, or what attends to it. */
    direction: "from" | "to";
    scale: "auto" | "linear" | "sqrt" | "log" | "row";
    /** End of the colours; null: the source's own. */
    high: number | null;
    /** Special tokens and other resting places are shown. */
    rests: boolean;
    /** What the board is sorted by: "depth" or the name of a statistic. */
    sort: string;
    cmap: string;
    theme: "auto" | "light" | "dark";
    /** Cells that a map shows: first row, first column, rows, columns; null: all. */
    window: [number, number, number, number] | null;
}
