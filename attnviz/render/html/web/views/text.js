// The view "text": running text shaded by what a chosen token attends to, or by what attends to it.

import { called, mapName, shownOf } from "../axis.js";
import { place as entryOf, scaleOf } from "../colour.js";
import { h, replace, short } from "../dom.js";
import { allowedOf, choiceOf, clicked, received, weightsOf } from "./chosen.js";
import { headPicker, mapsOf } from "./heads.js";
import { strength } from "./line_canvas.js";
import { Paragraph } from "./paragraph.js";
import { PatchPicture } from "./patch_picture.js";
import { stepsOf } from "./steps.js";
import { unitWeights } from "./words.js";

/** @typedef {"query" | "key"} Side */
/** @typedef {import("./chosen.js").Choice} Choice */

/**
 * @param {import("../context.js").Context} context
 * @returns {import("../explorer.js").View}
 */
export function textView(context) {
    const picker = headPicker(context, null);
    const direction = directionSwitch(context);
    const steps = stepsOf(context);
    const sentence = h("p", { class: "text-sentence", role: "status" });
    const ramp = rampOf(context);
    const stage = h("div", { class: "text-stage" });
    const top = h("div", { class: "text-top" }, direction.element, ramp.element);
    const main = h("div", { class: "text-main" }, top, steps.element, sentence, stage);
    const element = h("div", { class: "view text" }, main, h("aside", { class: "lines-side" }, picker.element));
    /** @type {TextPanel[]} */
    let panels = [];
    let built = "";
    let turn = 0;

    async function update() {
        const mine = ++turn;
        const maps = mapsOf(context.state, context.source);
        const wanted = context.abreast.flatMap((at) => maps.map((map) => ({ at, map: Math.min(map, context.explorer.sources[at].places.length - 1) })));
        const values = await Promise.all(wanted.map(({ at, map }) => context.stores[at].values(map)));
        if (mine !== turn) return;
        const name = wanted.map(({ at }) => at).join();
        if (name !== built) {
            panels = wanted.map(({ at }) => new TextPanel(context, at));
            replace(stage, ...panels.map((panel) => panel.element));
            built = name;
        }
        element.classList.toggle("compared", context.explorer.compared);
        picker.update();
        direction.update();
        steps.update();
        ramp.update();
        for (const [at, panel] of panels.entries()) await panel.show(wanted[at].map, values[at], wanted.length > 1);
        sentence.replaceChildren(inWords(context));
    }
    return { element, update };
}

/** What the shades show, as a sentence. @param {import("../context.js").Context} context */
function inWords({ state, source }) {
    const choice = choiceOf(state, source);
    if (!choice) {
        const what = source.label === "attention weight" ? "attention" : source.label;
        return `No token chosen. Shade: the mean ${what} that each token gets. Click a token to see its own.`;
    }
    const axis = choice.side === "query" ? source.queries : source.keys;
    const names = choice.indices.map((index) => called(axis, index)).join(", ");
    if (choice.indices.length > 1) return h("span", {}, `Shade: what these attend to, mean of ${choice.indices.length} queries: `, h("b", { dir: "auto" }, names));
    const generated = source.generated;
    if (choice.side === "query" && generated !== null) {
        const next = source.keys.text[generated + choice.indices[0]];
        return h("span", {}, "Shade: what ", h("b", { dir: "auto" }, names), " looked at", next === undefined ? "" : " to write ", next === undefined ? null : h("b", { dir: "auto" }, next));
    }
    return h("span", {}, choice.side === "query" ? "Shade: what " : "Shade: what attends to ", h("b", { dir: "auto" }, names), choice.side === "query" ? " attends to" : "");
}

/** The texts, or the picture, of one source shaded by one map. */
class TextPanel {
    /**
     * @param {import("../context.js").Context} context
     * @param {number} at index of the source
     */
    constructor(context, at) {
        this.context = context;
        this.at = at;
        this.source = context.explorer.sources[at];
        const { source } = this;
        this.generated = source.generated;
        this.one = (source.ordered && source.stream !== "cross") || this.generated !== null; // one text is both sides
        /** @type {Float32Array} */
        this.values = new Float32Array(0);
        this.map = 0;
        this.title = h("h3", { dir: "auto" });
        this.queries = this.one ? null : new Paragraph("Queries", this.hooks("query"));
        this.keys = source.image ? null : new Paragraph(this.one ? "Text" : "Keys", this.hooks("key"));
        this.picture = source.image ? new PatchPicture(context, at, { choose: (index, more) => this.choose(this.sideOf("key"), index, more), tip: (index) => this.tip("key", [index]) }) : null;
        const blocks = [];
        if (this.queries) blocks.push(h("div", { class: "text-block" }, h("h4", {}, "queries"), this.queries.element));
        const inner = this.picture ? this.picture.element : /** @type {Paragraph} */ (this.keys).element;
        blocks.push(h("div", { class: "text-block" }, this.one ? null : h("h4", {}, "keys"), inner));
        this.element = h("section", { class: "text-panel" }, this.title, ...blocks);
    }

    /** The side on which a token of a paragraph is chosen. @param {Side} side @returns {Side} */
    sideOf(side) {
        return this.one ? (this.context.state.direction === "to" ? "key" : "query") : side;
    }

    /** The index of a paragraph's token on the side where it is chosen; null where it is none. @param {number} index */
    chosenIndex(index) {
        if (this.generated === null || this.sideOf("key") === "key") return index;
        const query = index - this.generated;
        return query >= 0 && query < this.source.queries.text.length ? query : null;
    }

    /** @param {Side} side of the paragraph @returns {import("./paragraph.js").Hooks} */
    hooks(side) {
        const paragraph = () => /** @type {Paragraph} */ (side === "query" ? this.queries : this.keys);
        return {
            over: (place, event) => {
                const { tip } = this.context;
                if (place === null) tip.hide();
                else tip.show(event.clientX, event.clientY, this.tip(side, paragraph().units[place].tokens));
            },
            choose: (place, more) => {
                const tokens = paragraph().units[place].tokens;
                this.choose(this.sideOf(side), tokens[tokens.length - 1], more);
            },
            focused: (place) => this.context.voice.say(`${paragraph().units[place].text}, ${this.weightText(side, paragraph().units[place].tokens)}`),
        };
    }

    /** @param {Side} side @param {number} token @param {boolean} more */
    choose(side, token, more) {
        const { store, state } = this.context;
        const index = this.chosenIndex(token);
        if (index !== null) store.set(clicked(state, this.source, side, index, more));
    }

    /**
     * @param {number} map
     * @param {Float32Array} values
     * @param {boolean} named whether the panel says whose it is
     */
    async show(map, values, named) {
        const { state, explorer, stores } = this.context;
        const { source } = this;
        this.map = map;
        this.values = values;
        const names = [explorer.compared ? source.title || source.name : "", mapName(source, map)];
        this.title.textContent = names.filter(Boolean).join(" · ");
        this.title.hidden = !named;
        const [rows, columns] = [source.queries.text.length, source.keys.text.length];
        const allowed = stores[this.at].allowed(map);
        this.choice = choiceOf(state, source);
        const queries = shownOf(source.queries, state.rests, "query");
        const keys = this.one && !this.picture ? shownOf(source.keys, state.rests, "key") : shownOf(source.keys, state.rests, "key");
        this.weights = this.choice ? weightsOf(values, rows, columns, this.choice) : received(values, columns, queries, allowed);
        this.allowed = this.choice ? allowedOf(allowed, rows, columns, this.choice) : null;
        this.shadedSide = this.choice?.side === "key" ? "query" : "key";
        const shades = this.shades(this.shadedSide === "key" ? keys : queries);
        this.queries?.fill(source.queries, queries);
        this.keys?.fill(source.keys, keys);
        if (this.queries) this.paint(this.queries, "query", shades);
        if (this.keys) this.paint(this.keys, "key", shades);
        if (this.picture) await this.picture.show(this.one || this.shadedSide === "key" ? this.weights : null, this.scale, this.peak, this.markedPatch());
    }

    get scale() {
        return scaleOf(this.context.state, this.source);
    }

    /** @returns {number | null} */
    markedPatch() {
        if (!this.choice) return null;
        return this.one || this.choice.side === "key" ? this.choice.indices[0] : null;
    }

    /** From a weight to its colours. @param {number[]} among tokens whose largest weight ends the scale "row" */
    shades(among) {
        const { colours, state } = this.context;
        const { source, scale } = this;
        this.peak = 0;
        for (const index of among) this.peak = Math.max(this.peak, this.weights?.[index] ?? 0);
        const table = colours.table(state.cmap, source.signed);
        return (/** @type {number} */ weight) => {
            const at = source.signed ? Math.min(Math.max((weight / scale.high + 1) / 2, 0), 1) : strength(weight, scale, this.peak);
            if (source.signed ? Math.abs(at - 0.5) < 0.003 : at < 0.006) return null;
            const entry = 3 * entryOf(at);
            return { ground: `rgb(${table[entry]} ${table[entry + 1]} ${table[entry + 2]})`, ink: colours.on(state.cmap, at, source.signed) };
        };
    }

    /**
     * @param {Paragraph} paragraph
     * @param {Side} side
     * @param {(weight: number) => { ground: string, ink: string } | null} shades
     */
    paint(paragraph, side, shades) {
        const shaded = this.one || side === this.shadedSide;
        const weights = shaded ? this.unitWeights(paragraph) : null;
        paragraph.shade((place) => (weights && !Number.isNaN(weights[place]) ? shades(weights[place]) : null), (place) => this.kind(paragraph, side, place));
        const chosen = this.choice?.indices ?? [];
        if (this.generated !== null) paragraph.select(this.choice?.side === "query" ? chosen.map((index) => index + Number(this.generated)) : chosen);
        else paragraph.select(this.one || this.choice?.side === side ? chosen : []);
    }

    /** The weight of each unit of the shaded text; NaN where there is none. @param {Paragraph} paragraph */
    unitWeights(paragraph) {
        const weights = /** @type {Float32Array} */ (this.weights);
        if (this.generated === null || this.shadedSide === "key") return unitWeights(weights, paragraph.units, /** @type {Side} */ (this.shadedSide));
        return paragraph.units.map(({ tokens }) => {
            const queries = tokens.map((index) => index - Number(this.generated)).filter((index) => index >= 0 && index < weights.length);
            return queries.length ? queries.reduce((sum, index) => sum + weights[index], 0) / queries.length : NaN;
        });
    }

    /** Prompt, new, or not yet written. @param {Paragraph} paragraph @param {Side} side @param {number} place */
    kind(paragraph, side, place) {
        const { tokens } = paragraph.units[place];
        if (this.generated === null) return side === this.shadedSide && this.allowed && tokens.every((index) => !this.allowed?.[index]) ? "hidden" : "";
        const first = this.generated;
        if (tokens[0] < first) return "";
        const now = this.choice?.side === "query" ? this.choice.indices[this.choice.indices.length - 1] : Infinity;
        return tokens[0] > first + now ? "later" : "new";
    }

    /** @param {Side} side @param {number[]} tokens */
    weightText(side, tokens) {
        const weights = this.weights ?? [];
        if (!this.one && side !== this.shadedSide) return "";
        const known = this.generated !== null && this.shadedSide === "query" ? tokens.map((index) => index - Number(this.generated)).filter((index) => index >= 0) : tokens;
        if (!known.length || known.every((index) => weights[index] === undefined)) return "";
        if (this.choice && known.every((index) => this.allowed && !this.allowed[index])) return "may not be attended to";
        const sum = known.reduce((total, index) => total + (weights[index] ?? 0), 0);
        return short(this.shadedSide === "key" ? sum : sum / known.length);
    }

    /** @param {Side} side @param {number[]} tokens */
    tip(side, tokens) {
        const axis = side === "query" ? this.source.queries : this.source.keys;
        const lines = [h("b", { dir: "auto" }, tokens.map((index) => called(axis, index)).join(", "))];
        const text = this.weightText(side, tokens);
        if (text) lines.push(h("div", {}, `${this.choice ? "" : "mean "}${text}`));
        return lines;
    }
}

/** What a token attends to, or what attends to it. @param {import("../context.js").Context} context */
function directionSwitch(context) {
    const from = h("button", { type: "button", onclick: () => turn("from") }, "what it attends to");
    const to = h("button", { type: "button", onclick: () => turn("to") }, "what attends to it");
    const element = h("div", { class: "quarters", role: "group", "aria-label": "Shade by" }, from, to);
    /** @param {State["direction"]} direction */
    function turn(direction) {
        const { state, source, store } = context;
        const choice = choiceOf(state, source);
        if (direction === state.direction) return;
        const index = choice && source.ordered ? choice.indices[choice.indices.length - 1] : null;
        store.set(direction === "to" ? { direction, key: index ?? state.key, token: null, together: [] } : { direction, token: index ?? state.token, key: null });
    }
    return {
        element,
        update() {
            from.setAttribute("aria-pressed", String(context.state.direction === "from"));
            to.setAttribute("aria-pressed", String(context.state.direction === "to"));
        },
    };
}

/** The scale: its colours and its ends. @param {import("../context.js").Context} context */
function rampOf(context) {
    const canvas = h("canvas", { width: 256, height: 1, class: "ramp", role: "img" });
    const [low, high] = [h("span", { class: "figure" }), h("span", { class: "figure" })];
    const element = h("div", { class: "ramp-line" }, low, canvas, high);
    return {
        element,
        update() {
            const { table, scale, source } = context;
            const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
            const image = new ImageData(256, 1);
            for (let i = 0; i < 256; i++) image.data.set([table[3 * i], table[3 * i + 1], table[3 * i + 2], 255], 4 * i);
            pen.putImageData(image, 0, 0);
            low.textContent = source.signed ? short(-scale.high) : scale.kind === "log" ? short(scale.high / 1000) : "0";
            high.textContent = scale.kind === "row" ? "largest" : short(scale.high);
            canvas.setAttribute("aria-label", `${source.label} from ${low.textContent} to ${high.textContent}, ${scale.kind} scale`);
            canvas.title = `${source.label}, ${scale.kind} scale`;
        },
    };
}
