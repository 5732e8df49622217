// The picture that a model saw, its patches shaded; a click on a patch chooses it.

import { place } from "../colour.js";
import { h, replace, short, visible } from "../dom.js";
import { strength } from "./line_canvas.js";
import { patchAt, printed } from "./patches.js";

export class PatchPicture {
    /**
     * @param {import("../context.js").Context} context
     * @param {number} at index of the source
     * @param {{ choose: (index: number, more: boolean) => void, tip: (index: number) => (string | Node)[] }} hooks
     */
    constructor(context, at, hooks) {
        this.context = context;
        this.source = context.explorer.sources[at];
        this.image = /** @type {NonNullable<Source["image"]>} */ (this.source.image);
        this.hooks = hooks;
        this.cursor = 0;
        const { rows, columns, picture } = this.image;
        const [high, wide] = picture ? picture.shape : [rows, columns];
        this.canvas = h("canvas", { width: wide, height: high, class: picture ? "" : "plain" });
        this.mark = h("div", { class: "patch-mark" });
        this.frame = h("div", {
            class: "patches", tabIndex: 0, role: "application", "data-own-keys": "",
            "aria-label": `picture of ${rows} x ${columns} patches; arrow keys choose a patch`,
        }, this.canvas, this.mark);
        this.frame.style.aspectRatio = `${wide} / ${high}`;
        this.others = h("div", { class: "patch-others" });
        this.element = h("div", { class: "patch-picture" }, this.frame, this.others);
        this.frame.addEventListener("click", (event) => hooks.choose(this.indexAt(event), event.ctrlKey || event.metaKey || event.shiftKey));
        this.frame.addEventListener("pointermove", (event) => context.tip.show(event.clientX, event.clientY, this.tip(this.indexAt(event))));
        this.frame.addEventListener("pointerleave", () => context.tip.hide());
        this.frame.addEventListener("keydown", (event) => this.onKey(event));
    }

    /** The key at a point. @param {MouseEvent} event */
    indexAt(event) {
        const box = this.frame.getBoundingClientRect();
        const [row, column] = patchAt(this.image, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
        return this.image.first + row * this.image.columns + column;
    }

    /** @param {number} index */
    tip(index) {
        const at = index - this.image.first;
        return [h("div", {}, `row ${Math.floor(at / this.image.columns)}, column ${at % this.image.columns}`), ...this.hooks.tip(index)];
    }

    /** @param {KeyboardEvent} event */
    onKey(event) {
        const { columns, rows, first } = this.image;
        const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        const next = this.cursor + by;
        if (next < 0 || next >= rows * columns) return;
        this.hooks.choose(first + next, false);
        this.context.voice.say(`patch in row ${Math.floor(next / columns)}, column ${next % columns}`);
    }

    /**
     * @param {Float32Array | null} weights of all keys; null: not shaded
     * @param {{ kind: string, high: number, signed: boolean }} scale
     * @param {number | undefined} peak
     * @param {number | null} chosen
     */
    async show(weights, scale, peak, chosen) {
        const { context, image, source } = this;
        const pixels = image.picture ? await context.blocks.numbers(image.picture) : new Uint8Array(3 * image.rows * image.columns).fill(context.colours.dark ? 0 : 255);
        const table = context.colours.table(context.state.cmap, source.signed);
        const entry = (/** @type {number} */ index) => {
            if (!weights) return source.signed ? 128 : 0;
            return place(source.signed ? (weights[index] / scale.high + 1) / 2 : strength(weights[index], scale, peak));
        };
        const { width, height } = this.canvas;
        const data = new ImageData(width, height);
        printed(data.data, pixels, width, height, image, (patch) => entry(image.first + patch), table);
        /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d")).putImageData(data, 0, 0);
        const at = chosen === null ? -1 : chosen - image.first;
        const inside = at >= 0 && at < image.rows * image.columns;
        this.mark.hidden = !inside;
        if (inside) {
            this.cursor = at;
            const [row, column] = [Math.floor(at / image.columns), at % image.columns];
            Object.assign(this.mark.style, {
                left: `${(100 * column) / image.columns}%`, top: `${(100 * row) / image.rows}%`,
                width: `${100 / image.columns}%`, height: `${100 / image.rows}%`,
            });
        }
        this.buttons(weights, entry, table, chosen);
    }

    /**
     * Tokens that are no patches, such as a class token.
     * @param {Float32Array | null} weights
     * @param {(index: number) => number} entry
     * @param {Uint8Array} table
     * @param {number | null} chosen
     */
    buttons(weights, entry, table, chosen) {
        const { first, rows, columns } = this.image;
        const indices = this.source.keys.text.map((_, index) => index).filter((index) => index < first || index >= first + rows * columns);
        const focused = document.activeElement instanceof HTMLElement && this.others.contains(document.activeElement) ? document.activeElement.dataset.index : null;
        replace(this.others, ...indices.map((index) => {
            const button = h("button", {
                type: "button", "aria-pressed": String(chosen === index), "data-index": index,
                onclick: (/** @type {MouseEvent} */ event) => this.hooks.choose(index, event.ctrlKey || event.metaKey || event.shiftKey),
            }, visible(this.source.keys.text[index]), weights ? h("span", { class: "figure" }, ` ${short(weights[index])}`) : null);
            if (weights) {
                const at = 3 * entry(index);
                button.style.backgroundColor = `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
                button.style.color = this.context.colours.on(this.context.state.cmap, entry(index) / 256, this.source.signed);
            }
            return button;
        }));
        if (focused !== null) this.others.querySelector(`[data-index="${focused}"]`)?.focus();
    }
}
