// Numbers, times and money as people read them. What is not known is a dash, never a zero.

export const NONE = "–";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const known = (value) => value !== null && value !== undefined && Number.isFinite(Number(value));
const two = (value) => String(value).padStart(2, "0");

export const count = (value) => (known(value) ? whole.format(value) : NONE);

/** Seconds: `820 ms`, `3.42 s`, `42.1 s`, `4:05`, `1:02:03`, `3 d 4 h`. */
export function duration(seconds) {
  if (!known(seconds)) return NONE;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  return clock(seconds);
}

/** How old something is, by the second. */
export function age(seconds) {
  if (!known(seconds)) return NONE;
  return seconds < 59.5 ? `${Math.round(Math.max(0, seconds))} s` : clock(seconds);
}

function clock(seconds) {
  const all = Math.round(seconds);
  const [days, hours, minutes] = [Math.floor(all / 86400), Math.floor(all / 3600) % 24, Math.floor(all / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
}

/** A place in a conversation, from its beginning: `0:07.4`. `step` is the distance of two places that must differ. */
export function offset(seconds, step = 0.1) {
  if (!known(seconds)) return NONE;
  const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : 2;
  const unit = 10 ** digits;
  const all = Math.round(Math.abs(seconds) * unit);
  const [hours, minutes] = [Math.floor(all / unit / 3600), Math.floor(all / unit / 60) % 60];
  const rest = ((all % (60 * unit)) / unit).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  const text = hours ? `${hours}:${two(minutes)}:${rest}` : `${minutes}:${rest}`;
  return seconds < 0 && all ? `−${text}` : text;
}

/** A point in time in the form of ISO 8601; "" where it is none that a calendar has. */
function iso(at) {
  const date = new Date(known(at) ? at * 1000 : NaN);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}

/** A point in time, in UTC as the audit log has it. */
export function moment(at) {
  const text = iso(at);
  return text ? `${text.slice(0, -5).replace("T", " ")} UTC` : NONE;
}

/** Its time of day, in milliseconds. */
export const instant = (at) => (iso(at) ? `${iso(at).slice(-13, -1)} UTC` : NONE);

/** USD, to a hundredth of a cent. */
export function money(usd) {
  if (!known(usd)) return NONE;
  const amount = Number(usd);
  if (amount === 0) return "$0";
  return amount < 0.00005 ? "< $0.0001" : `$${amount.toFixed(amount < 10 ? 4 : 2)}`;
}

/** USD with as many digits as a small amount needs. */
export const exactly = (usd) => (known(usd) ? `$${Number(usd).toFixed(usd < 0.01 ? 6 : 4)}` : NONE);

/** USD a million tokens, a minute or a second, as price lists have it. */
export function rate(line) {
  const tokens = line.per === "token";
  const amount = Number(line.rate) * (tokens ? 1e6 : 1);
  return known(amount) ? `$${Number(amount.toPrecision(10))} / ${tokens ? "1M" : line.per}` : NONE;
}

/** What kind of tokens, or that it is time or calls. */
export function bucket(line) {
  const kept = line.cache_write ? `written to the cache for ${line.cache_write}` : "";
  const words = [line.cached ? "cached" : "", line.modality, line.direction, kept].filter(Boolean);
  if (words.length) return words.join(" ");
  if (line.per === "call") return "tool calls";
  return line.standby ? "time, paused" : "time";
}

// What a rate is for, and how many seconds that is: time is counted in seconds, whatever its rate is for.
const SECONDS = { minute: 60, second: 1 };

/** How much of it: tokens and calls by number, time in seconds. */
export const quantity = (line) =>
  Object.hasOwn(SECONDS, line.per) ? `${line.quantity} s` : count(line.quantity);

/** What a line of a calculation comes to, in USD. */
export const amount = (line) => (Number(line.rate) * Number(line.quantity)) / (SECONDS[line.per] ?? 1);

/** A share, in percent. */
export const percent = (share) => (known(share) ? `${(100 * share).toFixed(1)} %` : NONE);

/** `1 turn`, `2 turns`. */
export const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

/** A closed word of the API as it is read. */
export const words = (name) => String(name).replaceAll("_", " ");
