// Windows, layouts, orders, legends and colours of boards and maps.

import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.ImageData = class {
    constructor(width, height) {
        Object.assign(this, { width, height, data: new Uint8ClampedArray(4 * width * height) });
    }
};
globalThis.devicePixelRatio = 1;

const WEB = "../../../attnviz/render/html/web";
const { paint, place, unit } = await import(`${WEB}/colour.js`);
const { blocksOf, moveBy, orderOf, thumbSize } = await import(`${WEB}/views/board_order.js`);
const { ticksOf } = await import(`${WEB}/views/legend.js`);
const { accurate, countAbove, factsAt, ordinal } = await import(`${WEB}/views/map_facts.js`);
const { layoutOf, wholePixels } = await import(`${WEB}/views/map_layout.js`);
const { brief } = await import(`${WEB}/views/map_panel.js`);
const windows = await import(`${WEB}/views/map_window.js`);
const { bordersOf, moved, partOf, quartersOf, wholeCells, windowOf, zoomed } = windows;
const { pooled } = await import(`${WEB}/views/thumbs.js`);

const upTo = (count) => Array.from({ length: count }, (_, index) => index);

/** Numbers 0 to 1 that are the same in every run. */
function drawn(seed) {
    let state = seed;
    return () => {
        state = (state * 1103515245 + 12345) % 2 ** 31;
        return state / 2 ** 31;
    };
}

const axis = (length, segments = []) => ({ text: upTo(length).map(String), segments });

for (const kind of ["linear", "sqrt", "log", "row", "signed"]) {
    test(`a painted map has the colour of each value: ${kind}`, () => {
        const next = drawn(3), columns = 9;
        const value = kind === "signed" ? () => next() - 0.5 : () => next() ** 6;
        const values = Float32Array.from({ length: 7 * columns }, value);
        values[4] = 0;
        const allowed = Uint8Array.from(values, (_, at) => (at % 5 ? 1 : 0));
        const scale = { kind: kind === "signed" ? "linear" : kind, high: 0.3, signed: kind === "signed" };
        const table = Uint8Array.from({ length: 768 }, (_, at) => (at % 3 ? 7 : Math.floor(at / 3)));
        const rows = [1, 3, 6], cols = [0, 2, 3, 8];
        const image = paint(values, columns, allowed, rows, cols, scale, table, [9, 8, 6]);
        assert.deepEqual([image.width, image.height], [4, 3]);
        for (const [down, row] of rows.entries()) {
            const peak = Math.max(...cols.map((col) => values[row * columns + col]));
            for (const [right, col] of cols.entries()) {
                const at = row * columns + col;
                const pixel = [...image.data.subarray(4 * (down * 4 + right), 4 * (down * 4 + right) + 4)];
                const colour = [place(unit(values[at], scale, peak)), 7, 7, 255];
                assert.deepEqual(pixel, allowed[at] ? colour : [9, 8, 6, 255]);
            }
        }
    });
}

test("a window of tokens is the part that it was made of, with tokens left out too", () => {
    const next = drawn(1);
    const rows = upTo(40).filter((index) => index % 7), cols = upTo(60).filter((index) => index !== 0 && index !== 59);
    for (let turn = 0; turn < 200; turn++) {
        const raw = { top: next() * 40, left: next() * 60, high: 1 + next() * 20, wide: 1 + next() * 40 };
        const part = wholeCells(raw, rows.length, cols.length);
        assert.deepEqual(partOf(windowOf(part, rows, cols), rows, cols), part);
    }
    assert.equal(windowOf(partOf(null, rows, cols), rows, cols), null);
});

test("a window without a shown token shows the nearest", () => {
    assert.deepEqual(partOf([0, 0, 1, 1], [3, 4], [2, 5]), { top: 0, left: 0, high: 1, wide: 1 });
    assert.deepEqual(partOf([8, 9, 1, 1], [3, 4], [2, 5]), { top: 1, left: 1, high: 1, wide: 1 });
});

test("zooming keeps the point under the pointer, and stays within the map", () => {
    const whole = { top: 0, left: 0, high: 100, wide: 200 };
    const near = zoomed(whole, 0.5, 0.25, 0.5, 100, 200);
    assert.deepEqual(near, { top: 25, left: 25, high: 50, wide: 100 });
    assert.equal(near.left + 0.25 * near.wide, 0.25 * whole.wide);
    assert.deepEqual(zoomed(near, 8, 0.9, 0.1, 100, 200), whole);
    assert.deepEqual(moved(near, -99, 999, 100, 200), { top: 0, left: 100, high: 50, wide: 100 });
    assert.equal(zoomed(whole, 1e-9, 0.5, 0.5, 100, 200).high, 4);
});

test("small cells are whole pixels after a zoom", () => {
    const layout = { across: 500, down: 480 };
    for (const cells of [70, 90, 130, 200, 333, 470]) {
        const part = wholePixels({ top: 3.4, left: 10, high: cells, wide: cells }, layout, 512, 512);
        const pixels = Math.min(500 / part.wide, 480 / part.high);
        assert.ok(pixels - Math.floor(pixels) < 0.04 * pixels, `${cells}: ${pixels}`);
        assert.ok(part.top >= 0 && part.top + part.high <= 512);
    }
});

test("a map fits its room in cells of whole pixels", () => {
    for (const ratio of [1, 1.25, 2, 3]) {
        globalThis.devicePixelRatio = ratio;
        for (const [rows, cols] of [[1, 1], [6, 6], [46, 46], [120, 120], [512, 512], [8, 300], [300, 8]]) {
            const area = { wide: 900, high: 640 };
            const made = layoutOf(area, { top: 0, left: 0, high: rows, wide: cols }, 80, 70);
            const pixels = (made.wide / cols) * ratio;
            assert.ok(Math.abs(pixels - Math.round(pixels)) < 1e-6, `${rows} ${cols} ${ratio}: ${pixels}`);
            assert.ok(made.width <= area.wide && made.height <= 1.4 * area.high, `${rows} ${cols}: ${made.height}`);
        }
    }
    globalThis.devicePixelRatio = 1;
    const cell = layoutOf({ wide: 400, high: 400 }, { top: 0, left: 0, high: 2000, wide: 2000 }, 80, 70);
    assert.ok(cell.width <= 400 && cell.wide > 300);
});

test("a pair of texts has four quarters that cover it", () => {
    const quarters = quartersOf({ queries: axis(5, [0, 0, 0, 1, 1]), keys: axis(5, [0, 0, 0, 1, 1]) });
    assert.deepEqual(quarters.map(({ name }) => name), ["A → A", "A → B", "B → A", "B → B"]);
    assert.deepEqual(quarters.map(({ window }) => window), [[0, 0, 3, 3], [0, 3, 3, 2], [3, 0, 2, 3], [3, 3, 2, 2]]);
    assert.deepEqual(quartersOf({ queries: axis(5), keys: axis(5, [0, 0, 0, 1, 1]) }), []);
    assert.deepEqual(bordersOf([0, 0, 0, 1, 1], [1, 2, 4]), [2]);
    assert.deepEqual(bordersOf([], [1, 2, 4]), []);
});

test("heads are sorted highest first, those without a number last", () => {
    const source = { places: upTo(5) };
    assert.deepEqual(orderOf(source, undefined), [0, 1, 2, 3, 4]);
    assert.deepEqual(orderOf(source, { values: [0.1, null, 0.5, 0.1, -2] }), [2, 0, 3, 4, 1]);
});

test("arrows move over rows and columns, and stop at the edge", () => {
    const keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
    const steps = (at) => keys.map((key) => moveBy(key, at, 10, 4));
    assert.deepEqual(steps(5), [4, 6, 1, 9, 4, 7]);
    assert.deepEqual(steps(9), [8, 9, 5, 9, 8, 9]);
    assert.equal(moveBy("a", 5, 10, 4), null);
});

test("twelve heads fit the width from 640 pixels on, and stay large enough to tap below", () => {
    for (const width of [290, 640, 1180, 2450]) {
        const { wide, high } = thumbSize(width, 900, 12, 12, [30, 30]);
        assert.ok(wide === high && wide >= 38, `${width}: ${wide}`);
        if (width >= 640) assert.ok(12 * (wide + 6) <= width + 1, `${width}: ${wide}`);
    }
    const { wide, high } = thumbSize(1228, 900, 4, 4, [10, 40]);
    assert.ok(wide > 3 * high);
});

test("many layers stand in blocks where the window is wide", () => {
    assert.equal(blocksOf(2500, 1440, 9, 30), 2);
    assert.equal(blocksOf(1228, 900, 9, 30), 1);
    assert.equal(blocksOf(2500, 1440, 12, 6), 1);
    assert.equal(blocksOf(2500, 1440, 4, 6), 1);
    assert.equal(blocksOf(2500, 1440, 0, 30), 1);
});

test("ticks are round, in order, within the colours", () => {
    for (const kind of ["linear", "sqrt", "log"]) {
        for (const high of [0.003, 0.15, 0.2, 0.73, 1, 42]) {
            const ticks = ticksOf({ kind, high, signed: false });
            assert.ok(ticks.length >= 2 && ticks.length <= 7, `${kind} ${high}`);
            for (const [at, tick] of ticks.entries()) {
                assert.ok(tick.at >= 0 && tick.at <= 1 && (at === 0 || tick.at > ticks[at - 1].at));
                assert.match(tick.text, /^(0|0\.0*[1-9]\d?|[1-9]\d*(\.\d)?)$/);
                assert.ok(Math.abs(unit(Number(tick.text), { kind, high, signed: false }) - tick.at) < 1e-9);
            }
        }
    }
    const signed = ticksOf({ kind: "linear", high: 0.5, signed: true });
    assert.deepEqual(signed.map(({ at }) => 1 - at).toReversed(), signed.map(({ at }) => at));
    assert.equal(ticksOf({ kind: "row", high: 1, signed: false })[1].text, "row's largest");
});

test("a value has the digits of its step", () => {
    const texts = [accurate(0.12345, 0.0008), accurate(0.12345, 0.04), accurate(-0.00001, 0.001)];
    assert.deepEqual(texts, ["0.1235", "0.12", "0.000"]);
    assert.equal(accurate(-0.5, 0.1), "−0.5");
    const cells = [0, 0.004, 0.127, 0.996, 3.14, 12.4, -0.3].map(brief);
    assert.deepEqual(cells, ["0", "0", ".13", "1.0", "3.1", "12", "−.30"]);
    const ordinals = [1, 2, 3, 4, 11, 12, 13, 21, 112].map(ordinal);
    assert.deepEqual(ordinals, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"]);
});

test("a cell knows its share of the row and its rank", () => {
    const matrix = {
        values: Float32Array.of(0, 0, 0, 0, 0.5, 0.25, 0.25, 9), columns: 4, rows: [0, 1], cols: [0, 1, 2, 3],
        step: 0.01, allowed: Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 0),
        scale: { kind: "linear", high: 0.3, signed: false },
    };
    const facts = { value: 0.25, text: "0.25", share: 0.25, rank: 2, count: 3 };
    assert.deepEqual(factsAt(matrix, { row: 1, col: 1 }), facts);
    assert.equal(factsAt(matrix, { row: 1, col: 3 }), null);
    assert.equal(factsAt(matrix, { row: 0, col: 0 }).share, 0);
    assert.equal(countAbove(matrix), 1);
});

test("a small picture's cell is allowed if any of its cells is", () => {
    const next = drawn(5);
    for (const [rows, cols, high, wide] of [[100, 100, 48, 48], [50, 170, 48, 48], [10, 97, 10, 48]]) {
        const values = Uint8Array.from({ length: rows * cols }, () => (next() < 0.2 ? 1 : 0));
        const starts = (size, cells) => upTo(cells).map((at) => Math.floor((at * size) / cells));
        const [rowStarts, colStarts] = [starts(rows, high), starts(cols, wide)];
        const slow = rowStarts.flatMap((row, i) => colStarts.map((col, j) => {
            let any = 0;
            for (let y = row; y < (rowStarts[i + 1] ?? rows); y++) {
                for (let x = col; x < (colStarts[j + 1] ?? cols); x++) any = Math.max(any, values[y * cols + x]);
            }
            return any;
        }));
        const all = (/** @type {number} */ length) => Array.from({ length }, (_, i) => i);
        assert.deepEqual([...pooled(values, cols, all(rows), all(cols), high, wide)], slow);
        const framed = new Uint8Array((rows + 2) * (cols + 1)).fill(1); // a row above and below, a column at the left
        for (let i = 0; i < rows * cols; i++)
            framed[(Math.floor(i / cols) + 1) * (cols + 1) + 1 + (i % cols)] = values[i];
        const within = [all(rows).map((row) => row + 1), all(cols).map((col) => col + 1)];
        assert.deepEqual([...pooled(framed, cols + 1, within[0], within[1], high, wide)], slow);
    }
});
