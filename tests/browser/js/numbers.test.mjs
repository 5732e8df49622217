// Numbers of a file as the page reads them.

import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import { test } from "node:test";

import { Blocks, MapStore, decoded, view } from "../../../attnviz/render/html/web/data.js";

/** @param {Uint8Array[]} blocks */
function blocksOf(...blocks) {
    const texts = blocks.map((block) => deflateSync(block).toString("base64"));
    return new Blocks(blocks.map(({ length }) => length), (index) => texts[index]);
}

/** A source of which a MapStore needs: the sizes of its axes, and its maps. */
function sourceOf(rows, columns, maps) {
    return { queries: { text: Array(rows).fill("q") }, keys: { text: Array(columns).fill("k") }, maps };
}

test("codes of one byte are steps from the low end", () => {
    const values = decoded(Uint8Array.of(9, 0, 1, 250), { at: 1, bytes: 1 }, 3, -1, 0.5);
    assert.deepEqual([...values], [-1, -0.5, 124]);
});

test("codes of two bytes have their low bytes first", () => {
    const values = decoded(Uint8Array.of(1, 2, 0, 3), { at: 0, bytes: 2 }, 2, 0, 1);
    assert.deepEqual([...values], [1, 2 + 3 * 256]);
});

test("an array begins anywhere in its block", () => {
    const floats = new Uint8Array(Float32Array.of(1.5, -2).buffer);
    const raw = Uint8Array.of(7, ...floats, 255, 1);
    assert.deepEqual([...view(raw, { block: 0, at: 1, type: "f4", shape: [2] })], [1.5, -2]);
    assert.deepEqual([...view(raw, { block: 0, at: 9, type: "u1", shape: [1, 2] })], [255, 1]);
    assert.deepEqual([...view(raw, { block: 0, at: 9, type: "u2", shape: [1] })], [511]);
    assert.throws(() => view(raw, { block: 0, at: 9, type: "f4", shape: [1] }));
});

test("a block is inflated once", async () => {
    const blocks = blocksOf(Uint8Array.of(1, 2, 3), Uint8Array.of(4));
    assert.equal(await blocks.bytes(0), await blocks.bytes(0));
    assert.deepEqual([...(await blocks.bytes(1))], [4]);
});

test("a large block without workers is inflated here", async () => {
    const large = Uint8Array.from({ length: 400_000 }, (_, index) => Math.abs(Math.sin(index) * 1e6));
    const blocks = blocksOf(large);
    assert.ok(blocks.base64(0).length > 400_000);
    assert.deepEqual(await blocks.bytes(0), large);
});

for (const [said, size] of [["shorter", 4], ["longer", 2]]) {
    test(`a block ${said} than the page says is an error`, async () => {
        const text = deflateSync(Uint8Array.of(1, 2, 3)).toString("base64");
        await assert.rejects(new Blocks([size], () => text).bytes(0), new RegExp(said));
    });
}

test("what is cut off or no deflated data is an error", async () => {
    const text = deflateSync(Uint8Array.from({ length: 1000 }, (_, index) => index % 251)).toString("base64");
    await assert.rejects(new Blocks([1000], () => text.slice(0, 100)).bytes(0));
    await assert.rejects(new Blocks([3], () => "AAAA").bytes(0));
});

test("maps are found in their blocks, and a causal mask ends at the last key", async () => {
    const maps = {
        at: [{ block: 0, at: 0, bytes: 1 }, { block: 1, at: 2, bytes: 1 }],
        step: [0.5, 1], low: [0, 0], mask: "causal",
    };
    const blocks = blocksOf(Uint8Array.of(0, 1, 2, 3, 4, 5), Uint8Array.of(9, 9, 6, 5, 4, 3, 2, 1));
    const store = new MapStore(sourceOf(2, 3, maps), blocks);
    assert.equal(store.peek(0), undefined);
    assert.deepEqual([...(await store.values(0))], [0, 0.5, 1, 1.5, 2, 2.5]);
    assert.deepEqual([...(await store.values(1))], [6, 5, 4, 3, 2, 1]);
    assert.deepEqual([...store.allowed(0)], [1, 1, 0, 1, 1, 1]);
});

test("bits of a mask belong to their maps", async () => {
    const maps = {
        at: [{ block: 0, at: 0, bytes: 1 }, { block: 0, at: 0, bytes: 1 }], step: [1, 1], low: [0, 0],
        mask: { bits: { block: 0, at: 3, type: "u1", shape: [2, 1] }, which: [1, 0] },
    };
    const store = new MapStore(sourceOf(1, 3, maps), blocksOf(Uint8Array.of(1, 2, 3, 0b10100000, 0b01000000)));
    await store.values(0);
    assert.deepEqual([...store.allowed(0)], [0, 1, 0]);
    assert.deepEqual([...store.allowed(1)], [1, 0, 1]);
});
