// Elements from plain values. Every text that comes from a file becomes a text node, never markup.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with properties and children. A property that begins with "on" is a listener, "class" and those with a
 * dash are attributes, null and undefined are left out; strings among the children become text nodes.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | number | null | undefined)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
    return fill(document.createElement(tag), properties, children);
}

/**
 * The same for SVG.
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | number | null | undefined)} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, properties = {}, ...children) {
    return fill(document.createElementNS(SVG, tag), properties, children);
}

/**
 * @template {Element} Kind
 * @param {Kind} element
 * @param {Record<string, any>} properties
 * @param {(Node | string | number | null | undefined)[]} children
 */
function fill(element, properties, children) {
    for (const [name, value] of Object.entries(properties)) {
        if (value === null || value === undefined) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else if (!(element instanceof HTMLElement) || !(name in element) || name === "list") {
            element.setAttribute(name, String(value));
        } else Reflect.set(element, name, value);
    }
    for (const child of children) {
        if (child !== null && child !== undefined) element.append(child instanceof Node ? child : String(child));
    }
    return element;
}

/**
 * Empty an element and fill it again.
 * @param {Element} element
 * @param {...(Node | string)} children
 */
export function replace(element, ...children) {
    element.replaceChildren(...children);
}

/**
 * A short number, three significant digits: 0.0123, 1.20, 12.3; "" for null.
 * @param {number | null | undefined} value
 */
export function short(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "";
    const size = Math.abs(value);
    if (size === 0) return "0";
    if (size >= 1000) return Math.round(value).toLocaleString("en");
    if (size < 0.0001) return value.toExponential(1);
    return value.toFixed(size < 0.001 ? 6 : size < 0.01 ? 5 : size < 0.1 ? 4 : size < 10 ? 3 : 1);
}

/**
 * A token as it is read: a space or a line break that is all of it gets a visible mark.
 * @param {string} text
 */
export function visible(text) {
    if (text === "") return "∅";
    const marked = text.replaceAll("\n", "⏎").replaceAll("\t", "⇥");
    return marked.replace(/^ +$/, (spaces) => "␣".repeat(spaces.length));
}

/** Whether the reader has asked for little motion. */
export function still() {
    return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
