// Builds elements. Text becomes a text node and nothing else, so that what upstream wrote is never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element of HTML: `h("td.number", { title }, ...children)`. Attributes may be left out. */
export const h = (name, ...rest) => build((tag) => document.createElement(tag), name, rest);
/** One of SVG. */
export const s = (name, ...rest) => build((tag) => document.createElementNS(SVG, tag), name, rest);

function build(create, name, rest) {
  const [tag, ...classes] = name.split(".");
  const element = create(tag);
  if (classes.length) element.setAttribute("class", classes.join(" "));
  if (rest[0]?.constructor === Object) setAttributes(element, rest.shift());
  element.append(...shown(rest));
  return element;
}

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "href" && !value.startsWith("#")) throw new TypeError("links lead to places of the page alone");
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
}

const shown = (children) => children.flat(4).filter((child) => child || child === 0);

/** Replace what `element` holds. */
export const fill = (element, ...children) => element.replaceChildren(...shown(children));

/** Set the text of `element` where it is another one: a selection in it stays. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** For who hears the page. */
export const aloud = (text) => h("span.aloud", text);

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
export const upstream = (text) => h("bdi", inert(text));

/** A table. The heads of columns that hold numbers begin with `#`; `rows` hold cells, or are rows themselves. */
export function table(label, heads, rows, foot = []) {
  const numbers = heads.map((head) => head.startsWith("#"));
  const row = (cells) => (Array.isArray(cells) ? tr("tr", cells, numbers) : cells);
  return h(
    "table.figures",
    { "aria-label": label },
    h(
      "thead",
      h(
        "tr",
        heads.map((head, i) => h(numbers[i] ? "th.number" : "th", { scope: "col" }, head.replace("#", ""))),
      ),
    ),
    h("tbody", rows.map(row)),
    foot.length > 0 && h("tfoot", foot.map(row)),
  );
}

/** A row; `numbers` says which of its cells hold numbers. */
export const tr = (name, cells, numbers) =>
  h(
    name,
    cells.map((cell, i) => h(numbers[i] ? "td.number" : "td", cell)),
  );

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
export const typing = (event) =>
  event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName ?? "");
