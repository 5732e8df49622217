// A number per token as a bar, or two that are compared.

import { h, short, visible } from "../dom.js";
import { groupColour } from "./chart.js";

/** @param {TokenBarsPart} part @param {import("./redraw.js").Tools} tools */
export function tokenBarsPart(part, tools) {
    const most = Math.max(...part.values.flat().map((value) => value ?? 0), 1e-12);
    const rows = part.tokens.map((token, i) => {
        const numbers = part.values[i].map((value) => (value === null ? "–" : short(value)));
        const told = numbers.map((number, bar) => `${part.names[bar]} ${number}`);
        const bars = part.values[i].map((value, bar) => {
            const drawn = h("div", {});
            drawn.style.width = `${(100 * Math.max(value ?? 0, 0)) / most}%`;
            drawn.style.background = groupColour(bar);
            return h("div", { class: "length" }, drawn);
        });
        return h(
            "li",
            {
                class: part.rest && i === part.tokens.length - 1 ? "rest" : "",
                "aria-label": `${token}: ${told.join(", ")}`,
                onpointermove: (/** @type {PointerEvent} */ event) =>
                    tools.tip.show(event.clientX, event.clientY, [token, ...told]),
                onpointerleave: () => tools.tip.hide(),
            },
            h("span", { class: part.stressed.includes(i) ? "name strong" : "name", dir: "auto" }, visible(token)),
            h("span", { class: "bars" }, ...bars),
            h("span", { class: "number value" }, ...numbers.map((number) => h("span", {}, number))),
        );
    });
    const keys = part.names.flatMap((name, bar) => {
        const key = h("span", { class: "key" });
        key.style.background = groupColour(bar);
        return [key, name];
    });
    const legend = part.names.length > 1 ? [`${part.label}: `, ...keys] : [part.label];
    return h(
        "section",
        { class: "part token-bars" },
        h("h2", { dir: "auto" }, part.heading),
        h("p", { class: "legend" }, ...legend),
        h("ol", {}, ...rows),
    );
}
