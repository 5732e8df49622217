// All heads of one or several sources: the bar of choices, and one of the views below it.

import { mapName } from "./axis.js";
import { Context } from "./context.js";
import { h, replace, short } from "./dom.js";
import { SCALES, START, Store, fromAddress, toAddress } from "./state.js";
import { boardView } from "./views/board.js";
import { linesView } from "./views/lines.js";
import { mapView } from "./views/map.js";
import { neuronView } from "./views/neuron.js";
import { tableView } from "./views/table.js";
import { textView } from "./views/text.js";

/**
 * A view: an element, and what it does when the reader's place has changed. `update` is called only while it is shown.
 * @typedef {{ element: HTMLElement, update: (changed: Set<string>) => void | Promise<void> }} View
 */

/**
 * A view by its name and its tab; `has`: whether an explorer has anything for it to show.
 * @typedef {{ name: ViewName, label: string, make: (context: Context) => View, has: (of: Explorer) => boolean }} Entry
 */

/** @type {Entry[]} */
const VIEWS = [
    { name: "board", label: "Board", make: boardView, has: () => true },
    { name: "map", label: "Map", make: mapView, has: () => true },
    { name: "lines", label: "Lines", make: linesView, has: () => true },
    { name: "text", label: "Text", make: textView, has: () => true },
    { name: "neuron", label: "Neuron", make: neuronView, has: ({ sources }) => sources.some(({ vectors }) => vectors) },
    { name: "table", label: "Table", make: tableView, has: () => true },
];

const HELP = [
    ["← →", "previous, next head"],
    ["↑ ↓", "previous, next layer"],
    ["[ ]", "previous, next token"],
    ["Esc", "no token, the whole map"],
    ["+ − 0", "in the map: closer, farther, the whole"],
    ["Enter", "in the board and the map: open or choose what the cursor is on"],
    ["s", "special tokens and other resting places in or out"],
    ["t", "light or dark"],
    ["?", "this list"],
];

/**
 * @param {Explorer} explorer
 * @param {import("./data.js").Blocks} blocks
 * @param {import("./colour.js").Colours} colours
 * @param {import("./tip.js").Tip} tip
 * @param {import("./tip.js").Voice} voice
 * @param {(theme: State["theme"]) => boolean} setTheme sets the page's theme; says whether it is dark now
 * @returns {HTMLElement}
 */
export function explorerPart(explorer, blocks, colours, tip, voice, setTheme) {
    const view = explorer.sources.every(({ places }) => places.length === 1) ? "map" : START.view;
    const first = { ...START, view, ...explorer.start };
    const place = fromAddress(location.hash, explorer, /** @type {State} */ (first));
    const store = new Store(place, (state) => remember(state, explorer));
    const context = new Context(explorer, blocks, colours, store, tip, voice);
    const views = VIEWS.filter(({ has }) => has(explorer));
    if (!views.some(({ name }) => name === place.view)) store.set({ view: views[0].name });
    /** @type {Map<ViewName, View>} */
    const made = new Map();
    const stage = h("div", { class: "stage", id: "stage", role: "tabpanel", tabIndex: -1 });
    const element = h("section", { class: "explorer", "aria-label": "All heads" });
    const bar = barOf(context, views);
    element.append(bar.element, stage);

    /** @param {Set<string>} changed */
    async function show(changed) {
        const { view } = store.state;
        const entry = views.find(({ name }) => name === view) ?? views[0];
        let shown = made.get(entry.name);
        if (!shown) {
            shown = entry.make(context);
            made.set(entry.name, shown);
        }
        if (stage.firstChild !== shown.element) replace(stage, shown.element);
        stage.setAttribute("aria-labelledby", `tab-${entry.name}`);
        element.dataset.view = entry.name;
        bar.update();
        element.dataset.ready = "";
        await shown.update(changed);
        element.dataset.ready = "yes"; // for tests and for printing: what is shown is drawn
    }

    store.subscribe((state, changed) => {
        tip.hide(); // it says what was under the pointer before
        if (changed.has("theme")) colours.dark = setTheme(state.theme);
        if (changed.has("source") && !changed.has("map")) {
            const map = Math.min(state.map, context.source.places.length - 1);
            store.set({ map, token: null, key: null, together: [], heads: [], window: null });
        }
        show(changed);
    });
    addEventListener("hashchange", () => store.set(fromAddress(location.hash, explorer, store.state)));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
        colours.dark = setTheme(store.state.theme);
        show(new Set(["theme"]));
    });
    addEventListener("resize", () => show(new Set(["size"])));
    document.addEventListener("keydown", (event) => onKey(event, context, views));
    colours.dark = setTheme(store.state.theme);
    show(new Set(Object.keys(store.state)));
    return element;
}

/** The last address that was set here; a change to it is no news. @param {State} state @param {Explorer} explorer */
function remember(state, explorer) {
    const address = toAddress(state, explorer);
    try {
        history.replaceState(null, "", `#${address}`);
    } catch {
        // a page in a frame of a notebook has no address of its own
    }
}

/**
 * The bar: views, then what is looked at, then how it looks.
 * @param {Context} context
 * @param {typeof VIEWS} views
 */
function barOf(context, views) {
    const { store, explorer } = context;
    const tabs = views.map(({ name, label }) =>
        h("button", {
            type: "button", role: "tab", id: `tab-${name}`, class: "tab", "aria-controls": "stage",
            onclick: () => store.set({ view: name }),
        }, label),
    );
    const sources = select("stream", "Stream", (value) => store.set({ source: Number(value) }));
    fillSelect(sources.select, explorer.sources.map(({ title }, index) => [String(index), title]));
    const layer = select("layer", "Layer", (value) => goTo(context, Number(value), null));
    const head = select("head", "Head", (value) => goTo(context, null, Number(value)));
    const looks = looksOf(context);
    const theme = h("button", { type: "button", class: "plain", title: "light or dark (t)" }, "◐");
    theme.onclick = () => turnTheme(context);
    theme.setAttribute("aria-label", "light or dark");
    const help = helpDialog(views);
    const ask = h("button", { type: "button", class: "plain", title: "keys (?)" }, "?");
    ask.onclick = () => help.showModal();
    ask.setAttribute("aria-label", "list of keys");
    const step = (/** @type {number} */ by) => () => stepHead(context, by);
    const element = h("div", { class: "bar" },
        h("div", { class: "tabs", role: "tablist", "aria-label": "Views" }, ...tabs),
        h("div", { class: "group" },
            explorer.sources.length > 1 && !explorer.compared ? sources.label : null, layer.label, head.label,
            h("button", { type: "button", class: "plain", "aria-label": "previous head", onclick: step(-1) }, "‹"),
            h("button", { type: "button", class: "plain", "aria-label": "next head", onclick: step(1) }, "›"),
        ),
        looks.element,
        h("div", { class: "group end" }, theme, ask, help),
    );

    function update() {
        const { state, source } = context;
        for (const [index, { name }] of views.entries()) {
            tabs[index].setAttribute("aria-selected", String(state.view === name));
            tabs[index].tabIndex = state.view === name ? 0 : -1;
        }
        sources.select.value = String(state.source);
        const columns = source.heads.length;
        fillSelect(layer.select, source.layers.map((name, index) => [String(index), name || "all"]));
        fillSelect(head.select, source.heads.map((name, index) => [String(index), name]));
        layer.select.value = String(Math.floor(state.map / columns));
        head.select.value = String(state.map % columns);
        looks.update();
    }
    return { element, update };
}

/**
 * How it looks: what is left out, the scale and its end, the colours. Folded where the window is narrow.
 * @param {Context} context
 */
function looksOf(context) {
    const { store, colours } = context;
    const rests = h("input", { type: "checkbox", id: "rests", onchange: () => store.set({ rests: rests.checked }) });
    const scale = select("scale", "Scale", (value) => store.set({ scale: /** @type {State["scale"]} */ (value) }));
    fillSelect(scale.select, SCALES.map((name) => [name, name]));
    const limit = h("input", {
        type: "range", id: "limit", min: "0", max: "1000", step: "1",
        oninput: () => store.set({ high: fromSlider(Number(limit.value), context) }),
    });
    const limitText = h("output", { class: "number" });
    const cmap = select("cmap", "Colours", (value) => store.set({ cmap: value }));
    fillSelect(cmap.select, colours.names().map((name) => [name, name]));
    const narrow = matchMedia("(max-width: 40rem)");
    const element = h("details", { class: "looks", open: !narrow.matches },
        h("summary", {}, "Look"),
        h("div", { class: "group" },
            h("label", { class: "check", title: "special tokens and keys where attention rests" },
                rests, "special tokens"),
            scale.label, h("label", { class: "field" }, h("span", {}, "up to"), limit, limitText), cmap.label,
        ),
    );
    narrow.addEventListener("change", () => {
        element.open = !narrow.matches;
    });

    function update() {
        const { state, source } = context;
        rests.checked = state.rests;
        scale.select.value = state.scale;
        const high = context.scale.high;
        limit.value = String(toSlider(high, context));
        limit.disabled = context.scale.kind === "row";
        limitText.textContent = limit.disabled ? "row" : short(high);
        cmap.select.value = state.cmap;
        rests.disabled = !source.keys.rests.length;
    }
    return { element, update };
}

/** The slider is logarithmic: the left end is a thousandth of the largest value. @param {Context} context */
function largest({ source }) {
    return Math.max(...source.maps.peak, source.scale.high, 1e-9);
}

/** @param {number} at 0 to 1000 @param {Context} context */
function fromSlider(at, context) {
    return Number((largest(context) * 10 ** ((at - 1000) / 333)).toPrecision(3));
}

/** @param {number} high @param {Context} context */
function toSlider(high, context) {
    return Math.round(1000 + 333 * Math.log10(high / largest(context)));
}

/**
 * @param {string} id
 * @param {string} text
 * @param {(value: string) => void} choose
 */
function select(id, text, choose) {
    const element = h("select", { id: `choose-${id}`, onchange: () => choose(element.value) });
    return { select: element, label: h("label", { class: "field" }, h("span", {}, text), element) };
}

/** @param {HTMLSelectElement} element @param {[string, string][]} options value, text */
function fillSelect(element, options) {
    const now = [...element.options].map(({ value, text }) => `${value} ${text}`).join("\n");
    if (now === options.map(([value, text]) => `${value} ${text}`).join("\n")) return;
    replace(element, ...options.map(([value, text]) => h("option", { value }, text)));
}

/**
 * Go to a row and a column of the board; null keeps what is.
 * @param {Context} context
 * @param {number | null} row
 * @param {number | null} column
 */
function goTo({ source, state, store, voice }, row, column) {
    const columns = source.heads.length;
    const map = (row ?? Math.floor(state.map / columns)) * columns + (column ?? state.map % columns);
    if (map < 0 || map >= source.places.length) return;
    store.set({ map, heads: [] });
    voice.say(mapName(source, map));
}

/** @param {Context} context @param {number} by */
function stepHead(context, by) {
    const { source, state, store, voice } = context;
    const map = (state.map + by + source.places.length) % source.places.length;
    store.set({ map, heads: [] });
    voice.say(mapName(source, map));
}

/** @param {Context} context */
function turnTheme({ store, colours }) {
    store.set({ theme: colours.dark ? "light" : "dark" });
}

/** @param {typeof VIEWS} views */
function helpDialog(views) {
    const listed = views.map(({ name }) => `${VIEWS.findIndex((view) => view.name === name) + 1} ${name}`);
    const keys = [[listed.join(", "), "views"], ...HELP];
    const rows = keys.map(([key, text]) => h("tr", {}, h("th", { scope: "row" }, key), h("td", {}, text)));
    const dialog = h("dialog", { class: "help", "aria-label": "Keys" },
        h("table", {}, h("tbody", {}, ...rows)),
        h("form", { method: "dialog" }, h("button", { type: "submit" }, "Close")));
    return dialog;
}

/**
 * @param {KeyboardEvent} event
 * @param {Context} context
 * @param {typeof VIEWS} views
 */
function onKey(event, context, views) {
    const { store, source, state } = context;
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target.closest("select, input, textarea, dialog")) return;
    const row = Math.floor(state.map / source.heads.length);
    const own = target.closest("[data-own-keys]"); // a view that moves a cursor by arrows
    /** @type {Record<string, () => void>} */
    const keys = {
        "?": () => document.querySelector("dialog")?.showModal(),
        s: () => store.set({ rests: !state.rests }),
        t: () => turnTheme(context),
        "[": () => stepToken(context, -1),
        "]": () => stepToken(context, 1),
        Escape: () => store.set({ token: null, key: null, together: [], window: null }),
    };
    if (!own) {
        keys.ArrowLeft = () => stepHead(context, -1);
        keys.ArrowRight = () => stepHead(context, 1);
        keys.ArrowUp = () => goTo(context, row - 1, null);
        keys.ArrowDown = () => goTo(context, row + 1, null);
    }
    for (const [index, { name }] of VIEWS.entries()) {
        if (views.some((view) => view.name === name)) keys[String(index + 1)] = () => store.set({ view: name });
    }
    if (!(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
    if (target.getAttribute("role") === "tab") document.getElementById(`tab-${store.state.view}`)?.focus();
}

/** @param {Context} context @param {number} by */
function stepToken({ store, state, source, voice }, by) {
    const count = source.queries.text.length;
    const token = state.token === null ? (by > 0 ? 0 : count - 1) : (state.token + by + count) % count;
    store.set({ token, together: [] });
    voice.say(`token ${token}, ${source.queries.text[token]}`);
}
