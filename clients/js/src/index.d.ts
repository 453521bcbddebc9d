import type { SecureContextOptions } from 'node:tls';

/** Who sent a frame: the provider (`received`) or the application (`sent`). */
export type Direction = 'received' | 'sent';

/** A message as it was on the wire, or an event that is dumped as JSON. */
export type Frame = string | Uint8Array | ArrayBuffer | object;

export interface TapOptions {
  /** Where steno listens: `ws://` or `wss://`. Else `STENO_TAP_URL`, else `ws://127.0.0.1:9465`. */
  url?: string;
  /** Shown to steno. Else `STENO_TAP_TOKEN`, else what the file `STENO_TAP_TOKEN_FILE` holds at each attempt. */
  token?: string;
  /** Names the conversation; without a name each push connection is one of its own. */
  conversation?: string;
  /** Keep frames until steno has them on its disk, and push them again after a reconnect. */
  ack?: boolean;
  /** What a conversation holds at most, in bytes. 8 MiB. */
  queueBytes?: number;
  /** What all conversations of the tap hold at most, in bytes. 64 MiB. */
  totalBytes?: number;
  /** How long a conversation that has ended is pushed at most, in milliseconds. 10,000. */
  lingerMs?: number;
  /** For `wss://`: a CA of your own, or a client's certificate. */
  tls?: SecureContextOptions & { rejectUnauthorized?: boolean; servername?: string };
  /** Where a warning goes, once a kind. `console.warn`. */
  log?: (message: string) => void;
}

export interface Conversation {
  /** Push a frame. Never throws, and never waits. */
  send(frame: Frame, direction?: Direction): void;
  /** End the conversation, with the code and reason of the application's connection. */
  close(code?: number | null, reason?: string): void;
}

export interface Tap {
  /**
   * Copy what a connection sends and receives from now on, and return it: it stays what it is. It is an
   * `OpenAIRealtimeWS` or `OpenAIRealtimeWebSocket` of `openai`, a `RealtimeSession` of `@openai/agents-realtime` or its
   * transport, or a WebSocket of `ws` or of the platform.
   */
  <T>(connection: T, conversation?: string): T;
  /** Push a frame of the tap's own conversation. Never throws, and never waits. */
  send(frame: Frame, direction?: Direction): void;
  /** Begin a conversation to which frames are given by `send`. */
  conversation(name?: string): Conversation;
  /**
   * End all conversations and wait until they are pushed, `milliseconds` at most (5,000). Resolves to whether
   * everything arrived. The tap takes no more frames.
   */
  close(milliseconds?: number): Promise<boolean>;
}

/** Throws a TypeError where the address or the token can never do. */
export function createTap(options?: TapOptions): Tap;
