// The view "lines": the text twice, with lines of weight from queries to keys.

import { h, replace } from "../dom.js";
import { Slots, headPicker, mapsOf } from "./heads.js";
import { LinesBox, refresh, strandName } from "./lines_box.js";
import { linksPanel } from "./link_list.js";
import { QUARTERS } from "./links.js";
import { partnersPanel } from "./partners.js";

// Changes after which what is chosen is brought into sight.
const MOVES = ["token", "key", "together", "direction", "view"];

/**
 * @param {import("../context.js").Context} context
 * @returns {import("../explorer.js").View}
 */
export function linesView(context) {
    const slots = new Slots();
    const picker = headPicker(context, slots);
    const quarters = quarterChoice((quarter) => {
        for (const box of boxes) box.quarter = quarter;
        update(new Set(["quarter"]));
    });
    const panel = linksPanel(context);
    const partners = partnersPanel(context);
    const stage = h("div", { class: "lines-stage" });
    const side = h("aside", { class: "lines-side" }, picker.element, quarters.element, partners.element, panel.element);
    const element = h("div", { class: "view lines" }, stage, side);
    /** @type {LinesBox[]} */
    let boxes = [];
    let turn = 0;

    /** @param {LinesBox} from @param {import("./chosen.js").Choice | null} over */
    function linked(from, over) {
        for (const box of boxes) if (box !== from) box.follow(over && sameTokens(from, box, over) ? over : null);
    }

    /** @param {Set<string>} changed */
    async function update(changed) {
        const mine = ++turn;
        const abreast = context.abreast;
        if (boxes.map(({ at }) => at).join() !== abreast.join()) {
            boxes = abreast.map((at) => new LinesBox(context, at, linked));
            replace(stage, ...boxes.map((box) => box.element));
        }
        const maps = mapsOf(context.state, context.source);
        const values = await Promise.all(boxes.map(({ at, source }) =>
            Promise.all(maps.map((map) => context.stores[at].values(Math.min(map, source.places.length - 1))))));
        if (mine !== turn) return;
        picker.update();
        quarters.update(context.source);
        panel.update();
        element.classList.toggle("compared", boxes.length > 1);
        const curves = slots.give(maps);
        const look = lookOf(context, element, maps, curves);
        for (const [at, box] of boxes.entries()) {
            box.show(maps, values[at], look.strands, look.rest);
            refresh(box);
            if (at === 0) partners.update(box);
            if (MOVES.some((name) => changed.has(name))) box.reveal();
        }
    }
    return { element, update };
}

/**
 * Colours of the heads' lines in the theme that is on.
 * @param {import("../context.js").Context} context
 * @param {HTMLElement} element
 * @param {number[]} maps
 * @param {number[]} curves
 */
function lookOf(context, element, maps, curves) {
    const styles = getComputedStyle(element);
    const { colours, source } = context;
    const colour = (/** @type {string} */ name) => styles.getPropertyValue(name).trim();
    const ends = source.signed ? [0.92, 0.08] : [0.86, 0.86];
    const [plus, minus] = ends.map((end) => colours.css("ink", end, source.signed));
    const strands = maps.map((map, at) => {
        const own = maps.length > 1 ? colour(`--curve${curves[at]}`) : "";
        return { plus: own || plus, minus: own || minus, name: strandName(source, map), curve: curves[at] };
    });
    return { strands, rest: colour("--rest-line") };
}

/**
 * Whether tokens of one source are the same in another.
 * @param {LinesBox} one
 * @param {LinesBox} two
 * @param {import("./chosen.js").Choice} choice
 */
function sameTokens(one, two, { side, indices }) {
    return indices.every((index) => one.axisOf(side).text[index] === two.axisOf(side).text[index]);
}

/** Which quarter of a pair of texts has lines. @param {(quarter: import("./links.js").Quarter) => void} choose */
function quarterChoice(choose) {
    const buttons = QUARTERS.map((quarter) => {
        const button = h("button", { type: "button", onclick: () => set(quarter) }, quarter);
        button.setAttribute("aria-pressed", String(quarter === "all"));
        return button;
    });
    const label = "From which text to which";
    const element = h("div", { class: "quarters", role: "group", "aria-label": label }, ...buttons);
    /** @param {import("./links.js").Quarter} quarter */
    function set(quarter) {
        for (const [at, each] of buttons.entries()) each.setAttribute("aria-pressed", String(QUARTERS[at] === quarter));
        choose(quarter);
    }
    return {
        element,
        /** @param {Source} source */
        update(source) {
            element.hidden = !(source.queries.segments.length && source.keys.segments.length);
        },
    };
}
