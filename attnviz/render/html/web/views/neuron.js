// Where a score comes from: the query and every key as strips of cells, their products dimension by dimension, the sum
// and the weight; and one pair as bars.

import { called, mapName, shownOf } from "../axis.js";
import { place, unit } from "../colour.js";
import { h, replace, svg, visible } from "../dom.js";
import { dimensions, headOf, productsOf } from "./neuron_products.js";

const LISTED = 60; // keys that are listed at first, and with each "more"
const BARS = { width: 720, height: 150, below: 14 };

/** @typedef {import("./neuron_products.js").Head} Head */
/** @typedef {{ products: Float32Array, sums: Float64Array, most: number }} Products */

/**
 * @param {import("../context.js").Context} context
 * @returns {import("../explorer.js").View}
 */
export function neuronView(context) {
    const view = new NeuronView(context);
    return { element: view.element, update: (changed) => view.update(changed) };
}

class NeuronView {
    /** @param {import("../context.js").Context} context */
    constructor(context) {
        this.context = context;
        this.order = "weight";
        this.sorted = false;
        this.listed = LISTED;
        this.turn = 0;
        const order = (/** @type {string} */ name, /** @type {string} */ text) => {
            const onchange = () => this.reorder(name);
            const input = h("input", { type: "radio", name: "neuron-order", value: name, onchange });
            input.checked = name === this.order;
            return h("label", { class: "check" }, input, text);
        };
        this.query = h("select", { id: "neuron-query", onchange: () => this.choose(Number(this.query.value), null) });
        this.pair = h("section", { class: "pair", "aria-label": "one query and one key" });
        this.list = h("div", { class: "keys" });
        this.about = h("p", { class: "about" });
        this.element = h("div", { class: "view neuron" },
            h("div", { class: "view-bar" },
                h("label", { class: "field" }, h("span", {}, "Query"), this.query),
                h("div", { class: "group", role: "radiogroup", "aria-label": "Order of keys" },
                    order("weight", "largest weight first"), order("text", "keys in order"))),
            this.pair, this.list, this.about);
        /** @type {Head | null} */
        this.head = null;
        /** @type {Float32Array} */
        this.weights = new Float32Array();
        /** @type {Uint8Array | null} */
        this.allowed = null;
        this.shownQuery = 0;
        this.shownKey = 0;
    }

    /** @param {string} order */
    reorder(order) {
        this.order = order;
        this.listed = LISTED;
        this.draw();
    }

    /** @param {number | null} token @param {number | null} key */
    choose(token, key) {
        this.context.store.set({ token, key, direction: "from", together: [] });
    }

    /** @param {Set<string>} changed */
    async update(changed) {
        if (changed.size === 1 && changed.has("size")) return;
        const turn = ++this.turn;
        const { source, state, maps, blocks } = this.context;
        if (!source.vectors) {
            this.head = null;
            replace(this.pair);
            replace(this.list, h("p", {}, "This stream has no queries and keys: --neuron stores them."));
            return;
        }
        const vectors = headOf(blocks, source, source.vectors, state.map);
        const [head, values] = await Promise.all([vectors, maps.values(state.map)]);
        if (turn !== this.turn) return;
        if (["source", "map", "token"].some((name) => changed.has(name))) this.listed = LISTED;
        this.head = head;
        const columns = source.keys.text.length;
        const query = state.direction === "from" ? state.token : state.key;
        const chosen = state.direction === "from" ? state.key : state.token;
        this.shownQuery = query ?? lastOf(source.queries);
        this.weights = values.subarray(this.shownQuery * columns, (this.shownQuery + 1) * columns);
        const allowed = maps.allowed(state.map);
        this.allowed = allowed && allowed.subarray(this.shownQuery * columns, (this.shownQuery + 1) * columns);
        const keys = this.keysInOrder(true);
        this.shownKey = chosen ?? keys[0] ?? 0;
        this.draw();
    }

    /** Shown keys in the order of the list. @param {boolean} [byWeight] */
    keysInOrder(byWeight = this.order === "weight") {
        const { source, state } = this.context;
        const keys = shownOf(source.keys, state.rests, "key").filter((key) => !this.allowed || this.allowed[key]);
        return byWeight ? keys.sort((a, b) => this.weights[b] - this.weights[a] || a - b) : keys;
    }

    draw() {
        const { head, shownQuery } = this;
        if (!head) return;
        const { source, state } = this.context;
        if (this.query.options.length !== source.queries.text.length || this.query.dataset.of !== source.name) {
            this.query.dataset.of = source.name;
            const names = source.queries.text.map((_, i) => called(source.queries, i));
            replace(this.query, ...names.map((name, i) => h("option", { value: String(i) }, name)));
        }
        this.query.value = String(shownQuery);
        const found = productsOf(head, shownQuery);
        this.drawPair(head, found);
        this.drawKeys(head, found);
        const added = source.vectors?.note;
        const ends = [head.mostQ, head.mostK, found.most].map((end) => `±${end.toFixed(1)}`);
        replace(this.about, `${mapName(source, state.map)}: queries and keys as the head multiplies them, `
            + `${head.width} numbers each, stored in steps of a 65,535th of their range. `
            + `Colours end at ${ends[0]} for q, ${ends[1]} for k and ${ends[2]} for their product. `
            + (added ? `Beyond q · k: ${added}.` : "The weights are the softmax of the scores."));
    }

    /** One pair: a sentence and bars. @param {Head} head @param {Products} found */
    drawPair(head, { products, sums }) {
        const { source, colours } = this.context;
        const { shownQuery: query, shownKey: key } = this;
        const row = products.slice(key * head.width, (key + 1) * head.width);
        const score = sums[key] * head.scaling;
        const hidden = this.allowed && !this.allowed[key];
        const end = hidden ? "the query may not see this key"
            : source.vectors?.note ? `weight ${this.weights[key].toFixed(3)}, with what the model adds`
                : `after the softmax ${this.weights[key].toFixed(3)}`;
        const title = h("h3", { dir: "auto" }, `${called(source.queries, query)} → ${called(source.keys, key)}`);
        const scaled = head.scaling === 1 ? "not scaled" : `× ${number(head.scaling)} = ${signed(score)}`;
        const sum = h("p", { class: "sum" }, `q · k = ${signed(sums[key])}, ${scaled}, ${end}`);
        const sorted = h("input", { type: "checkbox", onchange: () => { this.sorted = sorted.checked; this.draw(); } });
        sorted.checked = this.sorted;
        const bars = this.bars(head, row);
        const choice = h("label", { class: "check" }, sorted, "largest products first");
        const note = "products q × k of the dimensions: above the line they raise the score, below they lower it";
        replace(this.pair, h("div", { class: "pair-head" }, title, choice), sum, bars,
            h("p", { class: "axis-note" }, note));
        this.pair.style.setProperty("--up", colours.css("ink", 0.95, true));
        this.pair.style.setProperty("--down", colours.css("ink", 0.05, true));
    }

    /** @param {Head} head @param {Float32Array} row */
    bars(head, row) {
        const { tip } = this.context;
        const { shownQuery: query, shownKey: key } = this;
        const order = dimensions(row, this.sorted);
        const wide = BARS.width / order.length;
        const least = Math.max(...row.map(Math.abs)) / 12 || 1;
        const [up, down] = [Math.max(least, ...row), Math.max(least, ...row.map((product) => -product))];
        const middle = (BARS.height * up) / (up + down);
        const bars = order.map((d, i) => {
            const high = (BARS.height * Math.abs(row[d])) / (up + down);
            return svg("rect", { x: i * wide, width: Math.max(wide - 1, 0.5), height: high,
                y: row[d] < 0 ? middle : middle - high, class: row[d] < 0 ? "down" : "up" });
        });
        const ticks = order.length <= 128 && !this.sorted
            ? order.filter((d) => d % 8 === 0)
                .map((d) => svg("text", { x: (d + 0.5) * wide, y: BARS.height + BARS.below - 3 }, String(d)))
            : [];
        const best = dimensions(row, true).slice(0, 3).map((d) => `dimension ${d} ${signed(row[d])}`).join(", ");
        const graph = svg("svg", {
            viewBox: `0 0 ${BARS.width} ${BARS.height + BARS.below}`, class: "bars", role: "img",
            "aria-label": `products of ${row.length} dimensions; the largest: ${best}`,
        },
        svg("line", { x1: 0, x2: BARS.width, y1: middle, y2: middle }), ...bars, ...ticks);
        graph.addEventListener("pointermove", (event) => {
            const box = graph.getBoundingClientRect();
            const at = Math.floor(((event.clientX - box.left) / box.width) * order.length);
            const d = order[at];
            if (d === undefined) {
                tip.hide();
                return;
            }
            const [q, k] = [head.queries[query * head.width + d], head.keys[key * head.width + d]].map(signed);
            tip.show(event.clientX, event.clientY, [`dimension ${d}`, `q ${q} × k ${k} = ${signed(row[d])}`]);
        });
        graph.addEventListener("pointerleave", () => tip.hide());
        return graph;
    }

    /** Every key that the query may see. @param {Head} head @param {Products} found */
    drawKeys(head, found) {
        const { source } = this.context;
        const keys = this.keysInOrder();
        const listed = keys.slice(0, this.listed);
        if (!listed.includes(this.shownKey) && keys.includes(this.shownKey)) listed.push(this.shownKey);
        const first = this.shownQuery * head.width;
        const query = called(source.queries, this.shownQuery);
        const strip = this.strip(head.queries.subarray(first, first + head.width), head.mostQ, "q");
        const above = h("tr", { class: "of-query" }, h("th", { scope: "row", dir: "auto" }, query), h("td", {}, strip),
            h("td", { class: "word" }, "the query, q"), h("td", {}), h("td", {}));
        const rows = listed.map((key) => this.keyRow(head, found, key));
        const columns = ["", "q, k", "q × k", "score", "weight"].map((text) => h("th", { scope: "col" }, text));
        const table = h("table", {},
            h("caption", { class: "only-heard" }, `the query ${query} and ${listed.length} of ${keys.length} keys`),
            h("thead", {}, h("tr", {}, ...columns)), h("tbody", {}, above, ...rows));
        const left = keys.length - listed.length;
        const onclick = () => {
            this.listed += LISTED;
            this.draw();
        };
        const more = h("button", { type: "button", onclick }, `${Math.min(LISTED, left)} more of ${keys.length} keys`);
        replace(this.list, h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "keys" }, table),
            ...(left > 0 ? [more] : []));
    }

    /** @param {Head} head @param {Products} found @param {number} key */
    keyRow(head, { products, sums, most }, key) {
        const { source, tip } = this.context;
        const [from, to] = [key * head.width, (key + 1) * head.width];
        const score = sums[key] * head.scaling;
        const weight = this.weights[key];
        const bar = h("span", { class: "bar-of" });
        bar.style.width = `${100 * Math.min(Math.max(weight, 0), 1)}%`;
        const said = `q · k ${signed(sums[key])}, score ${signed(score)}, weight ${weight.toFixed(3)}`;
        const onclick = () => this.choose(this.shownQuery, key);
        const button = h("button", {
            type: "button", class: "plain", "aria-pressed": String(key === this.shownKey),
            "aria-label": `${visible(source.keys.text[key])} ${key}: ${said}`,
        }, h("span", { dir: "auto" }, visible(source.keys.text[key])), " ", h("small", {}, String(key)));
        const row = h("tr", { class: key === this.shownKey ? "chosen" : null, onclick },
            h("th", { scope: "row" }, button),
            h("td", {}, this.strip(head.keys.subarray(from, to), head.mostK, "k")),
            h("td", {}, this.strip(products.subarray(from, to), most, "q × k")),
            h("td", { class: "value" }, score.toFixed(2).replace("-", "−")),
            h("td", { class: "value" }, weight.toFixed(3), bar));
        row.addEventListener("pointermove", (event) => {
            const scaled = head.scaling === 1 ? [] : [`× ${number(head.scaling)} = ${signed(score)}`];
            const lines = [called(source.keys, key), `q · k ${signed(sums[key])}`, ...scaled];
            tip.show(event.clientX, event.clientY, [...lines, `weight ${weight.toFixed(4)}`]);
        });
        row.addEventListener("pointerleave", () => tip.hide());
        return row;
    }

    /**
     * A strip of cells, a cell a number.
     * @param {Float32Array} values
     * @param {number} most the end of the colours
     * @param {string} what
     */
    strip(values, most, what) {
        const label = `${values.length} numbers of ${what}`;
        const properties = { width: values.length, height: 1, class: "strip", role: "img", "aria-label": label };
        const canvas = h("canvas", properties);
        const brush = canvas.getContext("2d");
        if (!brush) return canvas;
        const table = this.context.colours.table("ink", true);
        const image = brush.createImageData(values.length, 1);
        for (const [i, value] of values.entries()) {
            const at = 3 * place(unit(value, { kind: "linear", high: most, signed: true }));
            image.data.set([table[at], table[at + 1], table[at + 2], 255], 4 * i);
        }
        brush.putImageData(image, 0, 0);
        return canvas;
    }
}

/** The last query that is no special token. @param {Axis} axis */
function lastOf({ text, special }) {
    for (let i = text.length - 1; i >= 0; i--) if (!special.includes(i)) return i;
    return text.length - 1;
}

/** `12.30`, `−0.405`, with a minus as long as a plus. @param {number} value */
function signed(value) {
    return number(value).replace("-", "−");
}

/** @param {number} value */
function number(value) {
    const size = Math.abs(value);
    if (size >= 10) return value.toFixed(size >= 100 ? 0 : 1);
    return size >= 1 || size === 0 ? value.toFixed(2) : String(Number(value.toPrecision(3)));
}
