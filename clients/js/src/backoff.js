/** How long to wait before the next attempt, in milliseconds. */

/** The bounds. Tests shorten them. */
export const bounds = { first: 500, longest: 30_000, slow: 60_000, retryAfter: 300_000 };

/** Yields waits with full jitter: a thousand conversations that lose steno at once come back apart. */
export function* delays() {
  for (let bound = bounds.first; ; bound = Math.min(2 * bound, bounds.longest)) yield Math.random() * bound;
}

/** Returns a wait before trying again what will most likely fail again. */
export function slowDelay() {
  return bounds.slow / 2 + (Math.random() * bounds.slow) / 2;
}

/** Returns what the header `Retry-After` asks for, 0 where it asks for nothing that can be read. */
export function retryAfter(value, now = Date.now()) {
  if (typeof value !== 'string') return 0;
  if (/^[0-9]{1,10}$/.test(value)) return Math.min(Number(value) * 1000, bounds.retryAfter);
  const at = /^[A-Z][a-z]{2}, .* GMT$/.test(value) ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? 0 : Math.min(Math.max(at - now, 0), bounds.retryAfter);
}
