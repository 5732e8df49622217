// One source as two columns of tokens with lines between them.

import { called, mapName, shownOf } from "../axis.js";
import { place, scaleOf } from "../colour.js";
import { h, replace } from "../dom.js";
import { choiceOf, clicked, largestOf, partnerOf, strongest, weightsOf } from "./chosen.js";
import { LineCanvas, strength } from "./line_canvas.js";
import { lineTip, noteOf, tokenTip } from "./lines_words.js";
import { inQuarter, inSight, linesOfChoice, nearest, strongestLines } from "./links.js";
import { TokenColumn } from "./token_column.js";

/** @typedef {import("./chosen.js").Choice} Choice */
/** @typedef {import("./links.js").Line} Line */
/** @typedef {{ plus: string, minus: string, name: string, curve: number }} Strand */

export class LinesBox {
    /**
     * @param {import("../context.js").Context} context
     * @param {number} at index of the source
     * @param {(box: LinesBox, over: Choice | null) => void} linked called when the pointer is over another token
     */
    constructor(context, at, linked) {
        this.context = context;
        this.at = at;
        this.source = context.explorer.sources[at];
        this.linked = linked;
        /** @type {number[]} */
        this.maps = [];
        /** @type {Float32Array[]} */
        this.values = [];
        /** @type {Strand[]} */
        this.strands = [];
        this.rest = "#999";
        /** @type {Line[]} */
        this.lines = [];
        /** @type {Line[]} */
        this.focused = [];
        /** @type {import("./links.js").Quarter} */
        this.quarter = "all";
        /** @type {Choice | null} */
        this.over = null;
        /** @type {Line | null} */
        this.overLine = null;
        /** @type {Choice | null} */
        this.choice = null;
        /** @type {Set<number>} */
        this.rests = new Set();
        /** @type {(query: number, key: number) => boolean} */
        this.wanted = () => true;
        /** @type {Map<string, number>} */
        this.peaks = new Map();
        this.frame = 0;
        this.drawing = 0;
        this.then = () => {};
        this.queries = new TokenColumn("query", this.hooks("query"));
        this.keys = new TokenColumn("key", this.hooks("key"));
        this.under = new LineCanvas(h("canvas", { class: "under" }));
        this.top = new LineCanvas(h("canvas", { class: "over" }));
        this.middle = h("div", { class: "between", "aria-hidden": "true" }, this.under.element, this.top.element);
        this.frameElement = h("div", { class: "lines-frame" },
            h("span", { class: "column-head query" }, "query"), h("span", { class: "column-head key" }, "key"),
            this.queries.overview.element, this.queries.element, this.middle, this.keys.element,
            this.keys.overview.element);
        this.title = h("h3", { dir: "auto" });
        this.note = h("p", { class: "remark" });
        this.element = h("section", { class: "lines-box" }, this.title, this.frameElement, this.note);
        this.frameElement.addEventListener("pointerleave", () => this.setOver(null, null));
        this.middle.addEventListener("pointermove", (event) => this.overMiddle(event));
        this.middle.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
        this.middle.addEventListener("click", () => this.clickLine());
    }

    /** @param {"query" | "key"} side @returns {import("./token_column.js").Hooks} */
    hooks(side) {
        return {
            over: (index, event) => {
                const at = event instanceof PointerEvent ? [event.clientX, event.clientY] : null;
                this.setOver(index === null ? null : { side, indices: [index] }, at);
            },
            choose: (index, more) => this.choose(side, index, more),
            across: (index) => this.across(side, index),
            scrolled: (by) => this.scrolled(side, by),
        };
    }

    /** @param {"query" | "key"} side @param {number} index @param {boolean} more */
    choose(side, index, more) {
        const { store, state, voice } = this.context;
        store.set(clicked(state, this.source, side, index, more));
        const now = choiceOf(store.state, this.source);
        const names = now?.indices.map((each) => called(this.axisOf(now.side), each)).join(", ");
        voice.say(names ? `chosen: ${names}` : "no token chosen");
    }

    /**
     * Go from a token to the one that it has the thickest line to.
     * @param {"query" | "key"} side
     * @param {number} index
     */
    across(side, index) {
        const other = this.other(side);
        const [best] = strongest(largestOf(this.weights({ side, indices: [index] })), 1, other.shown);
        if (best !== undefined) other.focus(best);
    }

    /** @param {"query" | "key"} side */
    axisOf(side) {
        return side === "query" ? this.source.queries : this.source.keys;
    }

    /** @param {"query" | "key"} side */
    column(side) {
        return side === "query" ? this.queries : this.keys;
    }

    /** @param {"query" | "key"} side */
    other(side) {
        return side === "query" ? this.keys : this.queries;
    }

    /** @param {Choice} choice */
    weights(choice) {
        const [rows, columns] = [this.source.queries.text.length, this.source.keys.text.length];
        return this.values.map((values) => weightsOf(values, rows, columns, choice));
    }

    /** The scale of this box's source, with an end that lines are measured by. */
    get scale() {
        const { state } = this.context;
        return { ...scaleOf(state, this.source), end: state.high ?? this.source.scale.high };
    }

    /**
     * @param {number[]} maps
     * @param {Float32Array[]} values of each map
     * @param {Strand[]} strands
     * @param {string} rest colour of lines to where heads rest
     */
    show(maps, values, strands, rest) {
        const { state, explorer } = this.context;
        Object.assign(this, { maps, values, strands, rest });
        this.title.textContent = explorer.compared ? this.source.title || this.source.name : "";
        this.title.hidden = !this.title.textContent;
        const numbered = this.source.cell === 1;
        this.queries.fill(this.source.queries, shownOf(this.source.queries, state.rests, "query"), numbered);
        this.keys.fill(this.source.keys, shownOf(this.source.keys, state.rests, "key"), numbered);
        this.rests = new Set(this.source.keys.rests);
        this.wanted = inQuarter(this.source, this.quarter);
        this.peaks.clear();
        this.lines = strongestLines(values, this.source.keys.text.length, {
            rows: this.queries.shown, cols: this.keys.shown, rests: this.rests, high: this.scale.end,
            wanted: this.wanted,
        });
        this.choice = choiceOf(state, this.source);
        this.queries.select(this.choice?.side === "query" ? this.choice.indices : []);
        this.keys.select(this.choice?.side === "key" ? this.choice.indices : []);
        const partner = partnerOf(state, this.choice);
        this.queries.pair(this.choice?.side === "key" ? partner : null);
        this.keys.pair(this.choice?.side === "query" ? partner : null);
    }

    /** Sizes, after the page has laid the box out. */
    measure() {
        const longest = Math.max(this.queries.items.length, this.keys.items.length);
        const pitch = this.queries.items[0]?.getBoundingClientRect().height || 22;
        const above = this.frameElement.getBoundingClientRect().top + scrollY;
        const room = Math.max(innerHeight - (above < innerHeight / 2 ? above : 60) - 90, 360);
        this.frameElement.style.gridTemplateRows = `auto ${Math.min(longest * pitch + 2, room)}px`;
        this.frameElement.classList.toggle("scrolls", longest * pitch + 2 > room);
        this.queries.measure();
        this.keys.measure();
        const { clientWidth, clientHeight } = this.middle;
        this.under.fit(clientWidth, clientHeight);
        this.top.fit(clientWidth, clientHeight);
    }

    /** Bring what is chosen into sight, and the strongest token of the other side. */
    reveal() {
        if (!this.choice) return;
        const { side, indices } = this.choice;
        this.column(side).reveal(indices[indices.length - 1]);
        const linked = partnerOf(this.context.state, this.choice);
        const other = this.other(side);
        const best = linked ?? strongest(largestOf(this.weights(this.choice)), 1, other.shown)[0];
        if (best !== undefined) other.reveal(best);
    }

    /** All lines anew. */
    draw() {
        const focus = this.focus();
        this.under.clear();
        this.paint(this.under, this.lines, null);
        this.middle.classList.toggle("faded", Boolean(focus || this.overLine));
        this.drawFocus();
    }

    /** What is looked at: what the pointer is over, else what is chosen. */
    focus() {
        return this.over ?? this.choice ?? null;
    }

    /**
     * @param {LineCanvas} canvas
     * @param {Line[]} lines
     * @param {Choice | null} choice
     */
    paint(canvas, lines, choice) {
        const [left, right] = this.heights();
        const indices = choice && choice.indices.length > 1 ? choice.indices : null;
        const sight = inSight(lines, left, right, canvas.height);
        const peak = (/** @type {Line} */ line) => this.peak(line);
        const look = { strands: this.strands, rest: this.rest, scale: this.scale, peak };
        if (!indices) canvas.draw(sight, left, right, look);
        else for (const index of indices) canvas.draw(lines, () => left(index), right, look);
    }

    /** Functions from an index to a height. @returns {[(index: number) => number, (index: number) => number]} */
    heights() {
        return [(index) => this.queries.y(index), (index) => this.keys.y(index)];
    }

    /** The largest weight of a line's query, for the scale that is each row's own. @param {Line} line */
    peak({ query, strand }) {
        if (this.scale.kind !== "row") return 1;
        const name = `${strand} ${query}`;
        let peak = this.peaks.get(name);
        if (peak === undefined) {
            const columns = this.source.keys.text.length;
            peak = 0;
            for (const key of this.keys.shown) peak = Math.max(peak, this.values[strand][query * columns + key]);
            this.peaks.set(name, peak);
        }
        return peak;
    }

    /** Lines of what is looked at, its tokens marked, tokens of the other side shaded. */
    drawFocus() {
        const focus = this.focus();
        const { scale, context: { colours } } = this;
        this.top.clear();
        this.middle.classList.toggle("faded", Boolean(focus || this.overLine));
        if (this.overLine && !this.over) {
            this.paint(this.top, [this.overLine], null);
            this.queries.stress([this.overLine.query]);
            this.keys.stress([this.overLine.key]);
            return;
        }
        this.column("query").stress(focus?.side === "query" ? focus.indices : []);
        this.column("key").stress(focus?.side === "key" ? focus.indices : []);
        if (!focus) {
            this.focused = [];
            for (const column of [this.queries, this.keys]) {
                column.shade(null);
                column.overview.shade(null, colours.table("ink"), false, 0);
            }
            return;
        }
        const weights = this.weights(focus);
        const other = this.other(focus.side);
        this.focused = linesOfChoice(weights, focus, {
            among: other.shown, rests: this.rests, high: scale.end, wanted: this.wanted,
        });
        this.paint(this.top, this.focused, focus);
        this.shade(focus, weights, other);
    }

    /** @param {Choice} focus @param {Float32Array[]} weights @param {TokenColumn} other */
    shade(focus, weights, other) {
        const { colours, state } = this.context;
        const { scale, source } = this;
        const most = largestOf(weights);
        let peak = 0;
        for (const index of other.shown) peak = Math.max(peak, most[index]);
        const table = colours.table(state.cmap, source.signed);
        const unit = (/** @type {number} */ index) => {
            const share = strength(most[index], scale, peak);
            return source.signed ? (Math.sign(most[index]) * share + 1) / 2 : share;
        };
        const looks = (/** @type {number} */ index) => {
            const at = unit(index);
            if (Math.abs(most[index]) < scale.end * 0.004) return null;
            const entry = 3 * place(at);
            const ground = `rgb(${table[entry]} ${table[entry + 1]} ${table[entry + 2]})`;
            return { ground, ink: colours.on(state.cmap, at, source.signed) };
        };
        const same = this.column(focus.side);
        same.shade(null);
        other.shade(looks);
        if (this.frameElement.classList.contains("scrolls")) {
            same.overview.shade(null, table, source.signed, 0);
            other.overview.shade(other.shown.map(unit), table, source.signed, other.height);
        }
        if (weights.length < 2) return;
        const [first, last] = other.seen();
        const rows = [];
        for (let at = first; at <= last; at++) {
            const index = other.shown[at];
            rows.push({ y: other.y(index), shares: weights.map((each) => strength(each[index], scale, peak)) });
        }
        this.top.squares(rows, this.strands.map(({ plus }) => plus), other.side === "key", other.pitch);
    }

    /** @param {Choice | null} over @param {number[] | null} at point of the window */
    setOver(over, at) {
        if (JSON.stringify(over) === JSON.stringify(this.over) && !this.overLine) return;
        this.over = over;
        this.overLine = null;
        this.linked(this, over);
        const { tip } = this.context;
        this.soon(() => (over && at ? tip.show(at[0], at[1], tokenTip(this, over)) : tip.hide()));
    }

    /** The same token in another box. @param {Choice | null} over */
    follow(over) {
        const known = over?.indices.every((index) => index < this.axisOf(over.side).text.length);
        this.over = known ? over : null;
        this.overLine = null;
        this.soon(() => {});
    }

    /** Draw before the next frame, once. @param {() => void} then */
    soon(then) {
        this.then = then;
        if (this.frame) return;
        this.frame = requestAnimationFrame(() => {
            this.frame = 0;
            this.drawFocus();
            this.then();
        });
    }

    /** @param {PointerEvent} event */
    overMiddle(event) {
        const box = this.middle.getBoundingClientRect();
        const [left, right] = this.heights();
        const shown = this.choice ? this.focused : inSight(this.lines, left, right, this.under.height);
        const share = (event.clientX - box.left) / (box.width || 1);
        const many = (this.choice?.indices.length ?? 0) > 1;
        const line = many ? null : nearest(shown, left, right, share, event.clientY - box.top);
        if (line === this.overLine && !this.over) return;
        if (this.over) this.linked(this, null);
        this.over = null;
        this.overLine = line;
        const { tip } = this.context;
        this.soon(() => (line ? tip.show(event.clientX, event.clientY, lineTip(this, line)) : tip.hide()));
    }

    clickLine() {
        const line = this.overLine;
        if (line) this.context.store.set({ token: line.query, key: line.key, together: [], direction: "from" });
    }

    /**
     * Both columns scroll together; a strip at the edge scrolls one.
     * @param {"query" | "key"} side
     * @param {number} by
     */
    scrolled(side, by) {
        const other = this.other(side);
        if (by && this.source.ordered) other.scrollTo(other.top + by);
        if (this.drawing) return;
        this.drawing = requestAnimationFrame(() => {
            this.drawing = 0;
            this.draw();
        });
    }

    /** A wheel between the texts scrolls both, as far as they go. @param {WheelEvent} event */
    wheel(event) {
        const before = [this.queries.top, this.keys.top];
        this.queries.scrollTo(this.queries.top + event.deltaY);
        this.keys.scrollTo(this.keys.top + event.deltaY);
        if (this.queries.top === before[0] && this.keys.top === before[1]) return;
        event.preventDefault();
        this.scrolled("query", 0);
    }
}

/**
 * @param {Source} source
 * @param {number} map
 */
export function strandName(source, map) {
    const [layer, head] = source.places[map];
    return layer === null || head === null ? mapName(source, map) : `${layer}.${head}`;
}

/** @param {LinesBox} box */
export function refresh(box) {
    box.measure();
    box.draw();
    replace(box.note, noteOf(box));
}
