// A slider over the new tokens of a generated text, and a button that steps through them.

import { h, still, visible } from "../dom.js";

const PAUSE = 700; // milliseconds from token to token

/** @param {import("../context.js").Context} context */
export function stepsOf(context) {
    const slider = h("input", { type: "range", min: "0", step: "1", class: "steps-slider", "aria-label": "New token" });
    slider.oninput = () => go(Number(slider.value));
    const play = h("button", { type: "button", onclick: () => (timer ? stop() : start()) }, "Play");
    const output = h("output", { class: "steps-text", dir: "auto" });
    const element = h("div", { class: "steps", "data-own-keys": "" }, play, slider, output);
    /** @type {ReturnType<typeof setInterval> | 0} */
    let timer = 0;

    /** @param {number} token */
    function go(token) {
        context.store.set({ token, key: null, together: [], direction: "from" });
    }

    function start() {
        play.textContent = "Pause";
        if ((context.state.token ?? Infinity) >= last()) go(0);
        timer = setInterval(() => {
            const now = context.state.token ?? -1;
            if (now >= last() || context.state.view !== "text") stop();
            else go(now + 1);
        }, PAUSE);
    }

    function stop() {
        clearInterval(timer);
        timer = 0;
        play.textContent = "Play";
    }

    function last() {
        return context.source.queries.text.length - 1;
    }

    return {
        element,
        update() {
            const { source, state } = context;
            element.hidden = source.generated === null;
            play.hidden = still();
            if (source.generated === null) return;
            slider.max = String(last());
            slider.value = String(state.token ?? 0);
            const text = source.queries.text[state.token ?? 0];
            const count = last() + 1;
            const at = state.token === null ? "" : `${state.token + 1} of ${count}: ${visible(text ?? "")}`;
            const label = at || `${count} new tokens`;
            output.textContent = label;
            slider.setAttribute("aria-valuetext", label);
        },
    };
}
