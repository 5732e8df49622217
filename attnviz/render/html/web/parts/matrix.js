// A matrix of colours with names, on a canvas: the cell under the pointer is outlined and told, arrows move it.

import { place, unit } from "../colour.js";
import { h } from "../dom.js";
import { Shared, redrawn } from "./redraw.js";

const FONT = 11; // CSS pixels of names
const DIGITS = 10; // of numbers in cells

/** @typedef {(pen: CanvasRenderingContext2D, x: (col: number) => number, y: number) => void} Above */

/**
 * @typedef {object} MatrixOptions
 * @property {string[]} rows names of the rows; [] for none
 * @property {string[]} cols names of the columns; [] for none
 * @property {[number, number]} shape
 * @property {ArrayLike<number | null>} values row after row; what is no number is hidden
 * @property {ArrayLike<number> | null} [hidden] 1 where nothing is
 * @property {boolean} signed
 * @property {number} [low]
 * @property {number} high
 * @property {string} label of the whole, for a screen reader
 * @property {(row: number, col: number) => string[]} tell lines about a cell
 * @property {string[][] | null} [texts] texts of the cells; null: the numbers
 * @property {boolean} [numbers] numbers in the cells where they fit
 * @property {[number, number][]} [marks] cells with an outline
 * @property {number | null} [chosen] row with an outline
 * @property {number} [largest] CSS pixels of a cell at most
 * @property {number} [tall] CSS pixels of a row; without it cells are square
 * @property {number} [named] width from which on there are names
 * @property {Shared} [shared] the cell that is looked at
 * @property {(row: number, col: number) => void} [pick]
 * @property {{ high: number, draw: Above }} [above] what is drawn above the columns
 */

export class Matrix {
    /**
     * @param {MatrixOptions} options
     * @param {import("./redraw.js").Tools} tools
     */
    constructor(options, tools) {
        this.options = options;
        this.tools = tools;
        this.shared = options.shared ?? new Shared();
        this.canvas = h("canvas", { class: "matrix", tabIndex: 0, role: "img", "aria-label": options.label });
        this.element = h("div", { class: "matrix-box" }, this.canvas);
        this.left = this.top = this.wide = this.high = 0;
        /** @type {OffscreenCanvas | HTMLCanvasElement | null} */
        this.picture = null;
        redrawn(this.element, (width) => this.lay(width));
        this.shared.subscribe(() => this.draw());
        this.listen();
    }

    /** Where everything is in a width. @param {number} width */
    lay(width) {
        const { rows, cols, shape, largest = 30, tall, named = 0, above } = this.options;
        const pen = this.pen();
        pen.font = `${FONT}px ${family()}`;
        const names = width >= named;
        const longest = (/** @type {string[]} */ texts) =>
            Math.max(0, ...texts.map((text) => pen.measureText(text).width));
        this.left = rows.length && names ? Math.min(Math.ceil(longest(rows)) + 8, Math.max(width * 0.32, 40)) : 1;
        this.wide = Math.min(largest, (width - this.left - 2) / Math.max(shape[1], 1));
        if (this.wide > 4) this.wide = Math.floor(this.wide);
        this.high = tall ?? Math.max(this.wide, shape[0] <= 64 ? 3 : 0.5);
        const across = longest(cols);
        this.turned = across > this.wide - 3;
        const room = cols.length && names ? (this.turned ? Math.min(across, 84) + 8 : FONT + 7) : 1;
        this.top = room + (above ? above.high : 0);
        this.names = names;
        const size = [this.left + this.wide * shape[1] + 2, this.top + this.high * shape[0] + 2];
        const dots = devicePixelRatio || 1;
        this.canvas.width = Math.ceil(size[0] * dots);
        this.canvas.height = Math.ceil(size[1] * dots);
        this.canvas.style.width = `${size[0]}px`;
        this.canvas.style.height = `${size[1]}px`;
        this.picture = this.painted();
        this.draw();
    }

    pen() {
        return /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    }

    /** The position 0 to 1 of a value on the colours. @param {number} value */
    unit(value) {
        const { signed, low = 0, high } = this.options;
        if (signed) return unit(value, { kind: "linear", high, signed });
        return Math.min(Math.max((value - low) / (high - low || 1), 0), 1);
    }

    /** @param {number} at */
    isHidden(at) {
        const { values, hidden } = this.options;
        const value = values[at];
        return Boolean(hidden && hidden[at]) || value === null || Number.isNaN(value);
    }

    /** The cells, a pixel each. */
    painted() {
        const { shape, values, signed } = this.options;
        const { colours } = this.tools;
        const table = colours.table("ink", signed);
        const image = new ImageData(Math.max(shape[1], 1), Math.max(shape[0], 1));
        for (let at = 0; at < shape[0] * shape[1]; at++) {
            const colour = this.isHidden(at) ? colours.hidden : null;
            const from = colour ? 0 : 3 * place(this.unit(Number(values[at])));
            for (let i = 0; i < 3; i++) image.data[4 * at + i] = colour ? colour[i] : table[from + i];
            image.data[4 * at + 3] = 255;
        }
        const picture = h("canvas", { width: image.width, height: image.height });
        /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d")).putImageData(image, 0, 0);
        return picture;
    }

    draw() {
        if (!this.picture) return;
        const { shape, above } = this.options;
        const pen = this.pen();
        const dots = devicePixelRatio || 1;
        pen.setTransform(dots, 0, 0, dots, 0, 0);
        pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
        pen.imageSmoothingEnabled = this.wide < 1 || this.high < 1;
        pen.drawImage(this.picture, this.left, this.top, this.wide * shape[1], this.high * shape[0]);
        const style = getComputedStyle(document.documentElement);
        /** @param {string} name */
        const colour = (name) => style.getPropertyValue(`--${name}`);
        this.drawGaps(pen, colour("paper"));
        this.drawNumbers(pen);
        if (this.names) this.drawNames(pen, colour);
        pen.strokeStyle = colour("soft");
        if (above) above.draw(pen, (col) => this.left + (col + 0.5) * this.wide, this.top);
        this.drawMarks(pen, colour);
    }

    /** Thin lines of paper between large cells. @param {CanvasRenderingContext2D} pen @param {string} paper */
    drawGaps(pen, paper) {
        const { shape } = this.options;
        if (this.wide < 9 || this.high < 9) return;
        pen.fillStyle = paper;
        for (let i = 1; i < shape[0]; i++)
            pen.fillRect(this.left, this.top + i * this.high - 0.5, this.wide * shape[1], 1);
        for (let j = 1; j < shape[1]; j++)
            pen.fillRect(this.left + j * this.wide - 0.5, this.top, 1, this.high * shape[0]);
    }

    /** @param {CanvasRenderingContext2D} pen */
    drawNumbers(pen) {
        const { shape, values, numbers, named, texts, signed } = this.options;
        if (!(numbers || (named && this.names)) || this.high < DIGITS + 3 || this.wide < 14) return;
        pen.font = `${DIGITS}px ${family()}`;
        pen.textAlign = "center";
        pen.textBaseline = "middle";
        /** @type {[number, string][]} */
        const written = [];
        for (let at = 0; at < shape[0] * shape[1]; at++) {
            if (this.isHidden(at)) continue;
            const text = texts ? texts[Math.floor(at / shape[1])][at % shape[1]] : inCell(Number(values[at]));
            if (!texts && pen.measureText(text).width > this.wide - 2) return; // all numbers or none
            if (!texts || this.wide > 36) written.push([at, texts ? cut(pen, text, this.wide - 4) : text]);
        }
        for (const [at, text] of written) {
            const value = Number(values[at]);
            const [i, j] = [Math.floor(at / shape[1]), at % shape[1]];
            pen.fillStyle = this.tools.colours.on("ink", this.unit(value), signed);
            pen.fillText(text, this.left + (j + 0.5) * this.wide, this.top + (i + 0.5) * this.high + 0.5);
        }
    }

    /** @param {CanvasRenderingContext2D} pen @param {(name: string) => string} colour */
    drawNames(pen, colour) {
        const { rows, cols } = this.options;
        const at = this.shared.at;
        pen.font = `${FONT}px ${family()}`;
        pen.textBaseline = "middle";
        pen.textAlign = "right";
        const everyRow = Math.max(1, Math.ceil((FONT + 1) / this.high));
        rows.forEach((name, i) => {
            const looked = at?.[0] === i;
            if (i % everyRow && !looked) return;
            pen.fillStyle = colour(looked ? "accent" : "soft");
            pen.fillText(cut(pen, name, this.left - 6), this.left - 5, this.top + (i + 0.5) * this.high + 0.5);
        });
        const foot = this.top - (this.options.above ? this.options.above.high : 0) - 4;
        const everyCol = Math.max(1, Math.ceil((this.turned ? FONT + 1 : 1) / this.wide));
        cols.forEach((name, j) => {
            const looked = at?.[1] === j;
            if (j % everyCol && !looked) return;
            pen.fillStyle = colour(looked ? "accent" : "soft");
            const x = this.left + (j + 0.5) * this.wide;
            if (!this.turned) {
                pen.textAlign = "center";
                pen.fillText(name, x, foot - FONT / 2);
                return;
            }
            pen.save();
            pen.translate(x, foot);
            pen.rotate(-Math.PI / 2);
            pen.textAlign = "left";
            pen.fillText(cut(pen, name, 80), 0, 0.5);
            pen.restore();
        });
    }

    /** @param {CanvasRenderingContext2D} pen @param {(name: string) => string} colour */
    drawMarks(pen, colour) {
        const { shape, marks = [], chosen } = this.options;
        const cell = (/** @type {number} */ row, /** @type {number} */ col, rows = 1, cols = 1) =>
            pen.strokeRect(
                this.left + col * this.wide,
                this.top + row * this.high,
                Math.max(cols * this.wide, 2),
                Math.max(rows * this.high, 2),
            );
        pen.strokeStyle = colour("mark");
        pen.lineWidth = 1.5;
        for (const [row, col] of marks) cell(row, col);
        if (chosen !== null && chosen !== undefined && shape[0] > 1) cell(chosen, 0, 1, shape[1]);
        const at = this.shared.at;
        if (!at || at[0] >= shape[0] || at[1] >= shape[1]) return;
        pen.strokeStyle = colour("accent");
        pen.lineWidth = 1;
        pen.globalAlpha = 0.5;
        if (shape[0] > 1) cell(at[0], 0, 1, shape[1]);
        if (shape[1] > 1) cell(0, at[1], shape[0], 1);
        pen.globalAlpha = 1;
        pen.lineWidth = 2;
        cell(at[0], at[1]);
    }

    /**
     * The cell at a point of the canvas.
     * @param {PointerEvent | MouseEvent} event
     * @returns {[number, number] | null}
     */
    cellAt(event) {
        const box = this.canvas.getBoundingClientRect();
        const row = Math.floor((event.clientY - box.top - this.top) / this.high);
        const col = Math.floor((event.clientX - box.left - this.left) / this.wide);
        const [rows, cols] = this.options.shape;
        return row >= 0 && col >= 0 && row < rows && col < cols ? [row, col] : null;
    }

    listen() {
        const { tip, voice } = this.tools;
        const look = (/** @type {PointerEvent} */ event) => {
            const at = this.cellAt(event);
            this.shared.set(at);
            if (at) tip.show(event.clientX, event.clientY, this.options.tell(...at));
            else tip.hide();
        };
        this.canvas.addEventListener("pointermove", look);
        this.canvas.addEventListener("pointerdown", look);
        const leave = () => {
            this.shared.set(null);
            tip.hide();
        };
        this.canvas.addEventListener("pointerleave", leave);
        this.canvas.addEventListener("blur", leave);
        this.canvas.addEventListener("click", (event) => {
            const at = this.cellAt(event);
            if (at) this.options.pick?.(...at);
        });
        this.canvas.addEventListener("keydown", (event) => {
            const moves = /** @type {Record<string, [number, number]>} */ ({
                ArrowUp: [-1, 0],
                ArrowDown: [1, 0],
                ArrowLeft: [0, -1],
                ArrowRight: [0, 1],
            });
            const [rows, cols] = this.options.shape;
            if ((event.key === "Enter" || event.key === " ") && this.shared.at) {
                event.preventDefault();
                this.options.pick?.(...this.shared.at);
            }
            if (event.key === "Escape") leave();
            const move = moves[event.key];
            if (!move) return;
            event.preventDefault();
            event.stopPropagation();
            const [row, col] = this.shared.at ?? [-move[0], -move[1]];
            const clamp = (/** @type {number} */ value, /** @type {number} */ count) =>
                Math.min(Math.max(value, 0), count - 1);
            /** @type {[number, number]} */
            const at = [clamp(row + move[0], rows), clamp(col + move[1], cols)];
            this.shared.set(at);
            const lines = this.options.tell(...at);
            const box = this.canvas.getBoundingClientRect();
            tip.show(
                box.left + this.left + (at[1] + 1) * this.wide,
                box.top + this.top + (at[0] + 0.5) * this.high,
                lines,
            );
            voice.say(lines.join(", "));
        });
    }
}

/** @param {number} value */
function inCell(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    const text = size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−").replace(/^(−?)0\./, "$1.");
}

/** @param {CanvasRenderingContext2D} pen @param {string} text @param {number} room */
function cut(pen, text, room) {
    if (pen.measureText(text).width <= room) return text;
    const letters = [...text];
    while (letters.length > 1 && pen.measureText(`${letters.join("")}…`).width > room) letters.pop();
    return `${letters.join("")}…`;
}

/** The page's letters. */
function family() {
    return getComputedStyle(document.documentElement).getPropertyValue("--sans");
}

/**
 * A bar of the colours with its ends.
 * @param {string} label
 * @param {number} low
 * @param {number} high
 * @param {boolean} signed
 * @param {import("./redraw.js").Tools} tools
 */
export function colourBar(label, low, high, signed, tools) {
    const canvas = h("canvas", { width: 256, height: 1, "aria-hidden": "true" });
    const element = h(
        "div",
        { class: "colour-bar" },
        h("span", { class: "number" }, ends(low)),
        canvas,
        h("span", { class: "number" }, ends(high)),
        h("span", {}, label),
    );
    redrawn(element, () => {
        const image = new ImageData(256, 1);
        const table = tools.colours.table("ink", signed);
        for (let i = 0; i < 256; i++)
            image.data.set([table[3 * i], table[3 * i + 1], table[3 * i + 2], 255], 4 * i);
        /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(image, 0, 0);
    });
    return element;
}

/** @param {number} value */
function ends(value) {
    return String(Number(value.toPrecision(3))).replace("-", "−");
}
