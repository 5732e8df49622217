// The page: reads what the file holds, and puts its parts one below the other.

import { Colours } from "./colour.js";
import { Blocks } from "./data.js";
import { h } from "./dom.js";
import { explorerPart } from "./explorer.js";
import { partElement } from "./parts/index.js";
import { Tip, Voice } from "./tip.js";

/** @param {string} id */
function textOf(id) {
    const element = document.getElementById(id);
    if (!element) throw new Error(`the file has no ${id}: it is not whole`);
    return element.textContent ?? "";
}

/** @param {State["theme"]} theme */
function setTheme(theme) {
    const dark = theme === "dark" || (theme === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    return dark;
}

/** Light or dark, on a page without an explorer, whose bar has the same button. @param {Colours} colours */
function themeButton(colours) {
    const turn = () => {
        colours.dark = setTheme(colours.dark ? "light" : "dark");
        button.setAttribute("aria-pressed", String(colours.dark));
    };
    const named = { "aria-label": "Dark page", "aria-pressed": String(colours.dark), title: "light or dark (t)" };
    const button = h("button", { type: "button", class: "theme", ...named, onclick: turn }, "◐");
    document.addEventListener("keydown", (event) => {
        const writing = event.target instanceof HTMLInputElement || event.ctrlKey || event.metaKey || event.altKey;
        if (event.key === "t" && !writing) turn();
    });
    return button;
}

function start() {
    const page = /** @type {PageDocument} */ (JSON.parse(textOf("document")));
    const blocks = new Blocks(page.blocks, (index) => textOf(`block-${index}`));
    const colours = new Colours(page.colours);
    const tip = new Tip();
    const voice = new Voice();
    colours.dark = setTheme("auto");
    const header = h("header", {},
        h("h1", { dir: "auto" }, page.title),
        h("p", { class: "subtitle", dir: "auto" }, page.subtitle),
    );
    const main = h("main");
    if (!page.parts.some(({ kind }) => kind === "Explorer")) header.append(themeButton(colours));
    for (const part of page.parts) {
        const element =
            part.kind === "Explorer"
                ? explorerPart(part, blocks, colours, tip, voice, setTheme)
                : partElement(part, { blocks, colours, tip, voice });
        main.append(element);
    }
    const made = Object.entries(page.madeBy).map(([name, value]) =>
        h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, value)),
    );
    const footer = h("footer", {},
        h("ul", { class: "notes" }, ...page.notes.map((note) => h("li", { dir: "auto" }, note))),
        h("dl", { class: "made" }, ...made),
    );
    document.body.prepend(header, main, footer);
    document.body.dataset.open = "yes";
}

start();
