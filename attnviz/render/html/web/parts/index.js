// The parts of a page other than the explorer: each kind has a function that makes its element.

import { h } from "../dom.js";

/**
 * What a part's function is handed besides the part.
 * @typedef {{
 *     blocks: import("../data.js").Blocks, colours: import("../colour.js").Colours,
 *     tip: import("../tip.js").Tip, voice: import("../tip.js").Voice,
 * }} Tools
 */

/** @type {Record<string, (part: any, tools: Tools) => HTMLElement>} */
const PARTS = {};

/**
 * @param {Exclude<AnyPart, Explorer>} part
 * @param {Tools} tools
 * @returns {HTMLElement}
 */
export function partElement(part, tools) {
    const make = PARTS[part.kind];
    return make ? make(part, tools) : h("p", {}, `this page has a ${part.kind}, which it cannot show`);
}
