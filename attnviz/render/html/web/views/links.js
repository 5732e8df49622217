// Which lines are drawn: the strongest of each query, or all of what is chosen. Numbers only, nothing of the page.

/** A line: its query and key by index, its weight, which head it is of, and whether it ends where heads rest. */
/** @typedef {{ query: number, key: number, weight: number, strand: number, rest: boolean }} Line */

export const LEAST = 0.05; // of the scale's end: what is weaker is no line when nothing is chosen
export const LEAST_OVER = 0.1; // where heads lie over each other
export const MOST = 3; // lines of a query
export const MOST_OVER = 1;
const FAINTEST = 0.004; // of the scale's end: lines of a choice that nobody would see

/** Quarters of a pair of texts: from which text to which. */
export const QUARTERS = /** @type {const} */ (["all", "A→A", "A→B", "B→A", "B→B"]);
/** @typedef {typeof QUARTERS[number]} Quarter */

/**
 * Whether a line from a query to a key belongs to a quarter.
 * @param {Source} source
 * @param {Quarter} quarter
 * @returns {(query: number, key: number) => boolean}
 */
export function inQuarter(source, quarter) {
    if (quarter === "all") return () => true;
    const [from, to] = [quarter[0] === "B" ? 1 : 0, quarter[2] === "B" ? 1 : 0];
    const [rows, columns] = [source.queries.segments, source.keys.segments];
    return (query, key) => (rows[query] ?? 0) === from && (columns[key] ?? 0) === to;
}

/**
 * Queries and keys that are shown; keys where heads rest; the end of the scale; which pairs are wanted.
 * @typedef {{
 *     rows: number[], cols: number[], rests: Set<number>, high: number,
 *     wanted: (query: number, key: number) => boolean,
 * }} Shown
 */

/**
 * The strongest lines of each query, weakest first, those to resting places below all others.
 * @param {ArrayLike<number>[]} heads the maps, row after row
 * @param {number} columns keys of a row
 * @param {Shown} shown
 * @returns {Line[]}
 */
export function strongestLines(heads, columns, { rows, cols, rests, high, wanted }) {
    const over = heads.length > 1;
    const least = high * (over ? LEAST_OVER : LEAST);
    const most = over ? MOST_OVER : MOST;
    /** @type {Line[]} */
    const lines = [];
    for (const [strand, values] of heads.entries()) {
        for (const query of rows) {
            /** @type {Line[]} */
            const best = [];
            for (const key of cols) {
                const weight = values[query * columns + key];
                const size = Math.abs(weight);
                if (size < least || !wanted(query, key)) continue;
                const rest = rests.has(key);
                if (rest && !over) lines.push({ query, key, weight, strand, rest });
                if (rest) continue;
                let at = best.length;
                while (at > 0 && Math.abs(best[at - 1].weight) < size) at--;
                if (at < most) best.splice(at, 0, { query, key, weight, strand, rest });
                if (best.length > most) best.pop();
            }
            lines.push(...best);
        }
    }
    return inOrder(lines);
}

/**
 * All lines of a choice that can be seen, weakest first.
 * @param {Float32Array[]} heads the choice's weights to each token of the other side
 * @param {import("./chosen.js").Choice} choice
 * @param {{ among: number[], rests: Set<number>, high: number, wanted: (query: number, key: number) => boolean }} of
 * @returns {Line[]} a line begins at the first of several chosen tokens
 */
export function linesOfChoice(heads, choice, { among, rests, high, wanted }) {
    const first = choice.indices[0];
    /** @type {Line[]} */
    const lines = [];
    for (const [strand, weights] of heads.entries()) {
        for (const other of among) {
            const weight = weights[other];
            if (Math.abs(weight) < high * FAINTEST) continue;
            const [query, key] = choice.side === "query" ? [first, other] : [other, first];
            if (!wanted(query, key)) continue;
            lines.push({ query, key, weight, strand, rest: rests.has(key) });
        }
    }
    return inOrder(lines);
}

/** @param {Line[]} lines */
function inOrder(lines) {
    return lines.sort((a, b) => Number(b.rest) - Number(a.rest) || Math.abs(a.weight) - Math.abs(b.weight));
}

/**
 * How many lines are drawn and which, as a sentence.
 * @param {Line[]} lines
 * @param {{ heads: number, least: string, rests: boolean, special: boolean }} of
 */
export function inWords(lines, { heads, least, rests, special }) {
    const over = heads > 1;
    const count = lines.length === 1 ? "1 line" : `${lines.length.toLocaleString("en")} lines`;
    const which = over ? "the strongest of each query and head" : `the ${MOST} strongest of each query`;
    const where = special ? "special tokens" : "the first token";
    const rest = over ? `; lines to ${where} are left out` : `; grey: lines to ${where}, where heads rest`;
    return `${count}: ${which}, from ${least} on${rests ? rest : ""}. Hover or choose a token to see all of its lines.`;
}

/**
 * Lines with at least one point between the upper and lower edge.
 * @param {Line[]} lines
 * @param {(query: number) => number} left height of a query
 * @param {(key: number) => number} right height of a key
 * @param {number} height
 * @returns {Line[]}
 */
export function inSight(lines, left, right, height) {
    return lines.filter(({ query, key }) => {
        const [a, b] = [left(query), right(key)];
        return !(a < 0 && b < 0) && !(a > height && b > height);
    });
}

/**
 * The line nearest to a point, the topmost of equals; null if none is near.
 * @param {Line[]} lines weakest first
 * @param {(query: number) => number} left
 * @param {(key: number) => number} right
 * @param {number} share how far across the point is, 0 to 1
 * @param {number} y
 * @param {number} [reach] how far a line may be
 * @returns {Line | null}
 */
export function nearest(lines, left, right, share, y, reach = 5) {
    let [best, least] = [/** @type {Line | null} */ (null), reach];
    for (const line of lines) {
        const [a, b] = [left(line.query), right(line.key)];
        const away = Math.abs(a + (b - a) * share - y) / Math.hypot(1, (b - a) / 200);
        if (away <= least) [best, least] = [line, away];
    }
    return best;
}
