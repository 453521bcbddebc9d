/**
 * Connections of the SDKs, and the sockets under them. What goes through is copied after it was forwarded; the objects
 * stay what they are.
 */

const OPEN = 1;
const NO_STATUS = [1005, 1006];
const tapped = new WeakSet();

/** Copies what `connection` sends and receives. Returns false where it is nothing that can be tapped. */
export function attach(connection, make) {
  const transport = connection?.transport ?? connection;
  if (isFunction(transport, 'sendEvent') && isFunction(transport, 'on')) {
    attachTransport(transport, make);
    return true;
  }
  const socket = connection?.socket ?? connection;
  if (!isFunction(socket, 'send') || !(isFunction(socket, 'prependListener') || isFunction(socket, 'addEventListener'))) {
    return false;
  }
  attachSocket(socket, make);
  if (connection !== socket && isFunction(connection, 'on')) {
    // The SDK reconnects by itself where it is asked to: its new socket is another connection.
    connection.on('reconnected', () => attachSocket(connection.socket, make));
  }
  return true;
}

function isFunction(object, name) {
  return typeof object?.[name] === 'function';
}

function attachSocket(socket, make) {
  if (tapped.has(socket)) return;
  tapped.add(socket);
  const conversation = make();
  if (isFunction(socket, 'prependListener')) attachEmitter(socket, conversation);
  else attachTarget(socket, conversation);
}

/** A WebSocket of `ws`. Listens before all others: their answers must not come before what they answer. */
function attachEmitter(socket, conversation) {
  socket.prependListener('message', (data) => copy(conversation, data, 'received', Date.now()));
  socket.on('close', (code, reason) => conversation.close(NO_STATUS.includes(code) ? null : code, String(reason)));
  coverSend(socket, (data, at) => copy(conversation, own(data), 'sent', at));
}

/** A WebSocket of the platform. Others may have listened before, so what they send is copied a moment later. */
function attachTarget(socket, conversation) {
  socket.addEventListener('message', ({ data }) => copy(conversation, data, 'received', Date.now()));
  socket.addEventListener('close', ({ code, reason }) =>
    conversation.close(NO_STATUS.includes(code) ? null : code, reason),
  );
  coverSend(socket, (data, at) => queueMicrotask(() => copy(conversation, own(data), 'sent', at)));
}

function coverSend(socket, sent) {
  const { send } = socket;
  socket.send = function (data, ...rest) {
    const open = socket.readyState === OPEN;
    const at = Date.now();
    const result = send.call(socket, data, ...rest);
    if (open) sent(data, at);
    return result;
  };
}

/** Returns bytes that the application cannot change any more. */
function own(data) {
  if (ArrayBuffer.isView(data)) return Uint8Array.prototype.slice.call(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return data instanceof ArrayBuffer ? data.slice(0) : data;
}

function copy(conversation, data, direction, at) {
  if (typeof data === 'string' || ArrayBuffer.isView(data) || data instanceof ArrayBuffer || Array.isArray(data)) {
    conversation.send(data, direction, at);
  } else {
    conversation.miss(); // a Blob, which can be read only later
  }
}

/**
 * A transport of `@openai/agents-realtime`. Its websocket is public as soon as it connects. One without a websocket has
 * the public event `*`, and the public method `sendEvent`, which is not all that it sends.
 */
function attachTransport(transport, make) {
  if (tapped.has(transport)) return;
  tapped.add(transport);
  if (transport.connectionState === undefined || !('websocket' in transport.connectionState)) {
    attachEvents(transport, make);
    return;
  }
  const look = () => {
    const { websocket } = transport.connectionState;
    if (websocket !== undefined) attachSocket(websocket, make);
  };
  transport.on('connection_change', look);
  look();
}

function attachEvents(transport, make) {
  let conversation = null;
  const current = () => (conversation ??= make());
  transport.on('*', (event) => current().send(event, 'received'));
  transport.on('connection_change', (status) => {
    if (status !== 'disconnected') return;
    conversation?.close();
    conversation = null;
  });
  const { sendEvent } = transport;
  transport.sendEvent = function (event, ...rest) {
    const result = sendEvent.call(transport, event, ...rest);
    current().send(event, 'sent');
    return result;
  };
}
