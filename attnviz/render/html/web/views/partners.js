// The tokens that a choice has the thickest lines to, as a small table with bars.

import { h, replace } from "../dom.js";
import { choiceOf, largestOf, strongest } from "./chosen.js";
import { strength } from "./line_canvas.js";
import { figure } from "./lines_words.js";
import { named } from "./named.js";

const SHOWN = 12;

/** @param {import("../context.js").Context} context */
export function partnersPanel(context) {
    const title = h("h3", {});
    const body = h("tbody", {});
    const element = h("section", { class: "partners-panel" }, title, h("table", { class: "partners" }, body));
    return {
        element,
        /** @param {import("./lines_box.js").LinesBox} box */
        update(box) {
            const choice = choiceOf(context.state, box.source);
            element.hidden = !choice;
            if (!choice) return;
            const weights = box.weights(choice);
            const other = box.other(choice.side);
            const axis = box.axisOf(other.side);
            const best = strongest(largestOf(weights), SHOWN, other.shown);
            const where = context.explorer.compared ? `${box.source.title || box.source.name}: ` : "";
            const what = choice.side === "query" ? "keys" : "queries";
            title.textContent = `${where}${what} with the largest weight`;
            replace(body, ...best.map((index) => {
                const patch = choice.side === "query" ? { key: index } : { token: index };
                const current = context.state[choice.side === "query" ? "key" : "token"] === index;
                const name = h("button", { type: "button", class: "link", "aria-pressed": String(current) });
                name.append(named(axis, index));
                name.onclick = () => context.store.set(patch);
                const heads = weights.length;
                const shares = weights.map((each) => strength(each[index], box.scale));
                const cells = weights.map((each, strand) => h("td", { class: "figure" },
                    figure(each[index], heads), bar(box.strands[strand].plus, shares[strand], heads)));
                return h("tr", {}, h("td", {}, name), ...cells);
            }));
        },
    };
}

/**
 * A bar as long as a weight's share of the scale, beside one number or under each of several.
 * @param {string} colour
 * @param {number} share
 * @param {number} heads
 */
function bar(colour, share, heads) {
    const element = h("span", { class: `weight-bar${heads > 1 ? " under" : ""}` });
    element.style.width = `${((heads > 1 ? 2 : 5) * share).toFixed(2)}rem`;
    element.style.backgroundColor = colour;
    return h("span", { class: "bar-room" }, element);
}
