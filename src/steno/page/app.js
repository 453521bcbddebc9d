// Begins the page: who is asking, what is on top, and which of the two views is shown.

import * as api from "./api.js";
import { conversationView } from "./conversation.js";
import { conversationsView } from "./conversations.js";
import { fill, h, inert, setText } from "./dom.js";
import { count, money } from "./format.js";

const SOURCES_SECONDS = 10;
const PROBLEMS = 4;
const top = (id) => document.getElementById(id);
let view = null;
let cost = null;
let sourceList = [];

/** What both views are given. */
const shell = {
  link(state) {
    const label = { live: "● live", lost: "○ connection lost, trying again", paused: "‖ updates wait while you read", still: "" }[state];
    setText(top("link"), label);
    top("link").dataset.state = state;
  },
  cost(usd, whole) {
    cost = usd === null ? null : { usd, whole };
    summarise();
  },
  sources: () => sourceList,
  sourcesChanged: showSources,
  signInForm,
  signedIn: () => (top("leave").hidden = false),
  title: (text) => (document.title = text ? `${inert(text)} · steno` : "steno"),
  failed,
};

// Who is asking ---------------------------------------------------------------------------------------------

/** A form that takes the token. Once it was right, the view begins anew. */
function signInForm(why) {
  const field = h("input", { type: "password", name: "token", autocomplete: "off", required: true, "aria-label": "Token" });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    setText(wrong, "");
    try {
      await api.signIn(field.value.trim());
    } catch (error) {
      field.select();
      setText(wrong, error.status === 401 || error.status === 403 ? "This is not the token." : error.message);
      return;
    }
    notice("token");
    shell.signedIn();
    start();
  };
  return h("form", { class: "token", onsubmit: submit }, h("p", {}, why), h("div", {}, field, h("button", {}, "Show")), wrong);
}

async function leave() {
  await api.signOut().catch(() => null);
  top("leave").hidden = true;
  start();
}

/** Take `#token=...` out of the address before anything else is done, and exchange it for the cookie. */
async function exchange() {
  const given = /^#token=(.*)$/.exec(location.hash);
  if (!given) return;
  history.replaceState(null, "", `${location.pathname}#/`);
  let token = given[1];
  try {
    token = decodeURIComponent(token);
  } catch {
    // It was not encoded.
  }
  await api.signIn(token).then(
    shell.signedIn,
    () => notice("token", h("p", {}, "The token in the address was not accepted: it may be of an earlier run.")),
  );
}

function failed(error) {
  if (error.status === 401 || error.status === 403) {
    view?.stop();
    view = null;
    shell.link("still");
    fill(top("main"), h("section", { class: "alone" }, h("h1", {}, "A token is needed"), signInForm("This steno answers who has its token (http.token).")));
    top("main").querySelector("input").focus();
  } else notice("failed", h("p", {}, h("strong", {}, "✕ "), error.message));
}

// On top ----------------------------------------------------------------------------------------------------

function notice(name, ...content) {
  const id = `notice-${name}`;
  const old = document.getElementById(id);
  if (!content.length) return old?.remove();
  const box = h("div", { id, class: "notice", role: "status" }, ...content);
  old ? old.replaceWith(box) : top("notices").append(box);
}

async function showSources() {
  const document = await api.sources().catch(() => null);
  if (!document) return;
  sourceList = document.sources;
  summarise();
  view?.sources?.(sourceList);
}

function summarise() {
  const away = sourceList.filter((source) => !source.ready);
  const open = sourceList.reduce((sum, source) => sum + source.conversations, 0);
  const figure = (value, label) => h("span", { class: "figure" }, h("b", {}, value), ` ${label}`);
  fill(
    top("summary"),
    sourceList.length > 0 && figure(`${sourceList.length - away.length} of ${sourceList.length}`, `source${sourceList.length === 1 ? "" : "s"} ready`),
    sourceList.length > 0 && figure(count(open), "conversations open"),
    cost && figure(money(cost.usd), cost.whole ? "cost" : "cost of the rows shown"),
  );
  const problem = (source) => h("li", {}, h("b", {}, h("bdi", {}, inert(source.name))), ` is not ready: ${inert(source.problem ?? "it has not begun")}`);
  if (!away.length) return notice("sources");
  const more = away.length - PROBLEMS;
  notice("sources", h("ul", { class: "bad" }, away.slice(0, PROBLEMS).map(problem), more > 0 && h("li", {}, `and ${count(more)} more`)));
}

/** The result of `verify` over the log that is shown, as far as it goes. */
async function showVerification() {
  const result = await api.verification().catch(() => null);
  if (!result) return;
  const running = result.ok === null;
  const [mark, verdict] = running
    ? ["◌", `The log is being verified: ${Math.floor(100 * (result.progress ?? 0))} %`]
    : result.ok
      ? ["✓", "The log verifies"]
      : ["✕", "The log does not verify"];
  const lines = result.lines.map(inert).join("\n");
  notice("verify", h("details", { class: running ? "" : result.ok ? "good" : "bad", open: result.ok === false }, h("summary", {}, h("strong", {}, `${mark} ${verdict}`)), h("pre", { tabindex: 0 }, lines)));
  if (running) setTimeout(showVerification, 1000);
}

// Which view ------------------------------------------------------------------------------------------------

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function route() {
  view?.stop();
  notice("failed");
  shell.title("");
  const one = /^#\/conversation\/(.+)$/.exec(location.hash);
  const made = one ? conversationView(decoded(one[1]), shell) : conversationsView(location.hash, shell);
  view = made;
  fill(top("main"), made.element);
  made.start();
}

function start() {
  route();
  showSources();
  showVerification();
}

top("leave").addEventListener("click", leave);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  top("main").focus();
});
addEventListener("hashchange", () => /^#token=/.test(location.hash) ? exchange().then(start) : route());
setInterval(() => document.hidden || showSources(), 1000 * SOURCES_SECONDS);
exchange().then(start);
