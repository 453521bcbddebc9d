// A conversation as tables: the money of each response, and all that the timeline shows.

import { fill, h, inert, setText, table, tr, upstream } from "./dom.js";
import { NONE, count, money, offset, plural, words } from "./format.js";
import { lasting } from "./selection.js";
import { grave, lane, markOf, outcome, sign } from "./things.js";

const sum = (buckets, direction) =>
  (buckets ?? []).filter((each) => each.direction === direction).reduce((all, each) => all + each.tokens, 0);

/** Show what each of `spans` cost, and `totals`, in `element`. `choose` is called with the id of a span. */
export function paintMoney(element, spans, totals, zero, choose) {
  const row = (span) => {
    const button = h(
      "button.when",
      { type: "button", title: "Show with its rates", onclick: () => choose(span.id) },
      offset(span.from - zero),
    );
    const status = outcome(span) && h("span.tag", inert(words(outcome(span))));
    const cost = span.cost?.unpriced ? h("span.warn", inert(words(span.cost.unpriced))) : money(span.cost?.usd);
    const cells = [
      button,
      [upstream(span.cost?.model ?? span.label), status],
      count(sum(span.tokens, "input")),
      count(sum(span.tokens, "output")),
      cost,
    ];
    const made = tr("tr", cells, NUMBERS);
    made.dataset.id = span.id;
    return made;
  };
  const total = h("span", { title: totals.cost_usd && `$${totals.cost_usd}` }, money(totals.cost_usd));
  const foot = tr(
    "tr.sum",
    ["Total", "", count(sum(totals.tokens, "input")), count(sum(totals.tokens, "output")), total],
    NUMBERS,
  );
  const unpriced = Object.entries(totals.unpriced ?? {}).map(([reason, n]) => `${words(reason)} (${count(n)})`);
  const priced = spans.filter((span) => span.cost || span.tokens?.length);
  fill(
    element,
    h("h2", "Money"),
    h("div.wide", table("What each response cost", HEADS, [...priced.map(row), ...besides(priced, totals)], [foot])),
    unpriced.length > 0 && h("p.warn", `Without a price: ${inert(unpriced.join(", "))}.`),
  );
}

/** The row of what no span has: transcriptions, above all. */
function besides(spans, totals) {
  const all = (what) => spans.reduce((found, span) => found + what(span), 0);
  const [input, output] = ["input", "output"].map(
    (way) => sum(totals.tokens, way) - all((span) => sum(span.tokens, way)),
  );
  const usd = Number(totals.cost_usd ?? 0) - all((span) => Number(span.cost?.usd ?? 0));
  if (input <= 0 && output <= 0) return [];
  return [["", "besides, such as transcriptions", count(input), count(output), money(Math.max(0, usd))]];
}

const HEADS = ["At", "Model", "#Tokens in", "#out", "#USD"];
const NUMBERS = HEADS.map((head) => head.startsWith("#"));

/** A table of all spans and marks, made when it is opened. */
export class AllAsTable {
  constructor() {
    this.summary = h("summary");
    this.body = h("div.wide");
    this.element = h("details.as-table", { ontoggle: () => this.paint() }, this.summary, this.body);
    this.things = [];
  }

  /** Show `things`, spans and marks, with times from `zero` on. */
  update(things, zero) {
    Object.assign(this, { things, zero });
    setText(this.summary, `All of it as a table (${plural(things.length, "row")})`);
    this.paint();
  }

  paint() {
    if (!this.element.open) return fill(this.body);
    const at = (time) => (time === null || time === undefined ? NONE : offset(time - this.zero, 0.01));
    const detail = (thing) =>
      Object.entries(thing.detail ?? {})
        .filter(([, value]) => value !== null)
        .map(([name, value]) => `${words(name)} ${value}`);
    const span = (each) => [
      at(each.begin),
      lane(each),
      upstream(each.label),
      lasting(each),
      words(each.status ?? ""),
      at(markOf(each, "first_token")),
      at(markOf(each, "first_audio")),
      upstream(detail(each).join(", ")),
    ];
    const mark = (each) => [
      at(each.at),
      h(grave(each) ? "span.bad" : "span", `${sign(each)} ${words(each.kind)}`),
      upstream(each.label),
      "",
      "",
      "",
      "",
      upstream(detail(each).join(", ")),
    ];
    const heads = ["#At", "Lane", "What", "#Lasts", "Status", "#First token", "#First audio", "Details"];
    fill(
      this.body,
      table(
        "Timeline",
        heads,
        this.things.map((each) => (each.lane ? span(each) : mark(each))),
      ),
    );
  }
}
