// Several heads at once: which, in which colours, and the small matrix from which they are picked.

import { mapName } from "../axis.js";
import { h, replace } from "../dom.js";

export const MOST_HEADS = 8; // colours that can be told apart

/**
 * The maps a state shows: `heads`, or `map` alone.
 * @param {State} state
 * @param {Source} source
 * @returns {number[]}
 */
export function mapsOf(state, source) {
    const heads = state.heads.filter((map) => map < source.places.length).slice(0, MOST_HEADS);
    return heads.length > 1 ? heads : [Math.min(heads[0] ?? state.map, source.places.length - 1)];
}

/**
 * What picking maps changes: each is added, or taken away if all of them are picked.
 * @param {State} state
 * @param {Source} source
 * @param {number[]} maps
 * @returns {{ patch: Partial<State>, left: number }} left: how many were too many
 */
export function picked(state, source, maps) {
    const now = mapsOf(state, source);
    const all = maps.every((map) => now.includes(map));
    const wanted = all ? now.filter((map) => !maps.includes(map)) : [...new Set([...now, ...maps])];
    const next = wanted.slice(0, MOST_HEADS);
    const patch = next.length > 1 ? { heads: next, map: next[0] } : { heads: [], map: next[0] ?? state.map };
    return { patch, left: wanted.length - next.length };
}

/** Colours stay with their heads while others come and go. */
export class Slots {
    constructor() {
        /** @type {Map<number, number>} */
        this.of = new Map();
    }

    /**
     * The colour, 0 to 7, of each map.
     * @param {number[]} maps
     * @returns {number[]}
     */
    give(maps) {
        for (const map of this.of.keys()) if (!maps.includes(map)) this.of.delete(map);
        for (const map of maps) {
            if (this.of.has(map)) continue;
            const taken = new Set(this.of.values());
            let free = 0;
            while (taken.has(free)) free++;
            this.of.set(map, free % MOST_HEADS);
        }
        return maps.map((map) => this.of.get(map) ?? 0);
    }
}

/**
 * A legend with a remove button for each head, and the matrix of all heads.
 * @param {import("../context.js").Context} context
 * @param {Slots | null} slots colours; null where heads have none
 */
export function headPicker(context, slots) {
    const legend = h("ul", { class: "head-legend", "aria-label": "Heads shown" });
    const grid = h("div", { class: "head-grid", role: "group", "aria-label": "Heads to choose from" });
    const remark = h("p", { class: "remark", role: "status" });
    const summary = h("summary", {}, "Compare heads");
    const hint = h("p", { class: "remark" },
        "A click adds a head or takes it away; a number at the edge takes its row or column.");
    const details = h("details", { class: "head-picker" }, summary, grid, remark, hint);
    const element = h("div", { class: "heads" }, legend, details);
    /** @type {Source | null} */
    let built = null;
    /** @type {HTMLButtonElement[]} */
    let cells = [];

    /** @param {number[]} maps */
    function pick(maps) {
        const { patch, left } = picked(context.state, context.source, maps);
        remark.textContent = left ? `At most ${MOST_HEADS} heads at once: ${left} left out.` : "";
        if (left) context.voice.say(remark.textContent);
        context.store.set(patch);
    }

    /** @param {Source} source */
    function build(source) {
        const [rows, columns] = [source.layers.length, source.heads.length];
        const row = (/** @type {number} */ at) => Array.from({ length: columns }, (_, i) => at * columns + i);
        const column = (/** @type {number} */ at) => Array.from({ length: rows }, (_, i) => i * columns + at);
        const edge = (/** @type {string} */ name, /** @type {string} */ text, /** @type {number[]} */ maps) =>
            h("button", {
                type: "button", class: "edge", tabIndex: -1, "aria-label": `all of ${name} ${text}`,
                onclick: () => pick(maps),
            }, text || "·");
        const [across, down] = [source.axes[1] || "head", source.axes[0] || "layer"];
        cells = source.places.map((_, map) =>
            h("button", {
                type: "button", class: "swatch", title: mapName(source, map), "aria-label": mapName(source, map),
                tabIndex: map ? -1 : 0,
                onclick: (/** @type {MouseEvent} */ event) => {
                    const [r, c] = [Math.floor(map / columns), map % columns];
                    pick(event.shiftKey && event.altKey ? column(c) : event.shiftKey ? row(r) : [map]);
                },
            }),
        );
        const line = (/** @type {Node[]} */ ...inner) => h("div", { class: "grid-row" }, ...inner);
        const names = source.heads.map((text, at) => edge(across, text, column(at)));
        const top = line(h("span", { class: "edge" }), ...names);
        const lines = source.layers.map((text, at) =>
            line(edge(down, text, row(at)), ...cells.slice(at * columns, (at + 1) * columns)));
        replace(grid, top, ...lines);
        built = source;
    }

    grid.dataset.ownKeys = "";
    grid.addEventListener("keydown", (event) => {
        const columns = context.source.heads.length;
        const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
        const at = cells.indexOf(/** @type {HTMLButtonElement} */ (event.target));
        if (by === undefined || at < 0) return;
        event.preventDefault();
        const next = cells[at + by];
        if (!next) return;
        cells[at].tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
    });

    return {
        element,
        update() {
            const { state, source } = context;
            const single = source.places.length < 2;
            details.hidden = single;
            const maps = mapsOf(state, source);
            const colours = slots ? slots.give(maps) : maps.map(() => -1);
            const several = maps.length > 1;
            replace(legend, ...maps.map((map, at) =>
                entry(source, map, several ? colours[at] : -1, several ? () => pick([map]) : null)));
            if (single) return;
            if (built !== source) build(source);
            for (const [map, cell] of cells.entries()) {
                const at = maps.indexOf(map);
                cell.setAttribute("aria-pressed", String(at >= 0));
                cell.dataset.curve = at >= 0 ? String(maps.length > 1 && slots ? colours[at] : "one") : "";
            }
        },
    };
}

/** @param {string} name @param {() => void} remove */
function removeButton(name, remove) {
    return h("button", { type: "button", class: "remove", "aria-label": `remove ${name}`, onclick: remove }, "×");
}

/**
 * @param {Source} source
 * @param {number} map
 * @param {number} colour -1 for none
 * @param {(() => void) | null} remove
 */
function entry(source, map, colour, remove) {
    const name = mapName(source, map);
    return h("li", {},
        colour >= 0 ? h("span", { class: "curve-mark", "data-curve": colour, "aria-hidden": "true" }) : null,
        h("span", {}, name),
        remove ? removeButton(name, remove) : null,
    );
}
