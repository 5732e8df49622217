// One head large: its map, with labels, values at the pointer, zoom and pan; two of a comparison abreast.

import { mapName } from "../axis.js";
import { h, replace, short } from "../dom.js";
import { commonScale } from "./board.js";
import { Legend } from "./legend.js";
import { countAbove, ordinal, stored } from "./map_facts.js";
import { listenToGestures } from "./map_gestures.js";
import { differenceOf, matrixOf } from "./map_matrices.js";
import { Moves } from "./map_moves.js";
import { MapPanel } from "./map_panel.js";
import { clamp, partOf, quartersOf, wholeCells } from "./map_window.js";

const NARROWEST = 330; // pixels of a panel that stands beside another
const ASIDE = 340, GAP = 24; // pixels of the legend beside a map, and between panels

/**
 * @param {import("../context.js").Context} context
 * @returns {import("../explorer.js").View}
 */
export function mapView(context) {
    const view = new MapView(context);
    return { element: view.element, update: () => view.update() };
}

class MapView {
    /** @param {import("../context.js").Context} context */
    constructor(context) {
        this.context = context;
        this.moves = new Moves(context, () => this.draw());
        this.whole = button("whole", "the whole map (0)", () => context.store.set({ window: null }));
        this.tools = h("div", { class: "group", role: "group", "aria-label": "Zoom" },
            button("−", "zoom out (−)", () => this.moves.zoomBy(2)),
            button("+", "zoom in (+)", () => this.moves.zoomBy(0.5)), this.whole);
        this.quarters = h("div", { class: "group quarters", role: "group", "aria-label": "Quarters of the pair" });
        this.legend = new Legend();
        this.second = new Legend(); // of the difference
        this.about = h("p", { class: "about" });
        this.numbers = h("dl", { class: "numbers", "aria-label": "Numbers of this head" });
        const counted = "These numbers count all tokens, also those that are out.";
        this.counted = h("p", { class: "quiet", hidden: true }, counted);
        this.panels = h("div", { class: "panels" });
        this.element = h("div", { class: "view map" },
            h("div", { class: "view-bar" }, this.tools, this.quarters),
            h("div", { class: "body" }, this.panels,
                h("div", { class: "aside" },
                    this.legend.element, this.second.element, this.about, this.numbers, this.counted)));
        this.turn = 0;
        this.painted = "";
        this.width = 0;
        new ResizeObserver(() => {
            if (this.element.clientWidth !== this.width && this.shown.length) this.arrange();
        }).observe(this.element);
    }

    /** Panels, one for each side and one for the difference. */
    get shown() {
        return this.moves.panels;
    }

    async update() {
        const { state, abreast, stores, colours, explorer } = this.context;
        this.turn += 1;
        const mine = this.turn;
        const sources = abreast.map((index) => explorer.sources[index]);
        const maps = sources.map(({ places }) => Math.min(state.map, places.length - 1));
        const values = await Promise.all(abreast.map((index, at) => stores[index].values(maps[at])));
        if (mine !== this.turn) return;
        const scale = commonScale(state, sources);
        const looks = JSON.stringify([abreast, maps, scale, state.cmap, state.rests, colours.dark]);
        if (looks !== this.painted) {
            this.painted = looks;
            const matrices = abreast.map((index, at) => matrixOf(this.context, index, maps[at], values[at], scale));
            const difference = differenceOf(matrices);
            this.fillPanels(difference ? [...matrices, difference] : matrices, sources.map(({ title }) => title));
            this.fillLegends(difference);
            this.fillNumbers();
        }
        this.moves.live = null;
        this.fillQuarters();
        this.arrange();
    }

    /**
     * Give each matrix a panel.
     * @param {import("./map_panel.js").Matrix[]} matrices
     * @param {string[]} titles of the sides
     */
    fillPanels(matrices, titles) {
        const { shown, context: { colours, source, state } } = this;
        while (shown.length > matrices.length) shown.pop();
        for (const [at, matrix] of matrices.entries()) {
            if (shown[at]) shown[at].take(matrix);
            else {
                shown.push(new MapPanel(colours, matrix));
                this.listen(shown[at]);
            }
            const title = titles[at] ?? "difference";
            const size = `${matrix.rows.length} queries by ${matrix.cols.length} keys`;
            shown[at].call(title, matrices.length > 1, `${title}, ${mapName(source, state.map)}: ${size}`);
        }
        const elements = shown.map(({ element }) => element);
        const same = elements.every((element, at) => this.panels.children[at] === element);
        if (!same || this.panels.children.length !== elements.length) replace(this.panels, ...elements);
    }

    /** @param {MapPanel} panel */
    listen(panel) {
        const { moves } = this;
        listenToGestures(panel.frame, moves.askedOf(panel));
        panel.frame.addEventListener("blur", () => moves.leave());
        panel.frame.addEventListener("focus", () => {
            if (panel.frame.matches(":focus-visible")) moves.pointAt(moves.cursor ?? moves.firstSpot(panel));
        });
    }

    /** @param {import("./map_panel.js").Matrix | null} difference */
    fillLegends(difference) {
        const [{ matrix }] = this.shown;
        const steps = this.shown.filter((panel) => panel.matrix !== difference).map((panel) => panel.matrix.step);
        this.legend.fill({
            label: matrix.label, scale: matrix.scale, hidden: matrix.allowed !== null, above: countAbove(matrix),
            table: this.context.colours.table(matrix.cmap, matrix.scale.signed), remarks: stored(Math.max(...steps)),
        });
        this.second.element.hidden = !difference;
        if (!difference) return;
        this.second.fill({
            label: "difference", scale: difference.scale, hidden: false, above: 0, remarks: [],
            table: this.context.colours.table(difference.cmap, true),
        });
    }

    /** Statistics of the head, or of both. */
    fillNumbers() {
        const sides = this.shown.slice(0, this.context.abreast.length).map(({ matrix }) => matrix);
        replace(this.numbers, ...sides[0].source.statistics.map(({ name, label, meaning }) => {
            const values = sides.map(({ source, map }) => {
                const value = source.statistics.find((each) => each.name === name)?.values[map];
                return short(value) || "–";
            });
            return h("div", { title: meaning }, h("dt", {}, label), h("dd", {}, values.join(" → ")));
        }));
        this.counted.hidden = this.context.state.rests || !this.numbers.childElementCount;
    }

    /** Fill in a button for each quarter of a pair of texts. */
    fillQuarters() {
        const { source, store, state } = this.context;
        const quarters = quartersOf(source);
        this.quarters.hidden = !quarters.length;
        const now = JSON.stringify(state.window);
        replace(this.quarters, ...quarters.map(({ name, label, window }) => {
            const pressed = JSON.stringify(window) === now;
            const element = button(name, label, () => store.set({ window: pressed ? null : window }));
            element.setAttribute("aria-pressed", String(pressed));
            return element;
        }));
        this.whole.disabled = state.window === null;
    }

    /** The room of one panel; the legend stands at its right where a map leaves room for it. */
    area() {
        this.width = this.element.clientWidth;
        const [{ matrix: { rows, cols } }] = this.shown;
        const whole = this.width || innerWidth - 32;
        const aside = this.shown.length === 1 && whole > 860 && cols.length < 2 * rows.length ? ASIDE : 0;
        const abreast = clamp(Math.floor(whole / NARROWEST), 1, this.shown.length);
        const top = this.panels.getBoundingClientRect().top + scrollY;
        const high = clamp(Math.max(innerHeight - top - 24, 0.6 * innerHeight), 340, 1500);
        return { wide: (whole - aside - GAP * (abreast - 1)) / abreast, high };
    }

    /** Lay out and draw all panels. */
    arrange() {
        const area = this.area();
        for (const panel of this.shown) panel.place(this.partOf(panel), area);
        this.draw();
        this.fillAbout();
    }

    /** The part of whole cells that a panel shows. @param {MapPanel} panel */
    partOf({ matrix: { rows, cols } }) {
        return wholeCells(partOf(this.context.state.window, rows, cols), rows.length, cols.length);
    }

    draw() {
        const { state } = this.context;
        const { moves } = this;
        const tokens = state.together.length > 1 ? state.together : state.token === null ? [] : [state.token];
        for (const panel of this.shown) {
            panel.part = moves.livePart(panel) ?? this.partOf(panel);
            panel.draw({ tokens, key: state.key });
            panel.point(moves.cursor);
        }
    }

    /** Say which part is seen, and which labels are left out. */
    fillAbout() {
        const [{ matrix: { rows, cols }, part: { top, left, high, wide }, thinned: [byRow, byCol] }] = this.shown;
        const lines = [];
        if (high < rows.length || wide < cols.length) {
            const queries = `queries ${rows[top]} to ${rows[top + high - 1]}`;
            const keys = `keys ${cols[left]} to ${cols[left + wide - 1]}`;
            lines.push(`Seen: ${queries}, ${keys} of ${rows.length} × ${cols.length}.`);
        }
        const token = this.context.source.cell > 1 ? "cell" : "token";
        const named = byRow === byCol ? [[byRow, token]] : [[byRow, "query"], [byCol, "key"]];
        const few = named.filter(([by]) => Number(by) > 1);
        const thinned = few.map(([by, what]) => `every ${ordinal(Number(by))} ${what}`);
        if (thinned.length) lines.push(`Labels: ${thinned.join(" and ")}.`);
        lines.push("A wheel or two fingers zoom; dragging moves, or selects a part of the whole map.");
        this.about.textContent = lines.join(" ");
    }
}

/** @param {string} text @param {string} label @param {() => void} onclick */
function button(text, label, onclick) {
    return h("button", { type: "button", title: label, "aria-label": label, onclick }, text);
}
