// From values to colours, and to short numbers.

import assert from "node:assert/strict";
import { test } from "node:test";

import { shownOf, spaceBefore } from "../../../attnviz/render/html/web/axis.js";
import { Colours, luminance, place, scaleOf, unit } from "../../../attnviz/render/html/web/colour.js";
import { short, visible } from "../../../attnviz/render/html/web/dom.js";

const KINDS = ["linear", "sqrt", "log", "row"];
const grey = Buffer.from(Array.from({ length: 768 }, (_, index) => Math.floor(index / 3))).toString("base64");

for (const kind of KINDS) {
    test(`a ${kind} scale rises from 0 to 1 and stays there`, () => {
        const scale = { kind, high: 0.5, signed: false };
        const units = [0, 0.001, 0.1, 0.3, 0.5, 0.7].map((value) => unit(value, scale, 0.5));
        assert.equal(units[0], 0);
        assert.deepEqual(units, units.toSorted((a, b) => a - b));
        assert.deepEqual(units.slice(-2), [1, 1]);
    });
}

test("no colour lies beyond the table", () => {
    assert.deepEqual([-1, 0, 1 / 512, 255 / 256, 1, 2, NaN].map(place), [0, 0, 0, 255, 255, 255, 0]);
});

test("a value of 0 is in the middle of a scale with signs", () => {
    const scale = { kind: "linear", high: 2, signed: true };
    assert.deepEqual([-3, -2, 0, 1, 2].map((value) => unit(value, scale)), [0, 0, 0.5, 0.75, 1]);
});

test("a row of zeros has no colour", () => {
    assert.equal(unit(0, { kind: "row", high: 1, signed: false }, 0), 0);
});

test("signed values keep their own scale", () => {
    const source = { signed: true, scale: { kind: "linear", high: 3 } };
    const state = { scale: "log", high: null };
    assert.deepEqual(scaleOf(state, source), { kind: "linear", high: 3, signed: true });
    assert.equal(scaleOf({ scale: "log", high: 0.2 }, { ...source, signed: false }).high, 0.2);
});

test("text is read on every colour", () => {
    const colours = new Colours({ ink: grey });
    for (let at = 0; at < 256; at += 5) {
        const ground = luminance(at, at, at);
        const black = colours.on("ink", (at + 0.5) / 256) === "#000";
        const contrast = black ? (ground + 0.05) / 0.05 : 1.05 / (ground + 0.05);
        assert.ok(contrast >= 4.5, `${at}: ${contrast}`);
    }
});

test("a colour map that the page lacks is its own", () => {
    const colours = new Colours({ ink: grey, night: grey, viridis: grey });
    assert.equal(colours.table("toString"), colours.tables.ink);
    assert.deepEqual(colours.names(), ["ink", "viridis"]);
});

test("short numbers have three digits", () => {
    const values = [0, 0.0123, 1.2, 12.34, 0.5, 0.00012, 1e-9, 123456, null, undefined, NaN, -0.25];
    const texts = ["0", "0.0123", "1.200", "12.3", "0.500", "0.000120", "1.0e-9", "123,456", "", "", "", "-0.250"];
    assert.deepEqual(values.map(short), texts);
});

test("tokens of blanks are seen", () => {
    assert.deepEqual(["", " ", "  ", "a b", "\n", "a\tb"].map(visible), ["∅", "␣", "␣␣", "a b", "⏎", "a⇥b"]);
});

test("resting keys and special queries can be left out, but never all", () => {
    const axis = { text: ["a", "b", "c"], special: [0], rests: [0, 2], words: [], segments: [], spaced: [] };
    assert.deepEqual(shownOf(axis, true, "key"), [0, 1, 2]);
    assert.deepEqual(shownOf(axis, false, "key"), [1]);
    assert.deepEqual(shownOf(axis, false, "query"), [1, 2]);
    assert.deepEqual(shownOf({ ...axis, rests: [0, 1, 2] }, false, "key"), [0, 1, 2]);
});

test("spaces stand where the text has them, else between words", () => {
    const axis = { text: ["a", "b", "c"], special: [], rests: [], words: [0, 0, 1], segments: [], spaced: [] };
    assert.deepEqual([0, 1, 2].map((index) => spaceBefore(axis, index)), [false, false, true]);
    const known = { ...axis, spaced: [0, 1, 0] };
    assert.deepEqual([0, 1, 2].map((index) => spaceBefore(known, index)), [false, true, false]);
});
