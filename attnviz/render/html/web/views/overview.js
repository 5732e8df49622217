// A narrow strip beside a long column: all of its shades at once, and which part of it is seen.

import { place } from "../colour.js";
import { h } from "../dom.js";

export class Overview {
    /** @param {(share: number) => void} go called with the place, 0 to 1, that is to be seen */
    constructor(go) {
        this.canvas = h("canvas", { width: 1, height: 1 });
        this.window = h("div", { class: "window" });
        this.element = h("div", { class: "overview", "aria-hidden": "true" }, this.canvas, this.window);
        this.pen = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
        this.blank = true;
        const move = (/** @type {PointerEvent} */ event) => {
            const box = this.element.getBoundingClientRect();
            go(Math.min(Math.max((event.clientY - box.top) / box.height, 0), 1));
        };
        this.element.addEventListener("pointerdown", (event) => {
            this.element.setPointerCapture(event.pointerId);
            move(event);
        });
        this.element.addEventListener("pointermove", (event) => {
            if (this.element.hasPointerCapture(event.pointerId)) move(event);
        });
    }

    /**
     * Which part is seen, as shares of all.
     * @param {number} from
     * @param {number} to
     */
    see(from, to) {
        this.window.style.top = `${100 * from}%`;
        this.window.style.height = `${100 * (to - from)}%`;
    }

    /**
     * Shade the strip: each of its rows by the largest of its tokens.
     * @param {number[] | null} shares positions 0 to 1 on the colours of all tokens shown, in order; null: none
     * @param {Uint8Array} table
     * @param {boolean} signed
     * @param {number} height
     */
    shade(shares, table, signed, height) {
        if (!shares) {
            if (!this.blank) this.pen.clearRect(0, 0, 1, this.canvas.height);
            this.blank = true;
            return;
        }
        const rows = rowsOf(shares, Math.max(Math.round(height), 1), signed);
        if (this.canvas.height !== rows.length) this.canvas.height = rows.length;
        const image = new ImageData(1, rows.length);
        for (const [at, share] of rows.entries()) {
            const entry = 3 * place(share);
            image.data.set([table[entry], table[entry + 1], table[entry + 2], 255], 4 * at);
        }
        this.pen.putImageData(image, 0, 0);
        this.blank = false;
    }
}

/**
 * Positions of all tokens as `count` rows: of the tokens that share a row the strongest.
 * @param {number[]} shares
 * @param {number} count
 * @param {boolean} signed the middle is nothing, both ends are strong
 * @returns {number[]}
 */
export function rowsOf(shares, count, signed) {
    const size = (/** @type {number} */ share) => (signed ? Math.abs(share - 0.5) : share);
    return Array.from({ length: count }, (_, row) => {
        const first = Math.floor((row * shares.length) / count);
        const last = Math.max(Math.floor(((row + 1) * shares.length) / count), first + 1);
        let best = shares[first];
        for (const share of shares.slice(first + 1, last)) if (size(share) > size(best)) best = share;
        return best;
    });
}
