// What every view of an explorer is handed.

import { MapStore } from "./data.js";
import { scaleOf } from "./colour.js";

export class Context {
    /**
     * @param {Explorer} explorer
     * @param {import("./data.js").Blocks} blocks
     * @param {import("./colour.js").Colours} colours
     * @param {import("./state.js").Store} store
     * @param {import("./tip.js").Tip} tip
     * @param {import("./tip.js").Voice} voice
     */
    constructor(explorer, blocks, colours, store, tip, voice) {
        this.explorer = explorer;
        this.blocks = blocks;
        this.colours = colours;
        this.store = store;
        this.tip = tip;
        this.voice = voice;
        this.stores = explorer.sources.map((source) => new MapStore(source, blocks));
    }

    get state() {
        return this.store.state;
    }

    /** The source that is looked at. @returns {Source} */
    get source() {
        return this.explorer.sources[this.state.source];
    }

    /** Its maps. @returns {MapStore} */
    get maps() {
        return this.stores[this.state.source];
    }

    get scale() {
        return scaleOf(this.state, this.source);
    }

    /** The 256 colours of the scale. */
    get table() {
        return this.colours.table(this.state.cmap, this.source.signed);
    }

    /** Sources that stand side by side: two of a comparison, else one; as indices. */
    get abreast() {
        return this.explorer.compared ? this.explorer.sources.map((_, index) => index) : [this.state.source];
    }
}
