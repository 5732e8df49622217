// Where a map's cells and labels lie on its canvas, in CSS pixels.

import { LINE } from "./axis_labels.js";
import { clamp } from "./map_window.js";

const LARGEST = 76; // pixels a side of a cell
const GAP = 6; // from labels to cells
const RIGHT = 2, BOTTOM = 2; // room for an outline

/**
 * @typedef {{
 *     left: number, top: number, wide: number, high: number, width: number, height: number,
 *     rowLabel: number, colLabel: number, flat: boolean,
 * }} Layout
 *     Cells begin at left, top and take wide x high of a canvas of width x height; longest labels; flat column labels.
 */

/**
 * @param {{ wide: number, high: number }} area that there is
 * @param {{ wide: number, high: number }} part cells in it
 * @param {number} widestRow pixels of the longest label of a row
 * @param {number} widestCol
 * @returns {Layout}
 */
export function layoutOf(area, part, widestRow, widestCol) {
    const rowLabel = Math.ceil(Math.max(34, Math.min(widestRow, 150, area.wide * 0.28)));
    let colLabel = Math.ceil(Math.max(30, Math.min(widestCol, 120, area.high * 0.3)));
    const left = snapped(rowLabel + GAP);
    const across = area.wide - left - RIGHT;
    let down = area.high - colLabel - GAP - BOTTOM;
    const flat = Math.min(across / part.wide, down / part.high, LARGEST) >= widestCol + 8;
    if (flat) {
        colLabel = LINE;
        down = area.high - colLabel - GAP - BOTTOM;
    }
    const cell = Math.min(across / part.wide, down / part.high, LARGEST);
    const [cellWide, cellHigh] = stretched(cell, part);
    const top = snapped(colLabel + GAP);
    const wide = fitted(cellWide) * part.wide, high = fitted(cellHigh) * part.high;
    return { left, top, wide, high, width: left + wide + RIGHT, height: top + high + BOTTOM, rowLabel, colLabel, flat };
}

/**
 * Sides of a cell: square; where one axis is much longer, the other's cells grow up to four times or to a line.
 * @param {number} cell
 * @param {{ wide: number, high: number }} part
 * @returns {[number, number]}
 */
function stretched(cell, { wide, high }) {
    const most = Math.max(cell, Math.min(LINE, 4 * cell));
    return [clamp((cell * high) / (3 * wide), cell, most), clamp((cell * wide) / (3 * high), cell, most)];
}

/** A length of whole pixels of the screen, where it has one at least. @param {number} length */
function fitted(length) {
    const pixels = Math.floor(length * devicePixelRatio + 1e-6);
    return pixels ? pixels / devicePixelRatio : length;
}

/** @param {number} length */
function snapped(length) {
    return Math.round(length * devicePixelRatio) / devicePixelRatio;
}
