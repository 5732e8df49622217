// The legend of a map: its colours with round numbers, and what the colours leave out.

import { unit } from "../colour.js";
import { h, replace, short } from "../dom.js";

/** @type {Record<string, string>} */
const KINDS = { linear: "linear", sqrt: "square root", log: "logarithmic", row: "each row to its largest" };

/**
 * @typedef {{
 *     label: string, scale: { kind: string, high: number, signed: boolean }, table: Uint8Array,
 *     hidden: boolean, above: number, remarks: string[],
 * }} LegendFacts what a legend says. above: number of cells beyond the last colour; hidden: whether some are hidden
 */

/** A legend that can be filled again. */
export class Legend {
    constructor() {
        this.strip = h("canvas", { class: "strip", width: 256, height: 1, "aria-hidden": "true" });
        this.ticks = h("div", { class: "ticks" });
        this.label = h("span", { class: "legend-label" });
        this.remarks = h("p", { class: "legend-remarks" });
        this.element = h("div", { class: "legend" },
            this.label, h("div", { class: "legend-bar" }, this.strip, this.ticks), this.remarks);
    }

    /** @param {LegendFacts} facts */
    fill({ label, scale, table, hidden, above, remarks }) {
        const pen = this.strip.getContext("2d");
        if (pen) pen.putImageData(strip(table), 0, 0);
        const kind = scale.signed ? "linear" : scale.kind;
        this.label.textContent = `${label}, ${KINDS[kind] ?? kind}`;
        replace(this.ticks, ...ticksOf(scale).map(({ at, text }) => {
            const tick = h("span", {}, text);
            tick.style.left = `${100 * at}%`;
            return tick;
        }));
        const lines = [...remarks];
        if (above === 1) lines.unshift(`1 cell above ${short(scale.high)} has the last colour`);
        const many = above.toLocaleString("en");
        if (above > 1) lines.unshift(`${many} cells above ${short(scale.high)} have the last colour`);
        replace(this.remarks, ...(hidden ? [h("span", { class: "hidden-key" }), "attending not allowed"] : []));
        if (lines.length) this.remarks.append((hidden ? " · " : "") + lines.join(" · "));
    }
}

/** @param {Uint8Array} table */
function strip(table) {
    const image = new ImageData(256, 1);
    for (let i = 0; i < 256; i++) image.data.set([table[3 * i], table[3 * i + 1], table[3 * i + 2], 255], 4 * i);
    return image;
}

/**
 * Round values of a scale, and their places 0 to 1 on the colours.
 * @param {{ kind: string, high: number, signed: boolean }} scale
 * @returns {{ at: number, text: string }[]}
 */
export function ticksOf(scale) {
    const { kind, high, signed } = scale;
    if (kind === "row" && !signed) return [{ at: 0, text: "0" }, { at: 1, text: "row's largest" }];
    const values = kind === "log" && !signed ? decades(high) : rounds(high);
    const both = signed ? [...values.filter((value) => value > 0).map((value) => -value).reverse(), ...values] : values;
    const spread = [];
    for (const value of both) {
        const at = unit(value, scale);
        if (!spread.length || at - spread[spread.length - 1].at >= 0.13) spread.push({ at, text: plain(value) });
    }
    return spread;
}

/** 0 and two to five round steps up to an end. @param {number} high */
function rounds(high) {
    const size = 10 ** Math.floor(Math.log10(high));
    const step = [0.2, 0.5, 1, 2, 5].map((part) => part * size).find((each) => high / each <= 5) ?? size;
    return Array.from({ length: Math.floor(high / step + 1e-9) + 1 }, (_, i) => i * step);
}

/** Powers of ten within three decades of an end. @param {number} high */
function decades(high) {
    const top = Math.floor(Math.log10(high) + 1e-9);
    return [3, 2, 1, 0].map((down) => 10 ** (top - down)).filter((value) => value * 1000 >= high * 0.999);
}

/** A round number without surplus zeros. @param {number} value */
function plain(value) {
    const text = String(Number(value.toPrecision(6))).replace(/^(-?)0\./, "$10.");
    return text.replace("-", "−");
}
