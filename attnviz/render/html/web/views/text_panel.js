// The texts, or the picture, of one source shaded by one map.

import { mapName, shownOf } from "../axis.js";
import { place as entryOf, scaleOf } from "../colour.js";
import { h, short } from "../dom.js";
import { allowedOf, choiceOf, clicked, received, weightsOf } from "./chosen.js";
import { strength } from "./line_canvas.js";
import { namedAll } from "./named.js";
import { Paragraph } from "./paragraph.js";
import { PatchPicture } from "./patch_picture.js";
import { cellUnits, unitWeights } from "./words.js";

/** @typedef {"query" | "key"} Side */
/** @typedef {(weight: number) => { ground: string, ink: string } | null} Shades */

export class TextPanel {
    /**
     * @param {import("../context.js").Context} context
     * @param {number} at index of the source
     */
    constructor(context, at) {
        const source = context.explorer.sources[at];
        this.context = context;
        this.at = at;
        this.source = source;
        this.generated = source.generated;
        this.one = source.ordered || this.generated !== null; // one text is both sides
        /** @type {import("./chosen.js").Choice | null} */
        this.choice = null;
        /** Weights of all tokens of the shaded side. @type {Float32Array} */
        this.weights = new Float32Array(0);
        /** @type {Uint8Array | null} */
        this.allowed = null;
        /** @type {Side} */
        this.shaded = "key";
        this.peak = 0;
        this.title = h("h3", { dir: "auto" });
        this.queries = this.one ? null : new Paragraph("Queries", this.hooks("query"));
        this.keys = source.image ? null : new Paragraph(this.one ? "Text" : "Keys", this.hooks("key"));
        this.picture = source.image ? this.pictureOf() : null;
        const blocks = [];
        if (this.queries) blocks.push(block("queries", this.queries.element));
        if (this.keys) blocks.push(block(this.one ? "" : "keys", this.keys.element));
        if (this.picture) blocks.push(block(this.one ? "" : "keys", this.picture.element));
        this.element = h("section", { class: "text-panel" }, this.title, ...blocks);
    }

    pictureOf() {
        return new PatchPicture(this.context, this.at, {
            choose: (index, more) => this.choose(this.sideOf("key"), index, more),
            tip: (index) => this.tip("key", [index]),
        });
    }

    /** The side on which a token of a paragraph is chosen. @param {Side} side @returns {Side} */
    sideOf(side) {
        if (!this.one) return side;
        return this.context.state.direction === "to" ? "key" : "query";
    }

    /** @param {Side} side of the paragraph @returns {import("./paragraph.js").Hooks} */
    hooks(side) {
        const unit = (/** @type {number} */ place) => (side === "query" ? this.queries : this.keys)?.units[place];
        return {
            over: (place, event) => {
                const tokens = place === null ? null : unit(place)?.tokens;
                if (tokens) this.context.tip.show(event.clientX, event.clientY, this.tip(side, tokens));
                else this.context.tip.hide();
            },
            choose: (place, more) => {
                const token = unit(place)?.tokens.at(-1);
                if (token !== undefined) this.choose(this.sideOf(side), token, more);
            },
            focused: (place) => {
                const { text, tokens } = unit(place) ?? { text: "", tokens: [] };
                this.context.voice.say(`${text} ${this.weightText(side, tokens)}`);
            },
        };
    }

    /** @param {Side} side @param {number} token @param {boolean} more */
    choose(side, token, more) {
        const { store, state } = this.context;
        const index = side === "query" ? this.queryOf(token) : token;
        if (index !== null) store.set(clicked(state, this.source, side, index, more));
    }

    /** The query that a token of the text is; of generated text the one from which it follows. @param {number} token */
    queryOf(token) {
        if (this.generated === null) return token;
        const query = token - this.generated;
        return query >= 0 && query < this.source.queries.text.length ? query : null;
    }

    /**
     * @param {number} map
     * @param {Float32Array} values
     * @param {boolean} named whether the panel says whose it is
     */
    async show(map, values, named) {
        const { state, explorer, stores } = this.context;
        const { queries, keys, title, name } = this.source;
        const names = [explorer.compared ? title || name : "", mapName(this.source, map)];
        this.title.textContent = names.filter(Boolean).join(" · ");
        this.title.hidden = !named;
        const [rows, columns] = [queries.text.length, keys.text.length];
        const shown = { query: shownOf(queries, state.rests, "query"), key: shownOf(keys, state.rests, "key") };
        const allowed = stores[this.at].allowed(map);
        this.choice = choiceOf(state, this.source);
        this.shaded = this.choice?.side === "key" ? "query" : "key";
        this.weights = this.choice
            ? weightsOf(values, rows, columns, this.choice)
            : received(values, columns, shown.query, allowed);
        this.allowed = this.choice ? allowedOf(allowed, rows, columns, this.choice) : null;
        this.peak = shown[this.shaded].reduce((most, index) => Math.max(most, this.weights[index]), 0);
        const shades = this.shades();
        this.queries?.fill(queries, shown.query, this.cells("queries", shown.query));
        this.keys?.fill(keys, shown.key, this.cells("keys", shown.key));
        if (this.queries) this.paint(this.queries, "query", shades);
        if (this.keys) this.paint(this.keys, "key", shades);
        const chosen = this.chosenIn("key")[0] ?? null;
        await this.picture?.show(this.isShaded("key") ? this.weights : null, this.scale, this.peak, chosen);
    }

    /**
     * The words of pooled cells; null where tokens are whole.
     * @param {"queries" | "keys"} axis
     * @param {number[]} shown
     */
    cells(axis, shown) {
        const { tokens, cell } = this.source;
        return tokens ? cellUnits(tokens[axis], tokens.spaced[axis], cell, shown) : null;
    }

    get scale() {
        return scaleOf(this.context.state, this.source);
    }

    /** Whether the text of a side has the shades. @param {Side} side */
    isShaded(side) {
        return this.one || side === this.shaded;
    }

    /** Tokens of a side's text that are chosen. @param {Side} side */
    chosenIn(side) {
        const { choice, generated } = this;
        if (!choice || !(this.one || choice.side === side)) return [];
        if (generated === null || choice.side === "key") return choice.indices;
        return choice.indices.map((index) => index + generated);
    }

    /** From a weight to its colours. @returns {Shades} */
    shades() {
        const { colours, state } = this.context;
        const { scale, peak } = this;
        const table = colours.table(state.cmap, scale.signed);
        return (weight) => {
            const share = strength(weight, scale, peak);
            if (share < 0.006) return null;
            const at = scale.signed ? (Math.sign(weight) * share + 1) / 2 : share;
            const entry = 3 * entryOf(at);
            const ground = `rgb(${table[entry]} ${table[entry + 1]} ${table[entry + 2]})`;
            return { ground, ink: colours.on(state.cmap, at, scale.signed) };
        };
    }

    /** @param {Paragraph} paragraph @param {Side} side @param {Shades} shades */
    paint(paragraph, side, shades) {
        const weights = this.isShaded(side) ? this.weightsIn(paragraph) : null;
        const look = (/** @type {number} */ place) =>
            weights && !Number.isNaN(weights[place]) ? shades(weights[place]) : null;
        paragraph.shade(look, (place) => this.kind(paragraph.units[place].tokens, side));
        paragraph.select(this.chosenIn(side));
    }

    /** The weight of each unit of the shaded text; NaN where there is none. @param {Paragraph} paragraph */
    weightsIn(paragraph) {
        const plain = this.generated === null || this.shaded === "key";
        if (plain) return unitWeights(this.weights, paragraph.units, this.shaded);
        return paragraph.units.map(({ tokens }) => this.weightOf(tokens));
    }

    /** The weight of a unit; NaN for none: the sum over keys, the mean over queries. @param {number[]} tokens */
    weightOf(tokens) {
        const indices = this.shaded === "key" ? tokens : tokens.map((token) => this.queryOf(token));
        const known = indices.filter((index) => index !== null && index < this.weights.length);
        if (!known.length) return NaN;
        const sum = known.reduce((total, index) => Number(total) + this.weights[Number(index)], 0);
        return this.shaded === "key" ? Number(sum) : Number(sum) / known.length;
    }

    /**
     * Whether a unit of the text is new, not yet written, or out of reach.
     * @param {number[]} tokens
     * @param {Side} side
     */
    kind(tokens, side) {
        if (this.generated !== null) {
            if (tokens[0] < this.generated) return "";
            const now = this.choice?.side === "query" ? Math.max(...this.choice.indices) : Infinity;
            return tokens[0] > this.generated + now ? "later" : "new";
        }
        return this.isShaded(side) && this.outOfReach(tokens) ? "hidden" : "";
    }

    /** @param {number[]} tokens of the shaded side */
    outOfReach(tokens) {
        const { allowed } = this;
        return allowed !== null && tokens.every((index) => !allowed[index]);
    }

    /** @param {Side} side @param {number[]} tokens */
    weightText(side, tokens) {
        if (!this.isShaded(side)) return "";
        if (this.generated === null && this.outOfReach(tokens)) return "attending not allowed";
        const weight = this.weightOf(tokens);
        if (Number.isNaN(weight)) return "";
        return this.choice ? short(weight) : `mean ${short(weight)}`;
    }

    /** @param {Side} side @param {number[]} tokens */
    tip(side, tokens) {
        const axis = side === "query" ? this.source.queries : this.source.keys;
        return [h("b", {}, ...namedAll(axis, tokens)), this.weightText(side, tokens)].filter(Boolean);
    }
}

/** @param {string} heading @param {HTMLElement} inner */
function block(heading, inner) {
    return h("div", { class: "text-block" }, heading ? h("h4", {}, heading) : null, inner);
}
