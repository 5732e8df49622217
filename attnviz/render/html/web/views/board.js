// The board: every head as a small picture, by layer and head, or in the order of a statistic.

import { mapName } from "../axis.js";
import { scaleOf } from "../colour.js";
import { h, replace, short } from "../dom.js";
import { nameOf } from "../state.js";
import { BETWEEN, blocksOf, columnsOf, moveBy, orderOf, thumbSize } from "./board_order.js";
import { Legend } from "./legend.js";
import { Thumbs } from "./thumbs.js";

const SLICE = 10; // milliseconds of painting before the browser may draw
const IN_A_ROW = 12; // heads that one layer alone has in a row; more flow over several

/**
 * One source's pictures on the page.
 * @typedef {{
 *     index: number, source: Source, order: number[], columns: number, flow: boolean, label: string,
 *     element: HTMLElement, grid: HTMLElement, rows: HTMLElement[], cells: Map<number, HTMLElement>,
 * }} Side rows: of a grid, which stand in one block or in several side by side
 */

/**
 * @param {import("../context.js").Context} context
 * @returns {import("../explorer.js").View}
 */
export function boardView(context) {
    const { store } = context;
    const sort = h("select", { onchange: () => store.set({ sort: sort.value }) });
    const legend = new Legend();
    const about = h("p", { class: "about" });
    const bar = h("div", { class: "view-bar" },
        h("label", { class: "field" }, h("span", {}, "Sorted by"), sort), about, legend.element);
    const sides = h("div", { class: "sides" });
    const element = h("div", { class: "view board" }, bar, sides);
    /** @type {Side[]} */
    let shown = [];
    let built = "";
    let painted = "";
    let turn = 0;

    let width = 0;
    /** @type {Thumbs[]} */
    let thumbs = [];
    new ResizeObserver(() => {
        if (sides.clientWidth === width) return;
        width = sides.clientWidth;
        fitAll(shown, thumbs, sides);
    }).observe(sides);

    async function update() {
        await null; // a page's first view is made before the page is put together
        const { state, abreast, explorer, source } = context;
        const sources = abreast.map((index) => explorer.sources[index]);
        const structure = JSON.stringify([abreast, state.sort, source.statistics.map(({ name }) => name)]);
        if (structure !== built) {
            built = structure;
            painted = "";
            fillSort(sort, source, state.sort);
            shown = abreast.map((index) => sideOf(context, index, abreast.length > 1));
            replace(sides, ...shown.map((side) => side.element));
        }
        about.textContent = aboutSort(source, state);
        const scale = commonScale(state, sources);
        thumbs = shown.map(({ index }) => new Thumbs(context, index, scale));
        fitAll(shown, thumbs, sides);
        markChosen(shown, state.map);
        const looks = JSON.stringify([scale, state.cmap, state.rests, context.colours.dark]);
        if (looks === painted) return;
        painted = looks;
        legend.fill({
            label: source.label, scale, table: thumbs[0].table, hidden: source.maps.mask !== "all", above: 0,
            remarks: [],
        });
        turn += 1;
        const mine = turn;
        for (const [at, side] of shown.entries()) await paintAll(side, thumbs[at], () => mine === turn);
    }
    return { element, update };
}

/**
 * The scale that several sources share: the largest end of theirs, unless the state names one.
 * @param {State} state
 * @param {Source[]} sources
 */
export function commonScale(state, sources) {
    const scales = sources.map((source) => scaleOf(state, source));
    return { ...scales[0], high: Math.max(...scales.map(({ high }) => high)) };
}

/**
 * @param {HTMLSelectElement} sort
 * @param {Source} source
 * @param {string} chosen
 */
function fillSort(sort, source, chosen) {
    const options = [["depth", "depth"], ...source.statistics.map(({ name, label }) => [name, label])];
    replace(sort, ...options.map(([value, text]) => h("option", { value }, text)));
    sort.value = chosen;
}

/** The meaning of the number that orders the board. @param {Source} source @param {State} state */
function aboutSort(source, { sort, rests }) {
    const statistic = source.statistics.find(({ name }) => name === sort);
    if (!statistic) return "";
    return rests ? statistic.meaning : `${statistic.meaning}; all tokens count, also those that are out`;
}

/**
 * Build the cells of one source.
 * @param {import("../context.js").Context} context
 * @param {number} index
 * @param {boolean} titled
 * @returns {Side}
 */
function sideOf(context, index, titled) {
    const source = context.explorer.sources[index];
    const statistic = source.statistics.find(({ name }) => name === context.state.sort);
    const row = source.layers.length === 1 && (source.layers[0] === "" || source.heads.length > IN_A_ROW);
    const column = source.heads.length === 1 && source.layers.length > 1;
    const flow = Boolean(statistic) || row || column;
    /** @type {Map<number, HTMLElement>} */
    const cells = new Map();
    const order = orderOf(source, statistic);
    const made = order.map((map) => {
        const cell = cellOf(source, map, statistic, flow);
        cells.set(map, cell);
        return cell;
    });
    const label = `${source.title}: ${source.places.length} heads`;
    const grid = flow
        ? h("div", { class: "flow", role: "listbox", "aria-label": label }, ...made)
        : h("div", { class: "blocks" });
    grid.setAttribute("data-own-keys", "");
    const element = h("div", { class: "side" },
        titled ? h("h3", { dir: "auto" }, source.title) : null, h("div", { class: "scroll" }, grid));
    const columns = flow ? 0 : source.heads.length;
    const rows = flow ? [] : rowsOf(source, made);
    const side = { index, source, order, columns, flow, label, element, grid, rows, cells };
    listen(side, context);
    return side;
}

/**
 * Rows of cells, each with the name of its layer.
 * @param {Source} source
 * @param {HTMLElement[]} cells
 */
function rowsOf({ layers, heads: { length } }, cells) {
    return layers.map((name, row) => {
        const inRow = cells.slice(row * length, (row + 1) * length);
        return h("div", { role: "row" }, h("span", { role: "rowheader" }, name), ...inRow);
    });
}

/**
 * Put the rows of a grid into some blocks side by side, each under the names of the heads.
 * @param {Side} side
 * @param {number} blocks
 */
function fillBlocks({ source, grid, rows, label }, blocks) {
    if (grid.children.length === blocks) return;
    const [layer, head] = source.axes;
    const each = Math.ceil(rows.length / blocks);
    replace(grid, ...Array.from({ length: blocks }, (_, block) => {
        const within = rows.slice(block * each, (block + 1) * each);
        const names = source.layers.slice(block * each, (block + 1) * each);
        const part = blocks > 1 ? `, layers ${names[0]} to ${names[names.length - 1]}` : "";
        const top = h("div", { role: "row" },
            h("span", { role: "columnheader", class: "corner" }, `${layer} ↓ ${head} →`),
            ...source.heads.map((name) => h("span", { role: "columnheader" }, name)));
        return h("div", { class: "grid", role: "grid", "aria-label": label + part }, top, ...within);
    }));
}

/**
 * @param {Source} source
 * @param {number} map
 * @param {Statistic | undefined} statistic
 * @param {boolean} flow
 */
function cellOf(source, map, statistic, flow) {
    const value = statistic ? short(statistic.values[map]) || "none" : "";
    const caption = flow ? h("span", { class: "caption" }, nameOf(source, map), statistic ? ` · ${value}` : "") : null;
    const cell = h("div", { class: "thumb", role: flow ? "option" : "gridcell", tabIndex: -1 }, h("canvas"), caption);
    cell.dataset.map = String(map);
    cell.setAttribute("aria-label", mapName(source, map) + (statistic ? `, ${statistic.label} ${value}` : ""));
    return cell;
}

/** @param {Side} side @param {import("../context.js").Context} context */
function listen(side, context) {
    const { store, tip, voice } = context;
    const { grid, source } = side;
    /** @param {Event} event */
    const mapAt = (event) => {
        const cell = /** @type {Element} */ (event.target).closest(".thumb");
        return cell instanceof HTMLElement ? Number(cell.dataset.map) : null;
    };
    grid.addEventListener("click", (event) => {
        const map = mapAt(event);
        if (map === null) return;
        tip.hide();
        store.set({ map, heads: [], view: "map" });
    });
    grid.addEventListener("pointermove", (event) => {
        const map = mapAt(event);
        if (map === null || event.pointerType === "touch") tip.hide();
        else tip.show(event.clientX, event.clientY, tipLines(source, map));
    });
    grid.addEventListener("pointerleave", () => tip.hide());
    grid.addEventListener("keydown", (event) => {
        const map = mapAt(event);
        if (map === null || event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === "Enter" || event.key === " ") {
            event.preventDefault();
            store.set({ map, heads: [], view: "map" });
            return;
        }
        const columns = side.columns || columnsOf(side.grid);
        const next = moveBy(event.key, side.order.indexOf(map), side.order.length, columns);
        if (next === null) return;
        event.preventDefault();
        const cell = /** @type {HTMLElement} */ (side.cells.get(side.order[next]));
        store.set({ map: side.order[next], heads: [] });
        cell.focus();
        voice.say(cell.getAttribute("aria-label") ?? "");
    });
}

/** @param {Source} source @param {number} map */
function tipLines(source, map) {
    const rows = source.statistics.filter(({ values }) => values[map] !== null);
    const table = h("table", {}, h("tbody", {},
        h("tr", {}, h("th", {}, "largest"), h("td", {}, short(source.maps.peak[map]))),
        ...rows.map(({ label, values }) => h("tr", {}, h("th", {}, label), h("td", {}, short(values[map])))),
    ));
    return [h("strong", {}, mapName(source, map)), table];
}

/** @param {Side[]} sides @param {number} map */
function markChosen(sides, map) {
    for (const { cells } of sides) {
        for (const [each, cell] of cells) {
            const chosen = each === map;
            if (cell.getAttribute("aria-selected") === String(chosen)) continue;
            cell.setAttribute("aria-selected", String(chosen));
            cell.tabIndex = chosen ? 0 : -1;
        }
    }
}

/**
 * Size all pictures for the width that there is.
 * @param {Side[]} sides
 * @param {Thumbs[]} thumbs
 * @param {HTMLElement} element that holds the sides
 */
function fitAll(sides, thumbs, element) {
    const width = element.clientWidth / (element.clientWidth < 700 ? 1 : sides.length);
    for (const [at, side] of sides.entries()) {
        const { source: { layers, heads }, columns, grid } = side;
        const blocks = blocksOf(width, innerHeight, columns, layers.length);
        if (columns) fillBlocks(side, blocks);
        const names = grid.querySelector(".corner")?.getBoundingClientRect().width ?? 0;
        const room = (width - BETWEEN * (blocks - 1)) / blocks - names - 8;
        const size = thumbSize(room, innerHeight, columns, Math.ceil(layers.length / blocks), thumbs[at].size);
        grid.style.setProperty("--wide", `${size.wide}px`);
        grid.style.setProperty("--high", `${size.high}px`);
        grid.style.setProperty("--columns", String(heads.length));
        grid.classList.toggle("smooth", size.smooth);
    }
}

/**
 * Paint the pictures of one side, in slices of a few milliseconds.
 * @param {Side} side
 * @param {Thumbs} thumbs
 * @param {() => boolean} wanted
 */
async function paintAll(side, thumbs, wanted) {
    await thumbs.open();
    let began = performance.now();
    for (const map of side.order) {
        const picture = thumbs.picture(map);
        const image = picture instanceof ImageData ? picture : await picture;
        if (!wanted()) return;
        const canvas = /** @type {HTMLCanvasElement} */ (side.cells.get(map)?.firstChild);
        if (canvas.width !== image.width) canvas.width = image.width;
        if (canvas.height !== image.height) canvas.height = image.height;
        canvas.getContext("2d")?.putImageData(image, 0, 0);
        if (performance.now() - began > SLICE) {
            await new Promise((done) => setTimeout(done));
            began = performance.now();
        }
    }
}
