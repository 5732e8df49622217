// Points in planes, and the product of two vectors number by number.

import { h, short, svg, visible } from "../dom.js";
import { Plane, chart, groupColour, legend } from "./chart.js";
import { redrawn } from "./redraw.js";

/** @param {ScatterPart} part @param {import("./redraw.js").Tools} tools */
export function scatterPart(part, tools) {
    const { points, names, groups, group, axes, stressed, links, link } = part;
    const labels =
        typeof group === "string"
            ? [...new Set(groups)].sort((a, b) => a - b).map((value) => [value, `${group} ${value}`])
            : group.map((name, i) => [i, name]);
    const order = new Map(labels.map(([value], i) => [Number(value), i]));
    const colour = (/** @type {number} */ i) => groupColour(order.get(groups[i]) ?? 0);
    const entries = labels.map(
        ([, name], i) => /** @type {[string, string, null]} */ ([String(name), groupColour(i), null]),
    );
    const label = `${names.length} points in a plane${link ? `, with ${link} as lines` : ""}`;
    const element = chart(label, tools, (width) => {
        const wide = Math.min(width, 720);
        const spread = span(points, wide);
        const plane = new Plane(
            wide,
            spread.height,
            { ...spread.x, label: axes[0] ?? "" },
            { ...spread.y, label: axes[1] ?? "" },
        );
        const at = points.map(([x, y]) => ({ x: plane.x(x), y: plane.y(y) }));
        for (const [first, second, weight] of links) {
            const line = svg("line", {
                class: "link",
                x1: at[first].x,
                y1: at[first].y,
                x2: at[second].x,
                y2: at[second].y,
                "stroke-width": 1 + 5 * weight,
                opacity: 0.12 + 0.7 * Math.min(weight, 1),
            });
            if (weight > 0.002) plane.element.append(line);
        }
        const told = at.map(({ x, y }, i) => {
            const strong = stressed.includes(i);
            plane.element.append(
                svg("circle", {
                    class: strong ? "point strong" : "point",
                    cx: x,
                    cy: y,
                    r: strong ? 5 : 3.5,
                    fill: colour(i),
                }),
            );
            const own = links.filter(([first, second]) => first === i || second === i);
            const more = own.length === 1 ? [`${link}: ${short(own[0][2])}`] : [];
            return { x, y, lines: [visible(names[i]), String(entries[order.get(groups[i]) ?? 0][0]), ...more] };
        });
        plane.element.append(...placed(at, names, stressed, wide));
        return { element: plane.element, points: told };
    });
    return h(
        "section",
        { class: "part" },
        element,
        entries.length > 1 ? legend(entries) : null,
        link ? h("p", { class: "quiet" }, `lines: ${link}`) : null,
    );
}

/** Both axes on one scale. @param {[number, number][]} points @param {number} wide */
function span(points, wide) {
    const ends = [0, 1].map((axis) => {
        const values = points.map((point) => point[axis]);
        const [low, high] = [Math.min(...values), Math.max(...values)];
        const room = (high - low) * 0.06 || 0.5;
        return { low: low - room, high: high + room };
    });
    const [x, y] = ends;
    const scale = (wide - 56) / (x.high - x.low);
    const height = Math.min(Math.max((y.high - y.low) * scale + 48, 220), 560);
    const real = Math.min(scale, (height - 48) / (y.high - y.low));
    const grow = (/** @type {{ low: number, high: number }} */ axis, /** @type {number} */ pixels) => {
        const more = (pixels / real - (axis.high - axis.low)) / 2;
        return { low: axis.low - more, high: axis.high + more };
    };
    return { x: grow(x, wide - 56), y: grow(y, height - 48), height };
}

/**
 * Names beside points, where there is room; stressed ones first.
 * @param {{ x: number, y: number }[]} at
 * @param {string[]} names
 * @param {number[]} stressed
 * @param {number} wide
 */
function placed(at, names, stressed, wide) {
    /** @type {{ x: number, y: number, w: number }[]} */
    const taken = [];
    const made = [];
    const order = [...stressed, ...at.keys()];
    const done = new Set();
    for (const i of order) {
        if (done.has(i)) continue;
        done.add(i);
        const text = visible(names[i]);
        const w = 6.4 * [...text].length;
        const right = at[i].x + 7 + w < wide;
        const place = { x: right ? at[i].x + 7 : at[i].x - 7 - w, y: at[i].y + 4, w };
        const covers = (/** @type {{ x: number, y: number, w: number }} */ other) =>
            Math.abs(other.y - place.y) < 12 && place.x < other.x + other.w && other.x < place.x + w;
        if (!stressed.includes(i) && taken.some(covers)) continue;
        taken.push(place);
        made.push(
            svg("text", { class: stressed.includes(i) ? "name strong" : "name", x: place.x, y: place.y }, text),
        );
    }
    return made;
}

/** @param {DotProductPart} part @param {import("./redraw.js").Tools} tools */
export function dotProductPart({ names, tokens, vectors, steps, summary }, tools) {
    const products = vectors[0].map((value, i) => value * vectors[1][i]);
    const strips = [
        { name: names[0], of: tokens[0], values: vectors[0] },
        { name: names[1], of: tokens[1], values: vectors[1] },
        { name: names.join(" × "), of: "", values: products },
    ];
    let sorted = false;
    const box = h("div", { class: "strips" });
    const draw = (/** @type {number} */ width) => {
        const order = [...products.keys()];
        if (sorted) order.sort((a, b) => Math.abs(products[b]) - Math.abs(products[a]));
        box.replaceChildren(
            ...strips.map(({ name, of, values }, i) =>
                strip(
                    name,
                    of,
                    values,
                    order,
                    width,
                    i === 2 ? 110 : 64,
                    (at) => [
                        `dimension ${at}`,
                        `${names[0]} ${short(vectors[0][at])}`,
                        `${names[1]} ${short(vectors[1][at])}`,
                        `product ${short(products[at])}`,
                    ],
                    tools,
                ),
            ),
        );
    };
    const again = redrawn(box, draw);
    const check = h("input", {
        type: "checkbox",
        onchange: () => {
            sorted = check.checked;
            again();
        },
    });
    const list = h(
        "ol",
        { class: "way" },
        ...steps.map(([operation, value]) =>
            h("li", {}, h("span", {}, operation), h("span", { class: "number" }, value)),
        ),
    );
    return h(
        "section",
        { class: "part" },
        h("h2", { dir: "auto" }, summary || "Dimension by dimension"),
        h("label", { class: "check" }, check, "largest products first"),
        box,
        list,
    );
}

/**
 * Bars of one vector.
 * @param {string} name
 * @param {string} of
 * @param {number[]} values
 * @param {number[]} order
 * @param {number} width
 * @param {number} height
 * @param {(at: number) => string[]} tell
 * @param {import("./redraw.js").Tools} tools
 */
function strip(name, of, values, order, width, height, tell, tools) {
    const high = Math.max(...values.map(Math.abs), 1e-9);
    const heading = h(
        "p",
        { class: "strip-name", dir: "auto" },
        h("strong", {}, name),
        of ? ` of “${visible(of)}”` : "",
        `, ±${short(high)}`,
    );
    const element = chart(`${name}${of ? ` of ${of}` : ""}, ${values.length} numbers`, tools, (wide) => {
        const bars = svg(
            "svg",
            { width: wide, height, "aria-hidden": "true" },
            svg("path", { class: "grid", d: `M0,${height / 2}H${wide}` }),
        );
        const step = wide / values.length;
        const points = order.map((at, i) => {
            const size = (Math.abs(values[at]) / high) * (height / 2 - 1);
            const y = values[at] > 0 ? height / 2 - size : height / 2;
            bars.append(
                svg("rect", {
                    class: values[at] > 0 ? "more" : "less",
                    x: i * step,
                    y,
                    width: Math.max(step - (step > 4 ? 1 : 0), 0.5),
                    height: size,
                }),
            );
            return { x: (i + 0.5) * step, y: values[at] > 0 ? y : y + size, lines: tell(at) };
        });
        return { element: bars, points };
    });
    return h("div", {}, heading, element);
}
