/** The unmodified SDKs against a scripted provider. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';

import { OpenAIRealtimeWebSocket as AgentsWebSocket, RealtimeAgent, RealtimeSession } from '@openai/agents-realtime';
import OpenAI from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { WebSocket } from 'ws';

import { createTap } from '../src/index.js';
import { Steno, certificate, directions, provide, shapes } from './servers.js';

const KEY = 'sk-of-the-application';
let steno;
let provider;
let tap;
let logged;

beforeEach(async () => {
  steno = await Steno.start();
  provider = await provide();
  logged = [];
  tap = createTap({ url: steno.url, log: (message) => logged.push(message) });
});

afterEach(async () => {
  await tap.close(0);
  await provider.stop();
  await steno.kill();
});

const asItWas = () => ({ received: provider.sent, sent: provider.received });

/** Checks that what went through is what arrived, and how it ended. */
async function arrived(close) {
  assert.equal(await tap.close(), true);
  await steno.settled();
  assert.deepEqual(directions(steno), asItWas());
  assert.ok(provider.sent.length > 4);
  assert.deepEqual(shapes(steno.lines).at(-1), close);
  assert.ok(!JSON.stringify([steno.lines, steno.pushes.map((push) => push.headers)]).includes(KEY));
  assert.deepEqual(logged, []);
}

test('OpenAIRealtimeWS of openai', async (context) => {
  const tls = certificate(context);
  await provider.stop();
  provider = await provide({ tls });
  const client = new OpenAI({ apiKey: KEY, baseURL: `https://127.0.0.1:${provider.port}` });
  const connection = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: { ca: tls.cert } }, client);
  assert.equal(tap(connection, 'till-7'), connection);
  connection.on('session.created', () => {
    connection.send({ type: 'session.update', session: { type: 'realtime', instructions: 'Be brief.' } });
    connection.send({ type: 'response.create' });
  });
  connection.on('response.done', () => connection.close());
  await once(connection.socket, 'close');

  await arrived({ dir: 'close', code: 1000, reason: 'OK' });
  assert.deepEqual(steno.pushes[0].query, { conversation: 'till-7' });
  assert.deepEqual(
    steno.lines.slice(0, 3).map((line) => line.dir),
    ['received', 'sent', 'sent'],
  );
});

test('a bare WebSocket of ws, also with fragments and bytes', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${provider.port}`);
  const answered = new Promise((resolve) =>
    socket.on('message', (data) => data.includes('response.done') && resolve()),
  );
  tap(socket);
  assert.equal(tap(socket), socket);
  await once(socket, 'open');
  const bytes = Buffer.from('{"type":"response.create"}');
  socket.send(bytes, { binary: false });
  bytes.fill(0);
  await answered;
  socket.close(4001, 'done');
  await once(socket, 'close');

  await arrived({ dir: 'close', code: 4001, reason: 'done' });
});

test('a WebSocket with listeners of the platform', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${provider.port}`);
  // What the platform's own WebSocket has, and no more.
  const platform = {
    addEventListener: socket.addEventListener.bind(socket),
    send: socket.send.bind(socket),
    get readyState() {
      return socket.readyState;
    },
  };
  platform.addEventListener('message', ({ data }) => {
    if (data.includes('session.created')) platform.send('{"type":"response.create"}');
    if (data.includes('response.done')) socket.close(1000);
  });
  tap(platform);
  await once(socket, 'close');

  await arrived({ dir: 'close', code: 1000, reason: '' });
  assert.deepEqual(
    steno.lines.slice(0, 2).map((line) => line.dir),
    ['received', 'sent'],
  );
});

test('a connection that breaks off has no code', async () => {
  const socket = tap(new WebSocket(`ws://127.0.0.1:${provider.port}`));
  await once(socket, 'message');
  socket.terminate();
  await once(socket, 'close');

  assert.equal(await tap.close(), true);
  await steno.settled();
  assert.deepEqual(shapes(steno.lines).at(-1), { dir: 'close', code: null, reason: '' });
});

test('a Blob is a gap, since it can be read only later', async () => {
  const socket = tap(new WebSocket(`ws://127.0.0.1:${provider.port}`));
  await once(socket, 'open');
  socket.send(new Blob(['{"type":"response.create"}']));
  await once(socket, 'message');
  socket.close(1000);
  await once(socket, 'close');

  assert.equal(await tap.close(), true);
  await steno.settled();
  const [gap] = shapes(steno.lines).filter((line) => line.dir === 'gap');
  assert.deepEqual(gap, { dir: 'gap', frames: 1, bytes: 0, reason: 'unreadable' });
});

for (const what of ['session', 'transport']) {
  test(`a ${what} of @openai/agents-realtime`, async () => {
    const transport = new AgentsWebSocket({
      url: `ws://127.0.0.1:${provider.port}`,
      createWebSocket: async ({ url }) => new WebSocket(url),
    });
    const agent = new RealtimeAgent({ name: 'till', instructions: 'Be brief.' });
    const session = new RealtimeSession(agent, { transport, tracingDisabled: true });
    session.on('error', () => {});
    tap(what === 'session' ? session : transport);
    const done = new Promise((resolve) => transport.on('turn_done', resolve));
    await session.connect({ apiKey: KEY });
    session.sendMessage('Which aisle is the tea in?');
    await done;
    const closed = once(transport.connectionState.websocket, 'close');
    session.close();
    await closed;

    await arrived({ dir: 'close', code: null, reason: '' });
  });
}

test('a transport of your own, without a websocket, by its events', async () => {
  const transport = new EventEmitter();
  transport.sendEvent = (event) => transport.emit('*', { type: 'response.created', to: event.type });
  tap(transport);
  transport.sendEvent({ type: 'response.create' });
  transport.emit('connection_change', 'disconnected');

  assert.equal(await tap.close(), true);
  await steno.settled();
  assert.deepEqual(shapes(steno.lines), [
    { dir: 'received', text: '{"type":"response.created","to":"response.create"}' },
    { dir: 'sent', text: '{"type":"response.create"}' },
    { dir: 'close', code: null, reason: '' },
  ]);
});
