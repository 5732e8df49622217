// Where a map's cells and labels lie on its canvas, in CSS pixels.

import { LINE } from "./axis_labels.js";
import { clamp } from "./map_window.js";

const LARGEST = 76; // pixels a side of a cell
const GAP = 6; // from labels to cells
const RIM = 3; // room for an outline, at the right and below
const CORNER = 26; // least height of the labels above: the axes are named beside them
const SMALL = 8; // pixels of the screen, below which a cell's loss of a part of a pixel is seen

/**
 * @typedef {{
 *     left: number, top: number, wide: number, high: number, width: number, height: number,
 *     across: number, down: number, rowLabel: number, colLabel: number, flat: boolean,
 * }} Layout
 *     Cells begin at left, top and take wide x high of a canvas of width x height; across, down: what they could take;
 *     the longest labels; whether labels of columns are flat.
 * @typedef {import("./map_window.js").Part} Part
 */

/**
 * @param {{ wide: number, high: number }} area that there is
 * @param {Part} part
 * @param {number} widestRow pixels of the longest label of a row
 * @param {number} widestCol
 * @returns {Layout}
 */
export function layoutOf(area, part, widestRow, widestCol) {
    const rowLabel = Math.ceil(Math.max(54, Math.min(widestRow, 150, area.wide * 0.28)));
    const upright = Math.ceil(Math.max(CORNER, Math.min(widestCol, 120, area.high * 0.3)));
    const left = snapped(rowLabel + GAP);
    const across = area.wide - left - RIM;
    const room = (/** @type {number} */ label) => area.high - label - GAP - RIM;
    const flat = Math.min(across / part.wide, room(CORNER) / part.high, LARGEST) >= widestCol + 8;
    const colLabel = flat ? CORNER : upright;
    const down = room(colLabel);
    const cell = Math.min(across / part.wide, down / part.high, LARGEST);
    const [cellWide, cellHigh] = stretched(cell, part);
    const top = snapped(colLabel + GAP);
    const wide = fitted(cellWide, across / part.wide) * part.wide;
    const high = fitted(cellHigh, (1.35 * down) / part.high) * part.high;
    const size = { width: left + wide + RIM, height: top + high + RIM };
    return { left, top, wide, high, across, down, rowLabel, colLabel, flat, ...size };
}

/**
 * Sides of a cell: square; where one axis is much longer, the other's cells grow up to four times or to a line.
 * @param {number} cell
 * @param {Part} part
 * @returns {[number, number]}
 */
function stretched(cell, { wide, high }) {
    const most = Math.max(cell, Math.min(LINE, 4 * cell));
    return [clamp((cell * high) / (3 * wide), cell, most), clamp((cell * wide) / (3 * high), cell, most)];
}

/**
 * A length of whole pixels of the screen, where it has one at least: down, or up to `most` where down loses much.
 * @param {number} length
 * @param {number} most
 */
function fitted(length, most) {
    const pixels = Math.floor(length * devicePixelRatio + 1e-6);
    if (!pixels) return length;
    const more = (pixels + 1) / devicePixelRatio;
    return pixels < 0.8 * length * devicePixelRatio && more <= most ? more : pixels / devicePixelRatio;
}

/**
 * A part enlarged or reduced a little, so that its small cells are whole pixels of the screen and fill the room.
 * @param {Part} part
 * @param {Layout} layout
 * @param {number} rows
 * @param {number} cols
 * @returns {Part}
 */
export function wholePixels(part, { across, down }, rows, cols) {
    const pixels = Math.min(across / part.wide, down / part.high) * devicePixelRatio;
    const whole = Math.max(Math.round(pixels), 1);
    if (whole >= SMALL) return part;
    const high = Math.min(Math.floor((part.high * pixels) / whole), rows);
    const wide = Math.min(Math.floor((part.wide * pixels) / whole), cols);
    const top = clamp(part.top + (part.high - high) / 2, 0, rows - high);
    return { top, left: clamp(part.left + (part.wide - wide) / 2, 0, cols - wide), high, wide };
}

/** @param {number} length */
function snapped(length) {
    return Math.round(length * devicePixelRatio) / devicePixelRatio;
}
