// What is chosen, and the weights it has to the other side: numbers only, nothing of the page.

/**
 * One or several tokens of one side: queries, whose rows are averaged, or a key.
 * @typedef {{ side: "query" | "key", indices: number[] }} Choice
 */

/**
 * What a state chooses in a source; null for nothing.
 * @param {State} state
 * @param {Source} source
 * @returns {Choice | null}
 */
export function choiceOf(state, source) {
    const [rows, columns] = [source.queries.text.length, source.keys.text.length];
    if (state.direction === "to") {
        const key = state.key ?? (source.ordered ? state.token : null);
        return key === null || key >= columns ? null : { side: "key", indices: [key] };
    }
    const together = state.together.filter((index) => index < rows);
    if (together.length > 1) return { side: "query", indices: together };
    return state.token === null || state.token >= rows ? null : { side: "query", indices: [state.token] };
}

/**
 * The token of the other side that a state names besides the choice: the pair's other half; null for none.
 * @param {State} state
 * @param {Choice | null} choice
 * @returns {number | null}
 */
export function partnerOf(state, choice) {
    if (!choice || choice.indices.length > 1 || state.token === null || state.key === null) return null;
    return choice.side === "query" ? state.key : state.token;
}

/**
 * What a click on a token changes.
 * @param {State} state
 * @param {Source} source
 * @param {"query" | "key"} side
 * @param {number} index
 * @param {boolean} more whether the token is added to those chosen, or taken from them
 * @returns {Partial<State>}
 */
export function clicked(state, source, side, index, more) {
    const now = choiceOf(state, source);
    const was = now && now.side === side ? now.indices : [];
    if (side === "key") {
        const again = was.includes(index);
        return { key: again ? null : index, token: null, together: [], direction: again ? "from" : "to" };
    }
    let next = was.length === 1 && was[0] === index ? [] : [index];
    if (more) next = was.includes(index) ? was.filter((each) => each !== index) : [...was, index].sort((a, b) => a - b);
    const token = next.length ? (next.includes(index) ? index : next[0]) : null;
    return { token, key: null, together: next.length > 1 ? next : [], direction: "from" };
}

/**
 * The weights of a choice to each token of the other side: a row, the mean of several rows, or a column.
 * @param {ArrayLike<number>} values row after row
 * @param {number} rows
 * @param {number} columns
 * @param {Choice} choice
 * @returns {Float32Array}
 */
export function weightsOf(values, rows, columns, { side, indices }) {
    const found = new Float32Array(side === "query" ? columns : rows);
    for (const index of indices) {
        if (side === "query") for (let j = 0; j < columns; j++) found[j] += values[index * columns + j];
        else for (let i = 0; i < rows; i++) found[i] += values[i * columns + index];
    }
    if (indices.length > 1) for (let i = 0; i < found.length; i++) found[i] /= indices.length;
    return found;
}

/**
 * 1 for tokens of the other side which the choice may attend to, or which may attend to it; null: all.
 * @param {Uint8Array | null} allowed
 * @param {number} rows
 * @param {number} columns
 * @param {Choice} choice
 */
export function allowedOf(allowed, rows, columns, { side, indices }) {
    if (!allowed) return null;
    const found = new Uint8Array(side === "query" ? columns : rows);
    for (const index of indices) {
        for (let other = 0; other < found.length; other++) {
            found[other] |= side === "query" ? allowed[index * columns + other] : allowed[other * columns + index];
        }
    }
    return found;
}

/**
 * What each key gets: the mean over the queries that may attend to it.
 * @param {ArrayLike<number>} values row after row
 * @param {number} columns
 * @param {number[]} queries the queries that count
 * @param {Uint8Array | null} allowed
 * @returns {Float32Array}
 */
export function received(values, columns, queries, allowed) {
    const sums = new Float64Array(columns);
    const counts = new Float64Array(columns);
    for (const row of queries) {
        for (let j = 0, at = row * columns; j < columns; j++, at++) {
            if (allowed && !allowed[at]) continue;
            sums[j] += values[at];
            counts[j] += 1;
        }
    }
    return Float32Array.from(sums, (sum, j) => (counts[j] ? sum / counts[j] : 0));
}

/**
 * The largest weights by size, the largest first; of equals the earlier.
 * @param {ArrayLike<number>} weights
 * @param {number} count
 * @param {Iterable<number>} among the indices to choose from
 * @returns {number[]}
 */
export function strongest(weights, count, among) {
    /** @type {number[]} */
    const best = [];
    for (const index of among) {
        const size = Math.abs(weights[index]);
        if (size === 0) continue;
        if (best.length === count && size <= Math.abs(weights[best[count - 1]])) continue;
        let at = best.length;
        while (at > 0 && Math.abs(weights[best[at - 1]]) < size) at--;
        best.splice(at, 0, index);
        if (best.length > count) best.pop();
    }
    return best;
}

/**
 * Larger of several weights by size, token by token: what the strongest of several heads gives.
 * @param {Float32Array[]} several
 * @returns {Float32Array}
 */
export function largestOf(several) {
    if (several.length === 1) return several[0];
    const found = Float32Array.from(several[0]);
    for (const weights of several.slice(1)) {
        for (let i = 0; i < found.length; i++) if (Math.abs(weights[i]) > Math.abs(found[i])) found[i] = weights[i];
    }
    return found;
}
