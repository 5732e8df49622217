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
        const { thumbs } = this.source.maps;
        /** The stored pictures; null where maps are small. */
        this.pictures = thumbs && ((!context.state.rests && thumbs.plain) || thumbs.all);
        const rests = context.state.rests || (thumbs !== null && thumbs.plain === null);
        this.rows = shownOf(this.source.queries, rests, "query");
        this.cols = shownOf(this.source.keys, rests, "key");
        /** @type {Map<number, Uint8Array>} */
        this.masks = new Map();
    }

    /** Number of cells of a picture: [rows, columns]. @returns {[number, number]} */
    get size() {
        const { pictures } = this;
        return pictures ? [pictures.shape[1], pictures.shape[2]] : [this.rows.length, this.cols.length];
    }

    /** Read the stored pictures, and the bits of the mask. */
    async open() {
        const { mask } = this.source.maps;
        if (!this.pictures) return;
        this.codes = await this.store.thumbs(this.pictures);
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
        if (this.pictures) return this.stored(map);
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
        const { part, zero } = /** @type {SmallPictures} */ (this.source.maps.thumbs);
        const codes = /** @type {Uint8Array} */ (this.codes).subarray(map * rows * cols, (map + 1) * rows * cols);
        const values = new Float32Array(codes.length);
        for (let i = 0; i < codes.length; i++) values[i] = (codes[i] - zero) * part[map];
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
            small = pooled(allowed, this.store.columns, this.rows, this.cols, rows, cols);
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
 * Whether a cell of a small picture has an allowed one in it.
 * @param {Uint8Array} values of the whole matrix
 * @param {number} columns of the whole matrix
 * @param {number[]} rows that are shown
 * @param {number[]} cols that are shown
 * @param {number} highCells cells from top to bottom
 * @param {number} wideCells cells from left to right
 */
export function pooled(values, columns, rows, cols, highCells, wideCells) {
    const into = new Uint8Array(highCells * wideCells);
    const column = cols.map((_, at) => Math.floor(((at + 1) * wideCells - 1) / cols.length));
    for (const [at, row] of rows.entries()) {
        const first = Math.floor(((at + 1) * highCells - 1) / rows.length) * wideCells;
        for (let place = 0; place < cols.length; place++) {
            if (values[row * columns + cols[place]]) into[first + column[place]] = 1;
        }
    }
    return into;
}
