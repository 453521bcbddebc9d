// One conversation: its timeline, what was said, and what it cost.

import * as api from "./api.js";
import { cost, state, trouble } from "./columns.js";
import { fill, h, selecting, typing, upstream } from "./dom.js";
import { age, count, duration, moment } from "./format.js";
import { inspect } from "./selection.js";
import { AllAsTable, paintMoney } from "./tables.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";

const AGAIN_SECONDS = 1;
const GONE = "This conversation has left memory. What it was stands in the audit log: steno serve shows it.";
const MISSING =
  "steno holds no such conversation. It may have left memory: what it was stands in the audit log, which steno serve shows.";

export class ConversationView {
  constructor(key, shell) {
    Object.assign(this, { key, shell, chosen: null, print: "", held: false, timer: 0, askedAt: 0, ended: false });
    this.facts = h("dl.facts");
    this.picture = new Timeline({ hover: (thing) => this.inspect(thing), choose: (thing) => this.toggle(thing.id) });
    this.inspector = h("section.inspector", { "aria-label": "Selection" });
    this.transcript = new Transcript((id) => this.choose(id, "transcript"), shell.signInForm);
    this.money = h("section.money");
    this.all = new AllAsTable();
    this.body = h(
      "div",
      { hidden: true },
      this.picture.element,
      h("div.columns", this.transcript.element, h("div.side", this.inspector, this.money)),
      this.all.element,
    );
    this.element = h(
      "article.conversation",
      h("nav", h("a", { href: shell.home }, "‹ All conversations")),
      h("header", h("h1", upstream(key)), this.facts),
      this.body,
    );
  }

  start() {
    this.shell.title(this.key);
    this.shell.cost(null);
    this.inspect();
    this.load();
    this.unfollow = api.follow(this.key, {
      timeline: () => this.changed(),
      sources: this.shell.sourcesChanged,
      link: (link, again) => {
        this.shell.link(link);
        if (again) this.changed();
      },
    });
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    document.addEventListener("selectionchange", () => this.released(), { signal });
    document.addEventListener("keydown", (event) => this.pressed(event), { signal });
  }

  stop() {
    this.ended = true;
    clearTimeout(this.timer);
    this.unfollow?.();
    this.listeners?.abort();
  }

  // Asking ----------------------------------------------------------------------------------------------------

  async load() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.askedAt = performance.now();
    try {
      const doc = await api.timeline(this.key);
      if (!this.ended) this.show(doc);
    } catch (error) {
      if (!this.ended) this.missing(error);
    }
  }

  /** Something has changed: ask again, a second after the last time at the earliest. */
  changed() {
    this.timer ||= setTimeout(
      () => this.load(),
      Math.max(0, 1000 * AGAIN_SECONDS - (performance.now() - this.askedAt)),
    );
  }

  missing(error) {
    if (api.passing(error)) this.timer ||= setTimeout(() => this.load(), 1000 * api.RETRY_SECONDS);
    if (error.status !== 404) this.shell.failed(error);
    else if (!this.body.hidden) this.shell.failed({ status: 404, message: GONE });
    else this.body.before(h("div.empty", h("p", MISSING), h("p", h("a", { href: "#/" }, "Show all conversations"))));
  }

  // Showing ---------------------------------------------------------------------------------------------------

  /** Show `doc`, unless somebody selects text: then it is asked for again afterwards. */
  show(doc) {
    this.held = selecting(this.element);
    if (this.held) return this.shell.link("paused");
    this.body.hidden = false;
    this.shell.failed(null);
    paintFacts(this.facts, doc.row);
    if (doc.content !== "none") this.shell.signedIn(doc.content !== "withheld");
    const print = JSON.stringify([doc.spans, doc.marks, doc.transcript, doc.content, doc.totals, doc.row.open]);
    if (print === this.print && !doc.row.open) return;
    this.picture.update(doc);
    if (print !== this.print) this.paint(doc);
    this.print = print;
  }

  paint(doc) {
    const { spans, order, zero } = this.picture;
    const unplaced = [
      ...doc.spans.filter((span) => span.begin === null && span.end === null),
      ...doc.marks.filter((mark) => mark.at === null),
    ];
    this.transcript.update(doc, spans, zero);
    paintMoney(this.money, spans, doc.totals ?? {}, zero, (id) => this.choose(id, "money"));
    this.all.update([...order, ...unplaced], zero);
    this.inspect();
    this.mark(false);
  }

  // Choosing --------------------------------------------------------------------------------------------------

  /** Show `thing`, else what is chosen, in words. */
  inspect(thing) {
    inspect(this.inspector, thing ?? this.picture.things.get(this.chosen), this.picture.zero);
  }

  toggle(id) {
    this.choose(id === this.chosen ? null : id, "picture");
  }

  /** Choose a span or a mark, or nothing with null, `from` one of the parts of the view. */
  choose(id, from) {
    this.chosen = id;
    this.picture.choose(id, from === "picture");
    this.inspect();
    this.mark(from !== "transcript");
  }

  mark(scroll) {
    this.transcript.mark(this.chosen, scroll);
    for (const row of this.money.querySelectorAll("tr[data-id]"))
      row.classList.toggle("chosen", row.dataset.id === this.chosen);
  }

  // Hands -----------------------------------------------------------------------------------------------------

  released() {
    if (!this.held || selecting(this.element)) return;
    this.held = false;
    this.shell.link("live");
    this.changed();
  }

  pressed(event) {
    if (event.key !== "Escape" || typing(event)) return;
    if (this.chosen !== null) this.choose(null, "keys");
    else {
      this.shell.returning = this.key;
      location.hash = this.shell.home;
    }
  }
}

/** The row of the table, as a list. */
function paintFacts(element, row) {
  const { last, worst } = row.turn_latency_seconds;
  const { open, done, failed } = row.tool_calls;
  const facts = [
    ["State", state(row)],
    ["Source", upstream(row.source)],
    row.model && ["Model", upstream(row.model)],
    ["Opened", moment(row.opened_at)],
    [row.open ? "Age" : "Lasted", age(row.age_seconds)],
    ["Turns", count(row.turns)],
    worst !== null && ["Latency", `${duration(last)}, worst ${duration(worst)}`],
    ["Cut off", count(row.interruptions)],
    ["Tools", `${count(done)} done${failed ? `, ${count(failed)} failed` : ""}${open ? `, ${count(open)} open` : ""}`],
    ["Tokens", `${count(row.tokens.input)} in, ${count(row.tokens.output)} out`],
    ["Cost", cost(row)],
    ["Trouble", h("span.parts", trouble(row))],
    ...Object.entries(row.labels ?? {}).map(([name, value]) => [name, upstream(value)]),
  ];
  fill(
    element,
    facts.filter(Boolean).map(([name, value]) => h("div", h("dt", name), h("dd", value))),
  );
}
