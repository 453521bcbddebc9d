/**
 * What waits to be pushed, within a bound in bytes.
 *
 *     put() -> waiting -take()-> unconfirmed -confirm()-> gone
 *                 ^                  |
 *                 +----rewind()------+   the connection broke
 *
 * What does not fit is counted in a gap, which stands where the frames are missing. With `keep`, an item stays until
 * steno has acknowledged it, and `rewind` puts it back. Without it only counts stay, and `rewind` puts a gap in their
 * place: nobody knows whether the frames arrived.
 */
import { closeLine, frameLine, gapLine } from './lines.js';

/** What an item counts besides its payload, so that empty frames are bounded as well. */
export const ITEM_BYTES = 256;

const NOTHING = Object.freeze({ items: 0, frames: 0, bytes: 0 });

/** Returns a message of the application's connection. */
export function frame(at, direction, payload) {
  return { kind: 'frame', at, direction, payload, frames: 1, bytes: Buffer.byteLength(payload) };
}

function gap(at, frames, bytes, reason, sent = false) {
  return { kind: 'gap', at, frames, bytes, reason, sent };
}

/** Returns the line of an item. */
export function lineOf(item) {
  if (item.kind === 'frame') return frameLine(item.at, item.direction, item.payload);
  if (item.kind === 'gap') return gapLine(item.at, item.frames, item.bytes, item.reason);
  return closeLine(item.at, item.code, item.reason);
}

function held(item) {
  return ITEM_BYTES + (item.kind === 'frame' ? item.bytes : 0);
}

function plus(flight, item) {
  return { items: flight.items + 1, frames: flight.frames + item.frames, bytes: flight.bytes + item.bytes };
}

/** The items of one conversation. `budget` (`{totalBytes, usedBytes}`) is shared by all queues of a tap. */
export class Queue {
  waiting = [];
  unconfirmed = [];
  /** The number of the oldest item that is held. Items are numbered from 1 over the whole conversation. */
  first = 1;
  heldBytes = 0;
  /** Without `keep`: what was taken and of which nobody knows whether it arrived. */
  inFlight = NOTHING;
  #queueBytes;
  #budget;
  #keep;
  #close = null;

  constructor(queueBytes, budget, keep = false) {
    this.#queueBytes = queueBytes;
    this.#budget = budget;
    this.#keep = keep;
  }

  /** Takes in a frame, or counts it in a gap. `reason` says why there would be no room. */
  put(item, reason) {
    const more = held(item);
    if (this.heldBytes + more <= this.#queueBytes && this.#budget.usedBytes + more <= this.#budget.totalBytes) {
      this.#append(item);
      return true;
    }
    this.miss(item.at, 1, item.bytes, more > this.#queueBytes ? 'frame_too_big' : reason);
    return false;
  }

  /** Counts frames that are missing after the last item. A gap fits always: one for each item at most. */
  miss(at, frames, bytes, reason) {
    const last = this.waiting.at(-1);
    if (last?.kind === 'gap' && !last.sent) {
      last.frames += frames;
      last.bytes += bytes;
    } else {
      this.#append(gap(at, frames, bytes, reason));
    }
  }

  /** Adds the end of the conversation. It fits always. */
  close(at, code, reason) {
    this.#append({ kind: 'close', at, code, reason, frames: 0, bytes: 0 });
  }

  /** Returns the oldest items that wait, about `mostBytes` bytes of them, and at least one if there is one. */
  take(mostBytes) {
    let count = 0;
    for (let left = mostBytes; left > 0 && count < this.waiting.length; count++) left -= held(this.waiting[count]);
    const taken = this.waiting.splice(0, count);
    for (const item of taken) this.#handOver(item);
    return taken;
  }

  /** Forgets what steno has on its disk: all items up to `number` that this connection has carried. */
  confirm(number) {
    const count = Math.min(Math.max(number - this.first + 1, 0), this.unconfirmed.length);
    for (const item of this.unconfirmed.splice(0, count)) this.#release(item);
    this.first += count;
  }

  /** Without `keep`: steno's host has read so much of what was taken. */
  arrived(part) {
    const { items, frames, bytes } = this.inFlight;
    this.inFlight = { items: items - part.items, frames: frames - part.frames, bytes: bytes - part.bytes };
    if (this.inFlight.items === 0) this.#close = null;
  }

  /** Whether everything was taken and has arrived. */
  get empty() {
    return this.waiting.length === 0 && this.unconfirmed.length === 0 && this.inFlight.items === 0;
  }

  /** Makes what is unconfirmed the oldest that waits: themselves, or without `keep` a gap. */
  rewind(at) {
    this.waiting = this.unconfirmed.concat(this.waiting);
    this.unconfirmed = [];
    const lost = this.inFlight;
    this.inFlight = NOTHING;
    if (this.#close !== null) this.#prepend(this.#close);
    this.#close = null;
    if (lost.frames > 0) this.#prepend(gap(at, lost.frames, lost.bytes, 'disconnected'));
  }

  /** Replaces the longest of the `carried` oldest items by a gap: steno closed over it and would do so again. */
  giveUpLongest(carried) {
    let longest = -1;
    for (const [index, item] of this.waiting.slice(0, carried).entries()) {
      if (item.kind === 'frame' && item.bytes >= (this.waiting[longest]?.bytes ?? 0)) longest = index;
    }
    if (longest < 0) return;
    const item = this.waiting[longest];
    const instead = gap(item.at, 1, item.bytes, 'frame_too_big', true);
    this.#release(item);
    this.#charge(instead);
    this.waiting[longest] = instead;
  }

  /** Forgets everything. Returns what is lost with it. */
  clear() {
    let lost = this.inFlight;
    for (const item of [...this.unconfirmed.splice(0), ...this.waiting.splice(0)]) {
      this.#release(item);
      lost = plus(lost, item);
    }
    this.inFlight = NOTHING;
    return lost;
  }

  #handOver(item) {
    if (this.#keep) {
      this.unconfirmed.push(item);
      item.sent = true;
      return;
    }
    this.#release(item);
    this.first += 1;
    this.inFlight = plus(this.inFlight, item);
    if (item.kind === 'close') this.#close = item;
  }

  #append(item) {
    this.waiting.push(item);
    this.#charge(item);
  }

  #prepend(item) {
    this.waiting.unshift(item);
    this.#charge(item);
  }

  #charge(item) {
    this.heldBytes += held(item);
    this.#budget.usedBytes += held(item);
  }

  #release(item) {
    this.heldBytes -= held(item);
    this.#budget.usedBytes -= held(item);
  }
}
