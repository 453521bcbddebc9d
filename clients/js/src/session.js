/** One connection to steno, from its handshake to its end. */
import { lineOf } from './queue.js';
import { CLOSE, PING, PONG, Reader, TEXT, closeOf, encode, encodeClose } from './websocket.js';

/** The times, in milliseconds. Tests shorten them. */
export const times = {
  /** How long frames are gathered, so that a burst is one write. */
  gather: 10,
  ping: 15_000,
  /** A peer that says nothing to a ping for so long is gone. A steno that blocks reads nothing for a while only. */
  silence: 60_000,
  /** How long the answer to a close frame is awaited. */
  close: 2_000,
};

const BATCH_BYTES = 64 * 1024;
/** Where so much waits to be written, pings are not answered: their sender does not read. */
const PONG_BUFFER_BYTES = 64 * 1024;
const NORMAL = 1000;

/** The connection ended before the conversation did. `code` is that of steno's close frame, null without one. */
export class Broken extends Error {
  constructor(message, code = null) {
    super(message);
    this.code = code;
  }
}

/**
 * Pushes a conversation through an open socket. `done` resolves when the conversation has ended and everything
 * arrived, and rejects with Broken.
 */
export class Session {
  /** Items that this connection has carried. */
  carried = 0;
  done;
  #conversation;
  #socket;
  #ack;
  #settle;
  #reader = new Reader();
  #probe = null;
  #probes = 0;
  #heardAt = Date.now();
  #probedAt = 0;
  #gathering = null;
  #writable = true;
  #leaving = null;
  #watching;

  constructor(conversation, socket, head, ack) {
    this.#conversation = conversation;
    this.#socket = socket;
    this.#ack = ack;
    this.done = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    socket.setNoDelay(true);
    socket.unref();
    socket.on('data', (data) => this.#read(data));
    socket.on('drain', () => this.#drained());
    socket.on('error', (error) => this.end(new Broken(error.message)));
    socket.on('close', () => this.end(this.#leaving ? null : new Broken('it broke off without a close frame')));
    this.#watching = setInterval(() => this.#watch(), times.ping / 3);
    this.#watching.unref();
    if (head.length > 0) this.#read(head);
    this.#write();
  }

  /** Notices that there is something to do: soon, or at once where the conversation has ended. */
  wake() {
    if (this.#conversation.ended) this.#write();
    else if (this.#gathering === null && this.#writable) {
      this.#gathering = setTimeout(() => this.#write(), times.gather);
      this.#gathering.unref();
    }
  }

  /** Ends the session: with `broken`, or in order where it is null. */
  end(broken) {
    clearTimeout(this.#gathering);
    clearTimeout(this.#leaving);
    clearInterval(this.#watching);
    this.#writable = false;
    this.#socket.destroy();
    if (broken === null) this.#settle.resolve();
    else this.#settle.reject(broken);
  }

  #write() {
    clearTimeout(this.#gathering);
    this.#gathering = null;
    while (this.#writable) {
      const items = this.#conversation.queue.take(BATCH_BYTES);
      if (items.length === 0) break;
      this.carried += items.length;
      const frames = items.map((item) => encode(TEXT, Buffer.from(lineOf(item))));
      this.#send(Buffer.concat([...frames, ...this.#nextProbe()]));
    }
    if (this.#writable && this.#conversation.over) this.#leave();
  }

  #send(data) {
    // What the kernel does not take at once is not added to: the queue is bounded, the socket's buffer is not.
    if (!this.#socket.write(data)) this.#writable = false;
  }

  #drained() {
    if (this.#leaving !== null) return;
    this.#writable = true;
    this.#write();
  }

  /** Returns a ping for what was taken so far, nothing where one is on its way. */
  #nextProbe() {
    if (this.#probe !== null) return [];
    const payload = String(++this.#probes);
    this.#probe = { payload, flight: this.#conversation.queue.inFlight };
    this.#probedAt = Date.now();
    return [encode(PING, Buffer.from(payload))];
  }

  #read(data) {
    this.#heardAt = Date.now();
    try {
      for (const message of this.#reader.feed(data)) this.#heard(message);
    } catch (error) {
      this.end(new Broken(error.message));
    }
  }

  #heard(message) {
    if (message.opcode === TEXT) this.#acknowledged(message.payload);
    else if (message.opcode === PONG) this.#answered(message.payload.toString());
    else if (message.opcode === CLOSE) this.#closed(message);
    else if (this.#socket.writableLength < PONG_BUFFER_BYTES) this.#socket.write(encode(PONG, message.payload));
  }

  #acknowledged(text) {
    let number;
    try {
      number = JSON.parse(text.toString())?.ack;
    } catch {
      return; // other messages are for those who understand them
    }
    if (!this.#ack || !Number.isSafeInteger(number)) return;
    this.#conversation.queue.confirm(number);
    if (this.#conversation.ended) this.#write();
  }

  #answered(payload) {
    if (this.#probe?.payload !== payload) return;
    const { queue } = this.#conversation;
    queue.arrived(this.#probe.flight);
    this.#probe = null;
    if (queue.inFlight.items > 0) this.#socket.write(this.#nextProbe()[0]);
    if (this.#conversation.ended) this.#write();
  }

  #closed(message) {
    const { code, reason } = closeOf(message);
    this.#socket.write(encodeClose(code ?? NORMAL));
    this.end(this.#leaving === null ? new Broken(`it closed with ${code} ${reason}`.trimEnd(), code) : null);
  }

  #leave() {
    if (this.#leaving !== null) return;
    this.#leaving = setTimeout(() => this.end(null), times.close);
    this.#leaving.unref();
    this.#socket.write(encodeClose(NORMAL));
  }

  #watch() {
    const now = Date.now();
    if (this.#probe !== null && now - Math.max(this.#heardAt, this.#probedAt) > times.silence) {
      this.end(new Broken(`it has not answered for ${times.silence / 1000} seconds`));
    } else if (this.#probe === null && now - this.#heardAt > times.ping) {
      this.#socket.write(this.#nextProbe()[0]);
    }
  }
}
