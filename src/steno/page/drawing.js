// Draws a timeline as SVG. The places come from a scale; colours are those of the style sheet.

import { inert, s } from "./dom.js";
import { age, duration, offset } from "./format.js";
import { pack } from "./scale.js";
import { LANES, doubleTalk, ending, grave, markOf, rowsWithin, sign, told } from "./things.js";

const ROW = 24; // pixels, as all below
const BAR = 16;
const AXIS = 24;
const LETTER = 6.4;
const LEAST = 2; // the width of what lasts next to nothing
const NEAR = 3; // pixels a second from which on the signs of single spans can be told apart
const ROWS = 5; // of what goes on at the same time in a lane
const LABELLED = ["tool", "delegation", "run", "step", "pause"];
const NAME = 11; // letters of the name of a row

/** The rows of a timeline from top to bottom: `{ text, y, height, spans or marks }`. */
export function rowsOf(spans, marks) {
  let y = AXIS;
  const rows = [];
  const add = (text, lines, more) => {
    rows.push({ text, y, height: ROW * lines, ...more });
    y += ROW * lines;
  };
  if (marks.length) add("Notes", 1, { marks });
  for (const [lane, [text]] of Object.entries(LANES)) {
    const own = spans.filter((span) => span.lane === lane);
    for (const within of own.length ? rowsWithin(own) : [])
      add(within.name ? `· ${short(within.name)}` : text, pack(within.own, ROWS), { spans: within.own });
  }
  return rows;
}

const short = (name) => inert(name.length > NAME ? `${name.slice(0, NAME - 1)}…` : name);

export const labels = (rows) => rows.map((row) => s("text", { x: 0, y: row.y + ROW / 2 + 4 }, row.text));

/** A drawing of `rows` on `scale`, `width` pixels wide. `zero` is where times begin, `now` where they end, or null. */
export class Drawing {
  constructor(rows, scale, width, zero, now) {
    Object.assign(this, { rows, scale, width, zero, now, near: scale.rate >= NEAR });
    this.both = doubleTalk(rows.flatMap((row) => row.spans ?? []).sort((a, b) => a.from - b.from));
    const last = rows.at(-1);
    this.height = last.y + last.height + 2;
  }

  /** The shapes of what is between two places. */
  shapes(left, right) {
    this.seen = ({ from, to }) => this.scale.x(to) >= left && this.scale.x(from) <= right;
    const marks = this.rows.flatMap((row) => row.marks ?? []).filter(this.seen);
    return [
      hatch(),
      this.axis(),
      this.rows.map((row) => this.row(row)),
      marks.filter(grave).map((mark) => this.line("through", mark.at, AXIS + ROW)),
      this.now !== null && this.line("now", this.now, AXIS - 6),
    ];
  }

  /** A line down through all lanes. */
  line(name, time, from) {
    const x = this.scale.x(time);
    return s("line", { class: name, x1: x, x2: x, y1: from, y2: this.height });
  }

  axis() {
    const step = this.scale.step();
    const silences = this.scale.breaks();
    const ticks = this.scale.ticks(this.zero).filter((time) => this.seen({ from: time, to: time }));
    const room = (x) => (silences.find((each) => each.x > x - 1)?.x ?? this.width) - x - 4;
    const tick = (time) => {
      const [x, text] = [this.scale.x(time), offset(time - this.zero, step)];
      return [
        this.line("tick", time, AXIS - 6),
        room(x) > text.length * LETTER && s("text", { x: x + 3, y: 13 }, text),
      ];
    };
    const silence = ({ x, width, seconds }) => [
      s("rect.silence", { x, width, y: AXIS, height: this.height - AXIS }),
      s("text.silent", { x: x + width / 2, y: 13, "text-anchor": "middle" }, age(seconds)),
    ];
    return s("g", { "aria-hidden": "true" }, ticks.map(tick), silences.map(silence));
  }

  row({ y, spans, marks }) {
    const rule = s("line.rule", { x1: 0, x2: this.width, y1: y, y2: y });
    if (marks) return [rule, marks.filter(this.seen).map((mark) => this.mark(mark, y + ROW / 2))];
    const next = []; // the place of the next span of each line, from the right
    const drawn = spans
      .filter(this.seen)
      .toReversed()
      .map((span) => {
        const shape = this.span(span, y + span.row * ROW + (ROW - BAR) / 2, next[span.row] ?? this.width);
        next[span.row] = this.scale.x(span.from);
        return shape;
      });
    return [rule, drawn.reverse()];
  }

  /** A group that can be reached, pointed at and chosen. */
  group(thing, name, ...shapes) {
    return s(
      "g",
      { class: name, "data-id": thing.id, role: "button", tabindex: -1, "aria-label": told(thing, this.zero) },
      shapes,
    );
  }

  mark(mark, y) {
    const x = this.scale.x(mark.at);
    const hit = s("rect.hit", { x: x - 10, y: y - 11, width: 20, height: 22 });
    return this.group(
      mark,
      grave(mark) ? "mark grave" : "mark",
      hit,
      s("text", { x, y: y + 5, "text-anchor": "middle" }, sign(mark)),
    );
  }

  /**
   * A bar: up to the first output, from there to the end; of playback, what was heard and what was not. `next` is where
   * the next one begins.
   */
  span(span, y, next) {
    const x = this.scale.x(span.from);
    const right = Math.max(this.scale.x(span.to), x + LEAST);
    const within = (time, otherwise) => (time === null ? otherwise : Math.min(Math.max(this.scale.x(time), x), right));
    const firsts = ["first_token", "first_audio"].map((kind) => markOf(span, kind)).filter((at) => at !== null);
    const begun = firsts.length ? within(Math.min(...firsts)) : x;
    const heard = span.lane === "playback" ? within(markOf(span, "interrupted"), right) : right;
    const bar = (name, from, to, more) =>
      to > from && s("rect", { class: name, x: from, y, width: to - from, height: BAR, rx: 2, ...more });
    return this.group(
      span,
      `span ${span.lane}${span.running ? " running" : ""}`,
      s("rect.hit", { x: x - 3, y: y - 3, width: right - x + 6, height: BAR + 6 }),
      bar("wait", x, begun),
      bar("bar", Math.min(begun, heard), heard),
      bar("unheard", heard, right),
      bar("unheard", heard, right, { fill: "url(#hatch)", class: "hatched" }),
      (this.both.get(span.id) ?? []).map(([from, to]) => bar("both", this.scale.x(from), this.scale.x(to))),
      this.near && [this.latency(span, y), this.points(span, y)],
      this.label(span, y, Math.max(begun, x), right, next),
      ending(span) &&
        (this.near
          ? s("text.end", { x: right + 2, y: y + 13 }, ending(span))
          : s("rect.flaw", { x, y: y + BAR, width: right - x, height: 3 })),
    );
  }

  /** What a span is called: in it, or beside it, where there is room. */
  label(span, y, from, right, next) {
    const text = LABELLED.includes(span.lane) ? inert(span.label) : "";
    const width = text.length * LETTER + 8;
    const beside = right + (ending(span) ? 12 : 0);
    if (text && width < right - from) return s("text.label", { x: from + 5, y: y + 12 }, text);
    return text && width < next - beside && s("text.label", { x: beside + 4, y: y + 12 }, text);
  }

  /** How long the caller waited: from the end of the turn to the first audio, or to when the model spoke. */
  latency(span, y) {
    const first = span.lane === "voice" ? span.begin : span.lane === "response" ? markOf(span, "first_audio") : null;
    const waited = span.detail?.turn_latency_seconds;
    if (first === null || typeof waited !== "number") return null;
    const [from, to, text] = [this.scale.x(first - waited), this.scale.x(first), duration(waited)];
    const room = this.scale.x(span.from) - from;
    return [
      s("line.latency", { x1: from, x2: to, y1: y + BAR + 2.5, y2: y + BAR + 2.5 }),
      room > text.length * LETTER && s("text.waited", { x: from + 1, y: y + 12 }, text),
    ];
  }

  /** The points that a span reached. */
  points(span, y) {
    const point = ({ kind, at }) => {
      const x = this.scale.x(at);
      if (kind === "first_audio") return s("path.point", { d: `M${x - 4} ${y - 3}h8l-4 6z` });
      const [name, over] = kind === "interrupted" ? ["stop", 3] : ["point", 0];
      return s("line", { class: name, x1: x, x2: x, y1: y - over, y2: y + BAR + over });
    };
    return (span.marks ?? []).filter((mark) => mark.at !== null).map(point);
  }
}

/** The pattern of what was made and not heard. */
function hatch() {
  const pattern = s(
    "pattern",
    { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    s("rect.hatch", { width: 2.5, height: 6 }),
  );
  return s("defs", pattern);
}
