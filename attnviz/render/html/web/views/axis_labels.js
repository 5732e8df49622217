// Tokens beside a map's rows and above its columns, drawn on its canvas.

import { visible } from "../dom.js";

const RIGHT_TO_LEFT = /^[^A-Za-z\u00C0-\u058F\u3040-\uD7FF]*[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC]/u;
export const SIZE = 12; // of the letters, in CSS pixels
export const LINE = 14; // least pixels from one label to the next

/** The labels of one axis, measured and cut to a length once. */
export class Labels {
    /**
     * @param {string[]} texts
     * @param {CanvasRenderingContext2D} pen
     * @param {string} font
     */
    constructor(texts, pen, font) {
        this.texts = texts;
        this.font = font;
        this.pen = pen;
        /** @type {Map<string, string>} */
        this.cuts = new Map();
        pen.font = font;
        this.widths = texts.map((text) => pen.measureText(text.length > 60 ? text.slice(0, 60) : visible(text)).width);
    }

    /**
     * Pixels of the longest label that a part shows.
     * @param {number[]} shown indices of tokens
     * @param {number} first position in them
     * @param {number} count
     * @param {number} by positions from one label to the next
     */
    widest(shown, first, count, by) {
        let most = 0;
        for (let at = Math.ceil(first / by) * by; at < first + count; at += by) {
            most = Math.max(most, this.widths[shown[at]] ?? 0);
        }
        return most;
    }

    /**
     * A label no longer than some pixels, with an ellipsis where letters are left out.
     * @param {number} index
     * @param {number} most
     */
    cut(index, most) {
        const text = visible(this.texts[index]);
        if (this.widths[index] <= most && text.length <= 60) return text;
        const key = `${most} ${text}`;
        let kept = this.cuts.get(key);
        if (kept === undefined) {
            this.pen.font = this.font;
            const letters = [...text].slice(0, 60);
            while (letters.length > 1 && this.pen.measureText(`${letters.join("")}…`).width > most) letters.pop();
            kept = `${letters.join("").trimEnd()}…`;
            this.cuts.set(key, kept);
        }
        return kept;
    }
}

/**
 * The number of cells from one label to the next.
 * @param {number} cell pixels
 */
export function every(cell) {
    const least = Math.ceil(LINE / cell - 1e-6);
    return [1, 2, 4, 5, 8, 10, 16, 20, 32, 50, 64, 100, 128, 200, 256, 500].find((step) => step >= least) ?? least;
}

/**
 * Write one label beside a row: it ends at x.
 * @param {CanvasRenderingContext2D} pen
 * @param {string} text
 * @param {number} x
 * @param {number} y middle of the row
 */
export function besideRow(pen, text, x, y) {
    pen.direction = RIGHT_TO_LEFT.test(text) ? "rtl" : "ltr";
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    pen.fillText(text, x, y + 0.5);
}

/**
 * Write one label above a column: upright, it ends at y and reads upwards; flat, it stands in the middle.
 * @param {CanvasRenderingContext2D} pen
 * @param {string} text
 * @param {number} x middle of the column
 * @param {number} y
 * @param {boolean} flat
 */
export function aboveColumn(pen, text, x, y, flat) {
    const rtl = RIGHT_TO_LEFT.test(text);
    pen.direction = rtl ? "rtl" : "ltr";
    pen.textBaseline = "middle";
    if (flat) {
        pen.textAlign = "center";
        pen.fillText(text, x, y - SIZE / 2 - 1);
        return;
    }
    pen.save();
    pen.translate(x, y);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "left";
    pen.fillText(text, 0, 0.5);
    pen.restore();
}
