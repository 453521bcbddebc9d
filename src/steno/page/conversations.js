// All conversations: a table that is kept up to date, and holds still while somebody reads in it.

import * as api from "./api.js";
import { COLUMNS, field, makeRow, paintRow, placeOf, turned } from "./columns.js";
import { fill, h, reconcile, selecting, setText, typing } from "./dom.js";
import { age, count, plural } from "./format.js";

const SIZES = [50, 100, 250, 1000];
const USUAL = { q: "", source: "", open: "", sort: "age_seconds", limit: 100 };
const OPENNESS = [
  ["", "Open and closed"],
  ["true", "Open"],
  ["false", "Closed"],
];
const RELOAD_SECONDS = 2;
const TYPING_SECONDS = 0.2;
const KEYS = [["j", "k", "↑", "↓"], "rows ·", ["Enter"], "opens ·", ["/"], "finds ·", ["Esc"], "leaves"];

const option = ([value, label], chosen) => h("option", { value, selected: String(value) === String(chosen) }, label);

export class ConversationsView {
  /** Show what the address asks for, of which `hash` is the last part. */
  constructor(hash, shell) {
    const asked = new URLSearchParams(hash.split("?")[1] ?? "");
    this.shell = shell;
    shell.home = hash || "#/";
    this.wish = Object.fromEntries(Object.entries(USUAL).map(([name, usual]) => [name, asked.get(name) ?? usual]));
    if (!SIZES.includes(Number(this.wish.limit))) this.wish.limit = USUAL.limit;
    this.cursors = [null];
    this.rows = new Map();
    this.elements = new Map();
    this.moved = new Set(); // keys of rows that came, went or would move
    this.stale = new Set(); // keys of rows that are not painted while text is selected
    Object.assign(this, { received: 0, loadedAt: 0, loading: 0, timer: 0, delay: 0, linked: "still", ended: false });
    this.build();
  }

  build() {
    const set = (name) => (event) => this.ask({ [name]: event.target.value });
    const later = (event) => {
      clearTimeout(this.delay);
      this.delay = setTimeout(() => this.ask({ q: event.target.value }), 1000 * TYPING_SECONDS);
    };
    this.search = h("input", {
      type: "search",
      placeholder: "Find in keys",
      "aria-label": "Find in keys",
      value: this.wish.q,
      oninput: later,
    });
    this.openness = h(
      "select",
      { "aria-label": "Open or closed", onchange: set("open") },
      OPENNESS.map((each) => option(each, this.wish.open)),
    );
    this.sourced = h("select", { "aria-label": "Source", onchange: set("source") });
    this.order = h("select.narrow", { "aria-label": "Sort by", onchange: set("sort") });
    this.size = h(
      "select.size",
      { "aria-label": "Rows a page", onchange: set("limit") },
      SIZES.map((n) => option([n, `${n} rows`], this.wish.limit)),
    );
    this.range = h("span.range", { role: "status" });
    this.back = h("button", { type: "button", "aria-label": "Previous page", onclick: () => this.turn(-1) }, "‹");
    this.forth = h("button", { type: "button", "aria-label": "Next page", onclick: () => this.turn(1) }, "›");
    this.waiting = h("button.moved", { type: "button", hidden: true, onclick: () => this.load() });
    this.heads = h("tr", { role: "row" });
    this.body = h("tbody", { role: "rowgroup" });
    this.table = h(
      "table.list",
      { role: "table", "aria-label": "Conversations" },
      h("thead", { role: "rowgroup" }, this.heads),
      this.body,
    );
    this.empty = h("div.empty", { hidden: true });
    this.element = h(
      "section.conversations",
      h("h1.aloud", "Conversations"),
      h(
        "div.bar",
        { role: "search" },
        this.search,
        this.openness,
        this.sourced,
        this.order,
        h("span.gap"),
        this.waiting,
        this.range,
        this.back,
        this.forth,
        this.size,
      ),
      h("div.wide", this.table),
      this.empty,
      h(
        "p.keys",
        KEYS.map((part) => (Array.isArray(part) ? part.map((key) => [h("kbd", key), " "]) : `${part} `)),
      ),
    );
  }

  start() {
    this.paintHeads();
    this.sources(this.shell.sources());
    this.load();
    this.unfollow = api.follow(null, {
      rows: (news) => this.told(news),
      sources: this.shell.sourcesChanged,
      link: (link, again) => {
        this.linked = link;
        this.shell.link(link);
        if (again) this.load();
      },
    });
    this.ticking = setInterval(() => this.paintAges(), 1000);
    this.body.addEventListener("mouseleave", () => this.released());
    this.body.addEventListener("focusout", () => setTimeout(() => this.released()));
    this.body.addEventListener("click", (event) => this.clicked(event));
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    document.addEventListener("selectionchange", () => this.released(), { signal });
    document.addEventListener("keydown", (event) => this.pressed(event), { signal });
  }

  stop() {
    this.ended = true;
    this.unfollow?.();
    this.listeners?.abort();
    clearInterval(this.ticking);
    clearTimeout(this.timer);
    clearTimeout(this.delay);
  }

  // Heads and filters -----------------------------------------------------------------------------------------

  paintHeads() {
    const head = (column) => {
      const name = `c-${column.id}${column.number ? " number" : ""}`;
      const attributes = { role: "columnheader", scope: "col", class: name };
      if (!column.sort) return h("th", attributes, h("span", { title: column.title }, column.label));
      const chosen = field(column.sort) === field(this.wish.sort);
      const down = this.wish.sort.startsWith("-");
      const sort = chosen ? turned(this.wish.sort) : column.sort;
      const click = () => {
        this.ask({ sort });
        this.heads.querySelector(`.c-${column.id} button`).focus();
      };
      attributes["aria-sort"] = chosen ? (down ? "descending" : "ascending") : "none";
      const arrow = h("i", { "aria-hidden": "true" }, chosen && (down ? "▾" : "▴"));
      return h(
        "th",
        attributes,
        h("button", { type: "button", title: column.title, onclick: click }, column.label, arrow),
      );
    };
    fill(this.heads, COLUMNS.map(head));
    const ways = COLUMNS.filter((column) => column.sort).flatMap(({ sort, label }) =>
      [sort, turned(sort)].map((way) => [way, `${label} ${way.startsWith("-") ? "▾" : "▴"}`]),
    );
    fill(
      this.order,
      ways.map((way) => option(way, this.wish.sort)),
    );
  }

  /** Offer these sources as a filter. */
  sources(sources) {
    const names = sources.map((source) => source.name);
    if (this.wish.source && !names.includes(this.wish.source)) names.push(this.wish.source);
    if (this.sourced.options.length === names.length + 1) return;
    fill(
      this.sourced,
      [["", "All sources"], ...names.map((name) => [name, name])].map((each) => option(each, this.wish.source)),
    );
    this.sourced.hidden = names.length < 2;
  }

  // Asking ----------------------------------------------------------------------------------------------------

  /** Change what is asked for, and show its first page. The address says it, for a link. */
  ask(changes) {
    Object.assign(this.wish, changes);
    this.cursors = [null];
    const text = new URLSearchParams(
      Object.entries(this.wish).filter(([name, value]) => String(value) !== String(USUAL[name])),
    ).toString();
    this.shell.home = text ? `#/?${text}` : "#/";
    history.replaceState(null, "", this.shell.home);
    this.paintHeads();
    return this.load();
  }

  clear() {
    this.search.value = this.openness.value = this.sourced.value = "";
    this.ask({ q: "", source: "", open: "" });
  }

  async turn(way) {
    if (way > 0) this.cursors.push(this.next);
    else this.cursors.pop();
    await this.load();
    scrollTo({ top: 0 });
  }

  async load() {
    clearTimeout(this.timer);
    this.timer = 0;
    const mine = ++this.loading;
    const current = () => !this.ended && mine === this.loading;
    try {
      const page = await api.conversations({ ...this.wish, after: this.cursors.at(-1) });
      if (current()) this.show(page);
    } catch (error) {
      if (current()) this.failed(error);
    }
    this.loadedAt = performance.now();
  }

  failed(error) {
    if (error.status === 400 && this.cursors.length > 1)
      this.ask({}); // the cursor is one of another time
    else this.shell.failed(error);
    if (api.passing(error)) this.timer ||= setTimeout(() => this.load(), 1000 * api.RETRY_SECONDS);
  }

  // Showing ---------------------------------------------------------------------------------------------------

  show(page) {
    this.shell.failed(null);
    this.received = performance.now();
    this.rows = new Map(page.conversations.map((row) => [row.key, row]));
    this.elements = reconcile(this.body, page.conversations, (row) => row.key, makeRow, paintRow);
    this.next = page.next;
    const before = (this.cursors.length - 1) * this.wish.limit;
    setText(
      this.range,
      page.total ? `${count(before + 1)}–${count(before + this.rows.size)} of ${count(page.total)}` : "",
    );
    this.back.disabled = this.cursors.length < 2;
    this.forth.disabled = page.next === null;
    this.moved.clear();
    this.stale.clear();
    this.settle();
    this.paintAges();
    this.summarise(page.total);
    this.elements.get(this.shell.returning)?.querySelector("a.key").focus();
    this.shell.returning = null;
    this.table.hidden = page.total === 0;
    this.empty.hidden = page.total > 0;
    const text = this.filtered()
      ? "No conversation is like that."
      : "No conversations yet. They appear here when the first event comes.";
    fill(
      this.empty,
      h("p", text),
      this.filtered() && h("button", { type: "button", onclick: () => this.clear() }, "Show all"),
    );
  }

  filtered() {
    return Boolean(this.wish.q || this.wish.source || this.wish.open);
  }

  summarise(total) {
    const priced = [...this.rows.values()].filter((row) => row.cost_usd !== null);
    const sum = priced.reduce((all, row) => all + Number(row.cost_usd), 0);
    this.shell.cost(priced.length ? sum : null, total === this.rows.size && !this.filtered());
  }

  paintAges() {
    const passed = this.passed();
    for (const [key, row] of this.rows) {
      if (row.open)
        setText(this.elements.get(key).querySelector("time"), age(row.age_seconds + passed - (row.after ?? 0)));
    }
  }

  /** Seconds since the page was loaded. */
  passed() {
    return (performance.now() - this.received) / 1000;
  }

  // As it goes ------------------------------------------------------------------------------------------------

  told(news) {
    const still = selecting(this.table);
    for (const row of news.conversations ?? []) {
      const old = this.rows.get(row.key);
      const place = (each) => placeOf(each, this.wish.sort);
      if (old ? place(old) !== place(row) || !this.wanted(row) : this.wanted(row)) this.moved.add(row.key);
      if (!old) continue;
      this.rows.set(row.key, { ...row, after: this.passed() });
      if (still) this.stale.add(row.key);
      else paintRow(this.elements.get(row.key), row);
    }
    for (const key of news.closed ?? []) if (this.rows.has(key)) this.moved.add(key);
    this.settle();
  }

  wanted(row) {
    const { open, source, q } = this.wish;
    return (
      (!open || String(row.open) === open) &&
      (!source || row.source === source) &&
      row.key.toLowerCase().includes(q.toLowerCase())
    );
  }

  reading() {
    return this.body.matches(":hover") || this.body.contains(document.activeElement) || selecting(this.table);
  }

  /** Reload where rows came, went or moved: soon, or once nobody reads, who is told so far. */
  settle() {
    const still = this.moved.size > 0 && this.reading();
    this.waiting.hidden = !still;
    if (still) setText(this.waiting, `${plural(this.moved.size, "row")} moved: show`);
    if (this.unfollow) this.shell.link(selecting(this.table) ? "paused" : this.linked);
    if (!this.moved.size || still || this.timer) return;
    const rest = 1000 * RELOAD_SECONDS - (performance.now() - this.loadedAt);
    const reload = () => {
      this.timer = 0;
      if (this.reading()) this.settle();
      else this.load();
    };
    this.timer = setTimeout(reload, Math.max(0, rest));
  }

  /** Go on where somebody has ended reading. */
  released() {
    if (this.ended) return;
    if (this.stale.size && !selecting(this.table)) {
      for (const key of this.stale) if (this.rows.has(key)) paintRow(this.elements.get(key), this.rows.get(key));
      this.stale.clear();
    }
    this.settle();
  }

  // Hands -----------------------------------------------------------------------------------------------------

  /** Go to the next or the former row. */
  step(way) {
    const links = [...this.body.querySelectorAll("a.key")];
    const at = links.indexOf(document.activeElement);
    const first = way > 0 ? 0 : links.length - 1;
    const link = links[at < 0 ? first : Math.min(Math.max(at + way, 0), links.length - 1)];
    link?.focus();
    link?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  pressed(event) {
    if (event.key === "Escape") return this.leave(event);
    if (typing(event)) return;
    const at = document.activeElement;
    const loose = at === document.body || at.id === "main" || this.body.contains(at);
    if (event.key === "j" || (event.key === "ArrowDown" && loose)) this.step(1);
    else if (event.key === "k" || (event.key === "ArrowUp" && loose)) this.step(-1);
    else if (event.key === "/") this.search.focus();
    else return;
    event.preventDefault();
  }

  leave(event) {
    if (event.target === this.search && this.search.value) this.clear();
    document.activeElement?.blur();
  }

  /** A click anywhere in a row opens it, unless it ends a selection. */
  clicked(event) {
    if (event.target.closest("a") || selecting(this.table)) return;
    event.target.closest("tr")?.querySelector("a.key").click();
  }
}
