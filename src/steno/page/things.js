// What a timeline shows: spans, which have a lane, and marks, which are points. Each has an id, a beginning and an end.

import { inert } from "./dom.js";
import { duration, offset, words } from "./format.js";

/** The lanes from top to bottom, and what one span of each is called. */
export const LANES = {
  speech: ["Caller", "Speech"],
  voice: ["Model", "Speech of the model"],
  response: ["Responses", "Response"],
  playback: ["Playback", "Playback"],
  tool: ["Tools", "Tool call"],
  delegation: ["Delegated", "Delegation"],
  run: ["Runs", "Run"],
  step: ["Steps", "Step"],
  pause: ["Pauses", "Pause"],
  session: ["Session", "Session"],
};

const FOLLOW_SECONDS = 60; // a conversation that is silent for longer ends, in the picture, with what came last
const CONNECTION_LANES = 8; // of a connection, which may have 32
const MORE = "others";
const CUT = ["cancelled", "incomplete", "interrupted", "cleared"];
const ORDERLY = ["completed", "closed", "finished", "answered"];
const FAILED = ["failed", "expired", "abandoned", "orphaned"];
const SIGNS = { error: "✕", gap: "‖", rejected: "▽", truncated: "✂", missed: "?", unanswered: "○", session: "◇", refused: "⊘" };

export const lane = (span) => LANES[span.lane]?.[1] ?? inert(words(span.lane));
export const sign = (mark) => (Object.hasOwn(SIGNS, mark.kind) ? SIGNS[mark.kind] : "•");

/** Whether a mark says that something was lost. */
export const grave = (mark) => ["error", "gap", "missed"].includes(mark.kind);

/** How a span ended, where that is worth a word. */
export const outcome = (span) => (span.status && !ORDERLY.includes(span.status) ? span.status : null);

/** The sign of a span that did not end as it should, or nothing. */
export function ending(span) {
  if (span.detail?.reason === "steered") return ""; // as it was asked to: its successor has the rest
  if (FAILED.includes(span.status)) return "✕";
  return CUT.includes(span.status) ? "✂" : "";
}

/** When a span reached something, or null. */
export const markOf = (span, kind) => span.marks?.find((mark) => mark.kind === kind)?.at ?? null;

/** Return the spans and marks of `doc` that have a time, each in order, and `now` where the conversation goes on. */
export function placed(doc) {
  const times = [
    ...doc.spans.flatMap((span) => [span.begin, span.end]),
    ...doc.marks.map((mark) => mark.at),
    doc.row.last_event_at,
  ];
  const latest = Math.max(...times.filter((at) => at !== null));
  const goes = doc.row.open && doc.row.last_event_at !== null && doc.at - doc.row.last_event_at <= FOLLOW_SECONDS;
  const now = goes ? Math.max(doc.at, latest) : latest;
  const span = (each, i) => {
    const from = each.begin ?? each.end;
    return {
      ...each,
      id: String(each.id ?? `span ${i}`),
      from,
      to: Math.max(each.end ?? now, from),
      running: each.end === null,
    };
  };
  const mark = (each, i) => ({ ...each, id: `mark ${i}`, from: each.at, to: each.at });
  const timed = (things) =>
    things.filter((thing) => thing.from !== null).sort((a, b) => a.from - b.from || a.to - b.to);
  return { spans: timed(doc.spans.map(span)), marks: timed(doc.marks.map(mark)), now: goes ? now : null };
}

/** Where both spoke at once: parts [from, to] of the model's speech by its id. `spans` are in order. */
export function doubleTalk(spans) {
  const caller = spans.filter((span) => span.lane === "speech");
  let first = 0; // what is before it ended before the present one
  const parts = (span) => {
    while (first < caller.length && caller[first].to <= span.from) first++;
    const found = [];
    for (let i = first; i < caller.length && caller[i].from < span.to; i++)
      found.push([Math.max(caller[i].from, span.from), Math.min(caller[i].to, span.to)]);
    return found.filter(([from, to]) => to > from);
  };
  return new Map(spans.filter((span) => span.lane === "voice").map((span) => [span.id, parts(span)]));
}

/**
 * What stands in rows of its own: the spans of a lane, by the lanes of their connection where these have names. Names
 * past the most that are told apart share the last row.
 */
export function rowsWithin(spans) {
  const rows = new Map();
  for (const span of spans) {
    const name = span.lane === "response" ? (span.detail?.stream_id ?? "") : "";
    const row = rows.has(name) || rows.size < CONNECTION_LANES ? name : MORE;
    if (rows.has(row)) rows.get(row).push(span);
    else rows.set(row, [span]);
  }
  return [...rows].map(([name, own]) => ({ name: String(name), own }));
}

/** A span or mark in a sentence. `zero` is where its times begin. */
export function told(thing, zero) {
  const when = `at ${offset(thing.from - zero)}`;
  if (!thing.lane) return `${inert(words(thing.kind))} ${when}: ${inert(thing.label)}`;
  const status = thing.status ? [inert(words(thing.status))] : [];
  const lasts = thing.begin === null ? "its beginning was not seen" : `lasts ${duration(thing.to - thing.from)}`;
  return [`${lane(thing)}: ${inert(thing.label)}`, ...status, when, thing.running ? "still going" : lasts].join(", ");
}
