// A picture under the shades of its patches. Numbers only, nothing of the page.

const PALEST = 170; // the black of a picture under ink
const COVER = 0.65; // share of a cell's colour on a map that begins neither at white nor at the dark page

/**
 * The patch [row, column] at a point of a picture, both 0 to 1.
 * @param {{ rows: number, columns: number }} image
 * @param {number} x
 * @param {number} y
 * @returns {[number, number]}
 */
export function patchAt({ rows, columns }, x, y) {
    const at = (/** @type {number} */ share, /** @type {number} */ count) =>
        Math.min(Math.max(Math.floor(share * count), 0), count - 1);
    return [at(y, rows), at(x, columns)];
}

/**
 * Colours over a picture, which shows in soft greys. A map that begins at white is printed over it as ink on paper: a
 * pale grey print is multiplied by the colours. A map that begins at the dark page is screened with a faint print, its
 * counterpart. Any other map lies over greys that keep to the middle.
 * @param {Uint8ClampedArray} pixels 4 numbers a pixel, filled here
 * @param {ArrayLike<number>} picture 3 numbers a pixel
 * @param {number} width
 * @param {number} height
 * @param {{ rows: number, columns: number }} image
 * @param {(patch: number) => number} colour index of a patch's colour in the table
 * @param {Uint8Array} table
 */
export function printed(pixels, picture, width, height, { rows, columns }, colour, table) {
    const first = Math.min(table[0], table[1], table[2]);
    const most = Math.max(table[0], table[1], table[2]);
    const kind = first > 240 ? "multiply" : most < 40 ? "screen" : "cover";
    const entries = Int32Array.from({ length: rows * columns }, (_, patch) => 3 * colour(patch));
    for (let y = 0, at = 0; y < height; y++) {
        const line = Math.floor((y * rows) / height) * columns;
        for (let x = 0; x < width; x++, at++) {
            const entry = entries[line + Math.floor((x * columns) / width)];
            const [red, green, blue] = [picture[3 * at], picture[3 * at + 1], picture[3 * at + 2]];
            const grey = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
            for (let part = 0; part < 3; part++) {
                pixels[4 * at + part] = Math.round(mixed(kind, table[entry + part], grey));
            }
            pixels[4 * at + 3] = 255;
        }
    }
}

/** @param {"multiply" | "screen" | "cover"} kind @param {number} cell @param {number} grey */
function mixed(kind, cell, grey) {
    if (kind === "multiply") return (cell * (PALEST + ((255 - PALEST) * grey) / 255)) / 255;
    if (kind === "screen") return 255 - ((255 - cell) * (255 - ((255 - PALEST) * grey) / 255)) / 255;
    return COVER * cell + (1 - COVER) * (60 + 0.55 * grey);
}
