/** Opening one websocket to steno, and what a refusal means. */
import http from 'node:http';
import https from 'node:https';

import { retryAfter } from './backoff.js';
import { checkAccepted, newKey } from './websocket.js';

/** The longest time for a connection, TLS and handshake together. */
const OPEN_MS = 10_000;
const BODY_CHARACTERS = 200;
const MENDED_BY_HAND = [400, 401, 403, 404];
const CERTIFICATE = /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY)|HOSTNAME_MISMATCH)/;

/** No connection came to be. `slow`: somebody has to mend the cause. `wait`: milliseconds that the server asks for. */
export class ConnectError extends Error {
  constructor(message, { slow = false, wait = 0 } = {}) {
    super(message);
    this.slow = slow;
    this.wait = wait;
  }
}

/**
 * Opens a websocket to `target`. Resolves to its socket and to what came behind the handshake; rejects with
 * ConnectError. Neither holds the process: a socket and a timer of the tap are no reason for it to stay.
 */
export function connect(settings, target, signal) {
  return new Promise((resolve, reject) => {
    const key = newKey();
    let token;
    let request;
    try {
      token = settings.readToken();
      request = begin(settings, target, key, token, signal);
    } catch (error) {
      reject(new ConnectError(error.message, { slow: true }));
      return;
    }
    const timer = setTimeout(() => request.destroy(new Error('it takes too long')), OPEN_MS);
    timer.unref();
    request.on('close', () => clearTimeout(timer));
    request.on('socket', (socket) => socket.unref());
    request.on('error', (error) => reject(unreachable(settings, error)));
    request.on('response', (response) => refusal(response, token).then(reject));
    request.on('upgrade', (response, socket, head) => {
      clearTimeout(timer);
      try {
        checkAccepted(response.headers, key);
        resolve({ socket, head });
      } catch (error) {
        socket.destroy();
        reject(unreachable(settings, error));
      }
    });
    request.end();
  });
}

function begin(settings, target, key, token, signal) {
  const { url } = settings;
  const headers = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': key,
    'Sec-WebSocket-Version': '13',
    'User-Agent': 'steno-tap',
    ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
  };
  const secure = url.protocol === 'wss:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const options = { host, port: url.port || (secure ? 443 : 80), path: target, headers, agent: false, signal };
  return secure ? https.request({ ...options, ...settings.tls }) : http.request(options);
}

function unreachable(settings, error) {
  const cause = error.errors?.[0] ?? error;
  const slow = CERTIFICATE.test(cause.code ?? '');
  const detail = cause.message || cause.code;
  return new ConnectError(`cannot connect to ${settings.url.host} (${detail})`, { slow });
}

async function refusal(response, token) {
  let body = '';
  try {
    response.setEncoding('utf8');
    for await (const chunk of response) {
      body += chunk;
      if (body.length > BODY_CHARACTERS) break;
    }
  } catch {
    // What came of it is enough.
  }
  let detail = body.replace(/[\s\p{C}]+/gu, ' ').trim();
  if (token !== undefined) detail = detail.replaceAll(token, '***');
  return new ConnectError(`it answers ${response.statusCode} ${detail.slice(0, BODY_CHARACTERS)}`.trimEnd(), {
    slow: MENDED_BY_HAND.includes(response.statusCode),
    wait: retryAfter(response.headers['retry-after']),
  });
}
