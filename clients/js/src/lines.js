/**
 * What is captured, as the lines that steno reads.
 *
 * A frame is `{"dir":"received"|"sent","at":...,"text":...}`. Its payload stands as a text, never as JSON in JSON: so
 * it arrives byte for byte, and no payload can pass for a member of its line. What is not UTF-8 stands as `base64`.
 */
import { isUtf8 } from 'node:buffer';

/** Returns a frame that was captured at `at`, milliseconds since 1970, as a line. */
export function frameLine(at, direction, payload) {
  return JSON.stringify({ dir: direction, at: timestamp(at), ...member(payload) });
}

function member(payload) {
  if (typeof payload === 'string') return { text: payload.toWellFormed() };
  return isUtf8(payload) ? { text: payload.toString('utf8') } : { base64: payload.toString('base64') };
}

/** Returns the line that stands where `frames` frames of `bytes` bytes in all are missing. */
export function gapLine(at, frames, bytes, reason) {
  return JSON.stringify({ dir: 'gap', at: timestamp(at), frames, bytes, reason });
}

/** Returns the line that says how the application's connection ended. `code` is null where no close frame came. */
export function closeLine(at, code, reason) {
  return JSON.stringify({ dir: 'close', at: timestamp(at), code, reason: reason.toWellFormed() });
}

function timestamp(at) {
  return new Date(at).toISOString();
}
