// The spread of a number of some heads: a range, a box and a median for each.

import { h, short } from "../dom.js";
import { chooseHead } from "./redraw.js";

const NAMES = ["5 %", "25 %", "median", "75 %", "95 %"];

/** @param {RangesPart} part @param {import("./redraw.js").Tools} tools */
export function rangesPart(part, tools) {
    const at = (/** @type {number | null} */ value) =>
        `${100 * Math.min(Math.max(((value ?? 0) - part.low) / (part.high - part.low || 1), 0), 1)}%`;
    const rows = part.names.map((name, i) => {
        const [q05, q25, median, q75, q95] = part.values[i];
        const known = median !== null;
        const mean = part.means[i];
        const told = [
            `mean ${short(mean)}`,
            ...part.values[i].map((value, quantile) => `${NAMES[quantile]} ${short(value)}`),
        ];
        const drawn = known ? [span("range", q05, q95), span("box", q25, q75), span("median", median, median)] : [];
        if (known && mean !== null) drawn.push(span("mean", mean, mean));
        const [layer, head] = name.split(".");
        return h(
            "li",
            {
                "aria-label": `${name}: ${told.join(", ")}`,
                onpointermove: (/** @type {PointerEvent} */ event) =>
                    tools.tip.show(event.clientX, event.clientY, [`head ${name}`, ...told]),
                onpointerleave: () => tools.tip.hide(),
                onclick: () => chooseHead(layer, head),
            },
            h("span", { class: "name number" }, name),
            h("span", { class: "spread" }, ...drawn),
            h("span", { class: "number value" }, short(median)),
        );
    });
    /** @param {string} kind @param {number | null} from @param {number | null} to */
    function span(kind, from, to) {
        const bar = h("div", { class: kind });
        bar.style.insetInlineStart = at(from);
        if (from !== to) bar.style.width = `calc(${at(to)} - ${at(from)})`;
        return bar;
    }
    const scale = h(
        "p",
        { class: "legend scale" },
        h("span", {}, short(part.low)),
        h("span", {}, part.label),
        h("span", {}, short(part.high)),
    );
    return h(
        "section",
        { class: "part ranges" },
        h("h2", { dir: "auto" }, part.heading),
        h("p", { class: "legend" }, "line: 5 to 95 % of the texts, box: 25 to 75 %, bar: median, dot: mean"),
        scale,
        h("ol", {}, ...rows),
    );
}
