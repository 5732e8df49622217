// A text twice with lines of weight between its tokens, and a running text shaded by weight.

import { unit } from "../colour.js";
import { h, replace, short, svg, visible } from "../dom.js";
import { colourBar } from "./matrix.js";
import { groupColour, legend } from "./chart.js";
import { redrawn } from "./redraw.js";

const ROW = 21; // CSS pixels of a token

/** @param {LinesPart} part @param {import("./redraw.js").Tools} tools */
export function linesPart(part, tools) {
    const panels = part.panels.map((panel) => panelFigure(part, panel, tools));
    const strands = part.panels[0]?.strands ?? [];
    const names = strands.map((name, i) => /** @type {[string, string, null]} */ ([name, groupColour(i), null]));
    const about = h(
        "p",
        { class: "quiet" },
        `a line as thick as its ${part.label}, at most ${short(part.high)}; grey: to tokens where heads rest`,
    );
    return h(
        "section",
        { class: "part" },
        strands.length > 1 ? legend(names) : null,
        h("div", { class: panels.length > 1 ? "multiples lines-panels" : "lines-one" }, ...panels),
        about,
    );
}

/** @param {LinesPart} part @param {LinesPart["panels"][number]} panel @param {import("./redraw.js").Tools} tools */
function panelFigure(part, panel, tools) {
    const box = h("div", { class: "lines-box" });
    /** @type {string} */
    let held = "";
    redrawn(box, (width) => {
        const wide = Math.min(width, 640);
        const high = ROW * Math.max(part.rows.length, part.cols.length) + 4;
        const left = Math.min(longest(part.rows), wide * 0.36);
        const right = wide - Math.min(longest(part.cols), wide * 0.36);
        const y = (/** @type {number} */ i) => (i + 0.5) * ROW + 2;
        const drawn = panel.links.map((link) => {
            const rests = part.rests.includes(link.col);
            const middle = (left + right) / 2;
            const [from, to] = [y(link.row), y(link.col)];
            const path = svg("path", {
                class: rests ? "strand rests" : "strand",
                d: `M${left + 4},${from}C${middle},${from} ${middle},${to} ${right - 4},${to}`,
                "stroke-width": 0.6 + 5.4 * Math.min(link.value / part.high, 1),
                stroke: rests ? null : panel.strands.length > 1 ? groupColour(link.strand) : null,
            });
            path.addEventListener("pointerenter", (event) =>
                tools.tip.show(event.clientX, event.clientY, told(part, panel, link)),
            );
            path.addEventListener("pointerleave", () => tools.tip.hide());
            return { path, link };
        });
        /** @param {string} which `row 3`, `col 3` or nothing */
        const look = (which) => {
            const [side, at] = which.split(" ");
            for (const { path, link } of drawn)
                path.classList.toggle(
                    "faded",
                    Boolean(which) && link[/** @type {"row" | "col"} */ (side)] !== Number(at),
                );
        };
        const words = [
            ["row", part.rows, left, "end"],
            ["col", part.cols, right, "start"],
        ].flatMap(([side, tokens, x, anchor]) =>
            /** @type {string[]} */ (tokens).map((token, i) => {
                const which = `${side} ${i}`;
                const word = svg(
                    "text",
                    {
                        class: "word",
                        x,
                        y: y(i) + 5,
                        "text-anchor": anchor,
                        tabindex: 0,
                        role: "button",
                        "aria-label": spoken(part, panel, String(side), i),
                    },
                    fitted(token, wide * 0.36),
                );
                word.addEventListener("pointerenter", () => look(which));
                word.addEventListener("pointerleave", () => look(held));
                word.addEventListener("focus", () => look(which));
                word.addEventListener("blur", () => look(held));
                const hold = () => look((held = held === which ? "" : which));
                word.addEventListener("click", hold);
                word.addEventListener("keydown", (event) => {
                    if (event.key === "Enter") hold();
                });
                return word;
            }),
        );
        replace(
            box,
            svg(
                "svg",
                {
                    width: wide,
                    height: high,
                    role: "group",
                    "aria-label": `${panel.title}: queries at the left, keys at the right`,
                },
                ...drawn.map(({ path }) => path),
                ...words,
            ),
        );
        look(held);
    });
    return h("figure", {}, h("figcaption", { dir: "auto" }, panel.title), box);
}

/**
 * @param {LinesPart} part
 * @param {LinesPart["panels"][number]} panel
 * @param {LinesPart["panels"][number]["links"][number]} link
 */
function told(part, panel, link) {
    const strand = panel.strands.length > 1 ? [panel.strands[link.strand]] : [];
    return [
        `${visible(part.rows[link.row])} → ${visible(part.cols[link.col])}`,
        ...strand,
        `${part.label} ${short(link.value)}`,
    ];
}

/**
 * A token with its lines in words.
 * @param {LinesPart} part
 * @param {LinesPart["panels"][number]} panel
 * @param {string} side
 * @param {number} i
 */
function spoken(part, panel, side, i) {
    const token = (side === "row" ? part.rows : part.cols)[i];
    const own = panel.links
        .filter((link) => link[/** @type {"row" | "col"} */ (side)] === i)
        .sort((a, b) => b.value - a.value)
        .slice(0, 5);
    const ends = own.map(
        (link) =>
            `${(side === "row" ? part.cols : part.rows)[side === "row" ? link.col : link.row]} ${short(link.value)}`,
    );
    return `${side === "row" ? "query" : "key"} ${token}: ${ends.join(", ") || "no lines"}`;
}

/** @param {string[]} tokens */
function longest(tokens) {
    return 8 + 7.6 * Math.max(...tokens.map((token) => [...visible(token)].length), 1);
}

/** @param {string} token @param {number} room */
function fitted(token, room) {
    const letters = [...visible(token)];
    const most = Math.max(Math.floor((room - 8) / 7.6), 3);
    return letters.length <= most ? letters.join("") : `${letters.slice(0, most - 1).join("")}…`;
}

/** @param {RunningTextPart} part @param {import("./redraw.js").Tools} tools */
export function runningTextPart(part, tools) {
    const { words, spaced, high, label, chosen } = part;
    const passages = new Map(part.passages);
    const paragraphs = part.paragraphs.map(({ title, values }) => {
        const text = h("p", { class: passages.size ? "running passages" : "running", dir: "auto" });
        const element = h("div", {}, title ? h("h2", { dir: "auto" }, title) : null, text);
        redrawn(element, () => {
            const pieces = words.flatMap((word, i) => {
                const share = unit(values[i] ?? 0, { kind: "linear", high, signed: false });
                const tell = [
                    visible(word),
                    i === chosen ? "the chosen token" : "",
                    `${label} ${short(values[i])}`,
                ].filter(Boolean);
                const piece = h(
                    "span",
                    {
                        class: i === chosen ? "shaded chosen" : "shaded",
                        tabIndex: 0,
                        "aria-label": tell.join(", "),
                        onpointerenter: (/** @type {PointerEvent} */ event) =>
                            tools.tip.show(event.clientX, event.clientY, tell),
                        onpointerleave: () => tools.tip.hide(),
                    },
                    visible(word),
                );
                piece.style.background = tools.colours.css("ink", share);
                piece.style.color = tools.colours.on("ink", share);
                const passage = passages.get(i);
                if (passage !== undefined) return [i ? h("br") : "", h("span", { class: "passage" }, passage), piece];
                return spaced[i] ? [" ", piece] : [piece];
            });
            replace(text, ...pieces);
        });
        return element;
    });
    return h("section", { class: "part" }, ...paragraphs, colourBar(label, 0, high, false, tools));
}
