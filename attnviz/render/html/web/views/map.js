// One head large: its map, with labels, values at the pointer, zoom and pan; two of a comparison abreast.

import { mapName, shownOf } from "../axis.js";
import { h, replace } from "../dom.js";
import { commonScale } from "./board.js";
import { Legend } from "./legend.js";
import { countAbove, ordinal, spoken, tipLines } from "./map_facts.js";
import { listenToGestures } from "./map_gestures.js";
import { MapPanel } from "./map_panel.js";
import { clamp, moved, partOf, quartersOf, wholeCells, windowOf, zoomed } from "./map_window.js";

const CLOSEST = 56; // pixels of a cell beyond which a wheel zooms in no further
const NARROWEST = 330; // pixels of a panel that stands beside another
const ASIDE = 340, GAP = 24; // pixels of the legend beside a map, and between panels

/** @typedef {import("./map_panel.js").Matrix} Matrix @typedef {import("./map_panel.js").Spot} Spot */

/**
 * @param {import("../context.js").Context} context
 * @returns {import("../explorer.js").View}
 */
export function mapView(context) {
    const view = new MapView(context);
    return { element: view.element, update: () => view.update() };
}

class MapView {
    /** @param {import("../context.js").Context} context */
    constructor(context) {
        this.context = context;
        const button = (/** @type {string} */ text, /** @type {string} */ label, /** @type {() => void} */ onclick) =>
            h("button", { type: "button", class: "plain", title: label, "aria-label": label, onclick }, text);
        this.tools = h("div", { class: "group" },
            button("−", "zoom out (−)", () => this.zoomBy(2)), button("+", "zoom in (+)", () => this.zoomBy(0.5)),
            button("whole", "the whole map (0)", () => context.store.set({ window: null })));
        this.quarters = h("div", { class: "group quarters", role: "group", "aria-label": "Quarters of the pair" });
        this.about = h("p", { class: "about" });
        this.legend = new Legend();
        this.panels = h("div", { class: "panels" });
        this.element = h("div", { class: "view map" },
            h("div", { class: "view-bar" }, this.tools, this.quarters),
            h("div", { class: "body" }, this.panels, h("div", { class: "aside" }, this.legend.element, this.about)));
        /** @type {MapPanel[]} */
        this.shown = [];
        /** @type {Matrix[]} */
        this.matrices = [];
        /** @type {string[]} */
        this.titles = [];
        /** @type {Spot | null} */
        this.cursor = null;
        /** @type {import("./map_window.js").Part | null} */
        this.live = null;
        this.asked = 0;
        this.turn = 0;
        this.painted = "";
        this.width = 0;
        new ResizeObserver(() => {
            if (this.element.clientWidth !== this.width && this.matrices.length) this.arrange();
        }).observe(this.element);
    }

    async update() {
        const { state, abreast, stores, colours, explorer } = this.context;
        this.turn += 1;
        const mine = this.turn;
        const map = state.map;
        const values = await Promise.all(abreast.map((index) => stores[index].values(this.mapOf(index))));
        if (mine !== this.turn) return;
        const sources = abreast.map((index) => explorer.sources[index]);
        const scale = commonScale(state, sources);
        const looks = JSON.stringify([abreast, map, scale, state.cmap, state.rests, colours.dark]);
        if (looks !== this.painted) {
            this.painted = looks;
            this.matrices = abreast.map((index, at) => this.matrixOf(index, values[at], scale));
            this.titles = sources.map(({ title }) => title);
            const difference = differenceOf(this.matrices);
            if (difference) {
                this.matrices.push(difference);
                this.titles.push("difference");
            }
            this.fillPanels();
        }
        this.live = null;
        this.fillQuarters();
        this.arrange();
    }

    /** The map that one side shows. @param {number} index of the source */
    mapOf(index) {
        return Math.min(this.context.state.map, this.context.explorer.sources[index].places.length - 1);
    }

    /**
     * @param {number} index
     * @param {Float32Array} values
     * @param {Matrix["scale"]} scale
     * @returns {Matrix}
     */
    matrixOf(index, values, scale) {
        const { state, explorer, stores } = this.context;
        const { queries, keys, maps, label } = explorer.sources[index];
        const map = this.mapOf(index);
        return {
            queries, keys, values, label, scale, cmap: state.cmap, step: maps.step[map], columns: keys.text.length,
            rows: shownOf(queries, state.rests, "query"), cols: shownOf(keys, state.rests, "key"),
            allowed: stores[index].allowed(map),
        };
    }

    /** Give each matrix a panel, and fill the legend. */
    fillPanels() {
        const { colours, source, state } = this.context;
        while (this.shown.length > this.matrices.length) this.shown.pop();
        while (this.shown.length < this.matrices.length) {
            const panel = new MapPanel(colours);
            this.shown.push(panel);
            this.listen(panel);
        }
        const name = mapName(source, state.map);
        for (const [at, panel] of this.shown.entries()) {
            const matrix = this.matrices[at];
            panel.take(matrix);
            panel.title.textContent = this.shown.length > 1 ? this.titles[at] : "";
            const size = `${matrix.rows.length} queries, ${matrix.cols.length} keys`;
            panel.frame.setAttribute("aria-label", `${this.titles[at]}, ${name}: map of ${size}; arrows move over its cells`);
        }
        const elements = this.shown.map(({ element }) => element);
        if (elements.some((element, at) => this.panels.children[at] !== element) || this.panels.children.length !== elements.length) {
            replace(this.panels, ...elements);
        }
        this.fillLegend();
    }

    fillLegend() {
        const { colours } = this.context;
        const matrix = this.matrices[0];
        const step = Math.max(...this.matrices.map(({ step: each }) => each));
        const stored = step < 1e-7 ? [] : [`stored in steps of ${Number(step.toPrecision(2))}: no value moves by more than half a step`];
        const last = this.matrices[this.matrices.length - 1];
        if (last !== matrix && last.scale.signed && !matrix.scale.signed) {
            stored.unshift(`difference: colours to ±${Number(last.scale.high.toPrecision(2))}`);
        }
        this.legend.fill({
            label: matrix.label, scale: matrix.scale, table: colours.table(matrix.cmap, matrix.scale.signed),
            hidden: matrix.allowed !== null, above: countAbove(matrix), remarks: stored,
        });
    }

    /** Buttons for the quarters of a pair of texts. */
    fillQuarters() {
        const { source, store, state } = this.context;
        const quarters = quartersOf(source);
        this.quarters.hidden = !quarters.length;
        const now = JSON.stringify(state.window);
        replace(this.quarters, ...quarters.map(({ name, window }) => {
            const pressed = JSON.stringify(window) === now;
            const element = h("button", { type: "button", onclick: () => store.set({ window: pressed ? null : window }) }, name);
            element.setAttribute("aria-pressed", String(pressed));
            return element;
        }));
    }

    /** The room of one panel; the legend stands at its right where a map leaves room for it. */
    area() {
        this.width = this.element.clientWidth;
        const [{ rows, cols }] = this.matrices;
        const whole = this.width || innerWidth - 32;
        const aside = this.shown.length === 1 && whole > 860 && cols.length < 2 * rows.length ? ASIDE : 0;
        const abreast = clamp(Math.floor(whole / NARROWEST), 1, this.shown.length);
        const top = this.panels.getBoundingClientRect().top + scrollY;
        const high = clamp(Math.max(innerHeight - top - 24, 0.6 * innerHeight), 340, 1500);
        return { wide: (whole - aside - GAP * (abreast - 1)) / abreast, high };
    }

    /** Lay out and draw all panels. */
    arrange() {
        const area = this.area();
        for (const [at, panel] of this.shown.entries()) panel.place(this.partAt(at), area);
        this.draw();
        this.fillAbout();
    }

    /** The part of whole cells that a panel shows. @param {number} at */
    partAt(at) {
        const { rows, cols } = this.matrices[at];
        return wholeCells(partOf(this.context.state.window, rows, cols), rows.length, cols.length);
    }

    draw() {
        const { state } = this.context;
        const tokens = state.together.length > 1 ? state.together : state.token === null ? [] : [state.token];
        for (const [at, panel] of this.shown.entries()) {
            panel.part = this.live ?? this.partAt(at);
            panel.draw({ tokens, key: state.key });
            panel.point(this.cursor);
            panel.frame.classList.toggle("near", panel.part.wide < this.matrices[at].cols.length || panel.part.high < this.matrices[at].rows.length);
        }
    }

    fillAbout() {
        const [{ rows, cols }] = this.matrices;
        const [panel] = this.shown;
        const { top, left, high, wide } = panel.part;
        const lines = ["Rows are queries, columns are keys."];
        if (high < rows.length || wide < cols.length) {
            lines.push(`Queries ${rows[top]} to ${rows[top + high - 1]}, keys ${cols[left]} to ${cols[left + wide - 1]} of ${rows.length} × ${cols.length}.`);
        }
        const [byRow, byCol] = panel.thinned;
        const named = byRow === byCol ? [[byRow, "token"]] : [[byRow, "query"], [byCol, "key"]];
        const thinned = named.filter(([by]) => Number(by) > 1).map(([by, what]) => `every ${ordinal(Number(by))} ${what}`);
        if (thinned.length) lines.push(`Labels: ${thinned.join(" and ")}.`);
        this.about.textContent = lines.join(" ");
    }

    /** @param {MapPanel} panel */
    listen(panel) {
        const { store, tip } = this.context;
        listenToGestures(panel.frame, {
            hover: (x, y, event) => {
                const spot = panel.spot(x, y);
                this.pointAt(spot);
                if (spot) tip.show(event.clientX, event.clientY, this.linesAt(panel, spot));
                else tip.hide();
            },
            leave: () => {
                this.pointAt(null);
                tip.hide();
            },
            choose: (x, y) => {
                const spot = panel.spot(x, y);
                if (spot) this.choose(panel, spot);
                else this.chooseLabel(panel, x, y);
            },
            zoom: (factor, x, y) => this.zoomAt(panel, factor, x, y),
            pan: (dx, dy) => this.panBy(panel, dx, dy),
            drag: (box, done) => this.select(panel, box, done),
            settle: () => this.settle(panel),
            key: (event) => this.onKey(panel, event),
            inside: (x, y) => {
                const { left = 0, top = 0 } = panel.layout ?? {};
                return x >= left && y >= top ? "cells" : x >= left ? "columns" : y >= top ? "rows" : null;
            },
        });
        panel.frame.addEventListener("blur", () => {
            this.pointAt(null);
            tip.hide();
        });
        panel.frame.addEventListener("focus", () => store.state.view === "map" && panel.frame.matches(":focus-visible") && this.startCursor(panel));
    }

    /** @param {MapPanel} panel @param {Spot} spot */
    linesAt(panel, spot) {
        const at = this.shown.indexOf(panel);
        const order = this.matrices.map((_, index) => index);
        return tipLines([this.matrices[at], ...order.filter((index) => index !== at).map((index) => this.matrices[index])],
            [this.titles[at], ...order.filter((index) => index !== at).map((index) => this.titles[index])], spot);
    }

    /** Show a cell on all panels. @param {Spot | null} spot */
    pointAt(spot) {
        if (spot?.row === this.cursor?.row && spot?.col === this.cursor?.col) return;
        this.cursor = spot;
        for (const panel of this.shown) panel.point(spot);
    }

    /** @param {MapPanel} panel @param {Spot} spot */
    choose(panel, { row, col }) {
        const { rows, cols } = this.matrices[this.shown.indexOf(panel)];
        this.context.store.set({ token: rows[row], key: cols[col], together: [] });
    }

    /** Choose the query or the key whose label is at a point. @param {MapPanel} panel @param {number} x @param {number} y */
    chooseLabel(panel, x, y) {
        const { rows, cols } = this.matrices[this.shown.indexOf(panel)];
        const { left, top } = /** @type {import("./map_layout.js").Layout} */ (panel.layout);
        const { row, col } = panel.at(x, y);
        if (x < left && y >= top && row < rows.length) this.context.store.set({ token: rows[Math.floor(row)], key: null, together: [] });
        else if (y < top && x >= left && col < cols.length) this.context.store.set({ key: cols[Math.floor(col)] });
    }

    /** @param {MapPanel} panel @param {number} factor @param {number} x @param {number} y */
    zoomAt(panel, factor, x, y) {
        const { rows, cols } = this.matrices[this.shown.indexOf(panel)];
        const { row, col } = panel.at(x, y);
        const { part } = panel;
        if (factor < 1 && Math.min(...panel.cell) >= CLOSEST) return false;
        const next = zoomed(part, factor, clamp((col - part.left) / part.wide, 0, 1), clamp((row - part.top) / part.high, 0, 1), rows.length, cols.length);
        if (next.high === part.high && next.wide === part.wide) return false;
        this.show(next);
        return true;
    }

    /** @param {MapPanel} panel @param {number} dx @param {number} dy */
    panBy(panel, dx, dy) {
        const { rows, cols } = this.matrices[this.shown.indexOf(panel)];
        const [wide, high] = panel.cell;
        this.show(moved(panel.part, -dy / high, -dx / wide, rows.length, cols.length));
        return true;
    }

    /** Draw a part that moves. @param {import("./map_window.js").Part} part */
    show(part) {
        this.live = part;
        for (const panel of this.shown) panel.part = part;
        this.cursor = null;
        this.context.tip.hide();
        this.asked = this.asked || requestAnimationFrame(() => {
            this.asked = 0;
            if (this.live) this.draw();
        });
    }

    /** Keep whole cells of the part that moved. @param {MapPanel} panel */
    settle(panel) {
        if (!this.live) return;
        const { rows, cols } = this.matrices[this.shown.indexOf(panel)];
        const window = windowOf(this.live, rows, cols);
        this.live = null;
        if (JSON.stringify(window) === JSON.stringify(this.context.state.window)) this.arrange();
        else this.context.store.set({ window });
    }

    /** Zoom about the middle, or the cursor. @param {number} factor */
    zoomBy(factor) {
        const panel = this.shown[0];
        if (!panel?.layout) return;
        const at = this.cursor ? panel.box(this.cursor.row, this.cursor.col) : panel.box(null, null);
        if (this.zoomAt(panel, factor, at.x + at.wide / 2, at.y + at.high / 2)) this.settle(panel);
    }

    /** Choose a window by dragging. @param {MapPanel} panel @param {number[] | null} box @param {boolean} done */
    select(panel, box, done) {
        const layout = panel.layout;
        if (!box || !layout) return;
        const { rows, cols } = this.matrices[this.shown.indexOf(panel)];
        const inRows = box[0] < layout.left, inCols = box[1] < layout.top;
        const [x, right] = inRows && !inCols ? [layout.left, layout.left + layout.wide] : ordered(box[0], box[2], layout.left, layout.left + layout.wide);
        const [y, bottom] = inCols && !inRows ? [layout.top, layout.top + layout.high] : ordered(box[1], box[3], layout.top, layout.top + layout.high);
        panel.point(null, done ? null : [x, y, right - x, bottom - y]);
        if (!done) return;
        const from = panel.at(x, y), to = panel.at(right - 0.01, bottom - 0.01);
        const top = Math.floor(from.row), left = Math.floor(from.col);
        const part = { top, left, high: Math.floor(to.row) - top + 1, wide: Math.floor(to.col) - left + 1 };
        this.context.store.set({ window: windowOf(part, rows, cols) });
    }

    /** Begin to move by keys: at the chosen cell, or the first that is seen. @param {MapPanel} panel */
    startCursor(panel) {
        const { rows, cols } = this.matrices[this.shown.indexOf(panel)];
        const { state } = this.context;
        const row = state.token === null ? -1 : rows.indexOf(state.token), col = state.key === null ? -1 : cols.indexOf(state.key);
        this.pointAt({ row: row < 0 ? panel.part.top : row, col: col < 0 ? panel.part.left : col });
    }

    /** @param {MapPanel} panel @param {KeyboardEvent} event */
    onKey(panel, event) {
        const { rows, cols } = this.matrices[this.shown.indexOf(panel)];
        if (event.key === "+" || event.key === "=") this.zoomBy(0.5);
        else if (event.key === "-" || event.key === "_") this.zoomBy(2);
        else if (event.key === "0") this.context.store.set({ window: null });
        else if (event.key === "Enter" || event.key === " ") {
            if (this.cursor) this.choose(panel, this.cursor);
        } else {
            if (!this.cursor) this.startCursor(panel);
            const { row, col } = /** @type {Spot} */ (this.cursor);
            /** @type {Record<string, [number, number]>} */
            const steps = {
                ArrowUp: [row - 1, col], ArrowDown: [row + 1, col], ArrowLeft: [row, col - 1], ArrowRight: [row, col + 1],
                Home: [row, 0], End: [row, cols.length - 1], PageUp: [row - 10, col], PageDown: [row + 10, col],
            };
            if (!(event.key in steps)) return false;
            const [down, right] = steps[event.key];
            this.moveCursor(panel, { row: clamp(down, 0, rows.length - 1), col: clamp(right, 0, cols.length - 1) });
        }
        return true;
    }

    /** Move the cursor, and the window with it; say the cell. @param {MapPanel} panel @param {Spot} spot */
    moveCursor(panel, spot) {
        const { rows, cols } = this.matrices[this.shown.indexOf(panel)];
        const { top, left, high, wide } = panel.part;
        const down = Math.min(spot.row - top, 0) + Math.max(spot.row - (top + high - 1), 0);
        const right = Math.min(spot.col - left, 0) + Math.max(spot.col - (left + wide - 1), 0);
        if (down || right) {
            this.live = moved(panel.part, down, right, rows.length, cols.length);
            this.settle(panel);
        }
        this.cursor = null;
        this.pointAt(spot);
        const box = panel.box(spot.row, spot.col);
        const { left: x, top: y } = panel.frame.getBoundingClientRect();
        this.context.tip.show(x + box.x + box.wide, y + box.y + box.high, this.linesAt(panel, spot));
        this.context.voice.say(spoken(this.matrices[this.shown.indexOf(panel)], spot));
    }
}

/**
 * Two numbers in order, within limits.
 * @param {number} a
 * @param {number} b
 * @param {number} low
 * @param {number} high
 */
function ordered(a, b, low, high) {
    return [clamp(Math.min(a, b), low, high), clamp(Math.max(a, b), low, high)];
}

/**
 * The second matrix minus the first, where both have the same tokens; null where they have not.
 * @param {Matrix[]} matrices
 * @returns {Matrix | null}
 */
function differenceOf(matrices) {
    if (matrices.length !== 2) return null;
    const [one, two] = matrices;
    const texts = (/** @type {Matrix} */ { queries, keys }) => JSON.stringify([queries.text, keys.text]);
    if (one.values.length !== two.values.length || texts(one) !== texts(two)) return null;
    const values = two.values.map((value, at) => value - one.values[at]);
    let high = 1e-9;
    for (const row of one.rows) for (const col of one.cols) high = Math.max(high, Math.abs(values[row * one.columns + col]));
    return { ...two, values, step: one.step + two.step, label: "difference", scale: { kind: "linear", high, signed: true } };
}
