// The parts of a page other than the explorer: each kind has a function that makes its element.

import { h } from "../dom.js";
import { depthPart, histogramPart, plotsPart, timingsPart } from "./curves.js";
import { curvesPart } from "./head_curves.js";
import { barsPart, boardsPart, wordBoardPart } from "./heads.js";
import { linesPart, runningTextPart } from "./lines.js";
import { cardsPart, distancesPart, mapTablePart, matrixPart, signedMapsPart, stepPart } from "./maps.js";
import { dotProductPart, scatterPart } from "./planes.js";
import { rangesPart } from "./ranges.js";
import { factsPart, headingPart, listingPart, notesPart, sentencePart, tablePart } from "./table.js";
import { tokenBarsPart } from "./token_bars.js";

/** @type {Record<string, (part: any, tools: import("./redraw.js").Tools) => HTMLElement>} */
const PARTS = {
    Bars: barsPart,
    Boards: boardsPart,
    Cards: cardsPart,
    Curves: curvesPart,
    Depth: depthPart,
    Distances: distancesPart,
    DotProduct: dotProductPart,
    Facts: factsPart,
    Heading: headingPart,
    Histogram: histogramPart,
    LinesOfWeight: linesPart,
    Listing: listingPart,
    MapTable: mapTablePart,
    Matrix: matrixPart,
    Notes: notesPart,
    Plots: plotsPart,
    Ranges: rangesPart,
    RunningText: runningTextPart,
    Scatter: scatterPart,
    Sentence: sentencePart,
    SignedMaps: signedMapsPart,
    Step: stepPart,
    Table: tablePart,
    Timings: timingsPart,
    TokenBars: tokenBarsPart,
    WordBoard: wordBoardPart,
};

/**
 * @param {Exclude<AnyPart, Explorer>} part
 * @param {import("./redraw.js").Tools} tools
 * @returns {HTMLElement}
 */
export function partElement(part, tools) {
    const make = PARTS[part.kind];
    return make ? make(part, tools) : h("p", {}, `this page has a ${part.kind}, which it cannot show`);
}
