// A running text out of tokens, and a picture under its patches.

import assert from "node:assert/strict";
import { test } from "node:test";

import { patchAt, printed } from "../../../attnviz/render/html/web/views/patches.js";
import { cellUnits, directionOf, unitOf, unitWeights, units } from "../../../attnviz/render/html/web/views/words.js";

/** @param {string[]} text @param {Partial<Axis>} [rest] @returns {Axis} */
const axisOf = (text, rest = {}) => ({ text, special: [], words: [], segments: [], spaced: [], rests: [], ...rest });

/** @param {Axis} axis */
const all = (axis) => axis.text.map((_, index) => index);

/** @param {Axis} axis */
const written = (axis) => units(axis, all(axis)).map(({ text, space }) => (space ? " " : "") + text).join("");

test("word pieces are written without their marks", () => {
    const axis = axisOf(["un", "##bel", "##ie", "##va", "##bly", "well", "##"], { words: [0, 0, 0, 0, 0, 1, 2] });
    assert.equal(written(axis), "unbelievably well ##");
    assert.equal(units(axis, all(axis)).length, 7);
});

test("a letter of several tokens is one", () => {
    const axis = axisOf(["我", "我₂", "喜", "喜₂", "喜₃", "欢"], { spaced: [0, 0, 0, 0, 0, 0] });
    assert.equal(written(axis), "我喜欢");
    assert.deepEqual(units(axis, all(axis)).map(({ tokens }) => tokens), [[0, 1], [2, 3, 4], [5]]);
});

test("an emoji of several people is one, and so is a flag", () => {
    const people = ["👨", "👨₂", "👨₃", "\\u200d", "\\u200d₂", "👩", "👩₂", "👩₃", "\\u200d", "\\u200d₂", "👧", "👧₂", "👧₃"];
    const flag = ["🇫", "🇫₂", "🇫₃", "🇷", "🇷₂", "🇷₃"];
    const spaced = [...people.map(() => 0), 1, 1, 0, 0, 0, 0, 0];
    const axis = axisOf([...people, "hi", ...flag], { spaced });
    assert.equal(written(axis), "👨‍👩‍👧 hi 🇫🇷");
    assert.deepEqual(units(axis, all(axis)).map(({ tokens }) => tokens.length), [13, 1, 6]);
});

test("two flags are two", () => {
    const axis = axisOf(["🇫", "🇷", "🇩", "🇪"], { spaced: [0, 0, 0, 0] });
    assert.deepEqual(units(axis, all(axis)).map(({ text }) => text), ["🇫🇷", "🇩🇪"]);
});

test("a number after a letter of ASCII is no piece", () => {
    const axis = axisOf(["H", "H₂", "O"], { spaced: [0, 0, 0] });
    assert.equal(units(axis, all(axis)).length, 3);
});

test("pieces around a hidden token do not join", () => {
    const axis = axisOf(["我", "x", "我₂"], { spaced: [0, 0, 0] });
    assert.equal(units(axis, [0, 2]).length, 2);
});

test("a line break ends a line, another text begins one", () => {
    const axis = axisOf(["a", "⏎", "b", "c"], { segments: [0, 0, 0, 1] });
    assert.deepEqual(units(axis, all(axis)).map(({ breaks }) => breaks), [false, true, false, false]);
    assert.deepEqual(units(axis, all(axis)).map(({ border }) => border), [false, false, false, true]);
});

test("a text runs the way of most of its letters, whatever the special tokens", () => {
    assert.equal(directionOf(axisOf(["[CLS]", "שלום", "bert", "[SEP]"], { special: [0, 3] })), "ltr");
    assert.equal(directionOf(axisOf(["[CLS]", "שלום", "עולם", "hi", "[SEP]"], { special: [0, 4] })), "rtl");
    assert.equal(directionOf(axisOf(["السلام", "42"])), "rtl");
    assert.equal(directionOf(axisOf(["我", "喜", "1"])), "ltr");
});

test("pieces of one letter add up as keys and are averaged as queries", () => {
    const axis = axisOf(["我", "我₂", "a"], { spaced: [0, 0, 0] });
    const found = units(axis, all(axis));
    assert.deepEqual(unitWeights([0.25, 0.5, 0.125], found, "key"), [0.75, 0.125]);
    assert.deepEqual(unitWeights([0.25, 0.5, 0.125], found, "query"), [0.375, 0.125]);
    assert.deepEqual([...unitOf(found, 3)], [0, 0, 1]);
});

test("the words of pooled cells are written in full", () => {
    const text = ["un", "##told", "cat", "s", "⏎", "sat", "on"];
    const spaced = [0, 0, 1, 0, 0, 0, 1];
    const found = cellUnits(text, spaced, 3, [0, 1, 2]);
    assert.deepEqual(found.map((unit) => unit.text), ["untold cat", "s⏎\nsat", "on"]);
    assert.deepEqual(found.map((unit) => unit.space), [false, false, true]);
    assert.deepEqual(cellUnits(text, [], 2, [0]).map((unit) => unit.text), ["untold"]);
});

test("a point lies in its patch, also at the edge", () => {
    const image = { rows: 2, columns: 4 };
    assert.deepEqual(patchAt(image, 0.3, 0.6), [1, 1]);
    assert.deepEqual(patchAt(image, 1, 1), [1, 3]);
    assert.deepEqual(patchAt(image, -0.1, 0), [0, 0]);
});

const ramp = (/** @type {number} */ from, /** @type {number} */ to) =>
    Uint8Array.from({ length: 768 }, (_, at) => Math.round(from + ((to - from) * Math.floor(at / 3)) / 255));

/** @param {Uint8Array} table @param {number} grey @param {number} colour */
function pixel(table, grey, colour) {
    const pixels = new Uint8ClampedArray(4);
    printed(pixels, [grey, grey, grey], 1, 1, { rows: 1, columns: 1 }, () => colour, table);
    return pixels[0];
}

test("ink over a picture leaves it pale where there is nothing, and is dark where there is much", () => {
    const ink = ramp(255, 20);
    assert.deepEqual([pixel(ink, 0, 0), pixel(ink, 255, 0)], [170, 255]);
    assert.deepEqual([pixel(ink, 0, 255), pixel(ink, 255, 255)], [13, 20]);
});

test("on a dark page the picture is faint where there is nothing, and light where there is much", () => {
    const night = ramp(20, 240);
    assert.deepEqual([pixel(night, 0, 0), pixel(night, 255, 255)], [20, 245]);
    assert.ok(pixel(night, 255, 0) < 110);
});

test("colours over a picture keep their order", () => {
    for (const table of [ramp(255, 20), ramp(20, 240), ramp(90, 200)]) {
        for (const grey of [0, 128, 255]) {
            const shades = [0, 60, 128, 200, 255].map((colour) => pixel(table, grey, colour));
            const sorted = shades.toSorted((a, b) => a - b);
            assert.deepEqual(shades, table[0] > table[767] ? sorted.reverse() : sorted);
        }
    }
});
