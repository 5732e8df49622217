// The numbers of a map as rows: all of them, or one row per link; and as comma-separated values.

import { shownOf } from "../axis.js";

/**
 * One map as the table needs it. `axes`: the tokens that may be shown, by index along each axis.
 * @typedef {{ source: Source, map: number, values: Float32Array, allowed: Uint8Array | null, rows: number[],
 *     cols: number[], columns: number }} Numbered
 */

/**
 * @param {Source} source
 * @param {number} map
 * @param {Float32Array} values
 * @param {Uint8Array | null} allowed
 * @param {boolean} rests
 * @returns {Numbered}
 */
export function numbered(source, map, values, allowed, rests) {
    const rows = shownOf(source.queries, rests, "query");
    const cols = shownOf(source.keys, rests, "key");
    return { source, map, values, allowed, rows, cols, columns: source.keys.text.length };
}

/**
 * The links of a map, the largest by size first; of equals the earlier query and key. Pooled attention has its exact
 * links, between single tokens.
 * @param {Numbered} numbers
 * @param {number | null} token the links of one query, or of one key
 * @param {"from" | "to"} direction
 * @returns {[number, number, number][]} query, key, weight
 */
export function linksOf({ source, map, values, allowed, rows, cols, columns }, token, direction) {
    const exact = source.links?.[map];
    if (exact) {
        const side = direction === "from" ? 0 : 1;
        return exact.filter((link) => token === null || Math.floor(link[side] / source.cell) === token);
    }
    const queries = token !== null && direction === "from" ? [token] : rows;
    const keys = token !== null && direction === "to" ? [token] : cols;
    /** @type {number[]} */
    const cells = [];
    for (const row of queries) {
        for (const col of keys) {
            const at = row * columns + col;
            if (!allowed || allowed[at]) cells.push(at);
        }
    }
    cells.sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b);
    return cells.map((at) => [Math.floor(at / columns), at % columns, values[at]]);
}

/**
 * What the links' indices count: single tokens, also where the map has cells.
 * @param {Source} source
 * @returns {{ queries: string[], keys: string[] }}
 */
export function namesOfLinks(source) {
    return source.links && source.tokens ? source.tokens : { queries: source.queries.text, keys: source.keys.text };
}

/**
 * All shown numbers of a map as comma-separated values, one row per query; empty where attending was not allowed.
 * @param {Numbered} numbers
 */
export function matrixCsv({ source, values, allowed, rows, cols, columns }) {
    const lines = [["", "query", ...cols.map((col) => `${source.keys.text[col]} (${col})`)]];
    for (const row of rows) {
        const cells = cols.map((col) => {
            const at = row * columns + col;
            return allowed && !allowed[at] ? "" : plain(values[at]);
        });
        lines.push([String(row), source.queries.text[row], ...cells]);
    }
    return csv(lines);
}

/**
 * Links as comma-separated values.
 * @param {Source} source
 * @param {[number, number, number][]} links
 */
export function linksCsv(source, links) {
    const { queries, keys } = namesOfLinks(source);
    const header = ["query", "query_token", "key", "key_token", "weight"];
    const rows = links.map(([row, col, value]) => [String(row), queries[row], String(col), keys[col], plain(value)]);
    return csv([header, ...rows]);
}

/** @param {number} value */
function plain(value) {
    return String(Number(value.toPrecision(6)));
}

/** Comma-separated values (RFC 4180). @param {string[][]} lines */
export function csv(lines) {
    const field = (/** @type {string} */ text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    return lines.map((line) => `${line.map(field).join(",")}\r\n`).join("");
}
