// One text as a column of tokens that can be scrolled, hovered and chosen.

import { called } from "../axis.js";
import { h, replace, visible } from "../dom.js";
import { Overview } from "./overview.js";

/**
 * @typedef {{
 *     over: (index: number | null, event: Event) => void,
 *     choose: (index: number, more: boolean) => void,
 *     across: (index: number) => void,
 *     scrolled: (by: number) => void,
 * }} Hooks
 */

/** Queries at the left or keys at the right; rows of one height, so that places are known without asking the page. */
export class TokenColumn {
    /**
     * @param {"query" | "key"} side
     * @param {Hooks} hooks
     */
    constructor(side, hooks) {
        this.side = side;
        this.hooks = hooks;
        /** @type {Axis | null} */
        this.axis = null;
        /** @type {number[]} */
        this.shown = [];
        /** @type {Map<number, number>} */
        this.placeOf = new Map();
        /** @type {HTMLElement[]} */
        this.items = [];
        this.pitch = 22;
        this.top = 0;
        this.height = 0;
        /** @type {Set<HTMLElement>} */
        this.shaded = new Set();
        /** @type {Set<HTMLElement>} */
        this.stressed = new Set();
        this.list = h("div", {
            class: "tokens", role: "listbox", "aria-multiselectable": side === "query", "data-own-keys": "",
            "aria-label": side === "query" ? "Queries" : "Keys",
        });
        this.element = h("div", { class: `column ${side}`, tabIndex: -1 }, this.list);
        this.overview = new Overview((share) => {
            this.scrollTo(share * this.items.length * this.pitch - this.height / 2);
            hooks.scrolled(0);
        });
        this.element.addEventListener("scroll", () => {
            const by = this.element.scrollTop - this.top;
            this.top = this.element.scrollTop;
            this.look();
            hooks.scrolled(by);
        }, { passive: true });
        this.list.addEventListener("pointerover", (event) => hooks.over(indexOf(event), event));
        this.list.addEventListener("click", (event) => {
            const index = indexOf(event);
            if (index !== null) hooks.choose(index, event.ctrlKey || event.metaKey || event.shiftKey);
        });
        this.list.addEventListener("focusin", (event) => hooks.over(indexOf(event), event));
        this.list.addEventListener("focusout", (event) => hooks.over(null, event));
        this.list.addEventListener("keydown", (event) => this.onKey(event));
    }

    /**
     * @param {Axis} axis
     * @param {number[]} shown indices in order
     * @param {boolean} numbered whether the indices of a long text are written
     */
    fill(axis, shown, numbered) {
        if (this.axis === axis && this.shown.join() === shown.join()) return;
        this.axis = axis;
        this.shown = shown;
        this.placeOf = new Map(shown.map((index, place) => [index, place]));
        this.shaded.clear();
        this.stressed.clear();
        const numbers = numbered && axis.text.length > 24;
        this.items = shown.map((index, place) => {
            const breaks = place > 0 && axis.segments[index] !== axis.segments[shown[place - 1]];
            return h("div", {
                class: `token${axis.special.includes(index) ? " special" : ""}${breaks ? " border" : ""}`,
                role: "option", "data-i": index, tabIndex: place ? -1 : 0, "aria-selected": "false",
                "aria-label": called(axis, index),
            },
            numbers ? h("span", { class: "index" }, index) : null,
            h("bdi", { class: "name" }, visible(axis.text[index])));
        });
        replace(this.list, ...this.items);
    }

    /** Read sizes from the page; to be called when it has been laid out anew. */
    measure() {
        this.pitch = this.items[0]?.getBoundingClientRect().height || this.pitch;
        this.height = this.element.clientHeight;
        this.top = this.element.scrollTop;
        this.look();
    }

    /** Show in the strip which part is seen. */
    look() {
        const all = this.items.length * this.pitch || 1;
        this.overview.see(Math.min(this.top / all, 1), Math.min((this.top + this.height) / all, 1));
    }

    /** Scroll without telling anyone. @param {number} top */
    scrollTo(top) {
        this.element.scrollTop = top;
        this.top = this.element.scrollTop;
        this.look();
    }

    /** The height of a token's middle, from the upper edge of what is seen. @param {number} index */
    y(index) {
        const place = this.placeOf.get(index);
        return place === undefined ? NaN : (place + 0.5) * this.pitch - this.top;
    }

    /** First and last place that is seen. @returns {[number, number]} */
    seen() {
        const last = Math.ceil((this.top + this.height) / this.pitch);
        return [Math.max(Math.floor(this.top / this.pitch), 0), Math.min(last, this.items.length - 1)];
    }

    /**
     * Shade the tokens that are seen; null: none.
     * @param {((index: number) => { ground: string, ink: string } | null) | null} look
     */
    shade(look) {
        /** @type {Set<HTMLElement>} */
        const now = new Set();
        if (look) {
            const [first, last] = this.seen();
            for (let place = first; place <= last; place++) {
                const colours = look(this.shown[place]);
                const item = this.items[place];
                if (!colours) continue;
                item.style.backgroundColor = colours.ground;
                item.style.color = colours.ink;
                now.add(item);
            }
        }
        for (const item of this.shaded) if (!now.has(item)) item.style.backgroundColor = item.style.color = "";
        this.shaded = now;
    }

    /** Mark tokens that are looked at. @param {number[]} indices */
    stress(indices) {
        const now = new Set(indices.map((index) => this.items[this.placeOf.get(index) ?? -1]).filter(Boolean));
        for (const item of this.stressed) if (!now.has(item)) item.classList.remove("on");
        for (const item of now) item.classList.add("on");
        this.stressed = now;
    }

    /** @param {number[]} indices */
    select(indices) {
        const before = this.list.querySelectorAll('[aria-selected="true"]');
        for (const item of before) item.setAttribute("aria-selected", "false");
        for (const index of indices) this.items[this.placeOf.get(index) ?? -1]?.setAttribute("aria-selected", "true");
    }

    /** Mark the token that is the other half of a chosen pair. @param {number | null} index */
    pair(index) {
        this.list.querySelector(".partner")?.classList.remove("partner");
        if (index !== null) this.items[this.placeOf.get(index) ?? -1]?.classList.add("partner");
    }

    /** Scroll until a token is seen. @param {number} index */
    reveal(index) {
        const place = this.placeOf.get(index);
        if (place === undefined) return;
        const [first, last] = [this.top / this.pitch, (this.top + this.height) / this.pitch - 1];
        if (place < first || place > last) this.scrollTo((place + 0.5) * this.pitch - this.height / 2);
    }

    /** @param {number} index */
    focus(index) {
        const place = this.placeOf.get(index);
        if (place === undefined) return;
        this.list.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
        this.items[place].tabIndex = 0;
        this.items[place].focus();
    }

    /** @param {KeyboardEvent} event */
    onKey(event) {
        const index = indexOf(event);
        if (index === null || event.altKey) return;
        const place = this.placeOf.get(index) ?? 0;
        const page = Math.max(Math.floor(this.height / this.pitch) - 1, 1);
        const to = {
            ArrowUp: place - 1, ArrowDown: place + 1, Home: 0, End: this.items.length - 1,
            PageUp: place - page, PageDown: place + page,
        }[event.key];
        if (to !== undefined) this.focus(this.shown[Math.min(Math.max(to, 0), this.items.length - 1)]);
        else if (event.key === (this.side === "query" ? "ArrowRight" : "ArrowLeft")) this.hooks.across(index);
        else if (event.key === " ") this.hooks.choose(index, true);
        else if (event.key === "Enter") this.hooks.choose(index, event.shiftKey || event.ctrlKey || event.metaKey);
        else return;
        event.preventDefault();
        event.stopPropagation();
    }
}

/** The token under an event; null for none. @param {Event} event */
function indexOf(event) {
    const item = event.target instanceof Element ? event.target.closest("[data-i]") : null;
    return item instanceof HTMLElement ? Number(item.dataset.i) : null;
}
