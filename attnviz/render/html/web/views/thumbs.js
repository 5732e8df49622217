// The small pictures of a board.

import { shownOf } from "../axis.js";
import { paint } from "../colour.js";

/** Pictures of the maps of one source, for one scale and theme. */
export class Thumbs {
    /**
     * @param {import("../context.js").Context} context
     * @param {number} index of the source
     * @param {{ kind: string, high: number, signed: boolean }} scale
     */
    constructor(context, index, scale) {
        this.store = context.stores[index];
        this.source = context.explorer.sources[index];
        this.scale = scale;
        this.table = context.colours.table(context.state.cmap, scale.signed);
        this.hidden = context.colours.hidden;
        this.small = this.source.maps.thumbs === null;
        this.rows = shownOf(this.source.queries, context.state.rests, "query");
        this.cols = shownOf(this.source.keys, context.state.rests, "key");
        /** @type {Map<number, Uint8Array>} */
        this.masks = new Map();
    }

    /** Number of cells of a picture: [rows, columns]. @returns {[number, number]} */
    get size() {
        const thumbs = this.source.maps.thumbs;
        return thumbs ? [thumbs.shape[1], thumbs.shape[2]] : [this.rows.length, this.cols.length];
    }

    /** Read the stored pictures, and the bits of the mask. */
    async open() {
        const { mask } = this.source.maps;
        const stored = await this.store.thumbs();
        if (!stored) return;
        this.codes = stored.codes;
        if (typeof mask !== "string" && !this.store.bits) {
            this.store.bits = /** @type {Uint8Array} */ (await this.store.blocks.numbers(mask.bits));
        }
    }

    /**
     * The picture of a map, a pixel a cell.
     * @param {number} map
     * @returns {ImageData | Promise<ImageData>}
     */
    picture(map) {
        if (!this.small) return this.stored(map);
        const kept = this.store.peek(map);
        return kept ? this.whole(map, kept) : this.store.values(map).then((values) => this.whole(map, values));
    }

    /** @param {number} map @param {Float32Array} values */
    whole(map, values) {
        const { store, rows, cols, scale, table, hidden } = this;
        return paint(values, store.columns, store.allowed(map), rows, cols, scale, table, hidden);
    }

    /** @param {number} map */
    stored(map) {
        const [rows, cols] = this.size;
        const part = this.source.maps.peak[map] / 255;
        const codes = /** @type {Uint8Array} */ (this.codes).subarray(map * rows * cols, (map + 1) * rows * cols);
        const values = new Float32Array(codes.length);
        for (let i = 0; i < codes.length; i++) values[i] = codes[i] * part;
        return paint(values, cols, this.mask(map), count(rows), count(cols), this.scale, this.table, this.hidden);
    }

    /** 1 for each cell of a stored picture that has an allowed cell in it. @param {number} map */
    mask(map) {
        const { mask } = this.source.maps;
        if (mask === "all") return null;
        const which = mask === "causal" ? 0 : mask.which[map];
        let small = this.masks.get(which);
        if (!small) {
            const [rows, cols] = this.size;
            const allowed = /** @type {Uint8Array} */ (this.store.allowed(map));
            small = pooled(allowed, this.store.rows, this.store.columns, rows, cols);
            this.masks.set(which, small);
        }
        return small;
    }
}

/** @param {number} length */
function count(length) {
    return Array.from({ length }, (_, i) => i);
}

/**
 * The largest of each cell of a matrix.
 * @param {Uint8Array} values
 * @param {number} rows
 * @param {number} cols
 * @param {number} highCells cells from top to bottom
 * @param {number} wideCells cells from left to right
 */
export function pooled(values, rows, cols, highCells, wideCells) {
    const into = new Uint8Array(highCells * wideCells);
    const column = Uint16Array.from({ length: cols }, (_, col) => Math.floor(((col + 1) * wideCells - 1) / cols));
    for (let row = 0; row < rows; row++) {
        const first = Math.floor(((row + 1) * highCells - 1) / rows) * wideCells;
        for (let col = 0; col < cols; col++) {
            if (values[row * cols + col]) into[first + column[col]] = 1;
        }
    }
    return into;
}
