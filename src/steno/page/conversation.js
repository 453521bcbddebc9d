// One conversation: its timeline, what was said, and what it cost.

import * as api from "./api.js";
import { cost, state, trouble } from "./conversations.js";
import { aloud, fill, h, inert, reconcile, seen, selecting, setText, typing, upstream } from "./dom.js";
import { NONE, age, bucket, count, duration, instant, moment, money, offset, plural, rate, words } from "./format.js";
import { Timeline, grave, lane, markOf, sign } from "./timeline.js";

const LONGEST = 2000; // characters of a line that are shown at first
const AGAIN_SECONDS = 1;
const WHO = { user: "Caller", assistant: "Assistant", system: "System", tool: "Tool" };
const WITHHELD = "What was said is shown to who has the token (http.token).";
const KEPT_BACK = {
  none: "The content policy keeps what was said out of every output: audit.content is none.",
  redacted: "What looks like personal data was taken out: audit.content is redacted.",
};

export function conversationView(key, shell) {
  let doc = null;
  let chosen = null;
  let ended = false;
  let stopFollowing = null;
  let timer = 0;
  let askedAt = 0;
  let held = false;
  let shape = "";

  const heading = h("h1", {}, upstream(key));
  const facts = h("dl", { class: "facts" });
  const picture = new Timeline({ hover: (thing) => inspect(thing ?? find(chosen)), choose: (thing) => choose(thing.id) });
  const inspector = h("section", { class: "inspector", "aria-label": "Selection" });
  const lines = h("ol", { class: "transcript" });
  const policy = h("div", { class: "policy" });
  const moneyPart = h("section", { class: "money" });
  const asTable = h("details", { class: "as-table", ontoggle: () => paintTable() });
  const body = h(
    "div", { class: "body", hidden: true },
    picture.element,
    h("div", { class: "columns" },
      h("section", { class: "said" }, h("h2", {}, "Transcript"), policy, lines),
      h("div", { class: "side" }, inspector, moneyPart)),
    asTable,
  );
  const element = h("article", { class: "conversation" }, h("nav", {}, h("a", { href: "#/", class: "back" }, "‹ All conversations")), h("header", {}, heading, facts), body);

  // What is linked to what ------------------------------------------------------------------------------------

  const entryId = (entry, i) => `${entry.item_id ?? ""} ${entry.kind} ${i}`;
  const find = (id) => (id === null ? undefined : picture.things?.get(id));

  /** The span of a line of the transcript: the one of its item, else the one in which it was said. */
  function spanOf(entry) {
    const of = (span) => span.id === entry.item_id || Object.entries(span.detail ?? {}).some(([name, value]) => /item_id|call_id|message_id/.test(name) && value === entry.item_id);
    const own = entry.item_id === null ? undefined : picture.spans.find((span) => of(span) && suits(span, entry)) ?? picture.spans.find(of);
    if (own || entry.at === null) return own;
    const near = picture.spans.filter((span) => suits(span, entry) && span.from <= entry.at + 0.5 && entry.at - 30 <= span.to);
    return near.sort((a, b) => Math.abs(a.from - entry.at) - Math.abs(b.from - entry.at))[0];
  }

  function suits(span, entry) {
    if (entry.kind.startsWith("tool")) return span.lane === "tool";
    return entry.role === "user" ? span.lane === "speech" : span.lane === "response" || span.lane === "run" || span.lane === "step";
  }

  function choose(id, from) {
    chosen = id === chosen && !from ? null : id;
    picture.choose(chosen, !from && chosen !== null);
    inspect(find(chosen));
    markLines(from !== "line");
    for (const row of moneyPart.querySelectorAll("tr[data-id]")) row.classList.toggle("chosen", row.dataset.id === chosen);
  }

  function markLines(scroll) {
    let first = null;
    for (const line of lines.children) {
      const mine = chosen !== null && line.span === chosen;
      line.classList.toggle("chosen", mine);
      if (mine) first ??= line;
    }
    if (!scroll || !first) return;
    const [box, line] = [lines.getBoundingClientRect(), first.getBoundingClientRect()];
    if (line.top < box.top || line.bottom > box.bottom) lines.scrollTop += line.top - box.top - box.height / 3; // the page itself stays
  }

  // The head --------------------------------------------------------------------------------------------------

  function paintFacts(row) {
    const fact = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value.flat()));
    const { last, worst } = row.turn_latency_seconds;
    const { open, done, failed } = row.tool_calls;
    fill(
      facts,
      fact("State", state(row)), fact("Source", upstream(row.source)), row.model && fact("Model", upstream(row.model)),
      fact("Opened", h("time", {}, moment(row.opened_at))), fact(row.open ? "Age" : "Lasted", age(row.age_seconds)),
      fact("Turns", count(row.turns)), fact("Latency", `${duration(last)}, worst ${duration(worst)}`), fact("Cut off", count(row.interruptions)),
      fact("Tools", `${count(done)} done${failed ? `, ${count(failed)} failed` : ""}${open ? `, ${count(open)} open` : ""}`),
      fact("Tokens", `${count(row.tokens.input)} in, ${count(row.tokens.output)} out`), fact("Cost", cost(row)), fact("Trouble", h("span", { class: "parts" }, trouble(row))),
      Object.entries(row.labels ?? {}).map(([name, value]) => fact(name, upstream(value))),
    );
  }

  // The selection ---------------------------------------------------------------------------------------------

  function inspect(thing) {
    if (!thing) return fill(inspector, h("h2", {}, "Selection"), h("p", { class: "soft" }, "Point at the timeline, or walk through it with the arrow keys. Enter keeps a choice."));
    const rows = [];
    const row = (name, value) => value !== null && value !== "" && rows.push(h("div", {}, h("dt", {}, name), h("dd", {}, value)));
    const zero = picture.zero;
    if (thing.lane) {
      row("status", thing.status && words(thing.status));
      row("begins", thing.begin === null ? "not seen" : `${offset(thing.begin - zero, 0.01)} (${instant(thing.begin)})`);
      row("lasts", thing.running ? "still going" : duration(thing.to - thing.from));
      for (const mark of thing.marks ?? []) row(words(mark.kind), mark.at === null ? NONE : thing.begin === null ? offset(mark.at - zero, 0.01) : `+ ${duration(mark.at - thing.begin)}`);
    } else row("at", `${offset(thing.from - zero, 0.01)} (${instant(thing.from)})`);
    for (const [name, value] of Object.entries(thing.detail ?? {})) row(words(name).replace(/ seconds$/, ""), value === null ? null : / ?seconds$/.test(words(name)) && typeof value === "number" ? duration(value) : upstream(typeof value === "number" ? count(value) : value));
    fill(
      inspector,
      h("h2", {}, thing.lane ? lane(thing) : [sign(thing), " ", words(thing.kind)], " ", h("span", { class: "soft" }, upstream(thing.label))),
      h("dl", { class: "details" }, rows),
      thing.cost?.usd || thing.tokens?.length ? price(thing) : null,
    );
  }

  // The transcript --------------------------------------------------------------------------------------------

  function paintTranscript() {
    const { content, transcript } = doc;
    setPolicy(content);
    const items = transcript.map((entry, i) => ({ entry, id: entryId(entry, i) }));
    reconcile(lines, items, (item) => item.id, () => h("li"), (line, { entry }) => {
      const span = spanOf(entry);
      line.span = span?.id ?? null;
      const print = JSON.stringify([entry, picture.zero, content, line.span]);
      if (line.print === print) return;
      line.print = print;
      paintLine(line, entry);
    });
    if (!transcript.length) fill(lines, h("li", { class: "soft" }, "Nothing was said so far."));
    else if (!lines.firstElementChild.print) lines.firstElementChild.remove();
    markLines(false);
  }

  function setPolicy(content) {
    if (policy.dataset.content === content) return;
    policy.dataset.content = content;
    fill(policy, content === "withheld" ? shell.signInForm(WITHHELD) : KEPT_BACK[content] ? h("p", { class: "soft" }, KEPT_BACK[content]) : null);
    if (content === "full" || content === "redacted") shell.signedIn();
  }

  function paintLine(line, entry) {
    const tool = entry.kind.startsWith("tool");
    const who = tool ? (entry.kind === "tool_call" ? "Tool call" : "Tool result") : entry.role === "user" && entry.kind === "text" ? "User" : (WHO[entry.role] ?? words(entry.role ?? "unknown"));
    line.className = `${entry.role ?? ""} ${entry.kind} ${line.span ? "linked" : ""}`;
    const when = entry.at === null ? NONE : offset(entry.at - picture.zero);
    const time = line.span ? h("button", { type: "button", class: "when", title: "Show in the timeline" }, when) : h("span", { class: "when" }, when);
    const status = entry.status && entry.status !== "completed" ? h("span", { class: "tag" }, words(entry.status)) : null;
    fill(line, time, h("div", {}, h("span", { class: "who" }, who, status), h("p", { class: "text" }, said(entry))));
  }

  /** The text of a line. What the caller did not hear of it is struck. */
  function said(entry) {
    if (entry.text === null) return h("span", { class: "soft" }, entry.characters === null ? "no text was seen" : `${plural(entry.characters, "character")} not shown`);
    if (entry.heard === null || entry.heard === entry.text) return long(entry.text);
    const unheard = (text) => text && h("s", {}, aloud("not heard: "), long(text));
    if (entry.text.startsWith(entry.heard)) return [entry.heard && long(entry.heard), unheard(entry.text.slice(entry.heard.length))];
    return [unheard(entry.text), h("span", { class: "soft" }, " heard: "), long(entry.heard)];
  }

  function long(text) {
    if (text.length <= LONGEST) return upstream(text);
    const all = upstream(text.slice(0, LONGEST));
    const more = h("button", { type: "button", class: "more", onclick: (event) => { event.stopPropagation(); setText(all, inert(text)); more.remove(); } }, `… show all ${count(text.length)} characters`);
    return [all, more];
  }

  // The money -------------------------------------------------------------------------------------------------

  function price(thing) {
    const counted = thing.cost?.lines ?? [];
    const line = (each) => h("tr", {}, h("td", {}, bucket(each)), h("td", { class: "number" }, each.per === "token" ? count(each.quantity) : `${each.quantity} ${each.per === "minute" ? "min" : "s"}`), h("td", { class: "number" }, rate(each)), h("td", { class: "number" }, money(Number(each.rate) * Number(each.quantity))));
    const token = (each) => h("tr", {}, h("td", {}, bucket(each)), h("td", { class: "number" }, count(each.tokens)), h("td", {}), h("td", {}));
    const sum = thing.cost && h("tr", { class: "sum" }, h("td", { colspan: 3 }, thing.cost.unpriced ? `without a price: ${words(thing.cost.unpriced)}` : ["price of ", upstream(thing.cost.model ?? "no tokens")]), h("td", { class: "number" }, money(thing.cost.usd)));
    return h("table", { class: "price", "aria-label": "Price" }, h("thead", {}, h("tr", {}, ["What", "How much", "Rate", "USD"].map((name, i) => h("th", { scope: "col", class: i ? "number" : null }, name)))), h("tbody", {}, counted.length ? counted.map(line) : (thing.tokens ?? []).map(token), sum));
  }

  function paintMoney() {
    const priced = picture.spans.filter((span) => span.cost || span.tokens?.length);
    const sum = (span, direction) => (span.tokens ?? []).filter((each) => each.direction === direction).reduce((all, each) => all + each.tokens, 0);
    const row = (span) => h("tr", { "data-id": span.id, class: span.id === chosen ? "chosen" : null },
      h("td", {}, h("button", { type: "button", class: "when", title: "Show with its rates", onclick: () => choose(span.id, "money") }, offset(span.from - picture.zero))),
      h("td", {}, upstream(span.cost?.model ?? span.label), span.status && span.status !== "completed" && h("span", { class: "tag" }, words(span.status))),
      h("td", { class: "number" }, count(sum(span, "input"))), h("td", { class: "number" }, count(sum(span, "output"))),
      h("td", { class: "number" }, span.cost?.unpriced ? h("span", { class: "warn" }, words(span.cost.unpriced)) : money(span.cost?.usd ?? null)));
    const totals = doc.totals ?? {};
    const all = (direction) => (totals.tokens ?? []).filter((each) => each.direction === direction).reduce((found, each) => found + each.tokens, 0);
    const unpriced = Object.entries(totals.unpriced ?? {});
    fill(
      moneyPart,
      h("h2", {}, "Money"),
      h("div", { class: "wide" }, h("table", { class: "price", "aria-label": "What each response cost" },
        h("thead", {}, h("tr", {}, ["At", "Model", "Tokens in", "out", "USD"].map((name, i) => h("th", { scope: "col", class: i > 1 ? "number" : null }, name)))),
        h("tbody", {}, priced.map(row)),
        h("tfoot", {}, h("tr", { class: "sum" }, h("th", { scope: "row", colspan: 2 }, "Total"), h("td", { class: "number" }, count(all("input"))), h("td", { class: "number" }, count(all("output"))), h("td", { class: "number" }, h("span", { title: totals.cost_usd ? `$${totals.cost_usd}` : null }, money(totals.cost_usd))))))),
      unpriced.length > 0 && h("p", { class: "warn" }, "Without a price: ", unpriced.map(([reason, n]) => `${words(reason)} (${count(n)})`).join(", "), "."),
    );
  }

  // As a table ------------------------------------------------------------------------------------------------

  function paintTable() {
    const unplaced = [...doc.spans.filter((span) => span.begin === null && span.end === null), ...doc.marks.filter((mark) => mark.at === null)];
    const all = [...picture.order, ...unplaced];
    if (!asTable.firstChild) asTable.append(h("summary", {}), h("div", { class: "wide" }));
    setText(asTable.firstChild, `All of it as a table (${plural(all.length, "row")})`);
    if (!asTable.open) return fill(asTable.lastChild);
    const at = (time) => (time === null || time === undefined ? NONE : offset(time - picture.zero, 0.01));
    const detail = (thing) => Object.entries(thing.detail ?? {}).filter(([, value]) => value !== null).map(([name, value]) => `${words(name)} ${inert(value)}`).join(", ");
    const row = (thing) => h("tr", { class: !thing.lane && grave(thing) ? "bad" : null },
      h("td", { class: "number" }, at(thing.from)), h("td", {}, thing.lane ? lane(thing) : [seen(`${sign(thing)} `), words(thing.kind)]), h("td", {}, upstream(thing.label)),
      h("td", { class: "number" }, thing.lane ? (thing.running ? "going" : duration(thing.to - thing.from)) : ""), h("td", {}, thing.status ? words(thing.status) : ""),
      h("td", { class: "number" }, at(thing.lane ? markOf(thing, "first_token") : null)), h("td", { class: "number" }, at(thing.lane ? markOf(thing, "first_audio") : null)), h("td", {}, h("bdi", {}, detail(thing))));
    fill(asTable.lastChild, h("table", { class: "price" }, h("thead", {}, h("tr", {}, ["At", "Lane", "What", "Lasts", "Status", "First token", "First audio", "Details"].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, all.map(row))));
  }

  // Asking ----------------------------------------------------------------------------------------------------

  async function load() {
    clearTimeout(timer);
    timer = 0;
    askedAt = performance.now();
    try {
      const found = await api.timeline(key);
      if (!ended) show(found);
    } catch (error) {
      if (!ended) missing(error);
    }
  }

  function show(found) {
    held = selecting(element);
    if (held) return shell.link("paused");
    doc = found;
    body.hidden = false;
    paintFacts(doc.row);
    const print = JSON.stringify([doc.spans, doc.marks, doc.transcript, doc.content, doc.totals, doc.row.open]);
    if (print === shape && !doc.row.open) return;
    const changed = print !== shape;
    shape = print;
    picture.update(doc);
    if (!changed) return;
    inspect(find(chosen));
    paintTranscript();
    paintMoney();
    paintTable();
  }

  function missing(error) {
    if (error.status !== 404) return shell.failed(error);
    if (doc) return shell.failed({ status: 404, message: "This conversation is no longer held in memory. What it was stands in the audit log: steno serve shows it." });
    fill(facts);
    body.before(h("div", { class: "empty" }, h("p", {}, "steno holds no such conversation. It may have left memory: what it was stands in the audit log, which steno serve shows."), h("p", {}, h("a", { href: "#/" }, "Show all conversations"))));
  }

  /** Something has changed: ask again, a second after the last time at the earliest. */
  function changed() {
    timer ||= setTimeout(load, Math.max(0, 1000 * AGAIN_SECONDS - (performance.now() - askedAt)));
  }

  function released() {
    if (held && !selecting(element)) {
      held = false;
      shell.link("live");
      changed();
    }
  }

  function pressed(event) {
    if (typing(event) || event.key !== "Escape") return;
    if (chosen !== null) choose(null, "key");
    else location.hash = "#/";
  }

  function clicked(event) {
    const line = event.target.closest("li");
    if (!line?.span || selecting(lines)) return;
    choose(line.span, "line");
  }

  return {
    element,
    start() {
      shell.title(key);
      shell.cost(null);
      inspect();
      load();
      stopFollowing = api.follow(key, { timeline: changed, sources: shell.sourcesChanged, link: (link, again) => { shell.link(link); if (again) changed(); } });
      lines.addEventListener("click", clicked);
      document.addEventListener("selectionchange", released);
      document.addEventListener("keydown", pressed);
    },
    stop() {
      ended = true;
      clearTimeout(timer);
      stopFollowing?.();
      document.removeEventListener("selectionchange", released);
      document.removeEventListener("keydown", pressed);
    },
  };
}
