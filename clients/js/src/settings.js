/** Where a tap pushes to, and what it shows there. */
import { readFileSync } from 'node:fs';

const DEFAULT_URL = 'ws://127.0.0.1:9465';
const PATH = '/v1/push';
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** What a conversation holds at most: a minute of a call, at 128 KiB of audio a second both ways. */
const QUEUE_BYTES = 8 * 1024 * 1024;
/** What all conversations of a tap hold at most. */
const TOTAL_BYTES = 64 * 1024 * 1024;
/** How long a conversation that has ended is pushed at most. */
const LINGER_MS = 10_000;

/** What does not change while a tap lives. Throws a TypeError where nothing could ever be pushed. */
export class Settings {
  #token;
  #tokenFile;

  constructor(options = {}, environment = process.env) {
    this.url = parse(options.url || environment.STENO_TAP_URL || DEFAULT_URL);
    this.#tokenFile = options.token === undefined ? environment.STENO_TAP_TOKEN_FILE || undefined : undefined;
    this.#token = options.token ?? (this.#tokenFile ? undefined : environment.STENO_TAP_TOKEN || undefined);
    if (this.#token !== undefined) checked(this.#token, 'token');
    this.conversation = options.conversation;
    this.ack = options.ack ?? false;
    this.queueBytes = positive(options.queueBytes ?? QUEUE_BYTES, 'queueBytes');
    this.totalBytes = positive(options.totalBytes ?? TOTAL_BYTES, 'totalBytes');
    this.lingerMs = options.lingerMs ?? LINGER_MS;
    this.tls = options.tls ?? {};
  }

  /** Whether a token would cross a network unencrypted. */
  get inTheClear() {
    const shown = this.#token !== undefined || this.#tokenFile !== undefined;
    return shown && this.url.protocol === 'ws:' && !LOOPBACK.includes(this.url.hostname);
  }

  /** Returns path and query of a push. `resume` and `first` count with `ack` alone. */
  target(conversation, resume, first) {
    const path = this.url.pathname.replace(/\/+$/, '');
    const query = new URLSearchParams(conversation === undefined ? {} : { conversation });
    if (this.ack) for (const [name, value] of Object.entries({ ack: 1, resume, from: first })) query.set(name, value);
    return `${path.endsWith(PATH) ? path : path + PATH}${query.size > 0 ? `?${query}` : ''}`;
  }

  /** Returns the token, read anew from its file so that a change counts. Throws an Error that names the place. */
  readToken() {
    if (this.#tokenFile === undefined) return this.#token;
    let token;
    try {
      token = readFileSync(this.#tokenFile, 'utf8').trim();
    } catch (error) {
      throw new Error(`cannot read the token in ${this.#tokenFile}: ${error.code}`);
    }
    return checked(token, this.#tokenFile);
  }
}

function parse(text) {
  let url;
  try {
    url = new URL(text);
  } catch {
    url = null;
  }
  if (url === null || !['ws:', 'wss:'].includes(url.protocol)) {
    throw new TypeError('the URL of steno must be ws://host:port or wss://host:port');
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new TypeError('the URL of steno has no user, query or fragment; pass token and conversation');
  }
  return url;
}

function checked(token, where) {
  if (!/^[!-~]+$/.test(token)) {
    throw new TypeError(`the token in ${where} is empty or has other characters than visible ASCII`);
  }
  return token;
}

function positive(value, name) {
  if (!(value > 0)) throw new TypeError(`${name} must be positive`);
  return value;
}
