// Small multiples of maps on one scale, distances with their dendrogram, and the matrices of a walk.

import { h, short, visible } from "../dom.js";
import { Matrix, colourBar } from "./matrix.js";
import { Shared } from "./redraw.js";

const FEW = 16; // tokens whose names fit beside a small map

/**
 * A map under a caption; a click makes it as wide as the page, and small again.
 * @param {(string | Node)[]} caption
 * @param {{ values: Numbers, hidden: Numbers | null }} map
 * @param {{ rows: string[], cols: string[], signed: boolean, high: number, label: string, name: string }} look
 * @param {Shared} shared
 * @param {import("./redraw.js").Tools} tools
 */
function mapFigure(caption, map, { rows, cols, signed, high, label, name }, shared, tools) {
    const box = h("div", { class: "map-box" });
    const enlarge = h("button", {
        type: "button",
        class: "enlarge",
        "aria-pressed": "false",
        "aria-label": `Enlarge ${name}`,
        onclick: () => turn(),
    });
    enlarge.textContent = "⤢";
    const figure = h("figure", {}, h("figcaption", {}, h("div", { dir: "auto" }, ...caption), enlarge), box);
    const turn = () => {
        const large = figure.classList.toggle("large");
        enlarge.setAttribute("aria-pressed", String(large));
        if (large) figure.scrollIntoView({ block: "nearest" });
    };
    load(map, tools).then(({ values, hidden }) => {
        const tell = (/** @type {number} */ row, /** @type {number} */ col) => {
            const at = row * cols.length + col;
            const value = hidden?.[at] ? "not allowed" : `${label} ${short(values[at])}`;
            return [`${visible(rows[row])} (${row}) → ${visible(cols[col])} (${col})`, value];
        };
        const shape = /** @type {[number, number]} */ ([rows.length, cols.length]);
        const matrix = new Matrix(
            {
                rows: rows.map(visible),
                cols: cols.map(visible),
                shape,
                values,
                hidden,
                signed,
                high,
                tell,
                label: `${name}: ${rows.length} queries by ${cols.length} keys`,
                numbers: rows.length <= 8,
                named: rows.length <= FEW ? 220 : 330,
                largest: 40,
                shared,
                pick: turn,
            },
            tools,
        );
        box.append(matrix.element);
    });
    return figure;
}

/** @param {{ values: Numbers, hidden?: Numbers | null }} map @param {import("./redraw.js").Tools} tools */
async function load({ values, hidden }, { blocks }) {
    const numbers = /** @type {Float32Array} */ (await blocks.numbers(values));
    return { values: numbers, hidden: hidden ? /** @type {Uint8Array} */ (await blocks.numbers(hidden)) : null };
}

/** @param {SignedMapsPart} part @param {import("./redraw.js").Tools} tools */
export function signedMapsPart({ maps, rows, cols, label, legend, high }, tools) {
    const shared = new Shared();
    const figures = maps.map((map) =>
        mapFigure(
            [h("strong", {}, map.name), ` ${map.remark}`],
            map,
            { rows, cols, signed: true, high, label, name: map.name },
            shared,
            tools,
        ),
    );
    const remarks = legend.length ? h("p", { class: "quiet" }, legend.join(" · ")) : null;
    return h(
        "section",
        { class: "part" },
        h("div", { class: "multiples" }, ...figures),
        colourBar(label, -high, high, true, tools),
        remarks,
    );
}

/** @param {MapTablePart} part @param {import("./redraw.js").Tools} tools */
export function mapTablePart(part, tools) {
    const { rows, by, label, columns, queries, keys, signed, high, maps, hidden } = part;
    const shared = new Shared();
    const lines = rows.map((row, i) => {
        const figures = columns.map((column, j) => {
            const name = `${column}, ${by} ${row}`;
            return mapFigure(
                [column],
                { values: maps[i][j], hidden },
                { rows: queries, cols: keys, signed: signed[j], high: signed[j] ? 1 : high, label, name },
                shared,
                tools,
            );
        });
        const line = h("div", { class: "multiples columns" }, ...figures);
        line.style.setProperty("--columns", String(columns.length));
        return h("div", {}, h("h3", {}, `${by} ${row}`), line);
    });
    return h("section", { class: "part" }, ...lines, colourBar(label, 0, high, false, tools));
}

/** @param {CardsPart} part @param {import("./redraw.js").Tools} tools */
export function cardsPart({ grouped, leftOut, queries, keys, cards }, tools) {
    const shared = new Shared();
    /** @type {Map<string, HTMLElement[]>} */
    const groups = new Map();
    for (const card of cards) {
        const about = [
            h("strong", {}, card.name),
            h("code", {}, card.formula),
            h("span", { class: "quiet" }, [card.cost, card.measured, card.detail].filter(Boolean).join(" · ")),
        ];
        const figure = mapFigure(
            about,
            card,
            { rows: queries, cols: keys, signed: card.signed, high: 1, label: "weight", name: card.name },
            shared,
            tools,
        );
        const group = grouped ? card.group : "";
        groups.set(group, [...(groups.get(group) ?? []), figure]);
    }
    const blocks = [...groups].map(([name, figures]) =>
        h("div", {}, name ? h("h2", {}, name) : null, h("div", { class: "multiples cards" }, ...figures)),
    );
    const left = leftOut.length ? h("p", { class: "quiet" }, `left out: ${leftOut.join(", ")}`) : null;
    return h("section", { class: "part" }, ...blocks, colourBar("weight", 0, 1, false, tools), left);
}

/** @param {DistancesPart} part @param {import("./redraw.js").Tools} tools */
export function distancesPart({ values, names, order, joins, unit }, tools) {
    const box = h("div");
    const tree = dendrogram(order, joins);
    load({ values }, tools).then(({ values: numbers }) => {
        const count = names.length;
        const sorted = Float32Array.from(
            { length: count * count },
            (_, at) => numbers[order[Math.floor(at / count)] * count + order[at % count]],
        );
        const high = sorted.reduce((most, value) => Math.max(most, value), 1e-9);
        const called = order.map((at) => names[at]);
        const tell = (/** @type {number} */ row, /** @type {number} */ col) => [
            `${unit} ${called[row]} and ${called[col]}`,
            `distance ${short(sorted[row * count + col])}`,
        ];
        const matrix = new Matrix(
            {
                rows: called,
                cols: [],
                shape: [count, count],
                values: sorted,
                signed: false,
                high,
                tell,
                label: `Distances between ${count} ${unit}s, in the order of their dendrogram`,
                largest: Math.max(Math.min(28, 640 / count), 3),
                above: { high: 70, draw: (pen, x, y) => tree(pen, x, y, 66) },
            },
            tools,
        );
        box.append(matrix.element, colourBar("distance", 0, high, false, tools));
    });
    return h("section", { class: "part" }, box);
}

/**
 * A function that draws the dendrogram above columns.
 * @param {number[]} order
 * @param {[number, number, number][]} joins
 */
function dendrogram(order, joins) {
    const most = Math.max(...joins.map(([, , height]) => height), 1e-9);
    /**
     * @param {CanvasRenderingContext2D} pen
     * @param {(col: number) => number} x
     * @param {number} foot
     * @param {number} high
     */
    return (pen, x, foot, high) => {
        /** @type {{ x: number, y: number }[]} */
        const tops = [];
        order.forEach((thing, col) => (tops[thing] = { x: x(col), y: foot - 2 }));
        pen.lineWidth = 1;
        pen.beginPath();
        for (const [first, second, height] of joins) {
            const [a, b] = [tops[first], tops[second]];
            const y = foot - 2 - (height / most) * high;
            pen.moveTo(a.x, a.y);
            pen.lineTo(a.x, y);
            pen.lineTo(b.x, y);
            pen.lineTo(b.x, b.y);
            tops.push({ x: (a.x + b.x) / 2, y });
        }
        pen.stroke();
    };
}

/** @param {MatrixPart} part @param {import("./redraw.js").Tools} tools */
export function matrixPart(part, tools) {
    const { name, shape, rows, cols, signed, high, chosen, remark } = part;
    const box = h("div");
    const size = /** @type {[number, number]} */ (part.values.shape);
    load(part, tools).then(({ values, hidden }) => {
        const tell = (/** @type {number} */ row, /** @type {number} */ col) => {
            const at = row * size[1] + col;
            const value = values[at];
            const place = [
                rows[row] && visible(rows[row]),
                cols[col] ? visible(cols[col]) : `${size[1] > 1 ? "dimension " : ""}${col}`,
            ]
                .filter(Boolean)
                .join(" · ");
            return [place, hidden?.[at] ? "hidden by the mask" : Number.isNaN(value) ? "no number" : short(value)];
        };
        const names = rows.length + cols.length > 0;
        const square = names ? cols.length > 0 && rows.length > 1 && size[0] > size[1] / 4 : size[0] > 8;
        const matrix = new Matrix(
            {
                rows: rows.map(visible),
                cols: cols.map(visible),
                shape: size,
                values,
                hidden,
                signed,
                high,
                chosen,
                tell,
                label: `${name}, ${shape}`,
                numbers: true,
                largest: names ? 44 : Math.max(Math.min(44, 640 / size[0]), 1),
                tall: square ? undefined : size[0] > 64 ? Math.max(1, 400 / size[0]) : 18,
            },
            tools,
        );
        box.append(matrix.element);
    });
    const caption = h(
        "figcaption",
        {},
        h("strong", {}, name),
        h(
            "span",
            { class: "quiet" },
            ` [${shape}], ${signed ? "−" : "0 to "}${signed ? `${short(high)} to ${short(high)}` : short(high)}`,
        ),
    );
    return h(
        "figure",
        { class: size[1] > 40 ? "part matrix-part broad" : "part matrix-part" },
        caption,
        box,
        remark ? h("p", { class: "quiet" }, remark) : null,
    );
}

/** @param {StepPart} part @param {import("./redraw.js").Tools} tools */
export function stepPart({ label, title, lines, matrices }, tools) {
    const formulas = lines.map(([formula, shapes]) =>
        h("li", {}, h("code", {}, formula), shapes ? h("span", { class: "shapes" }, shapes) : null),
    );
    return h(
        "section",
        {
            class:
                matrices.length < 2 && (matrices[0]?.values.shape[1] ?? 0) <= 16 ? "part step slim" : "part step",
        },
        h("h2", {}, h("span", { class: "step-label" }, label), ` ${title}`),
        h("ul", { class: "formulas" }, ...formulas),
        h("div", { class: "matrices" }, ...matrices.map((matrix) => matrixPart(matrix, tools))),
    );
}
