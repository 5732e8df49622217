// Curves and columns: numbers against the layer, the rank, the length of a text, and histograms.

import { h, short, svg } from "../dom.js";
import { Plane, chart, groupColour, groupDash, legend } from "./chart.js";
import { chooseHead } from "./redraw.js";

/** @param {DepthPart} part @param {import("./redraw.js").Tools} tools */
export function depthPart({ values, layers, label }, tools) {
    const known = /** @type {number[]} */ (values.flat().filter((value) => value !== null));
    const high = Math.max(...known, 0) * 1.05 || 1;
    const low = Math.min(...known, 0);
    const means = values.map((row) => {
        const own = /** @type {number[]} */ (row.filter((value) => value !== null));
        return own.length ? own.reduce((sum, value) => sum + value, 0) / own.length : null;
    });
    const element = chart(
        `${label} against the layer: a point per head, a line through the means`,
        tools,
        (width) => {
            const wide = Math.min(width, 900);
            const every = Math.ceil(layers.length / Math.max(Math.floor(wide / 40), 1));
            const marks = layers
                .map((name, i) => /** @type {[number, string]} */ ([i, name]))
                .filter(([i]) => i % every === 0);
            const plane = new Plane(
                wide,
                260,
                { low: -0.5, high: layers.length - 0.5, label: "layer", marks },
                { low, high, label },
            );
            const line = means
                .flatMap((mean, i) => (mean === null ? [] : [`${plane.x(i)},${plane.y(mean)}`]))
                .join(" ");
            plane.element.append(svg("polyline", { class: "mean", points: line }));
            const points = values.flatMap((row, i) =>
                row.flatMap((value, head) => {
                    if (value === null) return [];
                    const [x, y] = [plane.x(i), plane.y(value)];
                    plane.element.append(
                        svg("circle", {
                            class: "point",
                            cx: x,
                            cy: y,
                            r: 3.5,
                            onclick: () => chooseHead(layers[i], String(head)),
                        }),
                    );
                    return [
                        {
                            x,
                            y,
                            lines: [
                                `layer ${layers[i]} · head ${head}`,
                                `${label} ${short(value)}`,
                                `mean of the layer ${short(means[i])}`,
                            ],
                        },
                    ];
                }),
            );
            return { element: plane.element, points };
        },
    );
    return h("section", { class: "part" }, h("h2", {}, `${label} by layer`), element);
}

/** @param {PlotsPart} part @param {import("./redraw.js").Tools} tools */
export function plotsPart({ plots, curves }, tools) {
    const figures = plots.map(({ heading, curves: lines, remark }) => {
        const element = chart(`${heading}: ${curves.join(" and ")} against the rank`, tools, (width) => {
            const most = Math.max(...lines.map((line) => line.length), 2);
            const plane = new Plane(
                width,
                130,
                { low: 0, high: most - 1, label: "" },
                { low: 0, high: 1, label: "" },
                true,
            );
            const points = lines.flatMap((line, c) => {
                const at = line.map((value, i) => ({
                    x: plane.x(i),
                    y: plane.y(value),
                    lines: [`${curves[c]}, rank ${i + 1}`, short(value)],
                }));
                plane.element.append(
                    svg("polyline", {
                        class: "curve",
                        points: at.map(({ x, y }) => `${x},${y}`).join(" "),
                        stroke: groupColour(c),
                    }),
                );
                return at;
            });
            return { element: plane.element, points };
        });
        return h(
            "figure",
            {},
            h("figcaption", { dir: "auto" }, heading),
            element,
            h("p", { class: "quiet" }, remark),
        );
    });
    const names = curves.map((name, i) => /** @type {[string, string, null]} */ ([name, groupColour(i), null]));
    return h("section", { class: "part" }, legend(names), h("div", { class: "multiples plots" }, ...figures));
}

/** @param {TimingsPart} part @param {import("./redraw.js").Tools} tools */
export function timingsPart({ timings }, tools) {
    const all = timings.flatMap(({ n, seconds }) => n.map((_, i) => [n[i], seconds[i]]));
    const ends = [0, 1].map((axis) => [
        Math.min(...all.map((point) => point[axis])),
        Math.max(...all.map((point) => point[axis])),
    ]);
    const [x, y] = [
        { low: ends[0][0] / 1.15, high: ends[0][1] * 1.15 },
        { low: ends[1][0] / 1.5, high: ends[1][1] * 1.5 },
    ];
    const sizes = [...new Set(all.map(([n]) => n))];
    /** @type {[number, string][]} */
    const decades = [];
    for (let power = Math.ceil(Math.log10(y.low)); 10 ** power <= y.high; power++)
        decades.push([10 ** power, seconds(10 ** power)]);
    const element = chart("Seconds over tokens, both axes logarithmic", tools, (width) => {
        const wide = Math.min(width, 900);
        const every = Math.ceil(sizes.length / Math.max(Math.floor(wide / 70), 1));
        const marks = sizes
            .filter((_, i) => i % every === 0)
            .map((n) => /** @type {[number, string]} */ ([n, n.toLocaleString("en")]));
        const plane = new Plane(
            wide,
            Math.min(Math.max(wide * 0.6, 300), 520),
            { ...x, log: true, label: "tokens", marks },
            { ...y, log: true, label: "time", marks: decades },
        );
        const points = timings.flatMap((each, c) => {
            const at = each.n.map((n, i) => ({
                x: plane.x(n),
                y: plane.y(each.seconds[i]),
                lines: [
                    each.setting,
                    `${n.toLocaleString("en")} tokens: ${seconds(each.seconds[i])}`,
                    `grows as n^${each.exponent.toFixed(2)} · ${each.cost}`,
                ],
            }));
            const line = svg("polyline", {
                class: "curve",
                points: at.map((point) => `${point.x},${point.y}`).join(" "),
                stroke: groupColour(c),
                "stroke-dasharray": groupDash(c),
            });
            plane.element.append(
                line,
                ...at.map((point) => svg("circle", { cx: point.x, cy: point.y, r: 2.5, fill: groupColour(c) })),
            );
            return at.map((point) => ({
                ...point,
                on: (/** @type {boolean} */ looked) => line.setAttribute("stroke-width", looked ? "4" : "1.8"),
            }));
        });
        return { element: plane.element, points };
    });
    const names = timings.map(
        ({ name, exponent }, i) =>
            /** @type {[string, string, string | null]} */ ([
                `${name}  n^${exponent.toFixed(2)}`,
                groupColour(i),
                groupDash(i),
            ]),
    );
    return h("section", { class: "part" }, element, legend(names));
}

/** @param {number} value */
function seconds(value) {
    if (value >= 1) return `${short(value)} s`;
    return value >= 0.001
        ? `${Number((value * 1000).toPrecision(3))} ms`
        : `${Number((value * 1e6).toPrecision(3))} µs`;
}

/** @param {HistogramPart} part @param {import("./redraw.js").Tools} tools */
export function histogramPart({ label, bars }, tools) {
    const most = Math.max(...bars.map(({ count }) => count), 1);
    const element = chart(`Histogram of ${label}`, tools, (width) => {
        const wide = Math.min(width, 900);
        const plane = new Plane(
            wide,
            240,
            { low: bars[0]?.from ?? 0, high: bars[bars.length - 1]?.to ?? 1, label: "value" },
            { low: 0, high: most, label: "count" },
        );
        const points = bars.map(({ from, to, count }) => {
            const [left, right, y] = [plane.x(from), plane.x(to), plane.y(count)];
            plane.element.append(
                svg("rect", {
                    class: "more",
                    x: left,
                    y,
                    width: Math.max(right - left - 1, 1),
                    height: Math.max(plane.box.bottom - y, 0),
                }),
            );
            return {
                x: (left + right) / 2,
                y,
                lines: [`${short(from)} to ${short(to)}`, `${count.toLocaleString("en")} ${label}`],
            };
        });
        return { element: plane.element, points };
    });
    return h("section", { class: "part" }, h("h2", {}, "Histogram"), element);
}
