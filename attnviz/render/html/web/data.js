// The numbers of a page: blocks of deflated bytes, read when they are needed, and the maps among them.

const MOST_KEPT = 64 * 1024 * 1024; // bytes of decoded maps that are kept
const LONG = 400_000; // letters of base64 from which on a worker decodes

/**
 * Decode base64 and inflate it to exactly `size` bytes. Self-contained: a worker gets its source.
 * @param {string} base64
 * @param {number} size
 * @returns {Promise<Uint8Array>}
 */
async function inflate(base64, size) {
    const packed = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
    const raw = new Uint8Array(size);
    let at = 0;
    for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        if (at + value.length > size) throw new Error("a block is longer than the page says");
        raw.set(value, at);
        at += value.length;
    }
    if (at !== size) throw new Error("a block is shorter than the page says");
    return raw;
}

/** The worker's side of the exchange. */
const WORKER = `${inflate.toString()}
onmessage = async ({ data: { id, base64, size } }) => {
    try {
        const raw = await inflate(base64, size);
        postMessage({ id, raw }, { transfer: [raw.buffer] });
    } catch (error) {
        postMessage({ id, error: String(error) });
    }
};`;

/** The blocks of one page, each inflated once. */
export class Blocks {
    /**
     * @param {number[]} sizes raw bytes of each block
     * @param {(index: number) => string} base64 the text of a block
     */
    constructor(sizes, base64) {
        this.sizes = sizes;
        this.base64 = base64;
        /** @type {Map<number, Promise<Uint8Array>>} */
        this.raw = new Map();
        /** @type {Map<number, { done: (raw: Uint8Array) => void, failed: (error: Error) => void }>} */
        this.waiting = new Map();
        /** @type {Worker | null | undefined} */
        this.worker = undefined;
    }

    /**
     * @param {number} index
     * @returns {Promise<Uint8Array>}
     */
    bytes(index) {
        let raw = this.raw.get(index);
        if (!raw) {
            raw = this.read(index);
            this.raw.set(index, raw);
        }
        return raw;
    }

    /** @param {number} index */
    async read(index) {
        const base64 = this.base64(index);
        const worker = base64.length > LONG ? this.helper() : null;
        if (!worker) return inflate(base64, this.sizes[index]);
        try {
            return await new Promise((done, failed) => {
                this.waiting.set(index, { done, failed });
                worker.postMessage({ id: index, base64, size: this.sizes[index] });
            });
        } catch {
            return inflate(base64, this.sizes[index]);
        }
    }

    /** The worker, or null where the browser has none for such a page. */
    helper() {
        if (this.worker !== undefined) return this.worker;
        try {
            const worker = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })));
            worker.onmessage = ({ data: { id, raw, error } }) => {
                if (raw) this.waiting.get(id)?.done(raw);
                else this.waiting.get(id)?.failed(new Error(error));
                this.waiting.delete(id);
            };
            worker.onerror = () => {
                this.worker = null;
                for (const { failed } of this.waiting.values()) failed(new Error("no worker"));
                this.waiting.clear();
            };
            this.worker = worker;
        } catch {
            this.worker = null;
        }
        return this.worker;
    }

    /** Give back the bytes of a block that will not be needed soon. @param {number} index */
    drop(index) {
        this.raw.delete(index);
    }

    /**
     * Numbers as a typed array, and its shape.
     * @param {Numbers} numbers
     */
    async numbers(numbers) {
        return view(await this.bytes(numbers.block), numbers);
    }
}

/**
 * A typed array over part of a block.
 * @param {Uint8Array} raw
 * @param {Numbers} numbers
 */
export function view(raw, { at, type, shape }) {
    const count = shape.reduce((product, size) => product * size, 1);
    const width = { f4: 4, i4: 4, u2: 2, u1: 1 }[type];
    const bytes = raw.buffer.slice(raw.byteOffset + at, raw.byteOffset + at + count * width);
    if (type === "f4") return new Float32Array(bytes);
    if (type === "i4") return new Int32Array(bytes);
    return type === "u2" ? new Uint16Array(bytes) : new Uint8Array(bytes);
}

/** The maps of one source. */
export class MapStore {
    /**
     * @param {Source} source
     * @param {Blocks} blocks
     */
    constructor(source, blocks) {
        this.source = source;
        this.blocks = blocks;
        this.rows = source.queries.text.length;
        this.columns = source.keys.text.length;
        /** @type {Map<number, Float32Array>} */
        this.kept = new Map();
        /** @type {Map<number, Promise<Float32Array>>} */
        this.coming = new Map();
        /** @type {Map<number, Uint8Array | null>} */
        this.masks = new Map();
        /** @type {Uint8Array | null} */
        this.bits = null;
    }

    /**
     * The values of a map, row after row.
     * @param {number} map
     * @returns {Promise<Float32Array>}
     */
    async values(map) {
        const kept = this.peek(map);
        if (kept) return kept;
        let coming = this.coming.get(map);
        if (!coming) {
            coming = this.decode(map).finally(() => this.coming.delete(map));
            this.coming.set(map, coming);
        }
        return coming;
    }

    /**
     * The values if they have been decoded.
     * @param {number} map
     */
    peek(map) {
        const kept = this.kept.get(map);
        if (kept) {
            this.kept.delete(map); // the last used is the last in order
            this.kept.set(map, kept);
        }
        return kept;
    }

    /** @param {number} map */
    async decode(map) {
        const { at, step, low, mask } = this.source.maps;
        if (typeof mask !== "string" && !this.bits) {
            this.bits = /** @type {Uint8Array} */ (await this.blocks.numbers(mask.bits));
        }
        const place = at[map];
        const codes = await this.blocks.bytes(place.block);
        const values = decoded(codes, place, this.rows * this.columns, low[map], step[map]);
        this.kept.set(map, values);
        const most = Math.max(2, Math.floor(MOST_KEPT / (values.byteLength || 1)));
        for (const old of this.kept.keys()) {
            if (this.kept.size <= most) break;
            this.kept.delete(old);
        }
        return values;
    }

    /**
     * 1 where attending was allowed, row after row; null: everywhere. Known once the map's values are.
     * @param {number} map
     * @returns {Uint8Array | null}
     */
    allowed(map) {
        const mask = this.source.maps.mask;
        if (mask === "all") return null;
        const which = mask === "causal" ? 0 : mask.which[map];
        let allowed = this.masks.get(which);
        if (!allowed) {
            allowed = new Uint8Array(this.rows * this.columns);
            if (mask === "causal") {
                const keys = this.columns - this.rows + 1; // that the first query may see
                for (let i = 0; i < this.rows; i++) allowed.fill(1, i * this.columns, i * this.columns + keys + i);
            } else if (this.bits) {
                const bits = this.bits.subarray(which * Math.ceil(allowed.length / 8));
                for (let i = 0; i < allowed.length; i++) allowed[i] = (bits[i >> 3] >> (7 - (i & 7))) & 1;
            }
            this.masks.set(which, allowed);
        }
        return allowed;
    }

    /** Codes of the small pictures of all maps. @param {Numbers} pictures */
    async thumbs(pictures) {
        return /** @type {Uint8Array} */ (await this.blocks.numbers(pictures));
    }
}

/**
 * Codes of one map as values.
 * @param {Uint8Array} codes
 * @param {{ at: number, bytes: 1 | 2 }} place
 * @param {number} count
 * @param {number} low
 * @param {number} step
 */
export function decoded(codes, { at, bytes }, count, low, step) {
    const values = new Float32Array(count);
    if (bytes === 1) for (let i = 0; i < count; i++) values[i] = low + step * codes[at + i];
    else for (let i = 0; i < count; i++) values[i] = low + step * (codes[at + i] + 256 * codes[at + count + i]);
    return values;
}
