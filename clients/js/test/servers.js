/** A steno to push to, and a scripted provider, over real sockets. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer } from 'ws';

import { bounds } from '../src/backoff.js';

// The waits between attempts, so that a test does not wait for them.
Object.assign(bounds, { first: 10, longest: 20, slow: 20 });

/** Resolves when `condition` holds. */
export async function until(condition) {
  for (const deadline = Date.now() + 20_000; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error('it did not come to be');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Returns a certificate for 127.0.0.1 that signs itself, and its key. */
export function certificate(context) {
  const folder = mkdtempSync(join(tmpdir(), 'steno-tap-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const what = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  const whose = ['-subj', '/CN=steno of a test', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync('openssl', ['req', '-x509', ...what, ...whose, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

export class Steno {
  pushes = [];
  refused = [];
  /** What survives a restart: the lines of each resume id. */
  disk = new Map();
  refusal = null;
  acknowledges = true;
  onLine = () => {};
  #tls;

  constructor({ tls, port = 0 } = {}) {
    this.#tls = tls;
    this.port = port;
  }

  static async start(options) {
    const steno = new Steno(options);
    await steno.start();
    return steno;
  }

  get url() {
    return `${this.#tls ? 'wss' : 'ws'}://127.0.0.1:${this.port}`;
  }

  get lines() {
    return this.pushes.flatMap((push) => push.lines);
  }

  async start() {
    this.server = this.#tls ? createTlsServer(this.#tls) : createServer();
    this.sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
    this.server.on('upgrade', (request, socket, head) => {
      if (this.refusal !== null) {
        this.refused.push(request);
        const { status, body = '', headers = {} } = this.refusal;
        const lines = Object.entries({ 'Content-Length': body.length, Connection: 'close', ...headers });
        const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
        socket.end(`HTTP/1.1 ${status} Refused\r\n${head}\r\n${body}`);
        return;
      }
      this.sockets.handleUpgrade(request, socket, head, (connection) => this.#serve(connection, request));
    });
    this.streams = new Set();
    this.server.on('connection', (stream) => this.streams.add(stream));
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
    this.port = this.server.address().port;
  }

  #serve(connection, request) {
    const url = new URL(request.url, 'ws://steno');
    const query = Object.fromEntries(url.searchParams);
    const push = { path: url.pathname, query, headers: request.headers, lines: [], code: null };
    this.pushes.push(push);
    const kept = this.disk.get(query.resume) ?? [];
    this.disk.set(query.resume, kept);
    let number = Number(query.from ?? 1);
    const say = () => query.ack && this.acknowledges && connection.send(JSON.stringify({ ack: kept.length }));
    say();
    connection.on('message', (data) => {
      const line = JSON.parse(data.toString());
      push.lines.push(line);
      if (number === kept.length + 1) kept.push(line);
      number += 1;
      this.onLine(connection, line);
      say();
    });
    connection.on('close', (code) => (push.code = code));
    connection.on('error', () => {});
  }

  /** Vanishes: connections are cut, and nobody listens. */
  async kill() {
    for (const stream of this.streams) stream.destroy(); // also those that never finished a handshake
    this.server.close();
    await once(this.server, 'close');
  }

  /** Resolves when so many connections have come and all of them have ended. */
  settled(connections = 1) {
    return until(() => this.pushes.length >= connections && this.pushes.every((push) => push.code !== null));
  }
}

/** A peer that accepts a websocket and then does nothing: it reads nothing, and answers no ping. */
export async function mute(port = 0) {
  const accepted = [];
  const server = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (data) => {
      const key = /Sec-WebSocket-Key: (.*)\r\n/i.exec(data.toString())[1];
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.pause();
      accepted.push(socket);
    });
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    accepted,
    port: server.address().port,
    async stop() {
      for (const socket of accepted) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A scripted realtime provider: it keeps what it sent and received. */
export async function provide({ tls } = {}) {
  const server = tls ? createTlsServer(tls) : createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'realtime' });
  const provider = { sent: [], received: [] };
  let number = 0;
  sockets.on('connection', (connection) => {
    const say = (event) => {
      const text = JSON.stringify({ event_id: `event_${++number}`, ...event }, null, 1);
      provider.sent.push(text);
      connection.send(text);
    };
    const session = { id: 'sess_kiosk_7', type: 'realtime', object: 'realtime.session', model: 'gpt-realtime' };
    say({ type: 'session.created', session });
    connection.on('message', (data) => {
      provider.received.push(data.toString());
      const event = JSON.parse(data.toString());
      if (event.type === 'session.update') say({ type: 'session.updated', session: { ...session, ...event.session } });
      if (event.type !== 'response.create') return;
      const response = { id: 'resp_7', object: 'realtime.response', status: 'in_progress', output: [] };
      say({ type: 'response.created', response });
      const part = { response_id: 'resp_7', item_id: 'item_7', output_index: 0, content_index: 0 };
      for (const delta of ['Guten ', 'Tag, Zoë']) say({ type: 'response.output_audio_transcript.delta', delta, ...part });
      const usage = { total_tokens: 9, input_tokens: 4, output_tokens: 5 };
      say({ type: 'response.done', response: { ...response, status: 'completed', usage } });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  provider.port = server.address().port;
  provider.stop = async () => {
    for (const connection of sockets.clients) connection.terminate();
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return provider;
}

export const texts = (lines) => lines.filter((line) => 'text' in line).map((line) => line.text);

/** Lines without their times, which no test can know. */
export const shapes = (lines) => lines.map(({ at: _, ...line }) => line);

/** Of a steno: the payloads by direction. */
export const directions = (steno) => ({
  received: texts(steno.lines.filter((line) => line.dir === 'received')),
  sent: texts(steno.lines.filter((line) => line.dir === 'sent')),
});
