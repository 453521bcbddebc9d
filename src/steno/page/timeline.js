// The picture of a conversation: what happened when, to scale. Who cannot see it walks through it with the keys.

import { Drawing, labels, rowsOf } from "./drawing.js";
import { fill, h, s } from "./dom.js";
import { Scale, fitting, stretches } from "./scale.js";
import { LANES, ending, markOf, placed } from "./things.js";

const PAD = 14; // pixels
const WIDEST = 1_000_000;
const FASTEST = 800; // pixels a second
// What is shown how, and in which lanes.
const LEGEND = [
  ["speech", "caller", ["speech"]],
  ["wait", "until the first output", ["response"]],
  ["heard", "model speaks", ["voice"]],
  ["both", "both speak", ["voice"]],
  ["response", "response", ["response"]],
  ["heard", "played", ["playback"]],
  ["cut", "made, not played", ["playback"]],
  ["run", "run", ["run"]],
  ["tool", "tool, step, delegation", ["tool", "step", "delegation"]],
  ["pause", "pause", ["pause"]],
];
const ENDINGS = { "✂": "cut off", "✕": "failed" };
const HINT = "Timeline: arrow keys walk through it, + and − zoom";

const button = (text, title, onclick) => h("button", { type: "button", "aria-label": title, title, onclick }, text);

export class Timeline {
  /** `on` has `hover(thing or undefined)` and `choose(thing)`. */
  constructor(on) {
    Object.assign(this, { on, rate: null, chosen: null, spans: [], marks: [], order: [], things: new Map(), zero: 0 });
    this.svg = s("svg.picture", { role: "group", "aria-label": HINT });
    this.labels = s("svg.lanes", { width: 86, "aria-hidden": "true" });
    this.view = h("div.scroll", this.svg);
    this.legend = h("ul.legend");
    this.element = h(
      "figure.timeline",
      h(
        "figcaption",
        h("h2", "Timeline"),
        this.legend,
        h("span.gap"),
        button("Fit", "Fit the whole conversation", () => this.fit()),
        button("−", "Zoom out", () => this.zoom(0.5)),
        button("+", "Zoom in (or Ctrl and the wheel)", () => this.zoom(2)),
        button("Selection", "Zoom to the selection", () => this.zoomTo(this.things.get(this.chosen))),
      ),
      h("div.stage", this.labels, this.view),
    );
    this.listen();
  }

  listen() {
    const thing = (event) => this.things.get(event.target.closest("g[data-id]")?.dataset.id);
    this.svg.addEventListener("pointerover", (event) => this.on.hover(thing(event)));
    this.svg.addEventListener("pointerleave", () => this.on.hover());
    this.svg.addEventListener("focusin", (event) => this.on.hover(thing(event)));
    this.svg.addEventListener("click", (event) => thing(event) && this.on.choose(thing(event)));
    this.svg.addEventListener("dblclick", (event) => this.zoomTo(thing(event)));
    this.svg.addEventListener("keydown", (event) => this.pressed(event, thing(event)));
    this.view.addEventListener("scroll", () => this.order.length && this.scrolled());
    this.view.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    new ResizeObserver(() => this.view.clientWidth !== this.drawn && this.draw()).observe(this.view);
  }

  /** Show `doc`. Who looks at the end of it goes on to do so. */
  update(doc) {
    const atEnd = this.rate !== null && this.view.scrollLeft + this.view.clientWidth >= this.view.scrollWidth - 8;
    Object.assign(this, placed(doc));
    this.order = [...this.spans, ...this.marks].sort((a, b) => a.from - b.from);
    this.things = new Map(this.order.map((thing) => [thing.id, thing]));
    const points = [doc.began_at, this.now].filter((at) => at !== null).map((at) => [at, at]);
    const times = [...points, ...this.order.map((thing) => [thing.from, thing.to])];
    this.zero = times.reduce((least, [from]) => Math.min(least, from), times[0]?.[0] ?? 0);
    this.parts = stretches(times);
    this.element.hidden = !this.order.length;
    this.explain();
    this.draw();
    if (!atEnd) return;
    this.view.scrollLeft = this.view.scrollWidth;
    this.scrolled();
  }

  /** Say what the colours and signs of this picture are. */
  explain() {
    const colours = LEGEND.filter(([, , lanes]) => this.spans.some((span) => lanes.includes(span.lane)));
    const signs = Object.entries(ENDINGS).filter(([sign]) => this.spans.some((span) => ending(span) === sign));
    fill(
      this.legend,
      colours.map(([name, text]) => h("li", h("i", { class: `swatch ${name}` }), text)),
      this.spans.some((span) => markOf(span, "first_audio") !== null) && h("li", "▾ first audio"),
      signs.map(([sign, text]) => h("li", h("span.bad", sign), ` ${text}`)),
    );
  }

  draw() {
    if (!this.order.length) return;
    this.lay();
    this.paint();
  }

  /** Find the places of all, and make room for them. */
  lay() {
    this.drawn = this.view.clientWidth;
    if (this.rate !== null) this.rate = this.bounded(this.rate);
    this.scale = new Scale(this.parts, this.rate ?? this.least(), PAD);
    const rows = rowsOf(this.spans, this.marks);
    const width = Math.max(this.scale.right + PAD, this.drawn);
    this.drawing = new Drawing(rows, this.scale, width, this.zero, this.now);
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", this.drawing.height);
    this.labels.setAttribute("height", this.drawing.height);
    fill(this.labels, labels(rows));
  }

  /** Draw what can be seen, and as much again on either side. */
  paint() {
    const focused = this.svg.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    this.painted = [this.view.scrollLeft - this.drawn, this.view.scrollLeft + 2 * this.drawn];
    fill(this.svg, this.drawing.shapes(...this.painted));
    this.groups = new Map([...this.svg.querySelectorAll("g[data-id]")].map((group) => [group.dataset.id, group]));
    this.mark();
    this.groups.get(focused)?.focus({ preventScroll: true });
  }

  /** Paint again where something can be seen that is not drawn. */
  scrolled() {
    const [from, to] = this.painted;
    const { scrollLeft, scrollWidth } = this.view;
    const right = scrollLeft + this.drawn;
    if (scrollLeft < Math.max(from, 0) || right > Math.min(to, scrollWidth)) this.paint();
  }

  // Scale -----------------------------------------------------------------------------------------------------

  /** The rate at which all can be seen. */
  least() {
    return fitting(this.parts, this.drawn - 2 * PAD);
  }

  /** A rate within what can be drawn; null for all of it. */
  bounded(rate) {
    const most = Math.min(FASTEST, fitting(this.parts, WIDEST));
    return rate <= this.least() ? null : Math.min(rate, Math.max(most, this.least()));
  }

  fit() {
    this.rate = null;
    this.draw();
  }

  /** Zoom by a factor around a place of the view, its middle unless given. */
  zoom(factor, place = this.view.clientWidth / 2) {
    const time = this.scale.time(this.view.scrollLeft + place);
    this.rate = this.bounded(this.scale.rate * factor);
    this.lay();
    this.view.scrollLeft = this.scale.x(time) - place;
    this.paint();
  }

  zoomTo(thing) {
    if (!thing) return;
    this.rate = this.bounded((0.4 * this.view.clientWidth) / Math.max(thing.to - thing.from, 0.5));
    this.lay();
    this.show(thing);
    this.paint();
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 300), event.clientX - this.view.getBoundingClientRect().left);
  }

  /** Scroll so that a thing can be seen. */
  show(thing) {
    const { scrollLeft, clientWidth } = this.view;
    const from = this.scale.x(thing.from);
    const to = Math.min(this.scale.x(thing.to), from + clientWidth / 2);
    if (from >= scrollLeft + PAD && to <= scrollLeft + clientWidth - PAD) return;
    this.view.scrollLeft = (from + to) / 2 - clientWidth / 2;
    this.scrolled();
  }

  // Choosing --------------------------------------------------------------------------------------------------

  /** Mark a thing as chosen, or nothing with null, and bring it into view. */
  choose(id, focus) {
    this.chosen = id;
    if (!this.order.length) return;
    if (this.things.has(id)) this.show(this.things.get(id));
    this.mark();
    if (focus && this.things.has(id)) this.groups.get(id).focus({ preventScroll: true });
  }

  /** What is chosen, or the first thing, can be reached by the tab key; from there arrows lead to all. */
  mark() {
    const reached = this.groups.has(this.chosen) ? this.chosen : this.groups.keys().next().value;
    for (const [id, group] of this.groups) {
      group.classList.toggle("chosen", id === this.chosen);
      group.setAttribute("aria-pressed", id === this.chosen);
      group.setAttribute("tabindex", id === reached ? 0 : -1);
    }
  }

  pressed(event, thing) {
    if (!thing || event.ctrlKey || event.metaKey || event.altKey) return;
    const choose = () => this.on.choose(thing);
    const go = (to) => {
      if (!to) return;
      this.show(to);
      this.groups.get(to.id).focus({ preventScroll: true });
    };
    const actions = {
      Enter: choose,
      " ": choose,
      "+": () => this.zoom(2),
      "=": () => this.zoom(2),
      "-": () => this.zoom(0.5),
      0: () => this.fit(),
      ArrowRight: () => go(this.order[this.order.indexOf(thing) + 1]),
      ArrowLeft: () => go(this.order[this.order.indexOf(thing) - 1]),
      ArrowDown: () => go(this.across(thing, 1)),
      ArrowUp: () => go(this.across(thing, -1)),
    };
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  }

  /** The thing of the next lane that is nearest in time. */
  across(thing, way) {
    const of = (each) => each.lane ?? "";
    const lanes = ["", ...Object.keys(LANES)].filter((lane) => this.order.some((each) => of(each) === lane));
    const lane = lanes[lanes.indexOf(of(thing)) + way];
    const far = (each) => Math.abs(each.from - thing.from);
    return this.order.filter((each) => of(each) === lane).sort((a, b) => far(a) - far(b))[0];
  }
}
