// Pointers, wheels and keys on a map, as what they ask for. Pointer moves are taken once a frame.

/**
 * What a map is asked. Points are in CSS pixels of its canvas.
 * @typedef {{
 *     hover: (x: number, y: number, event: { clientX: number, clientY: number }) => void,
 *     leave: () => void,
 *     choose: (x: number, y: number, more: boolean) => void,
 *     zoom: (factor: number, x: number, y: number) => boolean,
 *     pan: (dx: number, dy: number) => void,
 *     select: (x: number, y: number, toX: number, toY: number, done: boolean) => void,
 *     settle: (zooms: boolean) => void,
 *     key: (event: KeyboardEvent) => boolean,
 *     inside: (x: number, y: number) => "cells" | "rows" | "columns" | null,
 *     movable: () => boolean,
 * }} Asked
 */

const STILL = 4; // pixels that a finger or a mouse may move in a click
const REST = 180; // milliseconds after the last turn of a wheel

/**
 * @param {HTMLElement} frame
 * @param {Asked} asked
 */
export function listenToGestures(frame, asked) {
    /** @type {Map<number, { x: number, y: number }>} */
    const fingers = new Map();
    /** @type {{ x: number, y: number, lastX: number, lastY: number, kind: "pan" | "select", moved: boolean } | null} */
    let held = null;
    /** @type {PointerEvent | null} */
    let last = null;
    let frameAsked = 0;
    let resting = 0;
    let spread = 0;

    /** @param {{ clientX: number, clientY: number }} event */
    const point = (event) => {
        const { left, top } = frame.getBoundingClientRect();
        return { x: event.clientX - left, y: event.clientY - top };
    };

    const onFrame = () => {
        frameAsked = 0;
        if (!last) return;
        const { x, y } = point(last);
        if (held?.moved && held.kind === "select") asked.select(held.x, held.y, x, y, false);
        else if (held?.moved) {
            asked.pan(x - held.lastX, y - held.lastY);
            [held.lastX, held.lastY] = [x, y];
        } else asked.hover(x, y, last);
    };

    const soon = () => {
        frameAsked = frameAsked || requestAnimationFrame(onFrame);
    };

    frame.addEventListener("pointerdown", (event) => {
        if (event.button) return;
        const at = point(event);
        fingers.set(event.pointerId, at);
        if (fingers.size === 2) {
            held = null;
            spread = distance(fingers);
            return;
        }
        const where = asked.inside(at.x, at.y);
        const mouse = event.pointerType !== "touch";
        const beside = where === "rows" || where === "columns";
        const kind = mouse && (event.shiftKey || beside || !asked.movable()) ? "select" : "pan";
        held = { ...at, lastX: at.x, lastY: at.y, kind, moved: false };
        last = event;
    });

    frame.addEventListener("pointermove", (event) => {
        const at = point(event);
        if (fingers.has(event.pointerId)) fingers.set(event.pointerId, at);
        if (fingers.size === 2) {
            const now = distance(fingers);
            const [one, two] = [...fingers.values()];
            if (spread > 0 && now > 0) asked.zoom(spread / now, (one.x + two.x) / 2, (one.y + two.y) / 2);
            spread = now;
            return;
        }
        if (held && !held.moved && Math.hypot(at.x - held.x, at.y - held.y) > STILL) {
            held.moved = true;
            frame.setPointerCapture(event.pointerId);
        }
        last = event;
        soon();
    });

    /** @param {PointerEvent} event */
    const up = (event) => {
        const at = point(event);
        const pinched = fingers.size === 2;
        fingers.delete(event.pointerId);
        if (pinched) {
            asked.settle(true);
            return;
        }
        if (held?.moved && held.kind === "select") asked.select(held.x, held.y, at.x, at.y, event.type === "pointerup");
        if (held?.moved) asked.settle(false);
        else if (held && event.type === "pointerup") {
            asked.choose(at.x, at.y, event.ctrlKey || event.metaKey || event.shiftKey);
            if (event.pointerType === "touch") asked.hover(at.x, at.y, event);
        }
        held = null;
    };
    frame.addEventListener("pointerup", up);
    frame.addEventListener("pointercancel", up);
    frame.addEventListener("pointerleave", (event) => {
        if (held?.moved || event.pointerType === "touch") return; // a finger that is lifted leaves its tip
        last = null;
        asked.leave();
    });

    frame.addEventListener("wheel", (event) => {
        const { x, y } = point(event);
        const lines = event.deltaMode === 1 ? 30 : event.deltaMode === 2 ? 300 : 1;
        const speed = event.ctrlKey ? 0.01 : 0.002;
        const turned = Math.min(Math.max(event.deltaY * lines * speed, -0.7), 0.7);
        if (!asked.zoom(Math.exp(turned), x, y)) return;
        event.preventDefault();
        clearTimeout(resting);
        resting = setTimeout(() => asked.settle(true), REST);
    }, { passive: false });

    frame.addEventListener("dblclick", (event) => {
        const { x, y } = point(event);
        if (asked.zoom(0.5, x, y)) asked.settle(true);
    });

    frame.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (asked.key(event)) event.preventDefault();
    });
}

/** @param {Map<number, { x: number, y: number }>} fingers */
function distance(fingers) {
    const [one, two] = [...fingers.values()];
    return Math.hypot(one.x - two.x, one.y - two.y);
}
