// A number of each head over the steps of a training run: a line per head, coloured by layer.

import { h, short, svg } from "../dom.js";
import { Plane, chart, groupColour, groupDash, legend } from "./chart.js";

/** @param {CurvesPart} part @param {import("./redraw.js").Tools} tools */
export function curvesPart({ steps, places, values, names, layers, label, unit, stressed, threshold }, tools) {
    const high = values.flat().reduce((most, value) => Math.max(most ?? 0, value ?? 0), threshold ?? 0) || 1;
    const groups = [...new Set(layers)].sort((a, b) => a - b);
    const thick = new Set(stressed);
    const order = names.map((_, i) => i).sort((a, b) => Number(thick.has(a)) - Number(thick.has(b)));
    const element = chart(`${label} by ${unit}: a line per head`, tools, (width) => {
        const wide = Math.min(width, 900);
        const plane = new Plane(
            wide,
            Math.min(Math.max(wide * 0.5, 260), 440),
            { low: -0.02, high: 1.03, label: unit, marks: marksOf(steps, places, wide) },
            { low: 0, high: high * 1.05, label },
        );
        if (threshold !== null) {
            const { left, right } = plane.box;
            const y = plane.y(threshold);
            const across = svg("path", { class: "curve", d: `M${left},${y}H${right}`, stroke: "currentColor" });
            across.style.strokeWidth = "1";
            across.style.strokeDasharray = "4 3";
            plane.element.append(across);
        }
        const points = order.flatMap((i) => {
            const group = groups.indexOf(layers[i]);
            const at = values[i].flatMap((value, k) =>
                value === null
                    ? []
                    : [
                          {
                              x: plane.x(places[k]),
                              y: plane.y(value),
                              lines: [
                                  `head ${names[i]}`,
                                  `${unit} ${steps[k].toLocaleString("en")}`,
                                  `${label} ${short(value)}`,
                              ],
                          },
                      ],
            );
            const usual = thick.has(i) ? "2.6" : "1";
            const line = svg("polyline", {
                class: "curve",
                points: at.map(({ x, y }) => `${x},${y}`).join(" "),
                stroke: groupColour(group),
                "stroke-opacity": thick.has(i) ? "1" : "0.55",
                "stroke-dasharray": groupDash(group),
            });
            line.style.strokeWidth = usual;
            plane.element.append(line);
            return at.map((point) => ({
                ...point,
                on: (/** @type {boolean} */ looked) => {
                    line.style.strokeWidth = looked ? "5" : usual;
                },
            }));
        });
        return { element: plane.element, points };
    });
    const keys = groups.map(
        (layer, i) =>
            /** @type {[string, string, string | null]} */ ([`layer ${layer}`, groupColour(i), groupDash(i)]),
    );
    const heads = stressed.map((i) => names[i]).join(", ");
    const changed = heads ? h("p", { class: "quiet" }, `thick: ${heads}`) : null;
    return h("section", { class: "part" }, h("h2", {}, `${label} by ${unit}`), element, legend(keys), changed);
}

/**
 * The steps that are named below, as far apart as their names need.
 * @param {number[]} steps
 * @param {number[]} places
 * @param {number} wide
 * @returns {[number, string][]}
 */
function marksOf(steps, places, wide) {
    /** @type {[number, string][]} */
    const marks = [];
    for (const [k, step] of steps.entries())
        if (!marks.length || (places[k] - marks[marks.length - 1][0]) * wide > 64)
            marks.push([places[k], step.toLocaleString("en")]);
    return marks;
}
