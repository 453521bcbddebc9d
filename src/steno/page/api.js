// What the page asks of the HTTP face, and what it is told by it.

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

/** Whether it is worth to ask again: steno does not answer, or has too much to do. */
export const passing = (error) => error.status === 0 || error.status === 429 || error.status >= 500;

export const RETRY_SECONDS = 5;

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", credentials: "same-origin", redirect: "error", ...options });
  } catch {
    throw new ApiError(0, "unreachable", "steno does not answer");
  }
  const body = await response.json().catch(() => null);
  if (response.ok) return body;
  throw new ApiError(
    response.status,
    body?.error?.code ?? "",
    body?.error?.message ?? `steno answered ${response.status}`,
  );
}

const query = (values) =>
  new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "" && value !== null)).toString();
const at = (key) => `/v1/conversations/${encodeURIComponent(key)}`;

export const conversations = (values) => ask(`/v1/conversations?${query(values)}`);
export const timeline = (key) => ask(`${at(key)}/timeline`);
export const sources = () => ask("/v1/sources");

/** The result of `steno verify`, or null where the daemon is live. */
export const verification = () =>
  ask("/v1/verification").catch((error) => (error.status === 404 ? null : Promise.reject(error)));

export const signIn = (token) =>
  ask("/v1/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token }),
  });
/** Whether this browser has given the token. */
export const session = () => ask("/v1/session");
export const signOut = () => ask("/v1/session", { method: "DELETE" });

const AGAIN_SECONDS = [1, 2, 5, 10, 30];

/**
 * Follow /v1/stream; return what ends it. `on` has a handler for `rows`, `timeline`, `sources`, and `link` for its state.
 * A tab that nobody sees follows nothing: browsers allow few connections to a host, and all tabs share them.
 */
export function follow(key, on) {
  const address = key === null ? "/v1/stream" : `/v1/stream?${query({ key })}`;
  const listening = new AbortController();
  let stream = null;
  let timer = 0;
  let tries = 0;
  const close = () => {
    clearTimeout(timer);
    stream?.close();
  };
  const lost = () => {
    close();
    on.link("lost", false);
    timer = setTimeout(open, 1000 * AGAIN_SECONDS[Math.min(tries++, AGAIN_SECONDS.length - 1)]);
  };
  const open = () => {
    stream = new EventSource(address);
    stream.addEventListener("open", () => {
      on.link("live", tries > 0);
      tries = 0;
    });
    for (const name of ["rows", "timeline", "sources"])
      stream.addEventListener(name, (event) => on[name]?.(JSON.parse(event.data)));
    stream.addEventListener("error", lost);
  };
  const turned = () => {
    close();
    if (document.hidden) return on.link("still", false);
    tries = 1; // what happened meanwhile is asked for
    open();
  };
  document.addEventListener("visibilitychange", turned, { signal: listening.signal });
  if (!document.hidden) open();
  return () => {
    listening.abort();
    close();
  };
}
