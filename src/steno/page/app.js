// Begins the page: who is asking, what is on top, and which of the two views is shown.

import * as api from "./api.js";
import { ConversationView } from "./conversation.js";
import { ConversationsView } from "./conversations.js";
import { fill, h, inert, setText } from "./dom.js";
import { count, money, plural } from "./format.js";

const SOURCES_SECONDS = 10;
const RUNNING_SECONDS = 1;
const VERIFIED_SECONDS = 15;
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
let verified = ""; // what is shown of a verification
let verifying = 0;

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

/** Show why there is nothing to see; without an error, no longer. */
function failed(error) {
  if (!error) return notice("failed");
  if (!refused(error)) return notice("failed", h("p", h("strong", "✕ "), error.message));
  view?.stop();
  view = null;
  shell.link("still");
  shell.signedIn(false);
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

/** A session may end while the page is open: then the token is asked for, once. */
function ended(error) {
  if (view && refused(error)) failed(error);
  return null;
}

async function showSources() {
  const found = await api.sources().catch(ended);
  if (!found) return;
  sources = found.sources;
  summarise();
  view?.sources?.(sources);
}

function summarise() {
  const live = sources.filter((source) => source.kind !== "log"); // in a log nothing is received any more
  const away = live.filter((source) => !source.ready);
  const held = sources.reduce((sum, source) => sum + source.conversations, 0);
  const figure = (value, label) => h("span.figure", h("b", value), ` ${label}`);
  const word = (n, name) => `${name}${n === 1 ? "" : "s"}`;
  fill(
    part("summary"),
    live.length > 0
      ? figure(`${live.length - away.length} of ${live.length}`, `${word(live.length, "source")} ready`)
      : sources.length > 0 && figure(count(sources.length), word(sources.length, "source")),
    sources.length > 0 && figure(count(held), `${word(held, "conversation")}${live.length ? " open" : ""}`),
    cost && figure(money(cost.usd), cost.whole ? "cost" : "cost of the rows shown"),
  );
  paintProblems(away);
}

/** Name the sources that are not ready, up to some. */
function paintProblems(away) {
  if (!away.length) return notice("sources");
  const problem = ({ name, problem }) =>
    h("li", "✕ ", h("b", h("bdi", inert(name))), ` is not ready: ${inert(problem ?? "it has not begun")}`);
  const more = away.length - PROBLEMS;
  const items = [away.slice(0, PROBLEMS).map(problem), more > 0 && h("li", `and ${count(more)} more`)];
  notice("sources", h("ul.bad", items));
}

/** The result of `verify` over the log that is shown, and how far that is; nothing where there is a live daemon. */
async function showVerification() {
  clearTimeout(verifying);
  const result = await api.verification().catch(() => null);
  if (!result) return;
  const running = result.state ? result.state === "running" : result.ok === null;
  verifying = setTimeout(showVerification, 1000 * (running ? RUNNING_SECONDS : VERIFIED_SECONDS));
  const print = JSON.stringify([result.state, result.ok, result.lines, running && percent(result)]);
  if (print === verified) return;
  verified = print;
  const [verdict, name] = judged(result, running);
  const open = result.ok === false || part("notice-verify")?.querySelector("details").open;
  const log = result.name ? [h("bdi", inert(result.name)), ": "] : "";
  const lines = h("pre", { tabindex: 0 }, result.lines.map(inert).join("\n"));
  notice(
    "verify",
    h("details", { class: name, open }, h("summary", log, h("strong", verdict)), lines, leftOut(result.log)),
  );
}

/** The verdict, and its colour. */
function judged(result, running) {
  const again = running ? `, and is being verified again: ${percent(result)} %` : "";
  if (result.ok !== null)
    return result.ok ? [`✓ The log verifies${again}`, "good"] : [`✕ The log does not verify${again}`, "bad"];
  return running
    ? [`◌ The log is being verified: ${percent(result)} %`, ""]
    : ["✕ The log could not be verified", "bad"];
}

function percent(result) {
  const share = result.progress ?? (result.total_bytes ? result.read_bytes / result.total_bytes : 0);
  return Math.floor(100 * Math.min(share, 1));
}

/** What of a log is not in the table. */
function leftOut(log) {
  const parts = [
    log?.unreadable > 0 && `${plural(log.unreadable, "line")} could not be read`,
    log?.conversations_left_out > 0 &&
      `${plural(log.conversations_left_out, "conversation")} did not fit into the table`,
  ].filter(Boolean);
  return parts.length > 0 && h("p.warn", `${parts.join(", ")}.`);
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
