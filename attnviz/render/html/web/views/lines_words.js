// What a box of lines says: in the tip beside the pointer, and in the note under it.

import { h, short } from "../dom.js";
import { allowedOf, largestOf, strongest } from "./chosen.js";
import { LEAST, LEAST_OVER, inWords } from "./links.js";
import { named, namedAll } from "./named.js";

const TIP_LINES = 5; // tokens that a tip lists

/** @typedef {import("./lines_box.js").LinesBox} LinesBox */
/** @typedef {import("./chosen.js").Choice} Choice */

/**
 * One line: from where to where, how much, and of which head.
 * @param {LinesBox} box
 * @param {import("./links.js").Line} line
 */
export function lineTip({ source, maps, strands }, { query, key, weight, strand }) {
    const [from, to] = [named(source.queries, query), named(source.keys, key)];
    return [h("b", {}, from, " → ", to), `${short(weight)}${maps.length > 1 ? ` · ${strands[strand].name}` : ""}`];
}

/**
 * A token, and the tokens that it has the thickest lines to, with their weights in each head.
 * @param {LinesBox} box
 * @param {Choice} over
 */
export function tokenTip(box, over) {
    const weights = box.weights(over);
    const other = box.other(over.side);
    const axis = box.axisOf(other.side);
    const among = inReach(box, over, other.shown);
    const rows = strongest(largestOf(weights), TIP_LINES, among).map((index) => h("tr", {},
        h("td", {}, named(axis, index)),
        ...weights.map((each) => h("td", { class: "figure" }, figure(each[index], weights.length)))));
    const marks = box.strands.map(({ curve, name }) =>
        h("th", { class: "figure" }, h("span", { class: "curve-mark", "data-curve": curve }), name));
    const head = weights.length > 1 ? h("tr", {}, h("th", {}), ...marks) : null;
    return [
        h("div", {}, h("b", {}, ...namedAll(box.axisOf(over.side), over.indices)), ` ${verbOf(over)}`),
        h("table", { class: "partners" }, h("tbody", {}, head, ...rows)),
    ];
}

/**
 * Tokens that the choice may attend to, or that may attend to it.
 * @param {LinesBox} box
 * @param {Choice} over
 * @param {number[]} shown
 */
function inReach(box, over, shown) {
    const { queries, keys } = box.source;
    const allowed = box.context.stores[box.at].allowed(box.maps[0]);
    const reach = allowedOf(allowed, queries.text.length, keys.text.length, over);
    return reach ? shown.filter((index) => reach[index]) : shown;
}

/**
 * A weight as a table shows it: to two decimals where many heads stand abreast.
 * @param {number} weight
 * @param {number} heads
 */
export function figure(weight, heads) {
    if (heads < 4) return short(weight);
    return Math.abs(weight) < 0.005 ? "·" : weight.toFixed(2).replace("0.", ".");
}

/** @param {Choice} choice */
function verbOf({ side }) {
    return side === "query" ? "attends to" : "gets attention from";
}

/** Which lines are drawn, in words. @param {LinesBox} box @returns {Node} */
export function noteOf(box) {
    const { choice, source, maps, scale } = box;
    if (choice) {
        const names = namedAll(box.axisOf(choice.side), choice.indices);
        const count = box.focused.length === 1 ? "1 line" : `${box.focused.length} lines`;
        const many = choice.indices.length;
        if (many > 1) return h("span", {}, `Mean of ${many} queries: `, ...names, ` · ${count}`);
        return h("span", {}, ...names, ` ${verbOf(choice)} · ${count}`);
    }
    const least = scale.end * (maps.length > 1 ? LEAST_OVER : LEAST);
    const rests = box.context.state.rests && source.keys.rests.length > 0;
    const special = source.keys.special.length > 0;
    const from = String(Number(least.toPrecision(2)));
    const lines = inWords(box.lines, { heads: maps.length, least: from, rests, special });
    const thickest = scale.kind === "row" ? "" : `The thickest: ${Number(scale.high.toPrecision(3))} and more.`;
    return h("span", {}, `${lines} ${thickest}`);
}
