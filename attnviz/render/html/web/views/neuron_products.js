// Queries and keys of one head, and their products.

import { decoded } from "../data.js";

/**
 * One head's vectors, row after row, and the largest sizes among them, which are the ends of their colours.
 * @typedef {{
 *     queries: Float32Array, keys: Float32Array, width: number, scaling: number, mostQ: number, mostK: number,
 * }} Head
 */

/**
 * @param {import("../data.js").Blocks} blocks
 * @param {Source} source
 * @param {Vectors} vectors
 * @param {number} map
 * @returns {Promise<Head>}
 */
export async function headOf(blocks, source, vectors, map) {
    const { width } = vectors;
    const [queries, keys] = await Promise.all([
        matrix(blocks, vectors.queries, map, source.queries.text.length * width),
        matrix(blocks, vectors.keys, vectors.of[map], source.keys.text.length * width),
    ]);
    return { queries, keys, width, scaling: vectors.scaling[map], mostQ: largest(queries), mostK: largest(keys) };
}

/**
 * @param {import("../data.js").Blocks} blocks
 * @param {Matrices} matrices
 * @param {number} index
 * @param {number} count
 */
async function matrix(blocks, { at, low, step }, index, count) {
    const raw = await blocks.bytes(at[index].block);
    return decoded(raw, at[index], count, low[index], step[index]);
}

/** @param {Float32Array} values */
function largest(values) {
    let most = 0;
    for (const value of values) most = Math.max(most, Math.abs(value));
    return most || 1;
}

/**
 * One query against every key: the products of their dimensions, row after row, and q . k of each key.
 * @param {Head} head
 * @param {number} query
 */
export function productsOf({ queries, keys, width }, query) {
    const count = keys.length / width;
    const products = new Float32Array(keys.length);
    const sums = new Float64Array(count);
    const first = query * width;
    for (let key = 0; key < count; key++) {
        let sum = 0;
        for (let d = 0; d < width; d++) {
            const product = queries[first + d] * keys[key * width + d];
            products[key * width + d] = product;
            sum += product;
        }
        sums[key] = sum;
    }
    return { products, sums, most: largest(products) };
}

/**
 * The dimensions of a pair in order, or the largest products by size first.
 * @param {Float32Array} products of one pair
 * @param {boolean} sorted
 */
export function dimensions(products, sorted) {
    const order = [...products.keys()];
    return sorted ? order.sort((a, b) => Math.abs(products[b]) - Math.abs(products[a]) || a - b) : order;
}
