/** What is captured of one connection: frames go in, and a push connection of its own takes them to steno. */
import { randomBytes } from 'node:crypto';

import { delays, slowDelay } from './backoff.js';
import { ConnectError, connect } from './connection.js';
import { Queue, frame } from './queue.js';
import { Broken, Session } from './session.js';

const HEALTHY_MS = 10_000;
const AGAINST_RULES = 1008;
const TOO_BIG = 1009;

/** Made by `tap.conversation()`. Its methods never throw, and never wait. */
export class Conversation {
  queue;
  /** Whether the application's connection has ended. */
  ended = false;
  /** Whether it waits for the next attempt. */
  resting = false;
  /** Resolves when nothing more is pushed: to whether everything arrived. Null before the first frame. */
  finished = null;
  #name;
  #tap;
  #resume = randomBytes(16).toString('hex');
  #session = null;
  #rouse = () => {};
  #givenUp = new AbortController();

  /** `tap` is what all conversations of a tap share: `settings`, `budget`, `report`, `conversations`. */
  constructor(tap, name) {
    this.#tap = tap;
    this.#name = name;
    this.queue = new Queue(tap.settings.queueBytes, tap.budget, tap.settings.ack);
  }

  /** Whether it has ended and everything arrived. */
  get over() {
    return this.ended && this.queue.empty;
  }

  /** Pushes a frame: the message as it was on the wire, or an object that is dumped as JSON. */
  send(data, direction = 'received', at = Date.now()) {
    this.#safely(() => {
      if (direction !== 'received' && direction !== 'sent') throw new TypeError('direction');
      if (this.ended || this.#tap.closed) return;
      const reason = this.#session === null ? 'disconnected' : 'queue_full';
      if (!this.queue.put(frame(at, direction, payloadOf(data)), reason)) {
        this.#tap.report('dropped', 'there is no room for a frame; steno will be informed of the gap');
      }
      this.#wake();
    });
  }

  /** Counts a frame that cannot be copied. */
  miss() {
    this.#safely(() => {
      if (this.ended || this.#tap.closed) return;
      this.queue.miss(Date.now(), 1, 0, 'unreadable');
      this.#wake();
    });
  }

  /** Ends the conversation. `code` and `reason` are those with which the application's connection was closed. */
  close(code = null, reason = '') {
    this.#safely(() => {
      if (this.ended) return;
      if (this.finished !== null) this.queue.close(Date.now(), code, String(reason));
      this.end();
    });
  }

  /** Ends the conversation without a word on how. */
  end() {
    if (this.ended) return;
    this.ended = true;
    if (this.finished === null) return;
    const timer = setTimeout(() => this.giveUp(), this.#tap.settings.lingerMs);
    timer.unref();
    this.finished.then(() => clearTimeout(timer));
    this.#rouse();
    this.#session?.wake();
  }

  /** Stops pushing at once. */
  giveUp() {
    this.#givenUp.abort();
    this.#rouse();
    this.#session?.end(new Broken('the time is up'));
  }

  #safely(action) {
    try {
      action();
    } catch (error) {
      this.#tap.report('internal', `the tap failed at a frame: ${error?.name}`);
    }
  }

  #wake() {
    if (this.finished === null) {
      this.#tap.conversations.add(this);
      this.finished = this.#push();
    } else {
      this.#session?.wake();
    }
  }

  async #push() {
    let lost = { items: 1, frames: 0, bytes: 0 };
    try {
      await this.#pushUntilOver();
    } catch (error) {
      this.#tap.report('internal', `the tap failed at a conversation: ${error?.name}`);
    } finally {
      this.ended = true;
      lost = this.queue.clear();
      this.#tap.conversations.delete(this);
    }
    if (lost.items === 0) return true;
    const message = `${lost.frames} frames (${lost.bytes} bytes) of a conversation that has ended did not reach steno`;
    this.#tap.report('lost', message);
    return false;
  }

  async #pushUntilOver() {
    let waits = delays();
    while (!this.over && !this.#givenUp.signal.aborted) {
      const begun = Date.now();
      let wait;
      try {
        await this.#attempt();
        return;
      } catch (error) {
        if (error instanceof ConnectError) {
          wait = Math.max(error.slow ? slowDelay() : waits.next().value, error.wait);
          if (!this.#givenUp.signal.aborted) {
            this.#tap.report('connect', `cannot push to steno, trying again: ${error.message}`);
          }
        } else if (error instanceof Broken) {
          if (Date.now() - begun >= HEALTHY_MS) waits = delays();
          wait = error.code === AGAINST_RULES ? slowDelay() : waits.next().value;
          this.#tap.report('broken', `the connection to steno ended, connecting again: ${error.message}`);
        } else {
          throw error;
        }
      }
      await this.#rest(wait);
    }
  }

  async #attempt() {
    const { settings } = this.#tap;
    const target = settings.target(this.#name, this.#resume, this.queue.first);
    const { socket, head } = await connect(settings, target, this.#givenUp.signal);
    this.#tap.again('connect');
    this.#session = new Session(this, socket, head, settings.ack);
    try {
      await this.#session.done;
    } catch (error) {
      this.queue.rewind(Date.now());
      if (error.code === TOO_BIG) this.queue.giveUpLongest(this.#session.carried);
      throw error;
    } finally {
      this.#session = null;
    }
  }

  /** Waits for the next attempt, or until the conversation need not be pushed any more. */
  async #rest(milliseconds) {
    const until = Date.now() + milliseconds;
    this.resting = true;
    while (Date.now() < until && !this.over && !this.#givenUp.signal.aborted) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, until - Date.now());
        timer.unref();
        this.#rouse = () => (clearTimeout(timer), resolve());
      });
    }
    this.resting = false;
  }
}

function payloadOf(data) {
  if (typeof data === 'string') return data;
  if (Buffer.isBuffer(data)) return data;
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  if (Array.isArray(data) && data.length > 0 && data.every(Buffer.isBuffer)) return Buffer.concat(data);
  if (data === null || typeof data !== 'object') throw new TypeError('a frame is text, bytes or an event');
  return JSON.stringify(data);
}
