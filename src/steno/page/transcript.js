// What was said in a conversation, a line an item, as far as the content policy allows.

import { aloud, fill, h, inert, reconcile, setText, upstream } from "./dom.js";
import { NONE, count, offset, plural, words } from "./format.js";

const LONGEST = 2000; // characters of a line that are shown at first
const NEAR_SECONDS = 30;
const WHO = { user: "Caller", assistant: "Assistant", system: "System", tool: "Tool" };
const KINDS = { tool_call: "Tool call", tool_output: "Tool result" };
const OWN = /^(item|call|message)_id$/; // members of a span's details that name a line
const WITHHELD = "What was said is shown to who has the token (http.token).";
const POLICIES = {
  none: "The content policy keeps what was said out of every output: audit.content is none.",
  redacted: "What looks like personal data was taken out: audit.content is redacted.",
};

export class Transcript {
  /** `choose` is called with the id of a span whose line is clicked, `form` makes a form that asks for the token. */
  constructor(choose, form) {
    this.form = form;
    this.policy = h("div.policy");
    this.lines = h("ol.transcript", {
      onclick: (event) => {
        const line = event.target.closest("li");
        if (line?.span && getSelection().isCollapsed) choose(line.span);
      },
    });
    this.element = h("section.said", h("h2", "Transcript"), this.policy, this.lines);
  }

  /** Show the lines of `doc`, whose spans are `spans`, with times from `zero` on. */
  update(doc, spans, zero) {
    this.allow(doc.content);
    const index = new Spans(spans);
    const items = doc.transcript.map((entry, i) => ({ entry, id: `${entry.item_id ?? ""} ${entry.kind} ${i}` }));
    if (!items.length) items.push({ id: "none" });
    reconcile(
      this.lines,
      items,
      (item) => item.id,
      () => h("li"),
      (line, { entry }) => {
        if (!entry) return setText(line, "Nothing was said so far.");
        const span = index.of(entry);
        line.span = span?.id ?? null;
        const spoken = index.lanes.has("voice");
        const print = JSON.stringify([entry, zero, line.span, spoken]);
        if (line.print !== print) paint(line, entry, zero, span, spoken);
        line.print = print;
      },
    );
  }

  allow(content) {
    if (this.policy.dataset.content === content) return;
    this.policy.dataset.content = content;
    const words = POLICIES[content] && h("p.soft", POLICIES[content]);
    fill(this.policy, content === "withheld" ? this.form(WITHHELD) : words);
  }

  /** Mark the lines of a span. With `scroll` they are brought into view; the page itself stays where it is. */
  mark(span, scroll) {
    const mine = [...this.lines.children].filter((line) => {
      const chosen = span !== null && line.span === span;
      line.classList.toggle("chosen", chosen);
      return chosen;
    });
    if (!scroll || !mine.length) return;
    const [box, line] = [this.lines.getBoundingClientRect(), mine[0].getBoundingClientRect()];
    if (line.top < box.top || line.bottom > box.bottom) this.lines.scrollTop += line.top - box.top - box.height / 3;
  }
}

/** Finds the span of a line. */
class Spans {
  constructor(spans) {
    this.named = new Map();
    this.lanes = new Map();
    for (const span of spans) {
      for (const name of namesOf(span)) append(this.named, name, span);
      append(this.lanes, span.lane, span);
    }
  }

  /** The span of the item of `entry`, else the nearest one in which it can have been said. */
  of(entry) {
    const own = entry.item_id === null ? [] : (this.named.get(entry.item_id) ?? []);
    if (own.length) return own.find((span) => suits(span, entry)) ?? own[0];
    if (entry.at === null) return undefined;
    const near = lanesOf(entry).map((lane) => nearest(this.lanes.get(lane) ?? [], entry.at));
    const far = (span) => Math.abs(span.from - entry.at);
    return near.filter((span) => span && far(span) < NEAR_SECONDS).sort((a, b) => far(a) - far(b))[0];
  }
}

/** What a span is named by: its own id, and the ids of its item or call. */
function namesOf(span) {
  const ids = Object.entries(span.detail ?? {}).filter(([name]) => OWN.test(name));
  return [span.id, ...ids.map(([, value]) => value)];
}

function append(map, name, span) {
  if (map.has(name)) map.get(name).push(span);
  else map.set(name, [span]);
}

/** The span of an ordered list that begins nearest to a time. */
function nearest(spans, at) {
  let [low, high] = [0, spans.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (spans[middle].from <= at) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [spans[low - 1], spans[low]];
  return before && after && after.from - at < at - before.from ? after : (before ?? after);
}

const suits = (span, entry) => lanesOf(entry).includes(span.lane);

function lanesOf(entry) {
  if (Object.hasOwn(KINDS, entry.kind)) return ["tool"];
  return entry.role === "user" ? ["speech"] : ["voice", "response", "run", "step"];
}

/** Who said a line. Where the model speaks all the time, what is written comes from what it delegates to. */
function speaker(entry, spoken) {
  if (KINDS[entry.kind]) return KINDS[entry.kind];
  if (entry.role === "user" && entry.kind === "text") return "User";
  if (entry.role === "assistant" && entry.kind === "text" && spoken) return "Backend";
  return Object.hasOwn(WHO, entry.role) ? WHO[entry.role] : inert(words(entry.role ?? "unknown"));
}

function paint(line, entry, zero, span, spoken) {
  const when = entry.at === null ? NONE : offset(entry.at - zero);
  line.className = line.span ? "linked" : "";
  line.classList.toggle("model", entry.role === "assistant");
  line.classList.toggle("tool", Object.hasOwn(KINDS, entry.kind));
  fill(
    line,
    line.span ? h("button.when", { type: "button", title: "Show in the timeline" }, when) : h("span.when", when),
    h(
      "div",
      h(
        "span.who",
        speaker(entry, spoken),
        span?.lane === "tool" && [" ", upstream(span.label)],
        entry.status && entry.status !== "completed" && h("span.tag", inert(words(entry.status))),
      ),
      h("p.text", said(entry)),
    ),
  );
}

/** The text of a line. What the caller did not hear of it is struck. */
function said({ text, heard, characters }) {
  if (text === null)
    return h("span.soft", characters === null ? "no text was seen" : `${plural(characters, "character")} not shown`);
  if (heard === null || heard === text) return long(text);
  const unheard = (part) => h("s", aloud("not heard: "), long(part));
  if (text.startsWith(heard)) return [heard && long(heard), unheard(text.slice(heard.length))];
  return [unheard(text), h("span.soft", " heard: "), long(heard)];
}

function long(text) {
  if (text.length <= LONGEST) return upstream(text);
  const shown = upstream(text.slice(0, LONGEST));
  const open = (event) => {
    event.stopPropagation();
    setText(shown, inert(text));
    more.remove();
  };
  const more = h("button.more", { type: "button", onclick: open }, `… show all ${count(text.length)} characters`);
  return [shown, more];
}
