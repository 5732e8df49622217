// Which lines are drawn, what several queries give together, and what clicks choose.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
    allowedOf, choiceOf, clicked, largestOf, partnerOf, received, strongest, weightsOf,
} from "../../../attnviz/render/html/web/views/chosen.js";
import { Slots, mapsOf, picked } from "../../../attnviz/render/html/web/views/heads.js";
import { strength } from "../../../attnviz/render/html/web/views/line_canvas.js";
import {
    inQuarter, inSight, linesOfChoice, nearest, strongestLines,
} from "../../../attnviz/render/html/web/views/links.js";
import { rowsOf } from "../../../attnviz/render/html/web/views/overview.js";

const START = { token: null, key: null, together: [], direction: "from", heads: [], map: 0 };
const axis = (/** @type {number} */ count) => ({ text: Array.from({ length: count }, (_, index) => `t${index}`) });
const places = Array.from({ length: 12 }, (_, index) => [Math.floor(index / 4), index % 4]);
const source = { queries: axis(3), keys: axis(4), ordered: false, places };
const all = [0, 1, 2, 3];
const values = Float32Array.from([
    0.5, 0.25, 0.125, 0.125,
    0.1, 0.2, 0.3, 0.4,
    0, 1, 0, 0,
]);
const shown = { rows: [0, 1, 2], cols: all, rests: new Set(), high: 1, wanted: () => true };

/** @param {any[]} lines */
const pairs = (lines) => lines.map(({ query, key }) => [query, key]);

/** @param {Float32Array} numbers */
const rounded = (numbers) => [...numbers].map((number) => Number(number.toFixed(6)));

test("several queries give the mean of their rows", () => {
    assert.deepEqual(rounded(weightsOf(values, 3, 4, { side: "query", indices: [0] })), [0.5, 0.25, 0.125, 0.125]);
    const mean = weightsOf(values, 3, 4, { side: "query", indices: [0, 2] });
    assert.deepEqual(rounded(mean), [0.25, 0.625, 0.0625, 0.0625]);
});

test("a key gives its column", () => {
    assert.deepEqual(rounded(weightsOf(values, 3, 4, { side: "key", indices: [1] })), [0.25, 0.2, 1]);
});

test("what a key gets is the mean over the queries that may see it", () => {
    const causal = Uint8Array.from([1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0]);
    assert.deepEqual(rounded(received(values, 4, [0, 1, 2], causal)), [0.2, 0.6, 0, 0]);
    assert.deepEqual(rounded(received(values, 4, [0, 2], null)), [0.25, 0.625, 0.0625, 0.0625]);
});

test("several queries may attend to what any of them may", () => {
    const causal = Uint8Array.from([1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0]);
    assert.deepEqual([...allowedOf(causal, 3, 4, { side: "query", indices: [0, 1] })], [1, 1, 0, 0]);
    assert.deepEqual([...allowedOf(causal, 3, 4, { side: "key", indices: [1] })], [0, 1, 1]);
    assert.equal(allowedOf(null, 3, 4, { side: "key", indices: [1] }), null);
});

test("the strongest come first, of equals the earlier, and nothing is not among them", () => {
    assert.deepEqual(strongest([0.1, 0.3, 0.3, 0, -0.5], 3, [0, 1, 2, 3, 4]), [4, 1, 2]);
    assert.deepEqual(strongest([0, 1, 0], 3, [0, 1, 2]), [1]);
    assert.deepEqual([...largestOf([Float32Array.from([1, -3]), Float32Array.from([-2, 2])])], [-2, -3]);
});

test("each query keeps its three strongest lines, the weakest first", () => {
    const lines = strongestLines([values], 4, shown);
    assert.deepEqual(pairs(lines).filter(([query]) => query === 1), [[1, 1], [1, 2], [1, 3]]);
    const weights = lines.map(({ weight }) => weight);
    assert.deepEqual(weights, weights.toSorted((a, b) => a - b));
});

test("weak lines are not drawn until a token is chosen", () => {
    const weak = { ...shown, high: 10 };
    assert.deepEqual(pairs(strongestLines([values], 4, weak)), [[0, 0], [2, 1]]);
    const choice = { side: "query", indices: [1] };
    const weights = weightsOf(values, 3, 4, choice);
    const of = { among: all, rests: new Set(), high: 10, wanted: () => true };
    assert.equal(linesOfChoice([weights], choice, of).length, 4);
});

test("lines to where heads rest lie below, and heads over each other have none", () => {
    const resting = { ...shown, rests: new Set([1]) };
    const lines = strongestLines([values], 4, resting);
    assert.deepEqual(lines.map(({ rest }) => rest), lines.map(({ key }) => key === 1));
    assert.ok(lines.findIndex(({ rest }) => !rest) > lines.findLastIndex(({ rest }) => rest));
    const over = strongestLines([values, values], 4, resting);
    assert.ok(over.every(({ rest }) => !rest));
    assert.equal(over.filter(({ query, strand }) => query === 0 && strand === 1).length, 1);
});

test("hidden tokens have no lines", () => {
    assert.ok(strongestLines([values], 4, { ...shown, cols: [0, 2] }).every(({ key }) => key === 0 || key === 2));
});

test("a quarter has the lines of its two texts", () => {
    const pair = { queries: { segments: [0, 0, 1] }, keys: { segments: [0, 1, 1, 1] } };
    const lines = pairs(strongestLines([values], 4, { ...shown, wanted: inQuarter(pair, "A→B") }));
    assert.deepEqual(lines.toSorted(), [[0, 1], [0, 2], [0, 3], [1, 1], [1, 2], [1, 3]]);
    assert.deepEqual(pairs(strongestLines([values], 4, { ...shown, wanted: inQuarter(pair, "B→A") })), []);
});

test("lines whose ends lie beyond the same edge are not drawn", () => {
    const lines = [{ query: -1, key: -9 }, { query: -1, key: 50 }, { query: 101, key: 300 }, { query: 7, key: 8 }];
    assert.deepEqual(pairs(inSight(lines, (at) => at, (at) => at, 100)), [[-1, 50], [7, 8]]);
});

test("the nearest line is found across the gap", () => {
    const lines = [{ query: 0, key: 100 }, { query: 100, key: 0 }, { query: 20, key: 20 }];
    const at = (/** @type {number} */ share, /** @type {number} */ y) => nearest(lines, (q) => q, (k) => k, share, y);
    assert.equal(at(0.25, 26), lines[0]);
    assert.equal(at(0.25, 74), lines[1]);
    assert.equal(at(0.9, 21), lines[2]);
    assert.equal(at(0.5, 80), null);
});

test("a click chooses a query, and again lets it go", () => {
    const first = { ...START, ...clicked(START, source, "query", 1, false) };
    assert.deepEqual(choiceOf(first, source), { side: "query", indices: [1] });
    assert.equal(choiceOf({ ...first, ...clicked(first, source, "query", 1, false) }, source), null);
});

test("clicks with a key held choose several queries", () => {
    let state = { ...START, ...clicked(START, source, "query", 2, false) };
    state = { ...state, ...clicked(state, source, "query", 0, true) };
    assert.deepEqual(choiceOf(state, source), { side: "query", indices: [0, 2] });
    state = { ...state, ...clicked(state, source, "query", 2, true) };
    assert.deepEqual([state.token, state.together], [0, []]);
});

test("a click at the right chooses a key", () => {
    const state = { ...START, ...clicked(START, source, "key", 3, false) };
    assert.deepEqual(choiceOf(state, source), { side: "key", indices: [3] });
    assert.equal(choiceOf({ ...state, ...clicked(state, source, "key", 3, false) }, source), null);
});

test("tokens that a source does not have are not chosen", () => {
    assert.equal(choiceOf({ ...START, token: 3 }, source), null);
    assert.equal(choiceOf({ ...START, key: 4, direction: "to" }, source), null);
    assert.deepEqual(choiceOf({ ...START, together: [1, 2, 9] }, source)?.indices, [1, 2]);
});

test("a pair has a chosen half and another", () => {
    const state = { ...START, token: 1, key: 2 };
    assert.equal(partnerOf(state, choiceOf(state, source)), 2);
    assert.equal(partnerOf({ ...state, direction: "to" }, choiceOf({ ...state, direction: "to" }, source)), 1);
    assert.equal(partnerOf({ ...START, token: 1 }, { side: "query", indices: [1] }), null);
});

test("at most eight heads are picked, and one head is no comparison", () => {
    const many = picked(START, source, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual([many.patch.heads.length, many.left], [8, 2]);
    const two = { ...START, ...picked(START, source, [5]).patch };
    assert.deepEqual(mapsOf(two, source), [0, 5]);
    assert.deepEqual(picked(two, source, [0]).patch, { heads: [], map: 5 });
});

test("a head keeps its colour when another goes", () => {
    const slots = new Slots();
    assert.deepEqual(slots.give([4, 7, 9]), [0, 1, 2]);
    assert.deepEqual(slots.give([7, 9]), [1, 2]);
    assert.deepEqual(slots.give([7, 9, 3]), [1, 2, 0]);
});

test("the strength of a line is its share of the scale, whatever its sign", () => {
    assert.equal(strength(0.25, { kind: "linear", high: 0.5, signed: false }), 0.5);
    assert.equal(strength(0.25, { kind: "sqrt", high: 1, signed: false }), 0.5);
    assert.equal(strength(-3, { kind: "linear", high: 2, signed: true }), 1);
});

test("no token is lost in a strip of few rows", () => {
    const shares = Array.from({ length: 100 }, (_, index) => (index === 57 ? 1 : 0.1));
    assert.equal(rowsOf(shares, 7, false).filter((share) => share === 1).length, 1);
    assert.deepEqual(rowsOf([0.2, 0.9], 4, false), [0.2, 0.2, 0.9, 0.9]);
    assert.deepEqual(rowsOf([0.5, 0.1, 0.8, 0.5], 1, true), [0.1]);
});
