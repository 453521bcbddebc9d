// Builds elements. Text becomes a text node and nothing else, so that what upstream wrote is never markup.

const SVG = "http://www.w3.org/2000/svg";

export const h = (tag, props, ...children) => build(document.createElement(tag), props, children);
export const s = (tag, props, ...children) => build(document.createElementNS(SVG, tag), props, children);

function build(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "href" && !String(value).startsWith("#") && !String(value).startsWith("/assets/")) continue;
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replace what `element` holds. */
export const fill = (element, ...children) => element.replaceChildren(...children.flat(3).filter((child) => child || child === 0));

/** Set the text of `element` where it is another one: a selection in it stays. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** For who hears the page. */
export const aloud = (text) => h("span", { class: "aloud" }, text);

/** For who sees the page. */
export const seen = (text) => h("span", { "aria-hidden": "true" }, text);

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Text of upstream: controls, which could turn or hide what stands beside them, are shown by their number. */
export function inert(text) {
  return String(text)
    .replace(/\r\n?/g, "\n")
    .replace(CONTROLS, (c) => `[U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`);
}

/** An element of upstream's text, which keeps its direction to itself. */
export const upstream = (text, props) => h("bdi", props, inert(text));

const HELD = new WeakMap();

/** Let `parent` hold an element an item, in their order. Elements stay, by `key`; a focused one keeps its focus. */
export function reconcile(parent, items, key, make, paint) {
  const before = HELD.get(parent) ?? new Map();
  const now = new Map();
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const element = before.get(name) ?? make(item);
    now.set(name, element);
    paint(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  for (const [name, element] of before) if (!now.has(name)) element.remove();
  HELD.set(parent, now);
  if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
  return now;
}

/** Whether somebody has selected text in `element`. */
export function selecting(element) {
  const selection = getSelection();
  return !selection.isCollapsed && element.contains(selection.anchorNode);
}

/** Whether keys that are pressed are meant for a field. */
export const typing = (event) => event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName ?? "");
