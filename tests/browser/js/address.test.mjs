// The address that remembers where the reader is.

import assert from "node:assert/strict";
import { test } from "node:test";

import { START, Store, fromAddress, toAddress } from "../../../attnviz/render/html/web/state.js";

const axis = (count) => ({ text: Array.from({ length: count }, (_, index) => `t${index}`) });
const places = (layers, heads) => layers.flatMap((layer) => heads.map((head) => [layer, head]));
const explorer = {
    sources: [
        {
            name: "encoder", queries: axis(5), keys: axis(5), places: places([0, 3], [0, 1]),
            statistics: [{ name: "entropy" }],
        },
        { name: "cross", queries: axis(3), keys: axis(5), places: [[null, null]], statistics: [] },
    ],
};

const SOMEWHERE = [
    { view: "map", map: 3, token: 4, key: 0 },
    { map: 1, together: [0, 2], heads: [0, 3], direction: "to" },
    { scale: "log", high: 0.25, rests: false, sort: "entropy", cmap: "viridis", theme: "dark" },
    { window: [1, 2, 3, 3] },
    { source: 1, map: 0, view: "lines" },
];

for (const patch of SOMEWHERE) {
    test(`${JSON.stringify(patch)} comes back from its address`, () => {
        const state = { ...START, ...patch };
        assert.deepEqual(fromAddress(`#${toAddress(state, explorer)}`, explorer), state);
    });
}

test("layers and heads go by their own names", () => {
    assert.equal(toAddress({ ...START, map: 2 }, explorer), "layer=3&head=0");
    assert.equal(fromAddress("#layer=3&head=1&token=4", explorer).map, 3);
    assert.equal(fromAddress("layer=3", explorer).map, 2);
});

test("what an address names wrongly is ignored", () => {
    const wrong = "view=sky&stream=x&layer=1&head=9&token=5&key=-1&together=7,x&heads=9.9&direction=up&scale=cubic"
        + "&high=-1&sort=beauty&theme=blue&window=0,0,9,9";
    assert.deepEqual(fromAddress(wrong, explorer), START);
    for (const odd of ["", "#", "%", "=&=", "token=1e0", "window=0,0,0,0", "high=Infinity", "window=,,,"]) {
        assert.deepEqual(fromAddress(odd, explorer), START, odd);
    }
});

test("a map of one stream is a map of the other", () => {
    assert.equal(fromAddress("stream=cross&layer=3&head=1", explorer).map, 0);
});

test("listeners hear of changes only", () => {
    const heard = [];
    const store = new Store(START, (state) => heard.push(state.map));
    store.subscribe((_, changed) => heard.push([...changed]));
    store.set({ map: 0, together: [] });
    assert.deepEqual(heard, []);
    store.set({ map: 2, view: "board" });
    assert.deepEqual(heard, [2, ["map"]]);
});
