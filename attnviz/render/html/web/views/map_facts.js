// Words about the cells of a map.

import { h, visible } from "../dom.js";

/**
 * A value as accurate as it is stored.
 * @param {number} value
 * @param {number} step between two stored numbers
 */
export function accurate(value, step) {
    const digits = Math.min(Math.max(Math.ceil(-Math.log10(step)), 0), 8);
    return (Number(value.toFixed(digits)) || 0).toFixed(digits).replace("-", "−");
}

/**
 * The value at a cell, its share of the row, and its rank among the keys; null where attending is not allowed.
 * @param {import("./map_panel.js").Matrix} matrix
 * @param {import("./map_panel.js").Spot} spot
 */
export function factsAt({ values, columns, allowed, rows, cols, step }, { row, col }) {
    const first = rows[row] * columns;
    const at = first + cols[col];
    if (allowed && !allowed[at]) return null;
    const value = values[at];
    let sum = 0, above = 0, count = 0;
    for (let key = first; key < first + columns; key++) {
        if (allowed && !allowed[key]) continue;
        sum += Math.abs(values[key]);
        count += 1;
        if (values[key] > value) above += 1;
    }
    return { value, text: accurate(value, step), share: sum > 0 ? Math.abs(value) / sum : 0, rank: above + 1, count };
}

/**
 * Say how accurate stored weights are.
 * @param {number} step
 */
export function stored(step) {
    if (step < 1e-7) return [];
    return [`stored in steps of ${Number(step.toPrecision(2))}: no value moves by more than half a step`];
}

/**
 * Lines of the tip for a cell.
 * @param {import("./map_panel.js").Matrix[]} matrices the one under the pointer first
 * @param {string[]} names
 * @param {import("./map_panel.js").Spot} spot
 * @returns {(Node | string)[]}
 */
export function tipLines(matrices, names, spot) {
    const { source: { cell }, queries, keys, rows, cols, label } = matrices[0];
    const alone = matrices.length === 1;
    const query = rows[spot.row], key = cols[spot.col];
    const lines = [h("div", { class: "pair" }, token(queries, query, cell), " → ", token(keys, key, cell))];
    for (const [at, matrix] of matrices.entries()) {
        if (spot.row >= matrix.rows.length || spot.col >= matrix.cols.length) continue;
        const name = `${alone ? label : names[at]} `;
        const facts = factsAt(matrix, spot);
        if (!facts) {
            lines.push(h("div", {}, alone ? "" : name, "attending not allowed"));
            continue;
        }
        lines.push(h("div", {}, name, h("strong", {}, facts.text)));
        if (!alone || matrix.scale.signed || cell > 1) continue;
        const share = `${(100 * facts.share).toFixed(facts.share < 0.0995 ? 1 : 0)} % of the row`;
        lines.push(h("div", { class: "more" }, `${share}, ${ordinal(facts.rank)} of ${facts.count} keys`));
    }
    return alone ? [...lines, ...exactLinks(matrices[0], query, key)] : lines;
}

/**
 * The strongest exact links within a pooled cell.
 * @param {import("./map_panel.js").Matrix} matrix
 * @param {number} query
 * @param {number} key
 */
function exactLinks({ source: { links, tokens, cell }, map }, query, key) {
    if (!links || !tokens) return [];
    const of = (/** @type {number} */ token) => Math.floor(token / cell);
    const within = links[map].filter(([row, col]) => of(row) === query && of(col) === key);
    const name = (/** @type {string} */ text) => h("bdi", {}, visible(text));
    return within.slice(0, 3).map(([row, col, weight]) => h("div", { class: "more" },
        name(tokens.queries[row]), ` ${row} → `, name(tokens.keys[col]), ` ${col}: ${accurate(weight, 1e-4)}`));
}

/** @param {Axis} axis @param {number} index @param {number} cell tokens in it; the name of several has their indices */
function token(axis, index, cell) {
    const beside = cell > 1 ? null : h("span", { class: "more" }, ` ${index}`);
    return h("span", {}, h("bdi", {}, visible(axis.text[index])), beside);
}

/**
 * What a screen reader hears of a cell.
 * @param {import("./map_panel.js").Matrix} matrix
 * @param {import("./map_panel.js").Spot} spot
 * @param {ReturnType<typeof factsAt>} facts
 */
export function spoken({ queries, keys, rows, cols }, { row, col }, facts) {
    const query = visible(queries.text[rows[row]]), key = visible(keys.text[cols[col]]);
    return `${query} to ${key}: ${facts ? facts.text : "not allowed"}`;
}

/** A number in a row: 1st, 2nd, 11th. @param {number} count */
export function ordinal(count) {
    const last = count % 100 > 10 && count % 100 < 14 ? 0 : count % 10;
    return `${count}${["th", "st", "nd", "rd"][last] ?? "th"}`;
}

/**
 * The number of shown cells beyond the last colour.
 * @param {import("./map_panel.js").Matrix} matrix
 */
export function countAbove({ values, columns, allowed, rows, cols, scale }) {
    if (scale.kind === "row" && !scale.signed) return 0;
    const end = scale.high * (1 + 1e-6);
    let above = 0;
    for (const row of rows) {
        const first = row * columns;
        for (const col of cols) {
            const value = values[first + col];
            if ((value > end || (scale.signed && value < -end)) && (!allowed || allowed[first + col])) above += 1;
        }
    }
    return above;
}
