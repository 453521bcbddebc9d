// The columns of the table of conversations: how each is named, sorted and shown.

import { aloud, fill, h, inert, seen, upstream } from "./dom.js";
import { NONE, age, count, duration, moment, money, plural, words } from "./format.js";

const STATES = {
  speaking: "●",
  waiting: "◔",
  responding: "▶",
  tool: "◆",
  listening: "○",
  paused: "‖",
  running: "▶",
  idle: "·",
  closed: "■",
};
const END = 8; // characters of a key that are always shown

/** What a conversation does at the moment: a shape and a word. */
export function state(row) {
  const why = row.closed_reason ? `closed: ${words(row.closed_reason)}` : "";
  const sign = h("span.sign", { "aria-hidden": "true" }, STATES[row.state] ?? "·");
  return h(
    "span",
    { class: `state ${row.state}`, title: why || null },
    sign,
    words(row.state),
    row.closed_reason && aloud(`, ${words(row.closed_reason)}`),
  );
}

/** What went wrong in a conversation, in words. */
export function trouble(row) {
  const found = [
    row.errors > 0 && h("span.bad", seen("✕ "), plural(row.errors, "error")),
    row.gaps > 0 && h("span.warn", seen("‖ "), plural(row.gaps, "gap")),
    row.unanswered_turns > 0 && h("span.warn", seen("○ "), `${count(row.unanswered_turns)} unanswered`),
    row.rejected > 0 && h("span.warn", seen("▽ "), `${count(row.rejected)} rejected`),
  ].filter(Boolean);
  return found.length ? found : h("span.soft", NONE);
}

/** The money of a conversation, and that some of it is not known. */
export function cost(row) {
  const unpriced = Object.entries(row.unpriced ?? {}).map(([reason, n]) => `${n} ${words(reason)}`);
  if (!unpriced.length) return money(row.cost_usd);
  const known = row.cost_usd !== null;
  const why = `without a price: ${unpriced.join(", ")}`;
  return [known && money(row.cost_usd), h("span.warn", { title: why }, known ? " + ?" : "no price", aloud(`, ${why}`))];
}

function tools({ tool_calls: { open, done, failed } }) {
  if (!open && !done && !failed) return NONE;
  return [
    count(done),
    failed > 0 && h("span.bad", ` ✕ ${count(failed)}`, aloud(" failed")),
    open > 0 && h("span.soft", ` + ${count(open)} open`),
  ];
}

/** The key, as a link. Where it is too long, its middle goes: its end is what differs. */
function named(row) {
  const slash = row.key.lastIndexOf("/");
  const end = row.key.length - slash <= END ? slash : Math.max(row.key.length - END, 0);
  const href = `#/conversation/${encodeURIComponent(row.key)}`;
  return h(
    "a.key",
    { href, title: inert(row.key) },
    h("bdi.front", inert(row.key.slice(0, end))),
    h("bdi", inert(row.key.slice(end))),
  );
}

function origin(row) {
  const labels = Object.entries(row.labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
  return [upstream(row.source), labels && h("span.soft.labels", { title: labels }, labels)];
}

const model = (row) => (row.model ? upstream(row.model) : h("span.soft", words(row.family)));
const tokens = (row) => [count(row.tokens.input), h("span.soft", " / "), count(row.tokens.output)];

/**
 * A column: `sort` is its field of the API, with a minus where the largest comes first; `of` is what it shows of a row,
 * and `show` shows it. `title` explains the head.
 */
const text = (id, label, sort, of, show, title) => ({ id, label, sort, of, show, title, number: false });
const number = (...column) => ({ ...text(...column), number: true });

export const COLUMNS = [
  text("state", "State", "state", (row) => [row.state, row.closed_reason], state),
  text("key", "Conversation", "key", (row) => row.key, named),
  text("source", "Source", "source", (row) => [row.source, row.labels], origin),
  text("model", "Model", "model", (row) => [row.model, row.family], model),
  number(
    "age",
    "Age",
    "age_seconds",
    (row) => [row.opened_at, row.open],
    (row) => h("time", { title: `opened ${moment(row.opened_at)}` }, age(row.age_seconds)),
  ),
  number(
    "turns",
    "Turns",
    "-turns",
    (row) => row.turns,
    (row) => count(row.turns),
  ),
  number(
    "last",
    "Latency",
    null,
    (row) => row.turn_latency_seconds.last,
    (row) => duration(row.turn_latency_seconds.last),
    "Turn latency: the last one",
  ),
  number(
    "worst",
    "Worst",
    "-turn_latency_seconds",
    (row) => row.turn_latency_seconds.worst,
    (row) => duration(row.turn_latency_seconds.worst),
    "Turn latency: the worst one",
  ),
  number(
    "cut",
    "Cut off",
    "-interruptions",
    (row) => row.interruptions,
    (row) => count(row.interruptions),
    "Responses that were broken off",
  ),
  number("tools", "Tools", "-tool_calls", (row) => row.tool_calls, tools, "Tool calls: done, failed, open"),
  number("tokens", "Tokens in / out", "-tokens", (row) => row.tokens, tokens),
  number("cost", "Cost", "-cost_usd", (row) => [row.cost_usd, row.unpriced], cost),
  text(
    "trouble",
    "Trouble",
    "-errors",
    (row) => [row.errors, row.gaps, row.unanswered_turns, row.rejected],
    trouble,
    "Errors, gaps, unanswered turns, rejected events",
  ),
];

/** The field of a sort. */
export const field = (sort) => sort.replace("-", "");

/** The same sort, the other way round. */
export const turned = (sort) => (sort.startsWith("-") ? field(sort) : `-${sort}`);

/** What rows are sorted by, for comparison. */
export function placeOf(row, sort) {
  const column = COLUMNS.find((each) => each.sort && field(each.sort) === field(sort));
  return JSON.stringify(column ? column.of(row) : null);
}

/** An empty row. Roles are said, since narrow windows show rows as cards. */
export function makeRow() {
  const cell = ({ id, label, number }) => {
    const key = id === "key";
    const kind = `c-${id}${number ? " number" : ""}`;
    return h(key ? "th" : "td", {
      role: key ? "rowheader" : "cell",
      scope: key ? "row" : null,
      class: kind,
      "data-label": label,
    });
  };
  return h("tr", { role: "row" }, COLUMNS.map(cell));
}

/** Paint the cells of a row whose content has changed. */
export function paintRow(element, row) {
  element.classList.toggle("over", !row.open);
  COLUMNS.forEach((column, i) => {
    const cell = element.children[i];
    const print = JSON.stringify(column.of(row)) ?? "";
    if (cell.print === print) return;
    cell.print = print;
    fill(cell, column.show(row));
    cell.classList.toggle("none", cell.textContent === NONE);
  });
}
