// A running text out of tokens: letters whole, words joined, and which way it runs. Nothing of the page.

import { spaceBefore } from "../axis.js";

// What is read as one: a token, or the tokens that are pieces of one letter or one emoji.
/**
 * @typedef {{
 *     tokens: number[], text: string, space: boolean, breaks: boolean, special: boolean, border: boolean,
 * }} Unit
 */

// Labels of pieces: `日₂` continues the letter before it, `◌` has lost its letter; `⏎` is a line break.
const CONTINUES = /^◌?(\\[xuU][0-9a-f]+|\P{ASCII})[₂₃₄]/u;
const JOINERS = new Map([["\\u200d", "\u200d"], ["\\ufe0f", "\ufe0f"]]);
const LEFTWARDS = ["Hebrew", "Arabic", "Syriac", "Thaana", "Nko", "Adlam"];
const RIGHT_TO_LEFT = new RegExp(`[${LEFTWARDS.map((script) => `\\p{Script=${script}}`).join("")}]`, "u");
const LETTER = /\p{L}/gu;

/**
 * The units of a text, in order.
 * @param {Axis} axis
 * @param {number[]} shown indices of tokens that are shown
 * @returns {Unit[]}
 */
export function units(axis, shown) {
    const special = new Set(axis.special);
    /** @type {Unit[]} */
    const found = [];
    let joins = false; // whether the next letter belongs to the emoji before it
    let before = -1;
    for (const index of shown) {
        const label = axis.text[index];
        const last = found[found.length - 1];
        const border = before >= 0 && axis.segments.length > 0 && axis.segments[index] !== axis.segments[before];
        const direct = before === index - 1 && !border;
        before = index;
        const more = direct && last && !last.special ? CONTINUES.exec(label) : null;
        const joiner = JOINERS.get(label.replace(/[₂₃₄]$/, "").slice(0, 6));
        if (last && direct && more && (joiner || last.text.endsWith(letterOf(more[1])))) {
            last.tokens.push(index);
            last.text += label.slice(more[0].length);
            continue;
        }
        if (last && direct && !last.special && joiner) {
            last.tokens.push(index);
            if (!last.text.endsWith(joiner)) last.text += joiner;
            joins = joiner === "\u200d";
            continue;
        }
        if (last && direct && joins && !special.has(index)) {
            last.tokens.push(index);
            last.text += label;
            joins = false;
            continue;
        }
        joins = false;
        if (last && direct && flagged(last.text) && flagged(label) && [...last.text].length === 1) {
            last.tokens.push(index);
            last.text += label;
            continue;
        }
        found.push({
            tokens: [index], text: plain(label, axis, index, special), space: Boolean(last) && spaceBefore(axis, index),
            breaks: /[⏎\n]$/.test(label), special: special.has(index), border,
        });
    }
    return found;
}

/**
 * The units of a pooled text: the words of each cell, in order.
 * @param {string[]} text all tokens
 * @param {number[]} spaced whether a space stands before each; empty where unknown
 * @param {number} cell tokens to a cell
 * @param {number[]} shown cells that are shown
 * @returns {Unit[]}
 */
export function cellUnits(text, spaced, cell, shown) {
    const words = text.map((label, index) => (label.startsWith("##") && index ? -2 : index));
    for (const [index, word] of words.entries()) if (word === -2) words[index] = words[index - 1];
    const axis = { text, special: [], words, segments: [], spaced, rests: [] };
    /** @type {Map<number, Unit>} */
    const cells = new Map(shown.map((index) => [index, {
        tokens: [index], text: "", space: false, breaks: false, special: false, border: false,
    }]));
    for (const unit of units(axis, text.map((_, index) => index))) {
        const own = cells.get(Math.floor(unit.tokens[0] / cell));
        if (!own) continue;
        if (own.text === "") own.space = unit.space;
        own.text += (own.text && unit.space ? " " : "") + unit.text + (unit.breaks ? "\n" : "");
    }
    return shown.map((index) => /** @type {Unit} */ (cells.get(index)));
}

/** @param {string} label of a letter, as it is or as its number */
function letterOf(label) {
    return JOINERS.get(label) ?? label;
}

/** Half a flag. @param {string} text */
function flagged(text) {
    return /^\p{Regional_Indicator}+$/u.test(text);
}

/**
 * A label without the marks that only tell pieces apart.
 * @param {string} label
 * @param {Axis} axis
 * @param {number} index
 * @param {Set<number>} special
 */
function plain(label, axis, index, special) {
    if (special.has(index)) return label;
    if (label.startsWith("##") && label.length > 2 && index > 0 && !spaceBefore(axis, index)) return label.slice(2);
    return label.length > 1 && label.startsWith("◌") ? label.slice(1) : label;
}

/**
 * Which way most letters run; special tokens do not count.
 * @param {Axis} axis
 * @returns {"ltr" | "rtl"}
 */
export function directionOf(axis) {
    const special = new Set(axis.special);
    let [left, right] = [0, 0];
    for (const [index, text] of axis.text.entries()) {
        if (special.has(index)) continue;
        for (const [letter] of text.matchAll(LETTER)) {
            if (RIGHT_TO_LEFT.test(letter)) right += 1;
            else left += 1;
        }
    }
    return right > left ? "rtl" : "ltr";
}

/**
 * Weights of units: as keys their tokens' weights are added, as queries averaged.
 * @param {ArrayLike<number>} weights of tokens
 * @param {Unit[]} units
 * @param {"query" | "key"} side which side the weights are of
 * @returns {number[]}
 */
export function unitWeights(weights, units, side) {
    return units.map(({ tokens }) => {
        const sum = tokens.reduce((total, index) => total + weights[index], 0);
        return side === "key" ? sum : sum / tokens.length;
    });
}

/**
 * Place of each token's unit; -1 for tokens that are not shown.
 * @param {Unit[]} units
 * @param {number} count of tokens
 */
export function unitOf(units, count) {
    const found = new Int32Array(count).fill(-1);
    for (const [place, { tokens }] of units.entries()) for (const index of tokens) found[index] = place;
    return found;
}
