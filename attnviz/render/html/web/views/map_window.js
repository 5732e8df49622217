// Which cells of a map are seen: the shown rows and columns, and the part of them that a window leaves.

const ORDER = ["first", "second"];

/**
 * A part of the shown cells, in positions among them; fractions while it moves.
 * @typedef {{ top: number, left: number, high: number, wide: number }} Part
 */

/**
 * The part of the shown cells that a window of token indices leaves.
 * @param {State["window"]} window
 * @param {number[]} rows indices of the shown queries
 * @param {number[]} cols indices of the shown keys
 * @returns {Part}
 */
export function partOf(window, rows, cols) {
    if (!window) return { top: 0, left: 0, high: rows.length, wide: cols.length };
    const [row, col, high, wide] = window;
    const [top, bottom] = within(rows, row, row + high);
    const [left, right] = within(cols, col, col + wide);
    return { top, left, high: bottom - top, wide: right - left };
}

/**
 * Positions of the indices from `from` up to `to`: the first, and the one after the last; at least one.
 * @param {number[]} indices
 * @param {number} from
 * @param {number} to
 * @returns {[number, number]}
 */
function within(indices, from, to) {
    const first = indices.findIndex((index) => index >= from);
    const start = first < 0 ? indices.length - 1 : first;
    const after = indices.findIndex((index) => index >= to);
    return [start, Math.max(after < 0 ? indices.length : after, start + 1)];
}

/**
 * The window of token indices of a part, of whole cells; null where it is all.
 * @param {Part} part
 * @param {number[]} rows
 * @param {number[]} cols
 * @returns {State["window"]}
 */
export function windowOf(part, rows, cols) {
    const { top, left, high, wide } = wholeCells(part, rows.length, cols.length);
    if (high === rows.length && wide === cols.length) return null;
    const row = rows[top], col = cols[left];
    return [row, col, rows[top + high - 1] - row + 1, cols[left + wide - 1] - col + 1];
}

/**
 * The nearest part of whole cells that lies within the map.
 * @param {Part} part
 * @param {number} rows
 * @param {number} cols
 * @returns {Part}
 */
export function wholeCells({ top, left, high, wide }, rows, cols) {
    const tall = clamp(Math.round(high), 1, rows), broad = clamp(Math.round(wide), 1, cols);
    const first = clamp(Math.round(top), 0, rows - tall);
    return { top: first, left: clamp(Math.round(left), 0, cols - broad), high: tall, wide: broad };
}

/**
 * A part made larger or smaller about a point of it, as far as the map and a least size allow.
 * @param {Part} part
 * @param {number} factor below 1 to see less
 * @param {number} x 0 to 1 across the part
 * @param {number} y 0 to 1 down the part
 * @param {number} rows
 * @param {number} cols
 * @returns {Part}
 */
export function zoomed(part, factor, x, y, rows, cols) {
    const high = clamp(part.high * factor, Math.min(4, rows), rows);
    const wide = clamp(part.wide * factor, Math.min(4, cols), cols);
    return {
        high, wide,
        top: clamp(part.top + y * (part.high - high), 0, rows - high),
        left: clamp(part.left + x * (part.wide - wide), 0, cols - wide),
    };
}

/**
 * A part moved by some cells, as far as the map goes.
 * @param {Part} part
 * @param {number} down
 * @param {number} right
 * @param {number} rows
 * @param {number} cols
 * @returns {Part}
 */
export function moved(part, down, right, rows, cols) {
    const { top, left, high, wide } = part;
    return { top: clamp(top + down, 0, rows - high), left: clamp(left + right, 0, cols - wide), high, wide };
}

/** @param {number} value @param {number} low @param {number} high */
export function clamp(value, low, high) {
    return Math.min(Math.max(value, low), high);
}

/**
 * The four quarters of a pair of texts as windows; none where queries or keys have one text.
 * @param {Source} source
 * @returns {{ name: string, label: string, window: [number, number, number, number] }[]}
 */
export function quartersOf({ queries, keys }) {
    const rows = spansOf(queries.segments), cols = spansOf(keys.segments);
    if (rows.length < 2 || cols.length < 2) return [];
    return rows.flatMap(([row, high], query) =>
        cols.map(([col, wide], key) => ({
            name: `${"AB"[query]} → ${"AB"[key]}`,
            label: `queries of the ${ORDER[query]} text, keys of the ${ORDER[key]}`,
            window: /** @type {[number, number, number, number]} */ ([row, col, high, wide]),
        })));
}

/** First token and length of the first and second text. @param {number[]} segments @returns {[number, number][]} */
function spansOf(segments) {
    const border = segments.indexOf(1);
    if (border <= 0) return [];
    return [[0, border], [border, segments.length - border]];
}

/**
 * Positions among shown tokens where a new text begins.
 * @param {number[]} segments
 * @param {number[]} shown
 */
export function bordersOf(segments, shown) {
    return shown.flatMap((index, at) => (at && segments[index] !== segments[shown[at - 1]] ? [at] : []));
}
