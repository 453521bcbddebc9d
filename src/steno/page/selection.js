// What is pointed at or chosen in a timeline, in words and numbers.

import { fill, h, inert, table, tr, upstream } from "./dom.js";
import {
  NONE,
  amount,
  bucket,
  count,
  duration,
  exactly,
  instant,
  moment,
  money,
  offset,
  percent,
  quantity,
  rate,
  words,
} from "./format.js";
import { lane, sign } from "./things.js";

const HINT = "Point at the timeline, or walk through it with the arrow keys. Enter keeps a choice.";

/** Show `thing`, a span or a mark, in `element`; undefined where nothing is chosen. `zero` is where its times begin. */
export function inspect(element, thing, zero) {
  if (!thing) return fill(element, h("h2", "Selection"), h("p.soft", HINT));
  const name = thing.lane ? lane(thing) : `${sign(thing)} ${words(thing.kind)}`;
  const lines = [...(thing.lane ? spanLines(thing, zero) : markLines(thing, zero)), ...detailLines(thing)];
  fill(
    element,
    h("h2", name, " ", h("span.soft", upstream(thing.label))),
    h(
      "dl.details",
      lines.map(([term, value]) => h("div", h("dt", term), h("dd", value))),
    ),
    thing.cost?.usd || thing.tokens?.length ? price(thing) : null,
  );
}

const markLines = (mark, zero) => (mark.at === null ? [] : [["at", place(mark.at, zero)]]);

function spanLines(span, zero) {
  const since = (at) => {
    if (at === null) return NONE;
    return span.begin === null ? offset(at - zero, 0.01) : `+ ${duration(at - span.begin)}`;
  };
  return [
    ...(span.status ? [["status", words(span.status)]] : []),
    ["begins", span.begin === null ? "not seen" : place(span.begin, zero)],
    ["lasts", lasting(span)],
    ...(span.marks ?? []).map((mark) => [words(mark.kind), since(mark.at)]),
  ];
}

const place = (at, zero) => `${offset(at - zero, 0.01)} (${instant(at)})`;

/** How long a span lasted, as far as that is known. */
export function lasting(span) {
  if (span.running) return "still going";
  return span.begin === null || span.end === null ? NONE : duration(span.end - span.begin);
}

function detailLines(thing) {
  const known = Object.entries(thing.detail ?? {}).filter(
    ([name, value]) => value !== null && value !== "" && value !== thing.label && !DRAWN.includes(name),
  );
  return known.map(([name, value]) => {
    const [, stem, unit] = typeof value === "number" ? (/^(.*)_(seconds|ms|at|ratio)$/.exec(name) ?? []) : [];
    return UNITS[unit] ? [inert(words(stem)), UNITS[unit](value)] : [inert(words(name)), plainly(value)];
  });
}

// Members of details that the span itself shows.
const DRAWN = ["duration_seconds", "time_to_first_token_seconds", "time_to_first_audio_seconds"];
// Members of details whose names say their unit.
const UNITS = { seconds: duration, ms: (value) => duration(value / 1000), at: moment, ratio: percent };

function plainly(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" ? count(value) : upstream(value);
}

/** The calculation of a price: what was counted, at which rates. Without a price: what was counted. */
function price(thing) {
  const counted = thing.cost?.lines ?? [];
  const line = (each) => [bucket(each), quantity(each), rate(each), exactly(amount(each))];
  const tokens = (each) => [bucket(each), count(each.tokens), "", ""];
  const heads = ["What", "#How much", "#Rate", "#USD"];
  return table(
    "Price",
    heads,
    counted.length ? counted.map(line) : thing.tokens.map(tokens),
    thing.cost ? [sum(thing.cost)] : [],
  );
}

function sum(cost) {
  const of = cost.unpriced ? `no price: ${words(cost.unpriced)}` : ["price of ", upstream(cost.model ?? "no tokens")];
  return tr("tr.sum", [of, "", "", money(cost.usd)], [false, true, true, true]);
}
