// The matrices that a map view shows: one of each side, and their difference.

import { shownOf } from "../axis.js";

/** @typedef {import("./map_panel.js").Matrix} Matrix */

/**
 * A map of one source, with the shown rows and columns.
 * @param {import("../context.js").Context} context
 * @param {number} index of the source
 * @param {number} map
 * @param {Float32Array} values
 * @param {Matrix["scale"]} scale
 * @returns {Matrix}
 */
export function matrixOf({ state, explorer, stores }, index, map, values, scale) {
    const source = explorer.sources[index];
    const { queries, keys, maps, label } = source;
    return {
        source, map, queries, keys, values, label, scale, cmap: state.cmap, step: maps.step[map],
        columns: keys.text.length, allowed: stores[index].allowed(map),
        rows: shownOf(queries, state.rests, "query"), cols: shownOf(keys, state.rests, "key"),
    };
}

/**
 * The second matrix minus the first, where both have the same tokens; null where they have not.
 * @param {Matrix[]} matrices
 * @returns {Matrix | null}
 */
export function differenceOf(matrices) {
    if (matrices.length !== 2) return null;
    const [one, two] = matrices;
    if (!sameTexts(one.queries, two.queries) || !sameTexts(one.keys, two.keys)) return null;
    const values = two.values.map((value, at) => value - one.values[at]);
    let high = 0;
    for (const row of one.rows) {
        for (const col of one.cols) high = Math.max(high, Math.abs(values[row * one.columns + col]));
    }
    const scale = { kind: "linear", high: high || 1, signed: true };
    return { ...two, values, step: one.step + two.step, label: "difference", scale };
}

/** @param {Axis} one @param {Axis} two */
function sameTexts(one, two) {
    return one.text.length === two.text.length && one.text.every((text, at) => text === two.text[at]);
}
