// All conversations: a table that is kept up to date, and holds still while somebody reads in it.

import * as api from "./api.js";
import { aloud, fill, h, inert, reconcile, seen, selecting, setText, typing, upstream } from "./dom.js";
import { NONE, age, count, duration, moment, money, plural, words } from "./format.js";

const SIZES = [50, 100, 250, 1000];
const RELOAD_SECONDS = 2;
const MARKS = { speaking: "●", waiting: "◔", responding: "▶", tool: "◆", listening: "○", running: "▶", idle: "·", closed: "■" };

/** What a conversation does at the moment: a shape and a word. */
export function state(row) {
  const ended = row.state === "closed" && row.closed_reason && row.closed_reason !== "closed" ? `, ${words(row.closed_reason)}` : "";
  return h("span", { class: `state ${row.state}`, title: ended && `closed${ended}` }, seen(MARKS[row.state] ?? "·"), ` ${words(row.state)}`, aloud(ended));
}

/** What went wrong in a conversation, in words. */
export function trouble(row) {
  const parts = [
    row.errors && h("span", { class: "bad" }, seen("✕ "), plural(row.errors, "error")),
    row.gaps && h("span", { class: "warn" }, seen("‖ "), plural(row.gaps, "gap")),
    row.unanswered_turns && h("span", { class: "warn" }, seen("○ "), `${count(row.unanswered_turns)} unanswered`),
    row.rejected && h("span", { class: "warn" }, seen("▽ "), `${count(row.rejected)} rejected`),
  ].filter(Boolean);
  return parts.length ? parts : [h("span", { class: "soft" }, NONE)];
}

/** The money of a conversation, and that some of it is not known. */
export function cost(row) {
  const unpriced = Object.entries(row.unpriced ?? {});
  const why = unpriced.map(([reason, n]) => `${n} ${words(reason)}`).join(", ");
  const known = row.cost_usd !== null;
  return [
    (known || !unpriced.length) && money(row.cost_usd),
    unpriced.length > 0 && h("span", { class: "warn", title: `without a price: ${why}` }, known ? " + ?" : "no price", aloud(`, without a price: ${why}`)),
  ];
}

function tools(row) {
  const { open, done, failed } = row.tool_calls;
  if (!open && !done && !failed) return [NONE];
  return [count(done), failed ? h("span", { class: "bad" }, ` ✕ ${count(failed)}`, aloud(" failed")) : null, open ? h("span", { class: "soft" }, ` + ${count(open)} open`) : null];
}

/** The key. Where it is too long, its middle goes: its end is what differs. */
function named(row) {
  const last = row.key.lastIndexOf("/");
  const end = row.key.length - last <= 8 ? last : Math.max(row.key.length - 6, 0);
  return h("a", { class: "key", title: inert(row.key), href: `#/conversation/${encodeURIComponent(row.key)}` }, h("bdi", { class: "front" }, inert(row.key.slice(0, end))), h("bdi", {}, inert(row.key.slice(end))));
}

function origin(row) {
  const labels = Object.entries(row.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(" ");
  return [upstream(row.source), labels && h("span", { class: "soft labels", title: labels }, labels)];
}

// Columns: how each is named, sorted (and which way first), and shown. `of` is what a cell is painted again for.
const COLUMNS = [
  { id: "state", label: "State", sort: "state", of: (r) => [r.state, r.closed_reason], show: state },
  { id: "key", label: "Conversation", sort: "key", of: (r) => r.key, show: named, head: true },
  { id: "source", label: "Source", sort: "source", of: (r) => [r.source, r.labels], show: origin },
  { id: "model", label: "Model", sort: "model", of: (r) => [r.model, r.family], show: (r) => (r.model ? upstream(r.model) : h("span", { class: "soft" }, words(r.family))) },
  { id: "age", label: "Age", sort: "age_seconds", number: true, of: (r) => [r.opened_at, r.open], show: (r) => h("time", { title: `opened ${moment(r.opened_at)}` }, age(r.age_seconds)) },
  { id: "turns", label: "Turns", sort: "turns", down: true, number: true, of: (r) => r.turns, show: (r) => count(r.turns) },
  { id: "last", label: "Latency", title: "Turn latency: the last one", number: true, of: (r) => r.turn_latency_seconds.last, show: (r) => duration(r.turn_latency_seconds.last) },
  { id: "worst", label: "Worst", title: "Turn latency: the worst one", sort: "turn_latency_seconds", down: true, number: true, of: (r) => r.turn_latency_seconds.worst, show: (r) => duration(r.turn_latency_seconds.worst) },
  { id: "cut", label: "Cut off", title: "Interruptions: responses that the caller or the client broke off", sort: "interruptions", down: true, number: true, of: (r) => r.interruptions, show: (r) => count(r.interruptions) },
  { id: "tools", label: "Tools", title: "Tool calls: done, failed, open", sort: "tool_calls", down: true, number: true, of: (r) => r.tool_calls, show: tools },
  { id: "tokens", label: "Tokens in / out", sort: "tokens", down: true, number: true, of: (r) => r.tokens, show: (r) => [count(r.tokens.input), h("span", { class: "soft" }, " / "), count(r.tokens.output)] },
  { id: "cost", label: "Cost", sort: "cost_usd", down: true, number: true, of: (r) => [r.cost_usd, r.unpriced], show: cost },
  { id: "trouble", label: "Trouble", title: "Errors, gaps, unanswered turns, rejected events", sort: "errors", down: true, of: (r) => [r.errors, r.gaps, r.unanswered_turns, r.rejected], show: trouble },
];

export function conversationsView(hash, shell) {
  const asked = new URLSearchParams(hash.split("?")[1] ?? "");
  const wish = {
    q: asked.get("q") ?? "",
    source: asked.get("source") ?? "",
    open: asked.get("open") ?? "",
    sort: asked.get("sort") ?? "age_seconds",
    limit: SIZES.includes(Number(asked.get("limit"))) ? Number(asked.get("limit")) : 100,
  };
  let cursors = [null];
  let rows = new Map();
  let elements = new Map();
  let received = 0;
  let total = 0;
  let next = null;
  const waiting = new Set(); // keys of rows that came, went or would move
  const stale = new Set(); // keys of rows that are not painted while text is selected
  let linked = "still";
  let timer = 0;
  let loading = 0;
  let loadedAt = 0;
  let ended = false;
  let follow = null;

  // What it is made of ---------------------------------------------------------------------------------------

  const change = (name) => (event) => {
    wish[name] = event.target.value;
    first();
  };
  const search = h("input", { type: "search", placeholder: "Find in keys", "aria-label": "Find in keys", value: wish.q, oninput: (event) => later(() => change("q")(event), 200) });
  const option = (value, label, chosen) => h("option", { value, selected: value === chosen }, label);
  const openness = h("select", { "aria-label": "Open or closed", onchange: change("open") }, [["", "Open and closed"], ["true", "Open"], ["false", "Closed"]].map(([value, label]) => option(value, label, wish.open)));
  const sourced = h("select", { "aria-label": "Source", onchange: change("source") });
  const order = h("select", { class: "narrow", "aria-label": "Sort by", onchange: change("sort") });
  const size = h("select", { class: "size", "aria-label": "Rows a page", onchange: (event) => { wish.limit = Number(event.target.value); first(); } }, SIZES.map((n) => option(n, `${n} rows`, wish.limit)));
  const range = h("span", { class: "range", role: "status" });
  const back = h("button", { type: "button", "aria-label": "Previous page", onclick: () => turn(-1) }, "‹");
  const forth = h("button", { type: "button", "aria-label": "Next page", onclick: () => turn(1) }, "›");
  const moved = h("button", { type: "button", class: "moved", hidden: true, onclick: () => load() });
  const heads = h("tr", { role: "row" });
  const body = h("tbody", { role: "rowgroup" });
  const table = h("table", { class: "list", role: "table", "aria-label": "Conversations" }, h("thead", { role: "rowgroup" }, heads), body);
  const empty = h("div", { class: "empty", hidden: true });
  const element = h(
    "section", { class: "conversations" },
    h("h1", { class: "aloud" }, "Conversations"),
    h("div", { class: "bar", role: "search" }, search, openness, sourced, order, h("span", { class: "gap" }), moved, range, back, forth, size),
    h("div", { class: "wide" }, table), empty,
    h("p", { class: "keys" }, [["j", "k"], "or", ["↑", "↓"], "rows ·", ["Enter"], "opens ·", ["/"], "finds ·", ["Esc"], "leaves"].map((part) => (Array.isArray(part) ? part.map((key) => [h("kbd", {}, key), " "]) : `${part} `))),
  );

  function paintHeads() {
    const [down, field] = wish.sort.startsWith("-") ? [true, wish.sort.slice(1)] : [false, wish.sort];
    const button = (column) => {
      const chosen = column.sort === field && field !== undefined;
      const sort = chosen ? (down ? column.sort : `-${column.sort}`) : column.down ? `-${column.sort}` : column.sort;
      return h("th", { role: "columnheader", scope: "col", class: `c-${column.id}${column.number ? " number" : ""}`, "aria-sort": !column.sort ? null : chosen ? (down ? "descending" : "ascending") : "none" },
        !column.sort ? h("span", { title: column.title }, column.label) : h("button", { type: "button", title: column.title, onclick: () => { wish.sort = sort; first(); heads.querySelector(`.c-${column.id} button`).focus(); } }, column.label, h("i", { "aria-hidden": "true" }, chosen ? (down ? "▾" : "▴") : "")));
    };
    fill(heads, COLUMNS.map(button));
    const ways = COLUMNS.filter((c) => c.sort).flatMap((c) => (c.down ? [[`-${c.sort}`, `${c.label} ▾`], [c.sort, `${c.label} ▴`]] : [[c.sort, `${c.label} ▴`], [`-${c.sort}`, `${c.label} ▾`]]));
    fill(order, ways.map(([value, label]) => option(value, label, wish.sort)));
  }

  function paintSources(sources) {
    const names = sources.map((source) => source.name);
    if (wish.source && !names.includes(wish.source)) names.push(wish.source);
    if (sourced.options.length !== names.length + 1) fill(sourced, option("", "All sources", wish.source), names.map((name) => option(name, name, wish.source)));
    sourced.hidden = names.length < 2;
  }

  // Rows ----------------------------------------------------------------------------------------------------

  const make = () => h("tr", { role: "row" }, COLUMNS.map((column) => h(column.head ? "th" : "td", { role: column.head ? "rowheader" : "cell", scope: column.head ? "row" : null, class: `c-${column.id}${column.number ? " number" : ""}`, "data-label": column.label })));

  /** Paint the cells of `tr` whose content has changed. */
  function paint(tr, row) {
    tr.className = row.open ? "" : "over";
    COLUMNS.forEach((column, i) => {
      const cell = tr.children[i];
      const print = JSON.stringify(column.of(row)) ?? "";
      if (cell.print === print) return;
      cell.print = print;
      const shown = column.show(row);
      fill(cell, shown);
      cell.classList.toggle("none", cell.textContent === NONE);
    });
  }

  function paintAges() {
    const passed = (performance.now() - received) / 1000;
    for (const [key, row] of rows) if (row.open && row.age_seconds !== null) setText(elements.get(key).querySelector("time"), age(row.age_seconds + passed - (row.late ?? 0)));
  }

  function show(page) {
    received = performance.now();
    rows = new Map(page.conversations.map((row) => [row.key, row]));
    elements = reconcile(body, page.conversations, (row) => row.key, make, paint);
    ({ total, next } = page);
    const before = (cursors.length - 1) * wish.limit;
    setText(range, total ? `${count(before + 1)}–${count(before + rows.size)} of ${count(total)}` : "");
    back.disabled = cursors.length < 2;
    forth.disabled = next === null;
    waiting.clear();
    settle();
    paintAges();
    summarise(page);
    const filtered = wish.q || wish.source || wish.open;
    empty.hidden = total > 0;
    table.hidden = total === 0;
    fill(empty, h("p", {}, filtered ? "No conversation is like that." : "No conversations yet. They appear here when the first event comes."), filtered && h("button", { type: "button", onclick: clear }, "Show all"));
  }

  function summarise(page) {
    const priced = [...rows.values()].filter((row) => row.cost_usd !== null);
    const sum = page.cost_usd ?? (priced.length ? priced.reduce((all, row) => all + Number(row.cost_usd), 0) : null);
    shell.cost(sum, page.cost_usd !== undefined || (total === rows.size && !wish.q && !wish.source && !wish.open));
  }

  // Asking --------------------------------------------------------------------------------------------------

  async function load() {
    clearTimeout(timer);
    timer = 0;
    const mine = ++loading;
    try {
      const page = await api.conversations({ ...wish, after: cursors.at(-1) });
      if (!ended && mine === loading) show(page);
    } catch (error) {
      if (!ended && mine === loading) error.status === 400 && cursors.length > 1 ? first() : shell.failed(error);
    }
    loadedAt = performance.now();
  }

  function first() {
    cursors = [null];
    const kept = Object.fromEntries(Object.entries(wish).filter(([name, value]) => value !== "" && !(name === "limit" && value === 100) && !(name === "sort" && value === "age_seconds")));
    const text = new URLSearchParams(kept).toString();
    history.replaceState(null, "", text ? `#/?${text}` : "#/");
    paintHeads();
    return load();
  }

  function turn(way) {
    if (way > 0 && next !== null) cursors.push(next);
    else if (way < 0 && cursors.length > 1) cursors.pop();
    else return;
    load().then(() => scrollTo({ top: 0 }));
  }

  function clear() {
    Object.assign(wish, { q: "", source: "", open: "" });
    search.value = openness.value = sourced.value = "";
    first();
  }

  let delay = 0;
  function later(what, milliseconds) {
    clearTimeout(delay);
    delay = setTimeout(what, milliseconds);
  }

  // As it goes ----------------------------------------------------------------------------------------------

  const reading = () => body.matches(":hover") || body.contains(document.activeElement) || selecting(table);

  /** Reload where rows came, went or moved: at once, or once nobody reads, who is told so far. */
  function settle() {
    const still = waiting.size > 0 && reading();
    moved.hidden = !still;
    if (still) setText(moved, `${plural(waiting.size, "row")} moved: show`);
    if (follow) shell.link(selecting(table) ? "paused" : linked);
    if (!waiting.size || still || timer) return;
    const rest = 1000 * RELOAD_SECONDS - (performance.now() - loadedAt);
    timer = setTimeout(() => { timer = 0; reading() ? settle() : load(); }, Math.max(0, rest));
  }

  const wanted = (row) => (!wish.open || String(row.open) === wish.open) && (!wish.source || row.source === wish.source) && row.key.toLowerCase().includes(wish.q.toLowerCase());
  const sorted = (row) => JSON.stringify((COLUMNS.find((column) => column.sort === wish.sort.replace("-", "")) ?? COLUMNS[4]).of(row));

  function told(news) {
    const passed = (performance.now() - received) / 1000;
    const still = selecting(table);
    for (const row of news.conversations ?? []) {
      const old = rows.get(row.key);
      if (old ? sorted(old) !== sorted(row) || !wanted(row) : wanted(row)) waiting.add(row.key);
      if (!old) continue;
      rows.set(row.key, { ...row, late: passed });
      if (still) stale.add(row.key);
      else paint(elements.get(row.key), row);
    }
    for (const key of news.closed ?? []) if (rows.has(key)) waiting.add(key);
    settle();
  }

  /** Go on where somebody has ended reading. */
  function released() {
    if (stale.size && !selecting(table)) {
      for (const key of stale) if (rows.has(key)) paint(elements.get(key), rows.get(key));
      stale.clear();
    }
    settle();
  }

  // Keys ----------------------------------------------------------------------------------------------------

  function step(way) {
    const links = [...body.querySelectorAll("a.key")];
    const at = links.indexOf(document.activeElement);
    const link = links[at < 0 ? (way > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + way, 0), links.length - 1)];
    link?.focus();
    link?.closest("tr").scrollIntoView({ block: "nearest" });
  }

  function pressed(event) {
    if (event.key === "Escape") {
      if (event.target === search && search.value) clear();
      document.activeElement?.blur();
      return;
    }
    if (typing(event)) return;
    const loose = document.activeElement === document.body || document.activeElement.id === "main" || body.contains(document.activeElement);
    if (event.key === "j" || (event.key === "ArrowDown" && loose)) step(1);
    else if (event.key === "k" || (event.key === "ArrowUp" && loose)) step(-1);
    else if (event.key === "/") search.focus();
    else return;
    event.preventDefault();
  }

  /** A click anywhere in a row opens it, unless it ends a selection. */
  function clicked(event) {
    if (event.target.closest("a") || event.button || selecting(table)) return;
    event.target.closest("tr")?.querySelector("a.key").click();
  }

  let ticking = 0;
  return {
    element,
    sources: paintSources,
    start() {
      paintHeads();
      paintSources(shell.sources());
      load();
      follow = api.follow(null, { rows: told, sources: shell.sourcesChanged, link: (link, again) => { shell.link((linked = link)); if (again) load(); } });
      ticking = setInterval(paintAges, 1000);
      body.addEventListener("mouseleave", released);
      body.addEventListener("click", clicked);
      body.addEventListener("focusout", () => setTimeout(released));
      document.addEventListener("selectionchange", released);
      document.addEventListener("keydown", pressed);
    },
    stop() {
      ended = true;
      follow?.();
      follow = null;
      clearInterval(ticking);
      clearTimeout(timer);
      clearTimeout(delay);
      document.removeEventListener("selectionchange", released);
      document.removeEventListener("keydown", pressed);
    },
  };
}
