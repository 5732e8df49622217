// Print the values of all maps of a file as the page reads them: `node values.mjs page.html` -> JSON, one line.

import { readFileSync } from "node:fs";
import process from "node:process";

import { Blocks, MapStore } from "../../../attnviz/render/html/web/data.js";

const html = readFileSync(process.argv[2], "utf8");

/** @param {string} id */
function textOf(id) {
    return html.match(new RegExp(`<script type="[^"]*" id="${id}">([^<]*)</script>`))[1];
}

const page = JSON.parse(textOf("document"));
const blocks = new Blocks(page.blocks, (index) => textOf(`block-${index}`));
const found = [];
for (const part of page.parts.filter(({ kind }) => kind === "Explorer")) {
    for (const source of part.sources) {
        const store = new MapStore(source, blocks);
        for (const [map, place] of source.places.entries()) {
            const values = [...(await store.values(map))];
            const allowed = store.allowed(map);
            found.push({ source: source.name, place, values, allowed: allowed && [...allowed] });
        }
    }
}
console.log(JSON.stringify(found));
