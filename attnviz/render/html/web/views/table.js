// The view "table".

import { h } from "../dom.js";

/**
 * @param {import("../context.js").Context} context
 * @returns {import("../explorer.js").View}
 */
export function tableView(context) {
    const element = h("div", { class: "view table" });
    return {
        element,
        async update() {
            const values = await context.maps.values(context.state.map);
            element.textContent = String(values.length);
        },
    };
}
