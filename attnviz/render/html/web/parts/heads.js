// Numbers per head: boards, ranked lists, boards of words.

import { unit } from "../colour.js";
import { h, replace, short, visible } from "../dom.js";
import { Matrix, colourBar } from "./matrix.js";
import { Shared, chooseHead, redrawn } from "./redraw.js";

/** @param {BoardsPart} part @param {import("./redraw.js").Tools} tools */
export function boardsPart(part, tools) {
    const shared = new Shared();
    const boards = part.boards.map((board) => boardFigure(board, part, shared, tools));
    const alike = part.boards.every(
        ({ label, low, high }) =>
            [label, low, high].join() === [part.boards[0].label, part.boards[0].low, part.boards[0].high].join(),
    );
    const first = part.boards[0];
    const bar = alike ? [colourBar(first.label, first.low, first.high, first.signed, tools)] : [];
    return h(
        "section",
        { class: "part boards" },
        h("div", { class: boards.length > 1 ? "several" : "one" }, ...boards),
        ...bar,
    );
}

/**
 * @param {BoardPart} board
 * @param {BoardsPart} part
 * @param {Shared} shared
 * @param {import("./redraw.js").Tools} tools
 */
function boardFigure(board, part, shared, tools) {
    const { layers, heads, axes } = part;
    const values = board.values.flat();
    const name = board.heading || board.label;
    const tell = (/** @type {number} */ row, /** @type {number} */ col) => {
        const value = board.values[row][col];
        const at = [axes[0] ? `${axes[0]} ${layers[row]}` : "", `${axes[1]} ${heads[col]}`]
            .filter(Boolean)
            .join(" · ");
        return [at, value === null ? "no number" : `${board.label} ${short(value)}`];
    };
    const matrix = new Matrix(
        {
            rows: layers,
            cols: heads,
            shape: [layers.length, heads.length],
            values,
            signed: board.signed,
            low: board.low,
            high: board.high,
            tell,
            texts: board.texts,
            numbers: true,
            marks: board.marks,
            shared,
            largest: board.texts ? 84 : part.boards.length > 1 ? 30 : 46,
            tall: part.boards.length > 1 ? undefined : 28,
            label: `${name}: ${layers.length} ${axes[0] || "row"}s by ${heads.length} ${axes[1]}s; arrow keys move`,
            pick: (row, col) => chooseHead(layers[row], heads[col]),
        },
        tools,
    );
    const caption = h("figcaption", { dir: "auto" }, name);
    return h(
        "figure",
        {},
        caption,
        h("p", { class: "axes" }, part.axes[0] ? `${axes[0]} ↓  ${axes[1]} →` : `${axes[1]} →`),
        matrix.element,
    );
}

/** @param {BarsPart} part @param {import("./redraw.js").Tools} tools */
export function barsPart(part, tools) {
    const [of, pales, darks] = part.columns;
    const most = Math.max(...part.entries.map(({ weight, lift }) => Math.max(weight, lift)), 1e-9);
    const rows = part.entries.map(({ text, head, weight, lift }) => {
        const [pale, dark] = [h("div", { class: "weight" }), h("div", { class: "lift" })];
        pale.style.width = `${(100 * Math.max(weight, 0)) / most}%`;
        dark.style.width = `${(100 * Math.max(lift, 0)) / most}%`;
        const numbers = [
            `${of === "layer.head" ? "head" : of} ${head}`,
            `${pales} ${short(weight)}`,
            `${darks} ${short(lift)}`,
        ].filter((words) => words.trim());
        return h(
            "li",
            {
                "aria-label": `${text}: ${numbers.join(", ")}`,
                onpointermove: (/** @type {PointerEvent} */ event) =>
                    tools.tip.show(event.clientX, event.clientY, [text, ...numbers]),
                onpointerleave: () => tools.tip.hide(),
            },
            h("span", { class: "name", dir: "auto" }, visible(text)),
            h("span", { class: "head number" }, head),
            h("span", { class: "bars" }, pale, dark),
            h("span", { class: "number value" }, weight.toFixed(2)),
            h("span", { class: "number value dark" }, lift.toFixed(2)),
        );
    });
    const apart = part.entries.every(({ weight, lift }) => Math.min(weight, lift) <= 0);
    const legend = h(
        "p",
        { class: "legend" },
        h("span", { class: "key weight" }),
        pales,
        h("span", { class: "key lift" }),
        darks,
    );
    return h(
        "section",
        { class: "part bars-part" },
        h("h2", { dir: "auto" }, part.heading),
        legend,
        h("ol", { class: apart ? "apart" : "" }, ...rows),
    );
}

/** @param {WordBoardPart} part @param {import("./redraw.js").Tools} tools */
export function wordBoardPart(part, tools) {
    const { rows, cols, axes, words, values } = part;
    const high = Math.max(...values.flat().map((value) => Math.abs(value ?? 0)), 1e-9);
    const table = h("table", { class: "words" });
    const element = h(
        "section",
        { class: "part" },
        h("h2", { dir: "auto" }, part.heading),
        h("div", { class: "table-box", tabIndex: 0, role: "region", "aria-label": part.heading }, table),
    );
    redrawn(element, () => {
        const head = h(
            "tr",
            {},
            h("th", {}, [axes[0], axes[1]].filter(Boolean).join(" / ")),
            ...cols.map((name) => h("th", { scope: "col" }, name)),
        );
        const body = rows.map((name, i) =>
            h(
                "tr",
                {},
                h("th", { scope: "row" }, name),
                ...words[i].map((word, j) => {
                    const value = values[i][j] ?? 0;
                    const share = unit(Math.abs(value), { kind: "linear", high, signed: false });
                    const cell = h("td", { dir: "auto", title: short(value) }, visible(word));
                    cell.style.background = tools.colours.css("ink", share);
                    cell.style.color = tools.colours.on("ink", share);
                    return cell;
                }),
            ),
        );
        replace(table, h("thead", {}, head), h("tbody", {}, ...body));
    });
    return element;
}
