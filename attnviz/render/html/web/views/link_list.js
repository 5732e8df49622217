// The strongest links of pooled attention, exact, as a list.

import { h, replace, short, visible } from "../dom.js";

const SHOWN = 60;

/** @param {import("../context.js").Context} context */
export function linksPanel(context) {
    const list = h("ol", { class: "exact-links" });
    const title = h("h3", {}, "Strongest links, exact");
    const element = h("section", { class: "exact" }, title, list);
    return {
        element,
        update() {
            const { source, state, store } = context;
            const links = source.links?.[state.map] ?? [];
            element.hidden = !links.length;
            const { tokens, cell } = source;
            replace(list, ...links.slice(0, SHOWN).map(([query, key, weight]) => {
                const [from, to] = [Math.floor(query / cell), Math.floor(key / cell)];
                const current = state.token === from && state.key === to;
                return h("li", {}, h("button", {
                    type: "button", "aria-current": current ? "true" : null,
                    onclick: () => store.set({ token: from, key: to, together: [], direction: "from" }),
                },
                h("span", { class: "pair" },
                    h("bdi", {}, visible(tokens?.queries[query] ?? "")), h("span", { class: "index" }, query), "→",
                    h("bdi", {}, visible(tokens?.keys[key] ?? "")), h("span", { class: "index" }, key)),
                h("span", { class: "figure" }, short(weight))));
            }));
        },
    };
}
