// From a value to a colour: scales, colour maps, and the theme they are on.

const LOG_SPAN = 1000; // a log scale runs over three decades

/** Colour maps, for the theme that is on. */
export class Colours {
    /** @param {Record<string, string>} packed base64 of 256 x 3 bytes by name */
    constructor(packed) {
        /** @type {Record<string, Uint8Array>} */
        this.tables = Object.create(null);
        for (const [name, base64] of Object.entries(packed)) {
            this.tables[name] = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        }
        this.dark = false;
    }

    /** Names that a reader may choose. */
    names() {
        return Object.keys(this.tables).filter((name) => !["inks", "night", "ember"].includes(name));
    }

    /**
     * The 256 colours of a map in this theme, 3 bytes each.
     * @param {string} cmap
     * @param {boolean} [signed]
     */
    table(cmap, signed = false) {
        if (signed) return this.tables[this.dark ? "ember" : "inks"];
        if (cmap === "ink" || !(cmap in this.tables)) return this.tables[this.dark ? "night" : "ink"];
        return this.tables[cmap];
    }

    /** The colour of a cell where attending was not allowed. @returns {[number, number, number]} */
    get hidden() {
        return this.dark ? [52, 54, 58] : [230, 230, 230];
    }

    /**
     * The colour at a position 0 to 1, as CSS.
     * @param {string} cmap
     * @param {number} unit
     * @param {boolean} [signed]
     */
    css(cmap, unit, signed = false) {
        const table = this.table(cmap, signed);
        const at = 3 * place(unit);
        return `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
    }

    /**
     * Black or white, whichever is read better on the colour at this position.
     * @param {string} cmap
     * @param {number} unit
     * @param {boolean} [signed]
     */
    on(cmap, unit, signed = false) {
        const table = this.table(cmap, signed);
        const at = 3 * place(unit);
        return luminance(table[at], table[at + 1], table[at + 2]) > 0.18 ? "#000" : "#fff";
    }
}

/**
 * A position 0 to 1 as an index into 256 colours.
 * @param {number} unit
 */
export function place(unit) {
    return unit >= 1 ? 255 : unit > 0 ? Math.floor(unit * 256) : 0;
}

/** Relative luminance of an sRGB colour (WCAG 2.2). @param {number} r @param {number} g @param {number} b */
export function luminance(r, g, b) {
    const [red, green, blue] = [r, g, b].map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/**
 * The scale that a state asks for: its kind, and the value at the end of the colours.
 * @param {State} state
 * @param {Source} source
 * @returns {{ kind: "linear" | "sqrt" | "log" | "row", high: number, signed: boolean }}
 */
export function scaleOf(state, source) {
    const kind = state.scale === "auto" || source.signed ? source.scale.kind : state.scale;
    return { kind, high: kind === "row" ? 1 : (state.high ?? source.scale.high), signed: source.signed };
}

/**
 * A value's position 0 to 1 on the colours.
 * @param {number} value
 * @param {{ kind: string, high: number, signed: boolean }} scale
 * @param {number} [peak] the largest value of its row, for scale "row"
 */
export function unit(value, { kind, high, signed }, peak = 1) {
    if (signed) return Math.min(Math.max((value / high + 1) / 2, 0), 1);
    if (kind === "row") return peak > 0 ? Math.min(Math.max(value / peak, 0), 1) : 0;
    if (kind === "log") return Math.min(Math.max(logUnit(value, high), 0), 1);
    const share = Math.min(Math.max(value / high, 0), 1);
    return kind === "sqrt" ? Math.sqrt(share) : share;
}

/** @type {WeakMap<Uint8Array, Uint32Array>} */
const PIXELS = new WeakMap();

/**
 * 256 colours as pixels of an ImageData, red in the lowest byte.
 * @param {Uint8Array} table 3 bytes each
 */
function pixelsOf(table) {
    let pixels = PIXELS.get(table);
    if (!pixels) {
        pixels = new Uint32Array(256);
        for (let i = 0; i < 256; i++) pixels[i] = pixel(table[3 * i], table[3 * i + 1], table[3 * i + 2]);
        PIXELS.set(table, pixels);
    }
    return pixels;
}

/** @param {number} red @param {number} green @param {number} blue */
function pixel(red, green, blue) {
    return (255 << 24) | (blue << 16) | (green << 8) | red;
}

/**
 * Write the places of a row's values among 256 colours, as `place(unit(value, scale, peak))` for each.
 * @param {Uint8Array} into
 * @param {Float64Array} units room for as many numbers
 * @param {Float32Array} values
 * @param {number} first where the row begins
 * @param {number[]} cols
 * @param {{ kind: string, high: number, signed: boolean }} scale
 */
function placeRow(into, units, values, first, cols, { kind, high, signed }) {
    const count = cols.length;
    let end = high;
    if (kind === "row" && !signed) {
        end = 0;
        for (let i = 0; i < count; i++) end = Math.max(end, values[first + cols[i]]);
    }
    for (let i = 0; i < count; i++) units[i] = values[first + cols[i]] / end;
    if (signed) for (let i = 0; i < count; i++) units[i] = (units[i] + 1) / 2;
    else if (kind === "sqrt") for (let i = 0; i < count; i++) units[i] = Math.sqrt(units[i]);
    else if (kind === "log") for (let i = 0; i < count; i++) units[i] = logUnit(values[first + cols[i]], end);
    for (let i = 0; i < count; i++) into[i] = Math.min(Math.max(units[i] * 256, 0), 255);
}

/** @param {number} value @param {number} high */
function logUnit(value, high) {
    return Math.log((value * LOG_SPAN) / high) / Math.log(LOG_SPAN);
}

/**
 * Paint part of a map, a pixel a cell.
 * @param {Float32Array} values [rows, columns]
 * @param {number} columns of the whole map
 * @param {Uint8Array | null} allowed
 * @param {number[]} rows which rows, in order
 * @param {number[]} cols which columns, in order
 * @param {{ kind: string, high: number, signed: boolean }} scale
 * @param {Uint8Array} table
 * @param {[number, number, number]} hidden
 * @returns {ImageData}
 */
export function paint(values, columns, allowed, rows, cols, scale, table, hidden) {
    const image = new ImageData(cols.length, rows.length);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = pixelsOf(table);
    const grey = pixel(...hidden);
    const places = new Uint8Array(cols.length);
    const units = new Float64Array(cols.length);
    let to = 0;
    for (const row of rows) {
        const first = row * columns;
        placeRow(places, units, values, first, cols, scale);
        for (let i = 0; i < cols.length; i++) {
            pixels[to++] = allowed && !allowed[first + cols[i]] ? grey : colours[places[i]];
        }
    }
    return image;
}
