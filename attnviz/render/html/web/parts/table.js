// Tables that are sorted by a click on a header and filtered by words, and texts in rows.

import { h, replace, visible } from "../dom.js";
import { decimalsFor, fixed, onChosenHead } from "./redraw.js";

const STEP = 100; // rows that are shown at first, and more at each press

/** @param {TablePart} part @param {import("./redraw.js").Tools} tools */
export function tablePart(part, tools) {
    const table = new Sortable(part, tools);
    if (!part.caption) return h("section", { class: "part" }, ...table.elements);
    const heading = h("summary", {}, part.caption);
    return h("details", { class: "part rows", open: !part.folded }, heading, ...table.elements);
}

class Sortable {
    /** @param {TablePart} part @param {import("./redraw.js").Tools} tools */
    constructor(part, tools) {
        this.part = part;
        this.tools = tools;
        /** @type {{ col: number, down: boolean } | null} */
        this.order = null;
        this.words = "";
        this.most = STEP;
        this.head = "";
        this.writers = part.header.map((_, col) => writer(part.rows.map((row) => row[col])));
        this.searched = part.rows.map((row) =>
            row
                .map((cell) => String(cell ?? ""))
                .join(" ")
                .toLowerCase(),
        );
        this.body = h("tbody");
        this.count = h("span", { class: "quiet" });
        this.more = h("button", { type: "button", onclick: () => this.show(this.most + 10 * STEP) }, "more rows");
        this.headings = part.header.map((name, col) => this.heading(name, col));
        const label = part.caption || "Table";
        const box = h(
            "div",
            { class: "table-box", tabIndex: 0, role: "region", "aria-label": label },
            h("table", {}, h("thead", {}, h("tr", {}, ...this.headings)), this.body),
        );
        const many = part.rows.length > 12;
        const filter = h("input", {
            type: "search",
            placeholder: "filter",
            "aria-label": "Filter rows by words",
            oninput: () => this.filter(filter.value),
        });
        this.elements = [...(many ? [h("div", { class: "table-bar" }, filter, this.count)] : []), box, this.more];
        this.columns = ["layer", "head"].map((name) => part.header.indexOf(name));
        if (this.columns.every((col) => col >= 0)) {
            onChosenHead((layer, head) => {
                this.head = this.head === `${layer} ${head}` ? "" : `${layer} ${head}`;
                this.draw();
            });
        }
        this.draw();
    }

    /** @param {string} name @param {number} col */
    heading(name, col) {
        const button = h("button", { type: "button", class: "sort", onclick: () => this.sort(col) }, name || " ");
        return h("th", { scope: "col", class: this.part.align[col] === "r" ? "right" : "" }, button);
    }

    /** @param {number} col */
    sort(col) {
        const numeric = this.part.rows.some((row) => typeof row[col] === "number");
        const again = this.order?.col === col;
        this.order = again ? { col, down: !this.order?.down } : { col, down: numeric };
        this.headings.forEach((heading, at) => {
            if (at !== col) heading.removeAttribute("aria-sort");
            else heading.setAttribute("aria-sort", this.order?.down ? "descending" : "ascending");
        });
        this.draw();
        this.tools.voice.say(
            `sorted by ${this.part.header[col]}, ${this.order.down ? "largest" : "smallest"} first`,
        );
    }

    /** @param {string} text */
    filter(text) {
        this.words = text.trim().toLowerCase();
        this.most = STEP;
        this.draw();
        this.tools.voice.say(this.count.textContent ?? "");
    }

    /** @param {number} most */
    show(most) {
        this.most = most;
        this.draw();
    }

    /** Indices of the rows that are left, in order. */
    left() {
        const words = this.words.split(/\s+/).filter(Boolean);
        const left = this.part.rows
            .map((_, at) => at)
            .filter((at) => words.every((word) => this.searched[at].includes(word)));
        if (this.order) {
            const { col, down } = this.order;
            left.sort((a, b) => compare(this.part.rows[a][col], this.part.rows[b][col], down));
        }
        if (this.head) left.sort((a, b) => Number(this.isChosen(b)) - Number(this.isChosen(a)));
        return left;
    }

    /** @param {number} at */
    isChosen(at) {
        const row = this.part.rows[at];
        return this.columns.map((col) => row[col]).join(" ") === this.head;
    }

    draw() {
        const left = this.left();
        const shown = left.slice(0, this.most);
        const total = this.part.rows.length;
        this.count.textContent =
            left.length === total
                ? `${total.toLocaleString("en")} rows`
                : `${left.length.toLocaleString("en")} of ${total.toLocaleString("en")} rows`;
        this.more.hidden = shown.length === left.length;
        replace(this.body, ...shown.map((at) => this.row(at)));
    }

    /** @param {number} at */
    row(at) {
        const cells = this.part.rows[at].map((cell, col) => {
            if (typeof cell === "number") {
                const text = this.writers[col](cell);
                return h("td", { class: "right number", title: String(cell) === text ? null : String(cell) }, text);
            }
            return h(
                "td",
                { class: this.part.align[col] === "r" ? "right" : "", dir: "auto" },
                cell === null || cell === "" ? "" : visible(cell),
            );
        });
        return h("tr", { class: this.head && this.isChosen(at) ? "chosen" : "" }, ...cells);
    }
}

/**
 * A function that writes the numbers of a column, all with the same decimals.
 * @param {(string | number | null)[]} cells
 * @returns {(value: number) => string}
 */
function writer(cells) {
    const numbers = /** @type {number[]} */ (cells.filter((cell) => typeof cell === "number"));
    if (numbers.every(Number.isInteger)) return (value) => String(value).replace("-", "−");
    const decimals = decimalsFor(numbers);
    return (value) => fixed(value, decimals);
}

/** @param {string | number | null} a @param {string | number | null} b @param {boolean} down */
function compare(a, b, down) {
    if (a === null || b === null || a === "" || b === "")
        return Number(a === null || a === "") - Number(b === null || b === "");
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    return down ? -order : order;
}

/** @param {SentencePart} part */
export function sentencePart({ text, lead }) {
    return h(
        "p",
        { class: "part sentence", dir: "auto" },
        lead ? h("strong", {}, lead) : null,
        lead && text ? ": " : "",
        text,
    );
}

/** @param {FactsPart} part */
export function factsPart({ pairs }) {
    const rows = pairs.map(([name, value]) =>
        h("div", {}, h("dt", { dir: "auto" }, name), h("dd", { dir: "auto" }, value)),
    );
    return h("dl", { class: "part facts" }, ...rows);
}

/** @param {ListingPart} part */
export function listingPart({ header, rows }) {
    const head = header.length
        ? [h("thead", {}, h("tr", {}, ...header.map((name) => h("th", { scope: "col" }, name))))]
        : [];
    const lines = rows.map(({ words, text }) =>
        h(
            "tr",
            { "data-word": words[0] ?? "" },
            ...words.map((word) => h("td", { class: "word", dir: "auto" }, word)),
            h("td", { dir: "auto" }, text),
        ),
    );
    return h(
        "div",
        { class: "part table-box listing", tabIndex: 0, role: "region", "aria-label": "List" },
        h("table", {}, ...head, h("tbody", {}, ...lines)),
    );
}

/** @param {HeadingPart} part */
export function headingPart({ title, subtitle }) {
    const below = subtitle ? h("p", { class: "subtitle", dir: "auto" }, subtitle) : null;
    return h("div", { class: "part heading" }, h("h2", { dir: "auto" }, title), below);
}

/** @param {NotesPart} part */
export function notesPart({ notes }) {
    return h("ul", { class: "part notes" }, ...notes.map((note) => h("li", { dir: "auto" }, note)));
}
