// The view "text": running text shaded by what a chosen token attends to, or by what attends to it.

import { h, replace, visible } from "../dom.js";
import { choiceOf } from "./chosen.js";
import { headPicker, mapsOf } from "./heads.js";
import { Legend } from "./legend.js";
import { namedAll } from "./named.js";
import { stepsOf } from "./steps.js";
import { TextPanel } from "./text_panel.js";

/**
 * @param {import("../context.js").Context} context
 * @returns {import("../explorer.js").View}
 */
export function textView(context) {
    const picker = headPicker(context, null);
    const direction = directionSwitch(context);
    const steps = stepsOf(context);
    const sentence = h("p", { class: "text-sentence", role: "status" });
    const legend = new Legend();
    const stage = h("div", { class: "text-stage" });
    const main = h("div", { class: "text-main" }, direction.element, steps.element, sentence, stage);
    const element = h("div", { class: "view text" },
        main, h("aside", { class: "lines-side" }, picker.element, legend.element));
    /** @type {TextPanel[]} */
    let panels = [];
    let built = "";
    let turn = 0;

    async function update() {
        const mine = ++turn;
        const { explorer, stores, source, state, table, scale } = context;
        const maps = mapsOf(state, source);
        const wanted = maps.flatMap((map) => context.abreast.map((at) => placeIn(explorer, at, map)));
        const values = await Promise.all(wanted.map(({ at, map }) => stores[at].values(map)));
        if (mine !== turn) return;
        const name = wanted.map(({ at }) => at).join();
        if (name !== built) {
            panels = wanted.map(({ at }) => new TextPanel(context, at));
            replace(stage, ...panels.map((panel) => panel.element));
            built = name;
        }
        element.classList.toggle("compared", explorer.compared);
        element.classList.toggle("pictured", source.image !== null);
        picker.update();
        direction.update();
        steps.update();
        legend.fill({ label: source.label, scale, table, hidden: false, above: 0, remarks: [] });
        sentence.replaceChildren(inWords(context));
        await Promise.all(panels.map((panel, at) => panel.show(wanted[at].map, values[at], wanted.length > 1)));
    }
    return { element, update };
}

/**
 * A map in a source, which may have fewer.
 * @param {Explorer} explorer
 * @param {number} at
 * @param {number} map
 */
function placeIn({ sources }, at, map) {
    return { at, map: Math.min(map, sources[at].places.length - 1) };
}

/** What the shades show, as a sentence. @param {import("../context.js").Context} context */
function inWords({ state, source }) {
    const choice = choiceOf(state, source);
    if (!choice) {
        const what = source.label === "attention weight" ? "attention" : source.label;
        return `No token chosen. Shade: the mean ${what} that each token gets. Choose a token to see its own.`;
    }
    const { side, indices } = choice;
    const axis = side === "query" ? source.queries : source.keys;
    const names = h("b", {}, ...namedAll(axis, indices));
    if (side === "key") return h("span", {}, "Shade: what attends to ", names);
    if (source.generated !== null && indices.length === 1) {
        const written = h("b", {}, h("bdi", {}, visible(axis.text[indices[0]])));
        return h("span", {}, "Shade: where the head looked for the model to write ", written);
    }
    if (indices.length > 1) return h("span", {}, `Shade: the mean of ${indices.length} queries: `, names);
    return h("span", {}, "Shade: what ", names, " attends to");
}

/** What a token attends to, or what attends to it. @param {import("../context.js").Context} context */
function directionSwitch(context) {
    const from = h("button", { type: "button", onclick: () => turn("from") }, "what it attends to");
    const to = h("button", { type: "button", onclick: () => turn("to") }, "what attends to it");
    const element = h("div", { class: "quarters", role: "group", "aria-label": "Shade by" }, from, to);
    /** @param {State["direction"]} direction */
    function turn(direction) {
        const { state, source, store } = context;
        if (direction === state.direction) return;
        const choice = choiceOf(state, source);
        const index = choice && source.ordered ? choice.indices[choice.indices.length - 1] : null;
        if (direction === "to") store.set({ direction, key: index ?? state.key, token: null, together: [] });
        else store.set({ direction, token: index ?? state.token, key: null });
    }
    return {
        element,
        update() {
            from.setAttribute("aria-pressed", String(context.state.direction === "from"));
            to.setAttribute("aria-pressed", String(context.state.direction === "to"));
        },
    };
}
