// The order of a board's heads, steps from one to the next, and the size of its pictures.

/** Least and most pixels a side of a picture, and what a board lower than the window may grow to. */
const LEAST = 40, MOST = 240, AIM = 132;
const NAMES = 64; // pixels of the names of layers
export const BETWEEN = 28; // pixels between two blocks of layers

/**
 * Maps in the order in which a board shows them: as stored, or by a statistic, highest first and unknown last.
 * @param {Source} source
 * @param {Statistic | undefined} statistic
 */
export function orderOf(source, statistic) {
    const order = source.places.map((_, map) => map);
    if (!statistic) return order;
    const value = (/** @type {number} */ map) => statistic.values[map] ?? -Infinity;
    return order.sort((a, b) => (value(b) === value(a) ? a - b : value(b) > value(a) ? 1 : -1));
}

/**
 * Where a key moves a cursor to; null where it moves none.
 * @param {string} key
 * @param {number} at
 * @param {number} count
 * @param {number} columns
 */
export function moveBy(key, at, count, columns) {
    const row = at - (at % columns);
    /** @type {Record<string, number>} */
    const steps = {
        ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns,
        Home: row, End: Math.min(row + columns, count) - 1,
    };
    if (!(key in steps)) return null;
    return steps[key] >= 0 && steps[key] < count ? steps[key] : at;
}

/** The number of cells in the first row of a grid that flows. @param {Element} grid */
export function columnsOf(grid) {
    const cells = /** @type {HTMLElement[]} */ ([...grid.children]);
    const next = cells.findIndex((cell) => cell.offsetTop > cells[0].offsetTop);
    return next < 0 ? Math.max(cells.length, 1) : next;
}

/**
 * The number of blocks side by side into which layers go: more than one where they are far more than the window shows.
 * @param {number} width
 * @param {number} height of the window
 * @param {number} columns 0 where pictures flow
 * @param {number} layers
 */
export function blocksOf(width, height, columns, layers) {
    const most = columns ? Math.floor((width + BETWEEN) / (NAMES + BETWEEN + columns * (0.85 * AIM + 6))) : 1;
    const needed = Math.ceil((layers * (0.85 * AIM + 6)) / Math.max(height - 230, 300));
    return Math.max(1, Math.min(most, needed, layers));
}

/**
 * The size of a picture in CSS pixels: its cells are whole pixels of the screen where they fit.
 * @param {number} width for the pictures and the gaps between them
 * @param {number} height of the window
 * @param {number} columns 0 where pictures flow
 * @param {number} layers
 * @param {[number, number]} cells rows and columns of a picture
 */
export function thumbSize(width, height, columns, layers, [rows, cols]) {
    const byWidth = columns ? width / columns - 6 : width < 500 ? 84 : 116;
    const byHeight = (height - 230) / layers - 6;
    const side = Math.max(LEAST, Math.min(byWidth, Math.max(byHeight, AIM), MOST));
    const ratio = Math.min(Math.max(rows / cols, 0.25), 4);
    const wide = ratio > 1 ? side / ratio : side;
    const across = fitted(wide, cols, !columns), down = fitted(wide * ratio, rows, !columns);
    return { wide: across.size, high: down.size, smooth: across.smooth || down.smooth };
}

/**
 * A length that has whole pixels of the screen for each cell: near `size`, not above it but where pictures flow.
 * @param {number} size
 * @param {number} cells
 * @param {boolean} flow
 */
function fitted(size, cells, flow) {
    const each = (size * devicePixelRatio) / cells;
    const least = Math.floor(each), next = least + 1;
    const pixels = least > 0.84 * each ? least : flow && next < 1.25 * each ? next : each;
    return { size: (pixels * cells) / devicePixelRatio, smooth: pixels < 3 && pixels !== Math.round(pixels) };
}
