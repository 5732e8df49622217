// Ways of a reader over a map: pointing, choosing, zooming, panning, and a cursor that keys move.

import { clicked } from "./chosen.js";
import { factsAt, spoken, tipLines } from "./map_facts.js";
import { wholePixels } from "./map_layout.js";
import { clamp, moved, windowOf, zoomed } from "./map_window.js";

const CLOSEST = 56; // pixels of a cell beyond which a wheel zooms in no further

/**
 * @typedef {import("./map_panel.js").MapPanel} Panel
 * @typedef {import("./map_panel.js").Spot} Spot
 * @typedef {import("./map_window.js").Part} Part
 */

/** What panels of one view do together. */
export class Moves {
    /**
     * @param {import("../context.js").Context} context
     * @param {() => void} draw draws all panels
     */
    constructor(context, draw) {
        this.context = context;
        this.draw = draw;
        /** @type {Panel[]} */
        this.panels = [];
        /** The cell that is pointed at. @type {Spot | null} */
        this.cursor = null;
        /** The part that is seen while it moves. @type {Part | null} */
        this.live = null;
        /** The panel on which it moves. @type {Panel | null} */
        this.from = null;
        this.asked = 0;
    }

    /** The part of a panel that moves; null where none does. @param {Panel} panel */
    livePart(panel) {
        return this.live && this.from?.alike(panel) ? this.live : null;
    }

    /**
     * What gestures on a panel ask for.
     * @param {Panel} panel
     * @returns {import("./map_gestures.js").Asked}
     */
    askedOf(panel) {
        return {
            hover: (x, y, event) => this.hover(panel, panel.spot(x, y), event.clientX, event.clientY),
            leave: () => this.leave(),
            choose: (x, y, more) => this.choose(panel, x, y, more),
            zoom: (factor, x, y) => this.zoom(panel, factor, x, y),
            pan: (dx, dy) => this.pan(panel, dx, dy),
            select: (x, y, toX, toY, done) => this.select(panel, x, y, toX, toY, done),
            settle: (zooms) => this.settle(panel, zooms),
            key: (event) => this.onKey(panel, event),
            inside: (x, y) => panel.zone(x, y),
            movable: () => panel.movable,
        };
    }

    leave() {
        this.pointAt(null);
        this.context.tip.hide();
    }

    /** @param {Panel} panel @param {Spot | null} spot @param {number} x @param {number} y */
    hover(panel, spot, x, y) {
        this.pointAt(spot);
        if (spot) this.context.tip.show(x, y, this.linesAt(panel, spot));
        else this.context.tip.hide();
    }

    /** @param {Panel} panel @param {Spot} spot */
    linesAt(panel, spot) {
        const panels = [panel, ...this.panels.filter((each) => each !== panel)];
        return tipLines(panels.map(({ matrix }) => matrix), panels.map(({ name }) => name), spot);
    }

    /** Show a cell on all panels. @param {Spot | null} spot */
    pointAt(spot) {
        if (spot?.row === this.cursor?.row && spot?.col === this.cursor?.col) return;
        this.cursor = spot;
        for (const panel of this.panels) panel.point(spot);
    }

    /**
     * Choose the query and the key of a cell, or the one whose label is at a point.
     * @param {Panel} panel
     * @param {number} x
     * @param {number} y
     * @param {boolean} more whether the query is added to those chosen, or taken from them
     */
    choose(panel, x, y, more) {
        const { rows, cols } = panel.matrix;
        const { row, col } = panel.at(x, y);
        const zone = panel.zone(x, y);
        const query = rows[Math.floor(row)], key = cols[Math.floor(col)];
        const { state, source } = this.context;
        if (more && query !== undefined && (zone === "rows" || (zone === "cells" && panel.spot(x, y)))) {
            this.context.store.set(clicked(state, source, "query", query, true));
            return;
        }
        if (zone === "cells" && panel.spot(x, y)) this.context.store.set({ token: query, key, together: [] });
        if (zone === "rows" && query !== undefined) this.context.store.set({ token: query, key: null, together: [] });
        if (zone === "columns" && key !== undefined) this.context.store.set({ key });
    }

    /**
     * Zoom around a point; false where there is no more to zoom.
     * @param {Panel} panel
     * @param {number} factor below 1 to see less
     * @param {number} x
     * @param {number} y
     */
    zoom(panel, factor, x, y) {
        const { rows, cols } = panel.matrix;
        const { row, col } = panel.at(x, y);
        const { part } = panel;
        if (factor < 1 && Math.min(...panel.cell) >= CLOSEST) return false;
        const across = clamp((col - part.left) / part.wide, 0, 1), down = clamp((row - part.top) / part.high, 0, 1);
        const next = zoomed(part, factor, across, down, rows.length, cols.length);
        if (next.high === part.high && next.wide === part.wide) return false;
        this.show(panel, next);
        return true;
    }

    /** @param {Panel} panel @param {number} dx @param {number} dy */
    pan(panel, dx, dy) {
        const { rows, cols } = panel.matrix;
        const [wide, high] = panel.cell;
        this.show(panel, moved(panel.part, -dy / high, -dx / wide, rows.length, cols.length));
    }

    /** Draw a part that moves, once a frame. @param {Panel} from @param {Part} part */
    show(from, part) {
        this.live = part;
        this.from = from;
        for (const panel of this.panels) if (panel.alike(from)) panel.part = part;
        this.cursor = null;
        this.context.tip.hide();
        this.asked = this.asked || requestAnimationFrame(() => {
            this.asked = 0;
            if (this.live) this.draw();
        });
    }

    /**
     * Keep whole cells of the part that moved.
     * @param {Panel} panel
     * @param {boolean} [zooms] whether its size has changed: then whole pixels decide by how much
     */
    settle(panel, zooms = false) {
        if (!this.live) return;
        const { matrix: { rows, cols }, layout } = panel;
        const part = zooms && layout ? wholePixels(this.live, layout, rows.length, cols.length) : this.live;
        const window = windowOf(part, rows, cols);
        this.live = null;
        this.context.store.set({ window });
        this.draw();
    }

    /** Zoom about the cursor, or the middle. @param {number} factor */
    zoomBy(factor) {
        const panel = this.panels[0];
        if (!panel?.layout) return;
        const { x, y, wide, high } = panel.box(this.cursor?.row ?? null, this.cursor?.col ?? null);
        if (this.zoom(panel, factor, x + wide / 2, y + high / 2)) this.settle(panel, true);
    }

    /**
     * Choose a window: from one point to another; all columns where the first is beside the rows, and the other way.
     * @param {Panel} panel
     * @param {number} x
     * @param {number} y
     * @param {number} toX
     * @param {number} toY
     * @param {boolean} done
     */
    select(panel, x, y, toX, toY, done) {
        const { layout, matrix: { rows, cols } } = panel;
        if (!layout) return;
        const { left, top, wide, high } = layout;
        const zone = panel.zone(x, y);
        const [west, east] = zone === "rows" ? [left, left + wide] : ordered(x, toX, left, left + wide);
        const [north, south] = zone === "columns" ? [top, top + high] : ordered(y, toY, top, top + high);
        this.context.tip.hide();
        panel.point(null, done ? null : { x: west, y: north, wide: east - west, high: south - north });
        if (!done) return;
        const from = panel.at(west, north), to = panel.at(east - 0.01, south - 0.01);
        const row = Math.floor(from.row), col = Math.floor(from.col);
        const part = { top: row, left: col, high: Math.floor(to.row) - row + 1, wide: Math.floor(to.col) - col + 1 };
        this.context.store.set({ window: windowOf(part, rows, cols) });
    }

    /** The cell at which keys begin: the chosen one, or the first that is seen. @param {Panel} panel */
    firstSpot({ matrix: { rows, cols }, part }) {
        const { token, key } = this.context.state;
        const row = token === null ? -1 : rows.indexOf(token), col = key === null ? -1 : cols.indexOf(key);
        return { row: row < 0 ? Math.ceil(part.top) : row, col: col < 0 ? Math.ceil(part.left) : col };
    }

    /**
     * Whether a key means something here.
     * @param {Panel} panel
     * @param {KeyboardEvent} event
     */
    onKey(panel, event) {
        const { matrix: { rows, cols } } = panel;
        const { row, col } = this.cursor ?? this.firstSpot(panel);
        const to = (/** @type {number} */ down, /** @type {number} */ right) => () =>
            this.moveCursor(panel, { row: clamp(down, 0, rows.length - 1), col: clamp(right, 0, cols.length - 1) });
        const choose = () => this.context.store.set({ token: rows[row], key: cols[col], together: [] });
        /** @type {Record<string, () => void>} */
        const keys = {
            "+": () => this.zoomBy(0.5), "=": () => this.zoomBy(0.5), "-": () => this.zoomBy(2),
            "0": () => this.context.store.set({ window: null }),
            Enter: choose, " ": choose,
            ArrowUp: to(row - 1, col), ArrowDown: to(row + 1, col),
            ArrowLeft: to(row, col - 1), ArrowRight: to(row, col + 1),
            Home: to(row, 0), End: to(row, cols.length - 1), PageUp: to(row - 10, col), PageDown: to(row + 10, col),
        };
        if (!Object.hasOwn(keys, event.key)) return false;
        keys[event.key]();
        return true;
    }

    /** Move the cursor, and the window with it; say the cell. @param {Panel} panel @param {Spot} spot */
    moveCursor(panel, spot) {
        const { matrix: { rows, cols }, part: { top, left, high, wide } } = panel;
        const down = Math.min(spot.row - top, 0) + Math.max(spot.row - (top + high - 1), 0);
        const right = Math.min(spot.col - left, 0) + Math.max(spot.col - (left + wide - 1), 0);
        if (down || right) {
            this.live = moved(panel.part, down, right, rows.length, cols.length);
            this.from = panel;
            this.settle(panel);
        }
        this.pointAt(spot);
        const box = panel.box(spot.row, spot.col);
        const { left: x, top: y } = panel.frame.getBoundingClientRect();
        this.context.tip.show(x + box.x + box.wide, y + box.y + box.high, this.linesAt(panel, spot));
        this.context.voice.say(spoken(panel.matrix, spot, factsAt(panel.matrix, spot)));
    }
}

/**
 * Two numbers in order, within limits.
 * @param {number} a
 * @param {number} b
 * @param {number} low
 * @param {number} high
 */
function ordered(a, b, low, high) {
    return [clamp(Math.min(a, b), low, high), clamp(Math.max(a, b), low, high)];
}
