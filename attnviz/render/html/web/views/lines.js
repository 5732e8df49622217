// The view "lines".

import { h } from "../dom.js";

/**
 * @param {import("../context.js").Context} context
 * @returns {import("../explorer.js").View}
 */
export function linesView(context) {
    const element = h("div", { class: "view lines" });
    return {
        element,
        async update() {
            const values = await context.maps.values(context.state.map);
            element.textContent = String(values.length);
        },
    };
}
