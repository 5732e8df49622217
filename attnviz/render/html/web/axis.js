// Which tokens of an axis are shown, and how they are called.

import { visible } from "./dom.js";

/**
 * The indices that are shown: all, or without special tokens and other resting places.
 * @param {Axis} axis
 * @param {boolean} rests whether resting places are shown
 * @param {"query" | "key"} side queries are left out only if they are special tokens
 * @returns {number[]}
 */
export function shownOf(axis, rests, side) {
    const all = axis.text.map((_, index) => index);
    if (rests) return all;
    const out = new Set(side === "key" ? axis.rests : axis.special);
    const left = all.filter((index) => !out.has(index));
    return left.length ? left : all;
}

/**
 * A token with its index: `it (9)`.
 * @param {Axis} axis
 * @param {number} index
 */
export function called(axis, index) {
    return `${visible(axis.text[index])} (${index})`;
}

/**
 * Whether a token begins a word of a text that is written in a line: whether a space stands before it.
 * @param {Axis} axis
 * @param {number} index
 */
export function spaceBefore(axis, index) {
    if (index === 0) return false;
    if (axis.spaced.length) return Boolean(axis.spaced[index]);
    return !axis.words.length || axis.words[index] < 0 || axis.words[index] !== axis.words[index - 1];
}

/**
 * The name of a map: `layer 3 · head 1`.
 * @param {Source} source
 * @param {number} map
 */
export function mapName(source, map) {
    const [layer, head] = source.places[map];
    const words = [layer === null ? "mean over layers" : `layer ${layer}`];
    words.push(head === null ? "mean over heads" : `head ${head}`);
    return words.join(" · ");
}
