// Names of tokens as nodes, in which a text from right to left does not turn its index round.

import { h, visible } from "../dom.js";

/**
 * A token with its index: `it (9)`.
 * @param {Axis} axis
 * @param {number} index
 */
export function named(axis, index) {
    return h("span", {}, h("bdi", {}, visible(axis.text[index])), ` (${index})`);
}

/**
 * Several, with commas.
 * @param {Axis} axis
 * @param {number[]} indices
 * @returns {Node[]}
 */
export function namedAll(axis, indices) {
    return indices.flatMap((index, at) => [...(at ? [document.createTextNode(", ")] : []), named(axis, index)]);
}
