// Begins the page: who is asking, what is on top, and which of the two views is shown.

import * as api from "./api.js";
import { ConversationView } from "./conversation.js";
import { ConversationsView } from "./conversations.js";
import { fill, h, inert, setText } from "./dom.js";
import { count, money, plural } from "./format.js";

const SOURCES_SECONDS = 10;
const PROBLEMS = 4; // sources that are named
const LINKS = {
  live: "● live",
  lost: "○ connection lost, trying again",
  paused: "‖ updates wait while you read",
  still: "",
};
const NEEDED = "This steno answers who has its token (http.token).";
const REFUSED = "The token in the address was not accepted: it may be of an earlier run.";

const part = (id) => document.getElementById(id);
let view = null;
let cost = null;
let sources = [];

/** What both views are given. */
const shell = {
  home: "#/", // the address of the table, with its filters
  returning: null, // the key of the conversation that was left by a key
  link(state) {
    setText(part("link"), LINKS[state]);
    part("link").dataset.state = state;
  },
  /** Show the sum of costs; `whole` says whether it is that of all conversations. */
  cost(usd, whole) {
    cost = usd === null ? null : { usd, whole };
    summarise();
  },
  sources: () => sources,
  sourcesChanged: showSources,
  signInForm,
  signedIn: (known = true) => (part("leave").hidden = !known),
  title: (text) => (document.title = text ? `${inert(text)} · steno` : "steno"),
  failed,
};

// Who is asking ---------------------------------------------------------------------------------------------

/** A form that takes the token. Once it was right, the view begins anew. */
function signInForm(why) {
  const field = h("input", { type: "password", autocomplete: "off", required: true, "aria-label": "Token" });
  const wrong = h("p.wrong", { role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    setText(wrong, "");
    try {
      await api.signIn(field.value.trim());
    } catch (error) {
      field.select();
      setText(wrong, error.message);
      return;
    }
    notice("token");
    shell.signedIn();
    start();
  };
  return h("form.token", { onsubmit: submit }, h("p", why), h("div", field, h("button", "Show")), wrong);
}

const refused = (error) => error.status === 401 || error.status === 403;

async function leave() {
  await api.signOut().catch(() => null);
  shell.signedIn(false);
  start();
}

/** Take `#token=...` out of the address before anything else is done, and exchange it for the cookie. */
async function exchange() {
  const given = /^#token=(.*)$/.exec(location.hash);
  if (!given) return;
  history.replaceState(null, "", `${location.pathname}#/`);
  try {
    await api.signIn(decoded(given[1]));
    shell.signedIn();
  } catch {
    notice("token", h("p", REFUSED));
  }
}

function failed(error) {
  if (!refused(error)) return notice("failed", h("p", h("strong", "✕ "), error.message));
  view?.stop();
  view = null;
  shell.link("still");
  fill(part("main"), h("section.alone", h("h1", "A token is needed"), signInForm(NEEDED)));
  part("main").querySelector("input").focus();
}

// On top ----------------------------------------------------------------------------------------------------

/** Show `content` under the head, in place of what has the same name; without content, no longer. */
function notice(name, ...content) {
  const id = `notice-${name}`;
  const old = part(id);
  if (!content.length) return old?.remove();
  const box = h("div.notice", { id, role: "status" }, content);
  if (old) old.replaceWith(box);
  else part("notices").append(box);
}

async function showSources() {
  const found = await api.sources().catch(() => null);
  if (!found) return;
  sources = found.sources;
  summarise();
  view?.sources?.(sources);
}

function summarise() {
  const away = sources.filter((source) => !source.ready);
  const open = sources.reduce((sum, source) => sum + source.conversations, 0);
  const figure = (value, label) => h("span.figure", h("b", value), ` ${label}`);
  const ready = [
    `${sources.length - away.length} of ${sources.length}`,
    `source${sources.length === 1 ? "" : "s"} ready`,
  ];
  fill(
    part("summary"),
    sources.length > 0 && [figure(...ready), figure(count(open), `conversation${open === 1 ? "" : "s"} open`)],
    cost && figure(money(cost.usd), cost.whole ? "cost" : "cost of the rows shown"),
  );
  if (!away.length) return notice("sources");
  const problem = ({ name, problem }) =>
    h("li", "✕ ", h("b", h("bdi", inert(name))), ` is not ready: ${inert(problem ?? "it has not begun")}`);
  const more = away.length - PROBLEMS;
  notice("sources", h("ul.bad", away.slice(0, PROBLEMS).map(problem), more > 0 && h("li", `and ${count(more)} more`)));
}

/** The result of `verify` over the log that is shown, as far as it goes. */
async function showVerification() {
  const result = await api.verification().catch(() => null);
  if (!result) return;
  const running = result.ok === null;
  const done = result.ok ? ["✓ The log verifies", "good"] : ["✕ The log does not verify", "bad"];
  const [verdict, name] = running
    ? [`◌ The log is being verified: ${Math.floor(100 * (result.progress ?? 0))} %`, ""]
    : done;
  const lines = h("pre", { tabindex: 0 }, result.lines.map(inert).join("\n"));
  notice(
    "verify",
    h(
      "details",
      { class: name, open: result.ok === false },
      h("summary", h("strong", verdict), ` ${result.lines.length ? plural(result.lines.length, "line") : ""}`),
      lines,
    ),
  );
  if (running) setTimeout(showVerification, 1000);
}

// Which view ------------------------------------------------------------------------------------------------

/** What was percent-encoded; as it is where it was not. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function route() {
  view?.stop();
  notice("failed");
  shell.title("");
  const one = /^#\/conversation\/(.+)$/.exec(location.hash);
  view = one ? new ConversationView(decoded(one[1]), shell) : new ConversationsView(location.hash, shell);
  fill(part("main"), view.element);
  view.start();
}

function start() {
  route();
  showSources();
  showVerification();
}

part("leave").addEventListener("click", leave);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  part("main").focus();
});
addEventListener("hashchange", () => (location.hash.startsWith("#token=") ? exchange().then(start) : route()));
setInterval(() => document.hidden || showSources(), 1000 * SOURCES_SECONDS);
exchange().then(start);
api.session().then(
  (session) => shell.signedIn(session.authorized),
  () => null,
);
