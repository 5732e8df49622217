// A running text whose words are shaded, hovered and chosen.

import { h, replace, visible } from "../dom.js";
import { directionOf, unitOf, units } from "./words.js";

/**
 * @typedef {{
 *     over: (place: number | null, event: PointerEvent) => void,
 *     choose: (place: number, more: boolean) => void,
 *     focused: (place: number) => void,
 * }} Hooks
 */

export class Paragraph {
    /**
     * @param {string} label
     * @param {Hooks} hooks
     */
    constructor(label, hooks) {
        this.hooks = hooks;
        /** @type {import("./words.js").Unit[]} */
        this.units = [];
        /** @type {HTMLElement[]} */
        this.items = [];
        this.filled = "";
        /** @type {Axis | null} */
        this.axis = null;
        this.places = new Int32Array(0);
        this.element = h("div", {
            class: "running", role: "listbox", "aria-multiselectable": "true", "aria-label": label, "data-own-keys": "",
        });
        this.element.addEventListener("pointerover", (event) => hooks.over(placeOf(event), event));
        this.element.addEventListener("pointermove", (event) => hooks.over(placeOf(event), event));
        this.element.addEventListener("pointerleave", (event) => hooks.over(null, event));
        this.element.addEventListener("click", (event) => {
            const place = placeOf(event);
            if (place === null) return;
            this.rove(place);
            hooks.choose(place, event.ctrlKey || event.metaKey || event.shiftKey);
        });
        this.element.addEventListener("keydown", (event) => this.onKey(event));
    }

    /**
     * @param {Axis} axis
     * @param {number[]} shown
     * @param {import("./words.js").Unit[] | null} [cells] the words of pooled cells
     */
    fill(axis, shown, cells = null) {
        const name = shown.join();
        if (this.axis === axis && this.filled === name) return;
        this.axis = axis;
        this.filled = name;
        this.units = cells ?? units(axis, shown);
        this.places = unitOf(this.units, axis.text.length);
        this.element.dir = directionOf(cells ? { ...axis, text: cells.map(({ text }) => text) } : axis);
        /** @type {Node[]} */
        const nodes = [];
        this.items = this.units.map((unit, place) => {
            const item = h(unit.special ? "bdi" : "span", {
                class: `word${unit.special ? " special" : ""}${unit.breaks ? " break" : ""}`, role: "option",
                "aria-selected": "false", "data-place": place, tabIndex: place ? -1 : 0,
            }, cells ? unit.text : visible(unit.text));
            const last = place ? this.units[place - 1] : null;
            if (unit.border) nodes.push(h("span", { class: "text-border", role: "presentation" }));
            else if (last?.breaks) nodes.push(document.createTextNode("\n"));
            else if (unit.space || (last && (unit.special || last.special))) nodes.push(document.createTextNode(" "));
            nodes.push(item);
            return item;
        });
        replace(this.element, ...nodes);
    }

    /**
     * @param {(place: number) => { ground: string, ink: string } | null} look
     * @param {(place: number) => string} [kind] a class of its own, such as "new" or "later"
     */
    shade(look, kind = () => "") {
        for (const [place, item] of this.items.entries()) {
            const colours = look(place);
            item.style.backgroundColor = colours?.ground ?? "";
            item.style.color = colours?.ink ?? "";
            if (item.dataset.kind !== kind(place)) item.dataset.kind = kind(place);
        }
    }

    /** @param {number[]} tokens */
    select(tokens) {
        const chosen = new Set(tokens.map((index) => this.places[index]));
        for (const [place, item] of this.items.entries()) {
            const now = String(chosen.has(place));
            if (item.getAttribute("aria-selected") !== now) item.setAttribute("aria-selected", now);
        }
    }

    /** Make a word the one that the Tab key reaches. @param {number} place */
    rove(place) {
        this.element.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
        this.items[place].tabIndex = 0;
    }

    /** @param {KeyboardEvent} event */
    onKey(event) {
        const place = placeOf(event);
        if (place === null || event.altKey) return;
        if (event.key === " " || event.key === "Enter") this.hooks.choose(place, event.key === " " || event.shiftKey);
        else {
            const to = this.target(place, event.key);
            if (to === null) return;
            this.rove(to);
            this.items[to].focus();
            this.hooks.focused(to);
            if (!event.ctrlKey && !event.metaKey && to !== place) this.hooks.choose(to, false);
        }
        event.preventDefault();
        event.stopPropagation();
    }

    /** Where a key leads from a word; null: nowhere. @param {number} place @param {string} key */
    target(place, key) {
        const forward = this.element.dir === "rtl" ? "ArrowLeft" : "ArrowRight";
        const last = this.items.length - 1;
        if (key === "Home") return 0;
        if (key === "End") return last;
        const by = key === forward ? 1 : -1;
        if (key === "ArrowLeft" || key === "ArrowRight") return Math.min(Math.max(place + by, 0), last);
        if (key === "ArrowUp" || key === "ArrowDown") return this.vertical(place, key === "ArrowDown" ? 1 : -1);
        return null;
    }

    /** The word above or below. @param {number} place @param {1 | -1} way */
    vertical(place, way) {
        const from = this.items[place].getBoundingClientRect();
        const middle = (from.left + from.right) / 2;
        let [best, least, line] = [place, Infinity, NaN];
        for (let at = place + way; at >= 0 && at < this.items.length; at += way) {
            const box = this.items[at].getBoundingClientRect();
            if (Math.abs(box.top - from.top) < from.height / 2) continue;
            if (!Number.isNaN(line) && Math.abs(box.top - line) > from.height / 2) break;
            line = box.top;
            const away = Math.abs((box.left + box.right) / 2 - middle);
            if (away < least) [best, least] = [at, away];
        }
        return best;
    }
}

/** The word under an event; null for none. @param {Event} event */
function placeOf(event) {
    const item = event.target instanceof Element ? event.target.closest("[data-place]") : null;
    return item instanceof HTMLElement ? Number(item.dataset.place) : null;
}
