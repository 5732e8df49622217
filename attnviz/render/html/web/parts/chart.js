// The ground of every chart: a plane with axes, round ticks, and the point nearest to the pointer.

import { h, replace, svg } from "../dom.js";
import { redrawn } from "./redraw.js";

const GROUPS = 8; // colours of groups and curves, in parts.css

/** @param {number} group */
export function groupColour(group) {
    return `var(--group-${group % GROUPS})`;
}

/** @param {number} group */
export function groupDash(group) {
    return group >= GROUPS ? "5 3" : null;
}

/**
 * Round numbers from low to high, about `count` of them.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function ticks(low, high, count) {
    const raw = (high - low || 1) / Math.max(count, 1);
    const ten = 10 ** Math.floor(Math.log10(raw));
    const step = ten * ([1, 2, 5, 10].find((times) => times * ten >= raw * 0.999) ?? 10);
    const marks = [];
    for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++)
        marks.push(Number((at * step).toPrecision(12)));
    return marks;
}

/**
 * @typedef {object} Axis1
 * @property {number} low
 * @property {number} high
 * @property {string} label
 * @property {[number, string][]} [marks] instead of round numbers
 * @property {boolean} [log]
 */

/** A plane of some pixels with both axes. */
export class Plane {
    /**
     * @param {number} width
     * @param {number} height
     * @param {Axis1} x
     * @param {Axis1} y
     * @param {boolean} [bare] without ticks
     */
    constructor(width, height, x, y, bare = false) {
        this.axes = { x, y };
        this.box = { left: bare ? 8 : 46, top: 10, right: width - 10, bottom: height - (bare ? 20 : 38) };
        this.element = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
        if (bare) this.element.append(...this.labels());
        else this.element.append(...this.labels(), ...this.grid("x"), ...this.grid("y"));
    }

    /** @param {number} value */
    x(value) {
        return this.box.left + share(value, this.axes.x) * (this.box.right - this.box.left);
    }

    /** @param {number} value */
    y(value) {
        return this.box.bottom - share(value, this.axes.y) * (this.box.bottom - this.box.top);
    }

    labels() {
        const { left, top, right, bottom } = this.box;
        const across = svg(
            "text",
            { class: "axis", x: (left + right) / 2, y: bottom + 32, "text-anchor": "middle" },
            this.axes.x.label,
        );
        const down = svg(
            "text",
            {
                class: "axis",
                x: 12,
                y: (top + bottom) / 2,
                "text-anchor": "middle",
                transform: `rotate(-90 12 ${(top + bottom) / 2})`,
            },
            this.axes.y.label,
        );
        const ground = svg("path", { class: "ground", d: `M${left},${top}V${bottom}H${right}` });
        return [ground, across, down];
    }

    /** @param {"x" | "y"} side */
    grid(side) {
        const { left, top, right, bottom } = this.box;
        const axis = this.axes[side];
        const room = side === "x" ? (right - left) / 62 : (bottom - top) / 42;
        const marks =
            axis.marks ??
            ticks(axis.low, axis.high, room).map(
                (at) => /** @type {[number, string]} */ ([at, String(at).replace("-", "−")]),
            );
        return marks.flatMap(([at, text]) => {
            const place = side === "x" ? this.x(at) : this.y(at);
            if (side === "x")
                return [
                    svg("path", { class: "grid", d: `M${place},${top}V${bottom}` }),
                    svg("text", { class: "tick", x: place, y: bottom + 14, "text-anchor": "middle" }, text),
                ];
            return [
                svg("path", { class: "grid", d: `M${left},${place}H${right}` }),
                svg("text", { class: "tick", x: left - 6, y: place + 4, "text-anchor": "end" }, text),
            ];
        });
    }
}

/** @param {number} value @param {Axis1} axis */
function share(value, { low, high, log }) {
    if (log) return Math.log(value / low) / Math.log(high / low || 2);
    return (value - low) / (high - low || 1);
}

/**
 * A point of a chart that can be told: where it is in pixels, and its lines.
 * @typedef {{ x: number, y: number, lines: string[], on?: (looked: boolean) => void }} Point
 */

/**
 * A chart that is drawn anew for each width. The point nearest to the pointer is told; arrows move from one to the
 * next.
 * @param {string} label
 * @param {import("./redraw.js").Tools} tools
 * @param {(width: number) => { element: SVGSVGElement, points: Point[] }} draw
 */
export function chart(label, tools, draw) {
    const box = h("div", { class: "chart", tabIndex: 0, role: "img", "aria-label": label });
    /** @type {Point[]} */
    let points = [];
    /** @type {Point | null} */
    let looked = null;
    const ring = svg("circle", { class: "ring", r: 6, visibility: "hidden" });
    redrawn(box, (width) => {
        const drawn = draw(width);
        points = drawn.points;
        looked = null;
        ring.setAttribute("visibility", "hidden");
        drawn.element.append(ring);
        replace(box, drawn.element);
    });
    /** @param {Point | null} point */
    const look = (point) => {
        if (point === looked) return;
        looked?.on?.(false);
        looked = point;
        point?.on?.(true);
        ring.setAttribute("visibility", point ? "visible" : "hidden");
        if (!point) {
            tools.tip.hide();
            return;
        }
        ring.setAttribute("cx", String(point.x));
        ring.setAttribute("cy", String(point.y));
        const at = box.getBoundingClientRect();
        tools.tip.show(at.left + point.x, at.top + point.y, point.lines);
    };
    const follow = (/** @type {PointerEvent} */ event) => {
        const at = box.getBoundingClientRect();
        look(nearest(points, event.clientX - at.left, event.clientY - at.top));
    };
    box.addEventListener("pointermove", follow);
    box.addEventListener("pointerdown", follow);
    box.addEventListener("pointerleave", () => look(null));
    box.addEventListener("blur", () => look(null));
    box.addEventListener("keydown", (event) => {
        const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (event.key === "Escape") look(null);
        if (!move || !points.length) return;
        event.preventDefault();
        event.stopPropagation();
        const at = looked ? points.indexOf(looked) + move : move > 0 ? 0 : points.length - 1;
        look(points[(at + points.length) % points.length]);
        tools.voice.say(looked ? looked.lines.join(", ") : "");
    });
    return box;
}

/** @param {Point[]} points @param {number} x @param {number} y */
function nearest(points, x, y) {
    let best = null;
    let least = 30 ** 2;
    for (const point of points) {
        const far = (point.x - x) ** 2 + (point.y - y) ** 2;
        if (far < least) [best, least] = [point, far];
    }
    return best;
}

/**
 * Names of groups beside their colours.
 * @param {[string, string, string | null][]} entries name, colour, dash
 */
export function legend(entries) {
    return h(
        "ul",
        { class: "legend" },
        ...entries.map(([name, colour, dash]) => {
            const line = svg("line", {
                x1: 0,
                x2: 18,
                y1: 5,
                y2: 5,
                stroke: colour,
                "stroke-width": 3,
                "stroke-dasharray": dash,
            });
            return h("li", {}, svg("svg", { width: 18, height: 10, "aria-hidden": "true" }, line), name);
        }),
    );
}
