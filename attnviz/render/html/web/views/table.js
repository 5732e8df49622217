// The numbers of a map as a table that can be read aloud, searched and saved: rows are queries and columns keys, or
// one row per link.

import { called, mapName } from "../axis.js";
import { unit } from "../colour.js";
import { h, replace, short, visible } from "../dom.js";
import { linksCsv, linksOf, matrixCsv, namesOfLinks, numbered } from "./table_rows.js";

const MOST = 5000; // cells of a page of the table
const ACROSS = 50; // keys of a page, where not all fit
const LINKS = 200; // links that are listed at first, and with each "more"

/** @typedef {import("./table_rows.js").Numbered} Numbered */

/**
 * @param {import("../context.js").Context} context
 * @returns {import("../explorer.js").View}
 */
export function tableView(context) {
    const view = new TableView(context);
    return { element: view.element, update: (changed) => view.update(changed) };
}

class TableView {
    /** @param {import("../context.js").Context} context */
    constructor(context) {
        this.context = context;
        this.kind = "map";
        this.listed = LINKS;
        /** First row and column of the page, as places among those that are shown. */
        this.at = [0, 0];
        /** @type {string | null} */
        this.address = null;
        const kind = (/** @type {string} */ name, /** @type {string} */ text) => {
            const onchange = () => this.choose(name);
            const input = h("input", { type: "radio", name: "table-kind", value: name, onchange });
            input.checked = name === this.kind;
            return h("label", { class: "check" }, input, text);
        };
        const onclick = () => this.save();
        this.link = h("a", { class: "save", href: "#", download: "attention.csv", onclick }, "Save as CSV");
        this.tools = h("div", { class: "group" });
        this.body = h("div", { class: "tables" });
        this.element = h("div", { class: "view table" },
            h("div", { class: "view-bar" },
                h("div", { class: "group", role: "radiogroup", "aria-label": "Rows" },
                    kind("map", "one row per query"), kind("links", "one row per link")),
                this.tools, h("div", { class: "group end" }, this.link)),
            this.body);
        /** @type {Numbered[]} */
        this.maps = [];
        this.turn = 0;
    }

    /** @param {string} kind */
    choose(kind) {
        this.kind = kind;
        this.draw();
    }

    /** @param {Set<string>} changed */
    async update(changed) {
        const turn = ++this.turn;
        const { explorer, state, abreast, stores } = this.context;
        const maps = await Promise.all(abreast.map(async (index) => {
            const source = explorer.sources[index];
            const map = Math.min(state.map, source.places.length - 1);
            const values = await stores[index].values(map);
            return numbered(source, map, values, stores[index].allowed(map), state.rests);
        }));
        if (turn !== this.turn) return;
        this.maps = maps;
        if (["source", "rests"].some((name) => changed.has(name))) this.at = [0, 0];
        if (["source", "map", "token", "direction"].some((name) => changed.has(name))) this.listed = LINKS;
        if (changed.has("token") || changed.has("key")) this.turnToToken();
        if (changed.size === 1 && changed.has("size")) return;
        this.draw();
    }

    /** Rows and columns of a page. */
    pageSize() {
        const rows = Math.max(...this.maps.map(({ rows }) => rows.length));
        const cols = Math.max(...this.maps.map(({ cols }) => cols.length));
        if (rows * cols <= MOST) return [rows, cols];
        const across = Math.min(cols, ACROSS);
        return [Math.min(rows, Math.floor(MOST / across)), across];
    }

    /** Turn to the page with the chosen query and key. */
    turnToToken() {
        const { token, key, direction } = this.context.state;
        const [high, wide] = this.pageSize();
        const [query, column] = direction === "from" ? [token, key] : [key, token];
        const row = query === null ? -1 : this.maps[0].rows.indexOf(query);
        const col = column === null ? -1 : this.maps[0].cols.indexOf(column);
        if (row >= 0) this.at[0] = row - (row % high);
        if (col >= 0) this.at[1] = col - (col % wide);
    }

    draw() {
        replace(this.tools, ...(this.kind === "map" ? this.pagers() : []));
        const tables = this.maps.map((numbers) => (this.kind === "map" ? this.matrix(numbers) : this.links(numbers)));
        replace(this.body, ...tables);
    }

    /** Buttons that turn pages, where there are several. */
    pagers() {
        const [high, wide] = this.pageSize();
        const { rows, cols } = this.maps[0];
        const both = [pager("queries", 0, high, rows, this), pager("keys", 1, wide, cols, this)];
        return both.filter((each) => each !== null);
    }

    /** @param {string} what @param {number} side @param {number} by @param {number} count */
    turnPage(what, side, by, count) {
        const next = this.at[side] + by;
        if (next < 0 || next >= count) return;
        this.at[side] = next;
        this.draw();
        this.context.voice.say(`${what} from ${next} on`);
        const place = by > 0 ? "next" : "previous";
        /** @type {HTMLElement | null} */ (this.tools.querySelector(`[data-turn="${place} ${what}"]`))?.focus();
    }

    /** @param {Numbered} numbers */
    matrix(numbers) {
        const { source, map, values, allowed, columns } = numbers;
        const { state, colours, scale } = this.context;
        const [high, wide] = this.pageSize();
        const rows = numbers.rows.slice(this.at[0], this.at[0] + high);
        const cols = numbers.cols.slice(this.at[1], this.at[1] + wide);
        const part = rows.length < numbers.rows.length || cols.length < numbers.cols.length;
        const digits = decimals(source.maps.peak[map]);
        const names = cols.map((col) => {
            const properties = { scope: "col", class: chosenIf(this.isKey(col)), title: called(source.keys, col) };
            return h("th", properties, name(source.keys, col));
        });
        const head = h("tr", {}, h("td", {}), ...names);
        const lines = rows.map((row) => {
            let peak = 0;
            if (scale.kind === "row") {
                for (const col of numbers.cols) peak = Math.max(peak, values[row * columns + col]);
            }
            const cells = cols.map((col) => {
                const at = row * columns + col;
                if (allowed && !allowed[at]) return hiddenCell();
                const place = unit(values[at], scale, peak);
                const cell = h("td", {}, values[at].toFixed(digits));
                cell.style.background = colours.css(state.cmap, place, scale.signed);
                cell.style.color = colours.on(state.cmap, place, scale.signed);
                return cell;
            });
            const onclick = () => this.context.store.set({ token: row, direction: "from", together: [] });
            const properties = { type: "button", class: "plain", title: "choose this query", onclick };
            const button = h("button", properties, name(source.queries, row));
            return h("tr", { class: chosenIf(this.isQuery(row)) }, h("th", { scope: "row" }, button), ...cells);
        });
        const counts = [`${rows.length} of ${numbers.rows.length}`, `${cols.length} of ${numbers.cols.length}`];
        const shown = `; ${counts[0]} queries, ${counts[1]} keys`;
        const caption = h("caption", {},
            `${mapName(source, map)}: ${source.label}. Rows are queries, columns keys${part ? shown : ""}.`);
        const table = h("table", { class: "numbers" }, caption, h("thead", {}, head), h("tbody", {}, ...lines));
        return this.scrolling(source, table);
    }

    /** @param {Numbered} numbers */
    links(numbers) {
        const { source, map } = numbers;
        const { token, direction } = this.context.state;
        const links = linksOf(numbers, token, direction);
        const names = namesOfLinks(source);
        const largest = links.length ? Math.abs(links[0][2]) : 1;
        const lines = links.slice(0, this.listed).map(([row, col, value], index) => {
            const bar = h("span", { class: value < 0 ? "bar-of below" : "bar-of" });
            bar.style.width = `${(100 * Math.abs(value)) / largest}%`;
            return h("tr", {}, h("td", {}, String(index + 1)),
                h("td", { dir: "auto" }, `${visible(names.queries[row])} (${row})`),
                h("td", { dir: "auto" }, `${visible(names.keys[col])} (${col})`),
                h("td", {}, short(value)), h("td", { "aria-hidden": "true" }, bar));
        });
        const exact = source.links ? ", exact, between single tokens" : "";
        const axis = direction === "from" ? source.queries : source.keys;
        const of = token === null ? "" : ` ${direction} ${called(axis, token)}`;
        const count = links.length.toLocaleString("en");
        const caption = h("caption", {},
            `${mapName(source, map)}: ${count} links${of}, the strongest first${exact}; ${lines.length} are listed.`);
        const columns = ["", "query", "key", source.label, ""];
        const head = h("tr", {}, ...columns.map((text) => h("th", { scope: "col" }, text)));
        const onclick = () => {
            this.listed += LINKS;
            this.draw();
        };
        const more = lines.length < links.length ? h("button", { type: "button", onclick }, `${LINKS} more`) : null;
        const table = h("table", { class: "links" }, caption, h("thead", {}, head), h("tbody", {}, ...lines));
        return this.scrolling(source, table, more);
    }

    /**
     * A table that scrolls by itself, by keyboard too.
     * @param {Source} source
     * @param {HTMLElement} table
     * @param {HTMLElement | null} [below]
     */
    scrolling(source, table, below = null) {
        const title = this.context.explorer.compared ? h("h3", { dir: "auto" }, source.title) : null;
        const label = `table of ${source.title}`;
        const properties = { class: "scroll", tabIndex: 0, role: "region", "aria-label": label, "data-own-keys": "" };
        return h("section", {}, title, h("div", properties, table), below);
    }

    /** @param {number} row */
    isQuery(row) {
        const { token, key, direction, together } = this.context.state;
        return together.includes(row) || row === (direction === "from" ? token : key);
    }

    /** @param {number} col */
    isKey(col) {
        const { token, key, direction } = this.context.state;
        return col === (direction === "from" ? key : token);
    }

    /** Make the link lead to a file of all numbers of the map, or of all links. */
    save() {
        const { token, direction } = this.context.state;
        const [numbers] = this.maps;
        const { source, map } = numbers;
        const text = this.kind === "map" ? matrixCsv(numbers) : linksCsv(source, linksOf(numbers, token, direction));
        if (this.address) URL.revokeObjectURL(this.address);
        this.address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
        const [layer, head] = source.places[map];
        this.link.href = this.address;
        const parts = [source.model, source.name, `layer-${layer ?? "mean"}`, `head-${head ?? "mean"}`, this.kind];
        this.link.download = `${parts.map(asFileName).filter(Boolean).join("-")}.csv`;
    }
}

/** A text without what a file's name cannot have. @param {string} text */
function asFileName(text) {
    return text.replaceAll(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^[._]+/, "");
}

/**
 * @param {string} what
 * @param {number} side
 * @param {number} size of a page
 * @param {number[]} shown
 * @param {TableView} view
 */
function pager(what, side, size, shown, view) {
    if (size >= shown.length) return null;
    const first = view.at[side];
    const last = Math.min(first + size, shown.length);
    const turn = (/** @type {string} */ place, /** @type {number} */ by, /** @type {string} */ text) =>
        h("button", {
            type: "button", class: "plain", "aria-label": `${place} ${what}`, "data-turn": `${place} ${what}`,
            disabled: by < 0 ? first === 0 : last === shown.length,
            onclick: () => view.turnPage(what, side, by, shown.length),
        }, text);
    return h("span", { class: "pager" }, turn("previous", -size, "‹"),
        h("span", { class: "number" }, `${what} ${first}–${last - 1} of ${shown.length}`), turn("next", size, "›"));
}

/** Digits after the point, so that no number moves by more than 1/500 of the largest. @param {number} largest */
function decimals(largest) {
    return largest > 0 ? Math.min(Math.max(2 - Math.floor(Math.log10(largest * 0.999)), 0), 6) : 3;
}

/** A token and its index, which a small text shows. @param {Axis} axis @param {number} index */
function name(axis, index) {
    return h("span", { dir: "auto" }, visible(axis.text[index]), " ", h("small", {}, String(index)));
}

/** A cell where attending was not allowed. */
function hiddenCell() {
    return h("td", { class: "hidden" }, h("span", { class: "only-heard" }, "not allowed"));
}

/** @param {boolean} chosen */
function chosenIf(chosen) {
    return chosen ? "chosen" : null;
}
