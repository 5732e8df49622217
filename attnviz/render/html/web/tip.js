// The little box beside the pointer, and the line that a screen reader speaks.

import { h } from "./dom.js";

/** One tip for the whole page. */
export class Tip {
    constructor() {
        this.element = h("div", { class: "tip", role: "presentation", hidden: true });
        document.body.append(this.element);
    }

    /**
     * Show lines of text near a point of the window.
     * @param {number} x
     * @param {number} y
     * @param {(string | Node)[]} lines
     */
    show(x, y, lines) {
        this.element.replaceChildren(...lines.map((line) => (line instanceof Node ? line : h("div", {}, line))));
        this.element.hidden = false;
        const { offsetWidth: wide, offsetHeight: high } = this.element;
        const left = x + 14 + wide > innerWidth ? x - wide - 10 : x + 14;
        const top = y + 16 + high > innerHeight ? y - high - 10 : y + 16;
        this.element.style.transform = `translate(${Math.max(left, 2)}px, ${Math.max(top, 2)}px)`;
    }

    hide() {
        this.element.hidden = true;
    }
}

/** What a screen reader is told when the reader moves by keyboard. */
export class Voice {
    constructor() {
        this.element = h("div", { class: "only-heard", "aria-live": "polite" });
        document.body.append(this.element);
    }

    /** @param {string} text */
    say(text) {
        this.element.textContent = text;
    }
}
