// One map on a canvas: its cells, its labels, what is chosen; and on a second canvas what the pointer is at.

import { paint, place, unit } from "../colour.js";
import { h } from "../dom.js";
import { LINE, Labels, SIZE, aboveColumn, besideRow, every } from "./axis_labels.js";
import { layoutOf } from "./map_layout.js";
import { bordersOf } from "./map_window.js";

const MOST_NUMBERS = 1500; // cells up to which numbers are written into them
const NUMBER_WIDE = 30, NUMBER_HIGH = 15; // least pixels of a cell with a number

/**
 * @typedef {{
 *     source: Source, map: number, queries: Axis, keys: Axis, rows: number[], cols: number[], values: Float32Array,
 *     columns: number, allowed: Uint8Array | null, scale: { kind: string, high: number, signed: boolean },
 *     cmap: string, step: number, label: string,
 * }} Matrix
 *     A map, the shown rows and columns, and its colours.
 * @typedef {{ row: number, col: number }} Spot positions among the shown rows and columns
 * @typedef {{ x: number, y: number, wide: number, high: number }} Box
 */

export class MapPanel {
    /**
     * @param {import("../colour.js").Colours} colours
     * @param {Matrix} matrix
     */
    constructor(colours, matrix) {
        this.colours = colours;
        this.name = "";
        this.title = h("figcaption", { dir: "auto" });
        this.base = h("canvas", { "aria-hidden": "true" });
        this.over = h("canvas", { class: "over", "aria-hidden": "true" });
        this.frame = h("div", { class: "frame", tabIndex: 0, role: "application" }, this.base, this.over);
        this.frame.setAttribute("data-own-keys", "");
        this.frame.setAttribute("aria-roledescription", "map; arrows move over its cells");
        this.element = h("figure", { class: "panel" }, this.title, this.frame);
        this.cells = document.createElement("canvas");
        this.matrix = matrix;
        /** @type {import("./map_layout.js").Layout | null} */
        this.layout = null;
        /** @type {import("./map_window.js").Part} */
        this.part = { top: 0, left: 0, high: 1, wide: 1 };
        /** Positions from one label to the next, of rows and of columns. @type {[number, number]} */
        this.thinned = [1, 1];
        this.take(matrix);
    }

    /** Take a map, and paint its cells, a pixel each. @param {Matrix} matrix */
    take(matrix) {
        const before = this.matrix;
        this.matrix = matrix;
        const { values, columns, allowed, rows, cols, scale, cmap } = matrix;
        const table = this.colours.table(cmap, scale.signed);
        const image = paint(values, columns, allowed, rows, cols, scale, table, this.colours.hidden);
        this.cells.width = image.width;
        this.cells.height = image.height;
        this.cells.getContext("2d")?.putImageData(image, 0, 0);
        if (this.rowLabels && before.queries === matrix.queries && before.keys === matrix.keys) return;
        const pen = pencil(this.base);
        this.font = `${SIZE}px ${getComputedStyle(document.body).fontFamily}`;
        this.rowLabels = new Labels(matrix.queries.text, pen, this.font);
        this.colLabels = new Labels(matrix.keys.text, pen, this.font);
    }

    /** @param {string} name @param {boolean} titled @param {string} label what a screen reader hears */
    call(name, titled, label) {
        this.name = name;
        this.title.textContent = titled ? name : "";
        this.frame.setAttribute("aria-label", label);
    }

    /** Whether another panel has as many rows and columns. @param {MapPanel} other */
    alike({ matrix: { rows, cols } }) {
        return rows.length === this.matrix.rows.length && cols.length === this.matrix.cols.length;
    }

    /** Whether there is more than is seen. */
    get movable() {
        return this.part.high < this.matrix.rows.length || this.part.wide < this.matrix.cols.length;
    }

    /** What lies at a point: cells, labels of rows or of columns. @param {number} x @param {number} y */
    zone(x, y) {
        const { left, top } = this.layout ?? { left: 0, top: 0 };
        return x >= left && y >= top ? "cells" : x >= left ? "columns" : y >= top ? "rows" : null;
    }

    /**
     * Lay the map out for a part of whole cells and an area.
     * @param {import("./map_window.js").Part} part
     * @param {{ wide: number, high: number }} area
     */
    place(part, area) {
        this.part = part;
        const { rows, cols } = this.matrix;
        const by = every(Math.min(area.wide / part.wide, area.high / part.high) * 0.9);
        const widestRow = this.rowLabels?.widest(rows, part.top, part.high, by) ?? 0;
        const widestCol = this.colLabels?.widest(cols, part.left, part.wide, by) ?? 0;
        const layout = layoutOf(area, part, widestRow, widestCol);
        this.layout = layout;
        for (const canvas of [this.base, this.over]) {
            const wide = Math.ceil(layout.width * devicePixelRatio), high = Math.ceil(layout.height * devicePixelRatio);
            if (canvas.width !== wide) canvas.width = wide;
            if (canvas.height !== high) canvas.height = high;
            canvas.style.width = `${canvas.width / devicePixelRatio}px`;
            canvas.style.height = `${canvas.height / devicePixelRatio}px`;
        }
        const { left, top, wide, high } = layout;
        this.frame.dataset.cells = [left, top, wide, high].map((at) => Number(at.toFixed(3))).join(" "); // for tests
        const style = getComputedStyle(document.documentElement);
        const named = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`).trim();
        this.ink = {
            paper: named("paper"), soft: named("soft"), ink: named("ink"), line: named("line"), accent: named("accent"),
            mark: named("mark"), faint: named("faint"),
        };
    }

    /** Pixels of one cell: [wide, high]. @returns {[number, number]} */
    get cell() {
        const { wide, high } = this.layout ?? { wide: 1, high: 1 };
        return [wide / this.part.wide, high / this.part.high];
    }

    /**
     * Where a point of the canvas lies: positions of its row and column, with fractions.
     * @param {number} x
     * @param {number} y
     */
    at(x, y) {
        const { left, top } = this.layout ?? { left: 0, top: 0 };
        const [wide, high] = this.cell;
        return { row: this.part.top + (y - top) / high, col: this.part.left + (x - left) / wide };
    }

    /** The cell at a point; null where there is none. @param {number} x @param {number} y @returns {Spot | null} */
    spot(x, y) {
        const { row, col } = this.at(x, y);
        const { top, left, high, wide } = this.part;
        if (row < top || col < left || row >= top + high || col >= left + wide) return null;
        const { rows, cols } = this.matrix;
        return { row: Math.min(Math.floor(row), rows.length - 1), col: Math.min(Math.floor(col), cols.length - 1) };
    }

    /**
     * Where a row, a column or a cell lies on the canvas.
     * @param {number | null} row
     * @param {number | null} col
     * @returns {Box}
     */
    box(row, col) {
        const { left, top, wide, high } = /** @type {import("./map_layout.js").Layout} */ (this.layout);
        const [cellWide, cellHigh] = this.cell;
        const x = col === null ? left : left + (col - this.part.left) * cellWide;
        const y = row === null ? top : top + (row - this.part.top) * cellHigh;
        return { x, y, wide: col === null ? wide : cellWide, high: row === null ? high : cellHigh };
    }

    /**
     * Draw everything but the pointer's place.
     * @param {{ tokens: number[], key: number | null }} chosen token indices
     */
    draw(chosen) {
        const { layout, matrix, part, ink } = this;
        if (!layout || !ink) return;
        const pen = pencil(this.base);
        pen.clearRect(0, 0, layout.width, layout.height);
        const { left, top, wide, high } = layout;
        const [cellWide, cellHigh] = this.cell;
        pen.imageSmoothingEnabled = Math.min(cellWide, cellHigh) * devicePixelRatio < 1;
        pen.imageSmoothingQuality = "high";
        pen.drawImage(this.cells, part.left, part.top, part.wide, part.high, left, top, wide, high);
        pen.save();
        pen.beginPath();
        pen.rect(left - 1, top - 1, wide + 2, high + 2);
        pen.clip();
        this.drawBorders(pen);
        const roomy = cellWide >= NUMBER_WIDE && cellHigh >= NUMBER_HIGH;
        if (roomy && part.wide * part.high <= MOST_NUMBERS) this.drawNumbers(pen);
        const rows = chosen.tokens.map((token) => matrix.rows.indexOf(token)).filter((row) => row >= 0);
        const col = chosen.key === null ? -1 : matrix.cols.indexOf(chosen.key);
        for (const row of rows) outline(pen, this.box(row, null), ink.mark, ink.paper, 2);
        if (col >= 0) outline(pen, this.box(null, col), ink.mark, ink.paper, 1);
        pen.restore();
        pen.strokeStyle = ink.line;
        pen.lineWidth = 1;
        pen.strokeRect(left - 0.5, top - 0.5, wide + 1, high + 1);
        this.drawLabels(pen, rows, col);
        this.frame.classList.toggle("near", this.movable);
    }

    /** @param {CanvasRenderingContext2D} pen */
    drawBorders(pen) {
        const { matrix, ink } = this;
        if (!ink) return;
        const lines = [
            ...bordersOf(matrix.queries.segments, matrix.rows).map((row) => ({ ...this.box(row, null), high: 0 })),
            ...bordersOf(matrix.keys.segments, matrix.cols).map((col) => ({ ...this.box(null, col), wide: 0 })),
        ];
        for (const [width, colour] of /** @type {[number, string][]} */ ([[3, ink.paper], [1, ink.ink]])) {
            pen.strokeStyle = colour;
            pen.lineWidth = width;
            for (const { x, y, wide, high } of lines) {
                pen.beginPath();
                pen.moveTo(x, y);
                pen.lineTo(x + wide, y + high);
                pen.stroke();
            }
        }
    }

    /** @param {CanvasRenderingContext2D} pen */
    drawNumbers(pen) {
        const { matrix, part, colours } = this;
        const { values, columns, allowed, rows, cols, scale, cmap } = matrix;
        pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
        pen.textAlign = "center";
        pen.textBaseline = "middle";
        pen.direction = "ltr";
        const inks = Array.from({ length: 256 }, (_, at) => colours.on(cmap, at / 256, scale.signed));
        for (let row = Math.floor(part.top); row < part.top + part.high; row++) {
            const first = rows[row] * columns;
            const peak = scale.kind === "row" ? Math.max(...cols.map((col) => values[first + col])) : 1;
            for (let col = Math.floor(part.left); col < part.left + part.wide; col++) {
                const at = first + cols[col];
                if (allowed && !allowed[at]) continue;
                const { x, y, wide, high } = this.box(row, col);
                pen.fillStyle = inks[place(unit(values[at], scale, peak))];
                pen.fillText(brief(values[at]), x + wide / 2, y + high / 2 + 0.5);
            }
        }
    }

    /** @param {CanvasRenderingContext2D} pen @param {number[]} stressedRows @param {number} stressedCol */
    drawLabels(pen, stressedRows, stressedCol) {
        const { part, ink } = this;
        if (!ink) return;
        const [cellWide, cellHigh] = this.cell;
        this.nameAxes(pen);
        const byRow = every(cellHigh), byCol = every(this.layout?.flat ? cellWide * 10 : cellWide);
        this.thinned = [byRow, byCol];
        pen.font = this.font ?? "";
        for (let row = Math.ceil(part.top - 0.5); row + 0.5 <= part.top + part.high; row++) {
            if (row % byRow === 0) this.rowLabel(pen, row, ink.soft);
        }
        for (let col = Math.ceil(part.left - 0.5); col + 0.5 <= part.left + part.wide; col++) {
            if (col % byCol === 0) this.colLabel(pen, col, ink.soft);
        }
        for (const row of stressedRows) this.rowLabel(pen, row, ink.mark, true);
        if (stressedCol >= 0) this.colLabel(pen, stressedCol, ink.mark, true);
    }

    /** Say in the corner what rows and columns are. @param {CanvasRenderingContext2D} pen */
    nameAxes(pen) {
        const { layout, ink } = this;
        if (!layout || !ink) return;
        pen.font = `10px ${(this.font ?? "").split("px ")[1]}`;
        pen.fillStyle = ink.faint;
        besideRow(pen, "keys →", layout.left - 9, layout.top - 22);
        besideRow(pen, "queries ↓", layout.left - 9, layout.top - 10);
    }

    /**
     * Write the label of a row; `alone` clears the place beside it first.
     * @param {CanvasRenderingContext2D} pen
     * @param {number} row
     * @param {string} colour
     * @param {boolean} [alone]
     */
    rowLabel(pen, row, colour, alone = false) {
        const { layout, matrix, rowLabels, ink } = this;
        if (!layout || !rowLabels || !ink) return;
        const { y, high } = this.box(row, null);
        const middle = y + high / 2;
        if (middle < layout.top - 1 || middle > layout.top + layout.high + 1) return;
        if (alone) {
            pen.fillStyle = ink.paper;
            for (const near of this.besides(row, high, this.thinned[0])) {
                pen.fillRect(0, middle + near - SIZE / 2 - 2, layout.left - 2, SIZE + 4);
            }
        }
        pen.fillStyle = colour;
        besideRow(pen, rowLabels.cut(matrix.rows[row], layout.rowLabel), layout.left - 5, middle);
    }

    /**
     * Write the label of a column.
     * @param {CanvasRenderingContext2D} pen
     * @param {number} col
     * @param {string} colour
     * @param {boolean} [alone]
     */
    colLabel(pen, col, colour, alone = false) {
        const { layout, matrix, colLabels, ink } = this;
        if (!layout || !colLabels || !ink) return;
        const { x, wide } = this.box(null, col);
        const middle = x + wide / 2;
        if (middle < layout.left - 1 || middle > layout.left + layout.wide + 1) return;
        const index = matrix.cols[col];
        if (alone) {
            const reach = layout.flat ? colLabels.widths[index] / 2 + 3 : SIZE / 2 + 2;
            pen.fillStyle = ink.paper;
            for (const near of this.besides(col, wide, this.thinned[1])) {
                pen.fillRect(middle + near - reach, 0, 2 * reach, layout.top - 2);
            }
        }
        pen.fillStyle = colour;
        const most = layout.flat ? Math.max(wide - 4, layout.colLabel) : layout.colLabel;
        aboveColumn(pen, colLabels.cut(index, most), middle, layout.top - 5, layout.flat);
    }

    /**
     * Pixels from a label to itself and to labels that it would overlap.
     * @param {number} at position of the label
     * @param {number} cell pixels from one position to the next
     * @param {number} by positions from one label to the next
     */
    besides(at, cell, by) {
        if (by === 1) return [0];
        const before = Math.floor(at / by) * by;
        return [0, ...[before, before + by].map((near) => (near - at) * cell).filter((away) => Math.abs(away) < LINE)];
    }

    /**
     * Draw the pointer's place, or a window that is being chosen.
     * @param {Spot | null} spot
     * @param {Box | null} [window]
     */
    point(spot, window = null) {
        const { layout, ink, matrix } = this;
        if (!layout || !ink) return;
        const pen = pencil(this.over);
        pen.clearRect(0, 0, layout.width, layout.height);
        if (window) outline(pen, window, ink.accent, ink.paper, 1);
        if (!spot || spot.row >= matrix.rows.length || spot.col >= matrix.cols.length) return;
        pen.save();
        pen.beginPath();
        pen.rect(layout.left - 2, layout.top - 2, layout.wide + 4, layout.high + 4);
        pen.clip();
        outline(pen, this.box(spot.row, null), ink.accent, ink.paper, 1);
        outline(pen, this.box(null, spot.col), ink.accent, ink.paper, 1);
        pen.restore();
        pen.font = `600 ${this.font ?? ""}`;
        this.rowLabel(pen, spot.row, ink.accent, true);
        this.colLabel(pen, spot.col, ink.accent, true);
    }
}

/** A canvas's pen, in CSS pixels. @param {HTMLCanvasElement} canvas */
function pencil(canvas) {
    const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    return pen;
}

/**
 * Draw a box around cells: with a rim of paper, so that it is seen on any colour; thin, beside cells of few pixels.
 * @param {CanvasRenderingContext2D} pen
 * @param {Box} box
 * @param {string} colour
 * @param {string} paper
 * @param {number} width
 */
function outline(pen, { x, y, wide, high }, colour, paper, width) {
    const small = Math.min(wide, high) < 6;
    const out = small ? 1.5 : 0.5;
    if (!small) {
        pen.lineWidth = width + 1.5;
        pen.strokeStyle = paper;
        pen.strokeRect(x - out, y - out, wide + 2 * out, high + 2 * out);
    }
    pen.lineWidth = small ? 1 : width;
    pen.strokeStyle = colour;
    pen.strokeRect(x - out, y - out, wide + 2 * out, high + 2 * out);
}

/** A number for a cell: .12, 1.0, −.30. @param {number} value */
export function brief(value) {
    const size = Math.abs(value);
    if (size < 0.005) return "0";
    const text = size >= 9.95 ? size.toFixed(0) : size >= 0.995 ? size.toFixed(1) : size.toFixed(2).slice(1);
    return value < 0 ? `−${text}` : text;
}
