// Lines of weight on a canvas, sharp on every screen.

import { unit } from "../colour.js";

const THIN = 0.5; // pixels: the weakest line and the strongest
const THICK = 5;
const PALEST = 0.08; // cover of the weakest
const REST = 0.45; // of the cover of other lines: lines to where heads rest

/**
 * Colours of each head's lines and of lines to where heads rest; the scale, and the largest weight of a line's row.
 * @typedef {{
 *     strands: { plus: string, minus: string }[], rest: string,
 *     scale: { kind: string, high: number, signed: boolean }, peak: (line: import("./links.js").Line) => number,
 * }} LineLook
 */

/** A canvas as large as its place on the page. */
export class LineCanvas {
    /** @param {HTMLCanvasElement} element */
    constructor(element) {
        this.element = element;
        this.pen = /** @type {CanvasRenderingContext2D} */ (element.getContext("2d"));
        this.width = 0;
        this.height = 0;
    }

    /** @param {number} width @param {number} height */
    fit(width, height) {
        const ratio = devicePixelRatio || 1;
        const [w, h] = [Math.max(Math.round(width * ratio), 1), Math.max(Math.round(height * ratio), 1)];
        if (this.element.width !== w) this.element.width = w;
        if (this.element.height !== h) this.element.height = h;
        this.width = width;
        this.height = height;
        this.pen.setTransform(w / width || 1, 0, 0, h / height || 1, 0, 0);
    }

    clear() {
        this.pen.clearRect(0, 0, this.width, this.height);
    }

    /**
     * @param {import("./links.js").Line[]} lines weakest first
     * @param {(query: number) => number} left height of a query
     * @param {(key: number) => number} right height of a key
     * @param {LineLook} look
     */
    draw(lines, left, right, { strands, rest, scale, peak }) {
        const { pen, width } = this;
        pen.lineCap = "butt";
        for (const line of lines) {
            const share = strength(line.weight, scale, peak(line));
            const colour = strands[line.strand];
            pen.strokeStyle = line.rest ? rest : line.weight < 0 ? colour.minus : colour.plus;
            pen.globalAlpha = (PALEST + (1 - PALEST) * Math.sqrt(share)) * (line.rest ? REST : 0.92);
            pen.lineWidth = THIN + (THICK - THIN) * share;
            pen.beginPath();
            pen.moveTo(0, left(line.query));
            pen.lineTo(width, right(line.key));
            pen.stroke();
        }
        pen.globalAlpha = 1;
    }

    /**
     * Squares at the right or left end, one for each head, as strong as its weight.
     * @param {{ y: number, shares: number[] }[]} rows
     * @param {string[]} colours
     * @param {boolean} atRight
     * @param {number} pitch
     */
    squares(rows, colours, atRight, pitch) {
        const [wide, tall] = [5, Math.max(pitch - 6, 4)];
        for (const { y, shares } of rows) {
            for (const [at, share] of shares.entries()) {
                this.pen.globalAlpha = share;
                this.pen.fillStyle = colours[at];
                const x = atRight ? this.width - (shares.length - at) * (wide + 1) : at * (wide + 1);
                this.pen.fillRect(x, y - tall / 2, wide, tall);
            }
        }
        this.pen.globalAlpha = 1;
    }
}

/**
 * A weight's share of the scale, 0 to 1, whatever its sign.
 * @param {number} weight
 * @param {{ kind: string, high: number, signed: boolean }} scale
 * @param {number} [peak]
 */
export function strength(weight, scale, peak = 1) {
    if (scale.signed) return Math.min(Math.abs(weight) / scale.high, 1);
    return Math.min(Math.max(unit(weight, scale, peak), 0), 1);
}
