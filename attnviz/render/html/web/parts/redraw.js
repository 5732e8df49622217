// Drawings that follow their width and the theme, and what several of them share.

/**
 * What a part's function is handed besides the part.
 * @typedef {{
 *     blocks: import("../data.js").Blocks, colours: import("../colour.js").Colours,
 *     tip: import("../tip.js").Tip, voice: import("../tip.js").Voice,
 * }} Tools
 */

/**
 * Draw into an element now that it has a width, and again when its width or the theme changes.
 * @param {HTMLElement} element
 * @param {(width: number) => void} draw
 * @returns {() => void} draws again at once
 */
export function redrawn(element, draw) {
    let width = 0;
    const again = () => {
        if (width) draw(width);
    };
    new ResizeObserver((entries) => {
        const wide = Math.floor(entries[entries.length - 1].contentRect.width);
        if (!wide || wide === width) return;
        width = wide;
        draw(width);
    }).observe(element);
    new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return again;
}

/** The cell, or the point, that is looked at in several drawings at once. */
export class Shared {
    constructor() {
        /** @type {[number, number] | null} */
        this.at = null;
        /** @type {(() => void)[]} */
        this.listeners = [];
    }

    /** @param {[number, number] | null} at */
    set(at) {
        if (String(at) === String(this.at)) return;
        this.at = at;
        for (const listener of this.listeners) listener();
    }

    /** @param {() => void} listener */
    subscribe(listener) {
        this.listeners.push(listener);
    }
}

/**
 * Say on the page which head is chosen; boards and tables of rows show it.
 * @param {string} layer
 * @param {string} head
 */
export function chooseHead(layer, head) {
    document.dispatchEvent(new CustomEvent("chosen-head", { detail: { layer, head } }));
}

/** @param {(layer: string, head: string) => void} listener */
export function onChosenHead(listener) {
    document.addEventListener("chosen-head", (event) => {
        const { layer, head } = /** @type {CustomEvent} */ (event).detail;
        listener(layer, head);
    });
}

/**
 * A number for a table or an axis: whole numbers as they are, others with as many decimals as are asked for.
 * @param {number} value
 * @param {number} decimals
 */
export function fixed(value, decimals) {
    if (value === 0) return "0";
    const text = value.toFixed(decimals);
    return (Number(text) === 0 ? value.toExponential(1) : text).replaceAll("-", "−");
}

/**
 * Decimals for a column: three significant digits of the number in the middle, at most four decimals, and no more than
 * six digits of the largest.
 * @param {number[]} numbers
 */
export function decimalsFor(numbers) {
    const sizes = numbers
        .map(Math.abs)
        .filter((size) => size > 0)
        .sort((a, b) => a - b);
    if (!sizes.length) return 2;
    const middle = 2 - Math.floor(Math.log10(sizes[Math.floor(sizes.length / 2)]));
    const largest = 5 - Math.floor(Math.log10(sizes[sizes.length - 1]));
    return Math.min(Math.max(Math.min(middle, largest), 0), 4);
}
