// The picture that a model saw, its patches shaded; a click on a patch chooses it.

import { place } from "../colour.js";
import { h, replace, short, visible } from "../dom.js";
import { strength } from "./line_canvas.js";
import { patchAt, printed } from "./patches.js";

const SHARP = 200; // pixels; a picture of fewer keeps its edges when it is drawn larger

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
        this.canvas = h("canvas", { width: wide, height: high, class: wide < SHARP ? "sharp" : "" });
        this.mark = h("div", { class: "patch-mark" });
        this.frame = h("div", {
            class: "patches", tabIndex: 0, role: "application", "data-own-keys": "",
            "aria-label": `picture of ${rows} x ${columns} patches; arrow keys choose a patch`,
        }, this.canvas, this.mark);
        this.frame.style.aspectRatio = `${wide} / ${high}`;
        this.others = h("div", { class: "no-patches" });
        this.element = h("div", { class: "patch-picture" }, this.frame, this.others);
        this.frame.addEventListener("click", (event) => hooks.choose(this.indexAt(event), withMore(event)));
        this.frame.addEventListener("pointermove", (event) =>
            context.tip.show(event.clientX, event.clientY, this.tip(this.indexAt(event))));
        this.frame.addEventListener("pointerleave", () => context.tip.hide());
        this.frame.addEventListener("keydown", (event) => this.onKey(event));
    }

    /** The key at a point. @param {MouseEvent} event */
    indexAt(event) {
        const box = this.frame.getBoundingClientRect();
        const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
        const [row, column] = patchAt(this.image, x, y);
        return this.image.first + row * this.image.columns + column;
    }

    /** @param {number} index */
    tip(index) {
        const at = index - this.image.first;
        const { columns } = this.image;
        return [h("div", {}, `row ${Math.floor(at / columns)}, column ${at % columns}`), ...this.hooks.tip(index)];
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
        const blank = () => new Uint8Array(3 * image.rows * image.columns).fill(context.colours.dark ? 0 : 255);
        const pixels = image.picture ? await context.blocks.numbers(image.picture) : blank();
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
        const last = first + rows * columns;
        const indices = [...this.source.keys.text.keys()].filter((index) => index < first || index >= last);
        const active = document.activeElement;
        const focused = active instanceof HTMLElement && this.others.contains(active) ? active.dataset.index : null;
        replace(this.others, ...indices.map((index) => {
            const button = h("button", {
                type: "button", "aria-pressed": String(chosen === index), "data-index": index,
                onclick: (/** @type {MouseEvent} */ event) => this.hooks.choose(index, withMore(event)),
            }, visible(this.source.keys.text[index]));
            if (weights) {
                button.append(h("span", { class: "figure" }, ` ${short(weights[index])}`));
                const at = 3 * entry(index);
                button.style.backgroundColor = `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
                const { colours, state } = this.context;
                button.style.color = colours.on(state.cmap, entry(index) / 256, this.source.signed);
            }
            return button;
        }));
        const again = focused === null ? null : this.others.querySelector(`[data-index="${focused}"]`);
        if (again instanceof HTMLElement) again.focus();
    }
}

/** Whether a click adds to what is chosen. @param {MouseEvent} event */
function withMore(event) {
    return event.ctrlKey || event.metaKey || event.shiftKey;
}
