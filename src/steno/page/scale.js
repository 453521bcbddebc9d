// The scale of a timeline: from time to a place in the picture. Long silences are cut out, and shown as such.

const SILENCE_SECONDS = 600; // what is shorter is part of a call
const BREAK_WIDTH = 64;
const TICK_WIDTH = 84;
const STEPS = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 86400,
];
const TICKS_MOST = 1000; // a thread may last for years, and a wrong clock for millennia

/** Return stretches [from, to] of time in which something happens, in order, from spans [from, to] in any order. */
export function stretches(spans) {
  const found = [];
  for (const [from, to] of [...spans].sort((a, b) => a[0] - b[0])) {
    const last = found.at(-1);
    if (last && from - last[1] <= SILENCE_SECONDS) last[1] = Math.max(last[1], to);
    else found.push([from, to]);
  }
  return found;
}

/** A scale of `rate` pixels a second over `parts`, as `stretches` returns them, from the pixel `left` on. */
export class Scale {
  constructor(parts, rate, left) {
    let x = left;
    this.rate = rate;
    this.parts = parts.map(([from, to]) => {
      const part = { from, to, x };
      x += (to - from) * rate + BREAK_WIDTH;
      return part;
    });
    this.right = x - BREAK_WIDTH;
  }

  /** The place of a point in time. In a silence it is that part of the gap. */
  x(time) {
    let part = this.parts[0];
    for (const each of this.parts) if (each.from <= time) part = each;
    const after = this.parts[this.parts.indexOf(part) + 1];
    if (time <= part.to || !after) return part.x + (time - part.from) * this.rate;
    return part.x + (part.to - part.from) * this.rate + (BREAK_WIDTH * (time - part.to)) / (after.from - part.to);
  }

  /** The point in time at a place. */
  time(x) {
    let part = this.parts[0];
    for (const each of this.parts) if (each.x <= x) part = each;
    return Math.min(part.from + (x - part.x) / this.rate, part.to);
  }

  /** The silences: where each is, how wide, and how long. */
  breaks() {
    return this.parts
      .slice(1)
      .map((part, i) => ({ x: part.x - BREAK_WIDTH, width: BREAK_WIDTH, seconds: part.from - this.parts[i].to }));
  }

  /** The distance of two ticks, in seconds. */
  step() {
    const seconds = this.parts.reduce((sum, { from, to }) => sum + to - from, 0);
    const least = Math.max(TICK_WIDTH / this.rate, seconds / TICKS_MOST);
    const longest = STEPS.at(-1);
    return STEPS.find((step) => step >= least) ?? longest * 10 ** Math.ceil(Math.log10(least / longest));
  }

  /** Points in time that get a tick, counted from `zero`. */
  ticks(zero) {
    const step = this.step();
    const found = [];
    for (const { from, to } of this.parts) {
      for (let n = Math.ceil((from - zero) / step - 1e-9); zero + n * step <= to + 1e-9; n++)
        found.push(zero + n * step);
    }
    return found;
  }
}

/** The rate at which `parts` fill `width`. */
export function fitting(parts, width) {
  const seconds = parts.reduce((sum, [from, to]) => sum + to - from, 0);
  return Math.max(1, width - (parts.length - 1) * BREAK_WIDTH) / Math.max(seconds, 0.5);
}

/** Lay spans into as few rows as keep them apart, `most` at most; set `row` of each, and return how many there are. */
export function pack(spans, most) {
  const ends = [];
  for (const span of spans) {
    let row = ends.findIndex((end) => end <= span.from);
    if (row < 0) row = ends.length < most ? ends.length : most - 1;
    ends[row] = Math.max(ends[row] ?? -Infinity, span.to);
    span.row = row;
  }
  return Math.max(1, ends.length);
}
