/** Copies realtime conversations of an application to steno, without getting in its way. */
import { Conversation } from './conversation.js';
import { Settings } from './settings.js';
import { attach } from './sockets.js';

/** How long the end of the process is held for frames that are on their way; not at all where steno is absent. */
const EXIT_MS = 2000;
const CLOSE_MS = 5000;

const sharing = new Set();
let exiting = false;

/**
 * Returns a tap. See index.d.ts for its options. Throws a TypeError where the address or the token can never do;
 * nothing is thrown later.
 */
export function createTap(options = {}) {
  const shared = share(options);
  const conversation = (name) => new Conversation(shared, name ?? shared.settings.conversation);
  let own = null;
  const tap = (connection, name) => {
    guarded(shared, () => {
      if (!attach(connection, () => conversation(name))) {
        shared.report('unknown', 'this connection cannot be tapped, it goes on without');
      }
    });
    return connection;
  };
  tap.conversation = conversation;
  tap.send = (frame, direction) => (own ??= conversation()).send(frame, direction);
  tap.close = (milliseconds = CLOSE_MS) => close(shared, milliseconds);
  return tap;
}

function share(options) {
  const settings = new Settings(options);
  const reported = new Set();
  const log = options.log ?? ((message) => console.warn(`steno-tap: ${message}`));
  const shared = {
    settings,
    budget: { totalBytes: settings.totalBytes, usedBytes: 0 },
    conversations: new Set(),
    closed: false,
    complete: true,
    /** Says something once a kind: the tap must not fill a log. */
    report(kind, message) {
      if (reported.has(kind)) return;
      reported.add(kind);
      guarded(null, () => log(message));
    },
    again: (kind) => reported.delete(kind),
  };
  if (settings.inTheClear) {
    shared.report('clear', `the token crosses the network unencrypted; use wss:// for ${settings.url.host}`);
  }
  sharing.add(new WeakRef(shared));
  if (sharing.size === 1) process.on('beforeExit', atExit);
  return shared;
}

function guarded(shared, action) {
  try {
    action();
  } catch (error) {
    shared?.report('internal', `the tap failed: ${error?.name}`);
  }
}

/** Ends all conversations and waits until they are pushed. Resolves to whether everything arrived. */
async function close(shared, milliseconds) {
  shared.closed = true;
  return settle(shared, milliseconds);
}

async function settle(shared, milliseconds) {
  const open = [...shared.conversations];
  for (const conversation of open) conversation.end();
  // The timer holds the process, which nothing else of the tap does.
  const timer = setTimeout(() => open.forEach((conversation) => conversation.giveUp()), milliseconds);
  const complete = await Promise.all(open.map((conversation) => conversation.finished));
  clearTimeout(timer);
  return complete.every(Boolean);
}

/** The process has nothing more to do: give what is on its way its time, once. */
function atExit() {
  if (exiting) return;
  exiting = true;
  for (const reference of sharing) {
    const shared = reference.deref();
    if (shared === undefined || [...shared.conversations].every((conversation) => conversation.resting)) continue;
    settle(shared, EXIT_MS);
  }
}
