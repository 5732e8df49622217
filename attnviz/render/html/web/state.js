// Where the reader is, and the address that remembers it.

/** @type {State} */
export const START = {
    view: "board",
    source: 0,
    map: 0,
    token: null,
    key: null,
    together: [],
    heads: [],
    direction: "from",
    scale: "auto",
    high: null,
    rests: true,
    sort: "depth",
    cmap: "ink",
    theme: "auto",
    window: null,
};

export const VIEWS = /** @type {const} */ (["board", "map", "lines", "text", "neuron", "table"]);
export const SCALES = /** @type {const} */ (["auto", "linear", "sqrt", "log", "row"]);

/** A state, and who wants to know of its changes. */
export class Store {
    /**
     * @param {State} state
     * @param {(state: State) => void} [remember]
     */
    constructor(state, remember = () => {}) {
        this.state = state;
        this.remember = remember;
        /** @type {((state: State, changed: Set<string>) => void)[]} */
        this.listeners = [];
    }

    /** @param {Partial<State>} patch */
    set(patch) {
        const before = this.state;
        const changed = new Set(
            Object.keys(patch).filter((name) => {
                const key = /** @type {keyof State} */ (name);
                return JSON.stringify(before[key]) !== JSON.stringify(patch[key]);
            }),
        );
        if (!changed.size) return;
        this.state = { ...before, ...patch };
        this.remember(this.state);
        for (const listener of this.listeners) listener(this.state, changed);
    }

    /** @param {(state: State, changed: Set<string>) => void} listener */
    subscribe(listener) {
        this.listeners.push(listener);
    }
}

/**
 * The address of a state: what differs from the start, in words. `stream` names the source, `layer` and `head` the map.
 * @param {State} state
 * @param {Explorer} explorer
 * @returns {string} without the leading #
 */
export function toAddress(state, explorer) {
    const source = explorer.sources[state.source];
    const [layer, head] = source.places[state.map];
    const start = { ...START, ...explorer.start };
    /** @type {[string, string | number | null | undefined][]} */
    const named = [
        ["view", state.view === start.view ? null : state.view],
        ["stream", state.source ? source.name : null],
        ["layer", layer ?? "mean"],
        ["head", head ?? "mean"],
        ["token", state.token],
        ["key", state.key],
        ["together", state.together.join(",")],
        ["heads", state.heads.map((map) => nameOf(source, map)).join(",")],
        ["direction", state.direction === start.direction ? null : state.direction],
        ["scale", state.scale === start.scale ? null : state.scale],
        ["high", state.high],
        ["rests", state.rests ? null : "out"],
        ["sort", state.sort === start.sort ? null : state.sort],
        ["cmap", state.cmap === start.cmap ? null : state.cmap],
        ["theme", state.theme === start.theme ? null : state.theme],
        ["window", state.window && state.window.join(",")],
    ];
    const parts = named.filter(([, value]) => value !== null && value !== undefined && value !== "");
    const written = (/** @type {unknown} */ value) => encodeURIComponent(String(value)).replaceAll("%2C", ",");
    return parts.map(([name, value]) => `${name}=${written(value)}`).join("&");
}

/**
 * The state that an address names; what it does not name, or names wrongly, is as `state` has it.
 * @param {string} address with or without the leading #
 * @param {Explorer} explorer
 * @param {State} [state]
 * @returns {State}
 */
export function fromAddress(address, explorer, state = START) {
    const given = new URLSearchParams(address.replace(/^#/, ""));
    const next = { ...state };
    const found = explorer.sources.findIndex((source) => source.name === given.get("stream"));
    if (found >= 0) next.source = found;
    const source = explorer.sources[next.source];
    const map = mapNamed(source, given.get("layer"), given.get("head"));
    next.map = map ?? Math.min(next.map, source.places.length - 1);
    next.view = oneOf(given.get("view"), VIEWS, next.view);
    next.token = index(given.get("token"), source.queries.text.length, next.token);
    next.key = index(given.get("key"), source.keys.text.length, next.key);
    const together = list(given.get("together")).map((text) => index(text, source.queries.text.length, null));
    if (together.length > 1) next.together = together.filter((at) => at !== null);
    const heads = list(given.get("heads")).map((name) => mapNamed(source, ...halves(name)));
    if (heads.length) next.heads = /** @type {number[]} */ (heads.filter((at) => at !== null));
    next.direction = oneOf(given.get("direction"), /** @type {const} */ (["from", "to"]), next.direction);
    next.scale = oneOf(given.get("scale"), SCALES, next.scale);
    const high = Number(given.get("high"));
    if (high > 0 && Number.isFinite(high)) next.high = high;
    if (given.has("rests")) next.rests = given.get("rests") !== "out";
    const sorts = ["depth", ...source.statistics.map(({ name }) => name)];
    next.sort = oneOf(given.get("sort"), sorts, next.sort);
    next.cmap = given.get("cmap") ?? next.cmap;
    next.theme = oneOf(given.get("theme"), /** @type {const} */ (["auto", "light", "dark"]), next.theme);
    const window = list(given.get("window")).map(Number);
    if (window.length === 4 && window.every((at) => Number.isInteger(at) && at >= 0)) {
        const [row, column, rows, columns] = window;
        const fits = row + rows <= source.queries.text.length && column + columns <= source.keys.text.length;
        if (rows > 0 && columns > 0 && fits) next.window = [row, column, rows, columns];
    }
    return next;
}

/**
 * `3.1` for head 1 of layer 3.
 * @param {Source} source
 * @param {number} map
 */
export function nameOf(source, map) {
    const [layer, head] = source.places[map];
    return `${layer ?? "mean"}.${head ?? "mean"}`;
}

/** @param {string} name @returns {[string, string]} */
function halves(name) {
    const [layer = "", head = ""] = name.split(".");
    return [layer, head];
}

/**
 * @param {Source} source
 * @param {string | null} layer
 * @param {string | null} head
 */
function mapNamed(source, layer, head) {
    if (layer === null && head === null) return null;
    const is = (/** @type {number | null} */ at, /** @type {string | null} */ name) =>
        name === null || String(at ?? "mean") === name;
    const found = source.places.findIndex((place) => is(place[0], layer) && is(place[1], head));
    return found < 0 ? null : found;
}

/** @param {string | null} text */
function list(text) {
    return text ? text.split(",") : [];
}

/**
 * @template Choice
 * @param {string | null} text
 * @param {readonly Choice[]} choices
 * @param {Choice} otherwise
 */
function oneOf(text, choices, otherwise) {
    return choices.find((choice) => choice === text) ?? otherwise;
}

/**
 * @param {string | null} text
 * @param {number} count
 * @param {number | null} otherwise
 */
function index(text, count, otherwise) {
    if (text === null || !/^\d+$/.test(text)) return otherwise;
    return Number(text) < count ? Number(text) : otherwise;
}
