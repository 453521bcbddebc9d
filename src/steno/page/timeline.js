// The picture of a conversation: what happened when, to scale, as SVG. Who cannot see it walks through it with the keys.

import { fill, h, inert, s } from "./dom.js";
import { age, duration, offset, words } from "./format.js";
import { Scale, fitting, pack, stretches } from "./scale.js";

const LANES = { speech: "Caller", response: "Responses", playback: "Playback", tool: "Tools", run: "Runs", step: "Steps", session: "Session" };
const ROW = 24;
const BAR = 16;
const AXIS = 24;
const ROWS = 5;
const PAD = 14;
const LETTER = 6.4;
const WIDEST = 200_000;
const FASTEST = 800; // pixels a second
const NEAR = 3; // pixels a second from which on the signs of single spans can be told apart
const FOLLOW_SECONDS = 60; // a conversation that is silent for longer ends, in the picture, with what came last
const ENDED_BADLY = { failed: "✕", cancelled: "✂", incomplete: "✂", interrupted: "✂", expired: "✕", cleared: "✂", unanswered: "○" };
const SIGNS = { error: "✕", gap: "‖", rejected: "▽", truncated: "✂", missed: "?", unanswered: "○", session: "◇", note: "•" };
const GRAVE = new Set(["error", "gap", "missed"]);

const ONE = { speech: "Speech", response: "Response", tool: "Tool call", run: "Run", step: "Step" };
export const lane = (span) => ONE[span.lane] ?? LANES[span.lane] ?? words(span.lane);
export const sign = (mark) => SIGNS[mark.kind] ?? "•";
export const grave = (mark) => GRAVE.has(mark.kind);
export const ending = (span) => ENDED_BADLY[span.status] ?? "";
export const markOf = (span, kind) => span.marks?.find((mark) => mark.kind === kind && mark.at !== null)?.at ?? null;

/** Spans and marks that have a time, in its order, each with `id`, `from` and `to`. */
function placed(doc) {
  const silent = doc.row.last_event_at === null || doc.at - doc.row.last_event_at > FOLLOW_SECONDS;
  const known = [...doc.spans.flatMap((span) => [span.begin, span.end]), ...doc.marks.map((mark) => mark.at), doc.row.last_event_at];
  const latest = Math.max(...known.filter((at) => at !== null));
  const now = doc.row.open && !silent ? Math.max(doc.at, latest) : latest;
  const spans = doc.spans
    .map((span, i) => ({ ...span, id: span.id ?? `span ${i}`, from: span.begin ?? span.end, to: span.end ?? now, running: span.end === null }))
    .filter((span) => span.from !== null)
    .map((span) => ({ ...span, to: Math.max(span.to, span.from) }));
  const marks = doc.marks.map((mark, i) => ({ ...mark, id: `mark ${i}`, from: mark.at, to: mark.at })).filter((mark) => mark.at !== null);
  const by = (a, b) => a.from - b.from || a.to - b.to;
  return { spans: spans.sort(by), marks: marks.sort(by), now: doc.row.open && !silent ? now : null };
}

/** What a span or mark is, in a sentence. */
export function told(thing, zero) {
  const when = thing.from === null || thing.from === undefined ? "" : `, at ${offset(thing.from - zero)}`;
  if (!thing.lane) return `${words(thing.kind)}${when}: ${inert(thing.label)}`;
  const lasts = thing.running ? "still going" : thing.begin === null ? "its beginning was not seen" : `lasts ${duration(thing.to - thing.from)}`;
  return `${lane(thing)}: ${inert(thing.label)}${thing.status ? `, ${words(thing.status)}` : ""}${when}, ${lasts}`;
}

/** A picture with its controls. `on` has `hover(thing or null)` and `choose(thing)`. */
export class Timeline {
  constructor(on) {
    this.on = on;
    this.rate = null; // as it fits
    this.chosen = null;
    this.svg = s("svg", { class: "picture", role: "group", "aria-label": "Timeline: arrow keys walk through it, + and − zoom" });
    this.labels = s("svg", { class: "lanes", width: 86, "aria-hidden": "true" });
    this.view = h("div", { class: "scroll", onscroll: () => this.edges() }, this.svg);
    const button = (text, label, action) => h("button", { type: "button", "aria-label": label, title: label, onclick: action }, text);
    this.element = h(
      "figure", { class: "timeline" },
      h("figcaption", {}, h("h2", {}, "Timeline"), this.legend(), h("span", { class: "gap" }),
        button("Fit", "Fit the whole conversation", () => this.fit()), button("−", "Zoom out", () => this.zoom(0.5)), button("+", "Zoom in", () => this.zoom(2)),
        button("Selection", "Zoom to the selection", () => this.zoomTo(this.chosen))),
      h("div", { class: "stage" }, this.labels, this.view),
    );
    this.view.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    for (const [name, action] of [["pointerover", "hover"], ["focusin", "hover"], ["click", "choose"], ["dblclick", "zoomTo"]]) {
      this.svg.addEventListener(name, (event) => {
        const thing = this.things?.get(event.target.closest("g[data-id]")?.dataset.id);
        if (action === "hover") this.on.hover(thing ?? null);
        else if (thing && action === "choose") this.on.choose(thing);
        else if (thing) this.zoomTo(thing.id);
      });
    }
    this.svg.addEventListener("pointerleave", () => this.on.hover(null));
    this.svg.addEventListener("keydown", (event) => this.pressed(event));
    new ResizeObserver(() => this.doc && this.view.clientWidth !== this.drawn && this.draw()).observe(this.view);
  }

  legend() {
    const item = (name, text) => h("li", {}, h("i", { class: `swatch ${name}`, "aria-hidden": "true" }), text);
    return h("ul", { class: "legend" }, item("speech", "caller"), item("wait", "until the first output"), item("response", "response"), item("heard", "played"), item("tool", "tool, step"), item("cut", "cut off"));
  }

  update(doc) {
    const follow = this.rate !== null && this.view.scrollLeft + this.view.clientWidth >= this.view.scrollWidth - 8;
    this.doc = doc;
    const { spans, marks, now } = placed(doc);
    Object.assign(this, { spans, marks, now, order: [...spans, ...marks].sort((a, b) => a.from - b.from) });
    this.things = new Map(this.order.map((thing) => [thing.id, thing]));
    this.zero = Math.min(...[doc.began_at, ...this.order.map((thing) => thing.from)].filter((at) => at !== null));
    const ends = [...this.order.map((thing) => [thing.from, thing.to]), ...(doc.began_at === null ? [] : [[doc.began_at, doc.began_at]]), ...(now === null ? [] : [[now, now]])];
    this.parts = stretches(ends);
    this.element.hidden = !this.order.length;
    this.draw();
    if (follow) this.view.scrollLeft = this.view.scrollWidth;
  }

  // Scale ---------------------------------------------------------------------------------------------------

  least() {
    return fitting(this.parts, this.view.clientWidth - 2 * PAD);
  }

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
    this.draw();
    this.view.scrollLeft = this.scale.x(time) - place;
  }

  zoomTo(id) {
    const thing = this.things.get(id);
    if (!thing) return;
    this.rate = this.bounded((0.4 * this.view.clientWidth) / Math.max(thing.to - thing.from, 0.5));
    this.draw();
    this.show(thing);
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 300), event.clientX - this.view.getBoundingClientRect().left);
  }

  /** Scroll so that a thing can be seen. */
  show(thing) {
    const [from, to] = [this.scale.x(thing.from), this.scale.x(thing.to)];
    const { scrollLeft, clientWidth } = this.view;
    if (from < scrollLeft + PAD || Math.min(to, from + clientWidth / 2) > scrollLeft + clientWidth - PAD) this.view.scrollLeft = (from + Math.min(to, from + clientWidth)) / 2 - clientWidth / 2;
  }

  edges() {
    this.view.classList.toggle("more", this.view.scrollLeft > 2);
  }

  // Choosing ------------------------------------------------------------------------------------------------

  choose(id, focus = false) {
    this.chosen = id;
    for (const group of this.svg.querySelectorAll("g[data-id]")) {
      const mine = group.dataset.id === id;
      group.classList.toggle("chosen", mine);
      group.setAttribute("aria-pressed", mine);
      group.setAttribute("tabindex", mine ? 0 : -1);
      if (mine && focus) group.focus({ preventScroll: true });
    }
    const thing = this.things.get(id);
    if (thing) this.show(thing);
    else this.reachable();
  }

  /** One thing can be reached by the tab key, and from there all by arrows. */
  reachable() {
    if (!this.svg.querySelector('g[tabindex="0"]')) this.svg.querySelector("g[data-id]")?.setAttribute("tabindex", 0);
  }

  pressed(event) {
    const thing = this.things.get(event.target.dataset?.id);
    const keys = { "+": () => this.zoom(2), "=": () => this.zoom(2), "-": () => this.zoom(0.5), 0: () => this.fit(), Enter: () => this.on.choose(thing), " ": () => this.on.choose(thing) };
    const move = { ArrowRight: () => this.beside(thing, 1), ArrowLeft: () => this.beside(thing, -1), ArrowDown: () => this.across(thing, 1), ArrowUp: () => this.across(thing, -1) }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || !thing || !(keys[event.key] ?? move)) return;
    event.preventDefault();
    event.stopPropagation();
    if (keys[event.key]) return keys[event.key]();
    const to = move();
    if (!to) return;
    for (const group of this.svg.querySelectorAll("g[data-id]")) {
      group.setAttribute("tabindex", group.dataset.id === to.id ? 0 : -1);
      if (group.dataset.id === to.id) group.focus({ preventScroll: true });
    }
    this.show(to);
  }

  beside(thing, way) {
    return this.order[this.order.indexOf(thing) + way];
  }

  /** The thing of the next lane that is nearest in time. */
  across(thing, way) {
    const lanes = ["", ...Object.keys(LANES)].filter((name) => this.order.some((each) => (each.lane ?? "") === name));
    const name = lanes[lanes.indexOf(thing.lane ?? "") + way];
    const far = (each) => Math.abs(each.from - thing.from);
    return this.order.filter((each) => (each.lane ?? "") === name).sort((a, b) => far(a) - far(b))[0];
  }

  // Drawing -------------------------------------------------------------------------------------------------

  draw() {
    if (!this.order.length) return fill(this.svg);
    const focused = this.svg.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    this.drawn = this.view.clientWidth;
    if (this.rate !== null) this.rate = this.bounded(this.rate);
    this.scale = new Scale(this.parts, this.rate ?? this.least(), PAD);
    const lanes = Object.keys(LANES).filter((name) => this.spans.some((span) => span.lane === name));
    let y = AXIS;
    const rows = [];
    if (this.marks.length) rows.push({ text: "Notes", y, height: ROW, marks: this.marks });
    if (rows.length) y += ROW;
    for (const name of lanes) {
      const spans = this.spans.filter((span) => span.lane === name);
      const height = ROW * pack(spans, ROWS);
      rows.push({ text: LANES[name], y, height, spans });
      y += height;
    }
    const width = Math.max(this.scale.right + PAD, this.view.clientWidth);
    this.svg.classList.toggle("far", this.scale.rate < NEAR);
    for (const [name, value] of [["width", width], ["height", y + 2], ["viewBox", `0 0 ${width} ${y + 2}`]]) this.svg.setAttribute(name, value);
    this.labels.setAttribute("height", y + 2);
    fill(this.labels, rows.map((row) => s("text", { x: 0, y: row.y + ROW / 2 + 4 }, row.text)));
    fill(this.svg, this.patterns(), this.axis(y), rows.map((row) => this.row(row, width)), this.gaps(y), this.present(y));
    this.choosePainted();
    if (focused !== null) this.svg.querySelector(`g[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    this.edges();
  }

  choosePainted() {
    const group = this.chosen === null ? null : this.svg.querySelector(`g[data-id="${CSS.escape(this.chosen)}"]`);
    group?.classList.add("chosen");
    group?.setAttribute("tabindex", 0);
    this.reachable();
  }

  patterns() {
    const hatch = s("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, s("rect", { width: 2.5, height: 6, class: "hatch" }));
    return s("defs", {}, hatch);
  }

  axis(height) {
    const step = this.scale.step();
    const ticks = this.scale.ticks(this.zero).map((time) => {
      const x = this.scale.x(time);
      const text = offset(time - this.zero, step);
      return [s("line", { class: "tick", x1: x, x2: x, y1: AXIS - 6, y2: height }), this.room(x) > text.length * LETTER && s("text", { class: "time", x: x + 3, y: 13 }, text)];
    });
    const silences = this.scale.breaks().map(({ x, width, seconds }) => [
      s("rect", { class: "silence", x, width, y: AXIS, height: height - AXIS }),
      s("text", { class: "silent", x: x + width / 2, y: 13, "text-anchor": "middle" }, age(seconds)),
    ]);
    return s("g", { "aria-hidden": "true" }, ticks, silences);
  }

  /** The pixels to the next silence, or to the end. */
  room(x) {
    const next = this.scale.breaks().find((each) => each.x > x - 1);
    return (next ? next.x : Math.max(this.scale.right + PAD, this.view.clientWidth)) - x - 4;
  }

  row({ y, spans, marks }, width) {
    const line = s("line", { class: "rule", x1: 0, x2: width, y1: y, y2: y });
    return [line, spans ? spans.map((span) => this.span(span, y + span.row * ROW + (ROW - BAR) / 2)) : marks.map((mark) => this.mark(mark, y + ROW / 2))];
  }

  /** A group that can be reached, pointed at and chosen. */
  group(thing, name, ...shapes) {
    return s("g", { class: name, "data-id": thing.id, role: "button", tabindex: -1, "aria-pressed": thing.id === this.chosen, "aria-label": told(thing, this.zero) }, shapes);
  }

  span(span, y) {
    const x = this.scale.x(span.from);
    const right = Math.max(this.scale.x(span.to), x + 2);
    const bar = (name, from, to, more) => to > from && s("rect", { class: name, x: from, y, width: to - from, height: BAR, rx: 2, ...more });
    const first = [markOf(span, "first_token"), markOf(span, "first_audio")].filter((at) => at !== null);
    const begun = first.length ? this.scale.x(Math.min(...first)) : x;
    const cut = markOf(span, "interrupted");
    const heard = span.lane === "playback" && cut !== null ? Math.min(Math.max(this.scale.x(cut), x), right) : right;
    const room = right - Math.max(x, begun);
    const label = inert(span.lane === "tool" || span.lane === "run" || span.lane === "step" ? span.label : "");
    return this.group(
      span, `span ${span.lane} ${ending(span) ? "cut" : ""} ${span.running ? "running" : ""}`,
      s("rect", { class: "hit", x: x - 3, y: y - 3, width: right - x + 6, height: BAR + 6 }),
      bar("wait", x, begun), bar("bar", Math.min(begun, heard), heard), bar("unheard", heard, right), ending(span) && s("rect", { class: "flaw", x, y: y + BAR, width: right - x, height: 3 }), heard < right && bar("over", heard, right, { fill: "url(#hatch)" }),
      this.latency(span, y), this.ticksOf(span, y),
      label.length * LETTER + 8 < room && s("text", { class: "label", x: Math.max(x, begun) + 5, y: y + 12 }, label),
      ending(span) && s("text", { class: "end", x: right + 2, y: y + 13 }, ending(span)),
    );
  }

  /** How long the caller waited for this response: from the end of the turn to the first audio. */
  latency(span, y) {
    const heard = markOf(span, "first_audio");
    const waited = span.detail?.turn_latency_seconds;
    if (span.lane !== "response" || heard === null || typeof waited !== "number") return null;
    const [from, to] = [this.scale.x(heard - waited), this.scale.x(heard)];
    const text = duration(waited);
    return [s("line", { class: "latency", x1: from, x2: to, y1: y + BAR + 2.5, y2: y + BAR + 2.5 }), this.scale.x(span.from) - from > text.length * LETTER && s("text", { class: "waited", x: from + 1, y: y + 12 }, text)];
  }

  ticksOf(span, y) {
    return (span.marks ?? []).filter((mark) => mark.at !== null).map((mark) => {
      const x = this.scale.x(mark.at);
      if (mark.kind === "first_audio") return s("path", { class: "point", d: `M${x - 4} ${y - 3}h8l-4 6z` });
      if (mark.kind === "interrupted") return s("line", { class: "stop", x1: x, x2: x, y1: y - 3, y2: y + BAR + 3 });
      return s("line", { class: "point", x1: x, x2: x, y1: y, y2: y + BAR });
    });
  }

  mark(mark, y) {
    const x = this.scale.x(mark.from);
    return this.group(mark, `mark ${grave(mark) ? "grave" : ""}`, s("rect", { class: "hit", x: x - 10, y: y - 11, width: 20, height: 22 }), s("text", { x, y: y + 5, "text-anchor": "middle" }, sign(mark)));
  }

  /** Gaps and errors go through all lanes. */
  gaps(height) {
    return this.marks.filter(grave).map((mark) => s("line", { class: "through", x1: this.scale.x(mark.from), x2: this.scale.x(mark.from), y1: AXIS + ROW, y2: height }));
  }

  present(height) {
    return this.now !== null && s("line", { class: "now", x1: this.scale.x(this.now), x2: this.scale.x(this.now), y1: AXIS - 6, y2: height });
  }
}
